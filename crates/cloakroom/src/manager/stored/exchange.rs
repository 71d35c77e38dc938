//! Between Flask's layout and a native one, while both are in use.
//!
//! An entry moves in three steps, each of them one step of the store:
//!
//! 1. under its old key it is replaced by the very bytes that are to lie under the new one, if it still is what was
//!    read. From then on nobody changes it there;
//! 2. they are put under the new key, where they are an entry like any other;
//! 3. the old key gets a tombstone.
//!
//! Whoever comes between two of them does the next. So no change is lost that somebody makes under the old key
//! meanwhile, nothing that has ended comes back, and a process may stop anywhere.

use std::time::Duration;

use super::StoredSessions;
use crate::{
    Error,
    format::record::Envelope,
    manager::{look::Look, register::Standing},
    session::{Home, Refusal, Session, SessionId, State, Status},
    store::{CreateError, DeleteError, Record, ReplaceError},
};

/// Where a session was found.
pub(super) struct Found {
    pub(super) id: SessionId,
    pub(super) base: Record,
    /// Whether the browser has another id: one of Flask's kind, of an entry that has moved.
    pub(super) renamed: bool,
    /// That id, if something may be left under it.
    pub(super) arrived_as: Option<Box<SessionId>>,
}

impl Found {
    /// Under the id that the browser has.
    pub(super) fn here(id: SessionId, base: Record) -> Self {
        Self {
            id,
            base,
            renamed: false,
            arrived_as: None,
        }
    }

    /// Under the ticket that stands for the browser's id.
    fn moved(twin: SessionId, base: Record, arrived_as: Option<SessionId>) -> Self {
        Self {
            id: twin,
            base,
            renamed: true,
            arrived_as: arrived_as.map(Box::new),
        }
    }
}

/// What came of [`SessionManager::convert`](crate::SessionManager::convert).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Conversion {
    /// The entry has moved.
    Done,
    /// It is in a native layout, or no session's entry.
    NotNeeded,
    /// There is no such entry any more: the session ended, or somebody else has moved it.
    Gone,
    /// It is left alone, because it cannot be opened.
    Refused(Refusal),
}

/// An entry under its old key that nobody changes there any more.
struct Fixed {
    record: Record,
    ttl: Duration,
}

/// So often somebody else may change an entry before it is served where it is.
const TRIES: usize = 8;

impl StoredSessions {
    /// The entry that an id of Flask's kind names, wherever it is, or why there is none.
    pub(super) async fn find_either(
        &self,
        id: SessionId,
        twin: SessionId,
        look: Look,
    ) -> Result<Result<Found, Refusal>, Error> {
        if self.codec.is_native()
            && let Some(base) = self.look_up(&twin, look).await?
        {
            return Ok(Ok(Found::moved(twin, base, Some(id))));
        }
        let Some(old) = self.look_up(&id, look).await? else {
            // It may have moved since we looked, or before if new sessions are in Flask's layout.
            return self.find_moved(id, twin, look).await;
        };
        let is_fixed = Envelope::begins(&old.value);
        #[cfg(feature = "inspector")]
        if look == Look::Quiet {
            let id = if is_fixed { twin } else { id };
            return Ok(Ok(Found::here(id, old)));
        }
        if !is_fixed && !self.codec.is_native() {
            return Ok(Ok(Found::here(id, old)));
        }
        let fixed = match self.fix(&id, &twin, old.clone()).await {
            Ok(Ok(fixed)) => fixed,
            Ok(Err(Refusal::UnknownId)) => return self.find_moved(id, twin, look).await,
            Ok(Err(refusal)) => return Ok(Err(refusal)),
            // The visitor is none the worse for it, and the next request tries again.
            Err(error) => {
                tracing::warn!(%error, "an entry in Flask's layout is served where it is");
                return Ok(Ok(Found::here(id, old)));
            }
        };
        let moved = self.complete(&id, &twin, fixed).await?;
        Ok(moved.map(|base| Found::moved(twin, base, None)))
    }

    /// The entry of an id under which nothing is any more.
    async fn find_moved(
        &self,
        id: SessionId,
        twin: SessionId,
        look: Look,
    ) -> Result<Result<Found, Refusal>, Error> {
        let base = self.look_up(&twin, look).await?;
        Ok(base
            .map(|base| Found::moved(twin, base, Some(id)))
            .ok_or(Refusal::UnknownId))
    }

    /// What a request finds that comes too late for what it knew under an id: under which id the session is now, and as
    /// what. None if it has ended.
    pub(super) async fn follow(
        &self,
        id: &SessionId,
        current: Option<Record>,
    ) -> Result<Option<(SessionId, Record)>, Error> {
        let Some(twin) = self.codec.twin(id) else {
            return Ok(current.map(|current| (id.clone(), current)));
        };
        let moved = match current {
            Some(current) if !Envelope::begins(&current.value) => {
                return Ok(Some((id.clone(), current)));
            }
            Some(record) => {
                let ttl = self.left(id, &record).await?;
                match self.complete(id, &twin, Fixed { record, ttl }).await? {
                    Ok(moved) => Some(moved),
                    Err(Refusal::UnknownId) => None,
                    Err(refusal) => return Err(Error::Refused(refusal)),
                }
            }
            None => self.look_up(&twin, Look::Counted).await?,
        };
        Ok(moved.map(|record| (twin, record)))
    }

    /// Before the browser's id of Flask's kind opens nothing any more: nothing may be left under it that a process
    /// which stopped halfway did not get rid of.
    pub(super) async fn clear_arrival(&self, session: &Session) -> Result<(), Error> {
        let arrived_as = session.with_state(|state| match &mut state.home {
            Home::Store(stored) => stored.arrived_as.take(),
            Home::Cookie | Home::Nowhere(_) => None,
        });
        match arrived_as {
            Some(id) => self.bury(&id).await,
            None => Ok(()),
        }
    }

    /// Ends what may be under an id, for all who come.
    pub(super) async fn bury(&self, id: &SessionId) -> Result<(), Error> {
        let tombstone = self.config.stored.tombstone;
        match self.store.delete(id.key(), None, tombstone).await {
            Err(DeleteError::Failed(error)) => Err(self.failed(error)),
            _ => Ok(()),
        }
    }

    /// Moves the entry under a key, if it is one in Flask's layout.
    pub(in crate::manager) async fn convert(&self, key: &str) -> Result<Conversion, Error> {
        let name = key.strip_prefix(self.codec.prefix()).unwrap_or_default();
        let id = self.codec.parse_flask_id(name.as_bytes());
        let Some((id, twin)) = id.and_then(|id| self.codec.twin(&id).map(|twin| (id, twin))) else {
            return Ok(Conversion::NotNeeded);
        };
        let Some(old) = self.look_up(&id, Look::Counted).await? else {
            return Ok(Conversion::Gone);
        };
        let moved = match self.fix(&id, &twin, old).await? {
            Ok(fixed) => self.complete(&id, &twin, fixed).await?,
            Err(refusal) => Err(refusal),
        };
        Ok(match moved {
            Ok(_) => Conversion::Done,
            Err(Refusal::UnknownId) => Conversion::Gone,
            Err(refusal) => Conversion::Refused(refusal),
        })
    }

    /// Step 1.
    async fn fix(
        &self,
        id: &SessionId,
        twin: &SessionId,
        mut old: Record,
    ) -> Result<Result<Fixed, Refusal>, Error> {
        for _ in 0..TRIES {
            let ttl = self.left(id, &old).await?;
            if Envelope::begins(&old.value) {
                return Ok(Ok(Fixed { record: old, ttl }));
            }
            let value = match self.opened(id, &old) {
                Ok(state) => {
                    let draft = self.codec.verbatim(&state, &old);
                    self.codec.encode(twin, &draft)?
                }
                Err(refusal) => return Ok(Err(refusal)),
            };
            match self.store.replace(id.key(), &old, value, ttl).await {
                Ok(record) => return Ok(Ok(Fixed { record, ttl })),
                Err(ReplaceError::Changed(current)) => old = current,
                Err(ReplaceError::NotFound) => return Ok(Err(Refusal::UnknownId)),
                Err(ReplaceError::Failed(error)) => return Err(self.failed(error)),
            }
        }
        Err(Error::Contended {
            retry_after: self.config.stored.retry_after,
        })
    }

    /// Steps 2 and 3. What is under the new key then, or why there is nothing.
    async fn complete(
        &self,
        id: &SessionId,
        twin: &SessionId,
        Fixed { record, ttl }: Fixed,
    ) -> Result<Result<Record, Refusal>, Error> {
        // Whoever can write into the store could have put it there.
        let state = match self.opened(twin, &record) {
            Ok(state) => state,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let format = self.codec.format();
        let listed = state.subject(format).zip(state.listed_as(format));
        drop(state);
        let standing = match (&self.registration, listed) {
            (Some(registration), Some((subject, handle))) => {
                let moved = registration.moved(&subject, handle, twin.key(), ttl);
                moved.await?
            }
            _ => Standing::Good,
        };
        let moved = match standing {
            Standing::Ended => None,
            Standing::Good => {
                let created = self
                    .store
                    .create(twin.key(), record.value.clone(), ttl)
                    .await;
                match created {
                    Ok(created) => {
                        self.written(twin, &created);
                        Some(created)
                    }
                    // Somebody was faster; or the session has ended since, and there is a tombstone.
                    Err(CreateError::Exists) => self.look_up(twin, Look::Counted).await?,
                    Err(CreateError::Failed(error)) => return Err(self.failed(error)),
                }
            }
        };
        let tombstone = self.config.stored.tombstone;
        match self.store.delete(id.key(), Some(&record), tombstone).await {
            Ok(()) | Err(DeleteError::NotFound) => Ok(moved.ok_or(Refusal::UnknownId)),
            Err(DeleteError::Changed(_)) => {
                tracing::warn!("a program that knows one layout only writes into a moved session");
                Ok(moved.ok_or(Refusal::UnknownId))
            }
            Err(DeleteError::Failed(error)) => Err(self.failed(error)),
        }
    }

    /// The session of an entry, without what a request needs of it.
    fn opened(&self, id: &SessionId, record: &Record) -> Result<State, Refusal> {
        let entries = self.codec.decode(id, record)?.ok_or(Refusal::UnknownId)?;
        Ok(State::new(entries, Status::Stored, Home::Cookie))
    }

    /// How long an entry still lives.
    async fn left(&self, id: &SessionId, record: &Record) -> Result<Duration, Error> {
        let left = match record.expires_in {
            Some(left) => Some(left),
            None => {
                let left = self.store.expires_in(id.key()).await;
                left.map_err(|error| self.failed(error))?
            }
        };
        let left = left.unwrap_or(self.config.lifetime);
        Ok(left.max(Duration::from_secs(1)))
    }
}
