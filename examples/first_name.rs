//! A form that remembers your name, with Flask's names in the template.
//!
//! Start it with `cargo run --example first_name`, open <http://127.0.0.1:3000>, enter a name, and close the tab and come back.
//! The template is one of Jinja's: minijinja renders it, and `Globals` gives it `session`, `get_flashed_messages` and
//! `request.cookies`, as Flask does. What visitors type is escaped, because the template's name ends in `.html`.

use axum::http::StatusCode;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Form, Router};
use cloakroom::csrf::CrossSiteLayer;
use cloakroom::template::Globals;
use cloakroom::{Error, SecretKey, Session, SessionConfig, SessionLayer};
use minijinja::Environment;

const PAGE: &str = r#"
{% if 'firstName' in session %}
  <p>Hello, {{ session['firstName'] }}!</p>
  <form method="post" action="/clear"><button>Forget me</button></form>
{% else %}
  <form method="post"><input name="first_name" required> <button>Save</button></form>
{% endif %}"#;

#[derive(serde::Deserialize)]
struct Name {
    first_name: String,
}

async fn page(globals: Globals) -> Result<Html<String>, (StatusCode, String)> {
    Environment::new()
        .render_named_str("page.html", PAGE, globals.into_value())
        .map(Html)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

async fn save(session: Session, Form(form): Form<Name>) -> Result<Redirect, Error> {
    session.insert("firstName", form.first_name)?;
    Ok(Redirect::to("/"))
}

async fn clear(session: Session) -> Redirect {
    session.clear();
    Redirect::to("/")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = SecretKey::generate()?; // for this run only
    let config = SessionConfig::default().secure(false); // plain http, on this machine only
    let app = Router::new()
        .route("/", get(page).post(save))
        .route("/clear", post(clear))
        .layer(CrossSiteLayer::new())
        .layer(SessionLayer::signed_with(key, config)?);

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
