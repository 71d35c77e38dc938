//! Sessions in PostgreSQL: Flask-Session's table, on a server whose time zone is not UTC.

#![cfg(all(feature = "postgres", feature = "conformance"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{
        CreateError, DeleteError, PostgresStore, ReplaceError, Store, StoreErrorKind, TouchError,
        conformance::{Harness, Subject, assert_conforms},
    },
};
use servers::proxy::Proxy;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use support::sql::{
    HOUR, asks_to_migrate, counts_exactly, deletes_again_and_again, misses_the_expiry_index,
    patient, recovers,
};

/// A schema of one test's own on the server that all share.
struct Schema(String);

impl Schema {
    async fn new(name: &str) -> Self {
        let schema = servers::unique(name).replace('-', "_");
        let schema = Self(schema.to_lowercase());
        let make = format!("CREATE SCHEMA {}", schema.0);
        let mut connection = PgConnection::connect(servers::postgres::shared())
            .await
            .unwrap();
        connection.execute(AssertSqlSafe(make)).await.unwrap();
        schema
    }

    async fn unmigrated(&self) -> PostgresStore {
        let driver = PostgresStore::connect(servers::postgres::shared())
            .await
            .unwrap();
        let driver = driver.timeout(Duration::from_secs(30));
        driver.schema(self.0.as_str()).unwrap()
    }

    async fn driver(&self) -> PostgresStore {
        let driver = self.unmigrated().await;
        driver.migrate().await.unwrap();
        driver
    }

    async fn store(&self) -> Store {
        patient(self.driver().await)
    }

    /// Another program, to which `sessions` is this schema's table.
    async fn neighbour(&self) -> PgConnection {
        let mut connection = PgConnection::connect(servers::postgres::shared())
            .await
            .unwrap();
        let path = format!(
            "SET search_path = {}; SET TimeZone = 'Asia/Kathmandu'",
            self.0
        );
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(path)))
            .await
            .unwrap();
        connection
    }

    async fn run(&self, sql: &'static str) {
        self.neighbour().await.execute(sql).await.unwrap();
    }
}

/// What SQLAlchemy writes for Flask-Session's model.
const FLASK_TABLE: &str = "CREATE TABLE sessions (
\tid SERIAL NOT NULL, 
\tsession_id VARCHAR(255), 
\tdata BYTEA, 
\texpiry TIMESTAMP WITHOUT TIME ZONE, 
\tPRIMARY KEY (id), 
\tUNIQUE (session_id)
)";

async fn subject(clock: Option<Clock>) -> Subject {
    let schema = Arc::new(Schema::new("kit").await);
    let (mut driver, mut twin) = (schema.driver().await, schema.driver().await);
    if let Some(clock) = &clock {
        driver = driver.clock(clock.clone());
        twin = twin.clock(clock.clone());
    }
    Subject::new(driver).twin(twin).foreign(move |key, value| {
        let (schema, clock) = (schema.clone(), clock.clone());
        async move {
            let sql = "INSERT INTO sessions (session_id, data, expiry)
                       VALUES ($1, $2, to_timestamp($3::bigint) AT TIME ZONE 'UTC')
                       ON CONFLICT (session_id) DO UPDATE SET data = excluded.data, expiry = excluded.expiry";
            let now = clock.unwrap_or_default().unix_seconds();
            let query = sqlx::query(sql).bind(key).bind(&value[..]);
            let query = query.bind(i64::try_from(now).unwrap() + 3600);
            query.execute(&mut schema.neighbour().await).await.unwrap();
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_conforms_to_the_second() {
    let clock = Clock::manual(1_700_000_000);
    let hands = clock.clone();
    let harness = Harness::new(move || subject(Some(hands.clone())));
    assert_conforms(harness.clock(clock)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_conforms_on_the_systems_clock() {
    assert_conforms(Harness::new(|| subject(None))).await;
}

#[tokio::test]
async fn p2_rows_are_flask_sessions_own_whatever_the_time_zone() {
    let schema = Schema::new("rows").await;
    let clock = Clock::manual(1_700_000_000);
    let store = patient(schema.driver().await.clock(clock));
    let value = Bytes::from_static(b"\x80");
    let ttl = Duration::from_secs(31 * 86_400);
    store.create("session:abc", value, ttl).await.unwrap();
    let query = sqlx::query("SELECT session_id, data, expiry::text FROM sessions");
    let row = query
        .fetch_one(&mut schema.neighbour().await)
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>(0), "session:abc");
    assert_eq!(row.get::<Vec<u8>, _>(1), [0x80]);
    assert_eq!(row.get::<String, _>(2), "2023-12-15 22:13:20");
}

#[tokio::test]
async fn p2_the_table_is_the_one_that_flask_session_makes() {
    let ours = Schema::new("ours").await;
    let flasks = Schema::new("flasks").await;
    ours.driver().await;
    flasks.run(FLASK_TABLE).await;
    let mut columns = Vec::new();
    for schema in [&ours, &flasks] {
        let query = sqlx::query(
            "SELECT column_name::text, data_type::text, is_nullable::text, character_maximum_length::text
             FROM information_schema.columns WHERE table_schema = $1 ORDER BY ordinal_position",
        );
        let rows = query
            .bind(&schema.0)
            .fetch_all(&mut schema.neighbour().await)
            .await
            .unwrap();
        let rows: Vec<[Option<String>; 4]> = rows
            .iter()
            .map(|row| [row.get(0), row.get(1), row.get(2), row.get(3)])
            .collect();
        columns.push(rows);
    }
    assert_eq!(columns[0].len(), 4);
    assert_eq!(columns[0], columns[1]);
    // Both take a migration, again and again.
    for schema in [&ours, &flasks, &flasks] {
        schema.driver().await;
    }
    let index = sqlx::query(
        "SELECT 1 FROM pg_indexes WHERE schemaname = $1 AND indexname = 'sessions_expiry'",
    );
    let index = index
        .bind(&flasks.0)
        .fetch_all(&mut flasks.neighbour().await)
        .await
        .unwrap();
    assert_eq!(index.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_that_migrate_at_once_make_one_table() {
    let schema = Schema::new("migrate").await;
    let mut drivers = Vec::new();
    for _ in 0..8 {
        drivers.push(schema.unmigrated().await);
    }
    let tasks: Vec<_> = drivers
        .into_iter()
        .map(|driver| tokio::spawn(async move { driver.migrate().await }))
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_index_that_flask_session_does_not_make_is_missed_until_it_is_made() {
    let schema = Schema::new("index").await;
    schema.run(FLASK_TABLE).await;
    misses_the_expiry_index(schema.unmigrated().await).await;
}

#[tokio::test]
async fn p2_rows_of_flask_session_are_read() {
    let schema = Schema::new("read").await;
    schema.run(FLASK_TABLE).await;
    schema
        .run(
            "INSERT INTO sessions (session_id, data, expiry) VALUES
             ('session:live', '\\x81', (now() AT TIME ZONE 'UTC') + interval '90 seconds'),
             ('session:forever', '\\x81', 'infinity'),
             ('session:expired', '\\x81', (now() AT TIME ZONE 'UTC') - interval '1 second'),
             ('session:endless', '\\x81', NULL)",
        )
        .await;
    let store = schema.store().await;
    let live = store.load("session:live").await.unwrap().unwrap();
    assert_eq!(&live.value[..], [0x81]);
    let left = live.expires_in.unwrap();
    assert!(
        left > Duration::from_secs(30) && left <= Duration::from_secs(90),
        "{left:?}"
    );
    assert!(store.load("session:forever").await.unwrap().is_some());
    for key in ["session:expired", "session:endless"] {
        assert_eq!(store.load(key).await.unwrap(), None, "{key}");
        let touched = store.touch(key, HOUR).await;
        assert!(matches!(touched, Err(TouchError::NotFound)), "{key}");
        let value = Bytes::from_static(b"new");
        store.create(key, value.clone(), HOUR).await.unwrap();
        assert_eq!(store.load(key).await.unwrap().unwrap().value, value);
    }
}

#[tokio::test]
async fn p4_a_foreign_update_is_a_conflict_not_a_loss() {
    let schema = Schema::new("foreign").await;
    let store = schema.store().await;
    let value = Bytes::from_static(b"one");
    let base = store.create("session:a", value, HOUR).await.unwrap();
    schema.run("UPDATE sessions SET data = '\\x74776f'").await;
    let value = Bytes::from_static(b"three");
    let replaced = store.replace("session:a", &base, value, HOUR).await;
    assert!(matches!(replaced, Err(ReplaceError::Changed(there)) if there.value == "two"));
    let deleted = store.delete("session:a", Some(&base), HOUR).await;
    assert!(matches!(deleted, Err(DeleteError::Changed(there)) if there.value == "two"));
}

#[tokio::test]
async fn p5_a_late_write_of_a_neighbour_does_not_undo_a_logout() {
    let schema = Schema::new("late").await;
    let store = schema.store().await;
    let value = Bytes::from_static(b"in");
    let base = store
        .create("session:a", value.clone(), HOUR)
        .await
        .unwrap();
    store.delete("session:a", Some(&base), HOUR).await.unwrap();
    schema
        .run("INSERT INTO sessions (session_id, data, expiry) VALUES ('session:a', '\\x696e', '2100-01-01')")
        .await;
    let replaced = store.replace("session:a", &base, value.clone(), HOUR).await;
    assert!(matches!(replaced, Err(ReplaceError::NotFound)));
    let created = store.create("session:a", value, HOUR).await;
    assert!(matches!(created, Err(CreateError::Exists)));
    assert_eq!(store.load("session:a").await.unwrap(), None);
    let query = sqlx::query("SELECT session_id, data FROM sessions");
    let rows = query
        .fetch_all(&mut schema.neighbour().await)
        .await
        .unwrap();
    assert_eq!(rows.len(), 1, "the late write is removed");
    assert_eq!(rows[0].get::<String, _>(0), "session:a:gone");
    assert_eq!(rows[0].get::<Vec<u8>, _>(1), [0xC0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_two_hundred_increments_at_once_all_count() {
    let schema = Schema::new("count").await;
    counts_exactly(schema.store().await, "session:count", 200, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_no_update_is_lost_where_the_server_is_set_to_serializable() {
    let schema = Schema::new("serializable").await;
    schema.driver().await;
    let url = servers::postgres::shared();
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}options=-c%20default_transaction_isolation%3Dserializable");
    let driver = PostgresStore::connect(&url).await.unwrap();
    let driver = driver.timeout(Duration::from_secs(30));
    let store = patient(driver.schema(schema.0.as_str()).unwrap());
    counts_exactly(store, "session:count", 20, 5).await;
}

#[tokio::test]
async fn a_missing_table_is_refused_with_advice() {
    let schema = Schema::new("missing").await;
    asks_to_migrate(&patient(schema.unmigrated().await)).await;
}

#[tokio::test]
async fn p10_errors_quote_neither_keys_nor_the_password() {
    let schema = Schema::new("errors").await;
    let store = schema.store().await;
    for key in [
        "session:secret\0",
        "session:secret:gone",
        &"secret".repeat(60),
    ] {
        let value = Bytes::from_static(b"secret");
        let Err(CreateError::Failed(error)) = store.create(key, value, HOUR).await else {
            panic!("{key:?} was created");
        };
        assert_eq!(error.kind(), StoreErrorKind::Refused);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    // The connection is as good as before.
    assert_eq!(store.load("session:a").await.unwrap(), None);

    let wrong = servers::postgres::shared().replace(servers::postgres::PASSWORD, "secret");
    for url in [
        wrong.as_str(),
        "postgres://secret@localhost:x/",
        "mysql://secret@localhost/",
    ] {
        let error = PostgresStore::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused, "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    let shown = format!("{:?}", schema.unmigrated().await);
    assert!(!shown.contains(servers::postgres::PASSWORD), "{shown}");
}

#[tokio::test]
async fn removing_what_has_expired_uses_the_index_and_passes_locked_rows_by() {
    let schema = Schema::new("expired").await;
    let clock = Clock::manual(1_700_000_000);
    let store = patient(schema.driver().await.clock(clock.clone()));
    for number in 0..25 {
        let ttl = Duration::from_secs(if number < 20 { 60 } else { 6000 });
        let key = format!("session:{number}");
        store.create(&key, Bytes::new(), ttl).await.unwrap();
    }
    clock.advance(Duration::from_secs(60));
    let mut neighbour = schema.neighbour().await;
    neighbour.execute("BEGIN").await.unwrap();
    neighbour
        .execute("SELECT 1 FROM sessions WHERE session_id = 'session:3' FOR UPDATE")
        .await
        .unwrap();
    let batches = [
        store.delete_expired(15).await.unwrap(),
        store.delete_expired(15).await.unwrap(),
    ];
    assert_eq!(batches, [15, 4]);
    neighbour.execute("ROLLBACK").await.unwrap();
    assert_eq!(store.delete_expired(15).await.unwrap(), 1);
    schema
        .run("INSERT INTO sessions (session_id, expiry) SELECT g::text, '2020-01-01' FROM generate_series(1, 5000) g; ")
        .await;
    schema.run("ANALYZE sessions").await;
    let plan = sqlx::query(
        "EXPLAIN DELETE FROM sessions WHERE id = ANY (ARRAY (SELECT id FROM sessions
         WHERE expiry <= '2020-01-02' ORDER BY expiry LIMIT 10 FOR UPDATE SKIP LOCKED))",
    );
    let plan = plan.fetch_all(&mut schema.neighbour().await).await.unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    assert!(plan.join("\n").contains("sessions_expiry"), "{plan:#?}");
}

async fn migrated(url: &str) -> PostgresStore {
    let driver = PostgresStore::connect(url).await.unwrap();
    driver.migrate().await.unwrap();
    driver
}

#[tokio::test(flavor = "multi_thread")]
async fn p9_a_restart_of_the_server_is_survived() {
    let server = servers::postgres::start().unwrap();
    let store = Store::new(migrated(server.url()).await).without_breaker();
    let value = Bytes::from_static(b"one");
    store.create("session:a", value, HOUR).await.unwrap();
    // Several connections, all of which break.
    let loads: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.load("session:a").await })
        })
        .collect();
    for load in loads {
        load.await.unwrap().unwrap();
    }
    server.stop().unwrap();
    let start = Instant::now();
    for _ in 0..5 {
        let error = store.load("session:a").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{error}");
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "a server that is down costs no waiting"
    );
    server.start_again().unwrap();
    recovers(&store, "session:a").await;
    // A crash, and quickly back, so that the store finds only broken connections.
    server.kill().unwrap();
    server.start_again().unwrap();
    recovers(&store, "session:a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p9_a_server_that_hangs_costs_the_time_limit_and_no_more() {
    let server = servers::postgres::start().unwrap();
    let driver = migrated(server.url())
        .await
        .timeout(Duration::from_millis(500));
    let store = Store::new(driver).without_breaker();
    let value = Bytes::from_static(b"one");
    store.create("session:a", value, HOUR).await.unwrap();
    server.pause().unwrap();
    // Threads stop one by one.
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..3 {
        let start = Instant::now();
        store.load("session:a").await.unwrap_err();
        assert!(
            start.elapsed() < Duration::from_millis(1500),
            "{:?}",
            start.elapsed()
        );
    }
    server.resume().unwrap();
    recovers(&store, "session:a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_given_up_half_way_leaves_no_answer_to_the_next() {
    let server = servers::postgres::start().unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let store = Store::new(migrated(&server.url_through(proxy.port())).await);
    for key in ["session:a", "session:b"] {
        let value = Bytes::copy_from_slice(key.as_bytes());
        store.create(key, value, HOUR).await.unwrap();
    }
    for micros in (0..2000).step_by(50) {
        let load = store.load("session:a");
        let _ = tokio::time::timeout(Duration::from_micros(micros), load).await;
        let other = store.load("session:b").await.unwrap().unwrap();
        assert_eq!(other.value, "session:b");
    }
    // A connection is used again and again: one more at the most is opened for the calls one after another.
    let before = proxy.accepted();
    for _ in 0..50 {
        store.load("session:a").await.unwrap();
    }
    assert!(proxy.accepted() <= before + 1);
}

#[tokio::test]
async fn p5_a_deletion_lasts_whatever_tombstone_was_there() {
    let schema = Schema::new("again").await;
    let clock = Clock::manual(1_700_000_000);
    let store = patient(schema.driver().await.clock(clock.clone()));
    deletes_again_and_again(&store, &clock, "session:a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_asks_no_connection_first_and_reads_again_where_it_broke() {
    let server = servers::postgres::start().unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let store = patient(migrated(&server.url_through(proxy.port())).await);
    let value = Bytes::from_static(b"one");
    store.create("session:a", value, HOUR).await.unwrap();
    store.load("session:a").await.unwrap().unwrap();
    // So long that a connection is asked before it writes.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let before = proxy.round_trips();
    let base = store.load("session:a").await.unwrap().unwrap();
    assert_eq!(proxy.round_trips() - before, 1);
    proxy.cut();
    assert_eq!(
        store.load("session:a").await.unwrap().unwrap().value,
        base.value
    );
    // Nor does a write meet a connection that broke long ago.
    proxy.cut();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let value = Bytes::from_static(b"two");
    store
        .replace("session:a", &base, value, HOUR)
        .await
        .unwrap();
}
