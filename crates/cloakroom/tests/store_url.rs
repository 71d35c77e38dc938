//! A store chosen by its URL: each scheme against its real server, and mistakes that say what to do
//! without quoting the URL.

#![cfg(all(
    feature = "dynamodb",
    feature = "file",
    feature = "memcached",
    feature = "mysql",
    feature = "postgres",
    feature = "redis",
    feature = "redis-tls",
    feature = "sqlite"
))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::time::Duration;

use cloakroom::store::{Prepared, Store, StoreErrorKind};

const HOUR: Duration = Duration::from_secs(3600);

/// Makes what the store needs, keeps an entry in it and finds it again through the same URL.
async fn works(url: &str, name: &str, prepared: Prepared) {
    let store = Store::from_url(url).await.unwrap();
    assert_eq!(store.name(), name);
    assert_eq!(store.prepare().await.unwrap(), prepared, "{name}");
    // Once more changes nothing.
    assert_eq!(store.prepare().await.unwrap(), prepared, "{name}");
    let key = servers::unique("session:url");
    store.create(&key, "value".into(), HOUR).await.unwrap();
    let same = match name {
        // Each is a store of its own.
        "memory" => store,
        _ => Store::from_url(url).await.unwrap(),
    };
    assert_eq!(same.load(&key).await.unwrap().unwrap().value, "value");
}

fn table() -> String {
    servers::unique("sessions").replace('-', "_")
}

/// With another `?` where the server's URL has options already.
fn with(url: &str, option: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{option}")
}

#[tokio::test]
async fn a_url_opens_memory() {
    works("memory:", "memory", Prepared::NothingNeeded).await;
    works("memory://", "memory", Prepared::NothingNeeded).await;
}

#[tokio::test]
async fn a_url_opens_folders() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    for url in [format!("file:{path}/a"), format!("file://{path}/b b%20")] {
        works(&url, "file", Prepared::NothingNeeded).await;
    }
    assert!(folder.path().join("a").is_dir() && folder.path().join("b b%20").is_dir());
    // Its values are pickles.
    let url = format!("cachelib:{path}/c");
    let store = Store::from_url(&url).await.unwrap();
    let value = cloakroom::format::Serialization::Pickle
        .to_bytes(&cloakroom::value::Dict::from_iter([("a", 1)]).into())
        .unwrap();
    store
        .create("session:c", value.clone().into(), HOUR)
        .await
        .unwrap();
    let same = Store::from_url(&url).await.unwrap();
    let there = same.load("session:c").await.unwrap().unwrap();
    assert_eq!(there.value, value);
}

#[tokio::test]
async fn a_url_opens_redis() {
    let url = servers::redis::shared();
    works(url, "redis", Prepared::NothingNeeded).await;
    let valkey = url.replacen("redis://", "valkey://", 1);
    works(&valkey, "redis", Prepared::NothingNeeded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_opens_redis_behind_sentinel_and_in_a_cluster() {
    let sentinel = servers::redis::start_sentinel().unwrap();
    works(&sentinel.sentinel_url(), "redis", Prepared::NothingNeeded).await;
    let cluster = servers::redis::start_cluster().unwrap();
    works(&cluster.url(), "redis", Prepared::NothingNeeded).await;
}

#[tokio::test]
async fn a_url_opens_memcached() {
    works(
        servers::memcached::shared(),
        "memcached",
        Prepared::NothingNeeded,
    )
    .await;
}

#[tokio::test]
async fn a_url_opens_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    for url in [
        format!("sqlite:{path}/sessions.db"),
        format!("sqlite://{path}/other.db?table=logins"),
        format!("sqlite:{path}/third.db?mode=rwc&table=logins"),
    ] {
        works(&url, "sqlite", Prepared::Ready).await;
    }
}

#[tokio::test]
async fn a_url_opens_postgres_and_its_schemas() {
    let url = servers::postgres::shared();
    let table = format!("table={}", table());
    works(&with(url, &table), "postgres", Prepared::Ready).await;
    let in_schema = with(url, &format!("{table}_2&schema=public"));
    works(&in_schema, "postgres", Prepared::Ready).await;
    let nowhere = with(url, &format!("{table}&schema=no_such_schema"));
    let store = Store::from_url(&nowhere).await.unwrap();
    assert!(store.load("session:a").await.is_err());
}

#[tokio::test]
async fn a_url_opens_mysql() {
    let url = servers::mariadb::shared();
    let (_, rest) = url.split_once(':').unwrap();
    for scheme in ["mysql", "mariadb"] {
        let url = with(&format!("{scheme}:{rest}"), &format!("table={}", table()));
        works(&url, "mysql", Prepared::Ready).await;
    }
}

#[tokio::test]
async fn a_url_opens_dynamodb() {
    let (table, endpoint) = (servers::unique("sessions"), servers::dynamodb::shared());
    let url = format!("dynamodb://test:test@us-west-2/{table}?endpoint={endpoint}");
    works(&url, "dynamodb", Prepared::Ready).await;
}

#[tokio::test]
async fn p10_a_bad_url_is_refused_and_not_quoted() {
    const SCHEMES: &str = "the URL of a store begins with memory:, file:, ";
    let closed = "127.0.0.1:1";
    for (url, message) in [
        ("hunter2", SCHEMES),
        ("", SCHEMES),
        ("mongodb://app:hunter2@localhost/hunter2", SCHEMES),
        ("REDIS://:hunter2@localhost", SCHEMES),
        ("memory:hunter2", "nothing comes after memory:"),
        ("file:", "names no folder"),
        ("file://hunter2/sessions", "a path from the root"),
        ("cachelib://hunter2", "a path from the root"),
        (
            "sqlite:hunter2.db?schema=hunter2",
            "only PostgreSQL has schemas",
        ),
        (
            "mysql://app:hunter2@localhost/app?schema=hunter2",
            "only PostgreSQL has schemas",
        ),
        ("sqlite:a.db?table=a&table=hunter2", "more than once"),
        ("sqlite::memory:?table=hunter2%3B", "the store refused"),
        (&format!("redis://:hunter2@{closed}"), "cannot be reached"),
        (&format!("rediss://:hunter2@{closed}"), "cannot be reached"),
        (
            &format!("redis+sentinel://:hunter2@{closed}/hunter2"),
            "cannot be reached",
        ),
        (
            &format!("redis+cluster://:hunter2@{closed}"),
            "cannot be reached",
        ),
        (
            "memcached://app:hunter2@localhost",
            "memcached://HOST[:PORT]",
        ),
        (
            &format!("postgres://app:hunter2@{closed}/hunter2"),
            "cannot be reached",
        ),
        (
            &format!("postgres://app:hunter2@{closed}/app?table=a"),
            "cannot be reached",
        ),
        (
            &format!("mysql://app:hunter2@{closed}/hunter2"),
            "cannot be reached",
        ),
        (
            "dynamodb://key:hunter2@us-west-2/hunter2/hunter2",
            "a table's name",
        ),
    ] {
        let error = Store::from_url(url).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(message), "{url}: {shown}");
        assert!(!shown.contains("hunter2"), "{url}: {shown}");
        if !message.contains("reached") {
            assert_eq!(error.kind(), StoreErrorKind::Refused, "{url}");
        }
    }
}
