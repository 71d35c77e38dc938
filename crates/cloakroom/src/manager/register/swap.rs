use std::mem;

use bytes::Bytes;
use tokio::time::Instant;

use super::entry::SubjectEntry;
use super::{Register, layout};
use crate::{
    Error,
    manager::turns::jitter,
    store::{CreateError, DeleteError, Record, ReplaceError, StoreError, StoreErrorKind},
};

/// An entry as the store has it.
#[derive(Default)]
pub(super) struct Found {
    /// Without what has expired.
    pub(super) entry: SubjectEntry,
    /// None if there is no entry.
    base: Option<Record>,
}

impl Register {
    pub(super) async fn load(&self, key: &str) -> Result<Found, Error> {
        let record = self.store.load(key).await;
        self.found(record.map_err(|error| self.failed(error))?)
    }

    fn found(&self, base: Option<Record>) -> Result<Found, Error> {
        let mut entry = match &base {
            None => SubjectEntry::default(),
            Some(record) => layout::read(&record.value).map_err(|_| self.unreadable())?,
        };
        entry.prune(self.settings.clock.unix_seconds());
        Ok(Found { entry, base })
    }

    /// Changes an entry, beginning with what was found, as often as others change it meanwhile. What comes to
    /// nothing is not written.
    pub(super) async fn change<T>(
        &self,
        key: &str,
        found: Option<Found>,
        change: impl FnMut(&mut SubjectEntry) -> Result<T, Error>,
    ) -> Result<(T, Found), Error> {
        let deadline = Instant::now() + self.settings.deadline;
        tokio::time::timeout_at(deadline, self.try_change(key, found, change))
            .await
            // The time was up between two tries: none of ours has been answered with yes.
            .unwrap_or(Err(Error::Contended {
                retry_after: self.settings.retry_after,
            }))
    }

    async fn try_change<T>(
        &self,
        key: &str,
        found: Option<Found>,
        mut change: impl FnMut(&mut SubjectEntry) -> Result<T, Error>,
    ) -> Result<(T, Found), Error> {
        let mut found = match found {
            Some(found) => found,
            None => self.load(key).await?,
        };
        let mut turn = None;
        let mut misses = 0;
        loop {
            let mut entry = found.entry.clone();
            let outcome = change(&mut entry)?;
            if entry == found.entry {
                return Ok((outcome, found));
            }
            match self.swap(key, mem::take(&mut found), entry).await? {
                Swap::Done(found) => return Ok((outcome, found)),
                Swap::Missed(Some(current)) => found = self.found(Some(current))?,
                Swap::Missed(None) => found = self.load(key).await?,
            }
            misses += 1;
            if turn.is_none() {
                turn = Some(self.turns.wait(key).await);
                // Others had theirs while we waited, so what the store last answered is old.
                found = self.load(key).await?;
            } else {
                tokio::time::sleep(jitter(misses)).await;
            }
        }
    }

    async fn swap(&self, key: &str, found: Found, entry: SubjectEntry) -> Result<Swap, Error> {
        let ttl = entry.time_to_live(self.settings.clock.unix_seconds());
        let value: Bytes = layout::write(&entry).map_err(|_| self.unreadable())?;
        let written = match found.base {
            None => match self.store.create(key, value, ttl).await {
                Ok(record) => Some(record),
                Err(CreateError::Exists) => return Ok(Swap::Missed(None)),
                Err(CreateError::Failed(error)) => return Err(self.failed(error)),
            },
            Some(base) if entry.is_empty() => {
                match self
                    .store
                    .delete(key, Some(&base), std::time::Duration::ZERO)
                    .await
                {
                    // Gone already is as good: there is nothing to know of the user.
                    Ok(()) | Err(DeleteError::NotFound) => None,
                    Err(DeleteError::Changed(current)) => return Ok(Swap::Missed(Some(current))),
                    Err(DeleteError::Failed(error)) => return Err(self.failed(error)),
                }
            }
            Some(base) => match self.store.replace(key, &base, value, ttl).await {
                Ok(record) => Some(record),
                Err(ReplaceError::Changed(current)) => return Ok(Swap::Missed(Some(current))),
                Err(ReplaceError::NotFound) => return Ok(Swap::Missed(None)),
                Err(ReplaceError::Failed(error)) => return Err(self.failed(error)),
            },
        };
        Ok(Swap::Done(Found {
            entry,
            base: written,
        }))
    }

    pub(super) fn failed(&self, source: StoreError) -> Error {
        match source.kind() {
            StoreErrorKind::Refused => Error::StoreRefused(source),
            _ => Error::StoreUnavailable {
                source,
                retry_after: self.settings.retry_after,
            },
        }
    }

    /// Never taken for "no sessions" and never overwritten: a newer version may have written it.
    pub(super) fn unreadable(&self) -> Error {
        self.failed(StoreError::refused(
            "an entry of the register of sessions cannot be read; if no newer version of this program wrote it, delete it",
        ))
    }
}

enum Swap {
    Done(Found),
    /// Something else is there by now, this if the store has said what.
    Missed(Option<Record>),
}
