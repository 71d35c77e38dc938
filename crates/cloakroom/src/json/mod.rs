//! Python's `json` module: the text form of a [`Value`], both ways.
//!
//! Reading accepts exactly what `json.loads` accepts (NaN and the infinities, unbounded integers,
//! lone surrogates, the last of duplicate keys), within limits. Writing gives the bytes of
//! `json.dumps`, floats included.

mod number;
mod read;
mod scan;
mod write;

pub use number::float_repr;
pub use read::from_slice;
pub use write::{Style, to_bytes};

pub(crate) use number::float_compact;
pub(crate) use read::{Objects, read, utf8};
pub(crate) use scan::{RawText, Scanner, Token};
pub(crate) use write::{Extensions, Writer, to_display, write_text};

use crate::value::Value;

/// How deep arrays and objects may nest unless told otherwise.
pub const MAX_DEPTH: usize = 128;

/// Why text is not JSON that can be read, or a value has no JSON text. Positions are byte offsets;
/// the text itself is never part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text breaks JSON's grammar.
    #[error("not JSON: {expected} was expected at byte {position}")]
    Syntax {
        /// What should have been there.
        expected: &'static str,
        /// Where.
        position: usize,
    },
    /// The bytes are not UTF-8.
    #[error("not UTF-8 at byte {position}")]
    Utf8 {
        /// The first byte that is wrong.
        position: usize,
    },
    /// Arrays and objects are nested deeper than allowed.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit in force.
        limit: usize,
    },
    /// An integer has more digits than Python reads.
    #[error(
        "an integer has more than {} digits, the most that Python reads",
        number::MAX_DIGITS
    )]
    TooManyDigits,
    /// A tag's content is not what the tag needs.
    #[error("the content of the tag `{tag}` is not what it needs")]
    Tag {
        /// The tag's key.
        tag: String,
    },
    /// Keys of different types in one dictionary cannot be sorted.
    #[error("a dictionary mixes keys of type {0} and {1}, which cannot be sorted; use text keys")]
    MixedKeys(&'static str, &'static str),
    /// A dictionary key of this type has no JSON form.
    #[error("dictionary keys must be text, numbers, bools or none, not {0}")]
    Key(&'static str),
    /// A value of this type has no JSON form.
    #[error("a value of type {0} has no JSON form here")]
    Unsupported(&'static str),
    /// A date outside the years 1 to 9999 in UTC.
    #[error("a date is outside the years 1 to 9999 in UTC")]
    DateRange,
}

/// How much [`from_slice`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The deepest nesting of arrays and objects; [`MAX_DEPTH`] by default.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_depth: MAX_DEPTH,
        }
    }
}

/// The value of a document without tags, with default limits.
///
/// # Errors
///
/// As [`from_slice`].
pub fn from_text(text: &str) -> Result<Value, JsonError> {
    from_slice(text.as_bytes(), Limits::default())
}
