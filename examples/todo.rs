//! A to-do list that is in the session: a list of structs under one key.
//!
//! Start it with `cargo run --example todo`, open <http://127.0.0.1:3000> and add a few things. `session.update` reads the list,
//! changes it and writes it back, so no change is forgotten. A cookie takes 4 KB: a list that grows belongs in a database or,
//! as the example `server_side` shows, in a store.

use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Form, Router};
use cloakroom::csrf::CrossSiteLayer;
use cloakroom::{Error, Key, SecretKey, Session, SessionConfig, SessionLayer};
use minijinja::HtmlEscape;

/// A key with its type: a handler that takes it for something else does not compile.
const TODO: Key<Vec<Item>> = Key::new("todo");

#[derive(Clone, serde::Deserialize, serde::Serialize)]
struct Item {
    title: String,
}

#[derive(serde::Deserialize)]
struct Done {
    number: usize,
}

async fn list(session: Session) -> Result<Html<String>, Error> {
    let list = session.get(TODO)?.unwrap_or_default();
    let items: Vec<String> = list.iter().enumerate().map(item).collect();
    let add = r#"<form method="post"><input name="title" required> <button>Add</button></form>"#;
    Ok(Html(format!("<ol>{}</ol>{add}", items.concat())))
}

fn item((number, item): (usize, &Item)) -> String {
    let title = HtmlEscape(&item.title);
    format!(
        r#"<li><form method="post" action="/done">{title} <button name="number" value="{number}">Done</button></form>"#
    )
}

async fn add(session: Session, Form(item): Form<Item>) -> Result<Redirect, Error> {
    session.update(TODO, move |list: Option<Vec<Item>>| {
        let mut list = list.unwrap_or_default();
        list.push(item.clone()); // in a store this may run again, if another request was faster
        list
    })?;
    Ok(Redirect::to("/"))
}

async fn done(session: Session, Form(done): Form<Done>) -> Result<Redirect, Error> {
    session.update(TODO, move |list: Option<Vec<Item>>| {
        let mut list = list.unwrap_or_default();
        if done.number < list.len() {
            list.remove(done.number);
        }
        list
    })?;
    Ok(Redirect::to("/"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = SecretKey::generate()?; // for this run only
    let config = SessionConfig::default().secure(false); // plain http, on this machine only
    let app = Router::new()
        .route("/", get(list).post(add))
        .route("/done", post(done))
        .layer(CrossSiteLayer::new())
        .layer(SessionLayer::signed_with(key, config)?);

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
