use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Where the time comes from: the system, or a test that sets it.
///
/// Clones of a manual clock share its hands.
///
/// ```
/// use std::time::Duration;
/// use cloakroom::Clock;
///
/// let clock = Clock::manual(1_700_000_000);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.unix_seconds(), 1_700_000_060);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `unix_seconds` until it is moved.
    pub fn manual(unix_seconds: u64) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(unix_seconds))))
    }

    /// Moves a manual clock forward, whole seconds only; the system's clock does not move.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(hands) = &self.0 {
            hands.fetch_add(by.as_secs(), Ordering::Relaxed);
        }
    }

    /// Sets a manual clock; the system's clock stays as it is.
    pub fn set(&self, unix_seconds: u64) {
        if let Source::Manual(hands) = &self.0 {
            hands.store(unix_seconds, Ordering::Relaxed);
        }
    }

    /// Whole seconds since 1970-01-01T00:00:00Z; 0 before that.
    pub fn unix_seconds(&self) -> u64 {
        match &self.0 {
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            Source::Manual(hands) => hands.load(Ordering::Relaxed),
        }
    }
}

/// Between three quarters and five quarters of a time, so that many processes do not work in step.
pub(crate) fn jittered(wait: Duration) -> Duration {
    let mut byte = [128];
    // Without randomness all wait the same, which is no harm but company.
    let _ = getrandom::fill(&mut byte);
    let step = wait / 2 / 255;
    wait / 4 * 3 + step * u32::from(byte[0])
}
