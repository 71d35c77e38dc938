//! Plain cookies, without a session: set, read, delete.
//!
//! Start it with `cargo run --example cookies`, open <http://127.0.0.1:3000>, then /set and /delete, and look at the cookie
//! `username` in the browser's developer tools. It is neither signed nor hidden, so a visitor can put anything there. Value and
//! attributes are written as Flask's `set_cookie` writes them, spaces and umlauts included.

use std::time::Duration;

use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing::get};
use cloakroom::cookie::CookieError;
use cloakroom::{Cookie, Cookies, SameSite};

/// Written once: setting and deleting use the same attributes, so the deletion hits.
fn username() -> Cookie {
    Cookie::new("username")
        .max_age(Duration::from_hours(1))
        .http_only(true)
        .same_site(SameSite::Lax)
}

async fn show(cookies: Cookies) -> String {
    match cookies.get("username") {
        Some(name) => format!("The cookie says: {name}\n"),
        None => "There is no cookie: open /set\n".into(),
    }
}

async fn set() -> Result<impl IntoResponse, CookieError> {
    Ok((username().set("Zoë Müller")?, Redirect::to("/")))
}

async fn delete() -> Result<impl IntoResponse, CookieError> {
    Ok((username().delete()?, Redirect::to("/")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/", get(show))
        .route("/set", get(set))
        .route("/delete", get(delete));

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
