//! A form that the session remembers, and a new session.

use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use cloakroom::{Error, Session};
use minijinja::context;
use serde::Deserialize;

use super::{Stop, typed};
use crate::Tour;
use crate::view::{Page, View};

pub(super) static STOP: Stop = Stop {
    path: "/name",
    label: "First name",
    title: "First name",
    teaches: Some("a form, and a new session"),
    file: "pages/name.rs",
    rust: include_str!("name.rs"),
    flask: include_str!("../../flask/name.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new()
        .route("/name", get(show).post(save))
        .route("/name/clear", post(clear))
}

async fn show(view: View) -> Page {
    view.render("name.html", context! {})
}

#[derive(Deserialize)]
struct Name {
    first_name: String,
}

// shown: begin
async fn save(session: Session, Form(form): Form<Name>) -> Result<Redirect, Error> {
    session.insert("firstName", typed(&form.first_name, 80))?;
    Ok(Redirect::to("/name"))
}

async fn clear(session: Session) -> Redirect {
    session.clear();
    Redirect::to("/name")
}
// shown: end
