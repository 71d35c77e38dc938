//! The floor of sessions in PostgreSQL: sqlx on ten connections that are taken and given back, as Cloakroom has them.

use std::{
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{Router, http::StatusCode};
use sqlx::{ConnectOptions, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    floor::failed,
    floor_store::{self, Driver},
};
use crate::{Failure, content::LIFETIME};

const CONNECTIONS: usize = 10;

/// Opens it.
///
/// # Errors
///
/// There is no server at this URL, or it lets nobody make a table.
pub async fn open(url: &str) -> Result<Router, Failure> {
    let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
    let mut idle = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        idle.push(options.connect().await?);
    }
    let table = "SET client_min_messages = warning;
        CREATE TABLE IF NOT EXISTS floor_sessions (
            session_id VARCHAR(255) PRIMARY KEY, data BYTEA, expiry BIGINT NOT NULL
        )";
    idle[0].execute(sqlx::raw_sql(table)).await?;
    Ok(floor_store::routes(Postgres(Arc::new(Lines {
        idle: Mutex::new(idle),
        permits: Semaphore::new(CONNECTIONS),
    }))))
}

#[derive(Clone)]
struct Postgres(Arc<Lines>);

struct Lines {
    idle: Mutex<Vec<PgConnection>>,
    permits: Semaphore,
}

const LOAD: &str = "SELECT session_id, data, expiry FROM floor_sessions \
     WHERE session_id IN ($1, $2) AND expiry > $3";
const CREATE: &str = "INSERT INTO floor_sessions AS entry (session_id, data, expiry) \
     SELECT $1, $2, $3 \
     WHERE NOT EXISTS (SELECT 1 FROM floor_sessions WHERE session_id = $4 AND expiry > $5) \
     ON CONFLICT (session_id) DO UPDATE SET data = excluded.data, expiry = excluded.expiry \
     WHERE entry.expiry <= $5";
const REPLACE: &str = "UPDATE floor_sessions SET data = $1, expiry = $2 \
     WHERE session_id = $3 AND data = $4 AND expiry > $5 \
     AND NOT EXISTS (SELECT 1 FROM floor_sessions WHERE session_id = $6 AND expiry > $5)";
const DELETE: &str = "UPDATE floor_sessions SET session_id = $1, data = $2, expiry = $3 \
     WHERE session_id = $4 AND NOT EXISTS (SELECT 1 FROM floor_sessions WHERE session_id = $1)";

impl Driver for Postgres {
    async fn load(&self, id: &str) -> Result<Option<Vec<u8>>, StatusCode> {
        let (entry, gone) = keys(id);
        let (mut line, permit) = self.take().await?;
        let rows: Vec<(String, Option<Vec<u8>>, i64)> = sqlx::query_as(LOAD)
            .bind(&entry)
            .bind(&gone)
            .bind(now())
            .fetch_all(&mut line)
            .await
            .map_err(failed)?;
        self.give_back(line, permit);
        let mut rows = rows.into_iter();
        Ok(match (rows.next(), rows.next()) {
            (Some((key, data, _)), None) if key == entry => data,
            _ => None,
        })
    }

    async fn create(&self, id: &str, json: &[u8]) -> Result<(), StatusCode> {
        let (entry, gone) = keys(id);
        let (mut line, permit) = self.take().await?;
        let done = sqlx::query(CREATE)
            .bind(&entry)
            .bind(json)
            .bind(expiry())
            .bind(&gone)
            .bind(now())
            .execute(&mut line)
            .await
            .map_err(failed)?;
        self.give_back(line, permit);
        match done.rows_affected() {
            1 => Ok(()),
            _ => Err(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    async fn replace(&self, id: &str, base: &[u8], json: &[u8]) -> Result<bool, StatusCode> {
        let (entry, gone) = keys(id);
        let (mut line, permit) = self.take().await?;
        let done = sqlx::query(REPLACE)
            .bind(json)
            .bind(expiry())
            .bind(&entry)
            .bind(base)
            .bind(now())
            .bind(&gone)
            .execute(&mut line)
            .await
            .map_err(failed)?;
        self.give_back(line, permit);
        Ok(done.rows_affected() == 1)
    }

    async fn delete(&self, id: &str) -> Result<(), StatusCode> {
        let (entry, gone) = keys(id);
        let (mut line, permit) = self.take().await?;
        sqlx::query(DELETE)
            .bind(&gone)
            .bind(&b""[..])
            .bind(expiry())
            .bind(&entry)
            .execute(&mut line)
            .await
            .map_err(failed)?;
        self.give_back(line, permit);
        Ok(())
    }
}

impl Postgres {
    /// A connection that nobody else has.
    async fn take(&self) -> Result<(PgConnection, SemaphorePermit<'_>), StatusCode> {
        let permit = self.0.permits.acquire().await.map_err(failed)?;
        // There are as many as permits, unless one broke.
        let line = self.idle().pop().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        Ok((line, permit))
    }

    fn give_back(&self, line: PgConnection, permit: SemaphorePermit<'_>) {
        self.idle().push(line);
        drop(permit);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of a session, and of what says that it was ended.
fn keys(id: &str) -> (String, String) {
    (format!("session:{id}"), format!("session:{id}:gone"))
}

/// Microseconds since 1970, as Cloakroom binds them: no type of dates is in between.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.unwrap_or_default().as_micros();
    i64::try_from(micros).unwrap_or(i64::MAX)
}

fn expiry() -> i64 {
    now() + i64::try_from(LIFETIME.as_micros()).unwrap_or(0)
}
