use std::{borrow::Cow, fmt};

use super::Record;

/// Why a store could not do what it was asked.
///
/// Its text names the store and the reason, never a key or a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {reason}")]
pub struct StoreError {
    kind: StoreErrorKind,
    reason: Cow<'static, str>,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// There is no connection: whether a write arrived is not known.
    Unreachable,
    /// No answer came in time: whether a write arrived is not known.
    TimedOut,
    /// The store answered that it will not; asking again gives the same answer.
    Refused,
    /// The store answers, but others were in the way of this entry each time: nothing was written.
    Busy,
    /// The store was not asked, because it failed several times in a row just now: nothing was written. See
    /// [`Breaker`](super::Breaker).
    Skipped,
}

impl StoreErrorKind {
    /// A short name for logs and counters, such as `timed_out`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unreachable => "the store cannot be reached",
            Self::TimedOut => "the store did not answer in time",
            Self::Refused => "the store refused",
            Self::Busy => "others kept the store from writing the entry",
            Self::Skipped => {
                "the store failed several times in a row and is not asked for a moment"
            }
        })
    }
}

impl StoreError {
    /// No connection. The reason must not quote a key or a value, as servers' messages may.
    pub fn unreachable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Unreachable, reason)
    }

    /// No answer in time.
    pub fn timed_out(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::TimedOut, reason)
    }

    /// An answer that says no.
    pub fn refused(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Refused, reason)
    }

    /// An answer that says: not now, others are at this entry.
    pub fn busy(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Busy, reason)
    }

    /// Not asked at all.
    pub(super) fn skipped(store: &'static str) -> Self {
        Self::new(StoreErrorKind::Skipped, store)
    }

    fn new(kind: StoreErrorKind, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

/// Why [`Driver::create`](super::Driver::create) made nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There is an entry or a tombstone already.
    #[error("there is an entry under this key already")]
    Exists,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// Why [`Driver::replace`](super::Driver::replace) replaced nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// The entry is something else by now: this.
    #[error("the entry has changed meanwhile")]
    Changed(Record),
    /// The entry is gone.
    #[error("the entry is gone")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// Why [`Driver::touch`](super::Driver::touch) renewed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TouchError {
    /// The entry is gone.
    #[error("the entry is gone")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// Why [`Driver::delete`](super::Driver::delete) deleted nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// The entry is not what was expected but this.
    #[error("the entry has changed meanwhile")]
    Changed(Record),
    /// An entry was expected and there is none.
    #[error("the entry is gone")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// What a [`Store`](super::Store)'s calls fail with: answers of the store, or failures of it.
pub(super) trait Answer: From<StoreError> {
    /// The failure, or what an answer is called.
    fn outcome(&self) -> Result<&'static str, &StoreError>;
}

impl Answer for StoreError {
    fn outcome(&self) -> Result<&'static str, &StoreError> {
        Err(self)
    }
}

impl Answer for CreateError {
    fn outcome(&self) -> Result<&'static str, &StoreError> {
        match self {
            Self::Failed(error) => Err(error),
            Self::Exists => Ok("exists"),
        }
    }
}

impl Answer for ReplaceError {
    fn outcome(&self) -> Result<&'static str, &StoreError> {
        match self {
            Self::Failed(error) => Err(error),
            Self::Changed(_) => Ok("changed"),
            Self::NotFound => Ok("not_found"),
        }
    }
}

impl Answer for TouchError {
    fn outcome(&self) -> Result<&'static str, &StoreError> {
        match self {
            Self::Failed(error) => Err(error),
            Self::NotFound => Ok("not_found"),
        }
    }
}

impl Answer for DeleteError {
    fn outcome(&self) -> Result<&'static str, &StoreError> {
        match self {
            Self::Failed(error) => Err(error),
            Self::Changed(_) => Ok("changed"),
            Self::NotFound => Ok("not_found"),
        }
    }
}
