//! Times and sizes as people write and read them.

use std::fmt;
use std::time::Duration;

use cloakroom::value::DateTime;

/// `90s`, `15m`, `2h`, `30d`, `4w`; a number alone is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(DURATION.to_owned()),
    };
    let count: u64 = digits.parse().map_err(|_| DURATION.to_owned())?;
    let seconds = count.checked_mul(unit).ok_or("it is too long")?;
    Ok(Duration::from_secs(seconds))
}

const DURATION: &str = "a time is written 90s, 15m, 2h, 30d or 4w";

/// `500`, `4k`, `1M`: bytes, in steps of 1024.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        _ => return Err(SIZE.to_owned()),
    };
    let count: u64 = digits.parse().map_err(|_| SIZE.to_owned())?;
    count
        .checked_mul(unit)
        .ok_or_else(|| "it is too large".to_owned())
}

const SIZE: &str = "a size is written 500, 4k or 1M";

/// A time in the two largest units that matter, short enough for a column: `3d 4h`.
pub(crate) struct Short(pub(crate) Duration);

impl fmt::Display for Short {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (large, small) = match seconds {
            0..60 => return write!(formatter, "{seconds}s"),
            60..3600 => ((seconds / 60, 'm'), (seconds % 60, 's')),
            3600..86_400 => ((seconds / 3600, 'h'), (seconds / 60 % 60, 'm')),
            _ => ((seconds / 86_400, 'd'), (seconds / 3600 % 24, 'h')),
        };
        write!(formatter, "{}{}", large.0, large.1)?;
        match small.0 {
            0 => Ok(()),
            count => write!(formatter, " {count}{}", small.1),
        }
    }
}

/// A size with three digits or so: `310 B`, `4.2 KB`, `1.3 MB`.
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0..1024 => return write!(formatter, "{} B", self.0),
            1024..1_048_576 => (1 << 10, "KB"),
            1_048_576..1_073_741_824 => (1 << 20, "MB"),
            _ => (1 << 30, "GB"),
        };
        // In tenths, rounded down, so that nothing is shown larger than it is.
        let tenths = u128::from(self.0) * 10 / unit;
        match tenths {
            0..1000 => write!(formatter, "{}.{} {name}", tenths / 10, tenths % 10),
            _ => write!(formatter, "{} {name}", tenths / 10),
        }
    }
}

/// A number with a comma after each three digits.
pub(crate) struct Count(pub(crate) u64);

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        formatter.pad(&text)
    }
}

/// `1 session`, `1,200 sessions`.
pub(crate) fn sessions(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} session{plural}", Count(count))
}

/// A moment in seconds since 1970 as RFC 3339 writes it, in UTC, as all should that servers log. None after the year 9999.
pub(crate) fn utc(seconds: u64) -> Option<String> {
    let date = DateTime::from_unix(i64::try_from(seconds).ok()?).ok()?;
    Some(date.to_string().replace("+00:00", "Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_they_are_written() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("2h", 7200),
            ("1d", 86_400),
            ("7", 7),
            ("90", 90),
            ("30s", 30),
            ("10m", 600),
            ("31d", 2_678_400),
            ("1w", 604_800),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "h",
            "d",
            "2 h",
            "10 m",
            "-1h",
            "-1d",
            "1y",
            "10y",
            "1.5h",
            "99999999999999999w",
            "99999999999999999999d",
            "1ü",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(
            (size("500"), size("4k"), size("1M")),
            (Ok(500), Ok(4096), Ok(1 << 20))
        );
        for text in ["", "k", "1T", "1e3", "99999999999999999999"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_short_in_columns() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 1s"),
            (3600, "1h"),
            (5460, "1h 31m"),
            (273_600, "3d 4h"),
        ] {
            assert_eq!(Short(Duration::from_secs(seconds)).to_string(), text);
        }
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KB"),
            (102_400, "100 KB"),
            (1_048_575, "1023 KB"),
            (5_000_000_000, "4.6 GB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
        assert_eq!(Count(1_234_567).to_string(), "1,234,567");
        assert_eq!(format!("{:>5}|{}", Count(12), Count(100)), "   12|100");
    }
}
