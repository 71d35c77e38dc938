use std::ops::Range;

use super::{
    TaggedJson,
    document::{short, slice_bytes},
    tag::Kind,
    tagged::items,
};
use crate::{
    json::{JsonError, Limits, RawText, Scanner, Token},
    value::{Dict, Text, Value},
};

/// What the document of a session holds.
pub(crate) enum Content<E> {
    /// A plain object: its entries in the order of the document, their values unread.
    Indexed(Vec<E>),
    /// A document of another shape that Python's `dict(…)` takes: null, empty text, a list of pairs,
    /// a tagged dictionary.
    Decoded(Dict),
}

/// A key: where it stands in the document, or its text if that had escapes.
pub(crate) enum IndexedKey {
    Plain(Range<u32>),
    Escaped(Box<Text>),
}

impl IndexedKey {
    /// The key's bytes in WTF-8, whose order is Python's order of text.
    #[inline]
    pub(crate) fn bytes<'a>(&'a self, document: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Plain(range) => slice_bytes(document, range),
            Self::Escaped(text) => text.as_wtf8(),
        }
    }

    pub(super) fn new(raw: &RawText, scanner: &Scanner<'_>) -> Self {
        if raw.escaped {
            Self::Escaped(raw.to_text(scanner).into())
        } else {
            Self::Plain(short(&raw.range))
        }
    }
}

/// A part of a document; ranges are kept short because a session keeps many.
#[inline]
pub(crate) fn slice<'a>(document: &'a str, range: &Range<u32>) -> &'a str {
    document
        .get(range.start as usize..range.end as usize)
        .unwrap_or_default()
}

/// Checks the whole document, tags included, and hands out where keys and values of the top level
/// are.
pub(super) fn index<E>(
    format: &TaggedJson,
    text: &str,
    limits: Limits,
    mut entry: impl FnMut(IndexedKey, Range<u32>) -> E,
) -> Result<Content<E>, JsonError> {
    if u32::try_from(text.len()).is_err() {
        return Err(JsonError::Syntax {
            expected: "the end of the text",
            position: 0,
        });
    }
    let mut scanner = Scanner::new(text, limits.max_depth);
    scanner.skip_space();
    if scanner.peek() != Some(b'{') {
        return decoded(format.read(text)?);
    }
    scanner.token()?;
    let mut entries = Vec::with_capacity((text.len() / 32).clamp(4, 64));
    let mut only_tags = true;
    let mut key = scanner.first_key()?;
    while let Some(raw) = key {
        let key_here = IndexedKey::new(&raw, &scanner);
        only_tags &= tag(format, key_here.bytes(text.as_bytes())).is_some();
        let start = scanner.position();
        skip(format, &mut scanner, text)?;
        entries.push(entry(key_here, short(&(start..scanner.position()))));
        key = scanner.next_key()?;
    }
    scanner.end()?;
    if only_tags && !entries.is_empty() {
        return decoded(format.read(text)?);
    }
    Ok(Content::Indexed(entries))
}

#[inline]
fn tag<'f>(format: &'f TaggedJson, key: &[u8]) -> Option<&'f Kind> {
    if format.may_be_tag(key) {
        format.tag(str::from_utf8(key).ok()?)
    } else {
        None
    }
}

/// Passes over one value and checks it.
#[allow(
    clippy::inline_always,
    reason = "most values are scalars, which cost less than a call"
)]
#[inline(always)]
fn skip(format: &TaggedJson, scanner: &mut Scanner<'_>, text: &str) -> Result<(), JsonError> {
    let start = scanner.position();
    match scanner.token()? {
        Token::Array => skip_array(format, scanner, text),
        Token::Object => skip_object(format, scanner, text, start),
        _ => Ok(()),
    }
}

fn skip_array(format: &TaggedJson, scanner: &mut Scanner<'_>, text: &str) -> Result<(), JsonError> {
    let mut more = scanner.first_item();
    while more {
        skip(format, scanner, text)?;
        more = scanner.next_item()?;
    }
    Ok(())
}

fn skip_object(
    format: &TaggedJson,
    scanner: &mut Scanner<'_>,
    text: &str,
    start: usize,
) -> Result<(), JsonError> {
    let mut doubtful = true;
    let mut count = 0;
    let mut key = scanner.first_key()?;
    while let Some(raw) = key {
        let here = IndexedKey::new(&raw, scanner);
        let kind = tag(format, here.bytes(text.as_bytes()));
        doubtful &= kind.is_some_and(|kind| count > 0 || !surely_fits(kind, scanner.peek()));
        count += 1;
        skip(format, scanner, text)?;
        key = scanner.next_key()?;
    }
    if doubtful && count > 0 {
        // Perhaps a tag: it is read once, to know that it can be.
        format.read(text.get(start..scanner.position()).unwrap_or_default())?;
    }
    Ok(())
}

/// Whether a tag takes any content that begins like this, as most tags do that Flask writes.
fn surely_fits(kind: &Kind, first: Option<u8>) -> bool {
    match kind {
        Kind::Tuple => first == Some(b'['),
        Kind::DateTime => first == Some(b'"'),
        Kind::Markup => true,
        _ => false,
    }
}

/// What Python's `dict(value)` makes of a document that is not a plain object; only text keys are a
/// session's.
fn decoded<E>(value: Value) -> Result<Content<E>, JsonError> {
    let pair = |item| match <[Value; 2]>::try_from(items(item)?) {
        Ok([Value::Text(key), value]) => Some((key, value)),
        _ => None,
    };
    let dict = match value {
        Value::None => Some(Dict::new()),
        Value::Dict(dict) if dict.iter().all(|(key, _)| matches!(key, Value::Text(_))) => {
            Some(dict)
        }
        Value::Dict(_) => None,
        other => items(other).and_then(|items| items.into_iter().map(pair).collect()),
    };
    dict.map(Content::Decoded).ok_or(JsonError::Syntax {
        expected: "a dictionary",
        position: 0,
    })
}
