use crate::token::payload::PayloadError;

/// An encrypted token was refused. Nothing of the token is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It does not begin with `v1.`, or what follows is no URL-safe base64 of enough bytes.
    #[error("this is not an encrypted token")]
    Malformed,
    /// It is longer than any token that is made here, so it was not even decoded.
    #[error("the token has more than {limit} characters")]
    TooLong {
        /// The most characters a token may have.
        limit: usize,
    },
    /// No key of the ring opens it.
    #[error(
        "the token cannot be decrypted; was it changed, or made with another key or for another purpose?"
    )]
    Undecryptable,
    /// One of our keys made it, but a later version of this format is inside.
    #[error(
        "the token is good, but what is in it is laid out in an unknown way; does a newer server run beside this one?"
    )]
    UnknownLayout,
    /// It is past its expiry.
    #[error("the token has expired")]
    Expired,
    /// It is from the future: the clock of this machine or of the one that made it is wrong.
    #[error("the token was made in the future; compare the servers' clocks")]
    FromTheFuture,
    /// What it holds does not inflate, or to more than is allowed.
    #[error("{0}")]
    Payload(PayloadError),
}

/// An encrypted token could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The operating system gave no random bytes. There is no weaker substitute.
    #[error("the operating system gave no random bytes; nothing can be encrypted safely")]
    NoRandomness,
    /// The token would be longer than one that is opened.
    #[error("the token would have {length} characters, more than {limit}; put less into it")]
    TooLong {
        /// The characters it would have.
        length: usize,
        /// The most it may have.
        limit: usize,
    },
}
