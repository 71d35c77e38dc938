//! The memory store keeps what every store promises.
#![cfg(feature = "conformance")]

use std::{collections::HashMap, time::Duration};

use cloakroom::{
    Clock,
    store::{
        MemoryStore, Store,
        conformance::{Harness, Subject, assert_conforms},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms_to_the_second() {
    let clock = Clock::manual(1_700_000_000);
    let hands = clock.clone();
    let harness = Harness::new(move || {
        let store = MemoryStore::new().clock(hands.clone());
        async move { store }
    });
    assert_conforms(harness.clock(clock)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms_on_the_systems_clock() {
    assert_conforms(Harness::new(async || {
        let store = Store::new(MemoryStore::new());
        Subject::new(store.clone()).twin(store)
    }))
    .await;
}

/// What a key has: a value or a tombstone, and when it expires.
type Model = HashMap<String, (Option<String>, u64)>;

#[tokio::test]
async fn memory_answers_as_a_plain_map_does_whatever_comes_and_goes() {
    let clock = Clock::manual(1_700_000_000);
    let store = Store::new(MemoryStore::new().clock(clock.clone()));
    let mut model = Model::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for turn in 0..60_000_u64 {
        // Waves: the store grows to thousands of entries and becomes nearly empty again.
        let key = format!("key-{}", random(3_000));
        let now = clock.unix_seconds();
        let there = model
            .get(&key)
            .filter(|(_, expires)| *expires > now)
            .cloned();
        let seconds = 1 + random(200);
        let ttl = Duration::from_secs(seconds);
        let value = turn.to_string();
        match random(if turn % 20_000 < 15_000 { 7 } else { 3 }) {
            0 | 6 => {
                let live = there.as_ref().is_some_and(|(value, _)| value.is_some());
                let touched = store.touch(&key, ttl).await;
                assert_eq!(touched.is_ok(), live);
                if let (true, Some((value, _))) = (live, there) {
                    model.insert(key, (value, now + seconds));
                }
            }
            1 => {
                let tombstone = Duration::from_secs(random(3) * 50);
                store.delete(&key, None, tombstone).await.unwrap();
                model.insert(key, (None, now + tombstone.as_secs()));
            }
            2 => clock.advance(Duration::from_secs(random(2))),
            3 => {
                let loaded = store.load(&key).await.unwrap();
                let loaded = loaded.map(|record| record.value);
                assert_eq!(loaded, there.and_then(|(value, _)| value).map(Into::into));
            }
            4 => {
                let made = store.create(&key, value.clone().into(), ttl).await;
                assert_eq!(made.is_ok(), there.is_none());
                if there.is_none() {
                    model.insert(key, (Some(value), now + seconds));
                }
            }
            _ => {
                if let Some(base) = store.load(&key).await.unwrap() {
                    let written = store.replace(&key, &base, value.clone().into(), ttl).await;
                    written.unwrap();
                    model.insert(key, (Some(value), now + seconds));
                }
            }
        }
        if turn % 5_000 == 0 {
            let now = clock.unix_seconds();
            let mut listed = Vec::new();
            let mut from = None;
            loop {
                let page = store.list("key-", from, 50).await.unwrap();
                listed.extend(page.entries.into_iter().map(|entry| entry.key));
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
            listed.sort_unstable();
            let live = model
                .iter()
                .filter(|(_, (value, expires))| value.is_some() && *expires > now);
            let mut live: Vec<_> = live.map(|(key, _)| key.clone()).collect();
            live.sort_unstable();
            assert_eq!(listed, live);
        }
    }
    clock.advance(Duration::from_secs(1_000));
    while store.delete_expired(100).await.unwrap() > 0 {}
    assert!(store.list("", None, 10).await.unwrap().entries.is_empty());
}
