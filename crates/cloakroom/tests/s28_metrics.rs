//! What happens to sessions is counted and timed for whoever runs the site.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail loudly"
)]
#![cfg(all(feature = "metrics", feature = "sqlite"))]

#[path = "support/faulty.rs"]
mod faulty;
#[path = "support/visit.rs"]
mod visit;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cloakroom::{
    Clock, SecretKey, Session, SessionConfig, SessionManager, metrics as names,
    store::{Breaker, SqliteStore, Store},
    testing::Browser,
};
use faulty::{ALL, Fault, Faulty};
use http::{HeaderMap, header::COOKIE};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use visit::request;

/// Everything recorded since the last look: counts and gauges as they are, of a histogram how many values.
fn seen(snapshotter: &Snapshotter) -> BTreeMap<String, u64> {
    let numbers = snapshotter.snapshot().into_vec().into_iter();
    numbers
        .map(|(key, _, _, value)| {
            let labels: Vec<String> = (key.key().labels())
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let number = match value {
                DebugValue::Counter(count) => count,
                DebugValue::Gauge(value) => u64::from(value.into_inner() > 0.5),
                DebugValue::Histogram(values) => {
                    assert!(values.iter().all(|value| value.into_inner() >= 0.0));
                    values.len() as u64
                }
            };
            (format!("{} {}", key.key().name(), labels.join(" ")), number)
        })
        .filter(|(name, number)| *number > 0 || name.contains("available"))
        .collect()
}

fn one(name: &str, labels: &str) -> (String, u64) {
    (format!("{name} {labels}"), 1)
}

fn insert(session: &Session) {
    session.insert("a", 1).unwrap();
}

#[tokio::test]
async fn s28_what_cookies_come_to_is_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _recording = metrics::set_default_local_recorder(&recorder);
    names::describe();
    let clock = Clock::manual(1_800_000_000);
    let config = SessionConfig::default().clock(clock.clone());
    let key = SecretKey::new("a key of this test alone").unwrap();
    let manager = SessionManager::signed(key, config).unwrap();
    let mut browser = Browser::new();

    request(&manager, &mut browser, insert).await;
    let expected = [
        one(names::SESSIONS_OPENED, "place=signed outcome=new"),
        one(names::SESSIONS_SAVED, "place=signed outcome=written"),
        one(names::COOKIE_BYTES, "place=signed"),
        one(names::EVENTS, "event=created reason="),
    ];
    assert_eq!(seen(&snapshotter), BTreeMap::from(expected));

    request(&manager, &mut browser, |_| ()).await;
    let id = manager.key_usage().remove(0).id;
    let expected = [
        one(names::SESSIONS_OPENED, "place=signed outcome=loaded"),
        one(names::VERIFICATIONS, &format!("key={id}")),
    ];
    assert_eq!(seen(&snapshotter), BTreeMap::from(expected));

    clock.advance(Duration::from_secs(2 * 60 * 60));
    request(&manager, &mut browser, |_| ()).await;
    let now = seen(&snapshotter);
    assert_eq!(
        now.get("cloakroom_sessions_saved_total place=signed outcome=renewed"),
        Some(&1)
    );

    request(&manager, &mut browser, Session::logout).await;
    let now = seen(&snapshotter);
    assert_eq!(
        now.get("cloakroom_sessions_saved_total place=signed outcome=ended"),
        Some(&1)
    );

    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, "session=made.up.cookie".parse().unwrap());
    manager.open(&headers).await.unwrap();
    let expected = [
        one(names::SESSIONS_OPENED, "place=signed outcome=refused"),
        one(names::EVENTS, "event=refused reason=bad_signature"),
    ];
    assert_eq!(seen(&snapshotter), BTreeMap::from(expected));
}

#[tokio::test]
async fn s28_calls_of_a_store_are_timed_and_conflicts_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let driver = SqliteStore::connect("sqlite::memory:").await.unwrap();
    let store = Store::new(driver);
    store.prepare().await.unwrap();
    let manager = SessionManager::stored(store, SessionConfig::default()).unwrap();
    assert_eq!(
        seen(&snapshotter),
        BTreeMap::from([one(names::STORE_AVAILABLE, "store=sqlite")])
    );
    let mut browser = Browser::new();
    request(&manager, &mut browser, insert).await;
    let now = seen(&snapshotter);
    let call = |operation: &str, outcome: &str| {
        format!(
            "{} store=sqlite operation={operation} outcome={outcome}",
            names::STORE_SECONDS
        )
    };
    assert_eq!(now.get(&call("create", "ok")), Some(&1));
    let written = format!("{} store=sqlite operation=write", names::ENTRY_BYTES);
    assert_eq!(now.get(&written), Some(&1));

    let headers = browser.request(http::Request::new(())).headers().clone();
    let slow = manager.open(&headers).await.unwrap();
    insert(&slow);
    request(&manager, &mut browser, |session| {
        session.insert("fast", 1).unwrap();
    })
    .await;
    seen(&snapshotter);
    slow.insert("slow", 2).unwrap();
    slow.save().await.unwrap();
    let now = seen(&snapshotter);
    assert_eq!(now.get(&call("replace", "changed")), Some(&1));
    assert_eq!(now.get(&call("replace", "ok")), Some(&1));
    assert_eq!(
        now.get("cloakroom_events_total event=conflict reason="),
        Some(&1)
    );
    assert_eq!(
        now.get("cloakroom_sessions_saved_total place=sqlite outcome=written"),
        Some(&1)
    );
}

#[tokio::test]
async fn s28_a_store_that_is_left_alone_says_so_until_it_is_back() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let driver = Faulty::new(Clock::manual(1_800_000_000));
    let breaker = Breaker::after(2).pauses(Duration::ZERO, Duration::ZERO);
    let store = Store::new(driver.clone()).breaker(breaker);
    driver.set(Fault::Unreachable, ALL);
    for _ in 0..2 {
        store.load("session:a").await.unwrap_err();
    }
    let available = format!("{} store={}", names::STORE_AVAILABLE, store.name());
    let failed = format!(
        "{} store={} operation=load outcome=unreachable",
        names::STORE_SECONDS,
        store.name()
    );
    let now = seen(&snapshotter);
    assert_eq!(
        (now.get(&available), now.get(&failed)),
        (Some(&0), Some(&2))
    );
    driver.set(Fault::None, ALL);
    store.load("session:a").await.unwrap();
    assert_eq!(seen(&snapshotter).get(&available), Some(&1));
}

/// The dashboard in the guide asks for these numbers, all of them, and for no others.
#[test]
fn s28_the_dashboard_shows_every_number() {
    let dashboard = include_str!("../../../docs/grafana/cloakroom.json");
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let asked: BTreeSet<&str> = targets
        .map(|target| {
            let query = target["expr"].as_str().unwrap();
            let name = &query[query.find("cloakroom_").unwrap()..];
            let name = &name[..name.find('{').unwrap()];
            // Prometheus adds it to the number of a histogram's values.
            name.strip_suffix("_count").unwrap_or(name)
        })
        .collect();
    let told = [
        names::SESSIONS_OPENED,
        names::SESSIONS_SAVED,
        names::EVENTS,
        names::VERIFICATIONS,
        names::COOKIE_BYTES,
        names::ENTRY_BYTES,
        names::STORE_SECONDS,
        names::STORE_AVAILABLE,
    ];
    assert_eq!(asked, BTreeSet::from(told));
}
