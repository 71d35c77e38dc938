//! The tour: each thing the Flask tutorials teach about sessions and cookies, as a page to use.
//!
//! [`app`] puts the pages together, `pages/` holds one file for each of them, `panel.rs` draws the ticket beside them.

mod age;
mod csrf;
mod failure;
mod headers;
mod highlight;
mod kept;
mod keys;
mod pages;
mod panel;
mod start;
mod todos;
mod view;

use std::net::SocketAddr;
use std::time::Duration;

use axum::routing::get;
use axum::{Router, middleware};
use cloakroom::inspector::Inspector;
use cloakroom::{Layout, SessionConfig, SessionLayer, SessionManager, UserSessions};

pub use kept::{Kept, Place, cookie, moving_store, store};
pub use keys::{Keys, KeysOrigin, keys, keys_in};
use panel::Panel;
pub use start::{Settings, StartError, listen, stopped, todos};
pub use todos::{Todo, Todos};
use view::Templates;

/// How long a permanent session lives.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// What every page can reach.
#[derive(Clone)]
struct Tour {
    templates: Templates,
    todos: Todos,
    place: Place,
    sessions: SessionManager,
    /// For the cookie that a session in a store would be.
    keys: cloakroom::Keys,
}

/// The whole site, with its sessions in the store if there is one, else in the cookie.
///
/// # Errors
///
/// [`StartError`] if the session settings contradict each other or a template does not parse.
pub fn app(
    keys: impl Into<cloakroom::Keys>,
    kept: &Kept,
    todos: Todos,
) -> Result<Router, StartError> {
    Ok(site(keys.into(), kept, todos)?.0)
}

/// The same, with the inspector at `/_sessions`, for a server that listens at this address.
///
/// # Errors
///
/// As [`app`], and [`StartError::Inspector`] if other machines reach the address.
pub fn inspected(
    keys: impl Into<cloakroom::Keys>,
    kept: &Kept,
    todos: Todos,
    address: SocketAddr,
) -> Result<Router, StartError> {
    let (pages, sessions) = site(keys.into(), kept, todos)?;
    Ok(pages.layer(Inspector::new(&sessions, address)?))
}

fn site(
    keys: cloakroom::Keys,
    kept: &Kept,
    todos: Todos,
) -> Result<(Router, SessionLayer), StartError> {
    let (place, store) = (kept.place, kept.store.clone());
    let templates = Templates::new()?;
    // shown: begin
    let devices = match place {
        Place::SignedCookie | Place::EncryptedCookie => UserSessions::in_store(store.clone()),
        Place::Store | Place::SealedStore => UserSessions::new(),
    };
    let config = config(place).user_sessions(devices);
    let sessions = match place {
        Place::SignedCookie => SessionLayer::signed_with(&keys, config)?,
        Place::EncryptedCookie => SessionLayer::encrypted_with(&keys, config)?,
        Place::Store | Place::SealedStore => SessionLayer::stored_with(store, config)?,
    };
    // shown: end
    let panel = Panel {
        templates: templates.clone(),
        place,
        sessions: sessions.manager().clone(),
    };
    let tour = Tour {
        templates: templates.clone(),
        todos,
        place,
        sessions: sessions.manager().clone(),
        keys: keys.clone(),
    };
    // shown: begin
    let pages = pages::routes(&keys)
        .with_state(tour)
        .layer(sessions.clone());
    // shown: end
    let pages = pages.route("/panel", get(panel::show).with_state(panel.clone()));
    let pages = csrf::protect(pages, templates)
        .layer(middleware::from_fn_with_state(panel, panel::attach))
        .layer(middleware::map_response(headers::secure));
    Ok((pages, sessions))
}

// shown: begin

fn config(place: Place) -> SessionConfig {
    let config = match place {
        Place::SignedCookie | Place::Store => SessionConfig::default(),
        Place::EncryptedCookie => SessionConfig::native().cookie_name("session"),
        Place::SealedStore => SessionConfig::native()
            .cookie_name("session")
            .layout(Layout::Sealed),
    };
    config
        .secure(false) // plain http, on this machine only
        .lifetime(LIFETIME)
}
// shown: end
