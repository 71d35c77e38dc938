//! axum without sessions: what the others cost more than is their price.

use axum::{Router, routing::get};

use crate::Failure;

/// Opens it.
///
/// # Errors
///
/// None.
pub async fn open(_: &str) -> Result<Router, Failure> {
    Ok(routes())
}

/// The routes that the other one without sessions has too.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/plain", get(plain))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/login", get(plain))
        .route("/fill/twenty", get(plain))
        .route("/fill/large", get(plain))
        .route("/read_many", get(read_many))
}

async fn plain() -> &'static str {
    "ok"
}

async fn read() -> String {
    0.to_string()
}

async fn write() -> String {
    1.to_string()
}

async fn read_many() -> String {
    7.to_string()
}
