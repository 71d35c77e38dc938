use std::{collections::HashSet, ops::Range};

use super::{FormatError, IndexedKey};
use crate::value::{Dict, Value};

/// A session's document, opened at the top level.
pub(crate) enum IndexedContent {
    /// None: Flask-Session takes it for no session.
    Null,
    /// A dictionary with distinct keys, its entries in the order of the document, their values unread.
    /// The whole document has been checked.
    Entries(Vec<IndexedEntry>),
    /// A dictionary that had to be read as a whole: a pickle, a format that was fallen back to, or one
    /// with a key that comes twice.
    Dict(Dict),
}

/// Where one entry is.
pub(crate) struct IndexedEntry {
    /// The key, if it is text.
    pub(crate) key: Option<IndexedKey>,
    /// The key as it stands in the document; in JSON with its quotes.
    pub(crate) key_bytes: Range<u32>,
    pub(crate) value_bytes: Range<u32>,
}

/// A range in a document that is known to be shorter than 4 GiB.
#[allow(
    clippy::cast_possible_truncation,
    reason = "documents of 4 GiB and more are refused"
)]
pub(super) fn short(range: &Range<usize>) -> Range<u32> {
    range.start as u32..range.end as u32
}

/// Refuses documents whose ranges would not be short.
pub(super) fn check_length(document: &[u8]) -> Result<(), FormatError> {
    match u32::try_from(document.len()) {
        Ok(_) => Ok(()),
        Err(_) => Err(FormatError::TooLarge("a document of 4 GiB or more")),
    }
}

/// Whether each key comes once.
pub(super) fn keys_are_distinct(document: &[u8], entries: &[IndexedEntry]) -> bool {
    fn identity<'a>(document: &'a [u8], entry: &'a IndexedEntry) -> (bool, &'a [u8]) {
        match &entry.key {
            Some(key) => (true, key.bytes(document)),
            None => (false, slice_bytes(document, &entry.key_bytes)),
        }
    }
    if entries.len() <= 8 {
        return entries.iter().enumerate().all(|(place, entry)| {
            let before = entries.iter().take(place);
            let key = identity(document, entry);
            before
                .into_iter()
                .all(|other| identity(document, other) != key)
        });
    }
    let mut seen = HashSet::with_capacity(entries.len());
    entries
        .iter()
        .all(|entry| seen.insert(identity(document, entry)))
}

fn slice_bytes<'a>(document: &'a [u8], range: &Range<u32>) -> &'a [u8] {
    document
        .get(range.start as usize..range.end as usize)
        .unwrap_or_default()
}

/// A whole value as a session's content.
pub(super) fn content_of(value: Value) -> Result<IndexedContent, FormatError> {
    match value {
        Value::None => Ok(IndexedContent::Null),
        Value::Dict(dict) => Ok(IndexedContent::Dict(dict)),
        other => Err(FormatError::NotADictionary(other.type_name())),
    }
}
