use std::{fmt, str::FromStr};

use super::{
    FormatError, Indexed, IndexedContent, document::content_of, message_pack, pickle, plain_json,
};
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
    pub(crate) fn index(self, document: &[u8]) -> Result<Indexed, FormatError> {
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
        let (format, content) = self.first_that(opened)?;
        let content: IndexedContent = content?;
        Ok(Indexed { format, content })
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

    /// Appends a document of entries whose keys and values are bytes in this format: parts of a
    /// document, or written by [`write_key`](Self::write_key) and [`write`](Self::write).
    pub(crate) fn assemble<'a>(
        self,
        out: &mut Vec<u8>,
        entries: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<(), FormatError> {
        let start = out.len();
        let (separator, colon): (&[u8], &[u8]) = match self {
            Self::MessagePack => {
                message_pack::write_map_header(out, entries.len())
                    .inspect_err(|_| out.truncate(start))?;
                (b"", b"")
            }
            Self::Json => {
                out.push(b'{');
                (b",", b":")
            }
            Self::Pickle => {
                pickle::write_start(out);
                pickle::write_dict_start(out);
                (b"", b"")
            }
        };
        for (index, (key, value)) in entries.enumerate() {
            if index > 0 {
                out.extend_from_slice(separator);
            }
            out.extend_from_slice(key);
            out.extend_from_slice(colon);
            out.extend_from_slice(value);
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
