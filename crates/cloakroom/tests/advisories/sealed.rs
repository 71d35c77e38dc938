//! Encrypted sessions: what is altered, cut, mixed or meant for somebody else does not open.
#![cfg(feature = "encrypted")]

use std::collections::HashSet;

use cloakroom::{
    Clock, KeyRing, SecretKey, SessionConfig, SessionManager,
    token::{
        Leniency, base64,
        encrypted::{Purpose, Sealer},
    },
};

use crate::support::{
    app::{NOW, key},
    now::Now,
};

fn config() -> SessionConfig {
    SessionConfig::native().clock(Clock::manual(NOW))
}

fn encrypted(config: SessionConfig) -> SessionManager {
    SessionManager::encrypted(key(), config).unwrap()
}

fn cookie(manager: &SessionManager, user: &str) -> String {
    let session = manager.new_session();
    session.insert("user", user).unwrap();
    let cookie = manager.cookie_value(&session).unwrap();
    assert!(manager.open_value_now(&cookie).is_ok());
    cookie
}

/// Fails if the tag is computed over anything but all of the token, or if what it says is not heeded.
#[test]
fn cve_2026_40372_no_bit_of_an_encrypted_cookie_can_change_under_any_key() {
    let old = SecretKey::new("the key of before, which only opens now").unwrap();
    let before = SessionManager::encrypted(old.clone(), config()).unwrap();
    let ring = KeyRing::new(key()).fallback(old);
    let manager = SessionManager::encrypted(ring, config()).unwrap();
    for good in [cookie(&manager, "alice"), cookie(&before, "alice")] {
        assert!(manager.open_value_now(&good).is_ok());
        let mut tried = HashSet::new();
        for place in 0..good.len() {
            for bit in 0..8 {
                let mut altered = good.clone().into_bytes();
                altered[place] ^= 1 << bit;
                assert!(manager.open_value_now(&altered).is_err(), "{place}, {bit}");
                tried.insert(altered);
            }
            assert!(manager.open_value_now(&good[..place]).is_err());
        }
        assert_eq!(tried.len(), good.len() * 8);
        for extra in ["A", "=", ".", "AAAA"] {
            assert!(manager.open_value_now(format!("{good}{extra}")).is_err());
            assert!(manager.open_value_now(format!("{extra}{good}")).is_err());
        }
    }
    // Everything that was ever issued ends with its key.
    let next = SecretKey::new("the key of afterwards, a new one").unwrap();
    let next = SessionManager::encrypted(next, config()).unwrap();
    assert!(next.open_value_now(cookie(&manager, "alice")).is_err());
}

/// Fails if name and tenant are put together without their lengths.
#[test]
fn cve_2026_6873_cve_2019_10911_names_that_meet_make_no_common_key() {
    let managers: Vec<SessionManager> = [
        ("a", Some("bc")),
        ("ab", Some("c")),
        ("abc", Some("")),
        ("abc", None),
        ("a", Some("b|c")),
        ("ab.c", None),
    ]
    .into_iter()
    .map(|(name, tenant)| {
        let mut config = config().cookie_name(name);
        if let Some(tenant) = tenant {
            config = config.tenant(tenant);
        }
        encrypted(config)
    })
    .collect();
    for (one, maker) in managers.iter().enumerate() {
        let cookie = cookie(maker, "alice");
        for (other, reader) in managers.iter().enumerate() {
            let opens = reader.open_value_now(&cookie).is_ok();
            assert_eq!(opens, one == other, "{one} opens at {other}");
        }
    }
}

/// Fails if the tenant is not part of the key.
#[test]
fn cve_2021_41263_tenants_do_not_share_sessions() {
    let tenants = ["north", "south", "North", "north "];
    let managers = tenants.map(|tenant| encrypted(config().tenant(tenant)));
    for (one, maker) in managers.iter().enumerate() {
        let cookie = cookie(maker, "admin");
        for (other, reader) in managers.iter().enumerate() {
            let opens = reader.open_value_now(&cookie).is_ok();
            assert_eq!(
                opens,
                one == other,
                "{} at {}",
                tenants[one],
                tenants[other]
            );
        }
    }
}

/// Fails if the cookie's name is not part of the key: a visitor could hand one cookie's content in as another's.
#[test]
fn laravel_2020_07_27_a_cookie_of_another_name_is_no_session() {
    let key_of_site = key();
    let other = SessionManager::encrypted(key_of_site, config().cookie_name("remember")).unwrap();
    let session = encrypted(config().cookie_name("__Host-session"));
    let chosen = cookie(&other, "admin");
    assert!(session.open_value_now(&chosen).is_err());
    // Nor is something sealed for another purpose under the same key.
    for purpose in ["session", "__Host-session", "cookie", "password-reset", ""] {
        let sealer = Sealer::new(key(), &Purpose::new(purpose));
        let token = sealer
            .seal_at(br#"{"user":"admin"}"#, NOW, NOW + 3600)
            .unwrap();
        assert!(session.open_value_now(&token).is_err(), "{purpose}");
    }
}

/// Fails if equal blocks, or equal sessions, can be told by what they are sealed to.
#[test]
fn cve_2012_3458_equal_content_does_not_look_equal() {
    let manager = encrypted(config());
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let cookie = cookie(&manager, &"sixteen letters.".repeat(40));
        let parts = cookie.split('.').max_by_key(|part| part.len()).unwrap();
        let bytes = base64::decode(parts, Leniency::Strict).unwrap();
        assert!(bytes.len() > 600);
        for block in bytes.chunks_exact(16).skip(1) {
            assert!(seen.insert(block.to_vec()), "a block twice");
        }
    }
}
