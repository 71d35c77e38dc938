use crate::store::{MAX_KEY, StoreError};

const SUFFIX: &str = ":gone";

/// Where an entry and its tombstone are.
pub(super) struct Keys<'a> {
    pub(super) entry: &'a str,
    pub(super) tombstone: String,
}

impl<'a> Keys<'a> {
    /// The two of them lie in one slot of a cluster, because they have the same hash tag: the key's own, or
    /// else the key itself.
    pub(super) fn of(entry: &'a str, cluster: bool) -> Result<Self, StoreError> {
        if entry.len() > MAX_KEY {
            return Err(StoreError::refused("the key is longer than 250 bytes"));
        }
        if of_tombstone(entry).is_some() {
            return Err(StoreError::refused(
                "a key that ends in :gone may be another's tombstone",
            ));
        }
        let tagged = hash_tag(entry).is_some();
        if tagged && is_all_tag(entry) {
            // `{a}:gone` is where the tombstone of `a` lies.
            return Err(StoreError::refused(
                "the key is a hash tag and nothing else",
            ));
        }
        if cluster && !tagged && entry.contains('}') {
            return Err(StoreError::refused(
                "a cluster cannot keep a key with } next to its tombstone",
            ));
        }
        // Not formatted, which takes ten times as long.
        let tombstone = if tagged {
            [entry, SUFFIX].concat()
        } else {
            ["{", entry, "}", SUFFIX].concat()
        };
        Ok(Self { entry, tombstone })
    }
}

/// Whether this is the key of a tombstone, and of whose.
pub(super) fn of_tombstone(key: &str) -> Option<&str> {
    let name = key.strip_suffix(SUFFIX)?;
    let inner = name
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'));
    match inner {
        Some(inner) if hash_tag(inner).is_none() => Some(inner),
        _ => hash_tag(name).map(|_| name),
    }
}

/// The part of a key that a cluster hashes, if not all of it: between the first brace and the next closing one, unless
/// that is nothing (the cluster specification, "Hash tags").
fn hash_tag(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once('{')?;
    let (tag, _) = rest.split_once('}')?;
    (!tag.is_empty()).then_some(tag)
}

fn is_all_tag(key: &str) -> bool {
    key.strip_prefix('{')
        .and_then(|key| key.strip_suffix('}'))
        .is_some_and(|inner| hash_tag(inner).is_none())
}

/// A pattern that matches the keys that begin with `prefix` and nothing else.
pub(super) fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for letter in prefix.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('*');
    pattern
}
