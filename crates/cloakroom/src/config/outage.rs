use super::SessionConfig;
use crate::Error;

/// What a request that brings a session gets while the store cannot be asked.
///
/// Either way nobody is logged out and nobody is taken for a stranger: the cookie is left alone, and when the
/// store is back, so is the session. Requests that bring no session are served as always, until they want to
/// store something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OutagePolicy {
    /// 503 with `Retry-After`: right for pages that need to know who asks.
    #[default]
    Require,
    /// The handler runs with a session that [knows nothing](crate::Session::is_unknown): right for pages that
    /// are of use without it, such as a front page or a catalogue.
    ///
    /// Handlers that name [`User`](crate::User), `Option<User>`, [`PendingUser`](crate::PendingUser) or
    /// [`Typed`](crate::Typed) still answer 503, since those would claim something about the visitor. The
    /// response gets `Cache-Control: no-store`, so that it is not shown again when all is well.
    Degrade,
}

impl OutagePolicy {
    /// Whether the request is served although its session could not be opened.
    pub(crate) fn bears(self, error: &Error) -> bool {
        match self {
            Self::Require => false,
            // A store that refuses has been set up wrongly, which is to be noticed.
            Self::Degrade => matches!(error, Error::StoreUnavailable { .. }),
        }
    }
}

impl SessionConfig {
    /// What requests get while the store is down; [`OutagePolicy::Require`] unless set. For some routes only, use
    /// [`SessionLayer::on_outage`](crate::SessionLayer::on_outage).
    pub fn on_outage(mut self, policy: OutagePolicy) -> Self {
        self.stored.on_outage = policy;
        self
    }
}
