//! The SQL stores, compared with sqlx's own pool of the same size: with the query that a user would write for
//! the same row, and with the store's own SQL, which tells the price of the pool from that of the promise.
//! Both take the time from the server. The query is also sent over as many connections without a pool, which each
//! belong to some of the tasks.
//!
//! sqlx's pool asks each connection that comes back whether it is well; that it
//! also asks before each call, as it does unless told otherwise, is switched off here.

use std::hint::black_box;

use bytes::Bytes;
use cloakroom::store::{MySqlStore, PostgresStore, SqliteStore, Store};
use sqlx::{
    mysql::MySqlPoolOptions,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tokio::sync::Mutex;

use crate::contest::{Contest, fill, keep, key, load, replace, task, value};

/// So many that a server looks into its index.
const SESSIONS: usize = 10_000;

/// One database's queries.
struct Queries {
    store: &'static str,
    /// Parameters: key.
    select: &'static str,
    /// Parameters: key, tombstone's key.
    select_ours: &'static str,
    /// Parameters: data, key.
    update: &'static str,
    /// Parameters: data, key, base, tombstone's key.
    update_ours: &'static str,
    calls: usize,
}

macro_rules! contests {
    ($queries:expr, $store:expr, $pool:expr) => {{
        let (queries, store, pool): (Queries, _, _) = ($queries, $store, $pool);
        let mut lines = Vec::new();
        while lines.len() < pool.options().get_max_connections() as usize {
            lines.push(Mutex::new(pool.acquire().await.unwrap().detach()));
        }
        let lines = keep(lines);
        let select = task(move |number, calls| async move {
            let key = key(number);
            for _ in 0..calls {
                let data: Vec<u8> = sqlx::query_scalar(queries.select)
                    .bind(&key)
                    .fetch_one(pool)
                    .await
                    .unwrap();
                black_box(data);
            }
        });
        let select_bare = task(move |number, calls| async move {
            let key = key(number);
            for _ in 0..calls {
                let mut line = lines[number % lines.len()].lock().await;
                let data: Vec<u8> = sqlx::query_scalar(queries.select)
                    .bind(&key)
                    .fetch_one(&mut *line)
                    .await
                    .unwrap();
                black_box(data);
            }
        });
        let select_ours = task(move |number, calls| async move {
            let key = key(number);
            let gone = format!("{key}:gone");
            for _ in 0..calls {
                let rows = sqlx::query(queries.select_ours)
                    .bind(&key)
                    .bind(&gone)
                    .fetch_all(pool)
                    .await
                    .unwrap();
                assert_eq!(black_box(rows).len(), 1);
            }
        });
        Contest {
            store: queries.store,
            call: "load",
            calls: queries.calls,
            rounds: 15,
            ours: load(store),
            others: vec![
                ("pool, SELECT of the row", select),
                ("pool, SELECT of row and tombstone", select_ours),
                ("no pool, SELECT of the row", select_bare),
            ],
        }
        .run()
        .await;

        let update = task(move |number, calls| async move {
            let key = key(number);
            for count in 0..calls {
                let done = sqlx::query(queries.update)
                    .bind(&value(count)[..])
                    .bind(&key)
                    .execute(pool)
                    .await
                    .unwrap();
                assert_eq!(done.rows_affected(), 1);
            }
        });
        let update_bare = task(move |number, calls| async move {
            let key = key(number);
            for count in 0..calls {
                let mut line = lines[number % lines.len()].lock().await;
                let done = sqlx::query(queries.update)
                    .bind(&value(count)[..])
                    .bind(&key)
                    .execute(&mut *line)
                    .await
                    .unwrap();
                assert_eq!(done.rows_affected(), 1);
            }
        });
        let update_ours = task(move |number, calls| async move {
            let key = key(number);
            let gone = format!("{key}:gone");
            let base: Vec<u8> = sqlx::query_scalar(queries.select)
                .bind(&key)
                .fetch_one(pool)
                .await
                .unwrap();
            let mut base = Bytes::from(base);
            for count in 0..calls {
                let next = value(count);
                let done = sqlx::query(queries.update_ours)
                    .bind(&next[..])
                    .bind(&key)
                    .bind(&base[..])
                    .bind(&gone)
                    .execute(pool)
                    .await
                    .unwrap();
                assert_eq!(done.rows_affected(), 1);
                base = next;
            }
        });
        Contest {
            store: queries.store,
            call: "replace",
            calls: queries.calls,
            rounds: 15,
            ours: replace(store),
            others: vec![
                ("pool, a blind UPDATE", update),
                ("pool, UPDATE with base and tombstone", update_ours),
                ("no pool, a blind UPDATE", update_bare),
            ],
        }
        .run()
        .await;
    }};
}

pub(crate) async fn postgres() {
    let server = servers::postgres::start().unwrap();
    let store = PostgresStore::connect(server.url()).await.unwrap();
    store.migrate().await.unwrap();
    let store = keep(Store::new(store));
    fill(store, SESSIONS).await;
    let pool = keep(
        PgPoolOptions::new()
            .max_connections(10)
            .test_before_acquire(false)
            .connect(server.url())
            .await
            .unwrap(),
    );
    sqlx::query("VACUUM ANALYZE sessions")
        .execute(pool)
        .await
        .unwrap();
    let queries = Queries {
        store: "postgres",
        calls: 100,
        select: "SELECT data FROM sessions
             WHERE session_id = $1 AND expiry > now() AT TIME ZONE 'utc'",
        select_ours: "SELECT session_id, data, expiry FROM sessions
             WHERE session_id IN ($1, $2) AND expiry > now() AT TIME ZONE 'utc'",
        update:
            "UPDATE sessions SET data = $1, expiry = now() AT TIME ZONE 'utc' + interval '1 hour'
             WHERE session_id = $2",
        update_ours:
            "UPDATE sessions SET data = $1, expiry = now() AT TIME ZONE 'utc' + interval '1 hour'
             WHERE session_id = $2 AND data = $3 AND expiry > now() AT TIME ZONE 'utc'
             AND NOT EXISTS (SELECT 1 FROM sessions
             WHERE session_id = $4 AND expiry > now() AT TIME ZONE 'utc')",
    };
    contests!(queries, store, pool);
}

pub(crate) async fn mysql() {
    let server = servers::mariadb::start().unwrap();
    let store = MySqlStore::connect(server.url()).await.unwrap();
    store.migrate().await.unwrap();
    let store = keep(Store::new(store));
    fill(store, SESSIONS).await;
    let pool = keep(
        MySqlPoolOptions::new()
            .max_connections(10)
            .test_before_acquire(false)
            .connect(server.url())
            .await
            .unwrap(),
    );
    sqlx::query("ANALYZE TABLE sessions")
        .execute(pool)
        .await
        .unwrap();
    let queries = Queries {
        store: "mysql",
        calls: 100,
        select: "SELECT data FROM sessions WHERE session_id = ? AND expiry > UTC_TIMESTAMP()",
        select_ours: "SELECT session_id, data, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', expiry)
             FROM sessions WHERE session_id IN (?, ?) AND expiry > UTC_TIMESTAMP()",
        update: "UPDATE sessions SET data = ?, expiry = UTC_TIMESTAMP() + INTERVAL 1 HOUR
             WHERE session_id = ?",
        update_ours: "UPDATE sessions SET data = ?, expiry = UTC_TIMESTAMP() + INTERVAL 1 HOUR
             WHERE session_id = ? AND data = ? AND expiry > UTC_TIMESTAMP()
             AND NOT EXISTS (SELECT 1 FROM (SELECT 1 FROM sessions
             WHERE session_id = ? AND expiry > UTC_TIMESTAMP() LIMIT 1) AS gone)",
    };
    contests!(queries, store, pool);
}

pub(crate) async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.db");
    let url = format!("sqlite:{}?mode=rwc", file.display());
    let store = SqliteStore::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    let store = keep(Store::new(store));
    fill(store, SESSIONS).await;
    // As the store sets it.
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = keep(
        SqlitePoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .unwrap(),
    );
    let queries = Queries {
        store: "sqlite",
        calls: 50,
        select: "SELECT data FROM sessions WHERE session_id = ? AND expiry > datetime('now')",
        select_ours: "SELECT session_id, data, expiry FROM sessions
             WHERE session_id IN (?, ?) AND expiry > datetime('now')",
        update: "UPDATE sessions SET data = ?, expiry = datetime('now', '+1 hour')
             WHERE session_id = ?",
        update_ours: "UPDATE sessions SET data = ?, expiry = datetime('now', '+1 hour')
             WHERE session_id = ? AND data = ? AND expiry > datetime('now')
             AND NOT EXISTS (SELECT 1 FROM sessions WHERE session_id = ? AND expiry > datetime('now'))",
    };
    contests!(queries, store, pool);
}
