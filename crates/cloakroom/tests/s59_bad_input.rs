//! S05, S43, S50, S59, S60 and P9: whatever a cookie holds, the answer is an empty session with a
//! reason, never a panic and never a 500.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::time::Duration;
use support::now::Now;

use axum::{Router, routing::get};
use cloakroom::token::{
    payload::{self, Compression},
    signed::{SignerOptions, TimestampSigner},
};
use cloakroom::{
    Clock, KeyRing, Refusal, SecretKey, Session, SessionConfig, SessionManager, Status,
};
use http::{HeaderMap, HeaderValue, StatusCode, header::COOKIE};
use proptest::prelude::*;
use support::app::{App, NOW, header, key};

fn manager() -> SessionManager {
    SessionManager::signed(key(), SessionConfig::default().clock(Clock::manual(NOW))).unwrap()
}

fn signer() -> TimestampSigner {
    TimestampSigner::with_options(key(), "cookie-session", &SignerOptions::flask())
}

/// A cookie with a good signature around whatever is given.
fn signed(value: &[u8], now: u64) -> Vec<u8> {
    signer().sign_at(value, now)
}

fn signed_json(json: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    payload::encode_into(&mut value, json, Compression::Auto);
    signed(&value, NOW)
}

fn refusal(cookie: &[u8]) -> Refusal {
    manager().open_value_now(cookie).unwrap_err()
}

#[test]
fn s59_every_refusal_has_its_reason() {
    let good = signed_json(b"{\"a\":1}");
    assert!(manager().open_value_now(&good).is_ok());
    let other = TimestampSigner::with_options(
        SecretKey::generate().unwrap(),
        "cookie-session",
        &SignerOptions::flask(),
    );
    let salted = TimestampSigner::with_options(key(), "another purpose", &SignerOptions::flask());
    let untimed = cloakroom::token::signed::Signer::with_options(
        key(),
        "cookie-session",
        &SignerOptions::flask(),
    );
    let far = "9".repeat(5000);
    let table: Vec<(&str, Vec<u8>, Refusal)> = vec![
        ("text", b"nonsense".to_vec(), Refusal::BadSignature),
        ("dots", b"....".to_vec(), Refusal::BadSignature),
        (
            "wrong key",
            other.sign_at("e30", NOW),
            Refusal::BadSignature,
        ),
        (
            "S54: wrong purpose",
            salted.sign_at("e30", NOW),
            Refusal::BadSignature,
        ),
        (
            "cut",
            good[..good.len() - 1].to_vec(),
            Refusal::BadSignature,
        ),
        (
            "lower case",
            good.to_ascii_lowercase(),
            Refusal::BadSignature,
        ),
        (
            "not UTF-8",
            vec![0xff, 0xfe, b'.', b'x', b'.', b'y'],
            Refusal::BadSignature,
        ),
        ("NUL", b"\0.\0.\0".to_vec(), Refusal::BadSignature),
        ("a megabyte", vec![b'a'; 1 << 20], Refusal::BadSignature),
        (
            "a megabyte of dots",
            vec![b'.'; 1 << 20],
            Refusal::BadSignature,
        ),
        ("no time", untimed.sign("e30"), Refusal::BadTimestamp),
        (
            "a time that is no base64",
            untimed.sign("e30.!!!!"),
            Refusal::BadTimestamp,
        ),
        (
            "a time too long",
            untimed.sign("e30.AAAAAAAAAAAAAAAA"),
            Refusal::BadTimestamp,
        ),
        (
            "expired",
            signed(b"e30", NOW - 31 * 86400 - 1),
            Refusal::Expired,
        ),
        (
            "from the future",
            signed(b"e30", NOW + 6),
            Refusal::FromTheFuture,
        ),
        (
            "a year beyond all",
            signed(b"e30", u64::MAX),
            Refusal::BadTimestamp,
        ),
        ("no base64", signed(b"e3\xff", NOW), Refusal::BadPayload),
        ("an odd letter", signed(b"e30A0", NOW), Refusal::BadPayload),
        ("no JSON", signed_json(b"{"), Refusal::BadPayload),
        ("nothing", signed(b"", NOW), Refusal::BadPayload),
        ("no dictionary", signed_json(b"42"), Refusal::BadPayload),
        ("numbers", signed_json(b"[1,2]"), Refusal::BadPayload),
        (
            "numbers as keys",
            signed_json(b"[[1,2]]"),
            Refusal::BadPayload,
        ),
        (
            "a bad tag",
            signed_json(b"{\"a\":{\" u\":\"no uuid\"}}"),
            Refusal::BadPayload,
        ),
        (
            "a bad tag deep down",
            signed_json(b"{\"a\":[{\"b\":{\" b\":\"x\"}}]}"),
            Refusal::BadPayload,
        ),
        (
            "not UTF-8 inside",
            signed_json(b"{\"a\":\"\xff\"}"),
            Refusal::BadPayload,
        ),
        (
            "a NUL inside",
            signed_json(b"{\"a\":\"\0\"}"),
            Refusal::BadPayload,
        ),
        (
            "too many digits",
            signed_json(format!("{{\"a\":{far}}}").as_bytes()),
            Refusal::BadPayload,
        ),
        ("no zlib", signed(b".e30", NOW), Refusal::BadPayload),
        (
            "deep",
            signed_json(format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200)).as_bytes()),
            Refusal::TooDeep,
        ),
        (
            "deep and never closed",
            signed_json("[".repeat(100_000).as_bytes()),
            Refusal::TooDeep,
        ),
        (
            "a bomb",
            signed_json(format!("{{\"a\":\"{}\"}}", "a".repeat(2 << 20)).as_bytes()),
            Refusal::TooLarge,
        ),
    ];
    for (name, cookie, expected) in table {
        assert_eq!(refusal(&cookie), expected, "{name}");
    }
    // The edges that are good.
    let manager = manager();
    for cookie in [
        signed(b"e30", NOW + 5),
        signed(b"e30", NOW - 31 * 86400),
        signed_json(b"null"),
    ] {
        assert!(manager.open_value_now(cookie).unwrap().is_empty());
    }
    let long = format!("{{\"a\":{}}}", "9".repeat(4300));
    assert!(manager.open_value_now(signed_json(long.as_bytes())).is_ok());
}

#[test]
fn s59_a_bomb_is_stopped_before_it_is_inflated() {
    // A gigabyte of zeros in a megabyte of cookie would take seconds and memory; this takes neither.
    let mut stream = flate2_bomb(1 << 30);
    stream.insert(0, b'.');
    let cookie = signed(&stream, NOW);
    assert_eq!(refusal(&cookie), Refusal::TooLarge);
    let generous = SessionConfig::default()
        .clock(Clock::manual(NOW))
        .max_inflated_size(10);
    let generous = SessionManager::signed(key(), generous).unwrap();
    assert_eq!(
        generous
            .open_value_now(signed_json(b"{\"a\":123456}"))
            .unwrap_err(),
        Refusal::TooLarge
    );
    assert!(generous.open_value_now(signed_json(b"{\"a\":1}")).is_ok());
}

/// Base64 of a zlib stream of so many zeros.
fn flate2_bomb(size: usize) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let chunk = vec![0; 1 << 20];
    (0..size / chunk.len()).for_each(|_| encoder.write_all(&chunk).unwrap());
    cloakroom::token::base64::encode(encoder.finish().unwrap()).into_bytes()
}

async fn show(session: Session) -> String {
    match session.status() {
        Status::Refused(refusal) => format!("{} {}", refusal.code(), session.len()),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn p9_bad_cookies_are_an_empty_session_with_a_reason_and_stay_in_the_browser() {
    let mut app = App::new(
        Router::new().route("/", get(show)).route(
            "/out",
            get(|session: Session| async move { session.clear() }),
        ),
        SessionConfig::default(),
    );
    for (cookie, shown) in [
        (b"x.y.z".to_vec(), "bad_signature 0"),
        (signed(b"e30", NOW - 31 * 86400 - 1), "expired 0"),
        (signed(b"e30", NOW + 60), "from_the_future 0"),
        (signed_json(b"["), "bad_payload 0"),
    ] {
        app.browser
            .set_cookie("session", String::from_utf8(cookie).unwrap());
        let response = app.get("/").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(
            header(&response, "set-cookie").is_empty(),
            "T10: another server may still take it"
        );
        assert_eq!(app.get_text("/").await, shown);
    }
    // Who says so explicitly gets rid of it.
    assert_eq!(header(&app.get("/out").await, "set-cookie").len(), 1);
    assert_eq!(app.browser.cookie("session"), None);
}

#[test]
fn s42_s43_all_cookies_of_the_name_are_tried_up_to_eight() {
    let manager = manager();
    let good = String::from_utf8(signed_json(b"{\"a\":1}")).unwrap();
    let open = |headers: &[String]| {
        let headers = headers
            .iter()
            .map(|text| (COOKIE, HeaderValue::from_str(text).unwrap()))
            .collect::<HeaderMap>();
        manager.open_now(&headers)
    };
    let bad = "session=old.one.here";
    assert_eq!(open(&[format!("{bad}; session={good}")]).len(), 1, "T9");
    assert_eq!(
        open(&[bad.into(), format!("session={good}")]).len(),
        1,
        "several headers"
    );
    assert_eq!(
        open(&[format!("{}session={good}", format!("{bad}; ").repeat(7))]).len(),
        1,
        "the eighth"
    );
    let ninth = open(&[format!("{}session={good}", format!("{bad}; ").repeat(8))]);
    assert_eq!(
        (ninth.len(), ninth.status()),
        (0, Status::Refused(Refusal::BadSignature)),
        "the ninth"
    );
    assert_eq!(
        open(&[format!("session=; session={good}")]).len(),
        1,
        "an empty one is none"
    );
    assert_eq!(open(&["session=".into()]).status(), Status::New);
    // S35: a cookie without a name is not ours, and S33: neither is one of another spelling.
    for other in [
        "={good}",
        "Session={good}",
        "%73ession={good}",
        "xsession={good}",
        "session.x={good}",
        "session[]={good}",
    ] {
        assert_eq!(
            open(&[other.replace("{good}", &good)]).status(),
            Status::New,
            "{other}"
        );
    }
    // Quoted, as Werkzeug reads it.
    assert_eq!(open(&[format!("session=\"{good}\"")]).len(), 1);
    // The reason that came furthest is the one that is told.
    let expired = String::from_utf8(signed(b"e30", 1)).unwrap();
    assert_eq!(
        open(&[format!("{bad}; session={expired}; {bad}")]).status(),
        Status::Refused(Refusal::Expired)
    );
}

#[test]
fn s60_ten_thousand_cookies_are_read_once() {
    let manager = manager();
    let crowd = (0..10_000)
        .map(|n| format!("c{n}=\"x{n}\"; session=bad{n}.x.y"))
        .collect::<Vec<_>>()
        .join("; ");
    let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&crowd).unwrap())]);
    let session = manager.open_now(&headers);
    assert_eq!(session.status(), Status::Refused(Refusal::BadSignature));
}

#[test]
fn s55_the_signing_key_signs_and_fallbacks_only_verify() {
    let (new, old, older) = (
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
    );
    let config = || SessionConfig::default().clock(Clock::manual(NOW));
    let of = |keys: KeyRing| SessionManager::signed(keys, config()).unwrap();
    // As SECRET_KEY_FALLBACKS lists them: the oldest first.
    let ring = of(KeyRing::new(new.clone())
        .fallback(older.clone())
        .fallback(old.clone()));
    let session = ring.new_session();
    session.insert("a", 1).unwrap();
    let cookie = ring.cookie_value(&session).unwrap();
    for (index, key) in [new, old, older].into_iter().enumerate() {
        let alone = of(KeyRing::new(key));
        assert_eq!(
            alone.open_value_now(&cookie).is_ok(),
            index == 0,
            "only the signing key signs"
        );
        let status = ring
            .open_value_now(alone.cookie_value(&session).unwrap())
            .unwrap()
            .status();
        let Status::Loaded { key_index, .. } = status else {
            panic!("{status:?}")
        };
        assert_eq!(key_index, index, "the newest key is tried first");
    }
    assert!(
        of(KeyRing::new(SecretKey::generate().unwrap()))
            .open_value_now(cookie)
            .is_err()
    );
}

#[test]
fn the_legacy_epoch_reads_cookies_of_old_itsdangerous() {
    let legacy = signed(b"e30", NOW - 1_293_840_000);
    assert_eq!(refusal(&legacy), Refusal::Expired);
    let config = SessionConfig::default()
        .clock(Clock::manual(NOW))
        .legacy_epoch(true)
        .lifetime(Duration::from_secs(10));
    assert!(
        SessionManager::signed(key(), config)
            .unwrap()
            .open_value_now(legacy)
            .is_ok()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn s59_arbitrary_cookies_never_panic(bytes in any::<Vec<u8>>(), text in "[A-Za-z0-9._-]{0,80}") {
        let manager = manager();
        prop_assert!(manager.open_value_now(&bytes).is_err());
        prop_assert!(manager.open_value_now(&text).is_err());
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            manager.open_now(&HeaderMap::from_iter([(COOKIE, value)]));
        }
    }

    #[test]
    fn s59_arbitrary_signed_documents_never_panic(
        json in "[\\[\\]{}\",:0-9eE.+\\- atnfu\\\\]{0,60}",
        tag in "(\\{\"a\":\\{\" (t|b|m|u|d|di)\":(\"[A-Za-z0-9 ,:=+/-]{0,24}\"|[0-9]{1,3}|null|\\[1\\]|\\{\"b\":1\\}|\\{\" t\":\\[\\]\\})\\}\\})",
        bytes in any::<Vec<u8>>(),
    ) {
        let manager = manager();
        for document in [json.as_bytes(), tag.as_bytes(), &bytes] {
            if let Ok(session) = manager.open_value_now(signed_json(document)) {
                // What opens can be used in every way.
                let before = session.snapshot();
                session.insert("key", 1).unwrap();
                session.to_tagged_json();
                let again = manager.open_value_now(manager.cookie_value(&session).unwrap()).unwrap();
                prop_assert_eq!(again.len(), before.len() + usize::from(!before.contains_key("key")));
            }
            let _ = manager.open_value_now(signed(document, NOW));
        }
    }
}
