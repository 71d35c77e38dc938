use super::{Change, Session};
use crate::config::Refresh;

/// Whether a request keeps its session alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Activity {
    #[default]
    Counts,
    /// A page that asks for news by itself: nobody need be in front of it.
    Ignored,
}

impl Activity {
    /// What the request did, without what it is not to do.
    pub(crate) fn limit(self, change: Change) -> Change {
        match (self, change) {
            (Self::Ignored, Change::RenewalDue) => Change::None,
            (Self::Counts | Self::Ignored, change) => change,
        }
    }

    /// When its cookie is renewed.
    pub(crate) fn refresh(self, refresh: Refresh) -> Refresh {
        match self {
            Self::Counts => refresh,
            Self::Ignored => Refresh::OnChange,
        }
    }
}

impl Session {
    /// This request is no sign that somebody is there: unless it changes the session, its end gives neither
    /// the entry nor the cookie a new time, and an idle session ends as if the request had not been made.
    ///
    /// For whole routes, such as those that pages poll, say it once with
    /// [`SessionLayer::without_activity`](crate::SessionLayer::without_activity).
    pub fn without_activity(&self) {
        self.with_state(|state| state.activity = Activity::Ignored);
    }
}
