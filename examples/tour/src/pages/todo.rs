//! A to-do list for who is logged in.

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use cloakroom::Session;
use minijinja::context;
use minijinja::value::Serde;
use serde::Deserialize;

use super::{Stop, typed};
use crate::Tour;
use crate::failure::Failure;
use crate::view::{Page, View};

pub(super) static STOP: Stop = Stop {
    path: "/todo",
    label: "To-do list",
    title: "To-do list",
    teaches: Some("only for who is logged in, kept in SQLite"),
    file: "pages/todo.rs",
    rust: include_str!("todo.rs"),
    flask: include_str!("../../flask/todo.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new()
        .route("/todo", get(show).post(add))
        .route("/todo/{id}/toggle", post(toggle))
        .route("/todo/{id}/delete", post(delete))
}

async fn show(Owner(owner): Owner, State(tour): State<Tour>, view: View) -> Page {
    let todos = Serde(tour.todos.of(&owner).await?);
    view.render("todo.html", context! { todos })
}

#[derive(Deserialize)]
struct NewTodo {
    title: String,
}

async fn add(
    Owner(owner): Owner,
    session: Session,
    State(tour): State<Tour>,
    Form(form): Form<NewTodo>,
) -> Result<Redirect, Failure> {
    let title = typed(&form.title, 200);
    if title.is_empty() {
        session.flash("error", "Title is required!");
    } else {
        tour.todos.add(&owner, &title).await?;
    }
    Ok(Redirect::to("/todo"))
}

async fn toggle(
    Owner(owner): Owner,
    State(tour): State<Tour>,
    Path(id): Path<i64>,
) -> Result<Redirect, Failure> {
    tour.todos.toggle(&owner, id).await?;
    Ok(Redirect::to("/todo"))
}

// shown: begin
/// Who is logged in. Everybody else is sent to the login form.
struct Owner(String);

impl<S: Send + Sync> FromRequestParts<S> for Owner {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let session = Session::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        if let Ok(Some(name)) = session.get("username") {
            return Ok(Self(name));
        }
        session.flash("error", "Please log in to see your list");
        Err(Redirect::to("/login").into_response())
    }
}

async fn delete(
    Owner(owner): Owner,
    State(tour): State<Tour>,
    Path(id): Path<i64>,
) -> Result<Redirect, Failure> {
    tour.todos.delete(&owner, id).await?; // … WHERE id = ? AND owner = ?
    Ok(Redirect::to("/todo"))
}
// shown: end
