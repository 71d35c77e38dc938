use std::{
    hash::BuildHasher,
    sync::atomic::{AtomicU64, Ordering},
};

/// When this process last gave a session's entry a new expiry, for stores that do not tell how long an
/// entry lives. It forgets: two sessions that share a place push each other out, and then one of them is
/// renewed once too often.
pub(super) struct Renewals {
    /// The upper half of a slot says which session, the lower half when, in unix seconds.
    slots: Box<[AtomicU64]>,
    hasher: std::hash::RandomState,
}

const SLOTS: usize = 1 << 14;

impl Renewals {
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: std::hash::RandomState::new(),
        }
    }

    /// Whether the entry under `key` was last renewed more than `after` seconds ago, as far as is known.
    pub(super) fn due(&self, key: &str, now: u64, after: u64) -> bool {
        let (slot, session) = self.find(key);
        let known = slot.load(Ordering::Relaxed);
        known & SESSION != session || (now & TIME).saturating_sub(known & TIME) > after
    }

    /// The entry has a new expiry.
    pub(super) fn note(&self, key: &str, now: u64) {
        let (slot, session) = self.find(key);
        slot.store(session | now & TIME, Ordering::Relaxed);
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the remainder is below the number of slots"
    )]
    fn find(&self, key: &str) -> (&AtomicU64, u64) {
        let hash = self.hasher.hash_one(key);
        let place = (hash & TIME) % SLOTS as u64;
        (&self.slots[place as usize], hash & SESSION)
    }
}

const TIME: u64 = 0xFFFF_FFFF;
const SESSION: u64 = !TIME;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_is_due_once_in_a_while() {
        let renewals = Renewals::new();
        assert!(renewals.due("session:a", 1_700_000_000, 60), "never seen");
        renewals.note("session:a", 1_700_000_000);
        assert!(!renewals.due("session:a", 1_700_000_060, 60));
        assert!(renewals.due("session:a", 1_700_000_061, 60));
        assert!(renewals.due("session:b", 1_700_000_000, 60));
    }
}
