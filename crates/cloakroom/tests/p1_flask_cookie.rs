//! P1: the session cookie is Flask's, byte for byte, and opens what Flask opens.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::time::Duration;
use support::now::Now;

use cloakroom::{
    Clock, KeyRing, Refusal, SecretKey, SessionConfig, SessionManager, Value,
    format::TaggedJson,
    token::{Leniency, payload},
};
use serde_json::Value as Json;
use support::{
    differences::{
        Differences, HALVES_OF_A_CHARACTER, MARKUP_OF_NO_TEXT, ODD_UUID, Rule,
        has_markup_of_no_text, has_odd_uuid, unless,
    },
    is_oddly_spelt, python_value, rows, same, text, unhex,
};

/// Vectors use short keys, which only this constructor takes.
fn key(json: &Json) -> Result<SecretKey, String> {
    let bytes = match json {
        Json::Null => return Err("no key".to_owned()),
        Json::String(text) => text.as_bytes().to_vec(),
        Json::Object(object) => unhex(object["$bytes"].as_str().unwrap()),
        other => panic!("{other} is no key"),
    };
    SecretKey::insecure_for_development(bytes).map_err(|error| error.to_string())
}

fn keys(row: &Json) -> Result<KeyRing, String> {
    let letters: Vec<Json>;
    let fallbacks = match &row["fallbacks"] {
        Json::Null => &[],
        Json::Array(keys) => keys.as_slice(),
        // One text, which Flask takes apart into keys of one character.
        Json::String(text) => {
            letters = text
                .chars()
                .map(|letter| letter.to_string().into())
                .collect();
            letters.as_slice()
        }
        other => panic!("{other} are no keys"),
    };
    let ring = KeyRing::new(key(&row["secret_key"])?);
    fallbacks
        .iter()
        .try_fold(ring, |ring, old| Ok(ring.fallback(key(old)?)))
}

fn python_key(pair: &Json) -> Value {
    python_value(&pair[0])
}

#[test]
fn p1_cookies_are_flasks_bytes() {
    let mut differences = Differences::new([
        HALVES_OF_A_CHARACTER,
        Rule::always(
            "the keys of a session are text that can be spelt in Rust",
            |row| {
                let pairs = row["session"]["$dict"].as_array().into_iter().flatten();
                pairs.map(python_key).any(|key| key.as_str().is_none())
            },
            &["key of a lone surrogate"],
        ),
    ]);
    for row in rows("flask_cookie", "dumps") {
        let format = TaggedJson::new().ascii(row["json_ensure_ascii"] != Json::Bool(false));
        let clock = Clock::manual(row["now"].as_u64().unwrap());
        let config = SessionConfig::flask().clock(clock).format(format);
        let manager = SessionManager::signed(keys(&row).unwrap(), config).unwrap();
        // P3: what came in goes out with the bytes it came with.
        let opened = manager.open_value_now(text(&row, "cookie")).unwrap();
        assert_eq!(
            manager.cookie_value(&opened).unwrap(),
            text(&row, "cookie"),
            "{row}"
        );

        let session = manager.new_session();
        let Value::Dict(dict) = python_value(&row["session"]) else {
            panic!("{row}")
        };
        let inserted = dict.into_iter().try_for_each(|(name, value)| {
            let name = name.as_str().ok_or("not a key")?.to_owned();
            session
                .insert(name, value)
                .map_err(|error| error.to_string())
        });
        let written = inserted.map(|()| manager.cookie_value(&session).unwrap());
        let same = written.as_deref().ok() == row["cookie"].as_str();
        differences.check(text(&row, "note"), &row, unless(same, written));
    }
    differences.finish();
}

/// What the cookie of a row holds.
fn json(row: &Json) -> String {
    let cookie = row["cookie"].as_str().unwrap_or_default();
    let payload = cookie.rsplitn(3, '.').nth(2).unwrap_or_default();
    let bytes = payload::decode(payload.as_bytes(), Leniency::Lenient, 1 << 20);
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

fn has_odd_spelling(row: &Json) -> bool {
    let cookie = row["cookie"].as_str().unwrap_or_default();
    let mut parts = cookie.trim_start_matches('.').split('.');
    parts.any(|part| is_oddly_spelt(part.as_bytes()))
}

/// Cookies that open in another way than in Flask, and why.
const OPENED_DIFFERENTLY: [Rule; 7] = [
    Rule::always(
        "a layer cannot be made without a key, and an empty key is refused at start",
        |row| {
            let fallbacks = row["fallbacks"].as_array().into_iter().flatten();
            row["outcome"] == "null_session" || fallbacks.clone().any(|key| key == "")
        },
        &["no secret key", "empty secret key counts as none"],
    ),
    Rule::always(
        "T7: a bad payload is an empty session with a reason, not a 500",
        |row| row["outcome"] == "raises",
        &[
            "signed but not base64: BadPayload is not caught",
            "signed but not JSON: BadPayload is not caught",
            "signed, bad tag content: BadPayload is not caught",
            "signed JSON number",
            "signed JSON list of numbers",
        ],
    ),
    Rule::sometimes(
        "T4: one spelling per cookie is the strict rule; Python takes several",
        has_odd_spelling,
        &["LENIENT: one = appended"],
    ),
    Rule::sometimes(
        "a lifetime is not negative; the row is read as one of 0 seconds",
        |row| {
            row["lifetime"]
                .as_f64()
                .is_some_and(|lifetime| lifetime < 0.0)
        },
        &["negative lifetime"],
    ),
    Rule::sometimes(
        MARKUP_OF_NO_TEXT,
        |row| has_markup_of_no_text(&json(row)),
        &["signed, Markup of a list"],
    ),
    Rule::sometimes(
        ODD_UUID,
        |row| has_odd_uuid(&json(row)),
        &["signed, UUID with a sign"],
    ),
    Rule::sometimes(
        "the keys of a session are text",
        |row| {
            let pairs = row["session"]["$dict"].as_array().into_iter().flatten();
            pairs.map(python_key).any(|key| key.as_str().is_none())
        },
        &["signed JSON list of a pair of numbers"],
    ),
];

#[test]
fn p1_cookies_open_as_in_flask() {
    let mut differences = Differences::new(OPENED_DIFFERENTLY);
    for row in rows("flask_cookie", "loads") {
        let difference = keys(&row).map_or_else(Some, |keys| {
            let clock = Clock::manual(row["now"].as_u64().unwrap());
            // Flask cuts a lifetime to whole seconds.
            let lifetime = Duration::try_from_secs_f64(row["lifetime"].as_f64().unwrap());
            let config = SessionConfig::flask()
                .clock(clock)
                .lifetime(lifetime.unwrap_or_default());
            let manager = SessionManager::signed(keys, config).unwrap();
            let opened = match row["cookie"].as_str() {
                None | Some("") => Ok(manager.new_session()),
                Some(cookie) => manager.open_value_now(cookie),
            };
            let same = match (text(&row, "outcome"), &opened) {
                ("loaded", Ok(session)) => same(
                    &Value::Dict(session.snapshot()),
                    &python_value(&row["session"]),
                ),
                ("empty", Ok(session)) => session.is_empty(),
                ("empty", Err(refusal)) => *refusal != Refusal::BadPayload,
                // Not the same, but nothing else than this; a time after the year 9999 is told as such.
                ("raises", opened) => {
                    let reason = opened.as_ref().err();
                    let told = match has_odd_spelling(&row) {
                        true => reason.is_some(),
                        false => {
                            matches!(reason, Some(Refusal::BadPayload | Refusal::BadTimestamp))
                        }
                    };
                    assert!(told, "{reason:?}: {row}");
                    false
                }
                _ => false,
            };
            unless(same, opened.map(|session| session.snapshot()))
        });
        differences.check(text(&row, "note"), &row, difference);
    }
    differences.finish();
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
        let cookie = signer.cookie_value(&session).unwrap().into_bytes();
        assert_eq!(cookie[0], b'.', "compressed");
        assert!(manager.open_value_now(&cookie).is_ok());
        for place in 0..cookie.len() {
            for bit in 0..8 {
                let mut altered = cookie.clone();
                altered[place] ^= 1 << bit;
                assert!(
                    manager.open_value_now(&altered).is_err(),
                    "bit {bit} of byte {place}"
                );
            }
            assert!(
                manager.open_value_now(&cookie[..place]).is_err(),
                "cut at {place}"
            );
            assert!(
                manager.open_value_now(&cookie[place + 1..]).is_err(),
                "begun after {place}"
            );
        }
    }
}
