use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use super::{Keys, KeysError, Reloaded};
use crate::clock::jittered;

impl Keys {
    /// [Reloads](Self::reload) the file about once per `interval` until the handle is dropped.
    ///
    /// The file is read each time, at a moment of its own in each process; nothing else tells reliably that it has
    /// changed. Where an interval is shorter than a second it is a second. A file that is refused leaves the keys as
    /// they are and is one error in the log until something else is wrong with it. Keys that are not from a file are
    /// not watched, and no request waits for any of this.
    ///
    /// To reload at a signal instead, call [`reload`](Self::reload) there.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn`.
    pub fn watch(&self, interval: Duration) -> KeyWatcher {
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(watch(self.clone(), interval.max(SHORTEST), counts.clone()));
        KeyWatcher { task, counts }
    }
}

/// Reloads keys in the background until it is dropped: see [`Keys::watch`].
#[must_use = "the keys are no longer watched when the handle is dropped"]
pub struct KeyWatcher {
    task: JoinHandle<()>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    replaced: AtomicU64,
    failures: AtomicU64,
}

impl KeyWatcher {
    /// How often the keys have been replaced so far.
    pub fn replaced(&self) -> u64 {
        self.counts.replaced.load(Ordering::Relaxed)
    }

    /// How often the file was refused or could not be read so far.
    pub fn failures(&self) -> u64 {
        self.counts.failures.load(Ordering::Relaxed)
    }
}

impl Drop for KeyWatcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for KeyWatcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyWatcher")
            .field("replaced", &self.replaced())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}

const SHORTEST: Duration = Duration::from_secs(1);

async fn watch(keys: Keys, interval: Duration, counts: Arc<Counts>) {
    let mut told = None;
    loop {
        sleep(jittered(interval)).await;
        let reloading = keys.clone();
        let Ok(result) = spawn_blocking(move || reloading.reload()).await else {
            // The runtime is shutting down.
            return;
        };
        match result {
            Ok(Reloaded::Unchanged) => told = None,
            Ok(Reloaded::Replaced) => {
                told = None;
                counts.replaced.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                counts.failures.fetch_add(1, Ordering::Relaxed);
                told = Some(tell(&error, told));
            }
        }
    }
}

/// Logs an error unless it was the last thing that was told.
fn tell(error: &KeysError, told: Option<String>) -> String {
    let message = error.to_string();
    if told.as_ref() != Some(&message) {
        tracing::error!(error = %message, "the secret keys were not reloaded; those from before stay in use");
    }
    message
}
