use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::mail_date;
use crate::http_date::{HttpDate, civil_from_days, days_from_civil};

/// A moment as Python's `datetime.datetime` has it, in the years 1 to 9999: with an offset from UTC
/// (*aware*), or without one (*naive*), which Flask takes for UTC. Flask's ` d` tag.
///
/// A session cookie keeps whole seconds and reads back as aware UTC; that is Flask's format. Convert
/// from and to [`SystemTime`]:
///
/// ```
/// use std::time::SystemTime;
/// use cloakroom::value::DateTime;
///
/// let seen = DateTime::from(SystemTime::UNIX_EPOCH);
/// assert_eq!(seen.to_string(), "1970-01-01T00:00:00+00:00");
/// assert_eq!(SystemTime::from(seen), SystemTime::UNIX_EPOCH);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// Since 1970-01-01T00:00:00Z; of a naive one, as if it were UTC.
    unix_seconds: i64,
    microsecond: u32,
    /// Seconds east of UTC; none for a naive one.
    offset: Option<i32>,
}

/// The first and the last second of the years 1 to 9999.
const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;

/// The moment is outside the years 1 to 9999, or the text is no date with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date with time between the years 1 and 9999")]
pub struct DateTimeError;

impl DateTime {
    /// An aware moment in UTC.
    ///
    /// # Errors
    ///
    /// [`DateTimeError`] outside the years 1 to 9999.
    pub fn from_unix(seconds: i64) -> Result<Self, DateTimeError> {
        Self::from_parts(seconds, 0, Some(0))
    }

    /// A moment with its microseconds (below 1,000,000) and offset: seconds east of UTC, less than a
    /// day, or none for a naive one.
    ///
    /// # Errors
    ///
    /// [`DateTimeError`] if the year, the microseconds or the offset is out of range.
    pub fn from_parts(
        unix_seconds: i64,
        microsecond: u32,
        offset: Option<i32>,
    ) -> Result<Self, DateTimeError> {
        let in_range = (-86_399..=86_399).contains(&offset.unwrap_or(0))
            && microsecond < 1_000_000
            && unix_seconds
                .checked_add(offset.unwrap_or(0).into())
                .is_some_and(|local| HttpDate::from_unix_seconds(local).is_some());
        in_range
            .then_some(Self {
                unix_seconds,
                microsecond,
                offset,
            })
            .ok_or(DateTimeError)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> i64 {
        self.unix_seconds
    }

    /// The part below a second, in microseconds.
    pub fn microsecond(self) -> u32 {
        self.microsecond
    }

    /// Seconds east of UTC; none for a naive moment.
    pub fn offset(self) -> Option<i32> {
        self.offset
    }

    /// Reads a date as Python's mail and HTTP code does (Werkzeug's `parse_date`): RFC 2822, RFC 850
    /// and `asctime` forms, old zone names, a missing zone as UTC. The result is always aware.
    #[doc(alias = "parse_date")]
    pub fn from_http_date(text: &str) -> Option<Self> {
        mail_date::parse(text)
    }

    /// The HTTP date in UTC, without the fraction (Werkzeug's `http_date`), or none if it is outside
    /// the years 1 to 9999 there.
    #[doc(alias = "http_date")]
    pub fn to_http_date(self) -> Option<String> {
        HttpDate::from_unix_seconds(self.unix_seconds).map(|date| date.as_str().to_owned())
    }
}

/// Python's `isoformat()`: `2024-01-02T03:04:05.000006+00:00`; no fraction if it is zero, no offset
/// if naive. With an offset it is RFC 3339.
impl fmt::Display for DateTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.unix_seconds + i64::from(self.offset.unwrap_or(0));
        let (year, month, day) = civil_from_days(local.div_euclid(86_400));
        write!(formatter, "{year:04}-{month:02}-{day:02}T")?;
        let second = local.rem_euclid(86_400);
        write_clock(formatter, second, self.microsecond, self.offset)
    }
}

/// The time of day in Python's `isoformat()`.
pub(super) fn write_clock(
    formatter: &mut fmt::Formatter<'_>,
    second: i64,
    microsecond: u32,
    offset: Option<i32>,
) -> fmt::Result {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    write!(formatter, "{hour:02}:{minute:02}:{second:02}")?;
    if microsecond != 0 {
        write!(formatter, ".{microsecond:06}")?;
    }
    let Some(offset) = offset else {
        return Ok(());
    };
    let (sign, size) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
    write!(formatter, "{sign}{:02}:{:02}", size / 3600, size / 60 % 60)?;
    if size % 60 != 0 {
        write!(formatter, ":{:02}", size % 60)?;
    }
    Ok(())
}

impl fmt::Debug for DateTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Reads `isoformat()` and RFC 3339: `T`, `t` or a space between date and time, a fraction of up to
/// nine digits cut to microseconds, `Z` or an offset or neither.
impl FromStr for DateTime {
    type Err = DateTimeError;

    fn from_str(text: &str) -> Result<Self, DateTimeError> {
        parse_iso(text.as_bytes()).ok_or(DateTimeError)
    }
}

fn parse_iso(text: &[u8]) -> Option<DateTime> {
    let (date, time) = text.split_at_checked(11)?;
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T' | b't' | b' ',
    ] = *date
    else {
        return None;
    };
    let (year, month) = (digits(&[y1, y2, y3, y4])?, digits(&[m1, m2])?);
    let midnight = civil_seconds(year, month, digits(&[d1, d2])?, 0, 0, 0)?;
    let clock = clock_reading(time)?;
    let unix_seconds = midnight + clock.second - i64::from(clock.offset.unwrap_or(0));
    DateTime::from_parts(unix_seconds, clock.microsecond, clock.offset).ok()
}

/// What a clock shows.
pub(super) struct ClockReading {
    /// Since midnight.
    pub(super) second: i64,
    pub(super) microsecond: u32,
    pub(super) offset: Option<i32>,
}

/// Reads `HH:MM:SS`, a fraction of up to nine digits cut to microseconds, `Z` or an offset or neither.
pub(super) fn clock_reading(text: &[u8]) -> Option<ClockReading> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else {
        return None;
    };
    let second = clock_seconds([*h1, *h2], [*m1, *m2], [*s1, *s2])?;
    let (microsecond, rest) = match rest {
        [b'.', after @ ..] => fraction(after)?,
        rest => (0, rest),
    };
    let offset = match rest {
        [] => None,
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, seconds @ ..] => {
            let seconds = match seconds {
                [] => *b"00",
                [b':', s1, s2] => [*s1, *s2],
                _ => return None,
            };
            let size = i32::try_from(clock_seconds([*h1, *h2], [*m1, *m2], seconds)?).ok()?;
            Some(if *sign == b'-' { -size } else { size })
        }
        _ => return None,
    };
    Some(ClockReading {
        second,
        microsecond,
        offset,
    })
}

fn clock_seconds(hours: [u8; 2], minutes: [u8; 2], seconds: [u8; 2]) -> Option<i64> {
    let (hours, minutes, seconds) = (digits(&hours)?, digits(&minutes)?, digits(&seconds)?);
    (hours < 24 && minutes < 60 && seconds < 60).then_some(hours * 3600 + minutes * 60 + seconds)
}

/// Microseconds of the digits after the point, and what follows those.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let (fraction, rest) = text.split_at(length);
    let microsecond = (0..6).fold(0, |number, place| {
        number * 10 + fraction.get(place).map_or(0, |byte| u32::from(byte - b'0'))
    });
    Some((microsecond, rest))
}

pub(super) fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// Seconds since 1970 of a calendar date and time, if there is such a one (no leap second).
pub(super) fn civil_seconds(
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
) -> Option<i64> {
    let valid = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    if !valid {
        return None;
    }
    let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    let days = days_from_civil(year, month, day);
    (civil_from_days(days) == (year, month, day))
        .then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Aware, in UTC, cut to microseconds; clamped to the years 1 to 9999.
impl From<SystemTime> for DateTime {
    fn from(time: SystemTime) -> Self {
        let (seconds, microsecond) = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => (
                i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
                after.subsec_micros(),
            ),
            Err(before) => {
                let before = before.duration();
                let whole = -i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
                // Rounded down to a whole microsecond, as times after 1970 are.
                match before.subsec_nanos().div_ceil(1000) {
                    0 => (whole, 0),
                    1_000_000 => (whole - 1, 0),
                    part => (whole - 1, 1_000_000 - part),
                }
            }
        };
        Self {
            unix_seconds: seconds.clamp(FIRST_SECOND, LAST_SECOND),
            microsecond,
            offset: Some(0),
        }
    }
}

/// A naive moment counts as UTC.
impl From<DateTime> for SystemTime {
    fn from(value: DateTime) -> Self {
        let seconds = Duration::from_secs(value.unix_seconds.unsigned_abs());
        let whole = if value.unix_seconds < 0 {
            UNIX_EPOCH - seconds
        } else {
            UNIX_EPOCH + seconds
        };
        whole + Duration::from_micros(value.microsecond.into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::DateTime;

    #[test]
    fn iso_text_round_trips() {
        for text in [
            "2024-01-02T03:04:05",
            "2024-01-02T03:04:05.000006",
            "2024-01-02T03:04:05+05:30",
            "0001-01-01T00:00:00+00:00",
            "9999-12-31T23:59:59.999999-23:59",
            "1960-02-29T00:00:00+00:00:01",
        ] {
            assert_eq!(text.parse::<DateTime>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "2024-01-02",
            "2023-02-29T00:00:00",
            "2024-01-02T24:00:00",
            "2024-01-02T03:04:05.",
            "2024-01-02T03:04:05+24:00",
            "2024-01-02T03:04:05é",
        ] {
            assert!(bad.parse::<DateTime>().is_err(), "{bad}");
        }
    }

    #[test]
    fn system_time_round_trips_before_and_after_1970() {
        for micros in [0, 1, 999_999, 1_000_000, 1_700_000_000_123_456] {
            for time in [
                UNIX_EPOCH + Duration::from_micros(micros),
                UNIX_EPOCH - Duration::from_micros(micros),
            ] {
                assert_eq!(std::time::SystemTime::from(DateTime::from(time)), time);
            }
        }
    }
}
