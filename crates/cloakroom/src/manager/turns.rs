use std::{hash::BuildHasher, time::Duration};

use tokio::sync::{Mutex, MutexGuard};

/// Queues for requests of this process that have missed a compare-and-swap: one after the other, each
/// succeeds at its first or second try, where all at once would mostly make each other fail.
pub(super) struct Turns {
    queues: Box<[Mutex<()>]>,
    hasher: std::hash::RandomState,
}

const QUEUES: u64 = 1024;

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            queues: (0..QUEUES).map(|_| Mutex::new(())).collect(),
            hasher: std::hash::RandomState::new(),
        }
    }

    /// Waits for the turn of this session (and of the few that share its queue).
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the remainder is below the number of queues"
    )]
    pub(super) async fn wait(&self, key: &str) -> MutexGuard<'_, ()> {
        let queue = self.hasher.hash_one(key) % QUEUES;
        self.queues[queue as usize].lock().await
    }
}

/// A wait that grows, different for everyone.
pub(super) fn jitter(misses: u32) -> Duration {
    let most = 1_u64 << misses.min(6);
    let random = std::hash::RandomState::new().hash_one(misses);
    Duration::from_millis(1 + random % most)
}
