//! Dates as HTTP writes them, and the calendar arithmetic behind them.
//!
//! One format only: IMF-fixdate (RFC 9110, section 5.6.7), `Sun, 06 Nov 1994 08:49:37 GMT`, which is what Werkzeug's
//! `http_date` writes. It is always 29 bytes long, so nothing here allocates.

use std::fmt;

const SECONDS_PER_DAY: i64 = 86_400;

/// The months as dates name them.
pub(crate) const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// A moment in HTTP's own notation, ready to be copied into a header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct HttpDate([u8; HttpDate::LENGTH]);

impl HttpDate {
    /// Bytes in every HTTP date.
    pub(crate) const LENGTH: usize = 29;

    /// The moment `unix_seconds` after 1970-01-01T00:00:00Z, or `None` outside the years 1 to 9999, which four digits
    /// cannot tell.
    pub(crate) fn from_unix_seconds(unix_seconds: i64) -> Option<Self> {
        const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];

        let days = unix_seconds.div_euclid(SECONDS_PER_DAY);
        let second_of_day = unix_seconds.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        if !(1..=9999).contains(&year) {
            return None;
        }
        let weekday = usize::try_from(days.rem_euclid(7)).ok()?;
        let month_name = MONTHS.get(usize::from(month).checked_sub(1)?)?;

        let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
        text[..3].copy_from_slice(WEEKDAYS.get(weekday)?.as_slice());
        write_digits(&mut text[5..7], i64::from(day));
        text[8..11].copy_from_slice(month_name.as_slice());
        write_digits(&mut text[12..16], year);
        write_digits(&mut text[17..19], second_of_day / 3600);
        write_digits(&mut text[20..22], second_of_day / 60 % 60);
        write_digits(&mut text[23..25], second_of_day % 60);
        Some(Self(text))
    }

    /// The 29 bytes, all ASCII.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The date as text.
    pub(crate) fn as_str(&self) -> &str {
        // Never the default: only ASCII is ever written into the array.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for HttpDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Day and month are taken as given: day 0 is the
/// day before day 1, and so on.
pub(crate) fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    // The year is taken to begin in March, so that the leap day is its last day.
    let shifted_month = (i64::from(month) + 9) % 12;
    let shifted_year = year - i64::from(month <= 2);
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - EPOCH
}

/// Year, month (1 to 12) and day (1 to 31) in the proleptic Gregorian calendar of a day counted from 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> (i64, u8, u8) {
    // Beyond this no year matters here; the bound keeps the sums below from overflowing.
    let shifted = days.clamp(i64::MIN / 2, i64::MAX / 2) + EPOCH;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, small(month), small(day))
}

/// Days in the 400 years after which the Gregorian calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01, where the shifted calendar begins, to 1970-01-01.
const EPOCH: i64 = 719_468;

/// A month or day number, which always fits.
fn small(number: i64) -> u8 {
    u8::try_from(number).unwrap_or_default()
}

/// Fills `field` with `number` in decimal, with leading zeros.
fn write_digits(field: &mut [u8], mut number: i64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + small(number % 10);
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(unix_seconds: i64) -> String {
        HttpDate::from_unix_seconds(unix_seconds)
            .unwrap()
            .as_str()
            .to_owned()
    }

    #[test]
    fn dates_are_written_as_werkzeug_writes_them() {
        for (unix_seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_702_678_400, "Fri, 15 Dec 2023 22:13:20 GMT"),
            (-62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(written(unix_seconds), text);
        }
    }

    #[test]
    fn years_that_four_digits_cannot_tell_are_refused() {
        for unix_seconds in [i64::MIN, -62_135_596_801, 253_402_300_800, i64::MAX] {
            assert_eq!(HttpDate::from_unix_seconds(unix_seconds), None);
            assert!(HttpDate::from_unix_seconds(unix_seconds).is_none());
        }
    }

    #[test]
    fn every_day_of_the_calendar_goes_there_and_back() {
        // A walk of its own, so that both functions are checked against something that is neither of them.
        let (mut year, mut month, mut day) = (1_i64, 1_u8, 1_u8);
        let mut days = -719_162;
        while year < 10_000 {
            assert_eq!(days_from_civil(year, month, day), days);
            assert_eq!(civil_from_days(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            days += 1;
            day += 1;
            if day > last {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
