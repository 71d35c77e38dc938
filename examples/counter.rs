//! A visit counter: a number that each visitor has, from one request to the next.
//!
//! Start it with `cargo run --example counter`, open <http://127.0.0.1:3000> and reload the page: the number grows. Then look
//! at the cookie `session` in the browser's developer tools. The number is in it, readable and signed: change a
//! letter of it, reload, and you are a new visitor. A private window has a number of its own.

use axum::{Router, routing::get};
use cloakroom::{Error, SecretKey, Session, SessionConfig, SessionLayer};

async fn counter(session: Session) -> Result<String, Error> {
    let visits = session.update("visits", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    Ok(format!("Number of visits: {visits}\n"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // For this run only: `SecretKey::from_env("SECRET_KEY")` keeps visitors known after a restart.
    let key = SecretKey::generate()?;
    let config = SessionConfig::default().secure(false); // plain http, on this machine only
    let app = Router::new()
        .route("/", get(counter))
        .layer(SessionLayer::signed_with(key, config)?);

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
