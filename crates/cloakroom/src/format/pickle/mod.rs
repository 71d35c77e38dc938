//! Python's pickle, protocols 0 to 5: a reader that runs nothing and knows a short list of classes, and
//! a writer of what every Python since 3.4 loads.

mod class;
mod escape;
mod read;
mod write;

pub(super) use read::{entry_from_slice, from_slice};
pub(super) use write::{
    write, write_dict_end, write_dict_start, write_end, write_start, write_text,
};

/// How deep values may nest.
const MAX_DEPTH: usize = crate::json::MAX_DEPTH;
