//! One login, two servers: this one and `shared_with_flask.py`, its twin in Flask.
//!
//! Give both one key (`export SECRET_KEY=$(openssl rand -hex 32)`), start this one with `cargo run --example shared_with_flask`
//! and, in another terminal with the same `SECRET_KEY`, `python examples/shared_with_flask.py` (it needs `pip install flask`). Open
//! <http://127.0.0.1:3000>, log in, and follow the link to Flask on port 3001: you are logged in there, and it counts on. Browsers
//! send a host's cookies to all its ports, as they would behind one proxy.

use std::process::ExitCode;

use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Form, Router};
use cloakroom::csrf::CrossSiteLayer;
use cloakroom::{Error, SecretKey, Session, SessionConfig, SessionLayer};
use minijinja::HtmlEscape;

#[derive(serde::Deserialize)]
struct Login {
    username: String,
}

async fn index(session: Session) -> Result<Html<String>, Error> {
    let visits = session.update("visits", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    let name: String = session.get("username")?.unwrap_or("nobody".into());
    Ok(Html(format!(
        r#"<p>Rust: logged in as {}, {visits} visits here and there</p>
        <form method="post" action="/login"><input name="username" required> <button>Log in</button></form>
        <a href="http://127.0.0.1:3001">On to Flask</a>"#,
        HtmlEscape(&name)
    )))
}

async fn login(session: Session, Form(form): Form<Login>) -> Result<Redirect, Error> {
    session.insert("username", form.username)?; // where the Flask app has it
    Ok(Redirect::to("/"))
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let key = SecretKey::from_env("SECRET_KEY")?;
    let app = Router::new()
        .route("/", get(index))
        .route("/login", post(login))
        .layer(CrossSiteLayer::new())
        .layer(SessionLayer::signed_with(key, SessionConfig::flask())?);

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
