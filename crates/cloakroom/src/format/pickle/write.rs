use super::{
    MAX_DEPTH,
    read::{check_hashable, deeper},
};
use crate::{
    format::FormatError,
    value::{Date, DateTime, Int, Text, Time, TimeDelta, Value},
};

/// Appends what a pickle begins with: protocol 4, which every Python since 3.4 loads.
pub(in crate::format) fn write_start(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x80, 4]);
}

/// Appends what a pickle ends with.
pub(in crate::format) fn write_end(out: &mut Vec<u8>) {
    out.push(b'.');
}

/// Appends what keys and values of a dictionary follow.
pub(in crate::format) fn write_dict_start(out: &mut Vec<u8>) {
    out.extend_from_slice(b"}(");
}

/// Appends what follows the keys and values of a dictionary.
pub(in crate::format) fn write_dict_end(out: &mut Vec<u8>) {
    out.push(b'u');
}

/// Appends a value that `outer` collections are around. Nothing in it is shared, so that it can stand
/// anywhere.
pub(in crate::format) fn write(
    out: &mut Vec<u8>,
    value: &Value,
    outer: usize,
) -> Result<(), FormatError> {
    write_value(out, value, MAX_DEPTH.saturating_sub(outer))
}

/// Appends text.
pub(in crate::format) fn write_text(out: &mut Vec<u8>, text: &Text) -> Result<(), FormatError> {
    let bytes = text.as_wtf8();
    write_length(out, bytes.len(), 0x8c, b'X')?;
    out.extend_from_slice(bytes);
    Ok(())
}

fn write_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), FormatError> {
    match value {
        Value::None => out.push(b'N'),
        Value::Bool(true) => out.push(0x88),
        Value::Bool(false) => out.push(0x89),
        Value::Int(int) => write_int(out, int)?,
        Value::Float(value) => {
            out.push(b'G');
            out.extend_from_slice(&value.to_be_bytes());
        }
        Value::Text(text) => write_text(out, text)?,
        Value::Bytes(bytes) => write_bytes(out, bytes)?,
        Value::List(items) => {
            out.extend_from_slice(b"](");
            write_items(out, items, depth)?;
            out.push(b'e');
        }
        Value::Tuple(items) => {
            out.push(b'(');
            write_items(out, items, depth)?;
            out.push(b't');
        }
        Value::Set(items) => {
            items.iter().try_for_each(check_hashable)?;
            out.extend_from_slice(&[0x8f, b'(']);
            write_items(out, items, depth)?;
            out.push(0x90);
        }
        Value::FrozenSet(items) => {
            items.iter().try_for_each(check_hashable)?;
            out.push(b'(');
            write_items(out, items, depth)?;
            out.push(0x91);
        }
        Value::Dict(dict) => {
            let depth = deeper(depth)?;
            write_dict_start(out);
            for (key, value) in dict {
                check_hashable(key)?;
                write_value(out, key, depth)?;
                write_value(out, value, depth)?;
            }
            write_dict_end(out);
        }
        Value::Markup(markup) => {
            write_class(out, "markupsafe", "Markup");
            write_text(out, &markup.0)?;
            out.extend_from_slice(&[0x85, 0x81]);
        }
        Value::Uuid(uuid) => {
            write_class(out, "uuid", "UUID");
            out.extend_from_slice(b")\x81}\x8c\x03int");
            write_int(out, &u128::from_be_bytes(uuid.into_bytes()).into())?;
            out.extend_from_slice(b"sb");
        }
        Value::Decimal(number) => {
            write_class(out, "decimal", "Decimal");
            write_text(out, &number.as_str().into())?;
            out.extend_from_slice(b"\x85R");
        }
        Value::DateTime(moment) => write_date_time(out, *moment)?,
        Value::Date(date) => {
            write_class(out, "datetime", "date");
            write_bytes(out, &date_state(*date))?;
            out.extend_from_slice(b"\x85R");
        }
        Value::Time(time) => write_time(out, *time)?,
        Value::TimeDelta(span) => {
            let (days, seconds, microseconds) = span.parts();
            write_time_delta(out, days, seconds, microseconds)?;
        }
        Value::Extension(_) => return Err(FormatError::Unsupported(value.type_name())),
    }
    Ok(())
}

fn write_items(out: &mut Vec<u8>, items: &[Value], depth: usize) -> Result<(), FormatError> {
    let depth = deeper(depth)?;
    items
        .iter()
        .try_for_each(|item| write_value(out, item, depth))
}

fn write_int(out: &mut Vec<u8>, int: &Int) -> Result<(), FormatError> {
    if let Some(short) = int.as_i64().and_then(|int| i32::try_from(int).ok()) {
        if let Ok(byte) = u8::try_from(short) {
            out.extend_from_slice(&[b'K', byte]);
        } else {
            out.push(b'J');
            out.extend_from_slice(&short.to_le_bytes());
        }
        return Ok(());
    }
    let bytes = int.to_twos_complement();
    write_length(out, bytes.len(), 0x8a, 0x8b)?;
    out.extend_from_slice(&bytes);
    Ok(())
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), FormatError> {
    write_length(out, bytes.len(), b'C', b'B')?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// The operation for a length of one byte, or for one of four.
fn write_length(out: &mut Vec<u8>, length: usize, short: u8, long: u8) -> Result<(), FormatError> {
    if let Ok(length) = u8::try_from(length) {
        out.extend_from_slice(&[short, length]);
        return Ok(());
    }
    // Of an integer the four bytes are signed.
    let length =
        i32::try_from(length).map_err(|_| FormatError::TooLarge("more than 2 GiB in one value"))?;
    out.push(long);
    out.extend_from_slice(&length.to_le_bytes());
    Ok(())
}

fn write_class(out: &mut Vec<u8>, module: &str, name: &str) {
    for text in [module, name] {
        out.push(0x8c);
        // All of these names are short.
        out.push(u8::try_from(text.len()).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
    }
    out.push(0x93);
}

fn write_date_time(out: &mut Vec<u8>, moment: DateTime) -> Result<(), FormatError> {
    let local = moment.unix_seconds() + i64::from(moment.offset().unwrap_or(0));
    // The local time was checked to be within the calendar when the value was made.
    let (year, month, day) = crate::http_date::civil_from_days(local.div_euclid(86_400));
    let date = u16::try_from(year)
        .ok()
        .and_then(|year| Date::new(year, month, day).ok())
        .ok_or(FormatError::DateRange)?;
    let second = u32::try_from(local.rem_euclid(86_400)).map_err(|_| FormatError::DateRange)?;
    let mut state = date_state(date).to_vec();
    state.extend_from_slice(&clock_state(second, moment.microsecond()));
    write_class(out, "datetime", "datetime");
    write_bytes(out, &state)?;
    write_zone_and_call(out, moment.offset())
}

fn write_time(out: &mut Vec<u8>, time: Time) -> Result<(), FormatError> {
    write_class(out, "datetime", "time");
    write_bytes(out, &clock_state(time.second_of_day(), time.microsecond()))?;
    write_zone_and_call(out, time.offset())
}

/// Calls the class before the state, with the timezone if there is one.
fn write_zone_and_call(out: &mut Vec<u8>, offset: Option<i32>) -> Result<(), FormatError> {
    let Some(offset) = offset else {
        out.extend_from_slice(b"\x85R");
        return Ok(());
    };
    write_class(out, "datetime", "timezone");
    let span = TimeDelta::from_microseconds(i128::from(offset) * 1_000_000)
        .map_err(|_| FormatError::DateRange)?;
    let (days, seconds, microseconds) = span.parts();
    write_time_delta(out, days, seconds, microseconds)?;
    out.extend_from_slice(b"\x85R\x86R");
    Ok(())
}

fn write_time_delta(
    out: &mut Vec<u8>,
    days: i32,
    seconds: u32,
    microseconds: u32,
) -> Result<(), FormatError> {
    write_class(out, "datetime", "timedelta");
    write_int(out, &days.into())?;
    write_int(out, &seconds.into())?;
    write_int(out, &microseconds.into())?;
    out.extend_from_slice(b"\x87R");
    Ok(())
}

fn date_state(date: Date) -> [u8; 4] {
    let [y1, y2] = date.year().to_be_bytes();
    [y1, y2, date.month(), date.day()]
}

/// Hour, minute, second and the three low bytes of the microseconds.
fn clock_state(second_of_day: u32, microsecond: u32) -> [u8; 6] {
    let part = |number: u32| u8::try_from(number).unwrap_or_default();
    let [_, u1, u2, u3] = microsecond.to_be_bytes();
    [
        part(second_of_day / 3600),
        part(second_of_day / 60 % 60),
        part(second_of_day % 60),
        u1,
        u2,
        u3,
    ]
}
