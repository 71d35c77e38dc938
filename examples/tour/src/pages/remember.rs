//! Sessions that outlive the browser window.

use axum::response::Redirect;
use axum::routing::get;
use axum::{Form, Router};
use cloakroom::value::DateTime;
use cloakroom::{Session, Status};
use minijinja::context;
use serde::Deserialize;

use super::Stop;
use crate::view::{Page, View};
use crate::{LIFETIME, Tour};

pub(super) static STOP: Stop = Stop {
    path: "/remember",
    label: "Remember me",
    title: "Remember me",
    teaches: Some("permanent sessions, seven days"),
    file: "pages/remember.rs",
    rust: include_str!("remember.rs"),
    flask: include_str!("../../flask/remember.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new().route("/remember", get(show).post(save))
}

#[derive(Deserialize)]
struct Remember {
    remember: String,
}

// shown: begin
async fn show(session: Session, view: View) -> Page {
    let permanent = session.permanent();
    // shown: end
    let until = match session.status() {
        Status::Loaded { signed_at, .. } if permanent => {
            DateTime::from(signed_at + LIFETIME).to_http_date()
        }
        _ => None,
    };
    // shown: begin
    view.render("remember.html", context! { permanent, until })
}

async fn save(session: Session, Form(form): Form<Remember>) -> Redirect {
    session.set_permanent(form.remember == "yes");
    Redirect::to("/remember")
}
// shown: end
