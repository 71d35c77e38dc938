//! Wire formats: bytes on one side, [`Value`](crate::value::Value)s on the other.

mod index;
mod tag;
mod tagged;

pub use tag::{Tag, TagError};
pub use tagged::TaggedJson;

pub(crate) use tagged::escaped_key;

pub(crate) use index::{Content, IndexedKey, slice};
