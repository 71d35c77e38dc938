use std::{io, path::PathBuf};

use super::SecretKeyError;
use crate::json::JsonError;

/// Why a set of keys is refused. No variant holds any part of a secret; keys are named by their id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The environment variable does not exist.
    #[error("environment variable {name} is not set; put the secret keys there")]
    Unset {
        /// The variable's name.
        name: String,
    },
    /// The file could not be read.
    #[error("the key file {} could not be read", path.display())]
    Unreadable {
        /// The file's path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file holds more than [`Keys::MAX_FILE_LENGTH`](super::Keys::MAX_FILE_LENGTH) bytes.
    #[error("the file {} is too long for a key file; is it the right one?", path.display())]
    TooLong {
        /// The file's path.
        path: PathBuf,
    },
    /// Every user of the machine may write to the file, and so choose the keys.
    #[error("every user may write to the key file {0}; take that away (chmod o-w)", path.display())]
    WritableByAll {
        /// The file's path.
        path: PathBuf,
    },
    /// The file could not be replaced. The old one is as it was.
    #[error("the key file {} could not be replaced; it is as it was", path.display())]
    Unwritable {
        /// The file's path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is a file already where a new one was to be made.
    #[error("there is a file {} already, and its keys may be in use", path.display())]
    Exists {
        /// The file's path.
        path: PathBuf,
    },
    /// Somebody else changed the file since it was read.
    #[error("somebody else changed the key file {} meanwhile; look at it and try again", path.display())]
    ChangedMeanwhile {
        /// The file's path.
        path: PathBuf,
    },
    /// A secret is not text, and a key file holds nothing else.
    #[error("key `{id}` is not text, so it cannot stand in a key file")]
    NotText {
        /// The key's id.
        id: String,
    },
    /// The text is not the JSON of a key file.
    #[error("{0}")]
    Format(JsonError),
    /// A key has no id of 1 to 64 visible ASCII characters.
    #[error("key number {number} has no `id` of 1 to 64 letters, digits and signs")]
    Id {
        /// Which one, counted from 1.
        number: usize,
    },
    /// A key has no secret.
    #[error("key `{id}` has no `secret`")]
    NoSecret {
        /// The key's id.
        id: String,
    },
    /// A key's secret is refused.
    #[error("key `{id}`: {source}")]
    Secret {
        /// The key's id.
        id: String,
        /// Why.
        source: SecretKeyError,
    },
    /// A time is neither RFC 3339 with an offset nor a whole number of Unix seconds.
    #[error(
        "key `{id}`: `{member}` is no time; write 2026-11-21T00:00:00Z, or the seconds since 1970"
    )]
    Time {
        /// The key's id.
        id: String,
        /// `not_before` or `not_after`.
        member: &'static str,
    },
    /// A key ends before it begins to sign.
    #[error("key `{id}` ends before it begins: its `not_after` is not later than its `not_before`")]
    EndsFirst {
        /// The key's id.
        id: String,
    },
    /// Two keys have one id.
    #[error("two keys have the id `{id}`; counts and errors could not tell them apart")]
    SameId {
        /// The id of both.
        id: String,
    },
    /// Two keys have one secret, and neither is revoked.
    #[error("keys `{first}` and `{second}` have the same secret; remove one of them")]
    SameSecret {
        /// The id of one.
        first: String,
        /// The id of the other.
        second: String,
    },
    /// Two keys begin to sign at the same time, so nothing says which of them does.
    #[error(
        "keys `{first}` and `{second}` begin to sign at the same time; give the newer one a later `not_before`"
    )]
    SameTime {
        /// The id of one.
        first: String,
        /// The id of the other.
        second: String,
    },
    /// Some day no key would be left to sign.
    #[error(
        "every key is revoked or ends some day, and nothing could be signed after that; leave `not_after` out of the newest"
    )]
    NoneLasts,
    /// There are more than [`Keys::MAX_KEYS`](super::Keys::MAX_KEYS) keys.
    #[error(
        "more than 32 keys; each makes a forged cookie more work to refuse, so drop the old ones"
    )]
    TooMany,
    /// Keys were found, but they are refused.
    #[error("{place}: {reason}")]
    Refused {
        /// Where they were found.
        place: String,
        /// Why they are refused.
        reason: Box<KeysError>,
    },
}

impl KeysError {
    pub(super) fn found_in(self, place: String) -> Self {
        Self::Refused {
            place,
            reason: Box::new(self),
        }
    }
}

impl From<JsonError> for KeysError {
    fn from(error: JsonError) -> Self {
        Self::Format(error)
    }
}
