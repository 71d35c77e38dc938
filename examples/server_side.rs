//! Sessions on the server: the browser has an id, the basket is in a file.
//!
//! Start it with `cargo run --example server_side`, open <http://127.0.0.1:3000> and put something into the basket. The cookie is
//! an id and stays the same; what is in the basket is in the folder it prints. Stop the program and start it again: the basket
//! is still there, with no secret key at all. `SESSION_STORE=memory:` or another URL puts it elsewhere.

use std::time::Duration;

use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Form, Router};
use cloakroom::csrf::CrossSiteLayer;
use cloakroom::store::Store;
use cloakroom::{Error, Session, SessionConfig, SessionLayer};
use minijinja::HtmlEscape;

#[derive(serde::Deserialize)]
struct Thing {
    name: String,
}

async fn basket(session: Session) -> Result<Html<String>, Error> {
    let things: Vec<String> = session.get("basket")?.unwrap_or_default();
    Ok(Html(format!(
        r#"<p>In your basket: {}</p>
        <form method="post"><input name="name" required> <button>Add</button></form>
        <form method="post" action="/empty"><button>Empty it</button></form>"#,
        HtmlEscape(&things.join(", "))
    )))
}

async fn add(session: Session, Form(thing): Form<Thing>) -> Result<Redirect, Error> {
    session.update("basket", move |things: Option<Vec<String>>| {
        let mut things = things.unwrap_or_default();
        things.push(thing.name.clone()); // may run again, if another request was faster
        things
    })?;
    Ok(Redirect::to("/"))
}

async fn empty(session: Session) -> Redirect {
    session.clear(); // the entry goes, and a copy of the cookie is worth nothing
    Redirect::to("/")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("SESSION_STORE").unwrap_or("file:./data/sessions".into());
    let store = Store::from_url(&url).await?;
    let _sweeper = store.sweep_every(Duration::from_mins(10)); // removes what has expired
    let config = SessionConfig::default().secure(false); // plain http, on this machine only
    let app = Router::new()
        .route("/", get(basket).post(add))
        .route("/empty", post(empty))
        .layer(CrossSiteLayer::new())
        .layer(SessionLayer::stored_with(store, config)?);

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    println!("Sessions are in {url}");
    axum::serve(listener, app).await?;
    Ok(())
}
