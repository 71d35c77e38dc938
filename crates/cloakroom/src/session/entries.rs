use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use super::PERMANENT;
use crate::{
    Error,
    format::{
        Content, Format, FormatError, Half, IndexedContent, IndexedKey, Serialization, TaggedJson,
        escaped_key, slice,
    },
    json::JsonError,
    value::{Dict, Text, Value},
};

/// A session's entries. What came in and was not changed stays the bytes it came as, until somebody asks
/// for its value.
pub(crate) struct Entries {
    document: Document,
    /// In order of their keys.
    list: Vec<Entry>,
    /// Entries of a store whose keys are no text, so that only Python code can reach them.
    others: Vec<Other>,
    /// How many entries came in.
    opened: usize,
    /// Whether anything was set or removed since.
    touched: bool,
    /// The place of the next entry.
    next: u32,
}

/// What came in.
enum Document {
    /// A cookie's JSON text.
    Text(String),
    /// A store's value.
    Bytes(Bytes),
}

struct Entry {
    key: IndexedKey,
    slot: Slot,
    /// Where it stands among the others in a store's value, which keeps the order of insertion.
    place: u32,
}

enum Slot {
    /// Untouched: a range of the document.
    Document(Range<u32>),
    /// Untouched, from a document that had to be read as a whole.
    Decoded(Box<Value>),
    /// Set in this request.
    Changed(Box<Changed>),
}

struct Changed {
    value: Value,
    encoded: Vec<u8>,
    /// The bytes in whose place it stands.
    before: Option<Range<u32>>,
}

/// An entry as it stands in the document.
struct Other {
    key: Vec<u8>,
    value: Vec<u8>,
    place: u32,
}

/// What a store's value is put together from.
#[derive(Clone, Copy)]
enum Part<'a> {
    Entry(&'a Entry),
    Other(&'a Other),
}

impl Part<'_> {
    fn place(&self) -> u32 {
        match self {
            Self::Entry(entry) => entry.place,
            Self::Other(other) => other.place,
        }
    }
}

impl Entries {
    pub(crate) fn empty() -> Self {
        Self {
            document: Document::Text(String::new()),
            list: Vec::new(),
            others: Vec::new(),
            opened: 0,
            touched: false,
            next: 0,
        }
    }

    /// Checks a cookie's document and takes it in.
    pub(crate) fn open(format: &TaggedJson, document: String) -> Result<Self, JsonError> {
        let entry = |key, value| Entry {
            key,
            slot: Slot::Document(value),
            place: 0,
        };
        match format.index(&document, entry)? {
            Content::Indexed(list) => {
                let mut entries = Self {
                    opened: list.len(),
                    list,
                    document: Document::Text(document),
                    ..Self::empty()
                };
                entries.sort();
                Ok(entries)
            }
            Content::Decoded(dict) => {
                let mut entries = Self::empty();
                for (key, value) in dict {
                    let Value::Text(key) = key else { continue };
                    let mut encoded = Vec::with_capacity(32);
                    format.write(&mut encoded, &value)?;
                    entries.put(key.as_wtf8(), Changed::new(value, encoded), || key.clone());
                }
                Ok(Self {
                    document: Document::Text(document),
                    touched: false,
                    ..entries
                })
            }
        }
    }

    /// Checks a store's value and takes it in; none if it says that there is no session.
    pub(crate) fn open_stored(
        format: Serialization,
        document: Bytes,
    ) -> Result<Option<Self>, FormatError> {
        let mut entries = Self::empty();
        match format.index(&document)? {
            IndexedContent::Null => return Ok(None),
            IndexedContent::Entries(list) => {
                let bytes = |range: &Range<u32>| {
                    let range = range.start as usize..range.end as usize;
                    document.get(range).unwrap_or_default().to_vec()
                };
                entries.list.reserve_exact(list.len());
                for entry in list {
                    let place = entries.next_place();
                    match entry.key {
                        Some(key) => entries.list.push(Entry {
                            key,
                            slot: Slot::Document(entry.value_bytes),
                            place,
                        }),
                        None => entries.others.push(Other {
                            key: bytes(&entry.key_bytes),
                            value: bytes(&entry.value_bytes),
                            place,
                        }),
                    }
                }
            }
            IndexedContent::Dict(dict) => {
                for (key, value) in dict {
                    let place = entries.next_place();
                    match key {
                        Value::Text(key) => entries.list.push(Entry {
                            key: IndexedKey::Escaped(key.into()),
                            slot: Slot::Decoded(value.into()),
                            place,
                        }),
                        key => entries
                            .others
                            .push(Other::encode(format, &key, &value, place)?),
                    }
                }
            }
        }
        entries.opened = entries.list.len();
        entries.document = Document::Bytes(document);
        entries.sort();
        Ok(Some(entries))
    }

    /// Puts the entries in order; of one key the last counts. What Flask wrote is in order already.
    fn sort(&mut self) {
        let (document, list) = (self.document.bytes(), &mut self.list);
        let compare = |left: &Entry, right: &Entry| {
            let left = left.key.bytes(document);
            left.cmp(right.key.bytes(document))
        };
        if list.is_sorted_by(|left, right| compare(left, right).is_lt()) {
            return;
        }
        list.sort_by(compare);
        list.reverse();
        list.dedup_by(|left, right| compare(left, right).is_eq());
        list.reverse();
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len() + self.others.len()
    }

    /// Whether there is nothing but these keys.
    pub(crate) fn holds_only(&self, keys: &[&str]) -> bool {
        self.len() == keys.iter().filter(|key| self.contains(key)).count()
    }

    /// The keys that are text, in order of their code points.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Cow<'_, Text>> {
        self.list.iter().map(|entry| self.key_text(entry))
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.find(key.as_bytes()).is_ok()
    }

    pub(crate) fn get(&self, format: &Format, key: &str) -> Option<Value> {
        let place = self.find(key.as_bytes()).ok()?;
        self.list.get(place).map(|entry| self.value(format, entry))
    }

    /// Sets a value; on an error nothing has changed.
    pub(crate) fn insert(&mut self, format: &Format, key: &str, value: Value) -> Result<(), Error> {
        let mut encoded = Vec::with_capacity(32);
        let written = match format {
            Format::Tagged(format) => format.write(&mut encoded, &value).map_err(Into::into),
            Format::Stored(format) => format.write(&mut encoded, &value),
        };
        written.map_err(|source| Error::Write {
            key: key.to_owned(),
            source,
        })?;
        self.put(key.as_bytes(), Changed::new(value, encoded), || key.into());
        Ok(())
    }

    fn put(&mut self, key: &[u8], mut changed: Changed, text: impl FnOnce() -> Text) {
        self.touched = true;
        match self.find(key) {
            Ok(place) => {
                let slot = &mut self.list[place].slot;
                changed.before = match slot {
                    Slot::Document(range) => Some(range.clone()),
                    Slot::Changed(changed) => changed.before.take(),
                    Slot::Decoded(_) => None,
                };
                *slot = Slot::Changed(Box::new(changed));
            }
            Err(index) => {
                let entry = Entry {
                    key: IndexedKey::Escaped(text().into()),
                    slot: Slot::Changed(Box::new(changed)),
                    place: self.next_place(),
                };
                self.list.insert(index, entry);
            }
        }
    }

    pub(crate) fn remove(&mut self, format: &Format, key: &str) -> Option<Value> {
        let place = self.find(key.as_bytes()).ok()?;
        let entry = self.list.remove(place);
        self.touched = true;
        Some(self.value(format, &entry))
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.others.clear();
        self.touched = true;
    }

    /// As Flask-Session clears: whether the session is permanent is kept, as no if it was not said.
    pub(crate) fn clear_but_permanent(&mut self, format: &Format) -> Result<(), Error> {
        let permanent = self.get(format, PERMANENT).unwrap_or(Value::Bool(false));
        self.clear();
        self.insert(format, PERMANENT, permanent)
    }

    pub(crate) fn to_dict(&self, format: &Format) -> Dict {
        let entries = self.in_order(format).into_iter();
        entries
            .map(|entry| (self.key_text(entry).into_owned(), self.value(format, entry)))
            .collect()
    }

    /// Whether writing them would give another text than they came from.
    pub(crate) fn differ(&self) -> bool {
        self.list.len() != self.opened
            || self.list.iter().any(|entry| match &entry.slot {
                Slot::Document(_) | Slot::Decoded(_) => false,
                Slot::Changed(changed) => {
                    let before = changed.before.as_ref();
                    before.is_none_or(|before| self.document.slice(before) != changed.encoded)
                }
            })
    }

    /// The session's document: untouched entries as they came, the others as Python writes them.
    pub(crate) fn to_bytes(&self, format: &Format) -> Result<Vec<u8>, Error> {
        let document = self.document.bytes();
        if !self.touched && !document.is_empty() {
            return Ok(document.to_vec());
        }
        let mut out = Vec::with_capacity(document.len() + 64);
        match format {
            Format::Tagged(format) => self.write_tagged(format, &mut out),
            Format::Stored(format) => self.write_stored(*format, &mut out)?,
        }
        Ok(out)
    }

    fn write_tagged(&self, format: &TaggedJson, out: &mut Vec<u8>) {
        if let [only] = &self.list[..] {
            let key = self.key_text(only);
            if let Some(key) = key.as_str().filter(|key| format.is_tag(key)) {
                out.extend_from_slice(b"{\" di\":{");
                format.write_key(out, &escaped_key(key).into());
                out.push(b':');
                out.extend_from_slice(self.encoded(only));
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
                        .document
                        .slice(range)
                        .iter()
                        .all(|byte| matches!(byte, b' '..=b'~')) =>
                {
                    out.push(b'"');
                    out.extend_from_slice(self.document.slice(range));
                    out.push(b'"');
                }
                _ => format.write_key(out, &self.key_text(entry)),
            }
            out.push(b':');
            out.extend_from_slice(self.encoded(entry));
        }
        out.push(b'}');
    }

    fn write_stored(&self, format: Serialization, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut parts: Vec<Part<'_>> = Vec::with_capacity(self.len());
        parts.extend(self.list.iter().map(Part::Entry));
        parts.extend(self.others.iter().map(Part::Other));
        parts.sort_unstable_by_key(Part::place);
        let mut unwritable = None;
        let written = format.assemble(out, parts.into_iter(), |out, part, half| {
            let entry = match part {
                Part::Entry(entry) => entry,
                Part::Other(other) => {
                    out.extend_from_slice(match half {
                        Half::Key => &other.key,
                        Half::Value => &other.value,
                    });
                    return Ok(());
                }
            };
            let written = match (half, &entry.key, &entry.slot) {
                (Half::Key, IndexedKey::Plain(range), _) => {
                    format.write_str_key(out, self.document.str(range))
                }
                (Half::Key, IndexedKey::Escaped(key), _) => format.write_key(out, key),
                (Half::Value, _, Slot::Decoded(value)) => format.write(out, value),
                (Half::Value, ..) => {
                    out.extend_from_slice(self.encoded(entry));
                    Ok(())
                }
            };
            written.inspect_err(|_| unwritable = Some(entry))
        });
        written.map_err(|source| match unwritable {
            Some(entry) => Error::Write {
                key: self.key_text(entry).to_string(),
                source,
            },
            None => Error::Unwritable(source),
        })
    }

    /// The largest keys with the bytes of their values' text.
    pub(crate) fn largest(&self, count: usize) -> Vec<(String, usize)> {
        let mut sizes: Vec<(String, usize)> = self
            .list
            .iter()
            .map(|entry| (self.key_text(entry).to_string(), self.encoded(entry).len()))
            .collect();
        sizes.sort_by(|(_, left), (_, right)| right.cmp(left));
        sizes.truncate(count);
        sizes
    }

    /// Each key that is text, with its value and the bytes that the value takes.
    #[cfg(feature = "inspector")]
    pub(crate) fn inspect(&self, format: &Format) -> Vec<(String, Value, usize)> {
        let entries = self.in_order(format).into_iter();
        entries
            .map(|entry| {
                let value = self.value(format, entry);
                let bytes = match (&entry.slot, format) {
                    (Slot::Decoded(value), Format::Stored(format)) => {
                        let mut encoded = Vec::new();
                        // Of a value that was read, so it can be written.
                        let _ = format.write(&mut encoded, value);
                        encoded.len()
                    }
                    _ => self.encoded(entry).len(),
                };
                (self.key_text(entry).to_string(), value, bytes)
            })
            .collect()
    }

    fn next_place(&mut self) -> u32 {
        let place = self.next;
        self.next += 1;
        place
    }

    /// As Python would list them: sorted from a cookie, in order of insertion from a store.
    fn in_order(&self, format: &Format) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.list.iter().collect();
        if let Format::Stored(_) = format {
            entries.sort_by_key(|entry| entry.place);
        }
        entries
    }

    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        let document = self.document.bytes();
        self.list
            .binary_search_by(|entry| entry.key.bytes(document).cmp(key))
    }

    fn key_text<'a>(&'a self, entry: &'a Entry) -> Cow<'a, Text> {
        match &entry.key {
            IndexedKey::Plain(range) => Cow::Owned(self.document.str(range).into()),
            IndexedKey::Escaped(text) => Cow::Borrowed(text),
        }
    }

    /// The bytes of an entry's value; none yet of one that was read as a whole.
    fn encoded<'a>(&'a self, entry: &'a Entry) -> &'a [u8] {
        match &entry.slot {
            Slot::Document(range) => self.document.slice(range),
            Slot::Changed(changed) => &changed.encoded,
            Slot::Decoded(_) => &[],
        }
    }

    fn value(&self, format: &Format, entry: &Entry) -> Value {
        match (&entry.slot, format) {
            (Slot::Changed(changed), _) => changed.value.clone(),
            (Slot::Decoded(value), _) => (**value).clone(),
            // Opening the session has checked that every entry can be read.
            (Slot::Document(range), Format::Stored(format)) => {
                format.read(self.document.slice(range)).unwrap_or_default()
            }
            (Slot::Document(range), Format::Tagged(format)) => {
                let json = self.document.str(range);
                match json.parse::<i64>() {
                    // An id or a counter, as most entries are, needs no reader.
                    Ok(int) => Value::from(int),
                    Err(_) => format.read(json).unwrap_or_default(),
                }
            }
        }
    }
}

impl Document {
    /// A part of it that is known to be text.
    #[inline]
    fn str(&self, range: &Range<u32>) -> &str {
        match self {
            Self::Text(text) => slice(text, range),
            Self::Bytes(_) => str::from_utf8(self.slice(range)).unwrap_or_default(),
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    #[inline]
    fn slice(&self, range: &Range<u32>) -> &[u8] {
        self.bytes()
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }
}

impl Changed {
    fn new(value: Value, encoded: Vec<u8>) -> Self {
        Self {
            value,
            encoded,
            before: None,
        }
    }
}

impl Other {
    fn encode(
        format: Serialization,
        key: &Value,
        value: &Value,
        place: u32,
    ) -> Result<Self, FormatError> {
        let mut other = Self {
            key: Vec::new(),
            value: Vec::new(),
            place,
        };
        match format {
            // JSON has no other keys than text.
            Serialization::Json => format.write_key(&mut other.key, &key.to_string().into())?,
            _ => format.write(&mut other.key, key)?,
        }
        format.write(&mut other.value, value)?;
        Ok(other)
    }
}
