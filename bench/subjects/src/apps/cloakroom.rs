//! Cloakroom, with its default settings.

use axum::{
    Router,
    routing::{MethodRouter, get},
};
use cloakroom::{
    Error, SecretKey, Session, SessionConfig, SessionLayer,
    store::{MemoryStore, Store},
};

use crate::{
    Failure,
    content::{self, LIFETIME, MIDDLE, SECRET},
};

/// Sessions in a signed cookie, Flask's own.
///
/// # Errors
///
/// None.
pub async fn signed(_: &str) -> Result<Router, Failure> {
    let config = SessionConfig::default().lifetime(LIFETIME);
    let sessions = SessionLayer::signed_with(SecretKey::new(SECRET)?, config)?;
    Ok(routes(get(fill_large)).layer(sessions))
}

/// Sessions in an encrypted cookie.
///
/// # Errors
///
/// None.
pub async fn encrypted(_: &str) -> Result<Router, Failure> {
    let config = SessionConfig::native().lifetime(LIFETIME);
    let sessions = SessionLayer::encrypted_with(SecretKey::new(SECRET)?, config)?;
    // Encrypted cookies are never compressed, so this one would be larger than browsers take.
    Ok(routes(get(content::does_not_fit)).layer(sessions))
}

/// Sessions in this process.
///
/// # Errors
///
/// None.
pub async fn memory(_: &str) -> Result<Router, Failure> {
    stored(MemoryStore::new().into())
}

/// Sessions where this URL says: in Redis, in a database, in files.
///
/// # Errors
///
/// There is no store at this URL, or it lets nobody make a table.
pub async fn elsewhere(url: &str) -> Result<Router, Failure> {
    let store = Store::from_url(url).await?;
    store.prepare().await?;
    stored(store)
}

fn stored(store: Store) -> Result<Router, Failure> {
    let config = SessionConfig::default().lifetime(LIFETIME);
    Ok(routes(get(fill_large)).layer(SessionLayer::stored_with(store, config)?))
}

fn routes(fill_large: MethodRouter) -> Router {
    Router::new()
        .route("/plain", get(plain))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/login", get(login))
        .route("/fill/twenty", get(fill_twenty))
        .route("/fill/large", fill_large)
        .route("/read_many", get(read_many))
}

async fn plain() -> &'static str {
    "ok"
}

async fn read(session: Session) -> Result<String, Error> {
    let visits: u64 = session.get("visits")?.unwrap_or(0);
    Ok(visits.to_string())
}

async fn write(session: Session) -> Result<String, Error> {
    let visits = session.update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1)?;
    Ok(visits.to_string())
}

async fn login(session: Session) -> Result<&'static str, Error> {
    session.regenerate();
    session.insert("user", "alice")?;
    Ok("ok")
}

async fn fill_twenty(session: Session) -> Result<&'static str, Error> {
    fill(&session, content::twenty())
}

async fn fill_large(session: Session) -> Result<&'static str, Error> {
    fill(&session, content::large())
}

fn fill(
    session: &Session,
    entries: impl Iterator<Item = (String, String)>,
) -> Result<&'static str, Error> {
    session.insert("visits", 1)?;
    for (key, value) in entries {
        session.insert(key, value)?;
    }
    Ok("ok")
}

async fn read_many(session: Session) -> Result<String, Error> {
    let value: String = session.get(MIDDLE)?.unwrap_or_default();
    Ok(value.len().to_string())
}
