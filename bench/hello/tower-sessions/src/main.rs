//! The smallest application that counts visits, with the default features of tower-sessions: in memory.

use axum::{Router, http::StatusCode, routing::get};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer, session::Error};

async fn counter(session: Session) -> Result<String, StatusCode> {
    let visits = count(&session).await;
    let visits = visits.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(format!("Number of visits: {visits}"))
}

async fn count(session: &Session) -> Result<u64, Error> {
    let visits = session.get("visits").await?.unwrap_or(0) + 1;
    session.insert("visits", visits).await?;
    Ok(visits)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = SessionManagerLayer::new(MemoryStore::default());
    let app = Router::new().route("/", get(counter)).layer(sessions);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
