use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use tracing::{Instrument, Level, debug_span, span_enabled};

use super::{
    Backend, Commit, Entries, Entry, Event, EventKind, Home, Inner, Operation, Session, SessionId,
    State, state::Saved,
};
use crate::{Error, SessionConfig, format::Format, store::Record};

/// What the rest of the library does with a session.
impl Session {
    pub(crate) fn new(state: State, backend: Arc<dyn Backend>) -> Self {
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                backend,
            }),
        }
    }

    /// The header for the response; from now on changes are refused.
    pub(crate) fn close(&self) -> Commit {
        let mut state = self.lock();
        state.closed = true;
        if let Home::Nowhere(nowhere) = &state.home {
            return Commit::Done(nowhere.outcome());
        }
        if let Home::Cookie = state.home
            && let Some(Saved(header)) = state.take_saved()
        {
            return Commit::Done(Ok(header));
        }
        drop(state);
        self.commit()
    }

    /// Makes what it holds now last.
    pub(super) fn commit(&self) -> Commit {
        let backend = self.inner.backend.clone();
        if !span_enabled!(target: "cloakroom", Level::DEBUG) {
            return backend.commit(self);
        }
        let span = debug_span!(target: "cloakroom", "cloakroom.save", place = backend.place());
        match span.in_scope(|| backend.commit(self)) {
            Commit::Pending(saving) => Commit::Pending(Box::pin(saving.instrument(span))),
            done @ Commit::Done(_) => done,
        }
    }

    /// A header that must go out even if the commit failed.
    pub(crate) fn saved_header(&self) -> Option<HeaderValue> {
        self.lock().saved_header()
    }

    /// Puts what the store holds by now in the place of what was loaded, and does everything again that
    /// this request did.
    pub(crate) fn rebase(
        &self,
        mut entries: Entries,
        id: SessionId,
        base: Record,
    ) -> Result<(), Error> {
        let mut done: Vec<Operation> = Vec::new();
        loop {
            let more = self.with_state(State::take_journal);
            // No lock is held here: the functions of updates may look at the session itself.
            for operation in &more {
                operation.replay(&mut entries, self.format())?;
            }
            done.extend(more);
            let mut state = self.lock();
            if state.journal_length() == 0 {
                state.rebase(entries, id, base, done);
                return Ok(());
            }
        }
    }

    /// The id under which a store has it.
    pub(crate) fn id(&self) -> Option<SessionId> {
        self.with_state(|state| match &state.home {
            Home::Store(stored) => match &stored.entry {
                Entry::Live { id, .. } => Some(id.clone()),
                Entry::None | Entry::Gone => None,
            },
            Home::Cookie | Home::Nowhere(_) => None,
        })
    }

    /// Tells whoever wants to know what has happened to this session.
    pub(crate) fn tell(&self, kind: EventKind) {
        if !self.config().observer.listens_to(kind) {
            return;
        }
        let (session, subject) = self.with_state(|state| {
            let subject = state.subject(self.format());
            (
                state.handle(self.format()),
                subject.or_else(|| state.left.as_ref().map(|left| left.subject.clone())),
            )
        });
        self.config().observer.tell(&Event {
            kind,
            session,
            subject: subject.as_deref(),
            headers: None,
        });
    }

    pub(crate) fn with_state<R>(&self, with: impl FnOnce(&mut State) -> R) -> R {
        with(&mut self.lock())
    }

    pub(super) fn format(&self) -> &Format {
        self.inner.backend.format()
    }

    pub(super) fn config(&self) -> &SessionConfig {
        self.inner.backend.config()
    }

    pub(super) fn read(&self) -> MutexGuard<'_, State> {
        self.lock()
    }

    pub(super) fn write_open(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.lock();
        if let Some(error) = state.nowhere() {
            Err(error.clone())
        } else if state.closed {
            Err(Error::ResponseStarted)
        } else {
            Ok(state)
        }
    }

    /// For methods that cannot fail: too late is a line in the log, and what cannot be kept at all fails the
    /// response.
    pub(super) fn write_late(&self, method: &'static str) -> Option<MutexGuard<'_, State>> {
        let error = match self.write_open() {
            Ok(state) => return Some(state),
            Err(error) => error,
        };
        tracing::warn!(method, %error, "session change lost");
        self.lock().lose();
        None
    }

    /// The session of an extractor that would claim something about the visitor.
    ///
    /// # Errors
    ///
    /// Why nobody knows anything.
    pub(crate) fn known(self) -> Result<Self, Error> {
        let state = self.read();
        match state.nowhere() {
            Some(error) if state.is_unknown() => Err(error.clone()),
            _ => {
                drop(state);
                Ok(self)
            }
        }
    }

    /// A panic in another task cannot leave the state half changed, so a poisoned lock is fine.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
