//! The store's methods as they run on a blocking thread: every one is whole, whether or not anybody still
//! waits for it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    FileStore, NAME,
    disk::{self, Content, Temporary},
    layout::{Entry, Names},
    lock::For,
    swap::{self, Swap},
};
use crate::store::{CreateError, DeleteError, Record, ReplaceError, StoreError, TouchError};

/// What is under a name.
enum Slot {
    Empty,
    /// What cannot be read as an entry: as good as nothing, but in the way.
    Broken,
    Entry(Entry),
}

impl Slot {
    fn live(self, now: u64) -> Option<Entry> {
        match self {
            Self::Entry(entry) if entry.is_live(now) => Some(entry),
            _ => None,
        }
    }
}

/// An entry that is there, and in which file.
struct Found {
    place: PathBuf,
    entry: Entry,
}

/// How often a renewal is tried against a program that writes the entry again and again.
const RENEWALS: usize = 16;

impl FileStore {
    pub(super) fn load_now(
        &self,
        key: &str,
        deadline: Instant,
    ) -> Result<Option<Record>, StoreError> {
        let names = self.names(key);
        let Some(found) = self.find(&names, key)? else {
            self.folder.check()?;
            return Ok(None);
        };
        // The tombstone is looked for last, so that no entry written after it gets through.
        if !self.is_buried(&names, key)? {
            return Ok(Some(self.record(found.entry)));
        }
        // Whoever wrote it knows nothing of tombstones, and would read it again.
        let removed = self
            .folder
            .lock(For::Shard(names.shard), deadline)
            .and_then(|_lock| match self.is_buried(&names, key)? {
                true => self.remove(&names, deadline),
                false => Ok(()),
            });
        if let Err(error) = removed {
            tracing::warn!(store = NAME, %error, "an entry under a tombstone stays");
        }
        Ok(None)
    }

    pub(super) fn create_now(
        &self,
        key: &str,
        value: &Bytes,
        ttl: Duration,
        deadline: Instant,
    ) -> Result<Record, CreateError> {
        let names = self.names(key);
        let _lock = self.folder.lock(For::Shard(names.shard), deadline)?;
        if self.is_buried(&names, key)? || self.find(&names, key)?.is_some() {
            return Err(CreateError::Exists);
        }
        let (new, file) = self.write(&names.entry, key, value, ttl)?;
        let published = self.publish(&new, &names.entry, deadline)?;
        if !published {
            // What is in its place has expired or is broken, or somebody has just put it there.
            let now = self.clock.unix_seconds();
            let dead = |file: &Bytes| self.decode(key, file.clone()).live(now).is_none();
            match swap::swap(&new, file, &names.entry, dead).map_err(writing)? {
                Swap::Done => self.sync(&names.entry)?,
                Swap::Gone if self.publish(&new, &names.entry, deadline)? => {}
                Swap::Gone | Swap::Conflict(_) => return Err(CreateError::Exists),
            }
        }
        Ok(Record::new(value.clone()))
    }

    pub(super) fn replace_now(
        &self,
        key: &str,
        base: &Record,
        value: &Bytes,
        ttl: Duration,
        deadline: Instant,
    ) -> Result<Record, ReplaceError> {
        let names = self.names(key);
        let _lock = self.folder.lock(For::Shard(names.shard), deadline)?;
        if self.is_buried(&names, key)? {
            return Err(ReplaceError::NotFound);
        }
        let Some(found) = self.find(&names, key)? else {
            return Err(ReplaceError::NotFound);
        };
        if found.entry.value != base.value {
            return Err(ReplaceError::Changed(self.record(found.entry)));
        }
        match self.put(&names, key, &found, value, ttl, deadline)? {
            Swap::Done => Ok(Record::new(value.clone())),
            Swap::Gone => Err(ReplaceError::NotFound),
            Swap::Conflict(file) => Err(match self.live(key, file) {
                Some(entry) => ReplaceError::Changed(self.record(entry)),
                None => ReplaceError::NotFound,
            }),
        }
    }

    pub(super) fn touch_now(
        &self,
        key: &str,
        ttl: Duration,
        deadline: Instant,
    ) -> Result<(), TouchError> {
        let names = self.names(key);
        let _lock = self.folder.lock(For::Shard(names.shard), deadline)?;
        if self.is_buried(&names, key)? {
            return Err(TouchError::NotFound);
        }
        for _ in 0..RENEWALS {
            let Some(found) = self.find(&names, key)? else {
                return Err(TouchError::NotFound);
            };
            let value = found.entry.value.clone();
            if let Swap::Done = self.put(&names, key, &found, &value, ttl, deadline)? {
                return Ok(());
            }
        }
        Err(StoreError::busy("another program writes the entry all the time").into())
    }

    pub(super) fn delete_now(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
        deadline: Instant,
    ) -> Result<(), DeleteError> {
        let names = self.names(key);
        let _lock = self.folder.lock(For::Shard(names.shard), deadline)?;
        let Some(grave) = &names.tombstone else {
            return self.blank(&names, key, expected, tombstone, deadline);
        };
        // Written first: on a full disk nothing has happened yet.
        let tombstone = match tombstone.is_zero() {
            true => None,
            false => Some(self.write(grave, key, self.folder.layout.tombstone(), tombstone)?),
        };
        if let Some(expected) = expected {
            if self.is_buried(&names, key)? {
                return Err(DeleteError::NotFound);
            }
            let found = self.find(&names, key)?.ok_or(DeleteError::NotFound)?;
            if found.entry.value != expected.value {
                return Err(DeleteError::Changed(self.record(found.entry)));
            }
            match self.take_out(
                &found.place,
                |file| self.holds(key, file, &expected.value),
                deadline,
            )? {
                Swap::Done => {}
                Swap::Gone => return Err(DeleteError::NotFound),
                Swap::Conflict(file) => {
                    return Err(match self.live(key, file) {
                        Some(entry) => DeleteError::Changed(self.record(entry)),
                        None => DeleteError::NotFound,
                    });
                }
            }
        }
        if let Some(tombstone) = tombstone {
            self.bury(grave, key, &tombstone, deadline)?;
        }
        // After the tombstone, so that there is no moment at which another program's late write counts.
        Ok(self.remove(&names, deadline)?)
    }

    /// Deletes an entry whose key nobody knows, and with it the name of its tombstone: until then the file says that
    /// there is no session.
    fn blank(
        &self,
        names: &Names,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
        deadline: Instant,
    ) -> Result<(), DeleteError> {
        let missing = || match expected {
            Some(_) => Err(DeleteError::NotFound),
            None => Ok(()),
        };
        let Some(found) = self.find(names, key)? else {
            return missing();
        };
        if expected.is_some_and(|expected| found.entry.value != expected.value) {
            return Err(DeleteError::Changed(self.record(found.entry)));
        }
        let accepts =
            |file: &Bytes| expected.is_none_or(|expected| self.holds(key, file, &expected.value));
        let swapped = match tombstone.is_zero() {
            true => self.take_out(&found.place, accepts, deadline)?,
            false => {
                let none = self.folder.layout.tombstone();
                let (new, file) = self.write(&names.entry, key, none, tombstone)?;
                swap::swap(&new, file, &names.entry, accepts).map_err(writing)?
            }
        };
        match swapped {
            Swap::Done => Ok(self.sync(&names.entry)?),
            Swap::Gone => missing(),
            Swap::Conflict(file) => match self.live(key, file) {
                Some(entry) => Err(DeleteError::Changed(self.record(entry))),
                None => missing(),
            },
        }
    }

    /// Puts a value in the place of an entry that was found. An entry under an old name moves to the new one.
    fn put(
        &self,
        names: &Names,
        key: &str,
        found: &Found,
        value: &[u8],
        ttl: Duration,
        deadline: Instant,
    ) -> Result<Swap, StoreError> {
        let (new, file) = self.write(&names.entry, key, value, ttl)?;
        let unchanged = |file: &Bytes| self.holds(key, file, &found.entry.value);
        if found.place == names.entry {
            let swapped = swap::swap(&new, file, &names.entry, unchanged).map_err(writing)?;
            if let Swap::Done = swapped {
                self.sync(&names.entry)?;
            }
            return Ok(swapped);
        }
        if !self.publish(&new, &names.entry, deadline)? {
            return Ok(Swap::Conflict(swap::read(&names.entry).map_err(reading)?));
        }
        let taken = self.take_out(&found.place, unchanged, deadline)?;
        if !matches!(taken, Swap::Done) {
            self.take_out(&names.entry, |there| *there == file, deadline)?;
        }
        Ok(taken)
    }

    /// Puts a tombstone in place, unless there is one that lasts longer.
    fn bury(
        &self,
        grave: &Path,
        key: &str,
        tombstone: &(Temporary, Bytes),
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let (new, file) = tombstone;
        if self.publish(new, grave, deadline)? {
            return Ok(());
        }
        let there = swap::read(grave).map_err(reading)?;
        let there = self.live(key, there).map(|there| there.expiry);
        // No expiry is never.
        let longer = there.is_some_and(|there| {
            there.is_none_or(|there| {
                self.folder
                    .layout
                    .expiry(file)
                    .is_some_and(|ours| ours <= there)
            })
        });
        if !longer {
            fs::rename(new.path(), grave).map_err(writing)?;
            self.sync(grave)?;
        }
        Ok(())
    }

    /// Removes whatever is under an entry's names.
    fn remove(&self, names: &Names, deadline: Instant) -> Result<(), StoreError> {
        for place in std::iter::once(&names.entry).chain(&names.old) {
            if disk::remove(place).map_err(writing)? {
                self.sync(place)?;
                self.folder.count(-1, deadline);
            }
        }
        Ok(())
    }

    /// Removes a file that `accepts`.
    pub(super) fn take_out(
        &self,
        place: &Path,
        accepts: impl Fn(&Bytes) -> bool,
        deadline: Instant,
    ) -> Result<Swap, StoreError> {
        let suffix = self.folder.layout.temporary();
        let taken = swap::take_out(place, suffix, accepts).map_err(writing)?;
        if let Swap::Done = taken {
            self.sync(place)?;
            self.folder.count(-1, deadline);
        }
        Ok(taken)
    }

    /// Puts a new file where none is; false if there is one.
    fn publish(
        &self,
        new: &Temporary,
        place: &Path,
        deadline: Instant,
    ) -> Result<bool, StoreError> {
        let published = disk::publish(new.path(), place).map_err(writing)?;
        if published {
            self.sync(place)?;
            self.folder.count(1, deadline);
        }
        Ok(published)
    }

    /// A new file beside its place, and what is in it.
    fn write(
        &self,
        place: &Path,
        key: &str,
        value: &[u8],
        ttl: Duration,
    ) -> Result<(Temporary, Bytes), StoreError> {
        // A part of a second rounds up.
        let seconds = ttl
            .as_secs()
            .saturating_add(u64::from(ttl.subsec_nanos() > 0));
        let expiry = self.clock.unix_seconds().saturating_add(seconds.max(1));
        let layout = self.folder.layout;
        let file = layout.encode(key, expiry, value)?;
        let folder = place.parent().unwrap_or(&self.folder.root);
        let new = Temporary::write(folder, layout.temporary(), &file, self.fsync);
        Ok((new.map_err(writing)?, file.into()))
    }

    fn sync(&self, place: &Path) -> Result<(), StoreError> {
        match place.parent() {
            Some(folder) if self.fsync => disk::sync_folder(folder).map_err(writing),
            _ => Ok(()),
        }
    }

    pub(super) fn names(&self, key: &str) -> Names {
        self.folder.layout.names(&self.folder.root, key)
    }

    /// The live entry of a key. An old name counts only where there is nothing under the new one.
    fn find(&self, names: &Names, key: &str) -> Result<Option<Found>, StoreError> {
        let now = self.clock.unix_seconds();
        // Once more under the new one: it may have moved there since it was looked for.
        let again = names.old.as_ref().map(|_| &names.entry);
        let places = std::iter::once(&names.entry).chain(&names.old);
        for place in places.chain(again) {
            match self.look(place, key)? {
                Slot::Empty => {}
                slot => {
                    let place = place.clone();
                    return Ok(slot.live(now).map(|entry| Found { place, entry }));
                }
            }
        }
        Ok(None)
    }

    pub(super) fn is_buried(&self, names: &Names, key: &str) -> Result<bool, StoreError> {
        let Some(grave) = &names.tombstone else {
            return Ok(false);
        };
        let now = self.clock.unix_seconds();
        Ok(self.look(grave, key)?.live(now).is_some())
    }

    fn look(&self, place: &Path, key: &str) -> Result<Slot, StoreError> {
        Ok(match disk::read(place).map_err(reading)? {
            Content::Missing => Slot::Empty,
            Content::Foreign => {
                let reason = "it is no file, or larger than any of ours";
                tracing::warn!(
                    store = NAME,
                    reason,
                    "a session's file is unreadable: no session"
                );
                Slot::Broken
            }
            Content::File(file) => self.decode(key, file),
        })
    }

    fn decode(&self, key: &str, file: Bytes) -> Slot {
        match self.folder.layout.decode(key, file) {
            Ok(entry) => Slot::Entry(entry),
            Err(reason) => {
                tracing::warn!(
                    store = NAME,
                    reason,
                    "a session's file is unreadable: no session"
                );
                Slot::Broken
            }
        }
    }

    fn live(&self, key: &str, file: Bytes) -> Option<Entry> {
        self.decode(key, file).live(self.clock.unix_seconds())
    }

    fn holds(&self, key: &str, file: &Bytes, value: &Bytes) -> bool {
        matches!(self.decode(key, file.clone()), Slot::Entry(entry) if entry.value == *value)
    }

    fn record(&self, entry: Entry) -> Record {
        let record = Record::new(entry.value);
        match entry.expiry {
            Some(expiry) => record.with_expires_in(Duration::from_secs(
                expiry.saturating_sub(self.clock.unix_seconds()),
            )),
            None => record,
        }
    }
}

fn reading(error: io::Error) -> StoreError {
    disk::store_error("reading", &error)
}

fn writing(error: io::Error) -> StoreError {
    disk::store_error("writing", &error)
}
