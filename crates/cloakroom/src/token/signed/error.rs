//! Why a token is refused.

use std::fmt;

use crate::{json::JsonError, token::payload::PayloadError, value::ConversionError};

/// A token was refused: itsdangerous' `BadData` and its subclasses.
///
/// [`kind`](Self::kind) is the class that Python would raise, [`reason`](Self::reason) says precisely why. Neither
/// `Display` nor `Debug` shows anything of the token.
#[derive(thiserror::Error)]
#[error("{reason}")]
pub struct TokenError {
    kind: TokenErrorKind,
    reason: TokenErrorReason,
    payload: Option<Box<[u8]>>,
    date_signed: Option<u64>,
}

/// The class of a [`TokenError`], one for each exception of itsdangerous 2.2.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenErrorKind {
    /// Any refusal.
    BadData,
    /// The token was not signed with these keys for this purpose.
    BadSignature,
    /// The signature or the time is wrong.
    BadTimeSignature,
    /// The signature is right, but the token is too old or from the future.
    SignatureExpired,
    /// The signature is right, but what it signs cannot be read. This is not a `BadSignature`.
    BadPayload,
}

impl TokenErrorKind {
    /// Whether Python's class of this name is that class or a subclass of it.
    pub fn is(self, class: Self) -> bool {
        let depth = |kind| match kind {
            Self::BadData | Self::BadPayload => 0,
            Self::BadSignature => 1,
            Self::BadTimeSignature => 2,
            Self::SignatureExpired => 3,
        };
        class == Self::BadData || class == self || (depth(class) > 0 && depth(class) <= depth(self))
    }
}

/// What exactly is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenErrorReason {
    /// There is no separator, so there is no signature.
    #[error("the token has no signature")]
    SignatureMissing,
    /// No key makes this signature.
    #[error(
        "the signature does not match; was the token changed, or made with another key or salt?"
    )]
    SignatureMismatch,
    /// The signature is right, but there is no time.
    #[error("the token has no timestamp; was it made by a signer without one?")]
    TimestampMissing,
    /// The signature is right, but the time is not a number of seconds up to the year 9999.
    #[error("the token's timestamp is malformed")]
    TimestampMalformed,
    /// The token is older than allowed.
    #[error("the token has expired")]
    TooOld,
    /// The token is from the future: the clock of this machine or of the one that signed is wrong.
    #[error("the token was signed in the future; compare the servers' clocks")]
    FromTheFuture,
    /// The payload is not coded as it should be.
    #[error("{0}")]
    Payload(PayloadError),
    /// The payload is not JSON.
    #[error("the payload is not JSON: {0}")]
    Json(JsonError),
    /// The payload is JSON, but not of the type that was asked for.
    #[error("the payload does not fit the type it is read into: {0}")]
    Type(ConversionError),
}

impl TokenError {
    pub(super) fn new(kind: TokenErrorKind, reason: TokenErrorReason) -> Self {
        Self {
            kind,
            reason,
            payload: None,
            date_signed: None,
        }
    }

    pub(super) fn bad_payload(reason: TokenErrorReason) -> Self {
        Self::new(TokenErrorKind::BadPayload, reason)
    }

    pub(super) fn with_payload(mut self, payload: &[u8]) -> Self {
        self.payload = Some(payload.into());
        self
    }

    pub(super) fn with_date_signed(mut self, date_signed: Option<u64>) -> Self {
        self.date_signed = date_signed;
        self
    }

    /// The class of the exception that Python would raise.
    pub fn kind(&self) -> TokenErrorKind {
        self.kind
    }

    /// Whether Python's `except` with this class would catch it.
    pub fn is(&self, class: TokenErrorKind) -> bool {
        self.kind.is(class)
    }

    /// What exactly is wrong.
    pub fn reason(&self) -> &TokenErrorReason {
        &self.reason
    }

    /// The value that was refused, where the token has one: the exception's `payload`.
    ///
    /// Unless the kind is [`SignatureExpired`](TokenErrorKind::SignatureExpired), anybody may have written it.
    pub fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// When the token says it was signed, in Unix seconds, where it has a readable time: the exception's `date_signed`.
    pub fn date_signed(&self) -> Option<u64> {
        self.date_signed
    }
}

impl fmt::Debug for TokenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenError")
            .field("kind", &self.kind)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
