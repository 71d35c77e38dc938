//! Which sessions are meant.

use std::time::Duration;

use clap::Args;
use cloakroom::StoredEntry;
use cloakroom::store::Listed;

use super::found::Found;
use super::scan::Sight;
use crate::units;

/// How to tell whose a session is, and how old.
#[derive(Args, Clone, Default)]
pub(crate) struct Identity {
    /// The key under which the application keeps its user, if that is neither `_user_id` nor `user_id`
    #[arg(long, value_name = "KEY")]
    subject_key: Option<String>,

    /// The lifetime that the application gives its sessions (Flask's `PERMANENT_SESSION_LIFETIME`): Flask notes no
    /// times, but with it the age since the last use follows from the time that is left
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    lifetime: Option<Duration>,
}

impl Identity {
    /// Whether ages are told of sessions, too, that do not say when they began.
    #[cfg(feature = "inspect")]
    pub(crate) fn knows_lifetime(&self) -> bool {
        self.lifetime.is_some()
    }

    pub(crate) fn subject(&self, entry: &StoredEntry<'_>) -> Option<String> {
        match &self.subject_key {
            Some(key) => entry.subject_under(key),
            None => entry.subject(),
        }
    }

    /// Since it began or, where nothing says that, since it was last used: it is at least so old.
    pub(crate) fn age(
        &self,
        entry: &StoredEntry<'_>,
        expires_in: Option<Duration>,
        now: u64,
    ) -> Option<Duration> {
        let began = entry
            .created()
            .map(|began| Duration::from_secs(now.saturating_sub(began)));
        began.or_else(|| Some(self.lifetime?.saturating_sub(expires_in?)))
    }
}

#[derive(Args, Clone, Default)]
pub(crate) struct FilterArguments {
    #[command(flatten)]
    pub(crate) identity: Identity,

    /// Only sessions that are older; those that do not say so are left out
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) older_than: Option<Duration>,

    /// Only sessions that are not that old; those that do not say so are left out
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) newer_than: Option<Duration>,

    /// Only sessions that end so soon
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(crate) expires_within: Option<Duration>,

    /// Only sessions of this user
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: Option<String>,

    /// Only sessions that have this key; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Vec<String>,

    /// Only entries of more bytes, as in 500, 4k or 1M
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub(crate) larger_than: Option<u64>,
}

impl FilterArguments {
    /// Whether an entry has to be loaded to know.
    pub(crate) fn asks_content(&self) -> bool {
        self.older_than.is_some()
            || self.newer_than.is_some()
            || self.subject.is_some()
            || !self.key.is_empty()
    }

    /// Whether an entry is large enough, which the listing says already: others need not be loaded.
    pub(crate) fn is_large(&self, listed: &Listed) -> bool {
        self.larger_than
            .is_none_or(|size| listed.size as u64 > size)
    }

    /// Whether it ends soon enough.
    pub(crate) fn is_soon(&self, found: &Found) -> bool {
        let within = |limit| found.expires_in.is_some_and(|left| left <= limit);
        self.expires_within.is_none_or(within)
    }

    /// What the entry says.
    pub(crate) fn takes(&self, found: &Found, sight: &Sight<'_>) -> bool {
        let Some(inside) = &found.inside else {
            return false;
        };
        let older = |age: Duration| self.older_than.is_none_or(|limit| age > limit);
        let newer = |age: Duration| self.newer_than.is_none_or(|limit| age <= limit);
        let aged = match (inside.age, self.older_than.or(self.newer_than)) {
            (_, None) => true,
            (Some(age), Some(_)) => older(age) && newer(age),
            (None, Some(_)) => false,
        };
        let whose = self.subject.is_none() || self.subject == inside.subject;
        self.is_soon(found) && aged && whose && self.has_keys(sight)
    }

    fn has_keys(&self, sight: &Sight<'_>) -> bool {
        self.key.is_empty()
            || sight
                .session()
                .is_some_and(|entry| self.key.iter().all(|key| entry.contains_key(key)))
    }
}
