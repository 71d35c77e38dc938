//! Encrypted sessions read nothing else, unless a site that moves says so and until when.

#![cfg(feature = "encrypted")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::time::{Duration, SystemTime};

use axum::{Router, routing::get};
use cloakroom::{
    Clock, ConfigError, KeyRing, Protection, Refresh, Refusal, SecretKey, Session, SessionConfig,
    SessionLayer, SessionManager, Status, store::MemoryStore, testing::Browser,
};
use http::{HeaderMap, HeaderValue, Request, Response};
use support::{
    app::{NOW, header, text},
    now::Now,
};
use tower::ServiceExt;

fn flask_key() -> SecretKey {
    SecretKey::new("the key that the Flask application has").unwrap()
}

fn new_key() -> SecretKey {
    SecretKey::new("the key of the encrypted sessions").unwrap()
}

fn until(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn config(clock: &Clock) -> SessionConfig {
    SessionConfig::native()
        .cookie_name("session")
        .clock(clock.clone())
}

/// What Flask would have set.
fn signed(clock: &Clock) -> String {
    let manager =
        SessionManager::signed(flask_key(), SessionConfig::flask().clock(clock.clone())).unwrap();
    let session = manager.new_session();
    session.insert("username", "alice").unwrap();
    manager.cookie_value(&session).unwrap()
}

#[tokio::test]
async fn an_encrypted_session_goes_round() {
    let routes = Router::new()
        .route(
            "/login",
            get(|session: Session| async move { session.insert("username", "alice") }),
        )
        .route(
            "/",
            get(|session: Session| async move {
                session
                    .get::<String>("username")
                    .unwrap()
                    .unwrap_or_default()
            }),
        )
        .layer(SessionLayer::encrypted(new_key()));
    let mut browser = Browser::new();
    let response = routes
        .clone()
        .oneshot(Request::get("/login").body(String::new()).unwrap())
        .await
        .unwrap();
    browser.store(&response);
    let set = header(&response, "set-cookie");
    assert_eq!(set.len(), 1);
    let (value, attributes) = set[0].split_once("; ").unwrap();
    let value = value.strip_prefix("__Host-session=v1.").unwrap();
    assert_eq!(attributes, "Secure; HttpOnly; Path=/; SameSite=Lax");
    // S49: nothing of the visitor is in it.
    let raw = cloakroom::token::base64::decode(value, cloakroom::token::Leniency::Strict).unwrap();
    assert!(
        !raw.windows(5)
            .any(|window| window == b"alice" || window == b"usern")
    );
    let request = browser.request(Request::get("/").body(String::new()).unwrap());
    let response: Response<_> = routes.oneshot(request).await.unwrap();
    assert!(header(&response, "set-cookie").is_empty());
    assert_eq!(text(response).await, "alice");
}

#[test]
fn s52_cve_2026_39324_what_does_not_decrypt_is_tried_as_nothing_else() {
    let clock = Clock::manual(NOW);
    let manager = SessionManager::encrypted(new_key(), config(&clock)).unwrap();
    assert_eq!(manager.accepts_signed_until(), None);
    // Signed with the very same key, as `signed` writes it and as this one's own neighbour would.
    let same_key = |config: SessionConfig| {
        let signing = SessionManager::signed(new_key(), config.clock(clock.clone())).unwrap();
        let session = signing.new_session();
        session.insert("username", "mallory").unwrap();
        signing.cookie_value(&session).unwrap()
    };
    let plain = r#"{"username":"mallory"}"#;
    let base64 = cloakroom::token::base64::encode(plain);
    for token in [
        same_key(SessionConfig::flask()),
        same_key(SessionConfig::native()),
        signed(&clock),
        plain.to_owned(),
        base64.clone(),
        format!("v1.{base64}"),
        format!("v1.{}", same_key(SessionConfig::flask())),
        "v1.".to_owned(),
        "v1".to_owned(),
    ] {
        let refusal = manager.open_value_now(&token).unwrap_err();
        assert_eq!(refusal, Refusal::BadSignature, "{token}");
        assert_eq!(refusal.code(), "bad_signature");
    }
    // And what is encrypted is nothing to those who sign.
    let encrypted = manager.cookie_value(&manager.new_session()).unwrap();
    let signing = SessionManager::signed(new_key(), SessionConfig::flask()).unwrap();
    assert_eq!(
        signing.open_value_now(&encrypted).unwrap_err(),
        Refusal::BadSignature
    );
}

#[test]
fn s52_signed_cookies_are_accepted_until_the_end_date() {
    let clock = Clock::manual(NOW);
    let end = until(NOW + 3600);
    let keys =
        KeyRing::new(SecretKey::new("a newer key of the Flask app").unwrap()).fallback(flask_key());
    let config = config(&clock).accept_signed(keys, end);
    let manager = SessionManager::encrypted(new_key(), config).unwrap();
    assert_eq!(manager.accepts_signed_until(), Some(end));
    let accepted = || {
        let report = manager.report();
        report.get("Signed cookies are accepted").map(str::to_owned)
    };
    let date = "Tue, 14 Nov 2023 23:13:20 GMT";
    assert_eq!(accepted(), Some(format!("until {date}")));
    let cookie = signed(&clock);

    clock.advance(Duration::from_secs(3599));
    let session = manager.open_value_now(&cookie).unwrap();
    assert_eq!(session.get("username").unwrap(), Some("alice".to_owned()));
    let Status::Loaded {
        signed_at,
        key_index,
        protection,
        ..
    } = session.status()
    else {
        panic!("{:?}", session.status())
    };
    assert_eq!(
        (signed_at, key_index, protection),
        (until(NOW), 1, Protection::Signed)
    );
    // A key that only encrypts signs nothing.
    let forged = SessionManager::signed(new_key(), SessionConfig::flask().clock(clock.clone()));
    let forged = forged.unwrap();
    let forged = forged.cookie_value(&forged.new_session()).unwrap();
    assert_eq!(
        manager.open_value_now(forged).unwrap_err(),
        Refusal::BadSignature
    );
    // What looks encrypted is not tried as a signed one, and an altered signed one not as anything else.
    let mut altered = cookie.clone();
    altered.replace_range(..1, "f");
    for token in [format!("v1.{cookie}"), altered] {
        assert_eq!(
            manager.open_value_now(token).unwrap_err(),
            Refusal::BadSignature
        );
    }

    let rewritten = manager.cookie_value(&session).unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        manager.open_value_now(&cookie).unwrap_err(),
        Refusal::BadSignature
    );
    assert!(manager.open_value_now(rewritten).is_ok());
    assert_eq!(
        accepted(),
        Some(format!("no longer: they were until {date}"))
    );
}

#[test]
fn s67_the_report_tells_what_protects_the_cookie() {
    let config = SessionConfig::native().tenant("acme");
    let manager = SessionManager::encrypted(new_key(), config).unwrap();
    let report = manager.report();
    for (name, value) in [
        ("Sessions live", "in an encrypted cookie"),
        ("Who can read a session", "nobody without a secret key"),
        ("Encryption", "AES-256-GCM-SIV"),
        ("Tenant", "\"acme\""),
        ("Padding", "to blocks of 64 bytes"),
        ("Signed cookies are accepted", "never"),
    ] {
        assert_eq!(report.get(name), Some(value), "{report}");
    }
    assert_eq!(report.get("Signature"), None);
}

#[test]
fn an_end_before_1970_accepts_nothing() {
    let clock = Clock::manual(0);
    let end = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    let config = config(&clock).accept_signed(flask_key(), end);
    let manager = SessionManager::encrypted(new_key(), config).unwrap();
    assert!(manager.open_value_now(signed(&clock)).is_err());
}

#[test]
fn a_session_that_came_signed_leaves_encrypted() {
    let table = [
        // A reader's response has the new cookie at once, unless nothing but changes write.
        (Refresh::After(Duration::from_secs(3600)), false, true),
        (Refresh::EachRequest, false, true),
        (Refresh::OnChange, false, false),
        (Refresh::OnChange, true, true),
        (Refresh::After(Duration::from_secs(3600)), true, true),
    ];
    for (refresh, change, written) in table {
        let clock = Clock::manual(NOW);
        let config = config(&clock)
            .refresh(refresh)
            .accept_signed(flask_key(), until(NOW + 3600));
        let manager = SessionManager::encrypted(new_key(), config).unwrap();
        let mut request = HeaderMap::new();
        let cookie = format!("session={}", signed(&clock));
        request.insert("cookie", HeaderValue::from_str(&cookie).unwrap());

        let session = manager.open_now(&request);
        assert_eq!(session.get("username").unwrap(), Some("alice".to_owned()));
        if change {
            session.insert("visits", 1).unwrap();
        }
        let mut response = HeaderMap::new();
        manager.close_now(&session, &mut response).unwrap();
        let set = response.get("set-cookie").map(|set| set.to_str().unwrap());
        assert_eq!(set.is_some(), written, "{refresh:?} {change}");
        let Some(set) = set else { continue };
        let value = set.split(';').next().unwrap();
        assert!(value.starts_with("session=v1."), "{value}");

        // From then on it is like any other: read without being written.
        request.insert("cookie", HeaderValue::from_str(value).unwrap());
        let session = manager.open_now(&request);
        assert_eq!(session.get("username").unwrap(), Some("alice".to_owned()));
        let mut response = HeaderMap::new();
        manager.close_now(&session, &mut response).unwrap();
        assert!(!response.contains_key("set-cookie"));
    }
}

#[test]
fn settings_that_other_sessions_would_not_heed_are_refused() {
    let unheeded = [
        (SessionConfig::default().tenant("acme"), "tenant"),
        (
            SessionConfig::default().accept_signed(flask_key(), until(NOW)),
            "accept_signed",
        ),
    ];
    for (config, setting) in unheeded {
        let error = SessionManager::signed(new_key(), config.clone()).unwrap_err();
        let ConfigError::Conflict { name, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(name, setting);
        assert!(SessionManager::stored(MemoryStore::new(), config.clone()).is_err());
        assert!(SessionManager::encrypted(new_key(), config).is_ok());
    }
}

#[test]
fn s32_the_native_cookie_is_bound_to_its_host() {
    assert_eq!(
        SessionLayer::encrypted(new_key()).manager().cookie_name(),
        "__Host-session"
    );
    for impossible in [
        SessionConfig::native().secure(false),
        SessionConfig::native().domain("example.com"),
        SessionConfig::native().path("/app"),
    ] {
        assert!(SessionManager::encrypted(new_key(), impossible).is_err());
    }
    for possible in [
        SessionConfig::native().cookie_name("session").secure(false),
        SessionConfig::native()
            .cookie_name("__Secure-session")
            .domain("example.com"),
    ] {
        assert!(SessionManager::encrypted(new_key(), possible).is_ok());
    }
}
