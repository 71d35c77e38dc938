//! S65: what the documentation of `cloakroom::store` says about each store's limits, with real servers that go silent
//! behind a firewall: so many connections at most, no call waits for longer than it may, most do not wait at all, and
//! the store is found again.
#![cfg(all(
    feature = "dynamodb",
    feature = "memcached",
    feature = "mysql",
    feature = "postgres",
    feature = "redis"
))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{
    DynamoDbStore, MemcachedStore, MySqlStore, PostgresStore, RedisStore, ReplaceError, Store,
    StoreErrorKind,
};
use servers::{Server, proxy::Proxy};

const TTL: Duration = Duration::from_secs(600);
const KEY: &str = "session:limits";
const AT_ONCE: usize = 100;

async fn keeps_its_limits(
    server: Server,
    most_connections: u64,
    connect: impl AsyncFn(&str) -> Store,
) {
    let proxy = Proxy::start(server.port()).unwrap();
    let store = connect(&server.url_through(proxy.port())).await;
    let value = Bytes::from_static(b"one");
    let base = store.create(KEY, value.clone(), TTL).await.unwrap();

    // One is there by now, and idle.
    let before = proxy.accepted() - 1;
    let mut loads = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let store = store.clone();
        loads.spawn(async move { store.load(KEY).await.unwrap().unwrap() });
    }
    loads.join_all().await;
    let connections = proxy.accepted() - before;
    assert!(connections <= most_connections, "{connections} connections");

    proxy.black_hole().unwrap();
    let mut waited = 0;
    for _ in 0..20 {
        let loaded = store.load(KEY).await.map_err(|error| error.kind());
        let replaced = match store
            .replace(KEY, &base, Bytes::from_static(b"two"), TTL)
            .await
        {
            Err(ReplaceError::Failed(error)) => error.kind(),
            other => panic!("{other:?}"),
        };
        for kind in [loaded.unwrap_err(), replaced] {
            match kind {
                StoreErrorKind::Skipped => {}
                StoreErrorKind::TimedOut | StoreErrorKind::Unreachable => waited += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    // Three until the breaker opens, and a probe or two on a machine that is slow.
    assert!((3..=8).contains(&waited), "{waited} of 40 calls waited");
    assert!(!store.is_available());

    proxy.normal().unwrap();
    let mut tries = 0;
    let found = loop {
        match store.load(KEY).await {
            Ok(found) => break found,
            Err(error) => assert_ne!(error.kind(), StoreErrorKind::Refused, "{error}"),
        }
        tries += 1;
        assert!(tries < 400, "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    // A write that nobody answered may have arrived; nothing else can have happened.
    let found = found.unwrap().value;
    assert!(found == "one" || found == "two", "{found:?}");
    assert!(store.is_available());
}

#[tokio::test(flavor = "multi_thread")]
async fn s65_redis_keeps_its_limits() {
    let server = servers::redis::start().unwrap();
    let connect = async |url: &str| RedisStore::connect(url).await.unwrap().into();
    keeps_its_limits(server, 1, connect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s65_memcached_keeps_its_limits() {
    let server = servers::memcached::start().unwrap();
    let connect = async |url: &str| MemcachedStore::connect(url).await.unwrap().into();
    keeps_its_limits(server, 32, connect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s65_postgres_keeps_its_limits() {
    let server = servers::postgres::start().unwrap();
    let connect = async |url: &str| {
        let store = PostgresStore::connect(url).await.unwrap();
        store.migrate().await.unwrap();
        store.into()
    };
    keeps_its_limits(server, 10, connect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s65_mariadb_keeps_its_limits() {
    let server = servers::mariadb::start().unwrap();
    let connect = async |url: &str| {
        let store = MySqlStore::connect(url).await.unwrap();
        store.migrate().await.unwrap();
        store.into()
    };
    keeps_its_limits(server, 10, connect).await;
}

/// It has no limit of its own to the number of connections: as many as there are calls at once.
#[tokio::test(flavor = "multi_thread")]
async fn s65_dynamodb_keeps_its_limits() {
    let server = servers::dynamodb::start().unwrap();
    let connect = async |endpoint: &str| {
        let url = format!("dynamodb://test:test@us-west-2/Sessions?endpoint={endpoint}");
        let store = DynamoDbStore::connect(&url).await.unwrap();
        store.create_table().await.unwrap();
        store.into()
    };
    keeps_its_limits(server, 1 + AT_ONCE as u64, connect).await;
}
