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
        /// How it was kept from being changed. A signed cookie that an encrypted session comes from has its
        /// `key_index` among the keys of `SessionConfig::accept_signed`.
        protection: Protection,
    },
    /// The store has an entry for the id in the cookie.
    Stored,
    /// The store could not be asked, and the route goes on all the same
    /// ([`OutagePolicy::Degrade`](crate::OutagePolicy::Degrade)): nobody knows who the visitor is. The session
    /// reads as if it were empty, cannot be changed, and stays as it is in the store and in the browser.
    Unknown,
    /// The cookie was not good, so the session is empty. The browser keeps the cookie until something
    /// is stored: another server with another key may still take it.
    Refused(Refusal),
}

impl Status {
    /// What came of looking for the session, in a word.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Loaded { .. } | Self::Stored => "loaded",
            Self::Unknown => "unknown",
            Self::Refused(_) => "refused",
        }
    }
}

/// How a session cookie is kept from being changed, and from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protection {
    /// Signed: whoever has the cookie can read it. Flask's own.
    Signed,
    /// Encrypted: nobody can read it without the key.
    #[cfg(feature = "encrypted")]
    Encrypted,
}

impl Protection {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            #[cfg(feature = "encrypted")]
            Self::Encrypted => "encrypted",
        }
    }
}

/// Why a session cookie was refused.
///
/// The session is then empty, as in Flask; for some of these Flask itself answers 500 instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The cookie holds no session id: other characters, or too few or too many.
    #[error("the cookie does not hold a session id")]
    MalformedId,
    /// No key made this: another secret, another salt, cookie name or tenant, or altered text. Also a signed
    /// cookie where only encrypted ones are accepted.
    #[error(
        "no key of ours made this cookie: another secret key signed or encrypted it, or it was altered"
    )]
    BadSignature,
    /// The store has no entry for the id: the session expired or was ended, or the id was made up. It is
    /// never used for a new session.
    #[error("the store has no session of this id: it expired, was ended, or never was")]
    UnknownId,
    /// The store has an entry for the public half of the id, and the secret half is another one: somebody who has seen
    /// the store's keys is trying them, or a backup was put back. The entry stays as it is.
    #[error("the secret half of the session id is not the one that the store knows")]
    WrongSecret,
    /// The signature is good but there is no readable time in it. Encrypted cookies always have one.
    #[error("the time in the cookie is missing or unreadable")]
    BadTimestamp,
    /// It was signed in the future, beyond the leeway.
    #[error("the cookie was signed in the future: the clocks of two servers differ")]
    FromTheFuture,
    /// It is older than the lifetime.
    #[error("the cookie has expired")]
    Expired,
    /// The session is older than any may be, whatever happened in it.
    #[error("the session has reached its absolute lifetime; log in again")]
    LifetimeOver,
    /// It was ended from elsewhere: by its user in a list of devices, by a logout, by an operator.
    #[error("the session was ended from elsewhere")]
    Revoked,
    /// The request came over plain http, to a site whose sessions are for https only. Whatever it brings is
    /// not looked at.
    #[error("the request came over plain http, and sessions are for https only")]
    InsecureTransport,
    /// It would grow beyond the limit when inflated.
    #[error("the cookie inflates to more than the limit")]
    TooLarge,
    /// It nests deeper than the limit.
    #[error("the cookie nests deeper than the limit")]
    TooDeep,
    /// The signature is good, or the entry is there, but what it holds is not a session.
    #[error("what the cookie or the store holds is not a session")]
    BadPayload,
}

impl Refusal {
    /// A short code for logs and programs, such as `bad_signature`.
    pub fn code(self) -> &'static str {
        match self {
            Self::MalformedId => "malformed_id",
            Self::UnknownId => "unknown_id",
            Self::WrongSecret => "wrong_secret",
            Self::BadSignature => "bad_signature",
            Self::BadTimestamp => "bad_timestamp",
            Self::FromTheFuture => "from_the_future",
            Self::Expired => "expired",
            Self::LifetimeOver => "lifetime_over",
            Self::Revoked => "revoked",
            Self::InsecureTransport => "insecure_transport",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::BadPayload => "bad_payload",
        }
    }
}
