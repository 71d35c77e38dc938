//! S67: what an auditor asks for, under the settings in use, without a secret.

use std::time::Duration;

use cloakroom::{
    AssuranceLevel, KeyRing, MaxSessions, Refresh, SecretKey, SessionConfig, SessionManager,
    UserSessions, store::MemoryStore,
};

const KEY: &str = "marked-secret-key-of-the-report";
const OLD_KEY: &str = "marked-older-key-of-the-report";

#[test]
fn s67_the_settings_can_be_shown_as_documentation_without_a_secret() {
    let keys = || {
        let key = |text| SecretKey::checked(text).unwrap();
        KeyRing::new(key(KEY)).fallback(key(OLD_KEY))
    };
    let config = SessionConfig::default()
        .cookie_name("__Host-session")
        .assurance(AssuranceLevel::Aal2)
        .refresh(Refresh::OnChange)
        .leeway(Duration::from_secs(2));
    let limited =
        UserSessions::in_store(MemoryStore::new()).max_sessions(MaxSessions::EndOldest(3));
    let listed = SessionManager::signed(keys(), config.clone().user_sessions(limited)).unwrap();
    let listed = listed.report();
    let (users, logout) = ("Sessions of a user", "After a logout");
    let [users, logout] = [users, logout].map(|name| listed.get(name).unwrap());
    assert_eq!(users, "listed; beyond 3 the oldest ends");
    assert_eq!(logout, "a copy of the cookie is refused after 1 second");
    let signed = SessionManager::signed(keys(), config.clone()).unwrap();
    let report = signed.report();
    for (name, value) in [
        ("Sessions live", "in a signed cookie"),
        ("Cookie", "__Host-session"),
        (
            "Cookie attributes",
            "Secure; HttpOnly; Path=/; SameSite=Lax",
        ),
        ("Idle lifetime", "1 hour"),
        ("Absolute lifetime", "1 day"),
        ("Renewal", "only with a change"),
        ("Clocks may differ by", "2 seconds"),
        ("Sessions of a user", "not kept track of"),
        (
            "After a logout",
            "a copy of the cookie is good until it expires",
        ),
        ("Signature", "HMAC, Sha1"),
    ] {
        assert_eq!(report.get(name), Some(value), "{report}");
    }
    let store = MemoryStore::new();
    let config = config
        .sign_ids(keys())
        .tombstone(Duration::from_secs(60 * 30))
        .id_length(24);
    let stored = SessionManager::stored(store, config).unwrap().report();
    for (name, value) in [
        ("Sessions live", "in a store (memory)"),
        (
            "After a logout",
            "the id is dead, and no request under way revives it for 30 minutes",
        ),
        ("Random bits of an id", "192"),
        ("Ids are signed", "yes"),
        ("Keys of entries begin with", "session:"),
    ] {
        assert_eq!(stored.get(name), Some(value), "{stored}");
    }
    for report in [report, stored] {
        let text = format!("{report}{report:?}");
        assert_eq!(report.to_string().lines().count(), report.lines().count());
        assert!(!text.contains("marked"), "{text}");
    }
}
