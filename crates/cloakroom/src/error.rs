use std::time::Duration;

use http::StatusCode;

use crate::{Refusal, format::FormatError, store::StoreError, value::ConversionError};

/// What can go wrong while a handler uses its session.
///
/// In an axum handler `?` turns it into a response: 503 with `Retry-After` if the store could not be
/// asked, 401 if nobody is logged in where somebody has to be, else 500, since all others are the application's or its configuration's doing. It never holds
/// what the session holds.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The value under `key` is of another type than the one asked for.
    #[error("session key `{key}`: {source}")]
    Read {
        /// The key.
        key: String,
        /// What was found and what was asked for.
        source: ConversionError,
    },
    /// The value cannot become one that a session holds.
    #[error("session key `{key}`: the value cannot be stored: {source}")]
    Convert {
        /// The key.
        key: String,
        /// Why.
        source: ConversionError,
    },
    /// The value has no form in the session's format.
    #[error("session key `{key}`: the value cannot be written: {source}")]
    Write {
        /// The key.
        key: String,
        /// Why.
        source: FormatError,
    },
    /// The session as a whole cannot be written.
    #[error("the session cannot be written: {0}")]
    Unwritable(FormatError),
    /// The whole session does not fit the type of a `Typed` extractor.
    #[error("the session does not fit the type asked for: {0}")]
    Whole(ConversionError),
    /// A browser would drop the cookie, so it is not sent.
    #[error(
        "the session cookie has {size} bytes, more than the {limit} that browsers keep; the largest keys are {}: \
         store less, or keep sessions on the server",
        largest.iter().map(|(key, size)| format!("`{key}` ({size} bytes)")).collect::<Vec<_>>().join(", ")
    )]
    CookieTooLarge {
        /// Bytes of the cookie's name and value.
        size: usize,
        /// The most a cookie may have.
        limit: usize,
        /// The largest keys with the bytes of their JSON, before encoding, the largest first.
        largest: Vec<(String, usize)>,
    },
    /// The cookie has no form that a header can carry.
    #[error("the session cookie cannot be sent: {0}")]
    Unsendable(String),
    /// The store cannot be reached or does not answer. Nobody is logged out by it: the browser keeps its
    /// cookie, and the response is 503.
    #[error("{source}; the response is 503 and the visitor stays logged in")]
    StoreUnavailable {
        /// What happened.
        source: StoreError,
        /// When the browser should try again.
        retry_after: Duration,
    },
    /// The store answered that it will not keep this session.
    #[error("{0}")]
    StoreRefused(StoreError),
    /// Other requests changed the same session all the time, for as long as a request may try.
    #[error(
        "too many requests change this session at the same time; nothing of this one is saved and the response is 503"
    )]
    Contended {
        /// When the browser should try again.
        retry_after: Duration,
    },
    /// The user has as many sessions as [`MaxSessions`](crate::MaxSessions) allows, so the login is refused. The
    /// response is 409 (RFC 9110, section 15.5.10): the user may end one of the others and try again.
    #[error(
        "the user has {most} sessions, and no more are allowed at a time: one of them has to end before this login"
    )]
    TooManySessions {
        /// How many are allowed.
        most: usize,
    },
    /// The operating system gave no random numbers for a session id or an encrypted cookie.
    #[error("the session cannot be saved for want of random numbers: {0}")]
    Random(String),
    /// The cookie or the entry is not good, where only a good one will do.
    #[error("the session is refused: {0}")]
    Refused(Refusal),
    /// Nobody keeps track of who has which sessions.
    #[error("the sessions of a user are not kept track of: set `SessionConfig::user_sessions`")]
    NotTracked,
    /// The route is for users who are logged in.
    #[error("nobody is logged in; send the visitor to the login page")]
    LoginRequired,
    /// The route is the second step of a login, and there was no first one.
    #[error("no login has been begun; send the visitor to the login page")]
    NoLoginBegun,
    /// The response's headers have left, so the cookie can no longer be set.
    #[error(
        "the response has started, so the session can no longer change; change it, or call `save`, before the body streams"
    )]
    ResponseStarted,
    /// The extractor found no session in the request.
    #[error(
        "this route has no session layer: add `.layer(SessionLayer::signed(key))` after (below) the route in the router; \
         if it is there, look for two versions of cloakroom with `cargo tree -d`"
    )]
    MissingLayer,
}

impl Error {
    /// The status of a response that this error ends: 503 if trying again may help, 401 if the visitor has to log
    /// in, 403 over plain http where sessions are for https, 409 if the user has too many sessions, else 500.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::StoreUnavailable { .. } | Self::Contended { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::LoginRequired | Self::NoLoginBegun => StatusCode::UNAUTHORIZED,
            Self::Refused(Refusal::InsecureTransport) => StatusCode::FORBIDDEN,
            Self::TooManySessions { .. } => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When trying again may help, for a `Retry-After` header.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::StoreUnavailable { retry_after, .. } | Self::Contended { retry_after } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }
}
