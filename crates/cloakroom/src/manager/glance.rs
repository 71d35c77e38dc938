use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;

use super::{MAX_CANDIDATES, Room, SessionManager, look::Look};
use crate::{
    Error, Value,
    cookie::find_all,
    session::{Backend, Entry, Home, Protection, Refusal, Session, State, Status},
};

/// What a request's session is, seen by somebody who looks over its shoulder: nobody is told, nothing is counted,
/// renewed or written.
pub(crate) struct Glance {
    pub(crate) status: Status,
    /// If there is one. It must not be changed.
    pub(crate) session: Option<Session>,
    /// The value of the cookie that it is from.
    pub(crate) cookie: Vec<u8>,
    /// Which key the cookie was made with: its index, and its id if that is known.
    pub(crate) key: Option<(usize, Option<String>)>,
    /// Of a cookie; of an id there is none.
    pub(crate) protection: Option<Protection>,
    /// Key, value, and the bytes that the value takes.
    pub(crate) entries: Vec<(String, Value, usize)>,
    /// The bytes of a store's entry.
    pub(crate) stored: Option<usize>,
    /// Until it ends if nothing happens in it.
    pub(crate) idle: Option<Left>,
    /// Until it ends whatever happens in it.
    pub(crate) absolute: Option<Left>,
}

/// Time that is left of a lifetime.
#[derive(Clone, Copy)]
pub(crate) struct Left {
    pub(crate) left: Duration,
    pub(crate) of: Duration,
}

impl Glance {
    /// There is no session.
    fn nothing(status: Status) -> Self {
        Self {
            status,
            session: None,
            cookie: Vec::new(),
            key: None,
            protection: None,
            entries: Vec::new(),
            stored: None,
            idle: None,
            absolute: None,
        }
    }
}

impl SessionManager {
    /// As [`open`](Self::open), without a trace.
    pub(crate) async fn glance(&self, headers: &HeaderMap) -> Result<Glance, Error> {
        let candidates = find_all(headers, self.cookie_name(), MAX_CANDIDATES);
        let candidates = || candidates.iter().filter(|candidate| !candidate.is_empty());
        if candidates().next().is_none() {
            return Ok(Glance::nothing(Status::New));
        }
        if self.config().refuses_transport(headers) {
            return Ok(Glance::nothing(Status::Refused(Refusal::InsecureTransport)));
        }
        let mut refused: Option<Refusal> = None;
        for candidate in candidates() {
            match self.try_open(candidate, Look::Quiet).await? {
                Ok(session) => return Ok(self.glanced(session, candidate)),
                Err(refusal) => refused = refused.max(Some(refusal)),
            }
        }
        Ok(Glance::nothing(
            refused.map_or(Status::New, Status::Refused),
        ))
    }

    /// Asks the store how long the session still lives, where loading it did not tell.
    pub(crate) async fn glance_expiry(&self, glance: &mut Glance) {
        let (Some(session), Some(store), None) = (&glance.session, self.store(), glance.idle)
        else {
            return;
        };
        let Some(id) = session.id() else {
            return;
        };
        if let Some(left) = store.glance_expiry(id.key()).await {
            let of = session.with_state(|state| self.config().idle(state, self.format()));
            glance.idle = Some(Left { left, of });
        }
    }

    /// Whether the headers bring a cookie of the session's name.
    pub(crate) fn is_presented(&self, headers: &HeaderMap) -> bool {
        let candidates = find_all(headers, self.cookie_name(), MAX_CANDIDATES);
        candidates.iter().any(|candidate| !candidate.is_empty())
    }

    fn glanced(&self, session: Session, cookie: &[u8]) -> Glance {
        let status = session.status();
        let (key, protection) = match (&self.room, &status) {
            (
                Room::Cookie(sessions),
                Status::Loaded {
                    key_index,
                    protection,
                    ..
                },
            ) => {
                // A cookie of the kind that is being left has its key among others.
                let ours = *protection == sessions.protection;
                let id = sessions.key_id(*key_index).filter(|_| ours);
                (Some((*key_index, id)), Some(*protection))
            }
            (Room::Store(sessions), _) => {
                let key = sessions.key_of(cookie);
                (key.map(|(index, id)| (index, Some(id))), None)
            }
            (Room::Cookie(_), _) => (None, None),
        };
        let glance = session.with_state(|state| {
            let (stored, expires_in) = match &state.home {
                Home::Store(stored) => match &stored.entry {
                    Entry::Live { base, .. } => (Some(base.value.len()), base.expires_in),
                    Entry::None | Entry::Gone => (None, None),
                },
                Home::Cookie | Home::Nowhere(_) => (None, None),
            };
            Glance {
                cookie: cookie.to_vec(),
                key,
                protection,
                entries: state.entries.inspect(self.format()),
                stored,
                idle: self.idle(state, expires_in),
                absolute: self.absolute(state),
                ..Glance::nothing(status)
            }
        });
        Glance {
            session: Some(session),
            ..glance
        }
    }

    fn idle(&self, state: &State, expires_in: Option<Duration>) -> Option<Left> {
        let of = self.config().idle(state, self.format());
        let left = match &state.status {
            Status::Loaded { signed_at, .. } => {
                let now = UNIX_EPOCH + Duration::from_secs(self.config().clock.unix_seconds());
                let age = now.duration_since(*signed_at).unwrap_or_default();
                Some(of.saturating_sub(age))
            }
            _ => expires_in,
        };
        left.map(|left| Left { left, of })
    }

    fn absolute(&self, state: &State) -> Option<Left> {
        let of = self.config().absolute_lifetime?;
        let now = self.config().clock.unix_seconds();
        let age = now.saturating_sub(state.created(self.format())?);
        let left = of.saturating_sub(Duration::from_secs(age));
        Some(Left { left, of })
    }

    fn format(&self) -> &crate::format::Format {
        match &self.room {
            Room::Cookie(sessions) => sessions.format(),
            Room::Store(sessions) => sessions.format(),
        }
    }
}
