//! Keeps other sites from posting our forms (cross-site request forgery).
//!
//! A browser sends our cookies along with a form that another site's page makes it post. Two checks tell such
//! a request from a real one:
//!
//! | | looks at | needs |
//! | --- | --- | --- |
//! | [`CrossSiteLayer`] | what the browser says of where the request comes from | nothing |
//! | [`CsrfLayer`] | that, and a token in the form: Flask-WTF's, to the byte | a session; the token in each form |
//!
//! The first is enough for new sites. Beside a Flask application that uses Flask-WTF take the second: what
//! Flask rendered may be posted here, and the other way round.
//!
//! ```
//! use axum::{Router, response::Html, routing::get};
//! use cloakroom::{Error, SecretKey, SessionLayer, csrf::{CsrfForm, CsrfLayer, CsrfToken, CsrfTokens}};
//!
//! #[derive(serde::Deserialize)]
//! struct Name {
//!     name: String,
//! }
//!
//! async fn page(token: CsrfToken) -> Html<String> {
//!     Html(format!(
//!         r#"<form method="post"><input type="hidden" name="csrf_token" value="{token}"><input name="name"></form>"#
//!     ))
//! }
//!
//! async fn save(CsrfForm(form): CsrfForm<Name>) -> String {
//!     format!("Hello {}", form.name)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let key = SecretKey::generate()?;
//! let app: Router = Router::new()
//!     .route("/name", get(page).post(save))
//!     .layer(CsrfLayer::new(CsrfTokens::new(key.clone())))
//!     // Below, so that it is outside: the token belongs to the session.
//!     .layer(SessionLayer::signed(key));
//! # Ok(()) }
//! ```
//!
//! A refused request is answered with the reason in plain words; [`CsrfError`] is in the response's
//! extensions, for a page of your own.

mod cross_site;
#[cfg(feature = "axum")]
mod form;
#[cfg(feature = "axum")]
mod protect;

pub use cross_site::{CrossSiteFuture, CrossSiteLayer, CrossSiteService, OriginError};
#[cfg(feature = "axum")]
pub use form::{CsrfChecked, CsrfForm, CsrfRejection, CsrfToken};
#[cfg(feature = "axum")]
pub use protect::{CsrfLayer, CsrfService};

#[cfg(feature = "minijinja")]
pub(super) use protect::tokens_of;
#[cfg(feature = "inspector")]
pub(super) use protect::{is_form, read};

pub use crate::csrf_token::{CsrfError, CsrfTokens};
