//! Files that come with the program: the style sheet, the script, and the tour's own source.

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::Tour;

macro_rules! embedded {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!($folder, $name)))),*]
    };
}

const SOURCES: &[(&str, &str)] = embedded![
    "../":
    "age.rs",
    "csrf.rs",
    "failure.rs",
    "headers.rs",
    "highlight.rs",
    "kept.rs",
    "keys.rs",
    "lib.rs",
    "main.rs",
    "pages/account.rs",
    "pages/cookies.rs",
    "pages/counter.rs",
    "pages/devices.rs",
    "pages/files.rs",
    "pages/flash.rs",
    "pages/home.rs",
    "pages/login.rs",
    "pages/mod.rs",
    "pages/name.rs",
    "pages/remember.rs",
    "pages/session_json.rs",
    "pages/store.rs",
    "pages/tamper.rs",
    "pages/todo.rs",
    "panel.rs",
    "panel/entry.rs",
    "panel/ticket.rs",
    "start.rs",
    "todos.rs",
    "view.rs",
];

const STATIC: &[(&str, &str)] = embedded!["../../static/": "style.css", "ticket.svg", "tour.js"];

pub(super) fn routes() -> Router<Tour> {
    Router::new()
        .route("/static/{file}", get(static_file))
        .route("/source/{*file}", get(source))
}

async fn static_file(Path(file): Path<String>) -> Response {
    let kind = match file.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    serve(STATIC, &file, kind)
}

async fn source(Path(file): Path<String>) -> Response {
    serve(SOURCES, &file, "text/plain; charset=utf-8")
}

fn serve(files: &[(&str, &'static str)], wanted: &str, kind: &'static str) -> Response {
    match files.iter().find(|(name, _)| *name == wanted) {
        Some((_, text)) => {
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CACHE_CONTROL, "max-age=60"),
            ];
            (headers, *text).into_response()
        }
        None => (StatusCode::NOT_FOUND, "There is no such file.").into_response(),
    }
}
