use std::{fmt, str::FromStr};

use super::{
    DateTime,
    datetime::{civil_seconds, digits},
};

/// A calendar day without time: Python's `datetime.date`, in the years 1 to 9999. Only pickles keep
/// its type; Flask's other formats make it text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// There is no such day between the years 1 and 9999, or the text is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date between the years 1 and 9999: YYYY-MM-DD is needed")]
pub struct DateError;

impl Date {
    /// From year, month (1 to 12) and day (from 1).
    ///
    /// # Errors
    ///
    /// [`DateError`] if the calendar has no such day.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, DateError> {
        civil_seconds(year.into(), month.into(), day.into(), 0, 0, 0).ok_or(DateError)?;
        Ok(Self { year, month, day })
    }

    /// The year, 1 to 9999.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    pub fn day(self) -> u8 {
        self.day
    }

    /// Midnight of the day as an HTTP date: what Flask's JSON makes of a date.
    pub(crate) fn to_http_date(self) -> Option<String> {
        let (year, month, day) = (self.year.into(), self.month.into(), self.day.into());
        DateTime::from_unix(civil_seconds(year, month, day, 0, 0, 0)?)
            .ok()?
            .to_http_date()
    }
}

/// Python's `isoformat()`: `2024-01-02`.
impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:04}-{:02}-{:02}",
            self.year, self.month, self.day
        )
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Reads `2024-01-02`.
impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else {
            return Err(DateError);
        };
        let part = |text: &[u8]| digits(text).and_then(|number| u16::try_from(number).ok());
        let small = |text: &[u8]| part(text).and_then(|number| u8::try_from(number).ok());
        let year = part(&[y1, y2, y3, y4]).ok_or(DateError)?;
        let month = small(&[m1, m2]).ok_or(DateError)?;
        let day = small(&[d1, d2]).ok_or(DateError)?;
        Self::new(year, month, day)
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn dates_round_trip_and_bad_ones_are_refused() {
        for text in ["0001-01-01", "2024-02-29", "9999-12-31"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "2023-02-29",
            "0000-01-01",
            "2024-13-01",
            "2024-1-1",
            "2024-01-0x",
        ] {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
        let date: Date = "2024-01-02".parse().unwrap();
        assert_eq!(
            date.to_http_date().unwrap(),
            "Tue, 02 Jan 2024 00:00:00 GMT"
        );
    }
}
