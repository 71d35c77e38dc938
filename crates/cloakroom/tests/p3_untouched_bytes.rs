//! P3: what a request did not change goes back with the bytes it came with.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use cloakroom::{
    Clock, SecretKey, SessionConfig, SessionManager,
    token::{
        payload,
        signed::{SignerOptions, TimestampSigner},
    },
};
use support::now::Now;

fn manager() -> SessionManager {
    let key = SecretKey::new("a key for the tests of bytes").unwrap();
    SessionManager::signed(
        key,
        SessionConfig::flask().clock(Clock::manual(1_700_000_000)),
    )
    .unwrap()
}

/// A cookie that some other program made of this text.
fn cookie(document: &str) -> Vec<u8> {
    let key = SecretKey::new("a key for the tests of bytes").unwrap();
    let signer = TimestampSigner::with_options(key, "cookie-session", &SignerOptions::flask());
    let mut token = Vec::new();
    payload::encode_into(&mut token, document.as_bytes(), payload::Compression::Auto);
    signer.sign_into(&mut token, 0, 1_700_000_000);
    token
}

/// The text in a cookie.
fn document(cookie: &str) -> String {
    let (value, _) = cookie.rsplit_once('.').unwrap();
    let (value, _) = value.rsplit_once('.').unwrap();
    String::from_utf8(
        payload::decode(
            value.as_bytes(),
            cloakroom::token::Leniency::Strict,
            1 << 20,
        )
        .unwrap(),
    )
    .unwrap()
}

#[test]
fn p3_a_session_that_was_only_read_keeps_every_byte() {
    let manager = manager();
    for text in [
        r#"{ "b" : [1 , 2.50, {"z":1,"a":2}], "a":"\u00e9\/" }"#,
        r#"{"a":1E2,"b":{" d":"Wed, 21 Oct 2015 07:28:00 +0200"}}"#,
        r#"{" di":{" m__":{"10":1,"9":2}}}"#,
        r#"[["a",1]]"#,
        r#"{"a":1,"a":2}"#,
    ] {
        let cookie = cookie(text);
        let session = manager.open_value_now(&cookie).unwrap();
        session
            .keys()
            .iter()
            .for_each(|key| assert!(session.contains_key(key)));
        let _ = session.snapshot();
        assert_eq!(
            manager.cookie_value(&session).unwrap().into_bytes(),
            cookie,
            "{text}"
        );
    }
}

#[test]
fn p3_the_neighbours_of_a_changed_entry_keep_their_bytes() {
    let manager = manager();
    let untouched = r#""a":[1 , 2.50,  "\u00e9\/é"],"date":{" d":"21 Oct 2015 07:28 EST"}"#;
    let session = manager
        .open_value_now(cookie(&format!("{{{untouched},\"visits\":3}}")))
        .unwrap();
    session
        .update("visits", |visits: Option<u64>| visits.unwrap() + 1)
        .unwrap();
    assert_eq!(
        document(&manager.cookie_value(&session).unwrap()),
        format!("{{{untouched},\"visits\":4}}")
    );
    session.remove("visits");
    assert_eq!(
        document(&manager.cookie_value(&session).unwrap()),
        format!("{{{untouched}}}")
    );
    // Read, and written back as it was read: its own text is Flask's again, the neighbour's is as it came.
    let list: cloakroom::Value = session.get("a").unwrap().unwrap();
    session.insert("a", list).unwrap();
    assert_eq!(
        document(&manager.cookie_value(&session).unwrap()),
        r#"{"a":[1,2.5,"\u00e9/\u00e9"],"date":{" d":"21 Oct 2015 07:28 EST"}}"#
    );
}

#[test]
fn p3_keys_are_sorted_and_of_one_key_the_last_value_counts() {
    let manager = manager();
    let session = manager
        .open_value_now(cookie(r#"{"b":1,"\u0061":2,"é":3,"b":4,"a":5}"#))
        .unwrap();
    assert_eq!(session.keys(), ["a", "b", "é"]);
    assert_eq!(session.get::<u8>("b").unwrap(), Some(4));
    session.insert("c", 6).unwrap();
    assert_eq!(
        document(&manager.cookie_value(&session).unwrap()),
        r#"{"a":5,"b":4,"c":6,"\u00e9":3}"#
    );
}

#[test]
fn p3_a_single_key_that_looks_like_a_tag_is_escaped_and_found_again() {
    let manager = manager();
    let session = manager.new_session();
    session.insert(" t", "no tuple").unwrap();
    let value = manager.cookie_value(&session).unwrap();
    assert_eq!(document(&value), r#"{" di":{" t__":"no tuple"}}"#);
    let session = manager.open_value_now(value).unwrap();
    assert_eq!(
        session.get::<String>(" t").unwrap().as_deref(),
        Some("no tuple")
    );
    session.insert("other", 1).unwrap();
    assert_eq!(
        document(&manager.cookie_value(&session).unwrap()),
        r#"{" t":"no tuple","other":1}"#
    );
}
