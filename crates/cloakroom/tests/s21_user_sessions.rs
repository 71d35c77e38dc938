//! A user's sessions can be listed, and ended from elsewhere, wherever they are kept.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail loudly"
)]

#[path = "support/faulty.rs"]
mod faulty;
#[path = "support/stores.rs"]
mod stores;

use std::time::Duration;

use cloakroom::{
    Clock, Error, Layout, Login, MaxSessions, OutagePolicy, Refusal, SecretKey, Session,
    SessionConfig, SessionManager, Status, UserSessions,
    store::{MemoryStore, Store},
    testing::Browser,
};
use faulty::{ALL, Fault, Faulty};

const KEY: &str = "a key of this test alone";

/// Two servers of one site, for each way of keeping sessions: what one ends, the other has to know.
fn sites(
    store: &Store,
    layout: Layout,
    clock: &Clock,
    sessions: &UserSessions,
) -> Vec<[SessionManager; 2]> {
    let config = SessionConfig::default().clock(clock.clone());
    // The kinds share a store, and must not share users.
    let prefix = |kind: &str| format!("{kind}{}:", servers::unique("site"));
    let (signed, encrypted, stored) = (prefix("signed"), prefix("encrypted"), prefix("stored"));
    let key = || SecretKey::new(KEY).unwrap();
    let listed = |prefix: &str| {
        let list = sessions.clone().kept_in(store.clone());
        config.clone().key_prefix(prefix).user_sessions(list)
    };
    let twice = |open: &dyn Fn() -> SessionManager| [open(), open()];
    vec![
        twice(&|| SessionManager::signed(key(), listed(&signed)).unwrap()),
        twice(&|| SessionManager::encrypted(key(), listed(&encrypted)).unwrap()),
        twice(&|| {
            let config = config
                .clone()
                .layout(layout)
                .key_prefix(&stored)
                .user_sessions(sessions.clone());
            SessionManager::stored(store.clone(), config).unwrap()
        }),
    ]
}

async fn open(manager: &SessionManager, browser: &Browser) -> Result<Session, Error> {
    let mut request = browser.request(http::Request::new(()));
    let agent = "Mozilla/5.0 (test)".parse().unwrap();
    request.headers_mut().insert("user-agent", agent);
    manager.open(request.headers()).await
}

async fn close(manager: &SessionManager, session: &Session, browser: &mut Browser) {
    let mut response = http::Response::new(());
    manager
        .close(session, response.headers_mut())
        .await
        .unwrap();
    browser.store(&response);
}

async fn login(manager: &SessionManager, browser: &mut Browser, login: impl Into<Login>) {
    let session = open(manager, browser).await.unwrap();
    session.login(login).unwrap();
    close(manager, &session, browser).await;
}

async fn logged_in(name: &str, manager: &SessionManager) -> Browser {
    let mut browser = Browser::new();
    login(manager, &mut browser, name).await;
    browser
}

async fn who(manager: &SessionManager, browser: &Browser) -> Option<String> {
    open(manager, browser).await.unwrap().subject()
}

fn users() -> UserSessions {
    UserSessions::new().lag(Duration::ZERO)
}

stores::each_store_and_layout!(
    s19_a_logout_ends_every_copy_of_the_cookie,
    s21_all_sessions_of_a_user_end_in_one_call,
    s22_all_others_end_and_this_one_stays,
    s23_a_list_of_devices_says_what_they_are_and_lets_nobody_in,
    s24_a_user_has_no_more_sessions_than_allowed,
);

/// Katalyst-koi's CVE-2026-44511 and fastify's CVE-2024-31999: a copied cookie outlived the logout.
async fn s19_a_logout_ends_every_copy_of_the_cookie(store: Store, layout: Layout) {
    for [here, there] in sites(&store, layout, &Clock::system(), &users()) {
        let mut browser = logged_in("alice", &here).await;
        let copy = browser.clone();
        assert_eq!(who(&there, &copy).await.as_deref(), Some("alice"));
        let session = open(&here, &browser).await.unwrap();
        session.logout();
        close(&here, &session, &mut browser).await;
        for server in [&here, &there] {
            let session = open(server, &copy).await.unwrap();
            assert_eq!(session.subject(), None);
            assert!(matches!(session.status(), Status::Refused(_)));
        }
        assert_eq!(here.sessions_of("alice").await.unwrap(), []);
    }
}

async fn s21_all_sessions_of_a_user_end_in_one_call(store: Store, layout: Layout) {
    for [here, there] in sites(&store, layout, &Clock::system(), &users()) {
        let mut alices = Vec::new();
        for _ in 0..3 {
            alices.push(logged_in("alice", &here).await);
        }
        let bob = logged_in("bob", &here).await;
        // A request that is under way, and changes something when all is over.
        let late = open(&here, &alices[0]).await.unwrap();
        assert_eq!(there.end_sessions_of("alice").await.unwrap(), 3);
        late.insert("late", 1).unwrap();
        let mut response = http::Response::new(());
        here.close(&late, response.headers_mut()).await.unwrap();
        alices[0].store(&response);
        for browser in &alices {
            assert_eq!(who(&here, browser).await, None);
            assert_eq!(who(&there, browser).await, None);
        }
        assert_eq!(who(&here, &bob).await.as_deref(), Some("bob"));
        assert_eq!(there.end_sessions_of("alice").await.unwrap(), 0);
        // A new login is a new login.
        let again = logged_in("alice", &here).await;
        assert_eq!(who(&there, &again).await.as_deref(), Some("alice"));
    }
}

/// Airflow's CVE-2023-40273: a new password left the old sessions alone.
async fn s22_all_others_end_and_this_one_stays(store: Store, layout: Layout) {
    for [here, there] in sites(&store, layout, &Clock::system(), &users()) {
        let this = logged_in("alice", &here).await;
        let others = [
            logged_in("alice", &here).await,
            logged_in("alice", &there).await,
        ];
        let session = open(&here, &this).await.unwrap();
        assert_eq!(session.end_other_sessions().await.unwrap(), 2);
        for server in [&here, &there] {
            assert_eq!(who(server, &this).await.as_deref(), Some("alice"));
            for other in &others {
                assert_eq!(who(server, other).await, None);
            }
        }
    }
}

/// Django-user-sessions' CVE-2020-5224: the list of devices held the session keys.
async fn s23_a_list_of_devices_says_what_they_are_and_lets_nobody_in(store: Store, layout: Layout) {
    for [here, there] in sites(&store, layout, &Clock::system(), &users()) {
        let first = logged_in("alice", &here).await;
        let mut second = Browser::new();
        let phone = Login::new("alice")
            .agent("Phone")
            .address("203.0.113.7")
            .level(2);
        login(&there, &mut second, phone).await;
        let bob = logged_in("bob", &here).await;

        let session = open(&here, &second).await.unwrap();
        let devices = session.user_sessions().await.unwrap();
        assert_eq!(devices.len(), 2);
        let this = devices.iter().find(|device| device.current).unwrap();
        let other = devices.iter().find(|device| !device.current).unwrap();
        assert_eq!(Some(this.handle), session.handle());
        assert_eq!(this.agent.as_deref(), Some("Phone"));
        assert_eq!(this.address.as_deref(), Some("203.0.113.7"));
        assert_eq!(this.level, Some(2));
        assert_eq!(other.agent.as_deref(), Some("Mozilla/5.0 (test)"));
        assert!(this.last_seen >= this.created && this.expires > this.last_seen);

        // What the page shows is no credential.
        for device in &devices {
            let mut thief = Browser::new();
            thief.set_cookie(here.cookie_name(), device.handle.to_string());
            assert_eq!(who(&here, &thief).await, None);
            for cookie in [&first, &second] {
                let cookie = cookie.cookie(here.cookie_name()).unwrap();
                assert!(!cookie.contains(&device.handle.to_string()));
            }
        }
        // And ends nobody else's session.
        let stranger = open(&here, &bob).await.unwrap();
        assert!(!stranger.end_session(&other.handle).await.unwrap());
        assert_eq!(who(&there, &first).await.as_deref(), Some("alice"));

        assert!(session.end_session(&other.handle).await.unwrap());
        assert!(!session.end_session(&other.handle).await.unwrap());
        assert_eq!(who(&there, &first).await, None);
        assert_eq!(who(&there, &second).await.as_deref(), Some("alice"));
        assert_eq!(session.user_sessions().await.unwrap().len(), 1);
    }
}

async fn s24_a_user_has_no_more_sessions_than_allowed(store: Store, layout: Layout) {
    let clock = Clock::system();
    let oldest = users().max_sessions(MaxSessions::EndOldest(2));
    for [here, there] in sites(&store, layout, &clock, &oldest) {
        let first = logged_in("alice", &here).await;
        let second = logged_in("alice", &there).await;
        let third = logged_in("alice", &here).await;
        assert_eq!(who(&there, &first).await, None);
        assert_eq!(who(&there, &second).await.as_deref(), Some("alice"));
        assert_eq!(who(&there, &third).await.as_deref(), Some("alice"));
    }
    let newest = users().max_sessions(MaxSessions::RefuseNewest(1));
    for [here, there] in sites(&store, layout, &clock, &newest) {
        let mut first = logged_in("alice", &here).await;
        let session = open(&there, &Browser::new()).await.unwrap();
        session.login("alice").unwrap();
        let refused = session.save().await.unwrap_err();
        assert!(matches!(refused, Error::TooManySessions { most: 1 }));
        assert_eq!(refused.status(), 409);
        assert_eq!(who(&there, &first).await.as_deref(), Some("alice"));
        // The same device may log in again, which is no second session.
        login(&here, &mut first, "alice").await;
        assert_eq!(here.sessions_of("alice").await.unwrap().len(), 1);
        assert_eq!(who(&there, &first).await.as_deref(), Some("alice"));
    }
}

#[tokio::test]
async fn s21_everyone_can_be_logged_out() {
    let clock = Clock::manual(1_800_000_000);
    let store = Store::new(MemoryStore::new().clock(clock.clone()));
    for [here, there] in sites(&store, Layout::Flask, &clock, &users()) {
        let alice = logged_in("alice", &here).await;
        let mut visitor = Browser::new();
        let session = open(&here, &visitor).await.unwrap();
        session.insert("cart", 1).unwrap();
        close(&here, &session, &mut visitor).await;
        there.end_everything().await.unwrap();
        for server in [&here, &there] {
            assert_eq!(who(server, &alice).await, None);
            assert!(open(server, &visitor).await.unwrap().is_empty());
        }
        clock.advance(Duration::from_secs(1));
        let again = logged_in("alice", &here).await;
        assert_eq!(who(&there, &again).await.as_deref(), Some("alice"));
    }
}

#[tokio::test]
async fn s19_another_server_knows_of_an_end_after_the_lag_at_the_latest() {
    let clock = Clock::manual(1_800_000_000);
    let store = Store::new(MemoryStore::new().clock(clock.clone()));
    let lag = Duration::from_secs(5);
    for [here, there] in sites(&store, Layout::Flask, &clock, &UserSessions::new().lag(lag)) {
        let browser = logged_in("alice", &here).await;
        assert_eq!(who(&there, &browser).await.as_deref(), Some("alice"));
        here.end_sessions_of("alice").await.unwrap();
        assert_eq!(
            who(&here, &browser).await,
            None,
            "at once where it was ended"
        );
        clock.advance(lag);
        assert_eq!(who(&there, &browser).await, None);
    }
}

#[tokio::test]
async fn s20_an_id_that_changes_keeps_its_place_in_the_list() {
    let clock = Clock::manual(1_800_000_000);
    let store = Store::new(MemoryStore::new().clock(clock.clone()));
    for [here, there] in sites(&store, Layout::Flask, &clock, &users()) {
        let mut browser = logged_in("alice", &here).await;
        let session = open(&here, &browser).await.unwrap();
        let handle = session.handle();
        session.regenerate();
        close(&here, &session, &mut browser).await;
        let session = open(&there, &browser).await.unwrap();
        assert_eq!(session.handle(), handle);
        assert_eq!(session.user_sessions().await.unwrap().len(), 1);

        // A new id for a session that somebody ends meanwhile is none.
        session.regenerate();
        assert_eq!(here.end_sessions_of("alice").await.unwrap(), 1);
        close(&there, &session, &mut browser).await;
        assert_eq!(who(&here, &browser).await, None);
        assert_eq!(who(&there, &browser).await, None);
    }
}

#[tokio::test]
async fn s14_activity_keeps_a_session_in_the_list() {
    let clock = Clock::manual(1_800_000_000);
    let store = Store::new(MemoryStore::new().clock(clock.clone()));
    let day = Duration::from_secs(24 * 60 * 60);
    for [here, there] in sites(&store, Layout::Flask, &clock, &users()) {
        let mut browser = logged_in("alice", &here).await;
        let mut idle = logged_in("alice", &here).await;
        for _ in 0..60 {
            clock.advance(day);
            let session = open(&there, &browser).await.unwrap();
            assert_eq!(session.subject().as_deref(), Some("alice"));
            close(&there, &session, &mut browser).await;
        }
        let sessions = here.sessions_of("alice").await.unwrap();
        assert_eq!(sessions.len(), 1, "the other one has expired");
        let seen = sessions[0]
            .last_seen
            .duration_since(sessions[0].created)
            .unwrap();
        assert!(seen >= 59 * day, "{seen:?}");
        let session = open(&there, &idle).await.unwrap();
        assert_eq!(session.subject(), None);
        close(&there, &session, &mut idle).await;
    }
}

#[tokio::test]
async fn s22_a_login_without_the_list_ends_with_all_others() {
    // Flask, or a server of this site from before the setting.
    let clock = Clock::manual(1_800_000_000);
    let store = Store::new(MemoryStore::new().clock(clock.clone()));
    let config = SessionConfig::default().clock(clock.clone());
    let key = SecretKey::new(KEY).unwrap();
    let before = SessionManager::signed(key.clone(), config.clone()).unwrap();
    let list = users().kept_in(store);
    let after = SessionManager::signed(key, config.user_sessions(list)).unwrap();
    let browser = logged_in("alice", &before).await;
    assert_eq!(who(&after, &browser).await.as_deref(), Some("alice"));
    after.end_sessions_of("alice").await.unwrap();
    let session = open(&after, &browser).await.unwrap();
    assert_eq!(session.status(), Status::Refused(Refusal::Revoked));
}

#[tokio::test]
async fn s21_without_the_setting_there_is_no_list() {
    let manager = SessionManager::stored(MemoryStore::new(), SessionConfig::default()).unwrap();
    let browser = logged_in("alice", &manager).await;
    let session = open(&manager, &browser).await.unwrap();
    assert!(matches!(
        session.user_sessions().await,
        Err(Error::NotTracked)
    ));
    assert!(matches!(
        manager.sessions_of("alice").await,
        Err(Error::NotTracked)
    ));
    // And settings that cannot work are refused at start.
    let beside = SessionConfig::default().user_sessions(UserSessions::new());
    assert!(SessionManager::signed(SecretKey::new(KEY).unwrap(), beside).is_err());
    let list = UserSessions::in_store(MemoryStore::new());
    let twice = SessionConfig::default().user_sessions(list);
    assert!(SessionManager::stored(MemoryStore::new(), twice).is_err());
}

#[tokio::test]
async fn p9_a_list_that_is_down_logs_nobody_out_and_lets_nobody_in() {
    let clock = Clock::manual(1_800_000_000);
    let faulty = Faulty::new(clock.clone());
    let store = Store::new(faulty.clone()).without_breaker();
    let config = SessionConfig::default()
        .clock(clock)
        .user_sessions(users().kept_in(store));
    let open_with = |policy| {
        let config = config.clone().on_outage(policy);
        SessionManager::signed(SecretKey::new(KEY).unwrap(), config).unwrap()
    };
    let (require, degrade) = (
        open_with(OutagePolicy::Require),
        open_with(OutagePolicy::Degrade),
    );
    let mut browser = logged_in("alice", &require).await;
    faulty.set(Fault::Unreachable, ALL);
    let unavailable = open(&require, &browser).await.unwrap_err();
    assert_eq!(unavailable.status(), 503);
    let unknown = open(&degrade, &browser).await.unwrap();
    assert!(unknown.is_unknown());
    assert_eq!(unknown.subject(), None);
    // A logout that cannot reach the list is none, and says so.
    unknown.logout();
    let mut response = http::Response::new(());
    let failed = degrade.close(&unknown, response.headers_mut()).await;
    assert_eq!(failed.unwrap_err().status(), 503);
    browser.store(&response);
    // Nor is a login.
    let stranger = open(&require, &Browser::new()).await.unwrap();
    stranger.login("bob").unwrap();
    assert_eq!(stranger.save().await.unwrap_err().status(), 503);

    faulty.set(Fault::None, ALL);
    assert_eq!(who(&require, &browser).await.as_deref(), Some("alice"));
    assert_eq!(require.sessions_of("bob").await.unwrap(), []);
}
