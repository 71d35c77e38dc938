use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};

use crate::metrics;

/// How much a key is used, so that an operator knows when it can go: see [`Keys::usage_at`](super::Keys::usage_at).
///
/// It serializes, so that a server can hand it to `cloakroom keys status`:
///
/// ```
/// use cloakroom::{Keys, ScheduledKey, SecretKey};
///
/// let keys = Keys::scheduled([ScheduledKey::new("2026", SecretKey::generate()?)])?;
/// let json = serde_json::to_string(&keys.usage_at(1_800_000_000))?;
/// assert_eq!(json, r#"[{"id":"2026","state":"signs","verified":0,"last_verified":null}]"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyUsage {
    /// The key's id.
    pub id: String,
    /// What the key does at this time.
    pub state: KeyState,
    /// How many sessions this process has opened with it so far.
    pub verified: u64,
    /// When it opened the last one, in Unix seconds; none if it has opened none.
    pub last_verified: Option<u64>,
}

/// What a key does at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It signs, and verifies. Exactly one key does at any time.
    Signs,
    /// It only verifies: a newer one signs, or its time to sign has not come yet.
    Verifies,
    /// Its `not_after` has come: nothing it signed is accepted.
    Ended,
    /// It is revoked: nothing it ever signed is accepted.
    Revoked,
}

/// The counts of one key, which outlive a reload of the keys.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) id: Arc<str>,
    verified: AtomicU64,
    /// 0 for never.
    last_verified: AtomicU64,
}

impl Counter {
    pub(super) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            verified: AtomicU64::new(0),
            last_verified: AtomicU64::new(0),
        }
    }

    pub(super) fn note(&self, now: u64) {
        metrics::verified(&self.id);
        self.verified.fetch_add(1, Ordering::Relaxed);
        // Under load most calls find this second there already, and reading is cheaper than writing.
        if self.last_verified.load(Ordering::Relaxed) < now {
            self.last_verified.fetch_max(now, Ordering::Relaxed);
        }
    }

    pub(super) fn usage(&self, state: KeyState) -> KeyUsage {
        let last = self.last_verified.load(Ordering::Relaxed);
        KeyUsage {
            id: self.id.to_string(),
            state,
            verified: self.verified.load(Ordering::Relaxed),
            last_verified: (last != 0).then_some(last),
        }
    }
}
