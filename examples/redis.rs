//! Sessions in Redis, where many servers share them and no count is lost.
//!
//! Start a Redis and then `cargo run --example redis` (`REDIS_URL=redis://host:6379` for another one), open
//! <http://127.0.0.1:3000> and reload fast, in two tabs. Start it a second time with `PORT=3001`: both count in the same session. The
//! entries are Flask-Session's, so `redis-cli keys 'session:*'` lists them. Stop Redis: you get a 503 and are still known
//! when it is back.

use std::process::ExitCode;

use axum::response::Redirect;
use axum::{Router, routing::get};
use cloakroom::store::Store;
use cloakroom::{Error, Session, SessionConfig, SessionLayer};

async fn counter(session: Session) -> Result<String, Error> {
    let visits = session.update("visits", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    Ok(format!("Number of visits: {visits}\n"))
}

async fn reset(session: Session) -> Redirect {
    session.clear();
    Redirect::to("/")
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("REDIS_URL").unwrap_or("redis://127.0.0.1".into());
    let store = Store::from_url(&url).await?;
    let config = SessionConfig::default().secure(false); // plain http, on this machine only
    let app = Router::new()
        .route("/", get(counter))
        .route("/reset", get(reset))
        .layer(SessionLayer::stored_with(store, config)?);

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
