use http::HeaderValue;

use super::{
    Activity, Entries, Entry, Flash, Handle, Login, Nowhere, Operation, PERMANENT, SessionId,
    Status, Stored,
    identity::{CREATED, HANDLE, SUBJECT},
};
use crate::{Error, format::Format, store::Record, value::Value};

/// Everything that is known of a session in this request.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and all combinations occur"
)]
pub(crate) struct State {
    pub(crate) entries: Entries,
    pub(crate) status: Status,
    pub(crate) modified: bool,
    /// The cookie is to be written whatever it holds; in a store, the session gets a new id.
    pub(crate) regenerated: bool,
    /// Counts changes, so that `update` notices one made meanwhile.
    pub(crate) version: u64,
    pub(crate) home: Home,
    pub(crate) activity: Activity,
    /// The login of this request, until it is saved.
    pub(crate) login: Option<Box<Login>>,
    /// Who was logged in before this request logged them out, or in anew.
    pub(crate) left: Option<Box<Left>>,
    /// What the browser calls itself, where that is kept with a login.
    pub(crate) agent: Option<Box<str>>,
    /// Whether it has been told that the session is there.
    pub(crate) announced: bool,
    /// The second that all tokens for forms carry in this request, so that they are equal.
    pub(crate) token_second: Option<u64>,
    /// A logout of this request: a remembered login that came with it counts no more.
    pub(crate) remembered_login_ended: bool,
    /// Flashes taken out in this request, for later calls.
    pub(super) taken: Option<Vec<Flash>>,
    /// What `save` has decided: in a cookie session until something changes again.
    saved: Option<Saved>,
    pub(super) closed: bool,
}

/// A login that this request has ended.
#[derive(Clone)]
pub(crate) struct Left {
    pub(crate) subject: String,
    /// What the session is listed as, if it is.
    pub(crate) handle: Option<Handle>,
}

/// Where the session is kept.
pub(crate) enum Home {
    Cookie,
    Store(Box<Stored>),
    /// Nothing can be kept, so nothing can be changed.
    Nowhere(Box<Nowhere>),
}

/// The header that `save` made, or none if there is nothing to send.
pub(super) struct Saved(pub(super) Option<HeaderValue>);

impl State {
    pub(crate) fn new(entries: Entries, status: Status, home: Home) -> Self {
        Self {
            entries,
            status,
            modified: false,
            regenerated: false,
            version: 0,
            home,
            activity: Activity::Counts,
            login: None,
            left: None,
            agent: None,
            announced: false,
            token_second: None,
            remembered_login_ended: false,
            taken: None,
            saved: None,
            closed: false,
        }
    }

    /// Whether there is nothing in it that would need a cookie. When it began is kept for what is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.holds_only(&[CREATED])
    }

    /// Whether there is nothing in it that would need an entry in a store: as Flask-Session counts, whether it is
    /// permanent is nothing.
    pub(crate) fn is_bare(&self) -> bool {
        self.entries.holds_only(&[CREATED, PERMANENT])
    }

    /// Whether the session is permanent; Flask's `session.permanent`.
    pub(crate) fn permanent(&self, format: &Format) -> bool {
        self.entries
            .get(format, PERMANENT)
            .is_some_and(|value| value.is_truthy())
    }

    /// A new session begins permanent, which is no change.
    pub(crate) fn start_permanent(&mut self, format: &Format) {
        // A truth value can be written in every format.
        let _ = self.entries.insert(format, PERMANENT, Value::Bool(true));
    }

    pub(super) fn insert(&mut self, format: &Format, key: &str, value: Value) -> Result<(), Error> {
        match &self.home {
            Home::Cookie | Home::Nowhere(_) => {
                self.entries.insert(format, key, value)?;
                self.touch();
            }
            Home::Store(_) => {
                self.entries.insert(format, key, value.clone())?;
                self.changed(|| Operation::Set(key.to_owned(), value));
            }
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, format: &Format, key: &str) -> Option<Value> {
        if key == SUBJECT {
            self.leave(format);
            self.remove(format, HANDLE);
        }
        let value = self.entries.remove(format, key)?;
        self.changed(|| Operation::Remove(key.to_owned()));
        Some(value)
    }

    pub(super) fn clear(&mut self, format: &Format) {
        let keep_permanent = match &self.home {
            Home::Cookie | Home::Nowhere(_) => false,
            Home::Store(stored) => stored.clearing_keeps_permanent,
        };
        self.leave(format);
        let clear = Operation::Clear { keep_permanent };
        if let Err(error) = clear.replay(&mut self.entries, format) {
            tracing::warn!(%error, "session change lost");
        }
        self.changed(|| clear);
    }

    /// Remembers who is about to be logged out, or in anew.
    pub(super) fn leave(&mut self, format: &Format) {
        if let (None, Some(subject)) = (&self.left, self.subject(format)) {
            let handle = self.listed_as(format);
            self.left = Some(Box::new(Left { subject, handle }));
        }
    }

    /// What the session is called in the list of its user's sessions, if it is there.
    pub(crate) fn listed_as(&self, format: &Format) -> Option<Handle> {
        self.text(format, HANDLE)?.parse().ok()
    }

    /// What the session may be called in lists and logs.
    pub(crate) fn handle(&self, format: &Format) -> Option<Handle> {
        let listed = self.listed_as(format);
        listed.or_else(|| match &self.home {
            Home::Store(stored) => match &stored.entry {
                Entry::Live { id, .. } => Some(Handle::of(id)),
                Entry::None | Entry::Gone => None,
            },
            Home::Cookie | Home::Nowhere(_) => None,
        })
    }

    /// The session has changed, by this operation.
    pub(super) fn changed(&mut self, operation: impl FnOnce() -> Operation) {
        if let Home::Store(stored) = &mut self.home {
            stored.journal.push(operation());
        }
        self.touch();
    }

    pub(super) fn touch(&mut self) {
        self.modified = true;
        self.version += 1;
        // A store has what was saved; a cookie has not left yet.
        if let Home::Cookie = self.home {
            self.saved = None;
        }
    }

    /// Remembers what the response has to set, unless it is nothing and something is to be set already.
    pub(crate) fn set_saved(&mut self, header: Option<HeaderValue>) {
        match (&self.saved, &header) {
            (Some(Saved(Some(_))), None) => {}
            _ => self.saved = Some(Saved(header)),
        }
    }

    /// What `save` has decided, if nothing has changed since.
    pub(super) fn take_saved(&mut self) -> Option<Saved> {
        self.saved.take()
    }

    pub(crate) fn saved_header(&self) -> Option<HeaderValue> {
        self.saved.as_ref().and_then(|Saved(header)| header.clone())
    }

    pub(super) fn take_journal(&mut self) -> Vec<Operation> {
        match &mut self.home {
            Home::Cookie | Home::Nowhere(_) => Vec::new(),
            Home::Store(stored) => std::mem::take(&mut stored.journal),
        }
    }

    pub(crate) fn journal_length(&self) -> usize {
        match &self.home {
            Home::Cookie | Home::Nowhere(_) => 0,
            Home::Store(stored) => stored.journal.len(),
        }
    }

    /// Goes on from what the store holds, to which the operations have been done again.
    pub(super) fn rebase(
        &mut self,
        entries: Entries,
        id: SessionId,
        base: Record,
        operations: Vec<Operation>,
    ) {
        self.entries = entries;
        if let Home::Store(stored) = &mut self.home {
            stored.journal = operations;
            if let Entry::Live { .. } = stored.entry {
                stored.entry = Entry::Live { id, base };
            }
        }
    }

    /// The session has this entry from now on. Hands back the one before.
    pub(crate) fn enter(&mut self, id: SessionId, base: Record) -> Entry {
        match &mut self.home {
            Home::Cookie | Home::Nowhere(_) => Entry::None,
            Home::Store(stored) => std::mem::replace(&mut stored.entry, Entry::Live { id, base }),
        }
    }

    /// The session has its old entry, and the response the header of before.
    pub(crate) fn back_to(&mut self, (entry, header): (Entry, Option<HeaderValue>)) {
        if let Home::Store(stored) = &mut self.home {
            stored.entry = entry;
        }
        self.saved = header.map(|header| Saved(Some(header)));
    }

    /// This request ended the session; what it does from now on begins another one.
    pub(crate) fn ended(&mut self) {
        let version = self.version;
        self.regenerated = false;
        if let Home::Store(stored) = &mut self.home {
            stored.entry = Entry::None;
            stored.journal.clear();
            stored.committed = version;
        }
    }

    /// Somebody else ended the session; what this request did to it is dropped.
    pub(crate) fn gone(&mut self) {
        if let Home::Store(stored) = &mut self.home {
            stored.entry = Entry::Gone;
            for operation in stored.journal.drain(..) {
                if let Operation::TakeOnce(_, taking) = operation {
                    taking.again(false);
                }
            }
        }
    }
}
