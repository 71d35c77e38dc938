//! The pages, one file each, and their order on the tour.

mod account;
mod cookies;
mod counter;
mod devices;
mod files;
mod flash;
mod home;
mod login;
mod name;
mod remember;
mod session_json;
mod store;
mod tamper;
mod todo;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use cloakroom::Keys;
use minijinja::{Value, context};

use crate::Tour;
use crate::highlight::{self, Language};

/// The pages in the order of the tour.
pub(crate) static STOPS: [&Stop; 12] = [
    &home::STOP,
    &counter::STOP,
    &name::STOP,
    &login::STOP,
    &account::STOP,
    &devices::STOP,
    &remember::STOP,
    &flash::STOP,
    &cookies::STOP,
    &todo::STOP,
    &tamper::STOP,
    &store::STOP,
];

/// Everything the site answers.
pub(crate) fn routes(keys: &Keys) -> Router<Tour> {
    Router::new()
        .merge(home::routes())
        .merge(counter::routes())
        .merge(name::routes())
        .merge(login::routes())
        .merge(account::routes())
        .merge(devices::routes(keys))
        .merge(remember::routes())
        .merge(flash::routes())
        .merge(cookies::routes())
        .merge(todo::routes())
        .merge(tamper::routes())
        .merge(store::routes())
        .merge(session_json::routes())
        .merge(files::routes())
        .route("/healthz", get(async || "ok"))
        .fallback(missing)
}

async fn missing(State(tour): State<Tour>) -> Response {
    tour.templates.error_page(
        StatusCode::NOT_FOUND,
        "Nothing hangs here",
        "There is no page at this address.",
    )
}

/// One page of the tour: what the menu calls it, and the lines it shows.
pub(crate) struct Stop {
    pub(crate) path: &'static str,
    /// Its name in the menu.
    label: &'static str,
    title: &'static str,
    /// What the overview says about it; the overview itself is not listed there.
    teaches: Option<&'static str>,
    /// Its file, as `/source/` serves it.
    file: &'static str,
    /// The whole file; what stands between its markers is shown.
    rust: &'static str,
    flask: &'static str,
}

impl Stop {
    /// The stop with this address.
    pub(crate) fn at(path: &str) -> Option<&'static Stop> {
        STOPS.iter().copied().find(|stop| stop.path == path)
    }

    /// What the menu needs.
    pub(crate) fn outline(&self) -> Value {
        let slug = match self.path.trim_start_matches('/') {
            "" => "home",
            slug => slug,
        };
        context! { path => self.path, label => self.label, teaches => self.teaches, slug }
    }

    /// What the page itself needs.
    pub(crate) fn describe(&'static self) -> Value {
        let at = STOPS.iter().position(|stop| stop.path == self.path);
        let neighbour = |step: isize| {
            let stop = at?.checked_add_signed(step).and_then(|at| STOPS.get(at))?;
            Some(stop.outline())
        };
        context! {
            title => self.title,
            file => self.file,
            rust => Value::from_safe_string(highlight::html(&shown(self.rust), Language::Rust)),
            flask => Value::from_safe_string(highlight::html(self.flask.trim_end(), Language::Python)),
            previous => neighbour(-1),
            next => neighbour(1),
            ..self.outline()
        }
    }
}

/// The lines between `// shown: begin` and `// shown: end`, moved to the left margin.
fn shown(source: &str) -> String {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in source.lines() {
        match line.trim() {
            "// shown: begin" => {
                inside = true;
            }
            "// shown: end" => inside = false,
            _ if inside => lines.push(line),
            _ => {}
        }
    }
    let margin = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let lines: Vec<_> = lines
        .iter()
        .map(|line| line.get(margin..).unwrap_or(""))
        .collect();
    lines.join("\n")
}

/// At most `most` characters of what somebody typed, without white space around it.
fn typed(text: &str, most: usize) -> String {
    text.trim().chars().take(most).collect()
}
