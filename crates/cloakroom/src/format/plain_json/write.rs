use std::io::Write as _;

use crate::{
    format::{FormatError, iso},
    json::{self, MAX_DEPTH},
    token::base64,
    value::{Dict, Markup, Text, Value},
};

/// Appends a value that `outer` arrays and objects are around.
pub(in crate::format) fn write(
    out: &mut Vec<u8>,
    value: &Value,
    outer: usize,
) -> Result<(), FormatError> {
    write_value(out, value, MAX_DEPTH.saturating_sub(outer))
}

/// Appends text as a string literal.
pub(in crate::format) fn write_text(out: &mut Vec<u8>, text: &Text) -> Result<(), FormatError> {
    text.as_str().ok_or(FormatError::Surrogates)?;
    json::write_text(out, text, false);
    Ok(())
}

fn write_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), FormatError> {
    match value {
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(int) => {
            // Writing into a vector cannot fail.
            let _ = write!(out, "{int}");
        }
        Value::Float(float) if float.is_finite() => {
            out.extend_from_slice(json::float_compact(*float).as_bytes());
        }
        // Not a number and the infinities are null in JSON.
        Value::None | Value::Float(_) => out.extend_from_slice(b"null"),
        Value::Text(text) => write_text(out, text)?,
        Value::Bytes(bytes) => write_ascii(out, &base64::encode_standard(bytes)),
        Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::FrozenSet(items) => {
            let depth = deeper(depth)?;
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, item, depth)?;
            }
            out.push(b']');
        }
        Value::Dict(dict) => write_dict(out, dict, depth)?,
        other => match iso::text_of(other) {
            Some(text) => write_ascii(out, &text),
            None => return Err(FormatError::Unsupported(other.type_name())),
        },
    }
    Ok(())
}

fn write_dict(out: &mut Vec<u8>, dict: &Dict, depth: usize) -> Result<(), FormatError> {
    let depth = deeper(depth)?;
    out.push(b'{');
    for (index, (key, value)) in dict.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_key(out, key)?;
        out.push(b':');
        write_value(out, value, depth)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_key(out: &mut Vec<u8>, key: &Value) -> Result<(), FormatError> {
    match key {
        // Of the subclasses of text, msgspec takes none as a value and all as a key.
        Value::Text(text) | Value::Markup(Markup(text)) => write_text(out, text)?,
        Value::Int(int) => write_ascii(out, &int.to_string()),
        Value::Float(float) if float.is_finite() => write_ascii(out, &json::float_compact(*float)),
        Value::Float(float) => write_ascii(out, &json::float_repr(*float)),
        Value::Bytes(bytes) => write_ascii(out, &base64::encode_standard(bytes)),
        other => match iso::text_of(other) {
            Some(text) => write_ascii(out, &text),
            None => return Err(FormatError::Key(other.type_name())),
        },
    }
    Ok(())
}

/// Text that needs no escapes.
fn write_ascii(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn deeper(depth: usize) -> Result<usize, FormatError> {
    depth
        .checked_sub(1)
        .ok_or(FormatError::TooDeep { limit: MAX_DEPTH })
}
