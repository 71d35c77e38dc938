//! What the sessions of a store come to: how many, how large, how old, and when they end.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use cloakroom::store::{Listed, Record};

use super::filter::Identity;
use super::found::{Found, Inside};
use super::histogram::Histogram;
use super::scan::Sight;

/// How many of the largest keys and users are told.
const TOP: usize = 8;
/// Visitors may have a say in what keys are called: no more names than these are told apart.
const MOST_NAMES: usize = 10_000;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Counted one session at a time, so that a million of them take little room.
pub(crate) struct Figures {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    /// How many sessions have each size: a few thousand numbers, however many sessions there are.
    sizes: BTreeMap<u64, u64>,
    pub(crate) by_size: Histogram,
    pub(crate) ending: Histogram,
    pub(crate) within_hour: u64,
    pub(crate) within_day: u64,
    pub(crate) never: u64,
    /// None if no entry was loaded.
    pub(crate) inside: Option<Inner>,
}

/// What only the entries themselves say.
pub(crate) struct Inner {
    pub(crate) ages: Histogram,
    pub(crate) layouts: BTreeMap<String, u64>,
    pub(crate) permanent: u64,
    pub(crate) logged_in: u64,
    users: HashMap<String, u64>,
    keys: HashMap<String, (u64, u64)>,
    key_bytes: u64,
}

/// What a key takes in all sessions that have it.
pub(crate) struct LargeKey<'a> {
    pub(crate) name: &'a str,
    pub(crate) sessions: u64,
    pub(crate) bytes: u64,
    /// Of the bytes of all keys.
    pub(crate) percent: u64,
}

impl Figures {
    pub(crate) fn new(loaded: bool) -> Self {
        Self {
            count: 0,
            bytes: 0,
            sizes: BTreeMap::new(),
            by_size: Histogram::of_sizes(),
            ending: Histogram::of_times(),
            within_hour: 0,
            within_day: 0,
            never: 0,
            inside: loaded.then(|| Inner {
                ages: Histogram::of_times(),
                layouts: BTreeMap::new(),
                permanent: 0,
                logged_in: 0,
                users: HashMap::new(),
                keys: HashMap::new(),
                key_bytes: 0,
            }),
        }
    }

    /// Takes in what is stored there; says what it is if that is a session.
    pub(crate) fn look(
        &mut self,
        listed: Listed,
        record: &Record,
        identity: &Identity,
        now: u64,
    ) -> Option<Found> {
        let sight = Sight::of(record);
        let found = Found::loaded(listed, record, &sight, identity, now)?;
        self.add(&found);
        if let (Some(inner), Sight::Session(entry)) = (&mut self.inside, &sight) {
            for key in entry.keys() {
                inner.add_key(&key.name, key.size as u64);
            }
        }
        Some(found)
    }

    pub(crate) fn add(&mut self, found: &Found) {
        let size = found.size as u64;
        self.count += 1;
        self.bytes += size;
        *self.sizes.entry(size).or_default() += 1;
        self.by_size.add(size);
        match found.expires_in {
            None => self.never += 1,
            Some(left) => {
                self.ending.add(left.as_secs());
                self.within_hour += u64::from(left <= HOUR);
                self.within_day += u64::from(left <= DAY);
            }
        }
        if let (Some(inner), Some(inside)) = (&mut self.inside, &found.inside) {
            inner.add(inside);
        }
    }

    /// How many sessions have more bytes than these.
    #[cfg(feature = "inspect")]
    pub(crate) fn above(&self, size: u64) -> u64 {
        self.sizes.range(size + 1..).map(|(_, count)| count).sum()
    }

    /// The size that so many of a hundred sessions do not exceed.
    pub(crate) fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let reached = self.sizes.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        reached.map_or(0, |(size, _)| *size)
    }
}

impl Inner {
    fn add(&mut self, inside: &Inside) {
        let layout = inside.layout.as_deref().unwrap_or("unreadable");
        match self.layouts.get_mut(layout) {
            Some(count) => *count += 1,
            None => drop(self.layouts.insert(layout.to_owned(), 1)),
        }
        self.permanent += u64::from(inside.permanent);
        if let Some(age) = inside.age {
            self.ages.add(age.as_secs());
        }
        if let Some(subject) = &inside.subject {
            self.logged_in += 1;
            *self.users.entry(subject.clone()).or_default() += 1;
        }
    }

    fn add_key(&mut self, name: &str, size: u64) {
        self.key_bytes += size;
        if let Some((count, bytes)) = self.keys.get_mut(name) {
            *count += 1;
            *bytes += size;
        } else if self.keys.len() < MOST_NAMES {
            self.keys.insert(name.to_owned(), (1, size));
        }
    }

    /// How many users there are.
    pub(crate) fn users(&self) -> u64 {
        self.users.len() as u64
    }

    /// How many sessions the busiest of them has.
    pub(crate) fn most_of_a_user(&self) -> u64 {
        self.users.values().max().copied().unwrap_or(0)
    }

    /// The keys that take the most bytes.
    pub(crate) fn largest_keys(&self) -> Vec<LargeKey<'_>> {
        let keys = self.keys.iter().map(|(name, (sessions, bytes))| LargeKey {
            name,
            sessions: *sessions,
            bytes: *bytes,
            percent: (bytes * 100).checked_div(self.key_bytes).unwrap_or(0),
        });
        let mut keys: Vec<_> = keys.collect();
        keys.sort_by(|left, right| right.bytes.cmp(&left.bytes).then(left.name.cmp(right.name)));
        keys.truncate(TOP);
        keys
    }

    pub(crate) fn busiest_users(&self) -> Vec<(&str, u64)> {
        let users = self.users.iter();
        let mut users: Vec<_> = users.map(|(name, count)| (name.as_str(), *count)).collect();
        users.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
        users.truncate(TOP);
        users
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_sizes_that_sessions_have() {
        let mut figures = Figures::new(false);
        assert_eq!(figures.percentile(50), 0);
        for size in 1..=100 {
            let listed = Listed::new("session:a", size, None);
            figures.add(&Found::listed(listed));
        }
        assert_eq!(
            [50, 95, 100].map(|percent| figures.percentile(percent)),
            [50, 95, 100]
        );
        figures.add(&Found::listed(Listed::new("session:b", 1, None)));
        assert_eq!(figures.percentile(50), 50);
    }
}
