//! Wire formats: bytes on one side, [`Value`](crate::value::Value)s on the other.

mod cursor;
mod document;
mod error;
mod index;
mod iso;
mod message_pack;
mod pickle;
mod plain_json;
pub(crate) mod record;
mod serialization;
mod tag;
mod tagged;

pub use error::FormatError;
pub use record::RecordHeader;
pub(crate) use serialization::Half;
pub use serialization::{Serialization, UnknownSerialization};
pub use tag::{Tag, TagError};
pub use tagged::TaggedJson;

pub(crate) use document::{IndexedContent, IndexedEntry};
pub(crate) use tagged::escaped_key;

pub(crate) use index::{Content, IndexedKey, slice};

/// How a session becomes the bytes of a cookie or of a store's entry.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    Tagged(TaggedJson),
    Stored(Serialization),
}
