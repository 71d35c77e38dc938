use std::{fmt, str::FromStr};

use super::datetime::{clock_reading, write_clock};

/// A time of day: Python's `datetime.time`, with an offset from UTC (*aware*) or without one. Only
/// pickles keep its type; Flask's other formats make it text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Time {
    /// Since midnight.
    second: u32,
    microsecond: u32,
    /// Seconds east of UTC; none for a naive one.
    offset: Option<i32>,
}

/// A part is out of range, or the text is no time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time of day: HH:MM:SS is needed, with an optional fraction and offset")]
pub struct TimeError;

impl Time {
    /// From seconds since midnight (below 86,400), microseconds (below 1,000,000) and offset: seconds
    /// east of UTC, less than a day, or none for a naive one.
    ///
    /// # Errors
    ///
    /// [`TimeError`] if one of them is out of range.
    pub fn from_parts(
        second_of_day: u32,
        microsecond: u32,
        offset: Option<i32>,
    ) -> Result<Self, TimeError> {
        let in_range = second_of_day < 86_400
            && microsecond < 1_000_000
            && (-86_399..=86_399).contains(&offset.unwrap_or(0));
        in_range
            .then_some(Self {
                second: second_of_day,
                microsecond,
                offset,
            })
            .ok_or(TimeError)
    }

    /// Seconds since midnight.
    pub fn second_of_day(self) -> u32 {
        self.second
    }

    /// The part below a second, in microseconds.
    pub fn microsecond(self) -> u32 {
        self.microsecond
    }

    /// Seconds east of UTC; none for a naive time.
    pub fn offset(self) -> Option<i32> {
        self.offset
    }
}

/// Python's `isoformat()`: `03:04:05.000006+00:00`; no fraction if it is zero, no offset if naive.
impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_clock(formatter, self.second.into(), self.microsecond, self.offset)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Reads `isoformat()`, with `Z` for an offset of zero too.
impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let reading = clock_reading(text.as_bytes()).ok_or(TimeError)?;
        let second = u32::try_from(reading.second).map_err(|_| TimeError)?;
        Self::from_parts(second, reading.microsecond, reading.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::Time;

    #[test]
    fn times_round_trip_and_bad_ones_are_refused() {
        for text in [
            "00:00:00",
            "23:59:59.999999",
            "03:04:05+05:30",
            "03:04:05.000006-00:00:01",
        ] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
        assert_eq!("01:02:03Z".parse::<Time>().unwrap().offset(), Some(0));
        for bad in [
            "",
            "24:00:00",
            "00:60:00",
            "00:00",
            "00:00:00.",
            "00:00:00+24:00",
        ] {
            assert!(bad.parse::<Time>().is_err(), "{bad}");
        }
    }
}
