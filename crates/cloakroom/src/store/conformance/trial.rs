use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::{Check, Foreign, Limits, Outcome, Setting, Subject};
use crate::store::{Record, Store};

/// A time to live that checks wait for.
pub(super) const BRIEF: Duration = Duration::from_secs(2);
/// One that nobody waits for.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// What a store with a clock of its own may be late.
const SLACK: Duration = Duration::from_millis(1500);

pub(super) type Verdict<T = ()> = Result<T, Miss>;

/// Why a check did not pass.
pub(super) enum Miss {
    Broken(String),
    NotApplicable(String),
}

impl Miss {
    pub(super) fn broken(promise: &str, instead: impl AsRef<str>) -> Self {
        Self::Broken(format!("{promise}\n    Instead: {}", instead.as_ref()))
    }

    pub(super) fn not_applicable(reason: impl Into<String>) -> Self {
        Self::NotApplicable(reason.into())
    }
}

/// One check's view of the run: the store, keys of its own, and time.
pub(super) struct Trial {
    setting: Arc<Setting>,
    name: String,
    keys: AtomicU32,
    turn: Mutex<Option<OwnedSemaphorePermit>>,
    pub(super) store: Store,
}

impl Trial {
    pub(super) fn new(setting: Arc<Setting>, name: &str) -> Arc<Self> {
        Arc::new(Self {
            store: setting.shared.store.clone(),
            name: name.replace('/', "-"),
            keys: AtomicU32::new(0),
            turn: Mutex::new(None),
            setting,
        })
    }

    pub(super) async fn conduct(self: Arc<Self>, check: &Check) -> Outcome {
        self.take_turn().await;
        let time_limit = self.setting.harness.time_limit;
        match tokio::time::timeout(time_limit, (check.conduct)(self.clone())).await {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(Miss::Broken(message))) => Outcome::Failed(message),
            Ok(Err(Miss::NotApplicable(reason))) => Outcome::NotApplicable(reason),
            Err(_) => Outcome::Failed(format!(
                "No call hangs; instead the check was not over after {time_limit:?}. Look for a lock that is held \
                 across an `.await`, or a loop that retries."
            )),
        }
    }

    async fn take_turn(&self) {
        // The semaphore is never closed.
        let turn = self.setting.turns.clone().acquire_owned().await.ok();
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }

    /// A key that no other check has, of the letters that session ids have.
    pub(super) fn key(&self) -> String {
        let number = self.keys.fetch_add(1, Ordering::Relaxed);
        format!("{}-{}-{number}", self.setting.run, self.name)
    }

    /// A beginning of keys that no other check has.
    pub(super) fn prefix(&self) -> String {
        format!("{}-", self.key())
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.setting.harness.limits
    }

    /// A store in which nothing else is.
    pub(super) async fn empty_store(&self) -> Store {
        self.setting.harness.subject().await.store
    }

    /// Another connection to the same entries, or the same one where the harness has no other.
    pub(super) fn twin(&self) -> Verdict<&Store> {
        self.subject().twin.as_ref().ok_or_else(|| {
            Miss::not_applicable("the harness has no second connection: see Subject::twin")
        })
    }

    pub(super) fn foreign(&self) -> Verdict<&Foreign> {
        self.subject().foreign.as_ref().ok_or_else(|| {
            Miss::not_applicable("the harness has no foreign writer: see Subject::foreign")
        })
    }

    fn subject(&self) -> &Subject {
        &self.setting.shared
    }

    /// Ends checks that tell single seconds apart where the clock cannot be set.
    pub(super) fn to_the_second(&self) -> Verdict {
        match self.setting.harness.clock {
            Some(_) => Ok(()),
            None => Err(Miss::not_applicable(
                "the store has a clock of its own, which nobody can stop: see Harness::clock",
            )),
        }
    }

    /// Lets time pass until what has this time to live must be gone.
    pub(super) async fn outlive(&self, ttl: Duration) {
        self.wait(ttl, SLACK).await;
    }

    /// Lets so much time pass.
    pub(super) async fn pass(&self, time: Duration) {
        self.wait(time, Duration::ZERO).await;
    }

    async fn wait(&self, time: Duration, slack: Duration) {
        match &self.setting.harness.clock {
            Some(clock) => clock.advance(time),
            None => {
                // Others work meanwhile. It goes on without a turn: behind all the others it would be late for
                // what is still to live, and out of patience.
                drop(
                    self.turn
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .take(),
                );
                tokio::time::sleep(time + slack).await;
            }
        }
    }

    /// A new entry under a new key.
    pub(super) async fn entry(&self, value: &'static [u8]) -> Verdict<(String, Record)> {
        self.entry_for(value, LONG).await
    }

    pub(super) async fn entry_for(
        &self,
        value: &'static [u8],
        ttl: Duration,
    ) -> Verdict<(String, Record)> {
        let key = self.key();
        let record = self.create(&key, value, ttl).await?;
        Ok((key, record))
    }

    pub(super) async fn create(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        ttl: Duration,
    ) -> Verdict<Record> {
        self.store
            .create(key, value.into(), ttl)
            .await
            .map_err(|error| Miss::broken("An entry can be made where none is.", error.to_string()))
    }

    pub(super) async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: impl Into<Bytes>,
    ) -> Verdict<Record> {
        self.store
            .replace(key, base, value.into(), LONG)
            .await
            .map_err(|error| {
                Miss::broken(
                    "An entry that is still what was loaded can be replaced.",
                    error.to_string(),
                )
            })
    }

    pub(super) async fn touch(&self, key: &str, ttl: Duration) -> Verdict {
        self.store
            .touch(key, ttl)
            .await
            .map_err(|error| Miss::broken("A live entry can be touched.", error.to_string()))
    }

    /// Deletes whatever is there and leaves a tombstone for long.
    pub(super) async fn delete(&self, key: &str) -> Verdict {
        self.delete_for(key, LONG).await
    }

    pub(super) async fn delete_for(&self, key: &str, tombstone: Duration) -> Verdict {
        self.store
            .delete(key, None, tombstone)
            .await
            .map_err(|error| Miss::broken("Whatever is there can be deleted.", error.to_string()))
    }

    pub(super) async fn load(&self, key: &str) -> Verdict<Option<Record>> {
        load(&self.store, key).await
    }

    /// Fails unless the entry is there with this value.
    pub(super) async fn holds(&self, key: &str, value: &[u8], promise: &str) -> Verdict<Record> {
        match self.load(key).await? {
            Some(record) if record.value == value => Ok(record),
            Some(record) => Err(Miss::broken(
                promise,
                format!(
                    "another value was loaded, of {} bytes instead of {}",
                    record.value.len(),
                    value.len()
                ),
            )),
            None => Err(Miss::broken(promise, "the entry is missing")),
        }
    }

    /// Fails if there is an entry.
    pub(super) async fn lacks(&self, key: &str, promise: &str) -> Verdict {
        match self.load(key).await? {
            None => Ok(()),
            Some(record) => Err(Miss::broken(promise, format!("there is {record:?}"))),
        }
    }
}

pub(super) async fn load(store: &Store, key: &str) -> Verdict<Option<Record>> {
    store
        .load(key)
        .await
        .map_err(|error| Miss::broken("A store that is up can be asked.", error.to_string()))
}

/// Fails with a promise and what happened instead.
pub(super) fn require(kept: bool, promise: &str, instead: impl AsRef<str>) -> Verdict {
    if kept {
        Ok(())
    } else {
        Err(Miss::broken(promise, instead))
    }
}
