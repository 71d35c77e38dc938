//! MessagePack: what msgspec 0.22 writes for a value without type information, and all that it reads.

mod index;
mod read;
mod write;

pub(super) use index::index;
pub(super) use read::{Header, Reader, from_slice};
pub(super) use write::{
    write, write_array_header, write_bytes, write_bytes_header, write_extension_header,
    write_map_header, write_nil, write_str, write_text, write_u64,
};

/// How deep arrays and maps may nest.
const MAX_DEPTH: usize = crate::json::MAX_DEPTH;
/// The type code of timestamps.
const TIMESTAMP: i8 = -1;
