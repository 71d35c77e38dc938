//! `axum_session`, set up as its README does it. It keeps every session in memory too, and writes it to the database at most every ten
//! seconds: that is its default.

use ::axum_session::{
    DatabasePool, Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore,
};
use axum::{Router, routing::get};
use axum_session_redispool::SessionRedisPool;
use axum_session_sqlx::SessionPgPool;
use redis_pool::RedisPool;
use sqlx::PgPool;

use crate::{
    Failure,
    content::{self, LIFETIME, MIDDLE},
};

/// Sessions in this process.
///
/// # Errors
///
/// None.
pub async fn memory(_: &str) -> Result<Router, Failure> {
    stored::<SessionNullPool>(None).await
}

/// Sessions in Redis.
///
/// # Errors
///
/// There is no server at this URL.
pub async fn redis(url: &str) -> Result<Router, Failure> {
    let client = redis::Client::open(url)?;
    stored(Some(SessionRedisPool::from(RedisPool::from(client)))).await
}

/// Sessions in PostgreSQL.
///
/// # Errors
///
/// There is no server at this URL, or it lets nobody make a table.
pub async fn postgres(url: &str) -> Result<Router, Failure> {
    stored(Some(SessionPgPool::from(PgPool::connect(url).await?))).await
}

/// What the library asks of a database.
trait Database: DatabasePool + Clone + std::fmt::Debug + Send + Sync + 'static {}

impl<D: DatabasePool + Clone + std::fmt::Debug + Send + Sync + 'static> Database for D {}

async fn stored<D: Database>(database: Option<D>) -> Result<Router, Failure> {
    let config = SessionConfig::default()
        .with_table_name("axum_session")
        .with_lifetime(LIFETIME.try_into()?);
    let store = SessionStore::<D>::new(database, config).await?;
    Ok(routes::<D>().layer(SessionLayer::new(store)))
}

fn routes<D: Database>() -> Router {
    Router::new()
        .route("/plain", get(plain))
        .route("/read", get(read::<D>))
        .route("/write", get(write::<D>))
        .route("/login", get(login::<D>))
        .route("/fill/twenty", get(fill_twenty::<D>))
        .route("/fill/large", get(fill_large::<D>))
        .route("/read_many", get(read_many::<D>))
}

async fn plain() -> &'static str {
    "ok"
}

async fn read<D: Database>(session: Session<D>) -> String {
    let visits: u64 = session.get("visits").unwrap_or(0);
    visits.to_string()
}

async fn write<D: Database>(session: Session<D>) -> String {
    let visits: u64 = session.get("visits").unwrap_or(0);
    session.set("visits", visits + 1);
    (visits + 1).to_string()
}

async fn login<D: Database>(session: Session<D>) -> &'static str {
    session.renew();
    session.set("user", "alice");
    "ok"
}

async fn fill_twenty<D: Database>(session: Session<D>) -> &'static str {
    fill(&session, content::twenty())
}

async fn fill_large<D: Database>(session: Session<D>) -> &'static str {
    fill(&session, content::large())
}

fn fill<D: Database>(
    session: &Session<D>,
    entries: impl Iterator<Item = (String, String)>,
) -> &'static str {
    session.set("visits", 1);
    for (key, value) in entries {
        session.set(&key, value);
    }
    "ok"
}

async fn read_many<D: Database>(session: Session<D>) -> String {
    let value: String = session.get(MIDDLE).unwrap_or_default();
    value.len().to_string()
}
