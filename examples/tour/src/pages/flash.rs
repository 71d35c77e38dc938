//! Messages for the next page.

use axum::extract::Query;
use axum::response::Redirect;
use axum::routing::get;
use axum::{Form, Json, Router};
use cloakroom::Session;
use minijinja::context;
use serde::Deserialize;

use super::{Stop, typed};
use crate::Tour;
use crate::view::{Page, View};

pub(super) static STOP: Stop = Stop {
    path: "/flash",
    label: "Flash messages",
    title: "Flash messages",
    teaches: Some("said once, on the next page"),
    file: "pages/flash.rs",
    rust: include_str!("flash.rs"),
    flask: include_str!("../../flask/flash.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new()
        .route("/flash", get(show).post(send))
        .route("/flash/messages", get(messages))
}

#[derive(Deserialize)]
struct Hold {
    /// Whether the page leaves the messages where they are.
    hold: Option<String>,
}

async fn show(Query(Hold { hold }): Query<Hold>, view: View) -> Page {
    view.render("flash.html", context! { held => hold.is_some() })
}

#[derive(Deserialize)]
#[serde(default)]
struct Message {
    title: String,
    category: String,
    hold: Option<String>,
}

impl Default for Message {
    fn default() -> Self {
        Self {
            title: String::new(),
            category: "message".into(),
            hold: None,
        }
    }
}

// shown: begin
async fn send(session: Session, Form(form): Form<Message>) -> Redirect {
    let title = typed(&form.title, 200);
    if title.is_empty() {
        session.flash("error", "Title is required!");
    } else {
        session.flash(typed(&form.category, 40), title);
    }
    match form.hold {
        None => Redirect::to("/flash"),
        Some(_) => Redirect::to("/flash?hold=1"),
    }
}

async fn messages(session: Session) -> Json<Vec<[String; 2]>> {
    let flashes = session.flashes();
    Json(
        flashes
            .iter()
            .map(|flash| [flash.category().into(), flash.message().into()])
            .collect(),
    )
}
// shown: end
