use std::{
    fmt,
    hash::BuildHasher,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{StoreError, StoreErrorKind};
use crate::metrics;

/// When a store that fails is no longer asked, and how soon it is asked again: a circuit breaker.
///
/// Without one, each request to a site whose store hangs waits for the time limit, and so many wait at once
/// that the site goes down with the store. With it, only the first few do. After that, calls fail at once with
/// [`StoreErrorKind::Skipped`], which is a 503 like any other failure and never "no session". When the pause is
/// over, one call goes through: if the store answers, everything is as before; if not, the next pause is twice
/// as long.
///
/// Calls count that were not answered ([`Unreachable`](StoreErrorKind::Unreachable) and
/// [`TimedOut`](StoreErrorKind::TimedOut)); of calls that lose their connection together, one. Any answer ends
/// the count, a refusal too, so that nobody can shut the others out by crowding one entry.
///
/// Unless set otherwise: 3 failures in a row, a pause of a quarter of a second, at most 5 seconds. A pause is
/// cut short by up to a half, at random, so that many processes do not come back at the same moment.
///
/// ```
/// use std::time::Duration;
/// use cloakroom::store::{Breaker, MemoryStore, Store};
///
/// let breaker = Breaker::after(10).pauses(Duration::from_millis(100), Duration::from_secs(30));
/// let store = Store::new(MemoryStore::new()).breaker(breaker);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[doc(alias = "circuit breaker")]
pub struct Breaker {
    failures: u32,
    first_pause: Duration,
    longest_pause: Duration,
}

impl Breaker {
    /// Opens after so many failures in a row, at least one.
    pub fn after(failures: u32) -> Self {
        Self {
            failures: failures.max(1),
            ..Self::default()
        }
    }

    /// How long the store is left alone at first, and at most: each pause is twice the one before.
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first;
        self.longest_pause = longest.max(first);
        self
    }

    /// The pause after so many others in a row, without its random part.
    fn pause(&self, before: u32) -> Duration {
        let times = 1_u32 << before.min(20);
        self.first_pause
            .saturating_mul(times)
            .min(self.longest_pause)
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 3,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// A [`Breaker`] at work. Everything is in atomics: in good times a call costs two loads, during a pause one
/// load and a look at the clock.
pub(super) struct Circuit {
    store: &'static str,
    breaker: Breaker,
    /// What times are counted from.
    epoch: Instant,
    /// Failures in a row.
    failures: AtomicU32,
    /// When the store may be asked again, in microseconds; [`CLOSED`] in good times.
    retry_at: AtomicU64,
    /// Pauses in a row.
    pauses: AtomicU32,
}

const CLOSED: u64 = 0;

impl Circuit {
    pub(super) fn new(store: &'static str, breaker: Breaker) -> Self {
        Self {
            store,
            breaker,
            epoch: Instant::now(),
            failures: AtomicU32::new(0),
            retry_at: AtomicU64::new(CLOSED),
            pauses: AtomicU32::new(0),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.retry_at.load(Ordering::Acquire) == CLOSED
    }

    /// Whether a call may go to the store.
    pub(super) fn admit(&self) -> Result<Pass<'_>, StoreError> {
        let retry_at = self.retry_at.load(Ordering::Acquire);
        if retry_at == CLOSED {
            let failures = self.failures.load(Ordering::Acquire);
            return Ok(self.pass(Role::Ordinary { failures }));
        }
        let now = self.now();
        if now < retry_at {
            return Err(StoreError::skipped(self.store));
        }
        // Who wins this is the probe. Should its task never be run again, another one goes after this time.
        let until = now.saturating_add(micros(self.breaker.longest_pause).max(1));
        self.retry_at
            .compare_exchange(retry_at, until, Ordering::AcqRel, Ordering::Acquire)
            .map(|_| self.pass(Role::Probe { until }))
            .map_err(|_| StoreError::skipped(self.store))
    }

    fn pass(&self, role: Role) -> Pass<'_> {
        Pass {
            circuit: self,
            role: Some(role),
        }
    }

    fn answered(&self) {
        if self.failures.load(Ordering::Acquire) != 0 {
            self.failures.store(0, Ordering::Release);
        }
        // A late answer to an ordinary call proves as much as one to the probe.
        if !self.is_closed() && self.retry_at.swap(CLOSED, Ordering::AcqRel) != CLOSED {
            self.pauses.store(0, Ordering::Release);
            metrics::available(self.store, true);
            tracing::info!(store = self.store, "the store answers again");
        }
    }

    fn failed(&self, role: Role, kind: StoreErrorKind) {
        let expected = match role {
            Role::Probe { until } => until,
            Role::Ordinary { failures } => {
                if self.count(failures, kind) < self.breaker.failures {
                    return;
                }
                CLOSED
            }
        };
        let before = self.pauses.load(Ordering::Acquire);
        let pause = shortened(self.breaker.pause(before));
        let until = self.now().saturating_add(micros(pause)).max(1);
        let opened =
            self.retry_at
                .compare_exchange(expected, until, Ordering::AcqRel, Ordering::Acquire);
        if opened.is_err() {
            return;
        }
        self.pauses
            .store(before.saturating_add(1), Ordering::Release);
        if expected == CLOSED {
            metrics::available(self.store, false);
            tracing::warn!(
                store = self.store,
                failures = self.breaker.failures,
                ?pause,
                "the store fails and is not asked for a while"
            );
        } else {
            tracing::debug!(store = self.store, ?pause, "the store still fails");
        }
    }

    /// The failures in a row with this one, which began when there were so many.
    fn count(&self, began_with: u32, kind: StoreErrorKind) -> u32 {
        if kind == StoreErrorKind::TimedOut {
            return self
                .failures
                .fetch_add(1, Ordering::AcqRel)
                .saturating_add(1);
        }
        // A connection that breaks takes all calls on it along: one event, and it may be over at once.
        let next = began_with.saturating_add(1);
        self.failures
            .compare_exchange(began_with, next, Ordering::AcqRel, Ordering::Acquire)
            .map_or(0, |_| next)
    }

    fn now(&self) -> u64 {
        micros(Instant::now().saturating_duration_since(self.epoch))
    }
}

/// A call that may go to the store. What came of it has to be said; dropped, it says nothing.
pub(super) struct Pass<'a> {
    circuit: &'a Circuit,
    role: Option<Role>,
}

#[derive(Clone, Copy)]
enum Role {
    /// Begun when there were so many failures in a row.
    Ordinary { failures: u32 },
    /// The one call after a pause; until this time it is the only one.
    Probe { until: u64 },
}

impl Pass<'_> {
    /// The call has ended, so or with a failure of the store.
    pub(super) fn settle(mut self, failure: Option<&StoreError>) {
        let Some(role) = self.role.take() else { return };
        match failure.map(StoreError::kind) {
            Some(kind @ (StoreErrorKind::Unreachable | StoreErrorKind::TimedOut)) => {
                self.circuit.failed(role, kind);
            }
            // The driver knows of a breaker of its own: that is no answer, and no failure to count.
            Some(StoreErrorKind::Skipped) => self.circuit.give_up(role),
            Some(StoreErrorKind::Refused | StoreErrorKind::Busy) | None => self.circuit.answered(),
        }
    }
}

impl Circuit {
    /// Nobody waits for the call's answer any more: another one may be the probe.
    fn give_up(&self, role: Role) {
        if let Role::Probe { until } = role {
            let now = self.now().max(1);
            // If this fails, somebody else knows better.
            let _ = self
                .retry_at
                .compare_exchange(until, now, Ordering::AcqRel, Ordering::Acquire);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some(role) = self.role.take() {
            self.circuit.give_up(role);
        }
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Circuit")
            .field("breaker", &self.breaker)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// At least half of a pause, different for everyone.
fn shortened(pause: Duration) -> Duration {
    let pause = micros(pause);
    let random = std::hash::RandomState::new().hash_one(pause);
    Duration::from_micros(pause - random % (pause / 2 + 1))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
