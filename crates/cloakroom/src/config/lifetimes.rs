use std::time::Duration;

use super::SessionConfig;
use crate::{format::Format, session::State};

/// How sure a site has to be that it still deals with the user who logged in: the authenticator assurance
/// levels of NIST SP 800-63B-4 (sections 2.1.3, 2.2.3 and 2.3.3), and those of ASVS 4.0.3 (3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AssuranceLevel {
    /// AAL1: at most 30 days over all, no idle limit of its own.
    Aal1,
    /// AAL2: at most 24 hours over all, an hour idle.
    Aal2,
    /// AAL3: at most 12 hours over all, 15 minutes idle.
    Aal3,
    /// ASVS 4, level 2: at most 12 hours over all, 30 minutes idle.
    Asvs4Level2,
    /// ASVS 4, level 3: at most 12 hours over all, 15 minutes idle.
    Asvs4Level3,
}

impl AssuranceLevel {
    /// How long a session lives at most, whatever happens in it.
    pub fn absolute_lifetime(self) -> Duration {
        match self {
            Self::Aal1 => Duration::from_hours(30 * 24),
            Self::Aal2 => Duration::from_hours(24),
            Self::Aal3 | Self::Asvs4Level2 | Self::Asvs4Level3 => Duration::from_hours(12),
        }
    }

    /// How long it lives when nothing happens in it.
    pub fn idle_lifetime(self) -> Duration {
        match self {
            Self::Aal1 => Duration::from_hours(30 * 24),
            Self::Aal2 => Duration::from_hours(1),
            Self::Asvs4Level2 => Duration::from_mins(30),
            Self::Aal3 | Self::Asvs4Level3 => Duration::from_mins(15),
        }
    }
}

/// How long sessions live. All of it is judged on the server's clock; what the browser's cookie says is a
/// courtesy to the browser.
impl SessionConfig {
    /// How long a session lives at most after it began, whatever happens in it; not limited unless set.
    ///
    /// It begins with [`Session::login`](crate::Session::login) or, without one, when something is first stored.
    /// The session then says when that was, under `_created`. Sessions that do not say it yet, such as those
    /// that Flask made, count from the next time they are opened here. Under Flask this limit does not hold.
    pub fn absolute_lifetime(mut self, lifetime: Duration) -> Self {
        self.absolute_lifetime = Some(lifetime);
        self
    }

    /// How long a permanent session ("remember me", [`Session::set_permanent`](crate::Session::set_permanent))
    /// lives when nothing happens in it; as [`lifetime`](Self::lifetime) unless set.
    pub fn remember_lifetime(mut self, lifetime: Duration) -> Self {
        self.remember_lifetime = Some(lifetime);
        self
    }

    /// Sets the lifetimes to what an assurance level allows, and takes back a
    /// [`remember_lifetime`](Self::remember_lifetime).
    ///
    /// ```
    /// use cloakroom::{AssuranceLevel, SessionConfig};
    ///
    /// let config = SessionConfig::default().assurance(AssuranceLevel::Aal2);
    /// ```
    pub fn assurance(mut self, level: AssuranceLevel) -> Self {
        self.lifetime = level.idle_lifetime();
        self.absolute_lifetime = Some(level.absolute_lifetime());
        self.remember_lifetime = None;
        self
    }

    /// The longest that any session may live without activity.
    pub(crate) fn longest_idle(&self) -> Duration {
        self.remember_lifetime
            .map_or(self.lifetime, |remember| remember.max(self.lifetime))
    }

    /// How long this session may live from now on if nothing happens in it.
    pub(crate) fn time_to_live(&self, state: &State, format: &Format) -> Duration {
        let idle = self.idle(state, format);
        let Some(absolute) = self.absolute_lifetime else {
            return idle;
        };
        let now = self.clock.unix_seconds();
        // A clock may have been ahead when the session began.
        let created = state.created(format).map_or(now, |at| at.min(now));
        let left = absolute.saturating_sub(Duration::from_secs(now - created));
        idle.min(left)
    }

    /// How long this kind of session lives when nothing happens in it.
    pub(crate) fn idle(&self, state: &State, format: &Format) -> Duration {
        match self.remember_lifetime {
            Some(remember) if state.permanent(format) => remember,
            _ => self.lifetime,
        }
    }

    /// Whether the session has lived for as long as any may.
    pub(crate) fn lifetime_is_over(&self, state: &State, format: &Format) -> bool {
        self.absolute_lifetime.is_some() && self.time_to_live(state, format).is_zero()
    }

    /// Whether the session has to say when it began, and does not yet.
    pub(crate) fn lacks_beginning(&self, state: &State, format: &Format) -> bool {
        let needed = self.absolute_lifetime.is_some() || self.user_sessions.is_some();
        needed && !state.is_bare() && state.created(format).is_none()
    }
}
