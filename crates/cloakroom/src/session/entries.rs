use std::{borrow::Cow, ops::Range};

use crate::{
    format::{Content, IndexedKey, TaggedJson, escaped_key, slice},
    json::JsonError,
    value::{Dict, Text, Value},
};

/// A session's entries, in order of their keys. What came in and was not changed stays the bytes it
/// came as, until somebody asks for its value.
pub(crate) struct Entries {
    /// The JSON text that came in.
    document: String,
    list: Vec<Entry>,
    /// How many entries came in.
    opened: usize,
    /// Whether anything was set or removed since.
    touched: bool,
}

struct Entry {
    key: IndexedKey,
    slot: Slot,
}

enum Slot {
    /// Untouched: a range of the document.
    Document(Range<u32>),
    /// Set in this request.
    Changed(Box<Changed>),
}

struct Changed {
    value: Value,
    json: Vec<u8>,
    /// The text in whose place it stands.
    before: Option<Range<u32>>,
}

impl Entries {
    pub(crate) fn empty() -> Self {
        Self {
            document: String::new(),
            list: Vec::new(),
            opened: 0,
            touched: false,
        }
    }

    /// Checks the document and takes it in.
    pub(crate) fn open(format: &TaggedJson, document: String) -> Result<Self, JsonError> {
        let entry = |key, value| Entry {
            key,
            slot: Slot::Document(value),
        };
        match format.index(&document, entry)? {
            Content::Indexed(list) => {
                let mut entries = Self {
                    opened: list.len(),
                    list,
                    document,
                    touched: false,
                };
                entries.sort();
                Ok(entries)
            }
            Content::Decoded(dict) => {
                let mut entries = Self::empty();
                for (key, value) in dict {
                    let Value::Text(key) = key else { continue };
                    entries.put(format, key.as_wtf8(), value, || key.clone())?;
                }
                Ok(Self {
                    document,
                    touched: false,
                    ..entries
                })
            }
        }
    }

    /// Puts the entries in order; of one key the last counts. What Flask wrote is in order already.
    fn sort(&mut self) {
        let document = &self.document;
        let key = |entry: &'_ Entry| entry.key.bytes(document).to_vec();
        if self
            .list
            .is_sorted_by(|left, right| left.key.bytes(document) < right.key.bytes(document))
        {
            return;
        }
        self.list.sort_by_cached_key(key);
        self.list.reverse();
        self.list
            .dedup_by(|left, right| left.key.bytes(document) == right.key.bytes(document));
        self.list.reverse();
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = Cow<'_, Text>> {
        self.list.iter().map(|entry| self.key_text(entry))
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.find(key.as_bytes()).is_ok()
    }

    pub(crate) fn get(&self, format: &TaggedJson, key: &str) -> Option<Value> {
        let place = self.find(key.as_bytes()).ok()?;
        self.list.get(place).map(|entry| self.value(format, entry))
    }

    /// Sets a value; on an error nothing has changed.
    pub(crate) fn set(
        &mut self,
        format: &TaggedJson,
        key: &str,
        value: Value,
    ) -> Result<(), JsonError> {
        self.put(format, key.as_bytes(), value, || key.into())
    }

    fn put(
        &mut self,
        format: &TaggedJson,
        key: &[u8],
        value: Value,
        text: impl FnOnce() -> Text,
    ) -> Result<(), JsonError> {
        let mut json = Vec::with_capacity(32);
        format.write(&mut json, &value)?;
        self.touched = true;
        match self.find(key) {
            Ok(place) => {
                let slot = &mut self.list[place].slot;
                let before = match slot {
                    Slot::Document(range) => Some(range.clone()),
                    Slot::Changed(changed) => changed.before.take(),
                };
                *slot = Slot::Changed(Box::new(Changed {
                    value,
                    json,
                    before,
                }));
            }
            Err(place) => {
                let slot = Slot::Changed(Box::new(Changed {
                    value,
                    json,
                    before: None,
                }));
                self.list.insert(
                    place,
                    Entry {
                        key: IndexedKey::Escaped(text()),
                        slot,
                    },
                );
            }
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, format: &TaggedJson, key: &str) -> Option<Value> {
        let place = self.find(key.as_bytes()).ok()?;
        let entry = self.list.remove(place);
        self.touched = true;
        Some(self.value(format, &entry))
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.touched = true;
    }

    pub(crate) fn to_dict(&self, format: &TaggedJson) -> Dict {
        self.list
            .iter()
            .map(|entry| (self.key_text(entry).into_owned(), self.value(format, entry)))
            .collect()
    }

    /// Whether writing them would give another text than they came from.
    pub(crate) fn differ(&self) -> bool {
        self.list.len() != self.opened
            || self.list.iter().any(|entry| match &entry.slot {
                Slot::Document(_) => false,
                Slot::Changed(changed) => {
                    let before = changed.before.as_ref();
                    before.is_none_or(|before| self.slice(before).as_bytes() != changed.json)
                }
            })
    }

    /// The session's JSON text: untouched entries as they came, the others as Flask writes them.
    pub(crate) fn to_json(&self, format: &TaggedJson) -> Vec<u8> {
        if !self.touched && !self.document.is_empty() {
            return self.document.as_bytes().to_vec();
        }
        let mut out = Vec::with_capacity(self.document.len() + 64);
        self.write(format, &mut out);
        out
    }

    fn write(&self, format: &TaggedJson, out: &mut Vec<u8>) {
        if let [only] = &self.list[..] {
            let key = self.key_text(only);
            if let Some(key) = key.as_str().filter(|key| format.is_tag(key)) {
                out.extend_from_slice(b"{\" di\":{");
                format.write_key(out, &escaped_key(key).into());
                out.push(b':');
                out.extend_from_slice(self.json(only));
                out.extend_from_slice(b"}}");
                return;
            }
        }
        out.push(b'{');
        for (index, entry) in self.list.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match &entry.key {
                // A key without escapes stands in the document as it has to be written, if it is printable ASCII.
                IndexedKey::Plain(range)
                    if self
                        .slice(range)
                        .bytes()
                        .all(|byte| matches!(byte, b' '..=b'~')) =>
                {
                    out.push(b'"');
                    out.extend_from_slice(self.slice(range).as_bytes());
                    out.push(b'"');
                }
                _ => format.write_key(out, &self.key_text(entry)),
            }
            out.push(b':');
            out.extend_from_slice(self.json(entry));
        }
        out.push(b'}');
    }

    /// The largest keys with the bytes of their values' text.
    pub(crate) fn largest(&self, count: usize) -> Vec<(String, usize)> {
        let mut sizes: Vec<(String, usize)> = self
            .list
            .iter()
            .map(|entry| (self.key_text(entry).to_string(), self.json(entry).len()))
            .collect();
        sizes.sort_by(|(_, left), (_, right)| right.cmp(left));
        sizes.truncate(count);
        sizes
    }

    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.list
            .binary_search_by(|entry| entry.key.bytes(&self.document).cmp(key))
    }

    fn slice(&self, range: &Range<u32>) -> &str {
        slice(&self.document, range)
    }

    fn key_text<'a>(&'a self, entry: &'a Entry) -> Cow<'a, Text> {
        match &entry.key {
            IndexedKey::Plain(range) => Cow::Owned(self.slice(range).into()),
            IndexedKey::Escaped(text) => Cow::Borrowed(text),
        }
    }

    fn json<'a>(&'a self, entry: &'a Entry) -> &'a [u8] {
        match &entry.slot {
            Slot::Document(range) => self.slice(range).as_bytes(),
            Slot::Changed(changed) => &changed.json,
        }
    }

    fn value(&self, format: &TaggedJson, entry: &Entry) -> Value {
        match &entry.slot {
            Slot::Document(range) => {
                let json = self.slice(range);
                match json.parse::<i64>() {
                    // An id or a counter, as most entries are, needs no reader.
                    Ok(int) => Value::from(int),
                    // Opening the session has checked that every entry can be read.
                    Err(_) => format.read(json).unwrap_or_default(),
                }
            }
            Slot::Changed(changed) => changed.value.clone(),
        }
    }
}
