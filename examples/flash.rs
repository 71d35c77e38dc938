//! Messages for the next page: said once, after a redirect.
//!
//! Start it with `cargo run --example flash`, open <http://127.0.0.1:3000> and save a title, then an empty one. The message is
//! shown once: reload, and it is gone. Between the form and the page it waits in the session, as in Flask, which finds
//! it there under the same name.

use axum::response::{Html, Redirect};
use axum::routing::get;
use axum::{Form, Router};
use cloakroom::csrf::CrossSiteLayer;
use cloakroom::{SecretKey, Session, SessionConfig, SessionLayer};
use minijinja::HtmlEscape;

#[derive(serde::Deserialize)]
struct Post {
    title: String,
}

async fn page(session: Session) -> Html<String> {
    let messages: Vec<String> = session
        .flashes()
        .iter()
        .map(|flash| {
            let (category, message) = (flash.category(), flash.message());
            format!(
                r#"<p class="{}">{}</p>"#,
                HtmlEscape(&category),
                HtmlEscape(&message)
            )
        })
        .collect();
    Html(format!(
        r#"{}<form method="post"><input name="title"> <button>Save</button></form>"#,
        messages.concat()
    ))
}

async fn save(session: Session, Form(post): Form<Post>) -> Redirect {
    if post.title.is_empty() {
        session.flash("error", "Title is required!");
    } else {
        session.flash("success", format!("Saved: {}", post.title));
    }
    Redirect::to("/")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = SecretKey::generate()?; // for this run only
    let config = SessionConfig::default().secure(false); // plain http, on this machine only
    let app = Router::new()
        .route("/", get(page).post(save))
        .layer(CrossSiteLayer::new())
        .layer(SessionLayer::signed_with(key, config)?);

    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
