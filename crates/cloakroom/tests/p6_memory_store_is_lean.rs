//! P6 for the memory store: what a session costs over its key and value, and that it is given back.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{Driver, MemoryStore},
};

/// A million takes half a minute in a debug build.
const SESSIONS: u64 = if cfg!(debug_assertions) {
    200_000
} else {
    1_000_000
};
const VALUE: usize = 100;
/// `session:` and an id of 256 bits.
const KEY: usize = 8 + 43;

/// The memory store waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("the memory store waited for something"),
    }
}

fn key(number: u64) -> String {
    format!("session:{number:043}")
}

#[test]
fn p6_sessions_cost_little_more_than_their_bytes_and_are_given_back() {
    let clock = Clock::manual(1_700_000_000);
    let store = MemoryStore::new().clock(clock.clone());
    let filled = allocation_counter::measure(|| {
        for number in 0..SESSIONS {
            // A month of visitors: the times to live spread over many seconds.
            let ttl = Duration::from_secs(1 + number % 100_000);
            // A slice of a request's large buffer, which must not be kept alive.
            let value = Bytes::from(vec![b'v'; 4096]).slice(..VALUE);
            now(store.create(&key(number), value, ttl)).unwrap();
        }
    });
    let each = filled.bytes_current / i64::try_from(SESSIONS).unwrap();
    let over = each - i64::try_from(KEY + VALUE).unwrap();
    println!("{SESSIONS} sessions: {each} bytes each, {over} over key and value");
    assert!(over <= 96, "{over} bytes over key and value");

    let touched = allocation_counter::measure(|| {
        for number in 0..100_000 {
            now(store.touch(&key(number), Duration::from_secs(100_001))).unwrap();
        }
    });
    assert!(
        touched.bytes_current < 1_000_000,
        "touches left {} bytes behind",
        touched.bytes_current
    );

    clock.advance(Duration::from_secs(100_002));
    let emptied = allocation_counter::measure(|| {
        let mut removed = 0;
        while let batch @ 1.. = now(store.delete_expired(1000)).unwrap() {
            assert!(batch <= 1000);
            removed += batch as u64;
        }
        assert_eq!(removed, SESSIONS);
    });
    let left = filled.bytes_current + touched.bytes_current + emptied.bytes_current;
    println!("after they have expired: {left} bytes in all");
    assert!(left < 10_000, "{left} bytes were not given back");
}

#[test]
fn p6_a_store_without_a_sweeper_does_not_grow_for_ever() {
    let clock = Clock::manual(1_700_000_000);
    let store = MemoryStore::new().clock(clock.clone());
    let value = Bytes::from_static(&[b'v'; VALUE]);
    let mut number = 0;
    let mut visitors = |count: u64| {
        let grown = allocation_counter::measure(|| {
            for _ in 0..count {
                number += 1;
                now(store.create(&key(number), value.clone(), Duration::from_secs(10))).unwrap();
            }
        });
        clock.advance(Duration::from_secs(11));
        grown.bytes_current
    };
    let first = visitors(20_000);
    let later: i64 = (0..20).map(|_| visitors(20_000)).sum();
    assert!(
        later < first,
        "{first} bytes for the first wave, then {later} more"
    );
}

#[test]
fn p6_logouts_leave_nothing_behind() {
    let clock = Clock::manual(1_700_000_000);
    let store = MemoryStore::new().clock(clock.clone());
    let month = Duration::from_secs(31 * 86_400);
    let left = allocation_counter::measure(|| {
        for number in 0..50_000 {
            let key = key(number);
            now(store.create(&key, Bytes::from_static(b"value"), month)).unwrap();
            now(store.delete(&key, None, Duration::from_secs(60))).unwrap();
            if number % 100 == 0 {
                clock.advance(Duration::from_secs(60));
            }
        }
        clock.advance(Duration::from_secs(60));
        while now(store.delete_expired(1000)).unwrap() > 0 {}
    });
    assert!(
        left.bytes_current < 10_000,
        "{} bytes are left",
        left.bytes_current
    );
}
