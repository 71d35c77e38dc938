use crate::{
    format::FormatError,
    value::{Date, DateTime, Int, Markup, Time, TimeDelta, Uuid, Value},
};

/// All that a pickle may name. Nothing of it does anything but hold a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    DateTime,
    Date,
    Time,
    TimeDelta,
    TimeZone,
    Uuid,
    Decimal,
    Markup,
    Set,
    FrozenSet,
    Bytes,
    ByteArray,
    /// `object` and `str`, as bases that `_reconstructor` is told.
    Object,
    Str,
    /// `_codecs.encode`: bytes in protocols 0 to 2.
    Encode,
    /// `copyreg._reconstructor`: objects in protocols 0 and 1.
    Reconstructor,
}

impl Class {
    pub(super) fn find(module: &[u8], name: &[u8]) -> Result<Self, FormatError> {
        Ok(match (module, name) {
            (b"datetime", b"datetime") => Self::DateTime,
            (b"datetime", b"date") => Self::Date,
            (b"datetime", b"time") => Self::Time,
            (b"datetime", b"timedelta") => Self::TimeDelta,
            (b"datetime", b"timezone") => Self::TimeZone,
            (b"uuid", b"UUID") => Self::Uuid,
            (b"decimal", b"Decimal") => Self::Decimal,
            (b"markupsafe", b"Markup") => Self::Markup,
            (b"builtins" | b"__builtin__", b"set") => Self::Set,
            (b"builtins" | b"__builtin__", b"frozenset") => Self::FrozenSet,
            (b"builtins" | b"__builtin__", b"bytes") => Self::Bytes,
            (b"builtins" | b"__builtin__", b"bytearray") => Self::ByteArray,
            (b"builtins" | b"__builtin__", b"object") => Self::Object,
            (b"builtins", b"str") | (b"__builtin__", b"unicode" | b"str") => Self::Str,
            (b"_codecs", b"encode") => Self::Encode,
            (b"copyreg" | b"copy_reg", b"_reconstructor") => Self::Reconstructor,
            _ => return Err(FormatError::ForbiddenClass),
        })
    }

    /// Its name, for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DateTime => "datetime",
            Self::Date => "date",
            Self::Time => "time",
            Self::TimeDelta => "timedelta",
            Self::TimeZone => "timezone",
            Self::Uuid => "UUID",
            Self::Decimal => "Decimal",
            Self::Markup => "Markup",
            Self::Set => "set",
            Self::FrozenSet => "frozenset",
            Self::Bytes | Self::Encode => "bytes",
            Self::ByteArray => "bytearray",
            Self::Object | Self::Reconstructor => "object",
            Self::Str => "str",
        }
    }
}

/// An argument of a class.
pub(super) enum Argument<'a> {
    Value(&'a Value),
    /// A timezone, in seconds east of UTC.
    Zone(i32),
    /// Anything else, which no class below takes.
    Other,
}

/// The value that a class makes of arguments without items; none if it does not take them.
pub(super) fn scalar(class: Class, arguments: &[Argument<'_>]) -> Option<Value> {
    use Argument::{Value as Of, Zone};
    Some(match (class, arguments) {
        (Class::DateTime, [Of(Value::Bytes(state))]) => date_time(state, None)?.into(),
        (Class::DateTime, [Of(Value::Bytes(state)), Zone(zone)]) => {
            date_time(state, Some(*zone))?.into()
        }
        (Class::Date, [Of(Value::Bytes(state))]) => date(state)?.into(),
        (Class::Time, [Of(Value::Bytes(state))]) => time(state, None)?.into(),
        (Class::Time, [Of(Value::Bytes(state)), Zone(zone)]) => time(state, Some(*zone))?.into(),
        (
            Class::TimeDelta,
            [
                Of(Value::Int(days)),
                Of(Value::Int(seconds)),
                Of(Value::Int(microseconds)),
            ],
        ) => time_delta(days, seconds, microseconds)?.into(),
        (Class::Decimal, [Of(Value::Text(text))]) => Value::Decimal(text.as_str()?.parse().ok()?),
        (Class::Markup, [Of(Value::Text(text))]) => Markup(text.clone()).into(),
        (Class::Bytes | Class::ByteArray, []) => Value::Bytes(Vec::new()),
        (Class::Bytes | Class::ByteArray, [Of(Value::Bytes(bytes))]) => Value::Bytes(bytes.clone()),
        (Class::Encode | Class::ByteArray, [Of(Value::Text(text)), Of(Value::Text(codec))])
            if *codec == *"latin1" || *codec == *"latin-1" =>
        {
            let bytes: Result<Vec<u8>, _> = text.code_points().map(u8::try_from).collect();
            Value::Bytes(bytes.ok()?)
        }
        _ => return None,
    })
}

/// The offset of a timezone in whole seconds; its name, if it has one, is dropped.
pub(super) fn zone(arguments: &[Argument<'_>]) -> Option<i32> {
    let (Argument::Value(Value::TimeDelta(offset)), [] | [Argument::Value(Value::Text(_))]) =
        arguments.split_first()?
    else {
        return None;
    };
    let microseconds = offset.as_microseconds();
    let seconds = i32::try_from(microseconds / 1_000_000).ok()?;
    (microseconds % 1_000_000 == 0 && seconds.abs() < 86_400).then_some(seconds)
}

/// The UUID of the number in its state.
pub(super) fn uuid(number: &Int) -> Option<Uuid> {
    number
        .as_u128()
        .map(|number| Uuid::from_bytes(number.to_be_bytes()))
}

/// Year, month, day; then the time. The month's high bit tells the second of two equal local times,
/// which is dropped.
fn date_time(state: &[u8], zone: Option<i32>) -> Option<DateTime> {
    let (day, time) = state.split_at_checked(4)?;
    let [y1, y2, month, day] = *day else {
        return None;
    };
    let (second, microsecond) = clock(time)?;
    let naive: DateTime = format!("{}T00:00:00", date(&[y1, y2, month & 0x7f, day])?)
        .parse()
        .ok()?;
    let local = naive.unix_seconds() + i64::from(second);
    DateTime::from_parts(local - i64::from(zone.unwrap_or(0)), microsecond, zone).ok()
}

fn date(state: &[u8]) -> Option<Date> {
    let [y1, y2, month, day] = *state else {
        return None;
    };
    Date::new(u16::from_be_bytes([y1, y2]), month, day).ok()
}

/// The hour's high bit tells the second of two equal local times, which is dropped.
fn time(state: &[u8], zone: Option<i32>) -> Option<Time> {
    let (hour, rest) = state.split_first()?;
    let state: Vec<u8> = [hour & 0x7f].iter().chain(rest).copied().collect();
    let (second, microsecond) = clock(&state)?;
    Time::from_parts(second, microsecond, zone).ok()
}

/// Seconds of the day and microseconds.
fn clock(state: &[u8]) -> Option<(u32, u32)> {
    let [hour, minute, second, u1, u2, u3] = *state else {
        return None;
    };
    let in_range = hour < 24 && minute < 60 && second < 60;
    in_range.then_some((
        u32::from(hour) * 3600 + u32::from(minute) * 60 + u32::from(second),
        u32::from_be_bytes([0, u1, u2, u3]),
    ))
}

fn time_delta(days: &Int, seconds: &Int, microseconds: &Int) -> Option<TimeDelta> {
    let part = |int: &Int| int.as_i64().map(i128::from);
    let seconds = part(days)? * 86_400 + part(seconds)?;
    TimeDelta::from_microseconds(seconds * 1_000_000 + part(microseconds)?).ok()
}
