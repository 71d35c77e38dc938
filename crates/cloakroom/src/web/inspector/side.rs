use std::{collections::HashMap, sync::Arc};

use sha2::{Digest, Sha256};

use crate::{
    Error, Handle, Status,
    manager::{Glance, Left},
};

/// A session as a request found it, or left it.
pub(super) struct Side {
    pub(super) found: Found,
    /// Which cookie it is from.
    pub(super) mark: Option<Mark>,
    pub(super) handle: Option<Handle>,
    pub(super) subject: Option<String>,
    /// Which key the cookie was made with.
    pub(super) key: Option<String>,
    pub(super) protection: Option<&'static str>,
    pub(super) entries: Vec<Entry>,
    /// Keys beyond the most that are kept.
    pub(super) left_out: usize,
    /// The bytes of name and value of the cookie.
    pub(super) cookie: usize,
    /// How many of them are the cookie's payload.
    pub(super) payload: usize,
    /// The bytes of a store's entry.
    pub(super) stored: Option<usize>,
    pub(super) idle: Option<Left>,
    pub(super) absolute: Option<Left>,
}

/// What became of looking for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There is none.
    Nothing,
    Session,
    Refused(crate::Refusal),
    /// The store could not be asked.
    Unknown,
}

/// One entry, cut to what a page shows.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) kind: &'static str,
    pub(super) bytes: usize,
    pub(super) value: String,
    /// Of the whole value, so that a change behind the cut is seen.
    digest: Mark,
}

/// What became of a key between two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Changed,
    Removed,
    Unchanged,
}

/// A secret text made unrecognisable, and still the same for the same text in this process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mark([u8; 16]);

/// What marks are made with.
#[derive(Clone, Copy)]
pub(super) struct Salt([u8; 32]);

impl Salt {
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt)?;
        Ok(Self(salt))
    }

    pub(super) fn mark(&self, text: &[u8]) -> Mark {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(text)
            .finalize();
        let mut mark = [0; 16];
        mark.copy_from_slice(&digest[..16]);
        Mark(mark)
    }
}

/// No more entries of a session are kept.
const MOST_ENTRIES: usize = 50;

/// Longer values and keys are cut.
const MOST_CHARACTERS: usize = 300;

impl Side {
    /// No session.
    pub(super) fn nothing() -> Self {
        Self {
            found: Found::Nothing,
            mark: None,
            handle: None,
            subject: None,
            key: None,
            protection: None,
            entries: Vec::new(),
            left_out: 0,
            cookie: 0,
            payload: 0,
            stored: None,
            idle: None,
            absolute: None,
        }
    }

    pub(super) fn of(glance: &Result<Glance, Error>, cookie_name: &str, salt: &Salt) -> Self {
        let Ok(glance) = glance else {
            return Self {
                found: Found::Unknown,
                ..Self::nothing()
            };
        };
        let session = match (&glance.session, &glance.status) {
            (Some(session), _) => session,
            (None, Status::Refused(refusal)) => {
                return Self {
                    found: Found::Refused(*refusal),
                    ..Self::nothing()
                };
            }
            (None, _) => return Self::nothing(),
        };
        let entry = |(key, value, bytes): &(String, crate::Value, usize)| {
            let text = value.to_string();
            Entry {
                key: cut(key),
                kind: value.type_name(),
                bytes: *bytes,
                digest: salt.mark(format!("{} {text}", value.type_name()).as_bytes()),
                value: cut(&text),
            }
        };
        let name_and_value = cookie_name.len() + 1 + glance.cookie.len();
        Self {
            found: Found::Session,
            mark: Some(salt.mark(&glance.cookie)),
            handle: session.handle(),
            subject: session.subject().map(|subject| cut(&subject)),
            key: glance.key.as_ref().map(key_text),
            protection: glance.protection.map(crate::Protection::name),
            entries: glance
                .entries
                .iter()
                .take(MOST_ENTRIES)
                .map(entry)
                .collect(),
            left_out: glance.entries.len().saturating_sub(MOST_ENTRIES),
            cookie: name_and_value,
            payload: payload(&glance.cookie),
            stored: glance.stored,
            idle: glance.idle,
            absolute: glance.absolute,
        }
    }

    /// Of so many bytes, how many each entry accounts for, the largest first.
    pub(super) fn shares(&self, of: usize) -> Vec<(&Entry, usize)> {
        let weight = |entry: &Entry| entry.key.len() + entry.bytes + 4;
        let whole: usize = self.entries.iter().map(weight).sum::<usize>().max(1);
        let mut shares: Vec<(&Entry, usize)> = self
            .entries
            .iter()
            .map(|entry| (entry, of * weight(entry) / whole))
            .collect();
        shares.sort_by(|(_, left), (_, right)| right.cmp(left));
        shares
    }

    /// The bytes that the session takes where it is kept.
    pub(super) fn size(&self) -> usize {
        self.stored.unwrap_or(self.cookie)
    }
}

/// What became of each key, those that are as before last.
pub(super) fn changes<'a>(
    before: &'a Side,
    after: &'a Side,
) -> Vec<(Change, Option<&'a Entry>, Option<&'a Entry>)> {
    let mut later: HashMap<&str, &Entry> = after
        .entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry))
        .collect();
    let mut changes = Vec::new();
    for old in &before.entries {
        let new = later.remove(old.key.as_str());
        let change = match new {
            None => Change::Removed,
            Some(new) if new.digest == old.digest => Change::Unchanged,
            Some(_) => Change::Changed,
        };
        changes.push((change, Some(old), new));
    }
    let added = after.entries.iter();
    let added = added.filter(|entry| later.contains_key(entry.key.as_str()));
    changes.extend(added.map(|entry| (Change::Added, None, Some(entry))));
    changes.sort_by_key(|(change, ..)| *change == Change::Unchanged);
    changes
}

/// Whether a request left its session as it found it.
pub(super) fn is_same(before: &Arc<Side>, after: &Arc<Side>) -> bool {
    Arc::ptr_eq(before, after)
        || (before.mark == after.mark
            && before.found == after.found
            && changes(before, after)
                .iter()
                .all(|(change, ..)| *change == Change::Unchanged))
}

fn key_text((index, id): &(usize, Option<String>)) -> String {
    let role = match index {
        0 => "index 0, signs".to_owned(),
        index => format!("index {index}, only verifies"),
    };
    match id {
        Some(id) => format!("{} ({role})", cut(id)),
        None => role,
    }
}

/// How many bytes of a cookie's value its payload takes: what is before the time and the signature of a signed one.
fn payload(value: &[u8]) -> usize {
    let mut parts = value.rsplitn(3, |byte| *byte == b'.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(version), Some(_)) if version == b"v1" => value.len(),
        (Some(_), Some(_), Some(payload)) => payload.len(),
        _ => value.len(),
    }
}

/// A text as far as a page shows it.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
