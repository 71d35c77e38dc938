use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use bytes::Bytes;

use super::{Listed, Record, SHARD_BITS, StoreError};

/// A part of the entries, without gaps, each in two linked lists: of its bucket in the hash table, and of
/// the second in which it expires. So nothing is ever searched for, and a list costs an entry four bytes
/// where a map of keys would cost it its key again.
#[derive(Default)]
pub(super) struct Shard {
    entries: Vec<Entry>,
    /// The first entry of each bucket; a power of two of them, or none.
    buckets: Vec<Id>,
    /// The first entry of each second.
    expiries: BTreeMap<u64, Id>,
    /// Of the last state that an entry of this shard took on. No two states share one, so that a base of a
    /// former entry never serves a new one.
    version: u64,
}

/// A place in `entries`.
pub(super) type Id = u32;
const NONE: Id = Id::MAX;
/// Fewer are not worth giving back.
const SMALL: usize = 16;

/// One piece of memory for key and value, which those who load the value share.
pub(super) struct Entry {
    key_and_value: Bytes,
    version: u64,
    expires: u64,
    next_in_bucket: Id,
    before: Id,
    after: Id,
    key_length: u8,
    tombstone: bool,
}

impl Entry {
    pub(super) fn key(&self) -> &str {
        // Made of a whole `str`.
        std::str::from_utf8(self.key_bytes()).unwrap_or_default()
    }

    fn key_bytes(&self) -> &[u8] {
        &self.key_and_value[..usize::from(self.key_length)]
    }

    fn value(&self) -> &[u8] {
        &self.key_and_value[usize::from(self.key_length)..]
    }

    pub(super) fn is_live(&self, now: u64) -> bool {
        !self.tombstone && now < self.expires
    }

    fn expires_in(&self, now: u64) -> Duration {
        Duration::from_secs(self.expires.saturating_sub(now))
    }

    pub(super) fn listed(&self, now: u64) -> Listed {
        Listed::new(self.key(), self.value().len(), Some(self.expires_in(now)))
    }
}

/// What is under a key; what has expired is nothing.
pub(super) enum Found {
    Entry(Id),
    Tombstone,
    Nothing,
}

impl Shard {
    pub(super) fn find(&self, hash: u64, key: &str, now: u64) -> Found {
        match self.position(hash, key) {
            Some(id) if now >= self[id].expires => Found::Nothing,
            Some(id) if self[id].tombstone => Found::Tombstone,
            Some(id) => Found::Entry(id),
            None => Found::Nothing,
        }
    }

    pub(super) fn record(&self, id: Id, now: u64) -> Record {
        let entry = &self[id];
        Record::new(entry.key_and_value.slice(usize::from(entry.key_length)..))
            .with_version(entry.version)
            .with_expires_in(entry.expires_in(now))
    }

    /// Whether the entry is still that record, which may have been made by hand.
    pub(super) fn is(&self, id: Id, record: &Record) -> bool {
        match record.version {
            Some(version) => version == self[id].version,
            None => record.value == self[id].value(),
        }
    }

    /// Puts a value or a tombstone under the key, over whatever is there, and hands back its version.
    pub(super) fn put(
        &mut self,
        hash: u64,
        key: &str,
        value: Option<&[u8]>,
        expires: u64,
        hasher: &RandomState,
    ) -> Result<u64, StoreError> {
        if let Some(id) = self.position(hash, key) {
            return Ok(self.set(id, value, expires));
        }
        let full = |_| StoreError::refused("memory: there are too many entries");
        let key_length = u8::try_from(key.len()).map_err(full)?;
        let id = Id::try_from(self.entries.len()).map_err(full)?;
        self.version += 1;
        self.make_room(hasher);
        let bucket = self.bucket(hash);
        self.entries.push(Entry {
            key_and_value: [key.as_bytes(), value.unwrap_or_default()].concat().into(),
            version: self.version,
            expires,
            next_in_bucket: self.buckets[bucket],
            before: NONE,
            after: NONE,
            key_length,
            tombstone: value.is_none(),
        });
        self.buckets[bucket] = id;
        self.link(id);
        Ok(self.version)
    }

    /// Gives an entry another value, or makes it a tombstone, and hands back its version. Equal bytes are
    /// no change.
    pub(super) fn set(&mut self, id: Id, value: Option<&[u8]>, expires: u64) -> u64 {
        self.renew(id, expires);
        let version = self.version + 1;
        let entry = &mut self[id];
        if entry.tombstone || value != Some(entry.value()) {
            let key = entry.key_bytes();
            entry.key_and_value = [key, value.unwrap_or_default()].concat().into();
            entry.tombstone = value.is_none();
            entry.version = version;
            self.version = version;
        }
        self[id].version
    }

    pub(super) fn renew(&mut self, id: Id, expires: u64) {
        if self[id].expires != expires {
            self.unlink(id);
            self[id].expires = expires;
            self.link(id);
        }
    }

    pub(super) fn delete_expired(&mut self, now: u64, limit: usize, hasher: &RandomState) -> usize {
        for deleted in 0..limit {
            match self.expiries.first_key_value() {
                Some((&expires, &id)) if expires <= now => self.remove(id, hasher),
                _ => return deleted,
            }
        }
        limit
    }

    /// Removes an entry; the last one takes its place.
    pub(super) fn remove(&mut self, id: Id, hasher: &RandomState) {
        self.unlink(id);
        self.point_bucket(id, self[id].next_in_bucket, hasher);
        let last = Id::try_from(self.entries.len() - 1).unwrap_or(NONE);
        if id != last {
            self.point_bucket(last, id, hasher);
            let (expires, before, after) = {
                let moved = &self[last];
                (moved.expires, moved.before, moved.after)
            };
            match before {
                NONE => drop(self.expiries.insert(expires, id)),
                before => self[before].after = id,
            }
            if after != NONE {
                self[after].before = id;
            }
        }
        self.entries.swap_remove(id as usize);
        self.give_back(hasher);
    }

    /// Shows entries from a hash on, bucket by bucket, until one is enough; says where to go on.
    ///
    /// A bucket holds a range of hashes, whatever the number of buckets.
    pub(super) fn visit(
        &self,
        from: u64,
        hasher: &RandomState,
        mut show: impl FnMut(&Entry) -> bool,
    ) -> Option<u64> {
        let bits = SHARD_BITS + self.buckets.len().max(1).trailing_zeros();
        let mut range = from >> (u64::BITS - bits);
        let last_of_shard = (from >> (u64::BITS - SHARD_BITS) << (bits - SHARD_BITS))
            | ((1 << (bits - SHARD_BITS)) - 1);
        let mut more = true;
        while more && range <= last_of_shard {
            let mut id = match self.buckets.is_empty() {
                true => NONE,
                false => self.buckets[self.bucket(range << (u64::BITS - bits))],
            };
            while id != NONE {
                let entry = &self[id];
                // The buckets may have become larger since the page before.
                if hasher.hash_one(entry.key()) >= from {
                    more &= show(entry);
                }
                id = entry.next_in_bucket;
            }
            range += 1;
        }
        // Beyond the last range there is no next.
        (range >> bits == 0).then(|| range << (u64::BITS - bits))
    }

    pub(super) fn position(&self, hash: u64, key: &str) -> Option<Id> {
        let mut id = *self.buckets.get(self.bucket(hash))?;
        while id != NONE && self[id].key_bytes() != key.as_bytes() {
            id = self[id].next_in_bucket;
        }
        (id != NONE).then_some(id)
    }

    /// The bits after those that chose the shard.
    fn bucket(&self, hash: u64) -> usize {
        match self.buckets.len().trailing_zeros() {
            0 | usize::BITS => 0,
            bits => usize::try_from((hash << SHARD_BITS) >> (u64::BITS - bits)).unwrap_or(0),
        }
    }

    /// Makes whatever leads to an entry in its bucket lead elsewhere.
    fn point_bucket(&mut self, id: Id, to: Id, hasher: &RandomState) {
        let bucket = self.bucket(hasher.hash_one(self[id].key()));
        if self.buckets[bucket] == id {
            self.buckets[bucket] = to;
            return;
        }
        let mut leading = self.buckets[bucket];
        while self[leading].next_in_bucket != id {
            leading = self[leading].next_in_bucket;
        }
        self[leading].next_in_bucket = to;
    }

    /// Puts an entry in front of those that expire in its second.
    fn link(&mut self, id: Id) {
        let first = self.expiries.insert(self[id].expires, id).unwrap_or(NONE);
        self[id].before = NONE;
        self[id].after = first;
        if first != NONE {
            self[first].before = id;
        }
    }

    fn unlink(&mut self, id: Id) {
        let (expires, before, after) = {
            let entry = &self[id];
            (entry.expires, entry.before, entry.after)
        };
        match (before, after) {
            (NONE, NONE) => drop(self.expiries.remove(&expires)),
            (NONE, after) => drop(self.expiries.insert(expires, after)),
            (before, after) => self[before].after = after,
        }
        if after != NONE {
            self[after].before = before;
        }
    }

    /// Grows by an eighth, where doubling would leave half of the memory empty.
    fn make_room(&mut self, hasher: &RandomState) {
        let length = self.entries.len();
        if length == self.entries.capacity() {
            self.entries.reserve_exact((length / 8).max(SMALL));
        }
        if length >= self.buckets.len() {
            self.spread((length + 1).next_power_of_two().max(SMALL), hasher);
        }
    }

    fn give_back(&mut self, hasher: &RandomState) {
        let length = self.entries.len();
        if length == 0 {
            self.entries = Vec::new();
            self.buckets = Vec::new();
        } else if self.entries.capacity() > SMALL && length < self.entries.capacity() / 2 {
            self.entries.shrink_to(length + length / 8);
        }
        if self.buckets.len() > SMALL && length < self.buckets.len() / 4 {
            self.spread(self.buckets.len() / 2, hasher);
        }
    }

    /// Distributes the entries among so many buckets.
    fn spread(&mut self, buckets: usize, hasher: &RandomState) {
        self.buckets = vec![NONE; buckets];
        for index in 0..self.entries.len() {
            let bucket = self.bucket(hasher.hash_one(self.entries[index].key()));
            self.entries[index].next_in_bucket = self.buckets[bucket];
            self.buckets[bucket] = Id::try_from(index).unwrap_or(NONE);
        }
    }
}

impl std::ops::Index<Id> for Shard {
    type Output = Entry;

    fn index(&self, id: Id) -> &Entry {
        &self.entries[id as usize]
    }
}

impl std::ops::IndexMut<Id> for Shard {
    fn index_mut(&mut self, id: Id) -> &mut Entry {
        &mut self.entries[id as usize]
    }
}
