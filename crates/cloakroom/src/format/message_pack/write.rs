use super::{MAX_DEPTH, TIMESTAMP, read::deeper};
use crate::{
    format::{FormatError, iso},
    value::{DateTime, Dict, Extension, Int, Text, Value},
};

/// Appends a value that `outer` arrays and maps are around.
pub(in crate::format) fn write(
    out: &mut Vec<u8>,
    value: &Value,
    outer: usize,
) -> Result<(), FormatError> {
    write_value(out, value, MAX_DEPTH.saturating_sub(outer))
}

/// Appends the start of an array.
pub(in crate::format) fn write_array_header(
    out: &mut Vec<u8>,
    count: usize,
) -> Result<(), FormatError> {
    write_length(out, count, Lengths::ARRAY)
}

/// Appends nothing, as a value.
pub(in crate::format) fn write_nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Appends the start of bytes, which follow.
pub(in crate::format) fn write_bytes_header(
    out: &mut Vec<u8>,
    length: usize,
) -> Result<(), FormatError> {
    write_length(out, length, Lengths::BYTES)
}

/// Appends bytes.
pub(in crate::format) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), FormatError> {
    write_bytes_header(out, bytes.len())?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends the start of an extension, whose data follow.
pub(in crate::format) fn write_extension_header(
    out: &mut Vec<u8>,
    code: i8,
    length: usize,
) -> Result<(), FormatError> {
    match length {
        1 => out.push(0xd4),
        2 => out.push(0xd5),
        4 => out.push(0xd6),
        8 => out.push(0xd7),
        16 => out.push(0xd8),
        length => write_length(out, length, Lengths::EXTENSION)?,
    }
    out.extend_from_slice(&code.to_be_bytes());
    Ok(())
}

/// Appends the start of a map.
pub(in crate::format) fn write_map_header(
    out: &mut Vec<u8>,
    count: usize,
) -> Result<(), FormatError> {
    write_length(out, count, Lengths::MAP)
}

/// Appends text.
pub(in crate::format) fn write_text(out: &mut Vec<u8>, text: &Text) -> Result<(), FormatError> {
    write_str(out, text.as_str().ok_or(FormatError::Surrogates)?)
}

fn write_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), FormatError> {
    match value {
        Value::None => write_nil(out),
        Value::Bool(value) => out.push(0xc2 + u8::from(*value)),
        Value::Int(int) => write_int(out, int)?,
        Value::Float(value) => {
            out.push(0xcb);
            out.extend_from_slice(&value.to_be_bytes());
        }
        Value::Text(text) => write_text(out, text)?,
        Value::Bytes(bytes) => write_bytes(out, bytes)?,
        Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::FrozenSet(items) => {
            let depth = deeper(depth)?;
            write_array_header(out, items.len())?;
            for item in items {
                write_value(out, item, depth)?;
            }
        }
        Value::Dict(dict) => write_dict(out, dict, depth)?,
        Value::DateTime(moment) if moment.offset().is_some() => write_timestamp(out, *moment)?,
        Value::Extension(extension) => write_extension(out, extension)?,
        other => match iso::text_of(other) {
            Some(text) => write_str(out, &text)?,
            None => return Err(FormatError::Unsupported(other.type_name())),
        },
    }
    Ok(())
}

fn write_dict(out: &mut Vec<u8>, dict: &Dict, depth: usize) -> Result<(), FormatError> {
    let depth = deeper(depth)?;
    write_map_header(out, dict.len())?;
    for (key, value) in dict {
        if let Some(name) = key.unhashable() {
            return Err(FormatError::Key(name));
        }
        match key {
            // Of the subclasses of text, msgspec takes none as a value and all as a key.
            Value::Markup(markup) => write_text(out, &markup.0)?,
            key => write_value(out, key, depth)?,
        }
        write_value(out, value, depth)?;
    }
    Ok(())
}

/// Appends a number in its smallest form.
pub(in crate::format) fn write_u64(out: &mut Vec<u8>, value: u64) {
    if let Ok(small) = u8::try_from(value) {
        if small > 0x7f {
            out.push(0xcc);
        }
        out.push(small);
    } else if let Ok(small) = u16::try_from(value) {
        out.push(0xcd);
        out.extend_from_slice(&small.to_be_bytes());
    } else if let Ok(small) = u32::try_from(value) {
        out.push(0xce);
        out.extend_from_slice(&small.to_be_bytes());
    } else {
        out.push(0xcf);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// The smallest form; what is not negative is unsigned.
fn write_int(out: &mut Vec<u8>, int: &Int) -> Result<(), FormatError> {
    if let Some(value) = int.as_u64() {
        write_u64(out, value);
        return Ok(());
    }
    let value = int.as_i64().ok_or(FormatError::IntRange)?;
    if let Ok(small) = i8::try_from(value) {
        if small < -32 {
            out.push(0xd0);
        }
        out.extend_from_slice(&small.to_be_bytes());
    } else if let Ok(small) = i16::try_from(value) {
        out.push(0xd1);
        out.extend_from_slice(&small.to_be_bytes());
    } else if let Ok(small) = i32::try_from(value) {
        out.push(0xd2);
        out.extend_from_slice(&small.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend_from_slice(&value.to_be_bytes());
    }
    Ok(())
}

/// Appends text.
pub(in crate::format) fn write_str(out: &mut Vec<u8>, text: &str) -> Result<(), FormatError> {
    write_length(out, text.len(), Lengths::TEXT)?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// The smallest of the three timestamps that holds the moment, in UTC.
fn write_timestamp(out: &mut Vec<u8>, moment: DateTime) -> Result<(), FormatError> {
    let seconds = moment.unix_seconds();
    DateTime::from_unix(seconds).map_err(|_| FormatError::DateRange)?;
    let nanoseconds = moment.microsecond() * 1000;
    let [code] = TIMESTAMP.to_be_bytes();
    match (u32::try_from(seconds), u64::try_from(seconds)) {
        (Ok(short), _) if nanoseconds == 0 => {
            out.extend_from_slice(&[0xd6, code]);
            out.extend_from_slice(&short.to_be_bytes());
        }
        (_, Ok(longer)) if longer < 1 << 34 => {
            out.extend_from_slice(&[0xd7, code]);
            out.extend_from_slice(&(u64::from(nanoseconds) << 34 | longer).to_be_bytes());
        }
        _ => {
            out.extend_from_slice(&[0xc7, 12, code]);
            out.extend_from_slice(&nanoseconds.to_be_bytes());
            out.extend_from_slice(&seconds.to_be_bytes());
        }
    }
    Ok(())
}

fn write_extension(out: &mut Vec<u8>, extension: &Extension) -> Result<(), FormatError> {
    let data = extension.data();
    write_extension_header(out, extension.code(), data.len())?;
    out.extend_from_slice(data);
    Ok(())
}

/// How one kind of value announces its length.
struct Lengths {
    /// The first byte and the number of lengths that fit into it, if any do.
    within: Option<(u8, u8)>,
    /// The first byte before a length of one, two and four bytes.
    u8: Option<u8>,
    u16: u8,
    u32: u8,
}

impl Lengths {
    const TEXT: Self = Self {
        within: Some((0xa0, 32)),
        u8: Some(0xd9),
        u16: 0xda,
        u32: 0xdb,
    };
    const BYTES: Self = Self {
        within: None,
        u8: Some(0xc4),
        u16: 0xc5,
        u32: 0xc6,
    };
    const EXTENSION: Self = Self {
        within: None,
        u8: Some(0xc7),
        u16: 0xc8,
        u32: 0xc9,
    };
    const ARRAY: Self = Self {
        within: Some((0x90, 16)),
        u8: None,
        u16: 0xdc,
        u32: 0xdd,
    };
    const MAP: Self = Self {
        within: Some((0x80, 16)),
        u8: None,
        u16: 0xde,
        u32: 0xdf,
    };
}

fn write_length(out: &mut Vec<u8>, length: usize, lengths: Lengths) -> Result<(), FormatError> {
    if let (Ok(short), Some((first, count))) = (u8::try_from(length), lengths.within)
        && short < count
    {
        out.push(first | short);
    } else if let (Ok(short), Some(first)) = (u8::try_from(length), lengths.u8) {
        out.extend_from_slice(&[first, short]);
    } else if let Ok(short) = u16::try_from(length) {
        out.push(lengths.u16);
        out.extend_from_slice(&short.to_be_bytes());
    } else if let Ok(short) = u32::try_from(length) {
        out.push(lengths.u32);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        return Err(FormatError::TooLarge("more than 4 GiB in one value"));
    }
    Ok(())
}
