use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::StoreError;

/// Why a command gave no answer.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The server does not know the script by its hash.
    NoScript,
    /// The connection broke.
    Disconnected,
    /// Anything else.
    Other(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoScript => Self::refused("redis: the server does not keep scripts"),
            Failure::Disconnected => Self::unreachable("redis: the connection broke"),
            Failure::Other(error) => error,
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => Self::NoScript,
            ErrorKind::Io if !error.is_timeout() => Self::Disconnected,
            // An answer that breaks off.
            ErrorKind::Parse => Self::Disconnected,
            _ => Self::Other(told(&error)),
        }
    }
}

/// Whether a connection that failed so is of no use any more, or is one to a server that is not the master (any more).
///
/// That of a cluster replaces its nodes' connections and its map itself; it is of no use only when the task that does so
/// is gone, which looks like a connection that broke.
pub(super) fn wears_out(error: &RedisError, cluster: bool) -> bool {
    if cluster {
        return error.is_connection_dropped() && !error.is_connection_refusal();
    }
    matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::Parse
            | ErrorKind::AuthenticationFailed
            | ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
    )
}

/// The error in our own words and the server's code, but never its message: that may quote keys, values and users.
pub(super) fn told(error: &RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => StoreError::timed_out("redis"),
        ErrorKind::Io => StoreError::unreachable("redis: no connection"),
        ErrorKind::Parse => {
            StoreError::unreachable("redis: the answer broke off, or it is not Redis")
        }
        ErrorKind::UnexpectedReturnType => unexpected(),
        ErrorKind::AuthenticationFailed => {
            StoreError::refused("redis: the login was denied; check user and password in the URL")
        }
        ErrorKind::MasterNameNotFoundBySentinel => {
            StoreError::unreachable("redis: the Sentinels know no such master that answers")
        }
        ErrorKind::ClusterConnectionNotFound => StoreError::unreachable(
            "redis: the node of the cluster that has the key cannot be reached",
        ),
        // These pass: the server starts, or the cluster elects and moves.
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::TryAgain
            | ServerErrorKind::Moved
            | ServerErrorKind::Ask,
        ) => StoreError::unreachable(format!("redis answered {}", code(error))),
        ErrorKind::Server(_) | ErrorKind::Extension => {
            StoreError::refused(format!("redis answered {}", code(error)))
        }
        _ => StoreError::refused("redis: the client could not send this"),
    }
}

/// Bytes on the connection that are no answer to what was asked.
pub(super) fn unexpected() -> StoreError {
    StoreError::refused("redis: the answer was not one that Redis gives; is it Redis?")
}

/// The first word of a server's error, if it is a code.
fn code(error: &RedisError) -> String {
    error
        .code()
        .filter(|code| code.len() <= 20 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
        .unwrap_or("an error")
        .to_owned()
}
