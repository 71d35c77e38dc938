//! Logins shared with Flask-Login 0.6.3: who logged in there is logged in here, and back, also after the
//! browser was closed.
//!
//! Flask-Login keeps the user's id in the session (`_user_id`), whether the login is fresh (`_fresh`), and a hash
//! of the browser's address and name (`_id`). Who asks to be remembered gets a second cookie, `remember_token`,
//! which makes a new session when the old one is gone; such a login is not fresh, so that a site can ask for the
//! password again before anything important.
//!
//! ```
//! use axum::{extract::State, http::HeaderMap, response::{IntoResponse, Redirect, Response}};
//! use cloakroom::{Cookies, Error, Session, flask_login::{Client, FlaskLogin, Remember}};
//!
//! async fn account(
//!     State(flask_login): State<FlaskLogin>,
//!     session: Session,
//!     cookies: Cookies,
//!     headers: HeaderMap,
//! ) -> Result<Response, Error> {
//!     let visitor = flask_login.visitor(&session, &cookies, &Client::of(&headers, None))?;
//!     let page = match visitor.user_id() {
//!         Some(name) => format!("Logged in as {name}").into_response(),
//!         None => Redirect::to("/login").into_response(),
//!     };
//!     // The visitor goes with the response: it sets or removes `remember_token`.
//!     Ok((visitor, page).into_response())
//! }
//! # let _: axum::Router<FlaskLogin> = axum::Router::new().route("/", axum::routing::get(account));
//! ```
//!
//! # What `remember_token` is worth
//!
//! It is the user's id and an HMAC of it under the `SECRET_KEY`, and nothing else: no date, no device, no
//! password. **Whoever copies one is logged in as that user for as long as the key lives**; neither a logout nor
//! a new password ends it, and the cookie's expiry binds only honest browsers. (Advisories for other frameworks
//! call this CVE-2021-41268 and CVE-2024-51996.) That is Flask-Login's format, so it can't be mended here. What
//! can be done:
//!
//! - Let the id be one that changes with the password: Flask-Login calls this an alternative token.
//! - When [`Visitor::is_restored`], look up whether the user's remembered logins were ended, and if so call
//!   [`Visitor::logout`].
//! - Ask for the password again where it matters, unless [`Visitor::is_fresh`].

mod client;
pub(crate) mod remember_token;
mod visitor;

use std::{borrow::Cow, sync::Arc, time::Duration};

pub use client::Client;
pub use visitor::Visitor;

use crate::{
    Clock, Error, Session,
    cookie::{Cookie, CookieError, RequestCookies, SameSite},
    secret::Keys,
};
use remember_token::RememberTokens;

/// The session's entries that are Flask-Login's.
mod entry {
    pub(super) use crate::session::{AUTHENTICATED_AT, FRESH, SUBJECT as USER};

    pub(super) const CLIENT: &str = "_id";
    pub(super) const NEXT: &str = "next";
    pub(super) const REMEMBER: &str = "_remember";
    pub(super) const REMEMBER_SECONDS: &str = "_remember_seconds";
}

/// Flask-Login's settings: its `LoginManager`, as far as sessions and cookies go.
///
/// [`new`](Self::new) reads and writes Flask-Login's cookie with safer attributes;
/// [`FlaskSettings::flask_login`](crate::FlaskSettings::flask_login) reads Flask-Login's own settings and begins
/// with its defaults. Clones are cheap: keep one in the application's state.
#[derive(Clone, Debug)]
#[must_use]
#[doc(alias = "LoginManager")]
pub struct FlaskLogin(Arc<Settings>);

#[derive(Clone, Debug)]
struct Settings {
    tokens: RememberTokens,
    cookie: Cookie,
    duration: Duration,
    refresh_each_request: bool,
    protection: SessionProtection,
    clock: Clock,
}

/// What happens to a session that comes from another browser or address than it was made for.
///
/// Flask-Login compares a hash of the address and the browser's name. Addresses change on the way to work, and
/// names are easily copied: this slows a thief down and no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "SESSION_PROTECTION")]
pub enum SessionProtection {
    /// Nothing.
    None,
    /// The login is no longer fresh. Flask-Login's default.
    #[default]
    Basic,
    /// The session ends, and so does the remembered login. A permanent session only loses its freshness, as in
    /// Flask-Login.
    Strong,
}

/// Whether a login outlives the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remember {
    /// No. A `remember_token` that the browser has is removed: it may be of somebody else.
    #[default]
    No,
    /// For as long as the settings say.
    Yes,
    /// For so long: Flask-Login's `duration`.
    For(Duration),
}

impl FlaskLogin {
    /// Logins under Flask's `SECRET_KEY`. Flask-Login signs with the first key and knows no fallbacks; here
    /// those verify.
    ///
    /// Flask-Login reads a key that is text as Latin-1, Flask itself as UTF-8. With letters outside ASCII in the
    /// key the two applications refuse each other's `remember_token`.
    pub fn new(keys: impl Into<Keys>) -> Self {
        let cookie = Cookie::new("remember_token")
            .http_only(true)
            .secure(true)
            .same_site(SameSite::Lax);
        Self::with(keys.into(), cookie)
    }

    pub(crate) fn with(keys: Keys, cookie: Cookie) -> Self {
        let clock = Clock::system();
        Self(Arc::new(Settings {
            tokens: RememberTokens::new(keys, clock.unix_seconds()),
            cookie,
            duration: Duration::from_secs(365 * 24 * 60 * 60),
            refresh_each_request: false,
            protection: SessionProtection::default(),
            clock,
        }))
    }

    fn change(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The cookie's name; `remember_token` if not called.
    #[doc(alias = "REMEMBER_COOKIE_NAME")]
    pub fn cookie_name(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.change(|settings| settings.cookie = settings.cookie.clone().renamed(name))
    }

    /// How long a login is remembered; 365 days if not called. Browsers allow 400.
    #[doc(alias = "REMEMBER_COOKIE_DURATION")]
    pub fn duration(self, duration: Duration) -> Self {
        self.change(|settings| settings.duration = duration)
    }

    /// The hosts that get the cookie, as [`Cookie::domain`]; only the one that sets it if not called.
    #[doc(alias = "REMEMBER_COOKIE_DOMAIN")]
    pub fn domain(self, domain: impl Into<Cow<'static, str>>) -> Self {
        self.change(|settings| settings.cookie = settings.cookie.clone().domain(domain))
    }

    /// The paths that get the cookie; all if not called.
    #[doc(alias = "REMEMBER_COOKIE_PATH")]
    pub fn path(self, path: impl Into<Cow<'static, str>>) -> Self {
        self.change(|settings| settings.cookie = settings.cookie.clone().path(path))
    }

    /// Whether the cookie goes over HTTPS only; yes if not called (Flask-Login: no).
    #[doc(alias = "REMEMBER_COOKIE_SECURE")]
    pub fn secure(self, secure: bool) -> Self {
        self.change(|settings| settings.cookie = settings.cookie.clone().secure(secure))
    }

    /// Whether the cookie is hidden from scripts; yes if not called.
    #[doc(alias = "REMEMBER_COOKIE_HTTPONLY")]
    pub fn http_only(self, http_only: bool) -> Self {
        self.change(|settings| settings.cookie = settings.cookie.clone().http_only(http_only))
    }

    /// Whether the cookie goes along with requests that another site caused; `Lax` if not called (Flask-Login:
    /// not said).
    #[doc(alias = "REMEMBER_COOKIE_SAMESITE")]
    pub fn same_site(self, same_site: SameSite) -> Self {
        self.change(|settings| settings.cookie = settings.cookie.clone().same_site(same_site))
    }

    /// Whether each response renews the cookie of a browser that has one; no if not called. (Flask-Login also
    /// gives one to those who never asked for it.)
    #[doc(alias = "REMEMBER_COOKIE_REFRESH_EACH_REQUEST")]
    pub fn refresh_each_request(self, refresh: bool) -> Self {
        self.change(|settings| settings.refresh_each_request = refresh)
    }

    /// What happens to a session that comes from another browser or address; [`SessionProtection::Basic`] if not
    /// called.
    #[doc(alias = "session_protection")]
    pub fn protection(self, protection: SessionProtection) -> Self {
        self.change(|settings| settings.protection = protection)
    }

    /// Where the time comes from; the system if not called.
    pub fn clock(self, clock: Clock) -> Self {
        self.change(|settings| settings.clock = clock)
    }

    /// Who sends this request: looks into the session and, if nobody is logged in there, for a
    /// `remember_token`, which then makes a login that is not fresh. Flask-Login does this when `current_user`
    /// is first used.
    ///
    /// # Errors
    ///
    /// [`Error::ResponseStarted`] if the session has to change and it is too late; [`Error::StoreUnavailable`] if
    /// nobody knows who it is ([`Session::is_unknown`]).
    #[doc(alias = "current_user")]
    pub fn visitor(
        &self,
        session: &Session,
        cookies: &RequestCookies,
        client: &Client,
    ) -> Result<Visitor, Error> {
        Visitor::load(self.clone(), session.clone().known()?, cookies, client)
    }

    /// The value of `remember_token` for a user: Flask-Login's `encode_cookie`.
    ///
    /// ```
    /// use cloakroom::{SecretKey, flask_login::FlaskLogin};
    ///
    /// let flask_login = FlaskLogin::new(SecretKey::generate()?);
    /// let token = flask_login.remember_token("alice");
    /// assert_eq!(flask_login.user_of(&token), Some("alice"));
    /// assert_eq!(flask_login.user_of(&token.replace("alice", "bob")), None);
    /// # Ok::<(), cloakroom::SecretKeyError>(())
    /// ```
    #[doc(alias = "encode_cookie")]
    pub fn remember_token(&self, user_id: &str) -> String {
        self.0.tokens.sign(user_id, self.0.clock.unix_seconds())
    }

    /// The user of a `remember_token`, if one of the keys signed it: Flask-Login's `decode_cookie`. Takes the
    /// same time for every wrong one.
    #[doc(alias = "decode_cookie")]
    pub fn user_of<'t>(&self, token: &'t str) -> Option<&'t str> {
        self.0.tokens.verify(token, self.0.clock.unix_seconds())
    }

    /// Whether a browser would keep the cookie.
    pub(crate) fn check(&self) -> Result<(), CookieError> {
        self.0.cookie.prepare().map(drop)
    }
}
