//! "Remember me": a session that outlives the browser window, or not.
//!
//! Start it with `cargo run --example remember_me`, open <http://127.0.0.1:3000> and log in with and without the tick. Without it
//! the cookie has no expiry and goes with the window; with it the browser keeps it for thirty days. The server's clock
//! decides in any case: an hour without a request ends the first kind, thirty days the second.

use std::time::Duration;

use axum::response::{Html, Redirect};
use axum::routing::get;
use axum::{Form, Router};
use cloakroom::csrf::CrossSiteLayer;
use cloakroom::{Error, SecretKey, Session, SessionConfig, SessionLayer};
use minijinja::HtmlEscape;

#[derive(serde::Deserialize)]
struct Login {
    username: String,
    /// The browser sends it only when the box is ticked.
    remember: Option<String>,
}

async fn page(session: Session) -> Html<String> {
    let form = r#"<form method="post"><input name="username" required>
        <label><input type="checkbox" name="remember"> Remember me</label> <button>Log in</button></form>"#;
    Html(match session.subject() {
        Some(user) if session.permanent() => {
            format!("<p>{}, remembered</p>{form}", HtmlEscape(&user))
        }
        Some(user) => format!("<p>{}, until you leave</p>{form}", HtmlEscape(&user)),
        None => form.to_owned(),
    })
}

async fn login(session: Session, Form(form): Form<Login>) -> Result<Redirect, Error> {
    session.login(form.username)?;
    session.set_permanent(form.remember.is_some());
    Ok(Redirect::to("/"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = SecretKey::generate()?; // for this run only
    let config = SessionConfig::default()
        .lifetime(Duration::from_hours(1))
        .remember_lifetime(Duration::from_hours(30 * 24))
        .secure(false); // plain http, on this machine only
    let app = Router::new()
        .route("/", get(page).post(login))
        .layer(CrossSiteLayer::new())
        .layer(SessionLayer::signed_with(key, config)?);

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
