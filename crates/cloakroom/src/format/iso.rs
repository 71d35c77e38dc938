//! The types that become text in MessagePack and plain JSON, as msgspec 0.22 writes them.

use crate::value::{DateTime, Time, Value};

/// The text that stands for a value, if it is of such a type.
pub(super) fn text_of(value: &Value) -> Option<String> {
    Some(match value {
        Value::Uuid(uuid) => uuid.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::DateTime(moment) => date_time(*moment),
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time_of_day(*time),
        Value::TimeDelta(span) => span.to_string(),
        _ => return None,
    })
}

/// RFC 3339 with `Z` for UTC; without an offset if naive. The time stays the local one, although the
/// offset is rounded.
fn date_time(moment: DateTime) -> String {
    let Some(offset) = moment.offset() else {
        return moment.to_string();
    };
    let local = moment.unix_seconds() + i64::from(offset);
    // The local time was checked to be within the calendar when the value was made.
    match DateTime::from_parts(local, moment.microsecond(), None) {
        Ok(naive) => format!("{naive}{}", zone(offset)),
        Err(_) => moment.to_string(),
    }
}

fn time_of_day(time: Time) -> String {
    let naive = Time::from_parts(time.second_of_day(), time.microsecond(), None);
    match (time.offset(), naive) {
        (Some(offset), Ok(naive)) => format!("{naive}{}", zone(offset)),
        _ => time.to_string(),
    }
}

/// The offset to the nearest minute, the lower one when both are as near; a whole day is none.
fn zone(offset: i32) -> String {
    match (offset.unsigned_abs() + 29) / 60 {
        0 | 1440 => "Z".to_owned(),
        minutes => {
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    }
}
