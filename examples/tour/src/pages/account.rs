//! Who is logged in, and logging out.

use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use cloakroom::Session;
use minijinja::context;

use super::Stop;
use crate::Tour;
use crate::age::moment;
use crate::view::{Page, View};

pub(super) static STOP: Stop = Stop {
    path: "/account",
    label: "Account",
    title: "Account",
    teaches: Some("a page that only reads, and logging out"),
    file: "pages/account.rs",
    rust: include_str!("account.rs"),
    flask: include_str!("../../flask/account.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new()
        .route("/account", get(show))
        .route("/logout", post(log_out))
}

// shown: begin
async fn show(session: Session, view: View) -> Page {
    // what a page asks that changes a password
    let fresh = session.authenticated_within(Duration::from_mins(5));
    let proved = session.authenticated_at().and_then(moment);
    // the template reads session.username
    view.render("account.html", context! { fresh, proved })
}

async fn log_out(session: Session) -> Redirect {
    session.remove("username");
    session.remove("_user_id"); // off the list of devices
    Redirect::to("/account")
}
// shown: end
