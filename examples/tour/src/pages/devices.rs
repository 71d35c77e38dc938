//! Where a visitor is logged in, and ending that from elsewhere.

use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use cloakroom::csrf::{CsrfLayer, CsrfTokens};
use cloakroom::{Error, Handle, Keys, Session, SessionInfo};
use minijinja::{Value, context};
use serde::Deserialize;

use super::Stop;
use crate::Tour;
use crate::age::moment;
use crate::view::{Page, View};

pub(super) static STOP: Stop = Stop {
    path: "/devices",
    label: "Your devices",
    title: "Your devices",
    teaches: Some("where you are logged in, and ending it from elsewhere"),
    file: "pages/devices.rs",
    rust: include_str!("devices.rs"),
    flask: include_str!("../../flask/devices.py"),
};

// shown: begin
pub(super) fn routes(keys: &Keys) -> Router<Tour> {
    Router::new()
        .route("/devices", get(show))
        .route("/devices/end", post(end))
        .route("/devices/end-others", post(end_others))
        // each form holds {{ csrf_token() }}
        .layer(CsrfLayer::new(CsrfTokens::new(keys)))
}

async fn show(session: Session, view: View) -> Page {
    let devices = session.user_sessions().await?;
    let devices: Vec<Value> = devices.iter().map(describe).collect();
    view.render("devices.html", context! { devices })
}

#[derive(Deserialize)]
struct Device {
    handle: String, // in the page, and no credential
}

async fn end(session: Session, Form(form): Form<Device>) -> Result<Redirect, Error> {
    let ended = match form.handle.parse::<Handle>() {
        // only ever one of this user's own
        Ok(handle) => session.end_session(&handle).await?,
        Err(_) => false,
    };
    match ended {
        true => session.flash("success", "Logged out there"),
        false => session.flash("message", "That login has ended already"),
    }
    Ok(Redirect::to("/devices"))
}

async fn end_others(session: Session) -> Result<Redirect, Error> {
    let count = session.end_other_sessions().await?;
    session.flash("success", format!("Logged out everywhere else: {count}"));
    Ok(Redirect::to("/devices"))
}
// shown: end

fn describe(device: &SessionInfo) -> Value {
    context! {
        handle => device.handle.to_string(),
        browser => browser(device.agent.as_deref().unwrap_or_default()),
        agent => device.agent.clone(),
        created => moment(device.created),
        seen => moment(device.last_seen),
        current => device.current,
    }
}

/// The names in a `User-Agent` that people know; browsers name each other in theirs, so the order counts.
const BROWSERS: [(&str, &str); 7] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-requests/", "A Python script"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// “Firefox on Linux”, or what the browser said if it is none that is known.
fn browser(agent: &str) -> String {
    let known = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(part, _)| agent.contains(part));
        found.map(|(_, name)| *name)
    };
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) if agent.is_empty() => "A browser that gave no name".to_owned(),
        (None, _) => agent.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_are_called_what_people_call_them() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.14.1", "curl"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
            ("", "A browser that gave no name"),
        ] {
            assert_eq!(browser(agent), name);
        }
        assert_eq!(browser(&"x".repeat(300)).len(), 60);
    }
}
