//! JSON without tags: what msgspec 0.22 writes for a value without type information, and what it reads.

mod read;
mod write;

pub(super) use read::{from_slice, index};
pub(super) use write::{write, write_text};
