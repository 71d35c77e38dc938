use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

mod shard;

use self::shard::{Found, Shard};
use super::{
    CreateError, Cursor, DeleteError, Driver, Listed, MAX_KEY, Page, Record, ReplaceError,
    StoreError, TouchError,
};
use crate::Clock;

/// Sessions in the memory of this process: for tests, development and services of a single process.
///
/// They are gone at a restart and no other process sees them. Beyond key and value an entry costs about
/// 100 bytes, and 24 more once it has been read. What has expired is given back as others are written; a
/// [`Sweeper`](super::Sweeper) does it for a store that nobody writes to any more.
///
/// ```
/// use cloakroom::store::{MemoryStore, Store};
///
/// let store = Store::new(MemoryStore::new());
/// ```
pub struct MemoryStore {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    clock: Clock,
    /// Where the next sweep begins, so that small batches get around.
    sweep: AtomicUsize,
}

/// The first bits of a key's hash choose the shard.
const SHARD_BITS: u32 = 6;
/// How many expired entries a write takes along.
const TAKEN_ALONG: usize = 4;
/// How many entries a page looks at for each that it may list.
const LOOKED_AT: usize = 16;

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            shards: (0..1 << SHARD_BITS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            clock: Clock::system(),
            sweep: AtomicUsize::new(0),
        }
    }

    /// Where the time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key)
    }

    /// No method awaits anything, so no lock is held across an await. A panic under the lock could only
    /// come from the allocator.
    fn shard(&self, number: usize) -> MutexGuard<'_, Shard> {
        self.shards[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What is under the key now, with its shard locked.
    fn find(&self, key: &str) -> (MutexGuard<'_, Shard>, u64, u64) {
        let (now, hash) = (self.clock.unix_seconds(), self.hash(key));
        (self.shard(shard_of(hash)), hash, now)
    }

    /// As [`find`](Self::find), and gives back a few of the entries that have expired.
    fn find_for_writing(&self, key: &str) -> (MutexGuard<'_, Shard>, u64, u64) {
        let (mut shard, hash, now) = self.find(key);
        shard.delete_expired(now, TAKEN_ALONG, &self.hasher);
        (shard, hash, now)
    }
}

fn shard_of(hash: u64) -> usize {
    usize::try_from(hash >> (u64::BITS - SHARD_BITS)).unwrap_or(0)
}

/// A part of a second rounds up, and the end of time is the last second.
fn expiry(now: u64, ttl: Duration) -> u64 {
    now.saturating_add(ttl.as_secs())
        .saturating_add(u64::from(ttl.subsec_nanos() > 0))
}

fn check(key: &str) -> Result<(), StoreError> {
    if key.len() > MAX_KEY {
        return Err(StoreError::refused(
            "memory: a key may have at most 250 bytes",
        ));
    }
    Ok(())
}

impl Driver for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let (shard, hash, now) = self.find(key);
        Ok(match shard.find(hash, key, now) {
            Found::Entry(id) => Some(shard.record(id, now)),
            Found::Tombstone | Found::Nothing => None,
        })
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        check(key)?;
        let (mut shard, hash, now) = self.find_for_writing(key);
        match shard.find(hash, key, now) {
            Found::Entry(_) | Found::Tombstone => Err(CreateError::Exists),
            Found::Nothing => {
                let expires = expiry(now, ttl);
                let version = shard.put(hash, key, Some(&value), expires, &self.hasher)?;
                Ok(Record::new(value)
                    .with_version(version)
                    .with_expires_in(ttl))
            }
        }
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        let (mut shard, hash, now) = self.find_for_writing(key);
        match shard.find(hash, key, now) {
            Found::Entry(id) if shard.is(id, base) => {
                let version = shard.set(id, Some(&value), expiry(now, ttl));
                Ok(Record::new(value)
                    .with_version(version)
                    .with_expires_in(ttl))
            }
            Found::Entry(id) => Err(ReplaceError::Changed(shard.record(id, now))),
            Found::Tombstone | Found::Nothing => Err(ReplaceError::NotFound),
        }
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        let (mut shard, hash, now) = self.find_for_writing(key);
        match shard.find(hash, key, now) {
            Found::Entry(id) => {
                shard.renew(id, expiry(now, ttl));
                Ok(())
            }
            Found::Tombstone | Found::Nothing => Err(TouchError::NotFound),
        }
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        check(key)?;
        let (mut shard, hash, now) = self.find_for_writing(key);
        let found = shard.find(hash, key, now);
        match (found, expected) {
            (Found::Entry(id), Some(expected)) if !shard.is(id, expected) => {
                return Err(DeleteError::Changed(shard.record(id, now)));
            }
            (Found::Tombstone | Found::Nothing, Some(_)) => return Err(DeleteError::NotFound),
            (Found::Entry(_), Some(_)) | (_, None) => {}
        }
        if !tombstone.is_zero() {
            shard.put(hash, key, None, expiry(now, tombstone), &self.hasher)?;
        } else if let Some(id) = shard.position(hash, key) {
            shard.remove(id, &self.hasher);
        }
        Ok(())
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        let now = self.clock.unix_seconds();
        let mut deleted = 0;
        for _ in 0..self.shards.len() {
            let number = self.sweep.fetch_add(1, Ordering::Relaxed) % self.shards.len();
            deleted += self
                .shard(number)
                .delete_expired(now, limit - deleted, &self.hasher);
            if deleted == limit {
                break;
            }
        }
        Ok(deleted)
    }

    /// In the order of the keys' hashes, which no growing or shrinking changes: an entry that stays is
    /// listed exactly once.
    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut hash = match &from {
            None => 0,
            Some(Cursor(text)) => text
                .parse()
                .map_err(|_| StoreError::refused("memory: that cursor is of another store"))?,
        };
        let now = self.clock.unix_seconds();
        let mut entries: Vec<Listed> = Vec::new();
        let mut left = limit.max(1).saturating_mul(LOOKED_AT);
        loop {
            let next = self
                .shard(shard_of(hash))
                .visit(hash, &self.hasher, |entry| {
                    left = left.saturating_sub(1);
                    if entry.is_live(now) && entry.key().starts_with(prefix) {
                        entries.push(entry.listed(now));
                    }
                    left > 0 && entries.len() < limit.max(1)
                });
            let Some(next) = next else {
                return Ok(Page {
                    entries,
                    next: None,
                });
            };
            hash = next;
            if left == 0 || entries.len() >= limit.max(1) {
                let next = Some(Cursor(hash.to_string()));
                return Ok(Page { entries, next });
            }
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows nothing of what it holds.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemoryStore")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
