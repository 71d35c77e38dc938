//! How often the store is asked.

use std::sync::Arc;

use super::*;

#[path = "../../../../tests/support/recording.rs"]
mod recording;
use recording::{Calls, Recording};

fn recorded(clock: &Clock, change: impl FnOnce(&mut RegisterSettings)) -> (Register, Store, Calls) {
    let (recording, calls) = Recording::new(Arc::new(MemoryStore::new().clock(clock.clone())));
    let store = Store::new(recording);
    let mut settings = settings(clock);
    change(&mut settings);
    (
        Register::new(store.clone(), settings).unwrap(),
        store,
        calls,
    )
}

#[tokio::test]
async fn a_login_is_a_load_and_a_write() {
    let clock = Clock::manual(START);
    let (register, _, calls) = recorded(&clock, |_| {});
    let first = in_cookie(&clock);
    register.enter("alice", &first, None).await.unwrap();
    assert_eq!(calls.kinds(), ["load", "create"]);
    let second = in_store(&clock);
    register.enter("alice", &second, None).await.unwrap();
    assert_eq!(calls.kinds(), ["load", "replace"]);
    register
        .replace("alice", &second.handle, &in_store(&clock))
        .await
        .unwrap();
    assert_eq!(calls.kinds(), ["load", "replace"]);
    register.list("alice").await.unwrap();
    assert_eq!(calls.kinds(), ["load"]);
    register.leave("alice", &first.handle).await.unwrap();
    assert_eq!(calls.kinds(), ["load", "replace"]);
    register.leave("alice", &first.handle).await.unwrap();
    assert_eq!(calls.kinds(), ["load"], "there is nothing to write");
    register.end_all("alice", None, None).await.unwrap();
    // The changed id has an old and a new key; then nothing is left.
    assert_eq!(
        calls.kinds(),
        ["load", "replace", "delete", "delete", "delete"]
    );
}

#[tokio::test]
async fn one_too_many_is_four_calls() {
    let clock = Clock::manual(START);
    let (register, store, calls) = recorded(&clock, |settings| {
        settings.max_sessions = Some(MaxSessions::EndOldest(1));
    });
    let first = in_store(&clock);
    register.enter("alice", &first, None).await.unwrap();
    make(&store, &first).await;
    calls.take();
    register
        .enter("alice", &in_store(&clock), None)
        .await
        .unwrap();
    assert_eq!(calls.kinds(), ["load", "replace", "delete", "replace"]);
    // One in a cookie has only to be taken off the list.
    register
        .enter("bob", &in_cookie(&clock), None)
        .await
        .unwrap();
    calls.take();
    register
        .enter("bob", &in_cookie(&clock), None)
        .await
        .unwrap();
    assert_eq!(calls.kinds(), ["load", "replace"]);
}

#[tokio::test]
async fn within_the_lag_a_request_asks_nothing() {
    let clock = Clock::manual(START);
    let (register, _, calls) = recorded(&clock, |_| {});
    let new = in_cookie(&clock);
    register.enter("alice", &new, None).await.unwrap();
    calls.take();
    for _ in 0..100 {
        register.standing("alice", &new.handle).await.unwrap();
        register
            .renew("alice", &new.handle, START + DAY)
            .await
            .unwrap();
    }
    assert!(calls.kinds().is_empty(), "known from the login");
    clock.advance(Duration::from_secs(LAG));
    for _ in 0..100 {
        register.standing("alice", &new.handle).await.unwrap();
    }
    assert_eq!(calls.kinds(), ["load"]);
    for _ in 0..100 {
        register.standing_of_everyone(START).await.unwrap();
        register.standing_of_unlisted("alice", START).await.unwrap();
    }
    assert_eq!(calls.kinds(), ["load", "load"]);
}

#[tokio::test]
async fn without_a_lag_every_request_asks() {
    let clock = Clock::manual(START);
    let (register, _, calls) = recorded(&clock, |settings| settings.lag = Duration::ZERO);
    let new = in_cookie(&clock);
    register.enter("alice", &new, None).await.unwrap();
    calls.take();
    for _ in 0..3 {
        register.standing("alice", &new.handle).await.unwrap();
        register.standing_of_everyone(START).await.unwrap();
    }
    assert_eq!(calls.kinds(), ["load"; 6]);
}

#[tokio::test]
async fn a_session_in_constant_use_is_written_once_in_the_interval() {
    let clock = Clock::manual(START);
    let (register, _, calls) = recorded(&clock, |_| {});
    let new = in_cookie(&clock);
    register.enter("alice", &new, None).await.unwrap();
    calls.take();
    for _ in 0..20 * RENEW_AFTER {
        clock.advance(Duration::from_secs(1));
        let expires = clock.unix_seconds() + DAY;
        register.renew("alice", &new.handle, expires).await.unwrap();
        register.standing("alice", &new.handle).await.unwrap();
    }
    let writes = calls
        .kinds()
        .iter()
        .filter(|kind| **kind == "replace")
        .count();
    assert!((19..=20).contains(&writes), "{writes}");
}
