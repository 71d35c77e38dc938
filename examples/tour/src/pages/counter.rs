//! The visit counter.

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use cloakroom::{Key, Session};
use minijinja::context;

use super::Stop;
use crate::Tour;
use crate::view::{Page, View};

pub(super) static STOP: Stop = Stop {
    path: "/counter",
    label: "Visit counter",
    title: "Visit counter",
    teaches: Some("the smallest session: one number"),
    file: "pages/counter.rs",
    rust: include_str!("counter.rs"),
    flask: include_str!("../../flask/counter.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new()
        .route("/counter", get(show))
        .route("/counter/reset", post(reset))
}

// shown: begin
const VISITS: Key<u64> = Key::new("visits");

async fn show(session: Session, view: View) -> Page {
    let visits = session.update(VISITS, |visits: Option<u64>| {
        visits.unwrap_or(0).saturating_add(1)
    })?;
    view.render("counter.html", context! { visits })
}

async fn reset(session: Session) -> Redirect {
    session.remove(VISITS);
    Redirect::to("/counter")
}
// shown: end
