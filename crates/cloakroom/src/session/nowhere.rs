use http::HeaderValue;

use super::{Home, State, Status};
use crate::Error;

/// The home of a session that cannot be kept: why, and whether somebody tried.
pub(crate) struct Nowhere {
    error: Error,
    /// A change that could not say so itself is lost.
    lost: bool,
}

impl Nowhere {
    pub(crate) fn new(error: Error) -> Self {
        Self { error, lost: false }
    }

    /// What the response has to say: a handler that was not told may claim that the visitor is logged out.
    pub(super) fn outcome(&self) -> Result<Option<HeaderValue>, Error> {
        if self.lost {
            Err(self.error.clone())
        } else {
            Ok(None)
        }
    }
}

impl State {
    /// Why nothing can be kept; none where it can.
    pub(super) fn nowhere(&self) -> Option<&Error> {
        match &self.home {
            Home::Nowhere(nowhere) => Some(&nowhere.error),
            Home::Cookie | Home::Store(_) => None,
        }
    }

    /// A change is lost and could not say so.
    pub(super) fn lose(&mut self) {
        if let Home::Nowhere(nowhere) = &mut self.home {
            nowhere.lost = true;
        }
    }

    /// Whether nobody knows what it holds.
    pub(super) fn is_unknown(&self) -> bool {
        self.status == Status::Unknown
    }
}
