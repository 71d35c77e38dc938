//! Sessions in SQLite: Flask-Session's table, shared with whoever else has the file open.

#![cfg(all(feature = "sqlite", feature = "conformance"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{
        CreateError, ReplaceError, SqliteStore, Store, StoreErrorKind,
        conformance::{Harness, Subject, assert_conforms},
    },
};
use sqlx::{Connection, Executor, Row, SqliteConnection};
use support::sql::{
    HOUR, Rows, asks_to_migrate, counts_exactly, deletes_again_and_again, misses_the_expiry_index,
    patient,
};
use tempfile::TempDir;

/// What SQLAlchemy writes for Flask-Session's model.
const FLASK_TABLE: &str = "CREATE TABLE sessions (
\tid INTEGER NOT NULL, 
\tsession_id VARCHAR(255), 
\tdata BLOB, 
\texpiry DATETIME, 
\tPRIMARY KEY (id), 
\tUNIQUE (session_id)
)";

/// A database file, in a folder that is removed when the last of its files is dropped.
struct File {
    folder: Arc<TempDir>,
    name: String,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::within(&Arc::new(folder))
    }

    fn within(folder: &Arc<TempDir>) -> Self {
        Self {
            folder: folder.clone(),
            name: servers::unique("sessions"),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    async fn driver(&self) -> SqliteStore {
        let driver = SqliteStore::connect(&self.url()).await.unwrap();
        driver.migrate().await.unwrap();
        driver.timeout(Duration::from_secs(30))
    }

    async fn store(&self) -> Store {
        patient(self.driver().await)
    }

    /// Another program that has the file open.
    async fn neighbour(&self) -> SqliteConnection {
        let url = format!("{}?mode=rwc", self.url());
        SqliteConnection::connect(&url).await.unwrap()
    }

    async fn rows(&self) -> Rows {
        let query = sqlx::query("SELECT session_id, data, expiry FROM sessions ORDER BY id");
        let rows = query.fetch_all(&mut self.neighbour().await).await.unwrap();
        rows.iter()
            .map(|row| {
                (
                    row.get_unchecked(0),
                    row.get_unchecked(1),
                    row.get_unchecked(2),
                )
            })
            .collect()
    }
}

async fn subject(file: File, clock: Option<Clock>) -> Subject {
    let (mut driver, mut twin) = (file.driver().await, file.driver().await);
    if let Some(clock) = &clock {
        driver = driver.clock(clock.clone());
        twin = twin.clock(clock.clone());
    }
    let file = Arc::new(file);
    Subject::new(driver).twin(twin).foreign(move |key, value| {
        let (file, clock) = (file.clone(), clock.clone());
        async move {
            let sql = "INSERT INTO sessions (session_id, data, expiry) VALUES (?, ?, datetime(?, 'unixepoch') || '.000000')
                       ON CONFLICT (session_id) DO UPDATE SET data = excluded.data, expiry = excluded.expiry";
            let now = clock.unwrap_or_default().unix_seconds();
            let query = sqlx::query(sql).bind(key).bind(&value[..]);
            let query = query.bind(i64::try_from(now).unwrap() + 3600);
            query.execute(&mut file.neighbour().await).await.unwrap();
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms_to_the_second() {
    let clock = Clock::manual(1_700_000_000);
    let hands = clock.clone();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let harness = Harness::new(move || subject(File::within(&folder), Some(hands.clone())));
    assert_conforms(harness.clock(clock)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms_on_the_systems_clock() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    assert_conforms(Harness::new(move || subject(File::within(&folder), None))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_in_memory_conforms() {
    assert_conforms(Harness::new(async || {
        let driver = SqliteStore::connect("sqlite::memory:").await.unwrap();
        driver.migrate().await.unwrap();
        driver.timeout(Duration::from_secs(30))
    }))
    .await;
}

#[tokio::test]
async fn p2_rows_are_flask_sessions_own() {
    let file = File::new();
    let clock = Clock::manual(1_700_000_000);
    let store = patient(file.driver().await.clock(clock));
    let ttl = Duration::from_secs(31 * 86_400);
    store
        .create("session:abc", Bytes::from_static(b"\x80"), ttl)
        .await
        .unwrap();
    let expected = (
        "session:abc".to_owned(),
        vec![0x80],
        "2023-12-15 22:13:20.000000".to_owned(),
    );
    assert_eq!(file.rows().await, [expected]);
    let types = sqlx::query("SELECT typeof(data), typeof(expiry) FROM sessions");
    let types = types.fetch_one(&mut file.neighbour().await).await.unwrap();
    assert_eq!(types.get::<String, _>(0), "blob");
    assert_eq!(types.get::<String, _>(1), "text");
}

#[tokio::test]
async fn p2_the_table_is_the_one_that_flask_session_makes() {
    let (ours, flasks) = (File::new(), File::new());
    ours.driver().await;
    let mut neighbour = flasks.neighbour().await;
    neighbour.execute(FLASK_TABLE).await.unwrap();
    let mut columns = Vec::new();
    for mut connection in [ours.neighbour().await, neighbour] {
        let info =
            sqlx::query("SELECT name, type, \"notnull\", pk FROM pragma_table_info('sessions')");
        let rows = info.fetch_all(&mut connection).await.unwrap();
        let rows: Vec<(String, String, i64, i64)> = rows
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
            .collect();
        columns.push(rows);
    }
    assert_eq!(columns[0], columns[1]);
}

#[tokio::test]
async fn the_index_that_flask_session_does_not_make_is_missed_until_it_is_made() {
    let file = File::new();
    file.neighbour().await.execute(FLASK_TABLE).await.unwrap();
    misses_the_expiry_index(SqliteStore::connect(&file.url()).await.unwrap()).await;
}

#[tokio::test]
async fn p2_rows_of_flask_session_are_read() {
    let file = File::new();
    let mut neighbour = file.neighbour().await;
    neighbour.execute(FLASK_TABLE).await.unwrap();
    neighbour
        .execute(
            "INSERT INTO sessions (session_id, data, expiry) VALUES
             ('session:live', x'81', '2100-01-01 00:00:00.500000'),
             ('session:expired', x'81', '2020-01-01 00:00:00.000000'),
             ('session:endless', x'81', NULL)",
        )
        .await
        .unwrap();
    let store = file.store().await;
    let live = store.load("session:live").await.unwrap().unwrap();
    assert_eq!(live.value, "\u{81}".as_bytes()[1..]);
    assert!(live.expires_in.unwrap() > HOUR);
    for key in ["session:expired", "session:endless"] {
        assert_eq!(store.load(key).await.unwrap(), None, "{key}");
        let value = Bytes::from_static(b"new");
        assert!(matches!(
            store.touch(key, HOUR).await,
            Err(cloakroom::store::TouchError::NotFound)
        ));
        store.create(key, value.clone(), HOUR).await.unwrap();
        assert_eq!(store.load(key).await.unwrap().unwrap().value, value);
    }
    // Migrating again changes nothing.
    file.driver().await;
    assert_eq!(file.rows().await.len(), 3);
}

#[tokio::test]
async fn p4_a_foreign_update_is_a_conflict_not_a_loss() {
    let file = File::new();
    let store = file.store().await;
    let base = store
        .create("session:a", Bytes::from_static(b"one"), HOUR)
        .await
        .unwrap();
    let mut neighbour = file.neighbour().await;
    neighbour
        .execute("UPDATE sessions SET data = x'74776f' WHERE session_id = 'session:a'")
        .await
        .unwrap();
    let replaced = store
        .replace("session:a", &base, Bytes::from_static(b"three"), HOUR)
        .await;
    let Err(ReplaceError::Changed(there)) = replaced else {
        panic!("{replaced:?}");
    };
    assert_eq!(there.value, "two");
}

#[tokio::test]
async fn p5_a_late_write_of_a_neighbour_does_not_undo_a_logout() {
    let file = File::new();
    let clock = Clock::manual(1_700_000_000);
    let store = patient(file.driver().await.clock(clock.clone()));
    let value = Bytes::from_static(b"in");
    let base = store
        .create("session:a", value.clone(), HOUR)
        .await
        .unwrap();
    store.delete("session:a", None, HOUR).await.unwrap();
    let late = "INSERT INTO sessions (session_id, data, expiry)
                VALUES ('session:a', x'696e', '2100-01-01 00:00:00.000000')";
    file.neighbour().await.execute(late).await.unwrap();

    let replaced = store.replace("session:a", &base, value.clone(), HOUR).await;
    assert!(matches!(replaced, Err(ReplaceError::NotFound)));
    let created = store.create("session:a", value, HOUR).await;
    assert!(matches!(created, Err(CreateError::Exists)));
    assert_eq!(store.load("session:a").await.unwrap(), None);
    // The late write is removed, so that it does not come back when the tombstone has gone.
    let rows = file.rows().await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].0.as_str(), &*rows[0].1),
        ("session:a:gone", &[0xC0][..])
    );
    clock.advance(2 * HOUR);
    assert_eq!(store.load("session:a").await.unwrap(), None);
    assert_eq!(store.delete_expired(10).await.unwrap(), 1);
    assert!(file.rows().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_a_thousand_increments_make_a_thousand() {
    let file = File::new();
    counts_exactly(file.store().await, "session:count", 50, 20).await;
    counts_exactly(file.store().await, "session:more", 200, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_two_processes_on_one_file_lose_nothing() {
    let file = File::new();
    let (one, other) = (file.store().await, file.store().await);
    one.create("session:a", Bytes::from_static(b"0"), HOUR)
        .await
        .unwrap();
    let adders: Vec<_> = (0..100)
        .map(|number| {
            let store = [&one, &other][number % 2].clone();
            tokio::spawn(async move {
                let mut base = store.load("session:a").await.unwrap().unwrap();
                loop {
                    let next = Bytes::from([&base.value[..], b"x"].concat());
                    match store.replace("session:a", &base, next, HOUR).await {
                        Ok(_) => return,
                        Err(ReplaceError::Changed(there)) => base = there,
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for adder in adders {
        adder.await.unwrap();
    }
    let added = one.load("session:a").await.unwrap().unwrap();
    assert_eq!(added.value.len(), 101);
}

#[tokio::test]
async fn the_file_is_made_by_migrate_and_not_before() {
    let file = File::new();
    let store = SqliteStore::connect(&file.url()).await.unwrap();
    let driver = Store::new(SqliteStore::connect(&file.url()).await.unwrap());
    asks_to_migrate(&driver).await;
    assert!(!file.path().exists());
    store.migrate().await.unwrap();
    assert_eq!(driver.load("session:a").await.unwrap(), None);

    // A file without the table.
    let empty = File::new();
    drop(empty.neighbour().await);
    asks_to_migrate(&Store::new(
        SqliteStore::connect(&empty.url()).await.unwrap(),
    ))
    .await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_without_its_content() {
    let file = File::new();
    std::fs::write(file.path(), "secret ".repeat(1000)).unwrap();
    let error = match SqliteStore::connect(&file.url()).await {
        Ok(store) => Store::new(store).load("session:a").await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(!error.to_string().contains("secret"));
    assert!(SqliteStore::connect("postgres://localhost").await.is_err());
}

#[tokio::test]
async fn a_database_in_memory_lasts_as_long_as_the_store() {
    let driver = SqliteStore::connect("sqlite::memory:").await.unwrap();
    driver.migrate().await.unwrap();
    let store = Store::new(driver);
    let value = Bytes::from_static(b"one");
    store
        .create("session:a", value.clone(), HOUR)
        .await
        .unwrap();
    // A call that is given up half way costs a connection, not the data.
    for _ in 0..20 {
        let _ = tokio::time::timeout(Duration::from_micros(50), store.load("session:a")).await;
    }
    assert_eq!(store.load("session:a").await.unwrap().unwrap().value, value);
    // Another store in memory is another database.
    let other = SqliteStore::connect("sqlite::memory:").await.unwrap();
    other.migrate().await.unwrap();
    assert_eq!(Store::new(other).load("session:a").await.unwrap(), None);
}

#[tokio::test]
async fn a_neighbour_that_locks_the_file_costs_a_time_out_and_nothing_else() {
    let file = File::new();
    let store = Store::new(file.driver().await.timeout(Duration::from_millis(300)));
    let value = Bytes::from_static(b"one");
    let base = store
        .create("session:a", value.clone(), HOUR)
        .await
        .unwrap();
    let mut neighbour = file.neighbour().await;
    neighbour.execute("BEGIN IMMEDIATE").await.unwrap();
    // Readers do not notice.
    assert!(store.load("session:a").await.unwrap().is_some());
    let Err(ReplaceError::Failed(error)) =
        store.replace("session:a", &base, value.clone(), HOUR).await
    else {
        panic!("replaced in a locked file");
    };
    assert_eq!(error.kind(), StoreErrorKind::TimedOut, "{error}");
    neighbour.execute("ROLLBACK").await.unwrap();
    drop(neighbour);
    store
        .replace("session:a", &base, value, HOUR)
        .await
        .unwrap();
}

#[tokio::test]
async fn another_table_beside_the_first() {
    let file = File::new();
    let store = file.store().await;
    let driver = SqliteStore::connect(&file.url()).await.unwrap();
    let driver = driver.table("my_sessions").unwrap();
    driver.migrate().await.unwrap();
    let other = patient(driver);
    let value = Bytes::from_static(b"one");
    store
        .create("session:a", value.clone(), HOUR)
        .await
        .unwrap();
    assert_eq!(other.load("session:a").await.unwrap(), None);
    other.create("session:a", value, HOUR).await.unwrap();
    let driver = SqliteStore::connect(&file.url()).await.unwrap();
    assert!(driver.table("a\"; DROP TABLE sessions; --").is_err());
}

#[tokio::test]
async fn removing_what_has_expired_uses_the_index() {
    let file = File::new();
    let clock = Clock::manual(1_700_000_000);
    let store = patient(file.driver().await.clock(clock.clone()));
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
        "EXPLAIN QUERY PLAN DELETE FROM sessions WHERE id IN
         (SELECT id FROM sessions WHERE expiry <= '2026' ORDER BY expiry LIMIT 10)",
    );
    let plan = plan.fetch_all(&mut file.neighbour().await).await.unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
    assert!(plan.join("\n").contains("sessions_expiry"), "{plan:?}");
}

#[tokio::test]
async fn p10_nothing_secret_is_shown() {
    let file = File::new();
    let driver = file.driver().await;
    let shown = format!("{driver:?}");
    assert!(
        shown.contains("sessions") && !shown.contains(&file.name),
        "{shown}"
    );
    let store = Store::new(driver);
    for key in ["session:secret:gone".to_owned(), "secret".repeat(50)] {
        let error = store.load(&key).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused);
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}

#[tokio::test]
async fn p5_a_deletion_lasts_whatever_tombstone_was_there() {
    let file = File::new();
    let clock = Clock::manual(1_700_000_000);
    let store = patient(file.driver().await.clock(clock.clone()));
    deletes_again_and_again(&store, &clock, "session:a").await;
}
