use super::Serialization;
use crate::json::JsonError;

/// Why bytes from a store cannot be read, or a value cannot be written there.
///
/// It tells types and byte offsets, never what the session holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// None of the formats that Flask-Session knows.
    #[error("no format of Flask-Session's reads it: {}", list(.0))]
    Unreadable(
        /// Why not, for each format in the order in which they were tried.
        Vec<(Serialization, FormatError)>,
    ),
    /// The bytes break the format's grammar.
    #[error("{expected} was expected at byte {position}")]
    Malformed {
        /// What should have been there.
        expected: &'static str,
        /// Where.
        position: usize,
    },
    /// The text breaks JSON's grammar, or a value has no JSON text.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Text that is not UTF-8.
    #[error("text is not UTF-8 at byte {position}")]
    Utf8 {
        /// Where the text starts.
        position: usize,
    },
    /// The session is something else than a dictionary.
    #[error("a session is a dictionary, and this is a value of type {0}")]
    NotADictionary(&'static str),
    /// A record in a native layout of a later version.
    #[error(
        "the record is of version {0}, which this version of the library does not know: update it"
    )]
    RecordVersion(u64),
    /// A record holds its content readable where only sealed ones are taken, or the other way round.
    #[error(
        "the record is {0}, and the settings ask for the other kind; see `SessionConfig::layout`"
    )]
    RecordLayout(
        /// What it is: readable or sealed.
        &'static str,
    ),
    /// The sealed content of a record was altered, or sealed for another ticket or place.
    #[error("the sealed content of the record is not what was sealed for this ticket")]
    RecordSeal,
    /// Values are nested deeper than allowed.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit in force.
        limit: usize,
    },
    /// More than a reader should take in.
    #[error("too large: {0}")]
    TooLarge(&'static str),
    /// A pickle names a class or function that is not on the short list of those that are safe.
    #[error(
        "the pickle needs a class or function that is not among the safe ones (numbers, text, collections, dates, UUID, Decimal, Markup)"
    )]
    ForbiddenClass,
    /// A pickle uses an operation that sessions never need.
    #[error("the pickle uses the operation {opcode:#04x} at byte {position}, which is not allowed")]
    ForbiddenOperation {
        /// Its code.
        opcode: u8,
        /// Where.
        position: usize,
    },
    /// A pickle gives a class arguments that it does not take, or that have no counterpart here.
    #[error("the pickle holds a {0} that cannot be read")]
    Arguments(&'static str),
    /// A value of this type cannot be written.
    #[error("a value of type {0} cannot be written in this format")]
    Unsupported(&'static str),
    /// A dictionary key or a member of a set of this type cannot be written or read.
    #[error("a value of type {0} cannot be a key or the member of a set in this format")]
    Key(&'static str),
    /// An integer that MessagePack has no form for.
    #[error("an integer is outside -2^63 to 2^64 - 1, the range of MessagePack")]
    IntRange,
    /// Text with lone surrogates has no UTF-8.
    #[error("text holds lone surrogates, which have no UTF-8 form")]
    Surrogates,
    /// A date outside the years 1 to 9999 in UTC.
    #[error("a date is outside the years 1 to 9999 in UTC")]
    DateRange,
}

fn list(reasons: &[(Serialization, FormatError)]) -> String {
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(format, reason)| format!("as {format}, {reason}"))
        .collect();
    reasons.join("; ")
}
