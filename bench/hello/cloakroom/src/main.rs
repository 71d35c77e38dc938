//! The smallest application that counts visits, with Cloakroom's default features: in a signed cookie.

use axum::{Router, routing::get};
use cloakroom::{Error, SecretKey, Session, SessionLayer};

async fn counter(session: Session) -> Result<String, Error> {
    let visits = session.update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1)?;
    Ok(format!("Number of visits: {visits}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = SessionLayer::signed(SecretKey::generate()?);
    let app = Router::new().route("/", get(counter)).layer(sessions);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
