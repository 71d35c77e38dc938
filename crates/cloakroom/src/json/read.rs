use std::borrow::Cow;

use super::{
    JsonError, Limits,
    scan::{RawText, Scanner, Token},
};
use crate::value::{Dict, Int, Text, TextBuilder, Value};

/// The value of a JSON document, as Python's `json.loads` reads its bytes.
///
/// # Errors
///
/// [`JsonError`] if the bytes are not UTF-8, not JSON, or beyond the limits.
pub fn from_slice(bytes: &[u8], limits: Limits) -> Result<Value, JsonError> {
    read(utf8(bytes)?, limits, &PlainObjects)
}

pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, JsonError> {
    str::from_utf8(bytes).map_err(|error| JsonError::Utf8 {
        position: error.valid_up_to(),
    })
}

/// What becomes of an object once its members are read: itself, or what a tag makes of it.
pub(crate) trait Objects {
    fn finish(&self, dict: Dict) -> Result<Value, JsonError>;
}

struct PlainObjects;

impl Objects for PlainObjects {
    fn finish(&self, dict: Dict) -> Result<Value, JsonError> {
        Ok(Value::Dict(dict))
    }
}

pub(crate) fn read(text: &str, limits: Limits, objects: &impl Objects) -> Result<Value, JsonError> {
    let mut scanner = Scanner::new(text, limits.max_depth);
    scanner.skip_space();
    let value = value(&mut scanner, objects)?;
    scanner.end()?;
    Ok(value)
}

fn value(scanner: &mut Scanner<'_>, objects: &impl Objects) -> Result<Value, JsonError> {
    let start = scanner.position();
    let token = scanner.token()?;
    let range = start..scanner.position();
    Ok(match token {
        Token::Null => Value::None,
        Token::Bool(value) => Value::Bool(value),
        // The scanner only lets through what these can read.
        Token::Int => {
            Value::Int(Int::from_decimal(ascii(scanner.slice(range))).unwrap_or(Int::from(0)))
        }
        Token::Float => Value::Float(ascii(scanner.slice(range)).parse().unwrap_or(f64::NAN)),
        Token::Text { escaped } => {
            let range = range.start + 1..range.end - 1;
            Value::Text(RawText { range, escaped }.to_text(scanner))
        }
        Token::Array => {
            let mut items = Vec::new();
            let mut more = scanner.first_item();
            while more {
                items.push(value(scanner, objects)?);
                more = scanner.next_item()?;
            }
            Value::List(items)
        }
        Token::Object => {
            let mut pairs = Vec::new();
            let mut key = scanner.first_key()?;
            while let Some(raw) = key {
                pairs.push((raw.to_text(scanner), value(scanner, objects)?));
                key = scanner.next_key()?;
            }
            objects.finish(Dict::from_text_pairs(pairs))?
        }
    })
}

fn ascii(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

impl RawText {
    /// The text with its escapes resolved.
    pub(crate) fn to_text(&self, scanner: &Scanner<'_>) -> Text {
        match self.as_plain(scanner) {
            Some(plain) => Text::from(plain),
            None => unescape(scanner.slice(self.range.clone())),
        }
    }

    /// The text, if it stands in the document as it is.
    pub(crate) fn as_plain<'a>(&self, scanner: &Scanner<'a>) -> Option<&'a str> {
        if self.escaped {
            None
        } else {
            str::from_utf8(scanner.slice(self.range.clone())).ok()
        }
    }
}

fn unescape(mut raw: &[u8]) -> Text {
    let mut text = TextBuilder::default();
    loop {
        let plain = raw
            .iter()
            .position(|byte| *byte == b'\\')
            .unwrap_or(raw.len());
        text.push_str(&lossy(&raw[..plain]));
        let [_, kind, rest @ ..] = &raw[plain..] else {
            return text.finish();
        };
        raw = rest;
        match kind {
            b'u' => {
                let (digits, rest) = raw.split_at_checked(4).unwrap_or((raw, &[]));
                text.push_code_point(u32::from_str_radix(&lossy(digits), 16).unwrap_or(0xfffd));
                raw = rest;
            }
            b'b' => text.push_str("\u{8}"),
            b'f' => text.push_str("\u{c}"),
            b'n' => text.push_str("\n"),
            b'r' => text.push_str("\r"),
            b't' => text.push_str("\t"),
            other => text.push_str(char::from(*other).encode_utf8(&mut [0; 4])),
        }
    }
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
