use std::time::Duration;

use bytes::Bytes;

use super::{StoredSessions, codec::Draft};
use crate::{
    Error,
    config::{Profile, Refresh},
    session::{
        Activity, Change, Content, Entry, Home, Identity, Origin, SessionId, State, Status,
        StoreCommit, decide_store,
    },
    store::Record,
};

/// What is to be done, and for which state of the session.
pub(super) struct Plan {
    pub(super) step: Step,
    /// Whether the response sets the cookie.
    pub(super) cookie: bool,
    pub(super) mark: Mark,
    /// How long the session lives from now on if nothing happens.
    pub(super) ttl: Duration,
}

impl Plan {
    fn nothing(state: &State, ttl: Duration) -> Self {
        Self {
            step: Step::Nothing,
            cookie: false,
            mark: Mark::of(state),
            ttl,
        }
    }
}

/// How far the request's changes are in what is written.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) version: u64,
    pub(super) operations: usize,
}

impl Mark {
    pub(super) fn of(state: &State) -> Self {
        Self {
            version: state.version,
            operations: state.journal_length(),
        }
    }
}

/// [`StoreCommit`] with what it takes.
pub(super) enum Step {
    Nothing,
    Touch(SessionId),
    Create(Draft),
    Replace(SessionId, Record, Bytes),
    Move(SessionId, Record, Draft),
    Delete(SessionId, Option<Record>),
    Forget,
}

impl StoredSessions {
    /// What the end of the request has to do.
    pub(super) fn plan(&self, state: &mut State) -> Result<Plan, Error> {
        if self.config.lacks_beginning(state, self.codec.format()) {
            let opened = matches!(&state.home, Home::Store(stored) if matches!(stored.entry, Entry::Live { .. }));
            let renewable = opened && state.activity == Activity::Counts;
            if renewable || state.modified {
                state.stamp(self.codec.format(), self.config.clock.unix_seconds());
            }
        }
        // A store counts whole seconds, and none is no time to live.
        let ttl = self.config.time_to_live(state, self.codec.format());
        let ttl = ttl.max(Duration::from_secs(1));
        if self.is_only_read(state, ttl) {
            return Ok(Plan::nothing(state, ttl));
        }
        let content = if state.is_bare() {
            Content::Empty
        } else {
            Content::Filled
        };
        let identity = if state.regenerated {
            Identity::New
        } else {
            Identity::Same
        };
        let refused = matches!(state.status, Status::Refused(_));
        let permanent = state.permanent(self.codec.format());
        let version = state.version;
        let Home::Store(stored) = &state.home else {
            return Ok(Plan::nothing(state, ttl));
        };
        let changed = stored.committed != version;
        let (origin, entry) = match &stored.entry {
            Entry::None => (Origin::None, None),
            Entry::Gone => (Origin::Gone, None),
            Entry::Live { id, base } => (Origin::Entry, Some((id, base))),
        };
        let draft = if changed && content == Content::Filled {
            Some(self.codec.draft(state)?)
        } else {
            None
        };
        let same_content = draft.as_ref().is_some_and(|draft| draft.unchanged);
        let change = match (changed, identity, origin) {
            // What is there already need not be written again; where only changes renew, this is one.
            (true, Identity::Same, _) if same_content => match self.renew_after {
                Some(_) => self.renewal(entry, ttl),
                None => Change::RenewalDue,
            },
            // Nothing is stored, and nothing but a new id was asked for: nothing needs it.
            (true, _, Origin::None) if content == Content::Empty && stored.journal.is_empty() => {
                Change::None
            }
            // Nothing came from the browser and nothing is stored: there is nothing to undo.
            (true, _, Origin::None)
                if content == Content::Empty
                    && !refused
                    && self.config.profile == Profile::Careful =>
            {
                Change::None
            }
            (true, ..) => Change::Modified,
            (false, ..) => self.renewal(entry, ttl),
        };
        let change = state.activity.limit(change);
        let draft = draft.unwrap_or_default();
        let step = match (decide_store(origin, content, change, identity), entry) {
            (StoreCommit::Forget, _) => Step::Forget,
            (StoreCommit::Create, _) => Step::Create(draft),
            (StoreCommit::Touch, Some((id, _))) => Step::Touch(id.clone()),
            (StoreCommit::Replace, Some((id, base))) => {
                let value = self.codec.encode(id, &draft)?;
                Step::Replace(id.clone(), base.clone(), value)
            }
            (StoreCommit::Move, Some((id, base))) => Step::Move(id.clone(), base.clone(), draft),
            (StoreCommit::Delete, Some((id, base))) => {
                // Emptied key by key, a session that somebody else fills meanwhile lives on; cleared, it ends.
                let expected = (!stored.ends()).then(|| base.clone());
                Step::Delete(id.clone(), expected)
            }
            // Only an entry is touched, replaced, moved or deleted.
            (StoreCommit::Nothing, _) | (_, None) => Step::Nothing,
        };
        let cookie = match (
            &step,
            self.config.profile,
            state.activity.refresh(self.config.refresh),
        ) {
            (Step::Create(_) | Step::Move(..), ..) => true,
            (Step::Nothing | Step::Touch(_) | Step::Replace(..), Profile::Flask, _) if changed => {
                origin == Origin::Entry
            }
            // Signed anew while the old key is still good, or its end would be a logout.
            (Step::Replace(..) | Step::Touch(_), ..) if stored.key_retired => true,
            (Step::Replace(..), ..) => permanent || stored.was_permanent,
            (Step::Nothing | Step::Touch(_), _, Refresh::EachRequest) => {
                origin == Origin::Entry && permanent && content == Content::Filled
            }
            (Step::Touch(_), ..) => permanent,
            (Step::Nothing | Step::Delete(..) | Step::Forget, ..) => false,
        };
        Ok(Plan {
            step,
            cookie,
            mark: Mark::of(state),
            ttl,
        })
    }

    /// Whether there is nothing to do, as after most requests: the rest is not worth finding out then.
    fn is_only_read(&self, state: &State, ttl: Duration) -> bool {
        let Home::Store(stored) = &state.home else {
            return true;
        };
        let entry = match &stored.entry {
            Entry::Live { id, base } => Some((id, base)),
            Entry::None | Entry::Gone => None,
        };
        stored.committed == state.version
            && self.config.refresh != Refresh::EachRequest
            && self.renewal(entry, ttl) == Change::None
    }

    /// Whether a request that changed nothing gives the entry a new expiry.
    fn renewal(&self, entry: Option<(&SessionId, &Record)>, ttl: Duration) -> Change {
        let (Some(after), Some((id, base))) = (self.renew_after, entry) else {
            return Change::None;
        };
        let due = match base.expires_in {
            Some(left) => ttl.saturating_sub(left).as_secs() > after,
            None => self
                .renewals
                .due(id.key(), self.config.clock.unix_seconds(), after),
        };
        if due {
            Change::RenewalDue
        } else {
            Change::None
        }
    }
}
