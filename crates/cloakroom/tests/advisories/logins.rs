//! What a session says of its user: kept whole, and worth nothing when it is not.

use std::time::Duration;

use cloakroom::{
    Layout, Login, PendingUser, SessionConfig, SessionManager, User, format::Serialization,
    store::MemoryStore,
};

use crate::support::app::key;

fn managers() -> Vec<SessionManager> {
    let formats = [
        Serialization::MessagePack,
        Serialization::Json,
        Serialization::Pickle,
    ];
    let mut managers: Vec<_> = formats
        .into_iter()
        .map(|format| SessionConfig::default().serialization(format))
        .map(|config| SessionManager::stored(MemoryStore::new(), config).unwrap())
        .collect();
    let native = SessionConfig::default().layout(Layout::Native);
    managers.push(SessionManager::stored(MemoryStore::new(), native).unwrap());
    managers.push(SessionManager::signed(key(), SessionConfig::default()).unwrap());
    #[cfg(feature = "encrypted")]
    {
        managers.push(SessionManager::encrypted(key(), SessionConfig::native()).unwrap());
        let sealed = SessionConfig::default().layout(Layout::Sealed);
        managers.push(SessionManager::stored(MemoryStore::new(), sealed).unwrap());
    }
    managers
}

/// Fails if a format loses who has logged in, how and when, or if half a login comes back as a whole one.
#[tokio::test]
async fn cve_2026_47841_what_is_known_of_a_login_survives_every_layout() {
    for manager in managers() {
        let session = manager.new_session();
        session.login(Login::new("alice").level(2)).unwrap();
        session.save().await.unwrap();
        let cookie = manager.cookie_value(&session).unwrap();
        let again = manager.open_value(&cookie).await.unwrap();
        assert_eq!(again.subject().as_deref(), Some("alice"));
        assert_eq!(again.auth_level(), Some(2));
        assert_eq!(again.authenticated_at(), session.authenticated_at());
        assert!(again.authenticated_within(Duration::from_secs(60)));
        assert!(User::of(again.clone()).is_ok() && PendingUser::of(again).is_err());

        let session = manager.new_session();
        session.begin_login("alice").unwrap();
        session.save().await.unwrap();
        let cookie = manager.cookie_value(&session).unwrap();
        let again = manager.open_value(&cookie).await.unwrap();
        assert_eq!(again.subject(), None);
        assert!(!again.authenticated_within(Duration::from_secs(60)));
        assert!(User::of(again.clone()).is_err() && PendingUser::of(again).is_ok());
    }
}

/// Fails if an entry of the wrong type counts as there.
#[tokio::test]
async fn cve_2026_47841_what_cannot_be_understood_is_denied() {
    for manager in managers() {
        let session = manager.new_session();
        session.insert("_user_id", vec!["alice"]).unwrap();
        session.insert("_fresh", true).unwrap();
        session.insert("_auth_time", "yesterday").unwrap();
        session.insert("_auth_level", "high").unwrap();
        session.insert("_pending_user_id", 7).unwrap();
        session.save().await.unwrap();
        let cookie = manager.cookie_value(&session).unwrap();
        let again = manager.open_value(&cookie).await.unwrap();
        assert_eq!((again.subject(), again.auth_level()), (None, None));
        assert_eq!(again.authenticated_at(), None);
        assert!(!again.authenticated_within(Duration::MAX));
        assert!(User::of(again.clone()).is_err() && PendingUser::of(again).is_err());
    }
}

/// Fails if the cookie's name is not part of the key in the store.
#[tokio::test]
async fn cve_2022_46170_two_cookies_in_one_store_never_meet() {
    let store = cloakroom::store::Store::from(MemoryStore::new());
    let named = |name: &str| {
        let config = SessionConfig::default()
            .layout(Layout::Native)
            .cookie_name(name.to_owned());
        SessionManager::stored(store.clone(), config).unwrap()
    };
    let (shop, office) = (named("shop"), named("office"));
    let session = shop.new_session();
    session.insert("admin", true).unwrap();
    session.save().await.unwrap();
    let cookie = shop.cookie_value(&session).unwrap();
    assert!(shop.open_value(&cookie).await.is_ok());
    assert!(office.open_value(&cookie).await.is_err());
    assert_ne!(shop.store_key(&session), None);
}
