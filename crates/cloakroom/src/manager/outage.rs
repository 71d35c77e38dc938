use http::HeaderMap;

use super::{MAX_CANDIDATES, Room, SessionManager};
use crate::{
    Error,
    config::OutagePolicy,
    cookie::find_all,
    session::{Entries, EventKind, Home, Nowhere, Refusal, Session, State, Status},
};

impl SessionManager {
    /// What a request gets that could not be given its session.
    pub(crate) fn degrade(&self, policy: OutagePolicy, error: Error) -> Result<Session, Error> {
        if policy.bears(&error) {
            Ok(self.unknown(error))
        } else {
            Err(error)
        }
    }

    /// The session of a visitor of whom nobody knows anything.
    pub(crate) fn unknown(&self, error: Error) -> Session {
        self.nowhere(Status::Unknown, error)
    }

    /// The session of a request that may have none.
    pub(super) fn over_plain_http(&self, headers: &HeaderMap) -> Session {
        let refusal = Refusal::InsecureTransport;
        let brought = find_all(headers, self.cookie_name(), MAX_CANDIDATES);
        let status = if brought.iter().all(<[u8]>::is_empty) {
            Status::New
        } else {
            self.tell(EventKind::Refused(refusal), headers);
            Status::Refused(refusal)
        };
        self.nowhere(status, Error::Refused(refusal))
    }

    /// Whether both are the same manager.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.room, &other.room) {
            (Room::Cookie(ours), Room::Cookie(theirs)) => std::sync::Arc::ptr_eq(ours, theirs),
            (Room::Store(ours), Room::Store(theirs)) => std::sync::Arc::ptr_eq(ours, theirs),
            (Room::Cookie(_) | Room::Store(_), _) => false,
        }
    }

    fn nowhere(&self, status: Status, error: Error) -> Session {
        let home = Home::Nowhere(Box::new(Nowhere::new(error)));
        let state = State::new(Entries::empty(), status, home);
        match &self.room {
            Room::Cookie(sessions) => Session::new(state, sessions.clone()),
            Room::Store(sessions) => Session::new(state, sessions.clone()),
        }
    }
}
