//! Dates as browsers read them out of `Expires`: anything that has a time, a day, a month and a year in it.

use crate::http_date::{MONTHS, civil_from_days, days_from_civil};

/// The Unix seconds of a cookie's date (RFC 6265bis, section 5.1.1); none for what browsers ignore.
pub(super) fn cookie_date(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|byte| is_delimiter(*byte)) {
        if token.is_empty() {
            continue;
        }
        if time.is_none()
            && let Some(found) = time_of_day(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = number(token, 1, 2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = month_number(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = number(token, 2, 4)
        {
            year = Some(found);
        }
    }
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let (day, month, (hour, minute, second)) = (day?, month?, time?);
    let legal = (1..=31).contains(&day) && year >= 1601 && hour < 24 && minute < 60 && second < 60;
    let days = days_from_civil(year, month, u8::try_from(day).ok()?);
    // The 31st of a shorter month would be a day of the next one.
    let (_, _, same_day) = civil_from_days(days);
    (legal && i64::from(same_day) == day)
        .then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2F | 0x3B..=0x40 | 0x5B..=0x60 | 0x7B..=0x7E)
}

/// `hh:mm:ss`, each of one or two digits; what is no digit may follow.
fn time_of_day(token: &[u8]) -> Option<(i64, i64, i64)> {
    let mut fields = token.splitn(3, |byte| *byte == b':');
    let hour = whole(fields.next()?)?;
    let minute = whole(fields.next()?)?;
    let second = number(fields.next()?, 1, 2)?;
    Some((hour, minute, second))
}

fn whole(field: &[u8]) -> Option<i64> {
    let digits = field.iter().all(u8::is_ascii_digit);
    number(field, 1, 2).filter(|_| digits)
}

/// The number that a token begins with, of so many digits.
fn number(token: &[u8], least: usize, most: usize) -> Option<i64> {
    let digits = token
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    (least..=most).contains(&digits).then(|| {
        token[..digits]
            .iter()
            .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
    })
}

fn month_number(token: &[u8]) -> Option<u8> {
    let start = token.get(..3)?;
    let index = MONTHS
        .iter()
        .position(|month| start.eq_ignore_ascii_case(month.as_slice()))?;
    u8::try_from(index + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_browsers_do() {
        let second = 784_111_777;
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "1994 nov 6 8:49:37",
            "06-november-1994 08:49:37utc",
        ] {
            assert_eq!(cookie_date(text.as_bytes()), Some(second), "{text}");
        }
        assert_eq!(
            cookie_date(b"Thu, 01 Jan 1970 00:00:00 GMT"),
            Some(0),
            "what deletes a cookie"
        );
        for text in [
            "",
            "never",
            "Sun, 06 Nov 1994",
            "Sun, 31 Feb 2026 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "06 Nov 1500 08:49:37",
            "Sun, 00 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(cookie_date(text.as_bytes()), None, "{text}");
        }
    }
}
