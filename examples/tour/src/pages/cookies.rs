//! Plain cookies, without a session.

use std::time::Duration;

use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use cloakroom::{Cookie, Cookies, SameSite, Session};
use minijinja::context;
use serde::Deserialize;

use super::{Stop, typed};
use crate::Tour;
use crate::view::{Page, View};

pub(super) static STOP: Stop = Stop {
    path: "/cookies",
    label: "Plain cookies",
    title: "Plain cookies",
    teaches: Some("set, read and deleted, no session needed"),
    file: "pages/cookies.rs",
    rust: include_str!("cookies.rs"),
    flask: include_str!("../../flask/cookies.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new()
        .route("/cookies", get(show))
        .route("/cookies/set", post(set))
        .route("/cookies/delete", post(delete))
}

#[derive(Deserialize)]
#[serde(default)]
struct NameAndValue {
    name: String,
    value: String,
}

impl Default for NameAndValue {
    fn default() -> Self {
        Self {
            name: "username".into(),
            value: "John".into(),
        }
    }
}

// shown: begin
async fn show(cookies: Cookies, view: View) -> Page {
    let cookies: Vec<_> = cookies
        .iter()
        .map(|(name, value)| context! { name, value })
        .collect();
    view.render("cookies.html", context! { cookies })
}

fn cookie(name: &str) -> Cookie {
    Cookie::new(typed(name, 60))
        .max_age(Duration::from_hours(1))
        .same_site(SameSite::Lax)
}

async fn set(session: Session, Form(form): Form<NameAndValue>) -> Response {
    match cookie(&form.name).set(typed(&form.value, 400)) {
        Ok(set) if set.name() == "session" => refused(&session, "that name is taken"),
        Ok(set) => (set, Redirect::to("/cookies")).into_response(),
        Err(error) => refused(&session, error.to_string()),
    }
}

async fn delete(session: Session, Form(form): Form<NameAndValue>) -> Response {
    match cookie(&form.name).delete() {
        Ok(deleted) => (deleted, Redirect::to("/cookies")).into_response(),
        Err(error) => refused(&session, error.to_string()),
    }
}
// shown: end

fn refused(session: &Session, why: impl Into<cloakroom::Value>) -> Response {
    session.flash("error", why);
    Redirect::to("/cookies").into_response()
}
