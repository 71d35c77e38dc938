use std::{fmt, str::FromStr};

use super::{FormatError, IndexedContent, document::content_of, message_pack, pickle, plain_json};
use crate::value::{Text, Value};

/// How sessions stand in a store: Flask-Session's `SESSION_SERIALIZATION_FORMAT`, and the pickles of
/// cachelib's folders.
///
/// MessagePack and JSON are, byte for byte, what msgspec 0.22 makes of a value without type
/// information: a tuple or a set becomes a list, a naive datetime, a date, a UUID or a Decimal text.
/// A pickle keeps every type of Python's. Reading a pickle runs nothing: only numbers, text,
/// collections, dates, UUID, Decimal and Markup are made of it, and everything else is refused.
///
/// ```
/// use cloakroom::{format::Serialization, value::Value};
///
/// let format: Serialization = "msgpack".parse().unwrap();
/// let session = format.from_slice(b"\x81\xa1a\x01").unwrap();
/// assert_eq!(session.as_dict().and_then(|session| session.get("a")), Some(&Value::from(1)));
/// assert_eq!(Serialization::Json.to_bytes(&session).unwrap(), br#"{"a":1}"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias = "SESSION_SERIALIZATION_FORMAT")]
pub enum Serialization {
    /// MessagePack: Flask-Session's default.
    #[default]
    #[doc(alias = "msgpack")]
    MessagePack,
    /// JSON without tags.
    Json,
    /// Python's pickle, protocol 4.
    Pickle,
}

/// What an entry is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    Key,
    Value,
}

/// There is no serialization of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no serialization has this name: `msgpack`, `json` and `pickle` do")]
pub struct UnknownSerialization;

impl Serialization {
    /// The name: `msgpack`, `json` or `pickle`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MessagePack => "msgpack",
            Self::Json => "json",
            Self::Pickle => "pickle",
        }
    }

    /// The bytes of a value.
    ///
    /// # Errors
    ///
    /// [`FormatError`] if the format has no form for a type, a key or an integer in it, or the value
    /// nests deeper than 128 levels.
    #[doc(alias = "encode")]
    pub fn to_bytes(self, value: &Value) -> Result<Vec<u8>, FormatError> {
        let mut out = Vec::with_capacity(64);
        match self {
            Self::MessagePack => message_pack::write(&mut out, value, 0)?,
            Self::Json => plain_json::write(&mut out, value, 0)?,
            Self::Pickle => {
                pickle::write_start(&mut out);
                pickle::write(&mut out, value, 0)?;
                pickle::write_end(&mut out);
            }
        }
        Ok(out)
    }

    /// The value of bytes in this format or, as Flask-Session reads them, in one of the others:
    /// MessagePack and JSON first, then pickle. So sessions change their format by being used.
    ///
    /// # Errors
    ///
    /// [`FormatError::Unreadable`] with the reason for each format.
    #[doc(alias = "decode")]
    pub fn from_slice(self, bytes: &[u8]) -> Result<Value, FormatError> {
        self.first_that(|format| format.read_document(bytes))
            .map(|(_, value)| value)
    }

    /// Opens a session's document at the top level: checks all of it, and says where the entries are. A
    /// document in another format than this one is read as a whole.
    ///
    /// # Errors
    ///
    /// [`FormatError::NotADictionary`], or [`FormatError::Unreadable`].
    pub(crate) fn index(self, document: &[u8]) -> Result<IndexedContent, FormatError> {
        let opened = |format: Self| {
            let content = match format {
                Self::MessagePack if format == self => message_pack::index(document),
                Self::Json if format == self => plain_json::index(document),
                _ => format.read_document(document).and_then(content_of),
            };
            match content {
                // The document has been read: no other format is asked.
                Err(FormatError::NotADictionary(name)) => {
                    Ok(Err(FormatError::NotADictionary(name)))
                }
                content => content.map(Ok),
            }
        };
        let (_, content) = self.first_that(opened)?;
        content
    }

    /// Opens a session's document as [`index`](Self::index) does, in whichever format it is, and says which.
    pub(crate) fn detect(document: &[u8]) -> Result<(Self, IndexedContent), FormatError> {
        let (format, content) = Self::MessagePack.first_that(|format| {
            let content = match format {
                Self::MessagePack => message_pack::index(document),
                Self::Json => plain_json::index(document),
                Self::Pickle => pickle::from_slice(document).and_then(content_of),
            };
            match content {
                Err(FormatError::NotADictionary(name)) => {
                    Ok(Err(FormatError::NotADictionary(name)))
                }
                content => content.map(Ok),
            }
        })?;
        Ok((format, content?))
    }

    /// The value of one entry, from its bytes in an indexed document or what [`write`](Self::write) gave.
    pub(crate) fn read(self, value_bytes: &[u8]) -> Result<Value, FormatError> {
        match self {
            Self::Pickle => pickle::entry_from_slice(value_bytes),
            _ => self.read_document(value_bytes),
        }
    }

    /// Appends the value of one entry; nothing on an error.
    pub(crate) fn write(self, out: &mut Vec<u8>, value: &Value) -> Result<(), FormatError> {
        let start = out.len();
        let written = match self {
            Self::MessagePack => message_pack::write(out, value, 1),
            Self::Json => plain_json::write(out, value, 1),
            Self::Pickle => pickle::write(out, value, 1),
        };
        written.inspect_err(|_| out.truncate(start))
    }

    /// Appends the key of one entry; nothing on an error.
    pub(crate) fn write_key(self, out: &mut Vec<u8>, key: &Text) -> Result<(), FormatError> {
        match self {
            Self::MessagePack => message_pack::write_text(out, key),
            Self::Json => plain_json::write_text(out, key),
            Self::Pickle => pickle::write_text(out, key),
        }
    }

    /// Appends the key of one entry that is plain text, as most are; nothing on an error.
    pub(crate) fn write_str_key(self, out: &mut Vec<u8>, key: &str) -> Result<(), FormatError> {
        match self {
            Self::MessagePack => message_pack::write_str(out, key),
            _ => self.write_key(out, &key.into()),
        }
    }

    /// Appends a document of entries, of each of which `write` appends the half that it is asked for: part of a
    /// document, or what [`write_key`](Self::write_key) and [`write`](Self::write) give. Nothing on an error.
    pub(crate) fn assemble<T: Copy>(
        self,
        out: &mut Vec<u8>,
        entries: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Vec<u8>, T, Half) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        let start = out.len();
        let assemble = || {
            match self {
                Self::MessagePack => message_pack::write_map_header(out, entries.len())?,
                Self::Json => out.push(b'{'),
                Self::Pickle => {
                    pickle::write_start(out);
                    pickle::write_dict_start(out);
                }
            }
            for (index, entry) in entries.enumerate() {
                if self == Self::Json && index > 0 {
                    out.push(b',');
                }
                write(out, entry, Half::Key)?;
                if self == Self::Json {
                    out.push(b':');
                }
                write(out, entry, Half::Value)?;
            }
            match self {
                Self::MessagePack => {}
                Self::Json => out.push(b'}'),
                Self::Pickle => {
                    pickle::write_dict_end(out);
                    pickle::write_end(out);
                }
            }
            Ok(())
        };
        assemble().inspect_err(|_| out.truncate(start))
    }

    /// The value of a document in this format and no other.
    fn read_document(self, document: &[u8]) -> Result<Value, FormatError> {
        match self {
            Self::MessagePack => message_pack::from_slice(document),
            Self::Json => plain_json::from_slice(document),
            Self::Pickle => pickle::from_slice(document),
        }
    }

    /// What the first of the formats gives that can, in the order in which they are tried.
    fn first_that<T>(
        self,
        mut attempt: impl FnMut(Self) -> Result<T, FormatError>,
    ) -> Result<(Self, T), FormatError> {
        let order = match self {
            Self::MessagePack => [Self::MessagePack, Self::Json, Self::Pickle],
            Self::Json => [Self::Json, Self::MessagePack, Self::Pickle],
            Self::Pickle => [Self::Pickle, Self::MessagePack, Self::Json],
        };
        let mut reasons = Vec::new();
        for format in order {
            match attempt(format) {
                Ok(found) => return Ok((format, found)),
                Err(reason) => reasons.push((format, reason)),
            }
        }
        Err(FormatError::Unreadable(reasons))
    }
}

/// Flask-Session's names, and `pickle`; in any case.
impl FromStr for Serialization {
    type Err = UnknownSerialization;

    fn from_str(name: &str) -> Result<Self, UnknownSerialization> {
        [Self::MessagePack, Self::Json, Self::Pickle]
            .into_iter()
            .find(|format| name.eq_ignore_ascii_case(format.as_str()))
            .ok_or(UnknownSerialization)
    }
}

impl fmt::Display for Serialization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::{collection::vec, prelude::*};

    use super::{FormatError, Half, IndexedContent, Serialization};
    use crate::format::document::IndexedEntry;
    use crate::value::{Dict, Text, Value};

    const ALL: [Serialization; 3] = [
        Serialization::MessagePack,
        Serialization::Json,
        Serialization::Pickle,
    ];

    fn part<'a>(document: &'a [u8], range: &Range<u32>) -> &'a [u8] {
        &document[range.start as usize..range.end as usize]
    }

    fn put_together<'a>(
        format: Serialization,
        out: &mut Vec<u8>,
        parts: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>,
    ) {
        let write = |out: &mut Vec<u8>, (key, value): (&[u8], &[u8]), half| {
            out.extend_from_slice(match half {
                Half::Key => key,
                Half::Value => value,
            });
            Ok(())
        };
        format.assemble(out, parts, write).unwrap();
    }

    fn key<'a>(document: &'a [u8], entry: &'a IndexedEntry) -> Option<&'a [u8]> {
        entry.key.as_ref().map(|key| key.bytes(document))
    }

    fn unhex(hex: &str) -> Vec<u8> {
        let digit = |place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(digit).collect()
    }

    #[test]
    fn p2_a_document_is_opened_in_the_format_that_it_is_in() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/vectors/flask_session_serialization.json"
        );
        let vectors: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for row in vectors["decode"].as_array().unwrap() {
            let name = row["configured_format"].as_str().unwrap();
            let format: Serialization = name.parse().unwrap();
            let document = unhex(row["hex"].as_str().unwrap());
            let opened = format.index(&document);
            let Some(expected) = row["decoded_by"].as_str() else {
                assert!(matches!(opened, Err(FormatError::Unreadable(_))), "{row}");
                continue;
            };
            if row["value"].get("$dict").is_none() && !row["value"].is_null() {
                assert!(
                    matches!(opened, Err(FormatError::NotADictionary(_))),
                    "{row}"
                );
                continue;
            }
            let opened = opened.unwrap();
            assert_eq!(
                matches!(opened, IndexedContent::Null),
                row["value"].is_null(),
                "{row}"
            );
            // Only what is in the configured format can be left as it stands.
            let as_it_stands = matches!(opened, IndexedContent::Entries(_));
            assert!(expected == name || !as_it_stands, "{row}");
        }
    }

    #[test]
    fn an_entry_is_where_it_is_said_to_be() {
        let document = b"{ \"a\\u0062\" : [1, {\"x\":null}] ,\"c\":2}";
        let opened = Serialization::Json.index(document).unwrap();
        let IndexedContent::Entries(entries) = opened else {
            panic!("a plain object is indexed");
        };
        assert_eq!(key(document, &entries[0]), Some(&b"ab"[..]));
        assert_eq!(part(document, &entries[0].key_bytes), b"\"a\\u0062\"");
        assert_eq!(
            part(document, &entries[0].value_bytes),
            b"[1, {\"x\":null}]"
        );
        let document = b"\x82\x01\x91\xc0\xa1c\xd9\x01x";
        let opened = Serialization::MessagePack.index(document).unwrap();
        let IndexedContent::Entries(entries) = opened else {
            panic!("a map is indexed");
        };
        assert_eq!(key(document, &entries[0]), None);
        assert_eq!(part(document, &entries[0].value_bytes), b"\x91\xc0");
        assert_eq!(key(document, &entries[1]), Some(&b"c"[..]));
        assert_eq!(part(document, &entries[1].key_bytes), b"\xa1c");
        assert_eq!(part(document, &entries[1].value_bytes), b"\xd9\x01x");
    }

    #[test]
    fn a_key_that_comes_twice_counts_once() {
        let documents: [(Serialization, &[u8]); 2] = [
            (Serialization::Json, b"{\"a\":1,\"\\u0061\":2}"),
            (Serialization::MessagePack, b"\x82\xa1a\x01\xd9\x01a\x02"),
        ];
        for (format, document) in documents {
            let IndexedContent::Dict(dict) = format.index(document).unwrap() else {
                panic!("it is read as a whole");
            };
            assert_eq!(dict, Dict::from_iter([("a", 2)]));
        }
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let extension = Value::Extension(crate::value::Extension::new(5, *b"x"));
        let markup = Value::Markup(crate::value::Markup::new("x"));
        for format in ALL {
            let mut out = b"before".to_vec();
            let bad = Value::List(vec![1.into(), extension.clone(), markup.clone()]);
            assert!(format.write(&mut out, &bad).is_err());
            assert_eq!(out, b"before");
        }
        for format in [Serialization::MessagePack, Serialization::Json] {
            let lone = Text::from_code_points([0xd800]);
            assert!(format.write_key(&mut Vec::new(), &lone).is_err());
        }
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::None),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("JSON has no other", |number| number.is_finite())
                .prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ]
    }

    fn session() -> impl Strategy<Value = Dict> {
        let value = leaf().prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Value::List),
                vec(("[a-z]{1,3}", inner), 0..5)
                    .prop_map(|pairs| Value::Dict(pairs.into_iter().collect())),
            ]
        });
        vec((".{0,5}", value), 0..20).prop_map(|pairs| pairs.into_iter().collect())
    }

    proptest! {
        #[test]
        fn p3_an_untouched_document_is_put_together_the_same(session in session()) {
            for format in [Serialization::MessagePack, Serialization::Json] {
                let document = format.to_bytes(&Value::Dict(session.clone())).unwrap();
                let opened = format.index(&document).unwrap();
                let IndexedContent::Entries(entries) = opened else {
                    panic!("the keys are distinct");
                };
                let mut again = Vec::new();
                let parts = entries
                    .iter()
                    .map(|entry| (part(&document, &entry.key_bytes), part(&document, &entry.value_bytes)));
                put_together(format, &mut again, parts);
                prop_assert_eq!(&again, &document);
                for (entry, (key, value)) in entries.iter().zip(&session) {
                    let text = key.as_str().map(str::as_bytes);
                    prop_assert_eq!(self::key(&document, entry), text);
                    let read = format.read(part(&document, &entry.value_bytes)).unwrap();
                    prop_assert_eq!(&read, value);
                }
            }
        }

        #[test]
        fn p2_entries_make_the_document_that_the_whole_makes(session in session()) {
            for format in ALL {
                let mut parts = Vec::new();
                for (key, value) in &session {
                    let Value::Text(key) = key else { continue };
                    let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
                    format.write_key(&mut key_bytes, key).unwrap();
                    format.write(&mut value_bytes, value).unwrap();
                    prop_assert_eq!(&format.read(&value_bytes).unwrap(), value);
                    parts.push((key_bytes, value_bytes));
                }
                let mut document = Vec::new();
                let slices = parts.iter().map(|(key, value)| (&key[..], &value[..]));
                put_together(format, &mut document, slices);
                prop_assert_eq!(document, format.to_bytes(&Value::Dict(session.clone())).unwrap());
            }
        }

        #[test]
        fn s59_opening_and_reading_agree(bytes in vec(any::<u8>(), 0..60), text in "[\\[\\]{}\",:0-9eE.+\\- a-z\\\\]{0,40}") {
            for document in [bytes.as_slice(), text.as_bytes()] {
                for format in ALL {
                    let read = format.from_slice(document);
                    let is_session = matches!(read, Ok(Value::Dict(_) | Value::None));
                    prop_assert_eq!(format.index(document).is_ok(), is_session);
                }
            }
        }
    }
}
