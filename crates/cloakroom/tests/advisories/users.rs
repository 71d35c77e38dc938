//! Logouts and password changes that have to reach every copy of a session.

use std::time::Duration;

use cloakroom::{
    Clock, Error, Layout, Login, SessionConfig, SessionManager, UserSessions,
    store::{MemoryStore, Store},
};

use crate::support::app::{NOW, key};

/// Sessions of each kind, with a list of whose they are that every request asks.
fn managers() -> Vec<SessionManager> {
    let clock = Clock::manual(NOW);
    let list =
        || UserSessions::in_store(MemoryStore::new().clock(clock.clone())).lag(Duration::ZERO);
    let config = || SessionConfig::default().clock(clock.clone());
    let store = || Store::from(MemoryStore::new().clock(clock.clone()));
    let signed = SessionManager::signed(key(), config().user_sessions(list()));
    let stored = SessionManager::stored(store(), config().user_sessions(UserSessions::new()));
    let native = config().layout(Layout::Native);
    let native = SessionManager::stored(store(), native.user_sessions(UserSessions::new()));
    let mut managers = vec![signed.unwrap(), stored.unwrap(), native.unwrap()];
    #[cfg(feature = "encrypted")]
    {
        let native = SessionConfig::native().clock(clock.clone());
        let encrypted = SessionManager::encrypted(key(), native.user_sessions(list()));
        managers.push(encrypted.unwrap());
    }
    managers
}

/// The cookie of a new login.
async fn login(manager: &SessionManager, user: &str) -> String {
    let session = manager.new_session();
    session.login(Login::new(user)).unwrap();
    session.save().await.unwrap();
    manager.cookie_value(&session).unwrap()
}

async fn is_logged_in(manager: &SessionManager, cookie: &str) -> bool {
    match manager.open_value(cookie).await {
        Ok(session) => session.subject().is_some(),
        Err(Error::Refused(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Fails if a logout ends the browser's cookie and not the session.
#[tokio::test]
async fn cve_2024_31999_cve_2026_44511_a_copied_cookie_is_dead_after_the_logout() {
    for manager in managers() {
        let cookie = login(&manager, "alice").await;
        let other = login(&manager, "bob").await;
        let copies = [cookie.clone(), cookie.clone()];
        assert!(is_logged_in(&manager, &cookie).await);
        let session = manager.open_value(&cookie).await.unwrap();
        session.logout();
        let mut headers = http::HeaderMap::new();
        manager.close(&session, &mut headers).await.unwrap();
        for copy in copies {
            assert!(!is_logged_in(&manager, &copy).await);
        }
        assert!(is_logged_in(&manager, &other).await);
    }
}

/// Fails if a password change leaves the other sessions of the user alive, or ends somebody else's.
#[tokio::test]
async fn cve_2023_40273_cve_2021_41268_cve_2024_51996_a_password_change_ends_all_other_sessions() {
    for manager in managers() {
        let mine = login(&manager, "alice").await;
        let mut stolen = Vec::new();
        for _ in 0..3 {
            stolen.push(login(&manager, "alice").await);
        }
        let bobs = login(&manager, "bob").await;
        let session = manager.open_value(&mine).await.unwrap();
        session.end_other_sessions().await.unwrap();
        for cookie in &stolen {
            assert!(!is_logged_in(&manager, cookie).await);
        }
        assert!(is_logged_in(&manager, &mine).await);
        assert!(is_logged_in(&manager, &bobs).await);
    }
}

/// Fails if what a list of devices shows opens a session.
#[tokio::test]
async fn cve_2020_5224_a_list_of_devices_shows_no_credential() {
    for manager in managers() {
        let cookie = login(&manager, "alice").await;
        let session = manager.open_value(&cookie).await.unwrap();
        let listed = session.user_sessions().await.unwrap();
        assert_eq!(listed.len(), 1);
        let shown = format!("{listed:?} {}", listed[0].handle);
        assert!(!shown.contains(&cookie));
        if let Some(key) = manager.store_key(&session) {
            let id = key.rsplit(':').next().unwrap().to_owned();
            assert!(!shown.contains(&id), "{}", id.len());
        }
        let handle = listed[0].handle.to_string();
        for tried in [
            handle.clone(),
            format!("{handle}{handle}"),
            format!("session:{handle}"),
        ] {
            assert!(manager.open_value(&tried).await.is_err());
        }
    }
}

/// Fails if a session that is stolen lives on when its user, or an operator, ends all of the user's.
#[tokio::test]
async fn cve_2026_56750_the_thief_is_out_as_well() {
    for manager in managers() {
        let stolen = login(&manager, "alice").await;
        let thief = manager.open_value(&stolen).await.unwrap();
        manager.end_sessions_of("alice").await.unwrap();
        assert!(!is_logged_in(&manager, &stolen).await);
        // Nor does a request of the thief's that was under way keep it alive.
        thief.insert("note", "still here").unwrap();
        let mut headers = http::HeaderMap::new();
        let _ = manager.close(&thief, &mut headers).await;
        assert!(!is_logged_in(&manager, &stolen).await);
        if let Some(cookie) = headers.get("set-cookie") {
            let cookie = cookie.to_str().unwrap().split([';', '=']).nth(1).unwrap();
            assert!(!is_logged_in(&manager, cookie).await);
        }
    }
}
