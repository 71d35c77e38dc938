use std::time::SystemTime;

/// How a session came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The request brought no session cookie.
    New,
    /// The cookie was good.
    #[non_exhaustive]
    Loaded {
        /// When it was signed, in whole seconds.
        signed_at: SystemTime,
        /// Which key verified it: 0 is the signing key, from 1 on the fallbacks, the newest first.
        key_index: usize,
    },
    /// The cookie was not good, so the session is empty. The browser keeps the cookie until something
    /// is stored: another server with another key may still take it.
    Refused(Refusal),
}

/// Why a session cookie was refused.
///
/// The session is then empty, as in Flask; for some of these Flask itself answers 500 instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No key made this signature: another secret, another salt, or altered text.
    #[error(
        "the signature does not match: another secret key signed it, or the cookie was altered"
    )]
    BadSignature,
    /// The signature is good but there is no readable time in it.
    #[error("the time in the cookie is missing or unreadable")]
    BadTimestamp,
    /// It was signed in the future, beyond the leeway.
    #[error("the cookie was signed in the future: the clocks of two servers differ")]
    FromTheFuture,
    /// It is older than the lifetime.
    #[error("the cookie has expired")]
    Expired,
    /// It would grow beyond the limit when inflated.
    #[error("the cookie inflates to more than the limit")]
    TooLarge,
    /// It nests deeper than the limit.
    #[error("the cookie nests deeper than the limit")]
    TooDeep,
    /// The signature is good but what was signed is not a session.
    #[error("the cookie is signed but does not hold a session")]
    BadPayload,
}

impl Refusal {
    /// A short code for logs and programs, such as `bad_signature`.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::BadTimestamp => "bad_timestamp",
            Self::FromTheFuture => "from_the_future",
            Self::Expired => "expired",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::BadPayload => "bad_payload",
        }
    }
}
