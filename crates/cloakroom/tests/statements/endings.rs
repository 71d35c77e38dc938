//! S20, S27, S30 and S48: what ends, stays ended; what has expired goes; and who stores nothing leaves nothing.

use std::{sync::Arc, time::Duration};

use axum::{Router, response::Redirect, routing::get};
use cloakroom::{
    ClearSiteData, Clock, Session, SessionConfig, SessionManager,
    store::{Driver, MemoryStore, Store},
};
use http::HeaderMap;

use crate::{
    recording::Recording,
    support::app::{App, NOW, header},
};

/// What requests can do, each under way when the logout comes.
type Doing = fn(&Session);

#[tokio::test]
async fn s20_a_request_older_than_the_logout_cannot_revive_the_session() {
    let doings: [(&str, Doing); 8] = [
        ("reads", |session| assert!(session.contains_key("user"))),
        ("inserts", |session| session.insert("cart", 1).unwrap()),
        ("updates", |session| {
            let plus = |n: Option<u64>| n.unwrap_or(0) + 1;
            session.update("n", plus).unwrap();
        }),
        ("removes", |session| drop(session.remove("user"))),
        ("flashes", |session| session.flash("info", "Saved")),
        ("is made permanent", |session| session.set_permanent(true)),
        ("gets a new id", |session| {
            session.regenerate();
            session.insert("user", "mallory").unwrap();
        }),
        ("logs in again", |session| {
            session.clear();
            session.insert("user", "mallory").unwrap();
        }),
    ];
    for (about, doing) in doings {
        let store = Arc::new(MemoryStore::new());
        let (recording, _) = Recording::new(store.clone());
        let manager = SessionManager::stored(recording, SessionConfig::default()).unwrap();
        let session = manager.new_session();
        session.insert("user", "alice").unwrap();
        session.save().await.unwrap();
        let id = manager.cookie_value(&session).unwrap();

        let older = manager.open_value(&id).await.unwrap();
        let logout = manager.open_value(&id).await.unwrap();
        logout.destroy();
        let mut headers = HeaderMap::new();
        manager.close(&logout, &mut headers).await.unwrap();
        assert!(
            headers["set-cookie"]
                .to_str()
                .unwrap()
                .contains("Max-Age=0")
        );

        doing(&older);
        let mut headers = HeaderMap::new();
        manager.close(&older, &mut headers).await.unwrap();
        assert!(manager.open_value(&id).await.is_err(), "{about}");
        let entries = store.list("", None, 10).await.unwrap().entries;
        assert!(entries.is_empty(), "{about}: {entries:?}");
    }
}

/// A batch has an end, the next goes on after it, and no request removes anything but its own.
#[tokio::test]
async fn s27_expired_entries_go_in_batches_and_no_request_pays_for_it() {
    let clock = Clock::manual(NOW);
    let store = Arc::new(MemoryStore::new().clock(clock.clone()));
    let (recording, calls) = Recording::new(store.clone());
    let config = SessionConfig::default().clock(clock.clone());
    let manager = SessionManager::stored(recording, config).unwrap();
    let store = Store::new(MemoryStore::new().clock(clock.clone()));
    let minute = Duration::from_secs(60);
    for number in 0..250 {
        let key = format!("session:{number}");
        store.create(&key, "old".into(), minute).await.unwrap();
    }
    store
        .create("session:new", "new".into(), 9 * minute)
        .await
        .unwrap();
    clock.advance(2 * minute);
    for expected in [100, 100, 50, 0] {
        assert_eq!(store.delete_expired(100).await.unwrap(), expected);
    }
    assert!(store.load("session:new").await.unwrap().is_some());
    // A request asks for its own entry, and nothing else.
    let session = manager.new_session();
    session.insert("a", 1).unwrap();
    session.save().await.unwrap();
    let id = manager.cookie_value(&session).unwrap();
    clock.advance(Duration::from_secs(400 * 86400));
    assert!(manager.open_value(&id).await.is_err());
    assert_eq!(calls.kinds(), ["create", "load"]);
}

#[tokio::test]
async fn s30_a_visitor_who_stores_nothing_leaves_no_entry_and_gets_no_cookie() {
    for config in [SessionConfig::default(), SessionConfig::flask()] {
        let (recording, calls) = Recording::new(Arc::new(MemoryStore::new()));
        let manager = SessionManager::stored(recording, config).unwrap();
        for _ in 0..50 {
            let session = manager.open(&HeaderMap::new()).await.unwrap();
            assert!(session.get::<String>("user").unwrap().is_none());
            assert!(session.flashes().is_empty());
            session.remove("user");
            let mut headers = HeaderMap::new();
            manager.close(&session, &mut headers).await.unwrap();
            assert!(!headers.contains_key("set-cookie"));
        }
        assert!(calls.take().is_empty());
    }
}

#[tokio::test]
async fn s48_a_logout_can_clear_what_the_browser_has() {
    let logout = |session: Session| async move {
        session.destroy();
        (ClearSiteData::logout(), Redirect::to("/"))
    };
    let routes = Router::new().route("/logout", get(logout));
    let response = App::new(routes, SessionConfig::default())
        .get("/logout")
        .await;
    assert_eq!(
        header(&response, "clear-site-data"),
        [r#""cache", "cookies", "storage""#]
    );
    let mut headers = HeaderMap::new();
    ClearSiteData::nothing()
        .cache(true)
        .insert_into(&mut headers);
    assert_eq!(headers["clear-site-data"], "\"cache\"");
    let mut headers = HeaderMap::new();
    ClearSiteData::nothing().insert_into(&mut headers);
    assert!(headers.is_empty());
}
