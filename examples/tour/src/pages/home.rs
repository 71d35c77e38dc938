//! The overview.

use axum::Router;
use axum::routing::get;
use minijinja::context;

use super::Stop;
use crate::Tour;
use crate::view::{Page, View};

pub(super) static STOP: Stop = Stop {
    path: "/",
    label: "Start",
    title: "The browser keeps a ticket",
    teaches: None,
    file: "lib.rs",
    rust: include_str!("../lib.rs"),
    flask: include_str!("../../flask/home.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new().route("/", get(show))
}

async fn show(view: View) -> Page {
    view.render("home.html", context! {})
}
