//! tower-sessions, set up as its README does it.

use axum::{Router, http::StatusCode, routing::get};
use tower_sessions::{
    Expiry, MemoryStore, Session, SessionManagerLayer, SessionStore, cookie::time::Duration,
    session,
};

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
    stored(MemoryStore::default())
}

fn stored(store: impl SessionStore + Clone) -> Result<Router, Failure> {
    let lifetime = Expiry::OnInactivity(Duration::try_from(LIFETIME)?);
    Ok(routes().layer(SessionManagerLayer::new(store).with_expiry(lifetime)))
}

include!("tower_sessions_handlers.rs");
