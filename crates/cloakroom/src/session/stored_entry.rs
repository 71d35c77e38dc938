use std::{borrow::Cow, fmt};

use super::{
    Handle, PERMANENT,
    identity::{CREATED, HANDLE, SUBJECT},
};
use crate::{
    format::{
        FormatError, IndexedContent, RecordHeader, Serialization, record::Envelope, record::Kind,
    },
    value::{Dict, Value},
};

/// What a store holds for one session, looked at without the visitor's cookie: for tools of operators. Nothing is
/// changed by it, and what is not asked for is not built.
///
/// ```
/// use cloakroom::{Handle, SessionConfig, SessionManager, StoredEntry, store::{MemoryStore, Store}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::from(MemoryStore::new());
/// let manager = SessionManager::stored(store.clone(), SessionConfig::default())?;
/// let session = manager.new_session();
/// session.login("alice")?;
/// session.insert("cart", vec![17, 4])?;
/// session.save().await?;
///
/// for listed in store.list("session:", None, 100).await?.entries {
///     let record = store.load(&listed.key).await?.expect("it was listed just now");
///     let entry = StoredEntry::read(&record.value)?.expect("it holds a session");
///     assert_eq!(entry.layout().to_string(), "flask msgpack");
///     assert_eq!(entry.subject().as_deref(), Some("alice"));
///     assert!(entry.keys().any(|key| key.name == "cart" && key.size == 8));
///     println!("{} has {} bytes", Handle::of_key(&listed.key), listed.size);
/// }
/// # Ok(()) }
/// ```
pub struct StoredEntry<'a> {
    layout: StoredLayout,
    header: Option<RecordHeader>,
    document: &'a [u8],
    content: Content,
}

/// How an entry of a store is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoredLayout {
    /// As Flask-Session writes it: the session and nothing else.
    Flask(Serialization),
    /// In a native record with readable content.
    Native(Serialization),
    /// In a native record whose content only the visitor's cookie opens.
    Sealed,
}

/// A key of a session, as it stands in the store.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredKey<'a> {
    /// Its name; of a key that is no text, what Python prints of it.
    pub name: Cow<'a, str>,
    /// The bytes that it takes with its value. Of a pickle, which has no such parts, those that they would take alone.
    pub size: usize,
}

enum Content {
    Sealed,
    Indexed(Serialization, Vec<crate::format::IndexedEntry>),
    Whole(Serialization, Dict),
}

/// Where Flask's own tutorial keeps the user.
const TUTORIAL_SUBJECT: &str = "user_id";

impl<'a> StoredEntry<'a> {
    /// Looks at an entry's bytes; none if they say that there is no session, as a tombstone does.
    ///
    /// # Errors
    ///
    /// [`FormatError::NotADictionary`] for what is no session, such as the list of a user's sessions;
    /// [`FormatError::Unreadable`], or what is wrong with a native record.
    pub fn read(value: &'a [u8]) -> Result<Option<Self>, FormatError> {
        if value.is_empty() {
            return Ok(None);
        }
        let (header, document, layout): (_, _, fn(Serialization) -> StoredLayout) =
            if Envelope::begins(value) {
                let envelope = Envelope::read(value)?;
                let header = Some(envelope.header);
                if envelope.kind == Kind::Sealed {
                    return Ok(Some(Self {
                        layout: StoredLayout::Sealed,
                        header,
                        document: envelope.content,
                        content: Content::Sealed,
                    }));
                }
                (header, envelope.content, StoredLayout::Native)
            } else {
                (None, value, StoredLayout::Flask)
            };
        let (serialization, content) = Serialization::detect(document)?;
        let content = match content {
            IndexedContent::Null => return Ok(None),
            IndexedContent::Entries(entries) => Content::Indexed(serialization, entries),
            IndexedContent::Dict(dict) => Content::Whole(serialization, dict),
        };
        Ok(Some(Self {
            layout: layout(serialization),
            header,
            document,
            content,
        }))
    }

    /// How it is written.
    pub fn layout(&self) -> StoredLayout {
        self.layout
    }

    /// What a native record says of its session to everybody; none in Flask's layout.
    pub fn header(&self) -> Option<&RecordHeader> {
        self.header.as_ref()
    }

    /// How many keys the session has; none if it is sealed.
    #[allow(
        clippy::len_without_is_empty,
        reason = "none and zero are two things here"
    )]
    pub fn len(&self) -> Option<usize> {
        match &self.content {
            Content::Sealed => None,
            Content::Indexed(_, entries) => Some(entries.len()),
            Content::Whole(_, dict) => Some(dict.len()),
        }
    }

    /// The session's keys in the order in which they stand there; nothing if it is sealed.
    pub fn keys(&self) -> impl Iterator<Item = StoredKey<'_>> {
        let (indexed, whole) = match &self.content {
            Content::Sealed => (None, None),
            Content::Indexed(format, entries) => (Some((*format, entries)), None),
            Content::Whole(format, dict) => (None, Some((*format, dict))),
        };
        let indexed = indexed.into_iter().flat_map(move |(format, entries)| {
            entries.iter().map(move |entry| {
                let name = match &entry.key {
                    Some(key) => String::from_utf8_lossy(key.bytes(self.document)),
                    None => format
                        .read(self.part(&entry.key_bytes))
                        .map_or_else(|_| "?".into(), |key| key.to_string().into()),
                };
                StoredKey {
                    name,
                    size: entry.key_bytes.len() + entry.value_bytes.len(),
                }
            })
        });
        let whole = whole.into_iter().flat_map(move |(format, dict)| {
            dict.iter().map(move |(key, value)| {
                let name = match key.as_str() {
                    Some(name) => name.into(),
                    None => key.to_string().into(),
                };
                let mut bytes = Vec::new();
                // What was read can be written, or takes no more than its key.
                let _ = format.write(&mut bytes, key);
                let _ = format.write(&mut bytes, value);
                StoredKey {
                    name,
                    size: bytes.len(),
                }
            })
        });
        indexed.chain(whole)
    }

    /// Whether the session has a key; false if it is sealed.
    pub fn contains_key(&self, key: &str) -> bool {
        match &self.content {
            Content::Sealed => false,
            Content::Indexed(_, entries) => self.find(entries, key).is_some(),
            Content::Whole(_, dict) => dict.contains_key(key),
        }
    }

    /// The value of a key; none if it is not there or the session is sealed.
    pub fn get(&self, key: &str) -> Option<Value> {
        match &self.content {
            Content::Sealed => None,
            Content::Indexed(format, entries) => {
                let entry = self.find(entries, key)?;
                // The document has been checked as a whole.
                format.read(self.part(&entry.value_bytes)).ok()
            }
            Content::Whole(_, dict) => dict.get(key).cloned(),
        }
    }

    /// All that the session holds; none if it is sealed.
    ///
    /// # Errors
    ///
    /// [`FormatError`] if the content can be passed over but not be read.
    pub fn to_dict(&self) -> Result<Option<Dict>, FormatError> {
        match &self.content {
            Content::Sealed => Ok(None),
            Content::Indexed(format, _) => match format.from_slice(self.document)? {
                Value::Dict(dict) => Ok(Some(dict)),
                other => Err(FormatError::NotADictionary(other.type_name())),
            },
            Content::Whole(_, dict) => Ok(Some(dict.clone())),
        }
    }

    /// Whose session it is: what its record says, or its key `_user_id`, where [`Session::login`](super::Session::login)
    /// and Flask-Login keep it, or `user_id`, as in Flask's tutorial.
    pub fn subject(&self) -> Option<String> {
        let header = self
            .header
            .as_ref()
            .and_then(|header| header.subject.clone());
        let inside = || {
            [SUBJECT, TUTORIAL_SUBJECT]
                .iter()
                .find_map(|key| self.subject_under(key))
        };
        header.or_else(inside)
    }

    /// Whose session it is, if the application keeps that under a key of its own: text, or a number.
    pub fn subject_under(&self, key: &str) -> Option<String> {
        match self.get(key)? {
            value @ (Value::Text(_) | Value::Int(_) | Value::Uuid(_)) => Some(value.to_string()),
            _ => None,
        }
    }

    /// When it began, in seconds since 1970: what its record says, or its key `_created`. Flask keeps no such time.
    pub fn created(&self) -> Option<u64> {
        let inside = || u64::try_from(self.get(CREATED)?.as_i64()?).ok();
        self.header
            .as_ref()
            .map(|header| header.created)
            .or_else(inside)
    }

    /// Whether it outlives the browser: Flask's `session.permanent`.
    pub fn is_permanent(&self) -> bool {
        self.get(PERMANENT).is_some_and(|value| value.is_truthy())
    }

    /// What it is called in the list of its user's sessions, if it is on one.
    pub fn listed_as(&self) -> Option<Handle> {
        self.get(HANDLE)?.as_str()?.parse().ok()
    }

    fn find<'e>(
        &self,
        entries: &'e [crate::format::IndexedEntry],
        key: &str,
    ) -> Option<&'e crate::format::IndexedEntry> {
        entries.iter().find(|entry| {
            let name = entry.key.as_ref().map(|name| name.bytes(self.document));
            name == Some(key.as_bytes())
        })
    }

    fn part(&self, range: &std::ops::Range<u32>) -> &'a [u8] {
        let range = range.start as usize..range.end as usize;
        self.document.get(range).unwrap_or_default()
    }
}

impl fmt::Display for StoredLayout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flask(serialization) => write!(formatter, "flask {serialization}"),
            Self::Native(serialization) => write!(formatter, "native {serialization}"),
            Self::Sealed => formatter.write_str("sealed"),
        }
    }
}

/// Shows what kind of entry it is and how much there is, never what it holds.
impl fmt::Debug for StoredEntry<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoredEntry")
            .field("layout", &self.layout)
            .field("keys", &self.len())
            .field("bytes", &self.document.len())
            .finish_non_exhaustive()
    }
}

/// Shows the size alone: visitors may have a say in what keys are called.
impl fmt::Debug for StoredKey<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoredKey")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
