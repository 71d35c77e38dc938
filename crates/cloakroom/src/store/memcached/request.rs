use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

/// Above this many seconds memcached takes an expiry for a point in time (its protocol.txt, "Expiration times").
const THIRTY_DAYS: u64 = 60 * 60 * 24 * 30;

/// Commands of memcached's meta protocol, to be sent at once and answered in their order.
///
/// The keys are proven to be single words before they come here.
#[derive(Default)]
pub(super) struct Request {
    bytes: Vec<u8>,
    largest: usize,
    commands: usize,
}

/// What to write under which condition.
pub(super) struct Write {
    pub(super) value: Bytes,
    expiry: i64,
    condition: Condition,
}

enum Condition {
    None,
    Missing,
    Version(u64),
}

impl Write {
    /// Whatever is there.
    pub(super) fn set(value: Bytes, expiry: i64) -> Self {
        Self {
            value,
            expiry,
            condition: Condition::None,
        }
    }

    /// Only if nothing is there.
    pub(super) fn add(value: Bytes, expiry: i64) -> Self {
        Self {
            value,
            expiry,
            condition: Condition::Missing,
        }
    }

    /// Only if the version is there.
    pub(super) fn compare(value: Bytes, expiry: i64, version: u64) -> Self {
        Self {
            value,
            expiry,
            condition: Condition::Version(version),
        }
    }
}

impl Request {
    /// Value, version and time left.
    pub(super) fn get(self, key: &str) -> Self {
        self.line(format_args!("mg {key} v c t\r\n"))
    }

    /// The time left only, for which nothing is counted as used.
    pub(super) fn get_time(self, key: &str) -> Self {
        self.line(format_args!("mg {key} t\r\n"))
    }

    /// A new expiry. The version stays.
    pub(super) fn touch(self, key: &str, expiry: i64) -> Self {
        self.line(format_args!("mg {key} T{expiry}\r\n"))
    }

    /// A new value, and its version.
    pub(super) fn set(mut self, key: &str, write: &Write) -> Self {
        let Write {
            value,
            expiry,
            condition,
        } = write;
        let size = value.len();
        self.largest = self.largest.max(size);
        self.bytes.reserve(size + key.len() + 64);
        self = match condition {
            Condition::None => self.line(format_args!("ms {key} {size} c T{expiry}\r\n")),
            Condition::Missing => self.line(format_args!("ms {key} {size} c T{expiry} ME\r\n")),
            Condition::Version(version) => {
                self.line(format_args!("ms {key} {size} c T{expiry} C{version}\r\n"))
            }
        };
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// Removes the item, if it has that version.
    pub(super) fn delete(self, key: &str, version: Option<u64>) -> Self {
        match version {
            Some(version) => self.line(format_args!("md {key} C{version}\r\n")),
            None => self.line(format_args!("md {key}\r\n")),
        }
    }

    fn line(mut self, line: std::fmt::Arguments<'_>) -> Self {
        // Writing into memory does not fail.
        let _ = std::io::Write::write_fmt(&mut self.bytes, line);
        self.commands += 1;
        self
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many answers there will be.
    pub(super) fn commands(&self) -> usize {
        self.commands
    }

    /// Bytes of the largest value.
    pub(super) fn largest(&self) -> usize {
        self.largest
    }
}

/// A time to live as memcached takes it: whole seconds, rounded up, or the point in time if that is far off.
pub(super) fn expiry(ttl: Duration) -> i64 {
    let seconds = ttl
        .as_secs()
        .saturating_add(u64::from(ttl.subsec_nanos() > 0));
    if seconds <= THIRTY_DAYS {
        // 0 would be for ever.
        return i64::try_from(seconds.max(1)).unwrap_or(1);
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    // Memcached counts in 32 bits.
    let at = now
        .saturating_add(seconds)
        .min(i32::MAX.unsigned_abs().into());
    i64::try_from(at).unwrap_or(i32::MAX.into())
}

/// One second more than asked: memcached's clock ticks once a second, so an item may go up to one too early.
pub(super) fn tombstone_expiry(ttl: Duration) -> i64 {
    expiry(ttl.saturating_add(Duration::from_secs(1)))
}

/// Seconds that an expiry is away.
pub(super) fn seconds_until(expiry: i64) -> u64 {
    let expiry = expiry.unsigned_abs();
    if expiry <= THIRTY_DAYS {
        return expiry;
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    expiry.saturating_sub(now)
}
