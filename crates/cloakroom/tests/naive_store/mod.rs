//! A store that compares bytes and keeps tombstones beside its entries, right or broken in one way.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{
        CreateError, Cursor, DeleteError, Driver, Listed, Page, Record, ReplaceError, StoreError,
        TouchError,
    },
};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    UpdateInserts,
    TouchInserts,
    IgnoresTheBase,
    ForgetsTombstones,
    TombstonesInTheEntry,
    TombstonesOfZeroForEver,
    TombstonesDieWithTheEntry,
    IgnoresExpiry,
    LivesASecondLonger,
    LoadsExpired,
    CreateFindsExpired,
    TouchOnlyExtends,
    ReplaceKeepsTheExpiry,
    LoadsRenew,
    DeleteIgnoresTheExpected,
    DeleteOfMissingLeavesNothing,
    DeleteOfMissingSucceeds,
    TouchChangesTheValue,
    CutsValues,
    TrimsNuls,
    EmptyIsMissing,
    ComparesWithoutCase,
    CutsKeys,
    KeysWithoutCase,
    TrimsKeys,
    PanicsOnEmptyKeys,
    TombstonesAreKeys,
    PrefixIsAPattern,
    ListsTheSameTwice,
    ListsByNumber,
    ListsTombstones,
    SweepsWithoutLimit,
    SweepsTombstones,
    SweepsLiving,
    SweepCountsNothing,
    TornCreate,
    ComparesThenWrites,
    LooksThenCreates,
    TouchesByLoadAndStore,
    BusyWhenDropped,
    ReplacesInTwoSteps,
    TellsTheKey,
    Remembers,
}

#[derive(Clone, Debug)]
struct Kept {
    value: Bytes,
    expires: u64,
}

#[derive(Debug, Default)]
struct Shelves {
    entries: BTreeMap<String, Kept>,
    tombstones: BTreeMap<String, u64>,
    busy: bool,
}

pub(crate) struct NaiveStore {
    shelves: Arc<Mutex<Shelves>>,
    clock: Clock,
    fault: Fault,
    remembered: Mutex<BTreeMap<String, Record>>,
}

const END: &str = ":gone";

impl NaiveStore {
    pub(crate) fn new(clock: Clock, fault: Fault) -> Self {
        Self {
            shelves: Arc::default(),
            clock,
            fault,
            remembered: Mutex::default(),
        }
    }

    /// Another connection to the same shelves.
    pub(crate) fn twin(&self) -> Self {
        Self {
            shelves: self.shelves.clone(),
            clock: self.clock.clone(),
            fault: self.fault,
            remembered: Mutex::default(),
        }
    }

    /// What a program does that knows nothing of tombstones.
    pub(crate) fn foreign_write(&self, key: &str, value: Bytes) {
        let expires = self.clock.unix_seconds() + 3600;
        if self.is(Fault::TombstonesInTheEntry) {
            self.shelves().tombstones.remove(key);
        }
        self.shelves()
            .entries
            .insert(key.to_owned(), Kept { value, expires });
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap()
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn key(&self, key: &str) -> Result<String, StoreError> {
        assert!(
            !(self.is(Fault::PanicsOnEmptyKeys) && key.is_empty()),
            "an empty key"
        );
        let key = match self.fault {
            Fault::CutsKeys => key.chars().take(80).collect(),
            Fault::KeysWithoutCase => key.to_lowercase(),
            Fault::TrimsKeys => key.trim_end().to_owned(),
            _ => key.to_owned(),
        };
        if key.contains('\n') || (key.ends_with(END) && !self.is(Fault::TombstonesAreKeys)) {
            return Err(match self.fault {
                Fault::TellsTheKey => StoreError::refused(format!("not a key: {key}")),
                _ => StoreError::refused("such a key is not taken"),
            });
        }
        Ok(key)
    }

    fn value(&self, value: Bytes) -> Bytes {
        match self.fault {
            Fault::CutsValues => value.slice(..value.len().min(65_535)),
            Fault::TrimsNuls => {
                let end = value
                    .iter()
                    .rposition(|byte| *byte != 0)
                    .map_or(0, |last| last + 1);
                value.slice(..end)
            }
            _ => value,
        }
    }

    fn expiry(&self, ttl: Duration) -> u64 {
        let more = u64::from(ttl.subsec_nanos() > 0)
            + match self.fault {
                Fault::IgnoresExpiry => 1_000_000,
                Fault::LivesASecondLonger => 1,
                _ => 0,
            };
        self.clock
            .unix_seconds()
            .saturating_add(ttl.as_secs())
            .saturating_add(more)
    }

    fn buried(&self, shelves: &Shelves, key: &str) -> bool {
        match self.fault {
            Fault::TombstonesAreKeys => {
                let there = shelves.entries.get(&format!("{key}{END}"));
                there.is_some_and(|there| there.expires > self.clock.unix_seconds())
            }
            _ => shelves
                .tombstones
                .get(key)
                .is_some_and(|expires| *expires > self.clock.unix_seconds()),
        }
    }

    fn live(&self, shelves: &Shelves, key: &str) -> Option<Kept> {
        let there = shelves.entries.get(key)?;
        if self.buried(shelves, key) || (self.is(Fault::EmptyIsMissing) && there.value.is_empty()) {
            return None;
        }
        (there.expires > self.clock.unix_seconds()).then(|| there.clone())
    }

    fn same(&self, one: &Bytes, other: &Bytes) -> bool {
        match self.fault {
            Fault::IgnoresTheBase => true,
            Fault::ComparesWithoutCase => one.eq_ignore_ascii_case(other),
            _ => one == other,
        }
    }
}

impl Driver for NaiveStore {
    fn name(&self) -> &'static str {
        "naive"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let key = self.key(key)?;
        if self.is(Fault::Remembers)
            && let Some(record) = self.remembered.lock().unwrap().get(&key)
        {
            return Ok(Some(record.clone()));
        }
        let mut shelves = self.shelves();
        if self.is(Fault::LoadsExpired) && !self.buried(&shelves, &key) {
            return Ok(shelves
                .entries
                .get(&key)
                .map(|there| Record::new(there.value.clone())));
        }
        let there = self.live(&shelves, &key);
        if let (Fault::LoadsRenew, Some(there)) = (self.fault, &there) {
            let expires = there.expires.saturating_add(600);
            shelves.entries.insert(
                key.clone(),
                Kept {
                    expires,
                    ..there.clone()
                },
            );
        }
        let record = there.map(|there| Record::new(there.value));
        if let (Fault::Remembers, Some(record)) = (self.fault, &record) {
            self.remembered.lock().unwrap().insert(key, record.clone());
        }
        Ok(record)
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        let (key, value) = (self.key(key)?, self.value(value));
        let expires = self.expiry(ttl);
        if self.is(Fault::LooksThenCreates) {
            let there = self.live(&self.shelves(), &key);
            tokio::task::yield_now().await;
            if there.is_none() && !self.buried(&self.shelves(), &key) {
                self.shelves().entries.insert(
                    key,
                    Kept {
                        value: value.clone(),
                        expires,
                    },
                );
                return Ok(Record::new(value));
            }
        }
        {
            let mut shelves = self.shelves();
            let there = match self.fault {
                Fault::CreateFindsExpired => shelves.entries.contains_key(&key),
                _ => self.live(&shelves, &key).is_some(),
            };
            if there || self.buried(&shelves, &key) {
                return Err(CreateError::Exists);
            }
            let first = match self.fault {
                Fault::TornCreate => Bytes::new(),
                _ => value.clone(),
            };
            shelves.entries.insert(
                key.clone(),
                Kept {
                    value: first,
                    expires,
                },
            );
        }
        if self.is(Fault::TornCreate) {
            tokio::task::yield_now().await;
            self.shelves().entries.insert(
                key,
                Kept {
                    value: value.clone(),
                    expires,
                },
            );
        }
        Ok(Record::new(value))
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        let (key, value) = (self.key(key)?, self.value(value));
        if self.is(Fault::BusyWhenDropped) {
            let busy = std::mem::replace(&mut self.shelves().busy, true);
            if busy {
                return Err(StoreError::refused("busy").into());
            }
            tokio::task::yield_now().await;
            self.shelves().busy = false;
        }
        let there = self.live(&self.shelves(), &key);
        if self.is(Fault::ComparesThenWrites) {
            tokio::task::yield_now().await;
        }
        let mut expires = self.expiry(ttl);
        {
            let mut shelves = self.shelves();
            let there = match self.fault {
                Fault::ComparesThenWrites => there,
                _ => self.live(&shelves, &key),
            };
            match there {
                Some(there) if !self.same(&there.value, &base.value) => {
                    return Err(ReplaceError::Changed(Record::new(there.value)));
                }
                Some(there) if self.is(Fault::ReplaceKeepsTheExpiry) => expires = there.expires,
                None if !self.is(Fault::UpdateInserts) => return Err(ReplaceError::NotFound),
                _ => {}
            }
            shelves.entries.insert(
                key.clone(),
                Kept {
                    value: value.clone(),
                    expires,
                },
            );
            if self.is(Fault::ReplacesInTwoSteps) {
                shelves.entries.remove(&key);
            }
        }
        if self.is(Fault::ReplacesInTwoSteps) {
            tokio::task::yield_now().await;
            self.shelves().entries.insert(
                key,
                Kept {
                    value: value.clone(),
                    expires,
                },
            );
        }
        Ok(Record::new(value))
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        let key = self.key(key)?;
        let there = self.live(&self.shelves(), &key);
        if self.is(Fault::TouchesByLoadAndStore) {
            tokio::task::yield_now().await;
        }
        let mut shelves = self.shelves();
        let there = match self.fault {
            Fault::TouchesByLoadAndStore => there,
            _ => self.live(&shelves, &key),
        };
        let mut kept = match there {
            Some(there) => there,
            None if self.is(Fault::TouchInserts) => Kept {
                value: Bytes::new(),
                expires: 0,
            },
            None => return Err(TouchError::NotFound),
        };
        let expires = self.expiry(ttl);
        kept.expires = match self.fault {
            Fault::TouchOnlyExtends => expires.max(kept.expires),
            _ => expires,
        };
        if self.is(Fault::TouchChangesTheValue) {
            kept.value = [&kept.value[..], b" "].concat().into();
        }
        shelves.entries.insert(key, kept);
        Ok(())
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        let key = self.key(key)?;
        let mut shelves = self.shelves();
        let there = self.live(&shelves, &key);
        if let (Some(there), Some(expected)) = (&there, expected)
            && !self.same(&there.value, &expected.value)
            && !self.is(Fault::DeleteIgnoresTheExpected)
        {
            return Err(DeleteError::Changed(Record::new(there.value.clone())));
        }
        if there.is_none() && expected.is_some() && !self.is(Fault::DeleteOfMissingSucceeds) {
            return Err(DeleteError::NotFound);
        }
        shelves.entries.remove(&key);
        let expires = match self.fault {
            Fault::ForgetsTombstones => return Ok(()),
            Fault::DeleteOfMissingLeavesNothing if there.is_none() => return Ok(()),
            Fault::TombstonesOfZeroForEver if tombstone.is_zero() => u64::MAX,
            Fault::TombstonesDieWithTheEntry => {
                there.map_or_else(|| self.expiry(tombstone), |there| there.expires)
            }
            _ => self.expiry(tombstone),
        };
        if self.is(Fault::TombstonesAreKeys) {
            let value = Bytes::from_static(b"\xc0");
            shelves
                .entries
                .insert(format!("{key}{END}"), Kept { value, expires });
        } else {
            shelves.tombstones.insert(key, expires);
        }
        Ok(())
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        let limit = match self.fault {
            Fault::SweepsWithoutLimit => usize::MAX,
            _ => limit,
        };
        let now = self.clock.unix_seconds();
        let mut shelves = self.shelves();
        let mut left = limit;
        let mut take = |expired: bool| {
            let taken = expired && left > 0;
            left -= usize::from(taken);
            !taken
        };
        let early = if self.is(Fault::SweepsLiving) {
            u64::MAX / 2
        } else {
            0
        };
        shelves
            .entries
            .retain(|_, there| take(there.expires <= now + early));
        let early = if self.is(Fault::SweepsTombstones) {
            u64::MAX / 2
        } else {
            0
        };
        shelves
            .tombstones
            .retain(|_, expires| take(*expires <= now + early));
        Ok(if self.is(Fault::SweepCountsNothing) {
            0
        } else {
            limit - left
        })
    }

    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let shelves = self.shelves();
        let meant = match self.fault {
            Fault::PrefixIsAPattern => prefix
                .split(['%', '_', '*', '?', '['])
                .next()
                .unwrap_or(prefix),
            _ => prefix,
        };
        let mut keys: Vec<String> = shelves
            .entries
            .keys()
            .filter(|key| key.starts_with(meant) && self.live(&shelves, key).is_some())
            .cloned()
            .collect();
        if self.is(Fault::ListsTombstones) {
            keys.extend(
                shelves
                    .tombstones
                    .keys()
                    .filter(|key| key.starts_with(meant))
                    .cloned(),
            );
        }
        let start = match &from {
            Some(Cursor(text)) if self.is(Fault::ListsByNumber) => text.parse().unwrap_or(0),
            Some(Cursor(text)) => keys.partition_point(|key| match self.fault {
                Fault::ListsTheSameTwice => key < text,
                _ => key <= text,
            }),
            None => 0,
        };
        let end = start.saturating_add(limit.max(1)).min(keys.len());
        let page = keys.get(start..end).unwrap_or_default();
        let size = |key: &String| {
            shelves
                .entries
                .get(key)
                .map_or(0, |there| there.value.len())
        };
        let next = match (self.fault, page.last()) {
            _ if end >= keys.len() => None,
            (Fault::ListsByNumber, _) => Some(Cursor(end.to_string())),
            (_, last) => last.cloned().map(Cursor),
        };
        let entries = page
            .iter()
            .map(|key| Listed::new(key, size(key), None))
            .collect();
        Ok(Page { entries, next })
    }
}
