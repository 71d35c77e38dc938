//! Logging in.

use axum::response::Redirect;
use axum::routing::get;
use axum::{Form, Router};
use cloakroom::{Error, Key, Session};
use minijinja::context;
use serde::Deserialize;

use super::{Stop, typed};
use crate::Tour;
use crate::view::{Page, View};

pub(super) static STOP: Stop = Stop {
    path: "/login",
    label: "Log in",
    title: "Log in",
    teaches: Some("who is here, and welcome back"),
    file: "pages/login.rs",
    rust: include_str!("login.rs"),
    flask: include_str!("../../flask/login.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new().route("/login", get(show).post(log_in))
}

async fn show(view: View) -> Page {
    view.render("login.html", context! {})
}

const LOGINS: Key<u64> = Key::new("logins");

#[derive(Deserialize)]
struct Login {
    username: String,
    /// The browser sends it only when the box is ticked.
    remember: Option<String>,
}

// shown: begin
async fn log_in(session: Session, Form(form): Form<Login>) -> Result<Redirect, Error> {
    let name = typed(&form.username, 80);
    if name.is_empty() {
        session.flash("error", "Please enter a name");
        return Ok(Redirect::to("/login"));
    }
    let logins = session.get(LOGINS)?.unwrap_or(0).saturating_add(1);
    session.login(&name)?; // a new id, the time, the list of devices
    session.insert("username", &name)?;
    session.insert(LOGINS, logins)?;
    session.set_permanent(form.remember.is_some());
    let again = if logins > 1 {
        "Welcome back"
    } else {
        "Welcome"
    };
    session.flash("success", format!("{again}, {name}"));
    Ok(Redirect::to("/account"))
}
// shown: end
