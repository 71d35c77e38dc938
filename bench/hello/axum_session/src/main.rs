//! The smallest application that counts visits, with the default features of axum_session: in memory.

use axum::{Router, routing::get};
use axum_session::{Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};

async fn counter(session: Session<SessionNullPool>) -> String {
    let visits = session.get("visits").unwrap_or(0) + 1;
    session.set("visits", visits);
    format!("Number of visits: {visits}")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = SessionStore::<SessionNullPool>::new(None, SessionConfig::default()).await?;
    let app = Router::new()
        .route("/", get(counter))
        .layer(SessionLayer::new(store));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
