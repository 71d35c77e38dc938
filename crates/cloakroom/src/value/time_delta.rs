use std::{fmt, str::FromStr, time::Duration};

/// A span of time, which may be negative: Python's `datetime.timedelta`, up to 999,999,999 days. Only
/// pickles keep its type; Flask's other formats make it text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "timedelta")]
pub struct TimeDelta {
    days: i32,
    /// Below a day.
    seconds: u32,
    /// Below a second.
    microseconds: u32,
}

/// The span is longer than Python's, or the text is no ISO 8601 duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a span of at most 999999999 days: an ISO 8601 duration is needed, such as P1DT2.5S")]
pub struct TimeDeltaError;

const DAY: i128 = 86_400_000_000;

impl TimeDelta {
    /// From microseconds.
    ///
    /// # Errors
    ///
    /// [`TimeDeltaError`] beyond 999,999,999 days either way.
    pub fn from_microseconds(microseconds: i128) -> Result<Self, TimeDeltaError> {
        let days = i32::try_from(microseconds.div_euclid(DAY))
            .ok()
            .filter(|days| (-999_999_999..=999_999_999).contains(days))
            .ok_or(TimeDeltaError)?;
        let rest = microseconds.rem_euclid(DAY);
        let part = |number: i128| u32::try_from(number).map_err(|_| TimeDeltaError);
        Ok(Self {
            days,
            seconds: part(rest / 1_000_000)?,
            microseconds: part(rest % 1_000_000)?,
        })
    }

    /// The whole span in microseconds.
    pub fn as_microseconds(self) -> i128 {
        i128::from(self.days) * DAY
            + i128::from(self.seconds) * 1_000_000
            + i128::from(self.microseconds)
    }

    /// Days, seconds below a day and microseconds below a second, as Python keeps them: only the days
    /// can be negative.
    pub fn parts(self) -> (i32, u32, u32) {
        (self.days, self.seconds, self.microseconds)
    }
}

impl TryFrom<Duration> for TimeDelta {
    type Error = TimeDeltaError;

    fn try_from(span: Duration) -> Result<Self, TimeDeltaError> {
        Self::from_microseconds(i128::try_from(span.as_micros()).map_err(|_| TimeDeltaError)?)
    }
}

/// Fails for a negative span.
impl TryFrom<TimeDelta> for Duration {
    type Error = TimeDeltaError;

    fn try_from(span: TimeDelta) -> Result<Self, TimeDeltaError> {
        let days = u64::try_from(span.days).map_err(|_| TimeDeltaError)?;
        let seconds = days * 86_400 + u64::from(span.seconds);
        Ok(Self::new(seconds, span.microseconds * 1000))
    }
}

/// The ISO 8601 duration in days and seconds: `P1DT2.000003S`, `-PT1S`.
impl fmt::Display for TimeDelta {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.as_microseconds();
        let size = whole.unsigned_abs();
        let day = DAY.unsigned_abs();
        let (days, seconds, fraction) = (size / day, size % day / 1_000_000, size % 1_000_000);
        formatter.write_str(if whole < 0 { "-P" } else { "P" })?;
        let whole_days = seconds == 0 && fraction == 0;
        if days > 0 || whole_days {
            write!(formatter, "{days}D")?;
        }
        if whole_days {
            return Ok(());
        }
        write!(formatter, "T{seconds}")?;
        if fraction > 0 {
            let digits = format!("{fraction:06}");
            write!(formatter, ".{}", digits.trim_end_matches('0'))?;
        }
        formatter.write_str("S")
    }
}

impl fmt::Debug for TimeDelta {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Reads ISO 8601 durations in weeks, days, hours, minutes and seconds; the seconds may have a
/// fraction of up to nine digits, cut to microseconds.
impl FromStr for TimeDelta {
    type Err = TimeDeltaError;

    fn from_str(text: &str) -> Result<Self, TimeDeltaError> {
        let (sign, span) = match text.strip_prefix('-') {
            Some(span) => (-1, span),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let span = span.strip_prefix('P').ok_or(TimeDeltaError)?;
        let (date, time) = match span.split_once('T') {
            Some((_, "")) => return Err(TimeDeltaError),
            Some((date, time)) => (date, time),
            None => (span, ""),
        };
        if span.is_empty() {
            return Err(TimeDeltaError);
        }
        let date = sum(date, &[('W', 7 * DAY), ('D', DAY)])?;
        let clock = [('H', 3_600_000_000), ('M', 60_000_000), ('S', 1_000_000)];
        Self::from_microseconds(sign * (date + sum(time, &clock)?))
    }
}

/// Microseconds in numbers that each stand before their unit, in this order.
fn sum(mut text: &str, units: &[(char, i128)]) -> Result<i128, TimeDeltaError> {
    let mut total = 0;
    for (unit, size) in units {
        let Some((number, rest)) = text.split_once(*unit) else {
            continue;
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if *unit == 'S' && (1..=9).contains(&fraction.len()) => {
                (whole, fraction)
            }
            Some(_) => return Err(TimeDeltaError),
            None => (number, ""),
        };
        let digits = |text: &str| (1..=16).contains(&text.len()) && is_digits(text);
        if !digits(whole) || !is_digits(fraction) {
            return Err(TimeDeltaError);
        }
        let number = |text: &str| text.parse::<i128>().map_err(|_| TimeDeltaError);
        total += number(whole)? * size + number(&format!("{fraction:0<9}"))? / 1000;
        text = rest;
    }
    text.is_empty().then_some(total).ok_or(TimeDeltaError)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::TimeDelta;

    #[test]
    fn durations_are_written_in_days_and_seconds() {
        let table = [
            (86_402_000_003, "P1DT2.000003S"),
            (-1_000_000, "-PT1S"),
            (0, "P0D"),
            (86_400_000_000, "P1D"),
            (-86_400_500_000, "-P1DT0.5S"),
            (3_600_000_000, "PT3600S"),
        ];
        for (microseconds, text) in table {
            let span = TimeDelta::from_microseconds(microseconds).unwrap();
            assert_eq!(span.to_string(), text);
            assert_eq!(text.parse::<TimeDelta>().unwrap(), span);
        }
        let longest = TimeDelta::from_microseconds(86_400_000_000 * 999_999_999).unwrap();
        assert_eq!(longest.parts(), (999_999_999, 0, 0));
        assert!(TimeDelta::from_microseconds(86_400_000_000 * 1_000_000_000).is_err());
        let read = |text: &str| text.parse::<TimeDelta>().map(TimeDelta::as_microseconds);
        assert_eq!(read("P1W"), Ok(604_800_000_000));
        assert_eq!(read("+PT1H2M3.5S"), Ok(3_723_500_000));
        for bad in [
            "", "P", "PT", "P1", "1D", "P1DT", "PT1.S", "P1.5D", "PT1S1H", "P-1D",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
