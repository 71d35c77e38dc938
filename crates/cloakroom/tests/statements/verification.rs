//! S50, S58 and S60: the signature comes first, time is under it, and no number in a cookie sizes anything.

use std::time::Duration;

use cloakroom::{
    Clock, Refusal, SessionConfig, SessionManager,
    token::{
        payload::{self, Compression},
        signed::{SignerOptions, TimestampSigner},
    },
};

use crate::support::{
    app::{NOW, key},
    now::Now,
};

fn manager() -> SessionManager {
    SessionManager::signed(key(), SessionConfig::default().clock(Clock::manual(NOW))).unwrap()
}

fn signer() -> TimestampSigner {
    TimestampSigner::with_options(key(), "cookie-session", &SignerOptions::flask())
}

/// Payloads that are refused each for a reason of its own, once somebody looks at them.
fn bad_payloads() -> Vec<Vec<u8>> {
    let mut deep = Vec::new();
    let nested = [vec![b'['; 5000], vec![b']'; 5000]].concat();
    payload::encode_into(&mut deep, &nested, Compression::Never);
    let mut large = b".".to_vec();
    let mut text = Vec::new();
    payload::encode_into(&mut text, &vec![b'a'; 8 << 20], Compression::Auto);
    large.extend(text.iter().filter(|byte| **byte != b'.'));
    let mut list = Vec::new();
    payload::encode_into(&mut list, b"[1,2]", Compression::Never);
    vec![
        b"!!!".to_vec(),
        b".AAAA".to_vec(),
        b"/w".to_vec(),
        deep,
        large,
        list,
    ]
}

/// With a good signature each payload is refused for what it is; with a bad one nobody has looked at it.
#[test]
fn s50_nothing_is_decoded_before_the_signature_is_verified() {
    let manager = manager();
    let mut reasons = Vec::new();
    for value in bad_payloads() {
        let good = signer().sign_at(&value, NOW);
        let reason = manager.open_value_now(&good).unwrap_err();
        assert_ne!(reason, Refusal::BadSignature);
        reasons.push(reason);
        let mut bad = good.clone();
        let last = bad.len() - 1;
        bad[last] = if bad[last] == b'A' { b'Q' } else { b'A' };
        let used = allocation_counter::measure(|| {
            assert_eq!(
                manager.open_value_now(&bad).unwrap_err(),
                Refusal::BadSignature
            );
        });
        // Neither inflated nor decoded: at most a copy of what came.
        let most = bad.len() as u64 + 1024;
        assert!(used.bytes_max < most, "{} bytes", used.bytes_max);
    }
    for reason in [Refusal::BadPayload, Refusal::TooDeep, Refusal::TooLarge] {
        assert!(reasons.contains(&reason), "{reasons:?}");
    }
}

/// The time comes before the payload as well: an old cookie is refused for its age, whatever it holds.
#[test]
fn s50_s58_an_expired_cookie_is_refused_before_its_payload_is_looked_at() {
    let manager = manager();
    for value in bad_payloads() {
        let old = signer().sign_at(&value, NOW - 40 * 86400);
        assert_eq!(manager.open_value_now(old).unwrap_err(), Refusal::Expired);
    }
}

/// No part of the time can be changed, and nothing that the browser sends besides says how old a cookie is.
#[test]
fn s58_the_expiry_is_under_the_signature() {
    let clock = Clock::manual(NOW);
    let config = SessionConfig::default()
        .lifetime(Duration::from_secs(60))
        .clock(clock.clone());
    let manager = SessionManager::signed(key(), config).unwrap();
    let session = manager.new_session();
    session.insert("user", "alice").unwrap();
    let cookie = manager.cookie_value(&session).unwrap();
    clock.advance(Duration::from_secs(61));
    assert_eq!(
        manager.open_value_now(&cookie).unwrap_err(),
        Refusal::Expired
    );
    let [value, time, signature] = &cookie.split('.').collect::<Vec<_>>()[..] else {
        panic!("{cookie}");
    };
    for place in 0..time.len() {
        for other in b'A'..=b'z' {
            let mut time = time.as_bytes().to_vec();
            if time[place] == other {
                continue;
            }
            time[place] = other;
            let moved = [value.as_bytes(), &time, signature.as_bytes()].join(&b'.');
            let refusal = manager.open_value_now(moved).unwrap_err();
            assert_eq!(refusal, Refusal::BadSignature);
        }
    }
    let mut headers = http::HeaderMap::new();
    let claims = format!("$Version=1; session={cookie}; $Max-Age=99999; expires=never");
    headers.insert("cookie", claims.parse().unwrap());
    assert!(manager.open_now(&headers).is_empty());
}
