use std::sync::Arc;

use super::moment::Moment;

/// One SQL statement, with the order in which its parameters are bound.
///
/// It is written with names (`:key`, `:now`) and `{table}`; the names become what the database wants.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: Arc<str>,
    pub(super) parameters: Vec<Parameter>,
}

/// What a statement may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    /// The entry's key, in `session_id`.
    Key,
    /// The key of its tombstone.
    Gone,
    /// The bytes to compare with.
    Base,
    /// The bytes to write.
    Value,
    /// When what is written expires.
    Expiry,
    /// The time.
    Now,
    /// What tombstones' keys end in.
    Suffix,
    /// What listed keys begin with.
    Prefix,
    /// The row number after which a page begins.
    From,
    /// The most rows.
    Limit,
}

/// The values of all parameters; a statement takes those that it names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Values<'a> {
    pub(super) key: &'a str,
    pub(super) gone: &'a str,
    pub(super) base: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) expiry: Moment,
    pub(super) now: Moment,
    pub(super) prefix: &'a str,
    pub(super) from: i64,
    pub(super) limit: i64,
}

impl Statement {
    /// `placeholder` says what stands for a parameter that is the nth (from 1) to be bound; `repeats` says
    /// whether one that was bound already may be named again.
    pub(super) fn new(
        text: &str,
        table: &str,
        repeats: bool,
        placeholder: impl Fn(Parameter, usize) -> String,
    ) -> Self {
        // The text is looked up with each call: the shorter, the sooner found.
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        let mut sql = String::with_capacity(text.len() + 64);
        let mut parameters = Vec::new();
        let mut pieces = text.split(':');
        sql.push_str(&pieces.next().unwrap_or_default().replace("{table}", table));
        for piece in pieces {
            let end = piece
                .find(|letter: char| !letter.is_ascii_lowercase())
                .unwrap_or(piece.len());
            let (name, rest) = piece.split_at(end);
            match Parameter::named(name) {
                Some(parameter) => {
                    let bound = parameters.iter().position(|bound| *bound == parameter);
                    let position = bound.filter(|_| repeats).unwrap_or_else(|| {
                        parameters.push(parameter);
                        parameters.len() - 1
                    });
                    sql.push_str(&placeholder(parameter, position + 1));
                }
                // A colon of the statement's own, such as the one in a time of day.
                None => {
                    sql.push(':');
                    sql.push_str(name);
                }
            }
            sql.push_str(&rest.replace("{table}", table));
        }
        Self {
            sql: sql.into(),
            parameters,
        }
    }
}

impl Parameter {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "key" => Self::Key,
            "gone" => Self::Gone,
            "base" => Self::Base,
            "value" => Self::Value,
            "expiry" => Self::Expiry,
            "now" => Self::Now,
            "suffix" => Self::Suffix,
            "prefix" => Self::Prefix,
            "from" => Self::From,
            "limit" => Self::Limit,
            _ => return None,
        })
    }
}

/// All statements of one store.
#[derive(Debug)]
pub(super) struct Statements {
    /// The entry and its tombstone, those that live.
    pub(super) load: Statement,
    /// An entry where neither a live one nor a tombstone is.
    pub(super) create: Statement,
    /// Where one statement cannot do that: `create` only inserts, after a look, and this puts an entry in the
    /// place of an expired one.
    pub(super) take_over: Option<Statement>,
    pub(super) replace: Statement,
    pub(super) touch: Statement,
    /// Makes the entry its own tombstone, where there is none, not even an expired one.
    pub(super) entomb: Statement,
    /// The same if the entry lives and is the base.
    pub(super) entomb_expected: Statement,
    pub(super) delete: Statement,
    /// Deletes the entry if it lives and is the base.
    pub(super) delete_expected: Statement,
    /// Writes the tombstone, never with an earlier end than it has.
    pub(super) bury: Statement,
    pub(super) delete_expired: Statement,
    pub(super) list: Statement,
}
