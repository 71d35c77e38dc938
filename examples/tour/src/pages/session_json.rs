//! The session as text, for tests that compare it with Flask's.

use axum::routing::get;
use axum::{Json, Router};
use cloakroom::Session;
use serde::Serialize;

use crate::Tour;

pub(super) fn routes() -> Router<Tour> {
    Router::new().route("/session.json", get(show))
}

#[derive(Serialize)]
struct Shown {
    /// Compact tagged JSON, as Flask would write it.
    session: String,
    permanent: bool,
}

async fn show(session: Session) -> Json<Shown> {
    Json(Shown {
        session: session.to_tagged_json(),
        permanent: session.permanent(),
    })
}
