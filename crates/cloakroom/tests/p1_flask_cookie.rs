//! P1: the session cookie is Flask's, byte for byte, and opens what Flask opens.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::time::Duration;

use cloakroom::{
    Clock, KeyRing, Refusal, SecretKey, SessionConfig, SessionManager, Value, format::TaggedJson,
};
use serde_json::Value as Json;
use support::{python_value, rows, same, text, unhex};

/// Vectors use short keys, which only this constructor takes.
fn key(json: &Json) -> SecretKey {
    let bytes = match json {
        Json::String(text) => text.as_bytes().to_vec(),
        Json::Object(object) => unhex(object["$bytes"].as_str().unwrap()),
        other => panic!("{other} is no key"),
    };
    SecretKey::insecure_for_development(bytes).unwrap()
}

fn keys(row: &Json) -> KeyRing {
    let fallbacks: Vec<SecretKey> = match &row["fallbacks"] {
        Json::Array(keys) => keys.iter().map(key).collect(),
        // One text, which Flask takes apart into keys of one character.
        Json::String(text) => text
            .chars()
            .map(|letter| key(&Json::String(letter.to_string())))
            .collect(),
        other => panic!("{other} are no keys"),
    };
    fallbacks
        .into_iter()
        .fold(KeyRing::new(key(&row["secret_key"])), KeyRing::fallback)
}

fn seconds(json: &Json) -> u64 {
    // Flask cuts a lifetime to whole seconds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    json.as_u64()
        .unwrap_or_else(|| json.as_f64().unwrap() as u64)
}

#[test]
fn p1_cookies_are_flasks_bytes() {
    for row in rows("flask_cookie", "dumps") {
        let format = TaggedJson::new().ascii(row["json_ensure_ascii"] != Json::Bool(false));
        let clock = Clock::manual(row["now"].as_u64().unwrap());
        let config = SessionConfig::flask().clock(clock).format(format);
        let manager = SessionManager::signed(keys(&row), config).unwrap();
        let session = manager.new_session();
        let Value::Dict(dict) = python_value(&row["session"]) else {
            panic!("{row}")
        };
        for (name, value) in dict {
            session
                .insert(name.as_str().unwrap(), value)
                .unwrap_or_else(|error| panic!("{error}: {row}"));
        }
        assert_eq!(
            manager.cookie_value(&session),
            text(&row, "cookie"),
            "{row}"
        );

        // P3: what came in goes out with the bytes it came with.
        let opened = manager.open_value(text(&row, "cookie")).unwrap();
        assert_eq!(manager.cookie_value(&opened), text(&row, "cookie"), "{row}");
    }
}

/// Rows that open in another way than in Flask, and why.
const DIFFERENT: [(&str, &str); 7] = [
    ("no secret key", "a layer cannot be made without a key"),
    (
        "empty secret key counts as none",
        "an empty key is refused at start",
    ),
    (
        "signed but not base64: BadPayload is not caught",
        "T7: a bad payload is an empty session with a reason, not a 500",
    ),
    ("signed but not JSON: BadPayload is not caught", "T7"),
    ("signed, bad tag content: BadPayload is not caught", "T7"),
    ("signed JSON number", "T7"),
    ("signed JSON list of numbers", "T7"),
];

#[test]
fn p1_cookies_open_as_in_flask() {
    let mut different = Vec::new();
    for row in rows("flask_cookie", "loads") {
        let note = text(&row, "note");
        let outcome = text(&row, "outcome");
        if outcome == "null_session" {
            assert!(
                row["secret_key"].is_null() || SecretKey::new(text(&row, "secret_key")).is_err()
            );
            different.push(note.to_owned());
            continue;
        }
        let clock = Clock::manual(row["now"].as_u64().unwrap());
        let lifetime = Duration::from_secs(seconds(&row["lifetime"]));
        let config = SessionConfig::flask().clock(clock).lifetime(lifetime);
        let manager = SessionManager::signed(keys(&row), config).unwrap();
        let opened = match row["cookie"].as_str() {
            None | Some("") => Ok(manager.new_session()),
            Some(cookie) => manager.open_value(cookie),
        };
        match (outcome, opened) {
            ("loaded", Ok(session)) => {
                let (found, expected) = (
                    Value::Dict(session.snapshot()),
                    python_value(&row["session"]),
                );
                assert!(same(&found, &expected), "{found:?} {row}");
            }
            ("empty", Ok(session)) => assert!(session.is_empty(), "{row}"),
            ("empty", Err(refusal)) => assert_ne!(refusal, Refusal::BadPayload, "{row}"),
            ("raises", Err(refusal)) => {
                assert_eq!(refusal, Refusal::BadPayload, "{row}");
                different.push(note.to_owned());
            }
            (_, opened) => panic!("{:?} {row}", opened.map(|session| session.snapshot())),
        }
    }
    let listed: Vec<&str> = DIFFERENT.iter().map(|(note, _)| *note).collect();
    assert_eq!(
        different, listed,
        "the list of differences has to be what differs"
    );
}

#[test]
fn s51_no_single_bit_of_a_cookie_can_change() {
    let key = SecretKey::insecure_for_development("secret-key").unwrap();
    let old = SecretKey::insecure_for_development("old-key").unwrap();
    let config = || SessionConfig::flask().clock(Clock::manual(1_700_000_000));
    let ring = KeyRing::new(key).fallback(old.clone());
    let manager = SessionManager::signed(ring.clone(), config()).unwrap();
    let of_old = SessionManager::signed(old, config()).unwrap();
    for signer in [&manager, &of_old] {
        let session = signer.new_session();
        session.insert("username", "alice").unwrap();
        session.insert("items", vec!["the same words"; 20]).unwrap();
        let cookie = signer.cookie_value(&session).into_bytes();
        assert_eq!(cookie[0], b'.', "compressed");
        assert!(manager.open_value(&cookie).is_ok());
        for place in 0..cookie.len() {
            for bit in 0..8 {
                let mut altered = cookie.clone();
                altered[place] ^= 1 << bit;
                assert!(
                    manager.open_value(&altered).is_err(),
                    "bit {bit} of byte {place}"
                );
            }
            assert!(
                manager.open_value(&cookie[..place]).is_err(),
                "cut at {place}"
            );
            assert!(
                manager.open_value(&cookie[place + 1..]).is_err(),
                "begun after {place}"
            );
        }
    }
}
