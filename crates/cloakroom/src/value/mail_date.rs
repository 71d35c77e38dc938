//! Dates as Python's `email` package reads them, which is what Flask's ` d` tag is read with.

use super::{DateTime, datetime::civil_seconds};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const LONG_MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Hours east of UTC of the zone names of RFC 822.
const ZONES: [(&str, i64); 14] = [
    ("UT", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("AST", -4),
    ("ADT", -3),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

/// Reads RFC 2822, RFC 850 and `asctime` dates with the tolerance of Python 3.11: the weekday is
/// optional and unchecked, an unknown zone is UTC, day and month as well as year and time may swap.
pub(super) fn parse(text: &str) -> Option<DateTime> {
    let mut words: Vec<&str> = text
        .split(python_space)
        .filter(|word| !word.is_empty())
        .collect();
    drop_weekday(&mut words)?;
    if let [date, _, _] = words[..] {
        let parts: Vec<&str> = date.split('-').collect();
        if parts.len() == 3 {
            words.splice(0..1, parts);
        }
    }
    if let [_, _, _, last] = words[..] {
        // The zone may be glued to the time: `07:28:00+0200`.
        match last.find('+').or_else(|| last.find('-')) {
            Some(place) if place > 0 => {
                words[3] = &last[..place];
                words.push(&last[place..]);
            }
            _ => words.push(""),
        }
    }
    let [mut day, mut month, mut year, mut time, mut zone] = *words.get(..5)? else {
        return None;
    };
    if [day, month, year].contains(&"") {
        return None;
    }
    if month_number(month).is_none() {
        (day, month) = (month, day);
    }
    let month = month_number(month)?;
    day = strip_comma(day);
    if year.find(':').is_some_and(|place| place > 0) {
        (year, time) = (time, year);
    }
    year = strip_comma(year);
    if !year.chars().next()?.is_numeric() {
        (year, zone) = (zone, year);
    }
    let (hour, minute, second) = time_of_day(strip_comma(time))?;
    let year = match integer(year)? {
        short @ ..=68 => short + 2000,
        short @ 69..=99 => short + 1900,
        year => year,
    };
    let offset = zone_seconds(zone);
    let local = civil_seconds(year, month, integer(day)?, hour, minute, second)?;
    DateTime::from_parts(local - offset, 0, Some(i32::try_from(offset).ok()?)).ok()
}

/// What Python's `str.split()` splits at.
fn python_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

fn drop_weekday(words: &mut Vec<&str>) -> Option<()> {
    let first = *words.first()?;
    if first.ends_with(',') || DAYS.contains(&first.to_lowercase().as_str()) {
        words.remove(0);
    } else if let Some(place) = first.rfind(',') {
        words[0] = &first[place + 1..];
    }
    Some(())
}

fn month_number(word: &str) -> Option<i64> {
    let word = word.to_lowercase();
    let place = MONTHS
        .iter()
        .position(|name| *name == word)
        .or_else(|| LONG_MONTHS.iter().position(|name| *name == word))?;
    i64::try_from(place + 1).ok()
}

fn strip_comma(word: &str) -> &str {
    word.strip_suffix(',').unwrap_or(word)
}

/// `hh:mm`, `hh:mm:ss`, or the same with dots.
fn time_of_day(text: &str) -> Option<(i64, i64, i64)> {
    let separator = if text.contains(':') { ':' } else { '.' };
    let parts: Vec<&str> = text.split(separator).collect();
    match parts[..] {
        [hour, minute] => Some((integer(hour)?, integer(minute)?, 0)),
        [hour, minute, second] => Some((integer(hour)?, integer(minute)?, integer(second)?)),
        _ => None,
    }
}

/// Seconds east of UTC; 0 for a zone that nobody knows.
fn zone_seconds(zone: &str) -> i64 {
    let zone = zone.to_uppercase();
    if let Some((_, hours)) = ZONES.iter().find(|(name, _)| *name == zone) {
        return hours * 3600;
    }
    match integer(&zone) {
        Some(number) => number.signum() * (number.abs() / 100 * 3600 + number.abs() % 100 * 60),
        None => 0,
    }
}

/// Python's `int(text)` as far as dates need it: a sign is fine, more than nine digits are not.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
