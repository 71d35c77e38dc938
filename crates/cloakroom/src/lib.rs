//! Flask's sessions and cookies for Rust web services: the same cookie, byte for byte, so that a login
//! made in Flask is a login in Rust, and back.
//!
//! A complete program, with [axum](https://docs.rs/axum):
//!
//! ```no_run
//! use axum::{Form, Router, response::Redirect, routing::{get, post}};
//! use cloakroom::{Error, SecretKey, Session, SessionLayer};
//!
//! #[derive(serde::Deserialize)]
//! struct Login {
//!     username: String,
//! }
//!
//! async fn index(session: Session) -> Result<String, Error> {
//!     Ok(match session.get::<String>("username")? {
//!         Some(name) => format!("Logged in as {name}"),
//!         None => "You are not logged in".into(),
//!     })
//! }
//!
//! async fn login(session: Session, Form(form): Form<Login>) -> Result<Redirect, Error> {
//!     session.regenerate();
//!     session.insert("username", form.username)?;
//!     session.flash("success", "Welcome back");
//!     Ok(Redirect::to("/"))
//! }
//!
//! async fn logout(session: Session) -> Redirect {
//!     session.remove("username");
//!     Redirect::to("/")
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sessions = SessionLayer::signed(SecretKey::from_env("SECRET_KEY")?);
//!     let app = Router::new()
//!         .route("/", get(index))
//!         .route("/login", post(login))
//!         .route("/logout", post(logout))
//!         .layer(sessions);
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).await?;
//!     Ok(())
//! }
//! ```
//!
//! Give it the `SECRET_KEY` of a Flask 3.1 application, and both know the same visitors.
//!
//! # What a handler does
//!
//! A handler that names [`Session`] as an argument gets the visitor's session; one that does not pays
//! nothing for it. Every method takes `&self` and answers at once.
//!
//! ```
//! use cloakroom::{Error, Key, Session, value::Markup};
//!
//! const VISITS: Key<u64> = Key::new("visits");
//!
//! async fn page(session: Session) -> Result<(), Error> {
//!     let cart: Vec<(u32, String)> = session.get("cart")?.unwrap_or_default();
//!     session.insert("cart", cart)?;
//!     let visits = session.update(VISITS, |visits| visits.unwrap_or(0) + 1)?;
//!     if visits > 100 {
//!         session.flash("success", Markup::new("You are <em>loyal</em>"));
//!     }
//!     session.set_permanent(true);
//!     Ok(())
//! }
//! ```
//!
//! - One struct for the whole session: [`Typed`].
//! - Forms that no other site can post: [`csrf`].
//! - Messages for the next page: [`Session::flash`] and [`Session::flashes`].
//! - Cookies of your own: the extractor [`Cookies`] reads them, [`Cookie`] sets and deletes them.
//! - Templates: with the feature `minijinja`, `template::Globals` gives them `session`,
//!   `get_flashed_messages`, `request.cookies` and `csrf_token`.
//! - Links that expire (a password reset): [`token::signed`], all of itsdangerous.
//! - Tests: [`testing::Browser`] keeps cookies and edits the session between requests, as Flask's
//!   `session_transaction` does.
//!
//! # What reaches the browser
//!
//! The session lives in the cookie: signed, so that nobody can change it, but readable by whoever has
//! the browser. Do not put secrets in it. A browser keeps 4096 bytes; a larger session is an error that
//! names its largest keys.
//!
//! | the request | the response |
//! | --- | --- |
//! | leaves its session alone | gets nothing, and no cookie is looked at |
//! | reads | `Vary: Cookie`; the cookie again at most once an hour ([`Refresh`]) |
//! | changes something | the new cookie, `Vary: Cookie`, and no shared cache may keep it |
//! | removes the last key | the removal of the cookie |
//!
//! A cookie that is expired, altered or of another key gives an empty session; [`Session::status`] says
//! why. Two requests at once that both change the session each send a cookie, and the browser keeps
//! the later one: that is in the nature of sessions in cookies. So is that a copy of a cookie stays
//! valid until it expires, even after a logout, unless [`UserSessions`] are kept track of.
//!
//! # In a store
//!
//! [`SessionLayer::stored`] keeps sessions on the server, in Flask-Session's own entries; the browser has an
//! id. Handlers stay as they are, but parallel requests no longer overwrite each other, and a logout ends
//! the session wherever its cookie was copied to.
//!
//! ```no_run
//! use cloakroom::{SessionLayer, store::Store};
//!
//! # async fn sessions() -> Result<SessionLayer, cloakroom::store::StoreError> {
//! let store = Store::from_url("redis://127.0.0.1").await?;
//! let sessions = SessionLayer::stored(store);
//! # Ok(sessions) }
//! ```
//!
//! | the request | the store | the response |
//! | --- | --- | --- |
//! | leaves its session alone | is not asked | gets nothing |
//! | reads | one load; a new expiry at most once an hour | `Vary: Cookie` |
//! | changes something | one compare-and-swap | as above; the cookie only if it is new or permanent |
//! | is the first to put something in | one new entry under a new id | the cookie |
//! | calls [`Session::regenerate`] | a new entry, then the old one goes | the cookie with the new id |
//! | removes the last key, or calls [`Session::clear`] | the entry goes and leaves a tombstone | the removal of the cookie |
//!
//! If another request has changed the session meanwhile, what this one did is done again on what is there
//! now: a value that was set wins its own key and no other, the function of [`Session::update`] runs again. If
//! the session was ended meanwhile, the changes are dropped and the response leaves the cookie alone (it may be
//! that of a new login). A store that can't be asked gives [`Error::StoreUnavailable`], which is a 503: it is
//! never taken for an empty session. Pages that are of use without a session can go on instead
//! ([`SessionLayer::on_outage`]), and after a few failures nobody waits for such a store any more
//! ([`Breaker`](store::Breaker)). What pages ask by themselves keeps no session alive if its routes say so
//! ([`SessionLayer::without_activity`]).
//!
//! [`store`] has them all, and says how to write another one.
//!
//! # Who is logged in
//!
//! [`Session::login`] is a login in one commit: a new id, the user, and the time of the proof. What another user
//! had in the session goes first. The rest follows from it:
//!
//! ```
//! use std::time::Duration;
//! use cloakroom::{Error, Session, User};
//!
//! async fn login(session: Session) -> Result<(), Error> {
//!     // … the password was right:
//!     session.login("alice")
//! }
//!
//! /// For users only: others get 401.
//! async fn change_password(user: User) -> Result<String, Error> {
//!     if !user.authenticated_within(Duration::from_secs(300)) {
//!         return Ok("Your password again, please".to_owned());
//!     }
//!     // … and with the new password:
//!     let others = user.end_other_sessions().await?;
//!     Ok(format!("{others} other devices are logged out"))
//! }
//!
//! async fn logout(session: Session) {
//!     session.logout();
//! }
//! ```
//!
//! - Two steps: [`Session::begin_login`] after the password, `login` after the second proof. Who is in between
//!   is a [`PendingUser`] and no [`User`].
//! - Lifetimes: [`SessionConfig::lifetime`] for an idle session, [`SessionConfig::absolute_lifetime`] for any,
//!   [`SessionConfig::remember_lifetime`] for "remember me"; [`SessionConfig::assurance`] sets them as NIST's
//!   assurance levels ask. The server's clock decides.
//! - Lists of devices, and ends from elsewhere: with [`SessionConfig::user_sessions`] a user's sessions can be
//!   listed and ended, one by one, all others, or all ([`UserSessions`]). This works for sessions in a cookie too,
//!   whose copies are worth nothing after a logout then.
//! - What happens is told: [`SessionConfig::on_event`], and `tracing`.
//!
//! # Unreadable sessions
//!
//! [`SessionLayer::encrypted`] keeps the session in a cookie that the browser cannot read. To get there from signed
//! cookies with nobody logged out, [`SessionConfig::accept_signed`] reads those for a while. In a store that
//! Flask does not share, [`Layout::Native`] keeps only a hash of the id's secret half, so that a copy of the
//! database logs nobody in, and [`Layout::Sealed`] encrypts the content with a key that only the browser's
//! cookie holds; [`SessionConfig::accept_layout`] is the way there. [`SessionConfig::native`] has the settings for sites that share nothing with Flask.
//!
//! # Other sites, and proxies
//!
//! [`csrf`] refuses requests that another site's page makes the browser send, by what the browser says of them and,
//! beside Flask-WTF, by its tokens. [`SessionConfig::require_https`] refuses sessions over plain http behind a
//! proxy. [`ClearSiteData`] makes the browser forget a site at a logout.
//!
//! # When a store is down
//!
//! A handler that asks for its session gets a 503 with `Retry-After`, and after a few failures in a row the next
//! requests get it at once ([`store::Breaker`]). A page that can do without a session says so:
//! [`SessionLayer::on_outage`] with [`OutagePolicy::Degrade`] gives it one that
//! [knows nothing](Session::is_unknown), which is neither logged in nor anonymous.
//!
//! # Watching it in development
//!
//! With the feature `inspector`, one more layer around the application answers at `/_sessions` with a page that shows what each
//! request did to its session: before and after, the size of the cookie key by key, which key verified it, how long it
//! lives, and events as they happen. It starts for addresses of this machine only, and shows the values of your own
//! browser's session only: `inspector::Inspector`.
//!
//! # Beside Flask
//!
//! [`SessionConfig::default`] writes Flask's cookie with safer attributes and fewer headers.
//! [`SessionConfig::flask`] sends header for header what Flask sends. [`FlaskSettings`] reads Flask's
//! own names (`SECRET_KEY_FALLBACKS`, `SESSION_COOKIE_SAMESITE`, `PERMANENT_SESSION_LIFETIME`, …) from a
//! map, a TOML file or `FLASK_` environment variables:
//!
//! ```no_run
//! use cloakroom::{ConfigError, FlaskSettings, SessionLayer};
//!
//! # async fn sessions() -> Result<SessionLayer, ConfigError> {
//! // In the cookie, or in the store that SESSION_TYPE names.
//! let sessions = SessionLayer::from_flask(&FlaskSettings::from_env()).await?;
//! # Ok(sessions) }
//! ```
//!
//! All of Python's types in a session keep their type here: [`Value`] has the table. What a request
//! does not change goes back with the bytes it came with. `COMPATIBILITY.md` in the repository lists
//! every difference that is meant.
//!
//! Flask's neighbours are shared too: [`csrf`] has Flask-WTF's tokens, [`flask_login`] Flask-Login's logins.
//!
//! # Keys
//!
//! [`SecretKey`] refuses what is too short or published somewhere. To change it with nobody noticing,
//! keep the keys in a file that the servers watch ([`Keys`] shows one) and give each the time from which it signs:
//!
//! ```no_run
//! use std::time::Duration;
//! use cloakroom::{Keys, SessionLayer};
//!
//! # async fn sessions() -> Result<(), cloakroom::KeysError> {
//! let keys = Keys::from_file("/etc/shop/keys.json")?;
//! let watcher = keys.watch(Duration::from_secs(10));
//! let sessions = SessionLayer::signed(keys);
//! # drop((watcher, sessions)); Ok(()) }
//! ```
//!
//! A new key is accepted as soon as a server has read it and signs from its time on, so that no server meets
//! a cookie whose key it does not know. What an old key signed is read until its end, and signed with the new
//! one when it changes. [`SessionManager::key_usage`] says when nobody needs the old one, and a key that is
//! `revoked` in the file opens nothing from the next reload on. Where a restart does no harm, a [`KeyRing`] is
//! enough: one key that signs and older ones that only verify, as in Flask.
//!
//! # Features
//!
//! - `axum` (default): extractors and response parts, on `axum-core` alone. The layer itself works
//!   under any tower server.
//! - `encrypted` (default): cookies and entries that nobody can read without the key.
//! - `inspector`: a page for development that shows what requests do to their sessions.
//! - `metrics`: counts, sizes and times for whoever runs the site: [`metrics`](https://docs.rs/metrics).
//! - `minijinja`: Flask's names in templates.
//! - `toml`: settings from TOML files.
//! - `idna`: cookie domains outside ASCII.
//! - `redis` (and `redis-tls`), `memcached`, `sqlite`, `postgres`, `mysql` (and `sql-tls`), `dynamodb`, `file`: the stores;
//!   [`MemoryStore`](store::MemoryStore) is always there.
//! - `conformance`: the checks for stores of your own.

#![cfg_attr(docsrs, feature(doc_cfg))]

// Tests in here share helpers with those in `tests`, which know this crate by its name.
#[cfg(test)]
extern crate self as cloakroom;

mod at_once;
mod caches;
mod clock;
mod config;
pub mod cookie;
mod csrf_token;
pub mod doctor;
mod error;
pub mod flask_login;
pub mod format;
mod hexadecimal;
mod http_date;
pub mod json;
mod manager;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
mod metrics;
mod secret;
mod session;
pub mod store;
pub mod testing;
pub mod token;
pub mod value;
mod web;

pub use clock::Clock;
pub use config::{
    AssuranceLevel, ConfigError, CookieLimit, FlaskSettings, Layout, MaxSessions, OutagePolicy,
    Refresh, SessionConfig, UserSessions,
};
pub use cookie::{Cookie, RequestCookies as Cookies, SameSite, SetCookie};
pub use error::Error;
pub use manager::{Conversion, SessionManager, SessionReport};
pub use secret::{
    KeyFile, KeyRing, KeyState, KeyUsage, KeyWatcher, Keys, KeysError, Reloaded, ScheduledKey,
    SecretKey, SecretKeyError,
};
pub use session::{
    Event, EventKind, Flash, Handle, HandleError, Key, Login, PendingUser, Protection, Refusal,
    Session, SessionInfo, SessionKey, Status, StoredEntry, StoredKey, StoredLayout, Typed,
    TypedKey, User,
};
pub use value::Value;
pub use web::clear_site_data::ClearSiteData;
pub use web::csrf;
#[cfg(feature = "inspector")]
#[cfg_attr(docsrs, doc(cfg(feature = "inspector")))]
pub use web::inspector;
#[cfg(feature = "minijinja")]
pub use web::template;
pub use web::tower::{SessionFuture, SessionLayer, SessionService};
