//! Sessions in MariaDB (and MySQL): Flask-Session's table, on a server whose time zone is not UTC.

#![cfg(all(feature = "mysql", feature = "conformance"))]
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
        CreateError, DeleteError, MySqlStore, ReplaceError, Store, StoreErrorKind, TouchError,
        conformance::{Harness, Limits, Subject, assert_conforms},
    },
};
use servers::proxy::Proxy;
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, Row};
use support::sql::{
    HOUR, asks_to_migrate, counts_exactly, deletes_again_and_again, misses_the_expiry_index,
    patient, recovers,
};

/// A database of one test's own on the server that all share.
struct Database(String);

impl Database {
    async fn new(name: &str) -> Self {
        let database = Self(servers::unique(name).replace('-', "_").to_lowercase());
        let make = format!("CREATE DATABASE {} CHARACTER SET utf8mb4", database.0);
        let mut connection = MySqlConnection::connect(servers::mariadb::shared())
            .await
            .unwrap();
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(make)))
            .await
            .unwrap();
        database
    }

    /// With the table that SQLAlchemy makes for Flask-Session's model.
    async fn of_flask(name: &str) -> Self {
        let database = Self::new(name).await;
        database
            .run(
                "CREATE TABLE sessions (
                 \tid INTEGER NOT NULL AUTO_INCREMENT,
                 \tsession_id VARCHAR(255),
                 \tdata BLOB,
                 \texpiry DATETIME,
                 \tPRIMARY KEY (id),
                 \tUNIQUE (session_id)
                 )",
            )
            .await;
        database
    }

    fn url(&self) -> String {
        let (server, _) = servers::mariadb::shared().rsplit_once('/').unwrap();
        format!("{server}/{}", self.0)
    }

    async fn unmigrated(&self) -> MySqlStore {
        let driver = MySqlStore::connect(&self.url()).await.unwrap();
        driver.timeout(Duration::from_secs(30))
    }

    async fn driver(&self) -> MySqlStore {
        let driver = self.unmigrated().await;
        driver.migrate().await.unwrap();
        driver
    }

    async fn store(&self) -> Store {
        patient(self.driver().await)
    }

    /// Another program, in the server's time zone.
    async fn neighbour(&self) -> MySqlConnection {
        let mut connection = MySqlConnection::connect(&self.url()).await.unwrap();
        let zone = "SET time_zone = '+05:45', sql_mode = ''";
        connection.execute(sqlx::raw_sql(zone)).await.unwrap();
        connection
    }

    async fn run(&self, sql: &'static str) {
        let mut neighbour = self.neighbour().await;
        neighbour.execute(sqlx::raw_sql(sql)).await.unwrap();
    }

    async fn texts<const N: usize>(&self, sql: &'static str) -> Vec<[String; N]> {
        let mut neighbour = self.neighbour().await;
        let rows = sqlx::query(sql).fetch_all(&mut neighbour).await.unwrap();
        rows.iter()
            .map(|row| std::array::from_fn(|column| row.get_unchecked(column)))
            .collect()
    }
}

async fn subject(database: Database, clock: Option<Clock>) -> Subject {
    let database = Arc::new(database);
    let (mut driver, mut twin) = (database.driver().await, database.driver().await);
    if let Some(clock) = &clock {
        driver = driver.clock(clock.clone());
        twin = twin.clock(clock.clone());
    }
    Subject::new(driver).twin(twin).foreign(move |key, value| {
        let (database, clock) = (database.clone(), clock.clone());
        async move {
            let sql = "REPLACE INTO sessions (session_id, data, expiry)
                       VALUES (?, ?, TIMESTAMP '1970-01-01 00:00:00' + INTERVAL ? SECOND)";
            let now = clock.unwrap_or_default().unix_seconds();
            let query = sqlx::query(sql).bind(key).bind(&value[..]);
            let query = query.bind(i64::try_from(now).unwrap() + 3600);
            query
                .execute(&mut database.neighbour().await)
                .await
                .unwrap();
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_conforms_to_the_second() {
    let clock = Clock::manual(1_700_000_000);
    let hands = clock.clone();
    let harness = Harness::new(move || {
        let clock = hands.clone();
        async move { subject(Database::new("kit").await, Some(clock)).await }
    });
    assert_conforms(harness.clock(clock)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_conforms_on_the_systems_clock() {
    let open = async || subject(Database::new("kit").await, None).await;
    assert_conforms(Harness::new(open)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_conforms_in_flasks_table() {
    let open = async || subject(Database::of_flask("kit").await, None).await;
    let limits = Limits {
        max_value: Some(65_535),
        ..Limits::default()
    };
    assert_conforms(Harness::new(open).limits(limits)).await;
}

#[tokio::test]
async fn p2_rows_are_flask_sessions_own_whatever_the_time_zone() {
    let database = Database::new("rows").await;
    let clock = Clock::manual(1_700_000_000);
    let store = patient(database.driver().await.clock(clock));
    let value = Bytes::from_static(b"\x80");
    // The column has whole seconds: a part of one rounds up.
    let ttl = Duration::from_millis(31 * 86_400_000 - 999);
    store.create("session:abc", value, ttl).await.unwrap();
    let rows = database.texts("SELECT session_id, HEX(data), CAST(expiry AS CHAR) FROM sessions");
    let rows: Vec<[String; 3]> = rows.await;
    assert_eq!(rows, [["session:abc", "80", "2023-12-15 22:13:20"]]);
}

#[tokio::test]
async fn p2_the_table_is_flask_sessions_with_room_for_more() {
    let ours = Database::new("ours").await;
    let flasks = Database::of_flask("flasks").await;
    let columns = "SELECT column_name, column_type, is_nullable, column_key FROM information_schema.columns
                   WHERE table_schema = DATABASE() AND table_name = 'sessions' ORDER BY ordinal_position";
    let flasks_before: Vec<[String; 4]> = flasks.texts(columns).await;
    // Both take a migration, again and again.
    for database in [&ours, &ours, &flasks, &flasks] {
        database.driver().await;
    }
    let mut ours: Vec<[String; 4]> = ours.texts(columns).await;
    let mut flasks_after: Vec<[String; 4]> = flasks.texts(columns).await;
    assert_eq!(flasks_after[3][3], "MUL", "expiry has an index");
    flasks_after[3][3].clear();
    assert_eq!(flasks_after, flasks_before, "nothing else is changed");
    assert_eq!(ours[2][1], "longblob");
    ours[2][1] = "blob".to_owned();
    ours[3][3].clear();
    assert_eq!(ours, flasks_before);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_that_migrate_at_once_make_one_table() {
    let database = Database::new("migrate").await;
    let mut drivers = Vec::new();
    for _ in 0..8 {
        drivers.push(database.unmigrated().await);
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
    let database = Database::of_flask("index").await;
    misses_the_expiry_index(database.unmigrated().await).await;
}

#[tokio::test]
async fn p2_rows_of_flask_session_are_read() {
    let database = Database::of_flask("read").await;
    database
        .run(
            "INSERT INTO sessions (session_id, data, expiry) VALUES
             ('session:live', x'81', UTC_TIMESTAMP() + INTERVAL 90 SECOND),
             ('session:last', x'81', '9999-12-31 23:59:59'),
             ('session:expired', x'81', UTC_TIMESTAMP() - INTERVAL 1 SECOND),
             ('session:endless', x'81', NULL)",
        )
        .await;
    let store = database.store().await;
    let live = store.load("session:live").await.unwrap().unwrap();
    assert_eq!(&live.value[..], [0x81]);
    let left = live.expires_in.unwrap();
    assert!(
        left > Duration::from_secs(30) && left <= Duration::from_secs(90),
        "{left:?}"
    );
    assert!(store.load("session:last").await.unwrap().is_some());
    for key in ["session:expired", "session:endless"] {
        assert_eq!(store.load(key).await.unwrap(), None, "{key}");
        let touched = store.touch(key, HOUR).await;
        assert!(matches!(touched, Err(TouchError::NotFound)), "{key}");
        let value = Bytes::from_static(b"new");
        store.create(key, value.clone(), HOUR).await.unwrap();
        assert_eq!(store.load(key).await.unwrap().unwrap().value, value);
        let again = store.create(key, value, HOUR).await;
        assert!(matches!(again, Err(CreateError::Exists)));
    }
}

#[tokio::test]
async fn p2_ids_that_differ_in_case_or_trailing_spaces_are_never_confused() {
    let ours = Database::new("case").await;
    let store = ours.store().await;
    for key in ["session:a", "session:A", "session:a ", "session:ä"] {
        let value = Bytes::copy_from_slice(key.as_bytes());
        store.create(key, value, HOUR).await.unwrap();
    }
    for key in ["session:a", "session:A", "session:a ", "session:ä"] {
        let base = store.load(key).await.unwrap().unwrap();
        assert_eq!(base.value, key);
        store.touch(key, HOUR).await.unwrap();
        store.delete(key, Some(&base), HOUR).await.unwrap();
        assert_eq!(store.load(key).await.unwrap(), None);
    }
    // Flask's table takes such ids for one: then there is one, and nobody else gets at it.
    let flasks = Database::of_flask("flask_case").await;
    let store = flasks.store().await;
    let value = Bytes::from_static(b"one");
    let base = store
        .create("session:a", value.clone(), HOUR)
        .await
        .unwrap();
    for key in ["session:A", "session:a ", "session:ä"] {
        assert_eq!(store.load(key).await.unwrap(), None, "{key}");
        let touched = store.touch(key, HOUR).await;
        assert!(matches!(touched, Err(TouchError::NotFound)), "{key}");
        let replaced = store.replace(key, &base, value.clone(), HOUR).await;
        assert!(matches!(replaced, Err(ReplaceError::NotFound)), "{key}");
        let deleted = store.delete(key, Some(&base), HOUR).await;
        assert!(matches!(deleted, Err(DeleteError::NotFound)), "{key}");
        store.delete(key, None, Duration::ZERO).await.unwrap();
    }
    assert!(store.load("session:a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_value_too_large_for_flasks_table_is_refused_and_not_cut_off() {
    let flasks = Database::of_flask("large").await;
    // Cutting off is what the server would do.
    flasks.run("SET GLOBAL sql_mode = ''").await;
    let store = flasks.store().await;
    let fits = Bytes::from(vec![b'x'; 65_535]);
    let large = Bytes::from(vec![b'x'; 65_536]);
    let Err(CreateError::Failed(error)) = store.create("session:b", large.clone(), HOUR).await
    else {
        panic!("created");
    };
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("LONGBLOB"), "{error}");
    let base = store.create("session:a", fits.clone(), HOUR).await.unwrap();
    let Err(ReplaceError::Failed(error)) = store.replace("session:a", &base, large, HOUR).await
    else {
        panic!("replaced");
    };
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert_eq!(store.load("session:a").await.unwrap().unwrap().value, fits);

    // More than the server takes in one packet.
    let ours = Database::new("packet").await.store().await;
    let huge = Bytes::from(vec![b'x'; 20 << 20]);
    assert!(ours.create("session:a", huge, HOUR).await.is_err());
    let large = Bytes::from(vec![b'x'; 4 << 20]);
    let base = ours.create("session:a", large.clone(), HOUR).await.unwrap();
    let base = ours.replace("session:a", &base, large, HOUR).await.unwrap();
    assert_eq!(
        ours.load("session:a").await.unwrap().unwrap().value,
        base.value
    );
}

#[tokio::test]
async fn p4_a_foreign_update_is_a_conflict_not_a_loss() {
    let database = Database::new("foreign").await;
    let store = database.store().await;
    let value = Bytes::from_static(b"one");
    let base = store.create("session:a", value, HOUR).await.unwrap();
    database.run("UPDATE sessions SET data = x'74776f'").await;
    let value = Bytes::from_static(b"three");
    let replaced = store.replace("session:a", &base, value, HOUR).await;
    assert!(matches!(replaced, Err(ReplaceError::Changed(there)) if there.value == "two"));
    let deleted = store.delete("session:a", Some(&base), HOUR).await;
    assert!(matches!(deleted, Err(DeleteError::Changed(there)) if there.value == "two"));
}

#[tokio::test]
async fn p5_a_late_write_of_a_neighbour_does_not_undo_a_logout() {
    let database = Database::new("late").await;
    let store = database.store().await;
    let value = Bytes::from_static(b"in");
    let base = store
        .create("session:a", value.clone(), HOUR)
        .await
        .unwrap();
    store.delete("session:a", Some(&base), HOUR).await.unwrap();
    database
        .run("INSERT INTO sessions (session_id, data, expiry) VALUES ('session:a', x'696e', '2100-01-01')")
        .await;
    let replaced = store.replace("session:a", &base, value.clone(), HOUR).await;
    assert!(matches!(replaced, Err(ReplaceError::NotFound)));
    let created = store.create("session:a", value, HOUR).await;
    assert!(matches!(created, Err(CreateError::Exists)));
    assert_eq!(store.load("session:a").await.unwrap(), None);
    let rows: Vec<[String; 2]> = database
        .texts("SELECT session_id, HEX(data) FROM sessions")
        .await;
    assert_eq!(
        rows,
        [["session:a:gone", "C0"]],
        "the late write is removed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_two_hundred_increments_at_once_all_count() {
    let database = Database::new("count").await;
    counts_exactly(database.store().await, "session:count", 200, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_neighbouring_ids_do_not_deadlock() {
    let database = Database::new("neighbours").await;
    let store = database.store().await;
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..5 {
                    let key = format!("session:{:02}:{round}", number % 20);
                    let value = Bytes::from_static(b"one");
                    match store.create(&key, value.clone(), HOUR).await {
                        Ok(base) => {
                            let replaced = store.replace(&key, &base, value, HOUR).await;
                            assert!(
                                !matches!(replaced, Err(ReplaceError::Failed(_))),
                                "{replaced:?}"
                            );
                        }
                        Err(CreateError::Exists) => {}
                        Err(error) => panic!("{error}"),
                    }
                    store.delete(&key, None, HOUR).await.unwrap();
                }
            })
        })
        .collect();
    let sweeper = store.clone();
    let sweeper = tokio::spawn(async move {
        for _ in 0..50 {
            sweeper.delete_expired(10).await.unwrap();
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    sweeper.await.unwrap();
    let page = store.list("", None, 1000).await.unwrap();
    assert!(page.entries.is_empty(), "all are deleted");
}

#[tokio::test]
async fn a_missing_table_is_refused_with_advice() {
    let database = Database::new("missing").await;
    asks_to_migrate(&patient(database.unmigrated().await)).await;
}

#[tokio::test]
async fn p10_errors_quote_neither_keys_nor_the_password() {
    let database = Database::new("errors").await;
    let store = database.store().await;
    for key in ["session:secret:gone", &"secret".repeat(60)] {
        let value = Bytes::from_static(b"secret");
        let Err(CreateError::Failed(error)) = store.create(key, value, HOUR).await else {
            panic!("{key:?} was created");
        };
        assert_eq!(error.kind(), StoreErrorKind::Refused);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    let wrong = database.url().replace(servers::mariadb::PASSWORD, "secret");
    for url in [
        wrong.as_str(),
        "mysql://secret@localhost:x/",
        "postgres://secret@localhost/",
    ] {
        let error = MySqlStore::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused, "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    let shown = format!("{:?}", database.unmigrated().await);
    assert!(!shown.contains(servers::mariadb::PASSWORD), "{shown}");
}

#[tokio::test]
async fn removing_what_has_expired_uses_the_index() {
    let database = Database::new("expired").await;
    let clock = Clock::manual(1_700_000_000);
    let store = patient(database.driver().await.clock(clock.clone()));
    for number in 0..25 {
        let ttl = Duration::from_secs(if number < 20 { 60 } else { 6000 });
        let key = format!("session:{number}");
        store.create(&key, Bytes::new(), ttl).await.unwrap();
    }
    clock.advance(Duration::from_secs(60));
    let batches = [
        store.delete_expired(15).await.unwrap(),
        store.delete_expired(15).await.unwrap(),
        store.delete_expired(15).await.unwrap(),
    ];
    assert_eq!(batches, [15, 5, 0]);
    let plan = sqlx::query(
        "EXPLAIN DELETE FROM sessions WHERE expiry <= (TIMESTAMP '1970-01-01 00:00:00' + INTERVAL 1 MICROSECOND)
         ORDER BY expiry LIMIT 10",
    );
    let plan = plan
        .fetch_one(&mut database.neighbour().await)
        .await
        .unwrap();
    assert_eq!(plan.get_unchecked::<String, _>("key"), "sessions_expiry");
    // No statement reads the whole table or needs a temporary one on the disk.
    let lookup = sqlx::query(
        "EXPLAIN UPDATE sessions SET expiry = expiry WHERE session_id = 'session:21' AND NOT EXISTS
         (SELECT 1 FROM (SELECT 1 FROM sessions WHERE session_id = 'b' AND expiry > '2020-01-01' LIMIT 1) AS gone)",
    );
    let lookup = lookup
        .fetch_all(&mut database.neighbour().await)
        .await
        .unwrap();
    for row in lookup {
        let table: Option<String> = row.get_unchecked("table");
        if table.as_deref() == Some("sessions") {
            assert_ne!(
                row.get_unchecked::<Option<String>, _>("type").as_deref(),
                Some("ALL")
            );
        }
    }
}

async fn migrated(url: &str) -> MySqlStore {
    let driver = MySqlStore::connect(url).await.unwrap();
    driver.migrate().await.unwrap();
    driver
}

#[tokio::test(flavor = "multi_thread")]
async fn p9_a_restart_of_the_server_is_survived() {
    let server = servers::mariadb::start().unwrap();
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
    let server = servers::mariadb::start().unwrap();
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
    let server = servers::mariadb::start().unwrap();
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
    let before = proxy.accepted();
    for _ in 0..50 {
        store.load("session:a").await.unwrap();
    }
    assert!(proxy.accepted() <= before + 1, "connections are used again");
}

#[tokio::test]
async fn p5_a_deletion_lasts_whatever_tombstone_was_there() {
    let database = Database::new("again").await;
    let clock = Clock::manual(1_700_000_000);
    let store = patient(database.driver().await.clock(clock.clone()));
    deletes_again_and_again(&store, &clock, "session:a").await;
}
