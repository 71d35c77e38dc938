//! P7: how often a request asks the server of its store and waits for the answer, counted on the wire.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail loudly"
)]

#[path = "support/round_trips.rs"]
mod round_trips;

use round_trips::{RoundTrips, SCENARIOS, count};

fn check(found: RoundTrips, expected: RoundTrips) {
    let named = |counts: RoundTrips| -> Vec<_> { SCENARIOS.into_iter().zip(counts).collect() };
    assert_eq!(named(found), named(expected));
}

#[tokio::test]
async fn p7_redis_is_asked_once_to_read_and_once_to_write() {
    let found = count("redis", servers::redis::shared()).await;
    check(found, [1, 1, 1, 2, 2, 3, 2, 1, 6, 1, 4]);
}

#[tokio::test]
async fn p7_memcached_is_asked_once_to_read_and_once_to_write() {
    let found = count("memcached", servers::memcached::shared()).await;
    check(found, [2, 2, 1, 2, 2, 5, 2, 2, 8, 1, 4]);
}

#[tokio::test]
async fn p7_postgres_is_asked_once_to_read_and_once_to_write() {
    let found = count("postgres", servers::postgres::shared()).await;
    check(found, [1, 1, 1, 2, 2, 3, 2, 2, 6, 1, 4]);
}

#[tokio::test]
async fn p7_mysql_is_asked_once_to_read_and_once_to_write() {
    let found = count("mysql", servers::mariadb::shared()).await;
    check(found, [2, 2, 1, 2, 2, 4, 2, 2, 7, 1, 4]);
}
