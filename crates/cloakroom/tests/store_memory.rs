//! The memory store keeps what every store promises.
#![cfg(feature = "conformance")]

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
