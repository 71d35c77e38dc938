use crate::{json::JsonError, value::ConversionError};

/// What can go wrong while a handler uses its session.
///
/// In an axum handler `?` turns it into a response: 500, since all of these are the application's or
/// its configuration's doing. It never holds what the session holds.
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
        source: JsonError,
    },
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
