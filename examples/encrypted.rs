//! A session that the browser keeps and cannot read.
//!
//! Start it with `cargo run --example encrypted`, open <http://127.0.0.1:3000>, save a note and look at the cookie `session` in the
//! browser's developer tools: it is encrypted, so it tells nobody what you wrote, and two of the same note look
//! different. Handlers are the same as with a signed cookie. A Flask application cannot read it.

use axum::response::{Html, Redirect};
use axum::routing::get;
use axum::{Form, Router};
use cloakroom::csrf::CrossSiteLayer;
use cloakroom::{Error, SecretKey, Session, SessionConfig, SessionLayer};
use minijinja::HtmlEscape;

#[derive(serde::Deserialize)]
struct Note {
    note: String,
}

async fn page(session: Session) -> Result<Html<String>, Error> {
    let note: String = session.get("note")?.unwrap_or_default();
    Ok(Html(format!(
        r#"<p>Your note: {}</p><form method="post"><input name="note"> <button>Save</button></form>"#,
        HtmlEscape(&note)
    )))
}

async fn save(session: Session, Form(form): Form<Note>) -> Result<Redirect, Error> {
    session.insert("note", form.note)?;
    Ok(Redirect::to("/"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = SecretKey::generate()?; // for this run only
    // Over https `SessionLayer::encrypted(key)` is all it takes; its cookie is `__Host-session`.
    let config = SessionConfig::native().cookie_name("session").secure(false); // plain http, on this machine only
    let app = Router::new()
        .route("/", get(page).post(save))
        .layer(CrossSiteLayer::new())
        .layer(SessionLayer::encrypted_with(key, config)?);

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
