//! DynamoDB keeps what every store promises, beside stock Flask-Session in the same table.
#![cfg(all(feature = "conformance", feature = "dynamodb"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    primitives::Blob,
    types::{AttributeValue, TimeToLiveStatus},
};
use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{
        CreateError, Driver, DynamoDbStore, MAX_DYNAMODB_VALUE, ReplaceError, Store, StoreError,
        StoreErrorKind,
        conformance::{Harness, Limits, Subject, assert_conforms},
    },
};
use servers::proxy::Proxy;

const NOW: u64 = 1_700_000_000;
const HOUR: Duration = Duration::from_secs(3600);

fn url(endpoint: &str, table: &str) -> String {
    format!("dynamodb://test:test@us-west-2/{table}?endpoint={endpoint}")
}

async fn connect(table: &str) -> DynamoDbStore {
    // A loaded test machine is no failure of the store.
    let patient = url(servers::dynamodb::shared(), table) + "&connect_timeout=20&read_timeout=20";
    DynamoDbStore::connect(&patient).await.unwrap()
}

async fn new_table(table: &str) -> DynamoDbStore {
    let store = connect(table).await;
    store.create_table().await.unwrap();
    store
}

/// AWS's own client, to look behind the store and to write as Flask-Session does.
fn client() -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-west-2"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(servers::dynamodb::shared());
    Client::from_conf(config.build())
}

/// Flask-Session's `_upsert_session`.
async fn flask_writes(table: String, key: String, value: Bytes, expiration: String) {
    client()
        .update_item()
        .table_name(table)
        .key("id", AttributeValue::S(key))
        .update_expression("SET val = :value, expiration = :exp")
        .expression_attribute_values(":value", AttributeValue::B(Blob::new(value)))
        .expression_attribute_values(":exp", AttributeValue::N(expiration))
        .send()
        .await
        .unwrap();
}

async fn item(table: &str, key: &str) -> Option<HashMap<String, AttributeValue>> {
    client()
        .get_item()
        .table_name(table)
        .key("id", AttributeValue::S(key.to_owned()))
        .send()
        .await
        .unwrap()
        .item
}

fn limits() -> Limits {
    Limits {
        max_value: Some(MAX_DYNAMODB_VALUE),
        ..Limits::default()
    }
}

/// The emulator answers one request after the other, on a machine that may have more to do.
fn patient(harness: Harness) -> Harness {
    harness.time_limit(Duration::from_secs(300))
}

async fn subject(clock: Clock) -> Subject {
    let table = servers::unique("conformance");
    let store = new_table(&table).await.clock(clock.clone());
    let twin = connect(&table).await.clock(clock.clone());
    Subject::new(store).twin(twin).foreign(move |key, value| {
        let expiration = format!("{}.520658016204833984375", clock.unix_seconds() + 3600);
        flask_writes(table.clone(), key, value, expiration)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_conforms_to_the_second() {
    let clock = Clock::manual(NOW);
    let hands = clock.clone();
    let harness = patient(Harness::new(move || subject(hands.clone())));
    assert_conforms(harness.clock(clock).limits(limits())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_conforms_on_the_systems_clock() {
    let harness = patient(Harness::new(|| subject(Clock::system())));
    assert_conforms(harness.limits(limits())).await;
}

#[tokio::test]
async fn the_item_is_flask_sessions() {
    let table = servers::unique("layout");
    let store = new_table(&table).await.clock(Clock::manual(NOW));
    let value = Bytes::from_static(b"\x81\xa1n\x01");
    store
        .create("session:abc", value.clone(), HOUR)
        .await
        .unwrap();
    let expected = HashMap::from([
        ("id".to_owned(), AttributeValue::S("session:abc".to_owned())),
        ("val".to_owned(), AttributeValue::B(Blob::new(value))),
        (
            "expiration".to_owned(),
            AttributeValue::N((NOW + 3600).to_string()),
        ),
    ]);
    assert_eq!(item(&table, "session:abc").await, Some(expected));
}

#[tokio::test]
async fn p5_flask_cannot_bring_a_deleted_session_back_even_after_the_tombstones_time() {
    let table = servers::unique("tombstone");
    let clock = Clock::manual(NOW);
    let store = new_table(&table).await.clock(clock.clone());
    let key = "session:abc";
    let value = Bytes::from_static(b"late");
    store.create(key, value.clone(), HOUR).await.unwrap();
    store
        .delete(key, None, Duration::from_secs(60))
        .await
        .unwrap();

    // Stock Flask-Session reads nil, which it takes for no session.
    let there = item(&table, key).await.unwrap();
    assert_eq!(there["val"], AttributeValue::B(Blob::new([0xC0])));
    let until = AttributeValue::N((NOW + 60).to_string());
    assert_eq!(
        (&there["gone_until"], &there["expiration"]),
        (&until, &until)
    );

    flask_writes(
        table.clone(),
        key.to_owned(),
        value,
        (NOW + 3600).to_string(),
    )
    .await;
    for _ in 0..2 {
        assert_eq!(store.load(key).await.unwrap(), None);
        clock.advance(Duration::from_secs(61));
    }
    // The id is free for a new session, and what Flask wrote is gone.
    let new = Bytes::from_static(b"new");
    store.create(key, new.clone(), HOUR).await.unwrap();
    assert_eq!(store.load(key).await.unwrap().unwrap().value, new);
}

#[tokio::test]
async fn a_shorter_deletion_does_not_shorten_a_tombstone() {
    let clock = Clock::manual(NOW);
    let store = new_table(&servers::unique("shorter"))
        .await
        .clock(clock.clone());
    store.delete("a", None, HOUR).await.unwrap();
    store
        .delete("a", None, Duration::from_secs(5))
        .await
        .unwrap();
    store.delete("a", None, Duration::ZERO).await.unwrap();
    clock.advance(Duration::from_secs(3599));
    let create = async || store.create("a", Bytes::new(), HOUR).await;
    assert_eq!(create().await.unwrap_err(), CreateError::Exists);
    clock.advance(Duration::from_secs(1));
    create().await.unwrap();
}

#[tokio::test]
async fn a_clean_up_goes_on_where_the_last_one_stopped() {
    let table = servers::unique("cleanup");
    let clock = Clock::manual(NOW);
    let store = new_table(&table).await.clock(clock.clone());
    for number in 0..5 {
        store
            .create(&format!("old{number}"), Bytes::new(), HOUR)
            .await
            .unwrap();
        store
            .create(&format!("new{number}"), Bytes::new(), 2 * HOUR)
            .await
            .unwrap();
    }
    store.delete("new0", None, HOUR).await.unwrap();
    // Flask's late write gives a tombstone a later expiration, and no later end.
    flask_writes(
        table,
        "new0".to_owned(),
        Bytes::new(),
        (NOW + 9999).to_string(),
    )
    .await;
    clock.advance(HOUR);
    let mut deleted = Vec::new();
    for _ in 0..4 {
        deleted.push(store.delete_expired(2).await.unwrap());
    }
    assert_eq!(deleted, [2, 2, 2, 0]);
    let page = store.list("", None, 100).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (4, None));
    assert!(
        page.entries
            .iter()
            .all(|entry| entry.expires_in == Some(HOUR))
    );
}

#[tokio::test]
async fn a_table_is_made_once_with_expiry_switched_on() {
    let table = servers::unique("made");
    let store = connect(&table).await;
    let missing = store.load("a").await.unwrap_err();
    assert_eq!(missing.kind(), StoreErrorKind::Refused);
    assert!(missing.to_string().contains("no such table"), "{missing}");
    store.create_table().await.unwrap();
    store.create_table().await.unwrap();
    let answer = client().describe_time_to_live().table_name(&table).send();
    let expiry = answer.await.unwrap().time_to_live_description.unwrap();
    assert_eq!(expiry.time_to_live_status, Some(TimeToLiveStatus::Enabled));
    assert_eq!(expiry.attribute_name.as_deref(), Some("expiration"));
}

#[tokio::test]
async fn p4_concurrent_replacements_lose_no_update() {
    let store = Store::new(new_table(&servers::unique("counter")).await).timeout(HOUR);
    store
        .create("n", Bytes::from_static(b"0"), HOUR)
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut base = store.load("n").await.unwrap().unwrap();
            let mut added = 0;
            while added < 10 {
                let number: u32 = std::str::from_utf8(&base.value).unwrap().parse().unwrap();
                let next = Bytes::from((number + 1).to_string());
                base = match store.replace("n", &base, next, HOUR).await {
                    Ok(record) => {
                        added += 1;
                        record
                    }
                    Err(ReplaceError::Changed(there)) => there,
                    Err(error) => panic!("{error}"),
                };
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(store.load("n").await.unwrap().unwrap().value, "80");
}

#[tokio::test]
async fn p9_a_failing_server_is_an_error_and_then_works_again() {
    let endpoint = servers::dynamodb::shared();
    let port = endpoint.rsplit(':').next().unwrap().parse().unwrap();
    let table = servers::unique("faults");
    let proxy = Proxy::start(port).unwrap();
    new_table(&table).await;
    let through = format!("http://127.0.0.1:{}", proxy.port());
    let store = DynamoDbStore::connect(&url(&through, &table))
        .await
        .unwrap();
    let base = store
        .create("a", Bytes::from_static(b"1"), HOUR)
        .await
        .unwrap();
    let kind = |error: StoreError| error.kind();

    proxy.refuse();
    assert_eq!(
        kind(store.load("a").await.unwrap_err()),
        StoreErrorKind::Unreachable
    );
    proxy.normal().unwrap();
    assert_eq!(store.load("a").await.unwrap().unwrap().value, base.value);

    proxy.black_hole().unwrap();
    assert_eq!(
        kind(store.load("a").await.unwrap_err()),
        StoreErrorKind::TimedOut
    );
    proxy.normal().unwrap();

    // The write happened and its answer was lost: it is not sent again, where it would find itself and
    // take that for a conflict.
    assert!(store.load("a").await.unwrap().is_some());
    proxy.cut_response_after(0);
    match store
        .replace("a", &base, Bytes::from_static(b"2"), HOUR)
        .await
    {
        Err(ReplaceError::Failed(error)) => assert_eq!(error.kind(), StoreErrorKind::Unreachable),
        answer => panic!("{answer:?}"),
    }
    assert_eq!(store.load("a").await.unwrap().unwrap().value, "2");
}

#[tokio::test]
async fn p10_errors_and_debug_hold_no_secret() {
    let error = DynamoDbStore::connect(
        "dynamodb://hush:hush@us-west-2/Sessions?endpoint=http://127.0.0.1:1",
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreachable);
    assert!(!format!("{error} {error:?}").contains("hush"));
    let store = DynamoDbStore::connect(&url(servers::dynamodb::shared(), "Hushed"))
        .await
        .unwrap();
    assert_eq!(
        format!("{store:?}"),
        r#"DynamoDbStore { table: "Hushed", .. }"#
    );
    let refused = store.load("").await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Refused);
}
