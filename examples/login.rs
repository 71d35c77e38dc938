//! Logging in and out, and a page for those who are logged in.
//!
//! Start it with `cargo run --example login`, open <http://127.0.0.1:3000> and enter a name. `session.login` notes who it is
//! and when, and drops what another user left behind; a handler that names `User` answers 401 to everybody else, as
//! <http://127.0.0.1:3000/account> does in a private window. Checking the password is up to you: here every name is good.

use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Form, Router};
use cloakroom::csrf::CrossSiteLayer;
use cloakroom::{Error, SecretKey, Session, SessionConfig, SessionLayer, User};
use minijinja::HtmlEscape;

#[derive(serde::Deserialize)]
struct Login {
    username: String,
}

async fn index(user: Option<User>) -> Html<String> {
    Html(match user {
        Some(user) => format!(
            r#"<p>Logged in as {}</p> <a href="/account">Account</a>
            <form method="post" action="/logout"><button>Log out</button></form>"#,
            HtmlEscape(user.id())
        ),
        None => r#"<p>You are not logged in</p>
            <form method="post" action="/login"><input name="username" required> <button>Log in</button></form>"#
            .to_owned(),
    })
}

async fn login(session: Session, Form(form): Form<Login>) -> Result<Redirect, Error> {
    session.login(form.username)?;
    Ok(Redirect::to("/"))
}

async fn logout(session: Session) -> Redirect {
    session.logout();
    Redirect::to("/")
}

async fn account(user: User) -> String {
    format!("The account of {}\n", user.id())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // For this run only: `SecretKey::from_env("SECRET_KEY")` keeps people logged in after a restart.
    let key = SecretKey::generate()?;
    let config = SessionConfig::default().secure(false); // plain http, on this machine only
    let app = Router::new()
        .route("/", get(index))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/account", get(account))
        .layer(CrossSiteLayer::new()) // no other site can post these forms
        .layer(SessionLayer::signed_with(key, config)?);

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
