use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    Clock,
    http_date::{civil_from_days, days_from_civil},
};

/// A moment in UTC as the `expiry` column tells it: without a zone, to the microsecond, years 1970 to 9999.
///
/// It is always computed here and bound as a parameter, so the server's clock and time zone mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

impl Moment {
    /// 9999-12-31 23:59:59, after which Python and MySQL know no dates.
    const LAST: Self = Self(253_402_300_799 * SECOND);

    /// What the clock says, or the system's to the microsecond if there is none.
    pub(super) fn now(clock: Option<&Clock>) -> Self {
        let since = clock.map_or_else(
            || {
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default()
            },
            |clock| Duration::from_secs(clock.unix_seconds()),
        );
        Self(0).after(since)
    }

    /// So much later, or the last moment there is.
    pub(super) fn after(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX);
        Self::from_unix_micros(self.0.saturating_add(micros))
    }

    /// The time from `earlier` to this, zero if it is past.
    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The next whole second, for columns that keep no more.
    pub(super) fn whole_second(self) -> Self {
        Self::from_unix_micros(
            (self.0.div_euclid(SECOND) + i64::from(self.0 % SECOND > 0)) * SECOND,
        )
    }

    pub(super) fn unix_micros(self) -> i64 {
        self.0
    }

    pub(super) fn from_unix_micros(micros: i64) -> Self {
        Self(micros).clamp(Self(0), Self::LAST)
    }

    /// Reads [`Display`](fmt::Display)'s form, with or without the fraction.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once([' ', 'T'])?;
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let [year, month, day] = numbers(date, '-')?;
        let [hour, minute, second] = numbers(time, ':')?;
        if !fraction.bytes().all(|digit| digit.is_ascii_digit()) || fraction.len() > 6 {
            return None;
        }
        let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
        let days = days_from_civil(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        let seconds = (hour * 60 + minute) * 60 + second;
        Some(Self::from_unix_micros(
            days * DAY + seconds * SECOND + micros,
        ))
    }
}

/// `2026-01-31 23:59:59.000000`, always six digits: what SQLAlchemy writes into SQLite.
impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY));
        let rest = self.0.rem_euclid(DAY);
        let (seconds, micros) = (rest / SECOND, rest % SECOND);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{micros:06}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
        )
    }
}

/// Three short numbers.
fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let short = part.len() <= 4 && part.bytes().all(|digit| digit.is_ascii_digit());
        short.then(|| part.parse().ok()).flatten()
    });
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_what_it_writes() {
        for micros in [0, 1, 999_999, 951_782_400_000_000, 1_700_000_000_123_456] {
            let moment = Moment::from_unix_micros(micros);
            assert_eq!(Moment::parse(&moment.to_string()), Some(moment));
        }
        let moment = Moment::from_unix_micros(1_700_000_000_000_000);
        assert_eq!(moment.to_string(), "2023-11-14 22:13:20.000000");
        assert_eq!(Moment::parse("2023-11-14 22:13:20"), Some(moment));
        for wrong in [
            "",
            "2023-11-14",
            "2023-11-14 22:13",
            "x-11-14 22:13:20",
            "2023-11-14 22:13:20.1234567",
        ] {
            assert_eq!(Moment::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_lifetime_is_too_long_and_parts_of_a_second_round_up() {
        let forever = Moment::default().after(Duration::MAX);
        assert_eq!(forever.to_string(), "9999-12-31 23:59:59.000000");
        assert_eq!(forever.after(Duration::MAX), forever);
        assert_eq!(Moment::default().since(forever), Duration::ZERO);
        let moment = Moment::default().after(Duration::from_nanos(1));
        assert_eq!(moment.to_string(), "1970-01-01 00:00:00.000001");
        assert_eq!(
            moment.whole_second().to_string(),
            "1970-01-01 00:00:01.000000"
        );
        assert_eq!(moment.whole_second().whole_second(), moment.whole_second());
    }
}
