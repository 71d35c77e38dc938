//! What can go wrong inside a page, and what the visitor is told.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Session(#[from] cloakroom::Error),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Cookie(#[from] cloakroom::cookie::CookieError),
    #[error(transparent)]
    Template(#[from] minijinja::Error),
    #[error(transparent)]
    Settings(#[from] cloakroom::ConfigError),
    #[error("the panel could not be drawn")]
    Panel,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Session(error) => error.into_response(),
            Self::Cookie(error) => error.into_response(),
            Self::Database(_) | Self::Template(_) | Self::Settings(_) | Self::Panel => {
                eprintln!("tour: {self}");
                let text = "Something went wrong on the server; its terminal says what.";
                (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
            }
        }
    }
}
