//! tower-sessions in databases: the newest stores that there are ask for the version before its newest.

use std::str::FromStr;

use axum::{Router, http::StatusCode, routing::get};
use tower_sessions_014::{
    Expiry, Session, SessionManagerLayer, SessionStore, cookie::time::Duration, session,
};
use tower_sessions_redis_store::{RedisStore, fred::prelude::*};
use tower_sessions_sqlx_store::{
    PostgresStore, SqliteStore,
    sqlx::{
        PgPool, SqlitePool,
        sqlite::{SqliteConnectOptions, SqliteJournalMode},
    },
};

use crate::{
    Failure,
    content::{self, LIFETIME, MIDDLE},
};

/// Sessions in Redis.
///
/// # Errors
///
/// There is no server at this URL.
pub async fn redis(url: &str) -> Result<Router, Failure> {
    let pool = Pool::new(Config::from_url(url)?, None, None, None, 6)?;
    pool.connect();
    pool.wait_for_connect().await?;
    stored(RedisStore::new(pool))
}

/// Sessions in `SQLite`, with a write-ahead log as Cloakroom has it: without, which is the default, writing is several times slower.
///
/// # Errors
///
/// The file cannot be opened.
pub async fn sqlite(url: &str) -> Result<Router, Failure> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let store = SqliteStore::new(SqlitePool::connect_with(options).await?);
    store.migrate().await?;
    stored(store)
}

/// Sessions in `PostgreSQL`.
///
/// # Errors
///
/// There is no server at this URL, or it lets nobody make a table.
pub async fn postgres(url: &str) -> Result<Router, Failure> {
    let store = PostgresStore::new(PgPool::connect(url).await?);
    store.migrate().await?;
    stored(store)
}

fn stored(store: impl SessionStore + Clone) -> Result<Router, Failure> {
    let lifetime = Expiry::OnInactivity(Duration::try_from(LIFETIME)?);
    Ok(routes().layer(SessionManagerLayer::new(store).with_expiry(lifetime)))
}

include!("tower_sessions_handlers.rs");
