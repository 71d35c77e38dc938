use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::sleep};

use super::{Store, StoreError};
use crate::clock::jittered;

impl Store {
    /// Removes what has expired, about once per `interval`, until the handle is dropped.
    ///
    /// Only stores that do not remove by themselves need it: SQL, files, and memory that nobody writes to.
    /// What has expired is missing in any case; this gives back its room. The work is done a thousand
    /// entries at a time, so that requests are not held up, and at a moment of its own in each process, so
    /// that many of them do not sweep in step. Where an interval is shorter than a second it is a second.
    ///
    /// A store that fails is asked again after an interval, then two, four, and so on up to sixteen; each
    /// failure is a warning in the log, without keys.
    ///
    /// Flask-Session calls this `SESSION_CLEANUP_N_REQUESTS` and does it in a visitor's request.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cloakroom::store::{MemoryStore, Store};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let store = Store::new(MemoryStore::new());
    /// let sweeper = store.sweep_every(Duration::from_secs(600));
    /// // Keep the handle as long as the service runs.
    /// # drop(sweeper);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn`.
    #[doc(alias = "SESSION_CLEANUP_N_REQUESTS")]
    #[doc(alias = "session_cleanup")]
    pub fn sweep_every(&self, interval: Duration) -> Sweeper {
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(sweep(self.clone(), interval.max(SHORTEST), counts.clone()));
        Sweeper { task, counts }
    }
}

/// Removes what has expired in the background until it is dropped: see [`Store::sweep_every`].
#[must_use = "the sweeper stops when its handle is dropped"]
pub struct Sweeper {
    task: JoinHandle<()>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    removed: AtomicU64,
    failures: AtomicU64,
}

impl Sweeper {
    /// Entries and tombstones that it has removed so far.
    pub fn removed(&self) -> u64 {
        self.counts.removed.load(Ordering::Relaxed)
    }

    /// How often the store has failed so far.
    pub fn failures(&self) -> u64 {
        self.counts.failures.load(Ordering::Relaxed)
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Sweeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sweeper")
            .field("removed", &self.removed())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}

const SHORTEST: Duration = Duration::from_secs(1);
/// What one call removes. Locks are held for a batch at most.
const BATCH: usize = 1000;
/// Between two batches others have their turn.
const PAUSE: Duration = Duration::from_millis(5);
/// A store that fails waits at most so many intervals, as a power of two.
const BACKED_OFF: u32 = 4;

async fn sweep(store: Store, interval: Duration, counts: Arc<Counts>) {
    let mut failures = 0;
    loop {
        let wait = interval.saturating_mul(1 << failures.min(BACKED_OFF));
        sleep(jittered(wait)).await;
        match sweep_once(&store, &counts).await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                counts.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    store = store.name(),
                    %error,
                    "expired sessions could not be removed; they stay missing, and the next sweep tries again"
                );
            }
        }
    }
}

/// Batch after batch until one is not full.
async fn sweep_once(store: &Store, counts: &Counts) -> Result<(), StoreError> {
    loop {
        let removed = store.delete_expired(BATCH).await?;
        counts.removed.fetch_add(
            u64::try_from(removed).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
        if removed < BATCH {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}
