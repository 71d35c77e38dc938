use super::{Operation, SessionId};
use crate::store::Record;

/// What a session in a store has beside its entries: where it is kept and what was done to it.
pub(crate) struct Stored {
    pub(crate) entry: Entry,
    /// What was done since the last commit, in order.
    pub(crate) journal: Vec<Operation>,
    /// The version of the session that the store has.
    pub(crate) committed: u64,
    /// Whether the browser's cookie has an expiry.
    pub(crate) was_permanent: bool,
    /// Whether the browser's cookie is one that will not be good for ever: signed with a key that no longer signs, or
    /// the id of an entry that has moved.
    pub(crate) key_retired: bool,
    /// The id of Flask's kind that the browser has of an entry that has moved since: what may be left under it goes
    /// before anything else is done to the session.
    pub(crate) arrived_as: Option<Box<SessionId>>,
    /// Flask-Session's habit: clearing leaves `_permanent` where it is.
    pub(crate) clearing_keeps_permanent: bool,
}

/// The session's entry in the store.
pub(crate) enum Entry {
    /// None yet.
    None,
    /// The entry under the key of this id, as it was when this request last saw it.
    Live { id: SessionId, base: Record },
    /// It was there, and somebody ended the session meanwhile.
    Gone,
}

impl Stored {
    pub(crate) fn new(entry: Entry, permanent: bool, clearing_keeps_permanent: bool) -> Self {
        Self {
            entry,
            journal: Vec::new(),
            committed: 0,
            was_permanent: permanent,
            key_retired: false,
            arrived_as: None,
            clearing_keeps_permanent,
        }
    }

    /// Whether the request ended the session, and did not merely take out one thing after the other.
    pub(crate) fn ends(&self) -> bool {
        let clear = |operation: &Operation| matches!(operation, Operation::Clear { .. });
        self.journal.iter().any(clear)
    }

    /// The store has this version, of which these operations are a part.
    pub(crate) fn commit(
        &mut self,
        version: u64,
        operations: usize,
        record: Option<Record>,
        permanent: bool,
    ) {
        self.committed = version;
        self.journal.drain(..operations.min(self.journal.len()));
        self.was_permanent = permanent;
        if let (Entry::Live { base, .. }, Some(record)) = (&mut self.entry, record) {
            *base = record;
        }
    }
}
