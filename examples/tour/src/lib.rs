//! The tour: each thing the Flask tutorials teach about sessions and cookies, as a page to use.
//!
//! [`app`] puts the pages together, `pages/` holds one file for each of them, `panel.rs` draws the ticket beside them.

mod csrf;
mod failure;
mod headers;
mod highlight;
mod pages;
mod panel;
mod start;
mod todos;
mod view;

use std::time::Duration;

use axum::routing::get;
use axum::{Router, middleware};
use cloakroom::{KeyRing, SessionConfig, SessionLayer, SessionManager};

use panel::Panel;
pub use start::{
    Kept, Keys, KeysOrigin, Settings, StartError, keys, listen, stopped, store, todos,
};
pub use todos::{Todo, Todos};
use view::Templates;

/// How long a permanent session lives.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// What every page can reach.
#[derive(Clone)]
struct Tour {
    templates: Templates,
    todos: Todos,
    sessions: SessionManager,
    /// For the cookie that a session in a store would be.
    keys: KeyRing,
}

/// The whole site, with its sessions in the store if there is one, else in the cookie.
///
/// # Errors
///
/// [`StartError`] if the session settings contradict each other or a template does not parse.
pub fn app(keys: KeyRing, kept: Option<&Kept>, todos: Todos) -> Result<Router, StartError> {
    let templates = Templates::new()?;
    // shown: begin
    let sessions = match kept {
        None => SessionLayer::signed_with(keys.clone(), config())?,
        Some(Kept { store, format, .. }) => {
            SessionLayer::stored_with(store.clone(), config().serialization(*format))?
        }
    };
    // shown: end
    let panel = Panel {
        templates: templates.clone(),
        sessions: sessions.manager().clone(),
    };
    let tour = Tour {
        templates: templates.clone(),
        todos,
        sessions: sessions.manager().clone(),
        keys,
    };
    // shown: begin
    let pages = pages::routes().with_state(tour).layer(sessions);
    // shown: end
    let pages = pages.route("/panel", get(panel::show).with_state(panel.clone()));
    Ok(csrf::protect(pages, templates)
        .layer(middleware::from_fn_with_state(panel, panel::attach))
        .layer(middleware::map_response(headers::secure)))
}

// shown: begin

fn config() -> SessionConfig {
    SessionConfig::default()
        .secure(false) // plain http, on this machine only
        .lifetime(LIFETIME)
}
// shown: end
