use std::time::Duration;

use super::{MaxSessions, SessionConfig};
use crate::store::Store;

/// Keeps track of who has which sessions, so that users see their devices and end them from elsewhere, and so
/// that a session in a cookie can be ended at all.
///
/// [`Session::login`](crate::Session::login) enters the session, and from then on
///
/// - [`Session::user_sessions`](crate::Session::user_sessions) lists the user's sessions, and
///   [`end_session`](crate::Session::end_session) and
///   [`end_other_sessions`](crate::Session::end_other_sessions) end them;
/// - [`SessionManager::sessions_of`](crate::SessionManager::sessions_of) and its neighbours do the same for an
///   operator;
/// - a session in a cookie is good only while it is listed: after a logout a copy of the cookie is worth
///   nothing;
/// - a user may be held to a number of sessions.
///
/// For sessions in a store the list is kept beside them; for sessions in a cookie it needs a store of its own.
/// If that cannot be asked, nobody knows whether such a session is good: what then happens is the
/// [`OutagePolicy`](crate::OutagePolicy)'s to say. A login that Flask made is on no list.
///
/// ```
/// use cloakroom::{MaxSessions, SecretKey, SessionConfig, SessionLayer, UserSessions, store::MemoryStore};
///
/// // In a store: at most five devices.
/// let config = SessionConfig::default()
///     .user_sessions(UserSessions::new().max_sessions(MaxSessions::EndOldest(5)));
/// let sessions = SessionLayer::stored_with(MemoryStore::new(), config)?;
///
/// // In the cookie, with a list that each server asks at most once a second about a session.
/// let config = SessionConfig::default().user_sessions(UserSessions::in_store(MemoryStore::new()));
/// let sessions = SessionLayer::signed_with(SecretKey::generate()?, config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct UserSessions {
    pub(crate) store: Option<Store>,
    pub(crate) lag: Duration,
    pub(crate) max_sessions: Option<MaxSessions>,
}

impl UserSessions {
    /// For sessions in a store, in that store.
    pub fn new() -> Self {
        Self {
            store: None,
            lag: Duration::from_secs(1),
            max_sessions: None,
        }
    }

    /// For sessions in a cookie: the list, and nothing of the sessions' content, is in this store.
    pub fn in_store(store: impl Into<Store>) -> Self {
        Self::new().kept_in(store)
    }

    /// Keeps the list in this store; see [`in_store`](Self::in_store).
    pub fn kept_in(mut self, store: impl Into<Store>) -> Self {
        self.store = Some(store.into());
        self
    }

    /// How long a server may go on with a session in a cookie that another server has ended, in whole seconds;
    /// 1 unless set. Zero asks the store at every request that opens a session; what this server has ended
    /// itself ends at once in any case. A session in a store ends at once everywhere.
    pub fn lag(mut self, lag: Duration) -> Self {
        self.lag = lag;
        self
    }

    /// How many sessions a user may have; 1000 unless set, of which the oldest ends.
    pub fn max_sessions(mut self, most: MaxSessions) -> Self {
        self.max_sessions = Some(most);
        self
    }
}

impl Default for UserSessions {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionConfig {
    /// Keeps track of who has which sessions; not unless set.
    pub fn user_sessions(mut self, sessions: UserSessions) -> Self {
        self.user_sessions = Some(sessions);
        self
    }
}
