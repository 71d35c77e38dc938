use std::ops::Range;

use super::TaggedJson;
use crate::{
    json::{JsonError, Limits, RawText, Scanner, Token},
    value::{Dict, Text, Value},
};

/// What the document of a session holds.
pub(crate) enum Content {
    /// Entries in order of their keys (by code point), none twice, their values unread.
    Indexed(Vec<IndexedEntry>),
    /// A document of another shape that Python's `dict(…)` takes: null, a list of pairs, a tagged
    /// dictionary.
    Decoded(Dict),
}

/// One top-level entry: where its value stands in the document.
pub(crate) struct IndexedEntry {
    pub(crate) key: IndexedKey,
    pub(crate) value: Range<usize>,
}

/// A key: where it stands in the document, or its text if that had escapes.
pub(crate) enum IndexedKey {
    Plain(Range<usize>),
    Escaped(Text),
}

impl IndexedKey {
    /// The key's bytes in WTF-8, in whose order the entries are.
    pub(crate) fn bytes<'a>(&'a self, document: &'a str) -> &'a [u8] {
        match self {
            Self::Plain(range) => document.as_bytes().get(range.clone()).unwrap_or_default(),
            Self::Escaped(text) => text.as_wtf8(),
        }
    }

    fn new(raw: &RawText, scanner: &Scanner<'_>) -> Self {
        if raw.escaped {
            Self::Escaped(raw.to_text(scanner))
        } else {
            Self::Plain(raw.range.clone())
        }
    }
}

/// Checks the whole document, tags included, and notes where the values of the top level are.
pub(super) fn index(format: &TaggedJson, text: &str, limits: Limits) -> Result<Content, JsonError> {
    let mut scanner = Scanner::new(text, limits.max_depth);
    scanner.skip_space();
    if scanner.peek() != Some(b'{') {
        return decoded(format.read(text)?);
    }
    scanner.token()?;
    let mut entries: Vec<IndexedEntry> = Vec::with_capacity(4);
    let mut sorted = true;
    let mut key = scanner.first_key()?;
    while let Some(raw) = key {
        let key_here = IndexedKey::new(&raw, &scanner);
        let start = scanner.position();
        skip(format, &mut scanner, text)?;
        let entry = IndexedEntry {
            key: key_here,
            value: start..scanner.position(),
        };
        sorted &= entries
            .last()
            .is_none_or(|last| last.key.bytes(text) < entry.key.bytes(text));
        entries.push(entry);
        key = scanner.next_key()?;
    }
    scanner.end()?;
    if !sorted {
        // Stable, so of one key the last entry comes last, and that is the one which counts.
        entries.sort_by(|left, right| left.key.bytes(text).cmp(right.key.bytes(text)));
        entries.reverse();
        entries.dedup_by(|right, left| left.key.bytes(text) == right.key.bytes(text));
        entries.reverse();
    }
    match &entries[..] {
        [only] if is_tag(format, only.key.bytes(text)) => decoded(format.read(text)?),
        _ => Ok(Content::Indexed(entries)),
    }
}

fn is_tag(format: &TaggedJson, key: &[u8]) -> bool {
    str::from_utf8(key).is_ok_and(|key| format.is_tag(key))
}

/// Passes over one value and checks it. What a tag may stand for is read once, to know that it can be.
fn skip(format: &TaggedJson, scanner: &mut Scanner<'_>, text: &str) -> Result<(), JsonError> {
    let start = scanner.position();
    match scanner.token()? {
        Token::Array => {
            let mut more = scanner.first_item()?;
            while more {
                skip(format, scanner, text)?;
                more = scanner.next_item()?;
            }
        }
        Token::Object => {
            let mut tagged = false;
            let mut count = 0;
            let mut key = scanner.first_key()?;
            while let Some(raw) = key {
                let here = IndexedKey::new(&raw, scanner);
                tagged = (count == 0 || tagged) && is_tag(format, here.bytes(text));
                count += 1;
                skip(format, scanner, text)?;
                key = scanner.next_key()?;
            }
            if tagged {
                format.read(text.get(start..scanner.position()).unwrap_or_default())?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// What Python's `dict(value)` makes of a document that is not a plain object; only text keys are a
/// session's.
fn decoded(value: Value) -> Result<Content, JsonError> {
    let pair = |item: Value| match item {
        Value::List(pair) | Value::Tuple(pair) => match <[Value; 2]>::try_from(pair) {
            Ok([Value::Text(key), value]) => Some((key, value)),
            _ => None,
        },
        _ => None,
    };
    let dict = match value {
        Value::None => Some(Dict::new()),
        Value::Dict(dict) if dict.iter().all(|(key, _)| matches!(key, Value::Text(_))) => {
            Some(dict)
        }
        Value::List(items) | Value::Tuple(items) => items.into_iter().map(pair).collect(),
        _ => None,
    };
    dict.map(Content::Decoded).ok_or(JsonError::Syntax {
        expected: "a dictionary",
        position: 0,
    })
}
