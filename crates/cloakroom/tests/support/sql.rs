//! What the tests of all SQL stores have in common.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{CreateError, Driver, ExpiryIndex, ReplaceError, Store, StoreErrorKind},
};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A driver that waits for a busy test machine.
pub(crate) fn patient(driver: impl Driver) -> Store {
    Store::new(driver).timeout(Duration::from_secs(60))
}

/// So many tasks add one so many times, by compare-and-swap; every one of them counts.
pub(crate) async fn counts_exactly(store: Store, key: &str, tasks: usize, times: usize) {
    let zero = Bytes::from_static(b"0");
    store.create(key, zero, HOUR).await.unwrap();
    let key: Arc<str> = key.into();
    let tasks_started: Vec<_> = (0..tasks)
        .map(|_| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move {
                for _ in 0..times {
                    add_one(&store, &key).await;
                }
            })
        })
        .collect();
    for task in tasks_started {
        task.await.unwrap();
    }
    let counted = store.load(&key).await.unwrap().unwrap();
    assert_eq!(counted.value, (tasks * times).to_string());
}

async fn add_one(store: &Store, key: &str) {
    let mut base = store.load(key).await.unwrap().unwrap();
    loop {
        let count: usize = std::str::from_utf8(&base.value).unwrap().parse().unwrap();
        let next = Bytes::from((count + 1).to_string());
        match store.replace(key, &base, next, HOUR).await {
            Ok(_) => return,
            Err(ReplaceError::Changed(there)) => base = there,
            Err(other) => panic!("{other}"),
        }
    }
}

/// Without a table each call is refused, with advice.
pub(crate) async fn asks_to_migrate(store: &Store) {
    let error = store.load("session:a").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("migrate()"), "{error}");
}

/// A table that Flask-Session made has no index of its times; migrating it makes one.
pub(crate) async fn misses_the_expiry_index(driver: impl Driver) {
    let store = patient(driver);
    assert_eq!(store.expiry_index().await.unwrap(), ExpiryIndex::Missing);
    store.prepare().await.unwrap();
    assert_eq!(store.expiry_index().await.unwrap(), ExpiryIndex::Present);
}

/// What the table holds: `(session_id, data, expiry)`, as text where the database has its own types.
pub(crate) type Rows = Vec<(String, Vec<u8>, String)>;

/// The server went away and came back: at most the calls under way fail, none hangs, and then all is well.
pub(crate) async fn recovers(store: &Store, key: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let mut failures = 0;
    loop {
        match store.load(key).await {
            Ok(found) => {
                assert!(found.is_some(), "a session was lost");
                break;
            }
            Err(error) => {
                assert_ne!(error.kind(), StoreErrorKind::Refused, "{error}");
                failures += 1;
            }
        }
        assert!(tokio::time::Instant::now() < deadline, "did not recover");
    }
    assert!(
        failures <= 2,
        "{failures} calls failed after the server was back"
    );
}

/// A deletion lasts, whether its key has no tombstone yet, one that has expired and was not swept, or one that lives.
pub(crate) async fn deletes_again_and_again(store: &Store, clock: &Clock, key: &str) {
    let value = || Bytes::from_static(b"one");
    for round in 0..3 {
        let base = store.create(key, value(), HOUR).await.unwrap();
        let expected = (round > 0).then_some(&base);
        store.delete(key, expected, HOUR).await.unwrap();
        // What is under a tombstone is missing, and one may last longer than the other.
        store.delete(key, None, 2 * HOUR).await.unwrap();
        clock.advance(HOUR + HOUR / 2);
        assert_eq!(store.load(key).await, Ok(None));
        let again = store.create(key, value(), HOUR).await;
        assert_eq!(again, Err(CreateError::Exists), "{round}");
        clock.advance(HOUR);
    }
}
