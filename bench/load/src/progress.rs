//! Lines that say where the run is.

use std::time::{Duration, Instant};

/// Counts the time from its making.
pub(crate) struct Progress {
    begin: Instant,
}

impl Progress {
    pub(crate) fn begin() -> Self {
        Self {
            begin: Instant::now(),
        }
    }

    pub(crate) fn say(&self, what: &str) {
        eprintln!("[{}] {what}", minutes(self.elapsed()));
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }
}

/// `12:05`
pub(crate) fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{:>2}:{:02}", seconds / 60, seconds % 60)
}
