//! How sessions behave: cookie attributes, lifetimes, limits, and Flask's names for them.

#[cfg(feature = "encrypted")]
mod encrypted;
mod flask;
mod flask_login;
mod flask_session;
mod flask_wtf;
mod lifetimes;
mod max_sessions;
mod outage;
mod sqlalchemy;
mod stored;
mod transport;
mod user_sessions;

use std::time::Duration;

#[cfg(feature = "encrypted")]
pub(crate) use encrypted::EncryptedSettings;
pub use flask::FlaskSettings;
pub use lifetimes::AssuranceLevel;
pub use max_sessions::MaxSessions;
pub use outage::OutagePolicy;
pub use stored::Layout;
pub(crate) use stored::StoreSettings;
pub use user_sessions::UserSessions;

use crate::{
    Clock,
    cookie::{Cookie, CookieError, SameSite},
    format::TaggedJson,
    secret::SecretKeyError,
    session::{Event, Observer},
    store::StoreError,
    token::{Leniency, payload::Compression, signed::Digest},
};

/// The settings of a session layer.
///
/// [`default`](Self::default) is Flask's format with safe settings: `Secure`, `HttpOnly`,
/// `SameSite=Lax`, `Path=/`, no `Domain`, a cookie that is renewed at most once an hour, and an error
/// for a cookie that browsers would drop. [`flask`](Self::flask) is Flask 3.1 exactly, header for
/// header, for a site on which both answer.
///
/// ```
/// use std::time::Duration;
/// use cloakroom::{SecretKey, SessionConfig, SessionLayer};
///
/// let week = SessionConfig::default().lifetime(Duration::from_secs(7 * 24 * 60 * 60));
/// let layer = SessionLayer::signed_with(SecretKey::generate()?, week)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionConfig {
    pub(crate) cookie: Cookie,
    pub(crate) profile: Profile,
    pub(crate) lifetime: Duration,
    pub(crate) remember_lifetime: Option<Duration>,
    pub(crate) absolute_lifetime: Option<Duration>,
    pub(crate) refresh: Refresh,
    pub(crate) leeway: Duration,
    pub(crate) cookie_limit: CookieLimit,
    pub(crate) salt: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) format: TaggedJson,
    pub(crate) compression: Compression,
    pub(crate) leniency: Leniency,
    pub(crate) legacy_epoch: bool,
    pub(crate) max_inflated_size: usize,
    pub(crate) clock: Clock,
    /// The header in which the proxy in front says how the request came; none: anything goes.
    pub(crate) transport: Option<http::HeaderName>,
    pub(crate) stored: StoreSettings,
    pub(crate) observer: Observer,
    pub(crate) user_sessions: Option<UserSessions>,
    pub(crate) checkup_at_start: bool,
    #[cfg(feature = "encrypted")]
    pub(crate) encrypted: EncryptedSettings,
}

/// When a session that was opened but not changed gets a new cookie, with a new time and expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// At most once in this time, for every session that is opened. The default, with an hour (a tenth
    /// of the lifetime if that is shorter): visitors who come back stay logged in, and readers hardly
    /// ever write.
    After(Duration),
    /// With each request, if the session is permanent: Flask's `SESSION_REFRESH_EACH_REQUEST`. Even
    /// requests that leave the session alone are opened then, because Flask refreshes those too.
    EachRequest,
    /// Never: only changes write. Flask with `SESSION_REFRESH_EACH_REQUEST = False`.
    OnChange,
}

/// What happens to a cookie that a browser would drop for its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieLimit {
    /// More than so many bytes of name and value are an error, which answers the request; the default,
    /// with 4096 (RFC 6265bis, section 5.6).
    Error(usize),
    /// A longer Set-Cookie header is sent all the same and a line is logged: Flask's
    /// `MAX_COOKIE_SIZE`, there 4093. 0 switches the line off.
    Warn(usize),
}

/// Which of two habits is kept where Flask's is not the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// A change that leaves the content as it was sends no cookie; nothing is removed from a browser
    /// that brought nothing; a response with our cookie is private to the browser.
    Careful,
    /// Header for header what Flask sends.
    Flask,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            cookie: Cookie::new("session")
                .secure(true)
                .http_only(true)
                .same_site(SameSite::Lax),
            profile: Profile::Careful,
            lifetime: Duration::from_secs(31 * 24 * 60 * 60),
            remember_lifetime: None,
            absolute_lifetime: None,
            refresh: Refresh::After(Duration::from_secs(60 * 60)),
            leeway: Duration::from_secs(5),
            cookie_limit: CookieLimit::Error(crate::cookie::MAX_COOKIE_SIZE),
            salt: b"cookie-session".to_vec(),
            digest: Digest::Sha1,
            format: TaggedJson::new(),
            compression: Compression::Auto,
            leniency: Leniency::Strict,
            legacy_epoch: false,
            max_inflated_size: crate::token::payload::DEFAULT_MAX_SIZE,
            clock: Clock::system(),
            transport: None,
            stored: StoreSettings::default(),
            observer: Observer::default(),
            user_sessions: None,
            checkup_at_start: true,
            #[cfg(feature = "encrypted")]
            encrypted: EncryptedSettings::default(),
        }
    }
}

impl SessionConfig {
    /// Flask 3.1's defaults: `HttpOnly` and `Path=/` only, 31 days, a permanent session's cookie with
    /// each response, an oversized cookie sent with a warning, no leeway for clocks, no Cache-Control.
    pub fn flask() -> Self {
        Self {
            cookie: Cookie::new("session").http_only(true),
            profile: Profile::Flask,
            refresh: Refresh::EachRequest,
            leeway: Duration::ZERO,
            cookie_limit: CookieLimit::Warn(4093),
            stored: StoreSettings {
                permanent: true,
                ..StoreSettings::default()
            },
            ..Self::default()
        }
    }

    /// What a site without Flask should have: [`default`](Self::default), but the cookie is named
    /// `__Host-session` and never compressed, and in a store nobody finds what a login takes
    /// ([`Layout::Native`]; choose [`Layout::Sealed`] and nobody finds anything else either).
    ///
    /// Browsers take a cookie of that name over https only, for the whole host and from no other host
    /// (RFC 6265bis, section 4.1.3), so no subdomain can plant one. For development over plain http write
    /// `SessionConfig::native().cookie_name("session").secure(false)`; to share it with subdomains,
    /// `.cookie_name("__Secure-session").domain("example.com")`.
    pub fn native() -> Self {
        Self {
            compression: Compression::Never,
            ..Self::default()
        }
        .cookie_name("__Host-session")
        .layout(Layout::Native)
    }

    /// The cookie's name; `session` unless set. Flask's `SESSION_COOKIE_NAME`.
    #[doc(alias = "SESSION_COOKIE_NAME")]
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie = self.cookie.renamed(name.into());
        self
    }

    /// The domain whose subdomains share the cookie; none unless set, so the host alone gets it.
    /// Flask's `SESSION_COOKIE_DOMAIN`.
    #[doc(alias = "SESSION_COOKIE_DOMAIN")]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.cookie = self.cookie.domain(domain.into());
        self
    }

    /// The path below which the browser sends the cookie; `/` unless set. Flask's
    /// `SESSION_COOKIE_PATH`.
    #[doc(alias = "SESSION_COOKIE_PATH")]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.cookie = self.cookie.path(path.into());
        self
    }

    /// Whether the browser sends the cookie over https only. Switch it off for development over plain
    /// http, where some browsers drop it otherwise. Flask's `SESSION_COOKIE_SECURE`.
    #[doc(alias = "SESSION_COOKIE_SECURE")]
    pub fn secure(mut self, secure: bool) -> Self {
        self.cookie = self.cookie.secure(secure);
        self
    }

    /// Whether scripts in the page cannot read the cookie. Flask's `SESSION_COOKIE_HTTPONLY`.
    #[doc(alias = "SESSION_COOKIE_HTTPONLY")]
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.cookie = self.cookie.http_only(http_only);
        self
    }

    /// With which requests from other sites the browser sends the cookie. Flask's
    /// `SESSION_COOKIE_SAMESITE`.
    #[doc(alias = "SESSION_COOKIE_SAMESITE")]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.cookie = self.cookie.same_site(same_site);
        self
    }

    /// Whether the browser keeps the cookie apart for each site that embeds this one; implies
    /// [`secure`](Self::secure). Flask's `SESSION_COOKIE_PARTITIONED`.
    #[doc(alias = "SESSION_COOKIE_PARTITIONED")]
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.cookie = self.cookie.partitioned(partitioned);
        self
    }

    /// How long a session lives when nothing happens in it, in whole seconds; 31 days unless set. A signed cookie
    /// counts from when it was last written, an entry in a store from its last renewal (see
    /// [`refresh`](Self::refresh)). A permanent session's cookie gets this as its expiry. Flask's
    /// `PERMANENT_SESSION_LIFETIME`.
    #[doc(alias = "PERMANENT_SESSION_LIFETIME")]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// When a session that was not changed gets a new cookie. Flask's `SESSION_REFRESH_EACH_REQUEST`.
    #[doc(alias = "SESSION_REFRESH_EACH_REQUEST")]
    pub fn refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// How far the clocks of two servers may differ, in whole seconds; 5 unless set. Flask has none: a
    /// cookie signed a second in the future logs the visitor out there.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// What happens to a cookie that a browser would drop for its size. Flask's `MAX_COOKIE_SIZE`.
    #[doc(alias = "MAX_COOKIE_SIZE")]
    pub fn cookie_limit(mut self, limit: CookieLimit) -> Self {
        self.cookie_limit = limit;
        self
    }

    /// The salt that keeps these tokens apart from others under the same key; `cookie-session` unless
    /// set, as in Flask's session interface. Of encrypted sessions it is the purpose that their key is for.
    pub fn salt(mut self, salt: impl Into<Vec<u8>>) -> Self {
        self.salt = salt.into();
        self
    }

    /// The hash under the signature; SHA-1 unless set, as in Flask's session interface (its use in HMAC
    /// is not affected by SHA-1's collisions). Encrypted sessions have none.
    pub fn digest(mut self, digest: Digest) -> Self {
        self.digest = digest;
        self
    }

    /// The tagged JSON with your own tags or with the app's JSON options.
    #[doc(alias = "TaggedJSONSerializer")]
    pub fn format(mut self, format: TaggedJson) -> Self {
        self.format = format;
        self
    }

    /// Whether a larger session is compressed, as Flask does. Switch it off when secrets share a
    /// session with text that visitors choose, or to save the time; compressed cookies are read in any
    /// case.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Whether base64 is read strictly, or as loosely as Python reads it. Nothing that Python writes
    /// needs the latter.
    pub fn leniency(mut self, leniency: Leniency) -> Self {
        self.leniency = leniency;
        self
    }

    /// Whether cookies of itsdangerous 0.24 and older, whose time counts from 2011, are read as well.
    pub fn legacy_epoch(mut self, legacy: bool) -> Self {
        self.legacy_epoch = legacy;
        self
    }

    /// The most bytes a cookie may have when inflated; 1 MiB unless set.
    pub fn max_inflated_size(mut self, bytes: usize) -> Self {
        self.max_inflated_size = bytes;
        self
    }

    /// Calls this with everything that happens to sessions: logins, ends, refused cookies, conflicts. It runs
    /// within the request, so it should hand over and return.
    ///
    /// ```
    /// use cloakroom::{EventKind, SessionConfig};
    ///
    /// let config = SessionConfig::default().on_event(|event| {
    ///     if let EventKind::Refused(reason) = event.kind {
    ///         println!("a cookie was refused: {reason}");
    ///     }
    /// });
    /// ```
    pub fn on_event(mut self, observer: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(observer);
        self
    }

    /// Whether debug builds look these settings over when a manager is made of them, once in a process, and log what
    /// they find under `cloakroom::doctor`; yes unless set. Release builds never do. See [`doctor`](crate::doctor).
    pub fn checkup_at_start(mut self, checkup: bool) -> Self {
        self.checkup_at_start = checkup;
        self
    }

    /// The same settings for another manager, whose events are its own.
    #[cfg(feature = "inspector")]
    pub(crate) fn unwatched(mut self) -> Self {
        self.observer = self.observer.unwatched();
        self
    }

    /// Where the time comes from; for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

/// Settings that cannot work, found at start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The cookie's attributes contradict each other, or no browser would keep it.
    #[error("the session cookie cannot be set up: {0}")]
    Cookie(#[from] CookieError),
    /// There is no secret key.
    #[error(
        "SECRET_KEY is missing: make one with `cloakroom keygen` and give it to all servers of the site"
    )]
    MissingKey,
    /// A secret key cannot be used.
    #[error("{name}: {source}")]
    Key {
        /// The setting.
        name: String,
        /// Why.
        source: SecretKeyError,
    },
    /// A setting that nobody knows.
    #[error("{name} is not a setting{}", suggestion.as_ref().map_or_else(String::new, |other| format!("; did you mean {other}?")))]
    Unknown {
        /// The setting.
        name: String,
        /// A setting of a similar name.
        suggestion: Option<String>,
    },
    /// A setting asks for what the others, or this library, do not allow.
    #[error("{name}: {reason}")]
    Conflict {
        /// The setting that has to change.
        name: String,
        /// Why, without its value.
        reason: String,
    },
    /// The store that a setting names cannot be opened.
    #[error("{name}: {source}")]
    Store {
        /// The setting.
        name: String,
        /// Why.
        source: StoreError,
    },
    /// A setting has the wrong type or value.
    #[error("{name} must be {expected}")]
    Value {
        /// The setting.
        name: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// Two settings cannot both hold.
    #[error("{name}: {source}")]
    Contradiction {
        /// The setting that has to change.
        name: String,
        /// Why.
        source: CookieError,
    },
    /// A file or its text cannot be read.
    #[error("{name} cannot be read: {reason}")]
    Source {
        /// The file, or what kind of text it is.
        name: String,
        /// Why, without the text.
        reason: String,
    },
}
