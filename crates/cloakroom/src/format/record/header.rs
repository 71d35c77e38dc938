use std::{collections::BTreeMap, fmt, time::Duration};

use super::{Envelope, expected};
use crate::{
    format::{
        FormatError,
        message_pack::{Header, Reader, write_map_header, write_nil, write_str, write_u64},
    },
    value::Value,
};

/// What an entry in a native layout says of its session to whoever can read the store, without the visitor's ticket: for
/// lists of devices, for operators and for tools.
///
/// Times are in seconds since 1970. Creation and deadline count: past the deadline the session is refused, whatever else
/// the store says. Subject and metadata are copies of what the session itself holds; a sealed record has them inside
/// its seal and nowhere else.
///
/// ```
/// use cloakroom::{Layout, SessionConfig, SessionManager, format::RecordHeader, store::{MemoryStore, Store}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::from(MemoryStore::new());
/// let manager = SessionManager::stored(store.clone(), SessionConfig::default().layout(Layout::Native))?;
/// let session = manager.new_session();
/// session.insert("_user_id", "alice")?;
/// session.save().await?;
///
/// for entry in store.list("session:", None, 100).await?.entries {
///     let record = store.load(&entry.key).await?.expect("it was listed just now");
///     let header = RecordHeader::from_slice(&record.value)?;
///     assert_eq!(header.subject.as_deref(), Some("alice"));
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordHeader {
    /// When the session began: its entry `_created` if it has one, else when it was first stored.
    pub created: u64,
    /// When its content was last written. A reader leaves the record alone and only gives the entry a new expiry; see
    /// [`last_seen`](Self::last_seen).
    pub written: u64,
    /// When it ends, however often it is used; none if nothing but disuse ends it.
    pub deadline: Option<u64>,
    /// Whose it is: its entry `_user_id`, if that is text of at most 256 bytes.
    pub subject: Option<String>,
    /// What else it says of itself: its entry `_metadata`, if that is a dictionary of at most 16 texts with keys of at
    /// most 64 bytes and values of at most 256.
    pub metadata: BTreeMap<String, String>,
}

/// The last second of the year 9999: no time is beyond.
const LAST: u64 = 253_402_300_799;

impl RecordHeader {
    /// The most bytes of a subject.
    pub const MAX_SUBJECT: usize = 256;
    /// The most pairs of metadata.
    pub const MAX_METADATA: usize = 16;
    /// The most bytes of a key in the metadata.
    pub const MAX_METADATA_KEY: usize = 64;
    /// The most bytes of a value in the metadata.
    pub const MAX_METADATA_VALUE: usize = 256;

    /// The header of an entry, which is checked as a whole.
    ///
    /// # Errors
    ///
    /// [`FormatError::Malformed`] if the entry is none in a native layout, [`FormatError::RecordVersion`] if it is one
    /// of a later version.
    pub fn from_slice(record: &[u8]) -> Result<Self, FormatError> {
        Envelope::read(record).map(|envelope| envelope.header)
    }

    /// When the session was last used, as closely as can be told: when it was written or, if that is later, when the
    /// entry got the expiry that it has. `expires_in` is what the store says, `lifetime` is
    /// [`SessionConfig::lifetime`](crate::SessionConfig::lifetime), `now` and the answer are in seconds since 1970.
    pub fn last_seen(&self, expires_in: Option<Duration>, lifetime: Duration, now: u64) -> u64 {
        let renewed =
            expires_in.map(|left| now.saturating_sub(lifetime.saturating_sub(left).as_secs()));
        self.written.max(renewed.unwrap_or(0))
    }

    /// Says whose session it is, if that is no longer than may be.
    pub(crate) fn show_subject(&mut self, subject: Option<String>) {
        self.subject = subject.filter(|subject| subject.len() <= Self::MAX_SUBJECT);
    }

    /// Says what a dictionary of texts says, as far as there is room.
    pub(crate) fn show_metadata(&mut self, value: Option<Value>) {
        let Some(Value::Dict(dict)) = value else {
            return;
        };
        let texts = dict.iter().filter_map(|(key, value)| {
            let (key, value) = (key.as_str()?, value.as_str()?);
            fits(key, value).then(|| (key.to_owned(), value.to_owned()))
        });
        self.metadata = texts.take(Self::MAX_METADATA).collect();
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let created = time(reader)?;
        let written = time(reader)?;
        let deadline = match reader.header()? {
            Header::Nil => None,
            Header::Unsigned(seconds @ ..=LAST) => Some(seconds),
            _ => return expected("a time", reader),
        };
        let subject = match reader.header()? {
            Header::Nil => None,
            Header::Text(subject) if subject.len() <= Self::MAX_SUBJECT => Some(subject.to_owned()),
            _ => return expected("a subject", reader),
        };
        let Header::Map(count @ ..=Self::MAX_METADATA) = reader.header()? else {
            return expected("metadata", reader);
        };
        let mut metadata = BTreeMap::new();
        for _ in 0..count {
            let (Header::Text(key), Header::Text(value)) = (reader.header()?, reader.header()?)
            else {
                return expected("text in the metadata", reader);
            };
            if !fits(key, value) {
                return expected("shorter metadata", reader);
            }
            metadata.insert(key.to_owned(), value.to_owned());
        }
        Ok(Self {
            created,
            written,
            deadline,
            subject,
            metadata,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        write_u64(out, self.created.min(LAST));
        write_u64(out, self.written.min(LAST));
        match self.deadline {
            Some(deadline) => write_u64(out, deadline.min(LAST)),
            None => write_nil(out),
        }
        match &self.subject {
            Some(subject) => write_str(out, subject)?,
            None => write_nil(out),
        }
        write_map_header(out, self.metadata.len())?;
        for (key, value) in &self.metadata {
            write_str(out, key)?;
            write_str(out, value)?;
        }
        Ok(())
    }
}

/// Whether a pair of metadata is short enough.
fn fits(key: &str, value: &str) -> bool {
    key.len() <= RecordHeader::MAX_METADATA_KEY && value.len() <= RecordHeader::MAX_METADATA_VALUE
}

fn time(reader: &mut Reader<'_>) -> Result<u64, FormatError> {
    match reader.header()? {
        Header::Unsigned(seconds @ ..=LAST) => Ok(seconds),
        _ => expected("a time", reader),
    }
}

/// Shows times and how much there is, never whose it is.
impl fmt::Debug for RecordHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RecordHeader")
            .field("created", &self.created)
            .field("written", &self.written)
            .field("deadline", &self.deadline)
            .field("has_subject", &self.subject.is_some())
            .field("metadata", &self.metadata.len())
            .finish()
    }
}
