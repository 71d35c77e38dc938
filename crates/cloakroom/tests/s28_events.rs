//! What happens to sessions is told: for audit logs, and to count who guesses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail loudly"
)]

#[path = "support/visit.rs"]
mod visit;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use cloakroom::{
    Clock, EventKind, KeyRing, Refusal, SecretKey, Session, SessionConfig, SessionManager,
    store::{MemoryStore, Store},
    testing::Browser,
};
use visit::request;

type Log = Arc<Mutex<Vec<(EventKind, Option<String>)>>>;

fn config(log: &Log, clock: &Clock) -> SessionConfig {
    let log = log.clone();
    SessionConfig::default()
        .clock(clock.clone())
        .on_event(move |event| {
            let subject = event.subject.map(str::to_owned);
            log.lock().unwrap().push((event.kind, subject));
        })
}

fn told(log: &Log) -> Vec<EventKind> {
    let told = std::mem::take(&mut *log.lock().unwrap());
    told.into_iter().map(|(kind, _)| kind).collect()
}

#[tokio::test]
async fn s28_the_life_of_a_session_is_told() {
    let clock = Clock::manual(1_800_000_000);
    let log = Log::default();
    let key = SecretKey::new("a key of this test alone").unwrap();
    let cookie = SessionManager::signed(key, config(&log, &clock)).unwrap();
    let store = Store::new(MemoryStore::new().clock(clock.clone()));
    let stored = SessionManager::stored(store, config(&log, &clock)).unwrap();
    for manager in [cookie, stored] {
        let mut browser = Browser::new();
        let insert = |session: &Session| session.insert("a", 1).unwrap();
        request(&manager, &mut browser, |_| ()).await;
        assert_eq!(told(&log), [], "a visitor who leaves nothing is no event");
        request(&manager, &mut browser, insert).await;
        assert_eq!(told(&log), [EventKind::Created]);
        request(&manager, &mut browser, |session| {
            session.insert("b", 2).unwrap();
        })
        .await;
        assert_eq!(told(&log), []);
        request(&manager, &mut browser, Session::regenerate).await;
        assert_eq!(told(&log), [EventKind::Regenerated]);
        request(&manager, &mut browser, |session| {
            session.login("alice").unwrap();
        })
        .await;
        {
            let log = log.lock().unwrap();
            let alice = Some("alice".to_owned());
            assert_eq!(log[..], [(EventKind::LoggedIn, alice)]);
        }
        told(&log);
        clock.advance(Duration::from_secs(2 * 60 * 60));
        request(&manager, &mut browser, |_| ()).await;
        assert_eq!(told(&log), [EventKind::Renewed]);
        request(&manager, &mut browser, Session::logout).await;
        let log = std::mem::take(&mut *log.lock().unwrap());
        assert_eq!(log, [(EventKind::Destroyed, Some("alice".to_owned()))]);
    }
}

#[tokio::test]
async fn s28_conflicts_and_late_requests_are_told() {
    let clock = Clock::manual(1_800_000_000);
    let log = Log::default();
    let store = Store::new(MemoryStore::new());
    let manager = SessionManager::stored(store, config(&log, &clock)).unwrap();
    let mut browser = Browser::new();
    let insert = |session: &Session| session.insert("a", 1).unwrap();
    request(&manager, &mut browser, insert).await;
    let headers = browser.request(http::Request::new(())).headers().clone();
    let slow = manager.open(&headers).await.unwrap();
    slow.insert("slow", 1).unwrap();
    request(&manager, &mut browser, |session| {
        session.insert("fast", 1).unwrap();
    })
    .await;
    told(&log);
    slow.save().await.unwrap();
    assert_eq!(told(&log), [EventKind::Conflict]);

    let late = manager.open(&headers).await.unwrap();
    late.insert("late", 1).unwrap();
    request(&manager, &mut browser, Session::logout).await;
    assert_eq!(told(&log), [EventKind::Destroyed]);
    late.save().await.unwrap();
    assert_eq!(told(&log), [EventKind::Gone]);
}

#[tokio::test]
async fn s28_a_key_that_only_verifies_is_told_when_it_does() {
    let clock = Clock::manual(1_800_000_000);
    let log = Log::default();
    let (old, new) = (
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
    );
    let before = SessionManager::signed(old.clone(), config(&log, &clock)).unwrap();
    let after =
        SessionManager::signed(KeyRing::new(new).fallback(old), config(&log, &clock)).unwrap();
    let mut browser = Browser::new();
    let insert = |session: &Session| session.insert("a", 1).unwrap();
    request(&before, &mut browser, insert).await;
    told(&log);
    request(&after, &mut browser, |session| {
        session.insert("b", 1).unwrap();
    })
    .await;
    assert_eq!(told(&log), [EventKind::OldKey { key_index: 1 }]);
    // Writing has signed it anew.
    request(&after, &mut browser, |_| ()).await;
    assert_eq!(told(&log), []);
}

#[tokio::test]
async fn s29_refused_cookies_can_be_counted_by_where_they_come_from() {
    let counts: Arc<Mutex<HashMap<(String, Refusal), u32>>> = Arc::default();
    let counted = counts.clone();
    let config = SessionConfig::default().on_event(move |event| {
        if let EventKind::Refused(reason) = event.kind {
            let headers = event.headers.expect("a request has headers");
            let source = headers["x-forwarded-for"].to_str().unwrap().to_owned();
            *counted.lock().unwrap().entry((source, reason)).or_default() += 1;
        }
    });
    let manager = SessionManager::stored(MemoryStore::new(), config).unwrap();
    for (source, cookie, times) in [
        (
            "203.0.113.7",
            "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc",
            30,
        ),
        ("203.0.113.7", "../../etc/passwd", 2),
        (
            "198.51.100.1",
            "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc",
            1,
        ),
    ] {
        for _ in 0..times {
            let mut headers = http::HeaderMap::new();
            headers.insert("x-forwarded-for", source.parse().unwrap());
            let cookie = format!("session={cookie}");
            headers.insert("cookie", cookie.parse().unwrap());
            manager.open(&headers).await.unwrap();
        }
    }
    let counts = counts.lock().unwrap();
    let count = |source: &str, reason| counts[&(source.to_owned(), reason)];
    assert_eq!(count("203.0.113.7", Refusal::UnknownId), 30);
    assert_eq!(count("203.0.113.7", Refusal::MalformedId), 2);
    assert_eq!(count("198.51.100.1", Refusal::UnknownId), 1);
    assert_eq!(counts.len(), 3);
}
