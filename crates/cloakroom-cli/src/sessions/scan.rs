//! Going through the sessions of a store: a page at a time, so that a million of them take no room.

use std::collections::HashSet;
use std::ffi::OsString;
use std::time::Duration;

use cloakroom::Handle;
use cloakroom::format::FormatError;
use cloakroom::store::{Cursor, Listed, Page, Record, Store, StoreErrorKind};
use cloakroom::{StoredEntry, store::StoreError};

use super::{PATIENCE, PlaceArguments};
use crate::output::Failure;
use crate::runtime::each;
use crate::store::{MD5, SHA256, failed};

/// So many questions to the store are under way at a time.
const AT_ONCE: usize = 32;
/// So many entries are held at a time.
const CHUNK: usize = 500;
/// The keys of the lists of users' sessions begin so, whatever the prefix is.
pub(crate) const LISTS: &str = "subject:";

/// A way through a store. A clone goes on by itself from where this one is.
#[derive(Clone)]
pub(crate) struct Scan {
    store: Store,
    prefixes: Vec<String>,
    /// Whether what is listed are hashes of keys, which say nothing of what they are keys of.
    by_hash: bool,
    /// Which of the prefixes is gone through, and where.
    at: usize,
    from: Option<Cursor>,
}

impl Scan {
    pub(crate) async fn open(place: &PlaceArguments) -> Result<Self, Failure> {
        let store = place.store.open().await?.timeout(PATIENCE);
        let by_hash = store.shares_pickles();
        let prefixes = match by_hash {
            true => [SHA256, MD5].map(str::to_owned).to_vec(),
            false => vec![place.prefix.clone()],
        };
        Ok(Self {
            store,
            prefixes,
            by_hash,
            at: 0,
            from: None,
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Begins again.
    pub(crate) fn rewind(&mut self) {
        self.from = None;
        self.at = 0;
    }

    /// The next entries, at most [`CHUNK`] times a few; none after the last.
    pub(crate) async fn page(&mut self) -> Result<Option<Vec<Listed>>, Failure> {
        let Some(prefix) = self.prefixes.get(self.at) else {
            return Ok(None);
        };
        // A page of files begins with a look at all names, so let there be few.
        let limit = if self.store.name() == "file" {
            10_000
        } else {
            1000
        };
        let page = self.store.list(prefix, self.from.take(), limit).await;
        let Page { mut entries, next } = page.map_err(|error| self.cannot_list(error))?;
        let is_of_list = |key: &str| key.starts_with(LISTS) && !prefix.starts_with(LISTS);
        entries.retain(|entry| !is_of_list(&entry.key));
        self.at += usize::from(next.is_none());
        self.from = next;
        // Redis may say a key twice while it makes room.
        let mut seen = HashSet::with_capacity(entries.len());
        entries.retain(|entry| seen.insert(entry.key.clone()));
        Ok(Some(entries))
    }

    /// The next page without what is no session, for those who load nothing.
    pub(crate) async fn page_of_sessions(&mut self) -> Result<Option<Vec<Listed>>, Failure> {
        let Some(page) = self.page().await? else {
            return Ok(None);
        };
        if !self.by_hash {
            return Ok(Some(page));
        }
        // By a hash nobody can tell a session from a list of sessions.
        let mut sessions = Vec::with_capacity(page.len());
        self.load(page, |listed, record| {
            if !matches!(Sight::of(&record), Sight::NoSession) {
                sessions.push(listed);
            }
            true
        })
        .await?;
        Ok(Some(sessions))
    }

    /// Loads what is listed, several at once, and hands each that is still there to `look`, in the order of the list.
    /// It says whether to go on.
    pub(crate) async fn load(
        &self,
        listed: Vec<Listed>,
        mut look: impl FnMut(Listed, Record) -> bool,
    ) -> Result<bool, Failure> {
        let mut listed = listed.into_iter();
        loop {
            let chunk: Vec<Listed> = listed.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                return Ok(true);
            }
            for (listed, record) in self.load_chunk(chunk).await? {
                if !look(listed, record) {
                    return Ok(false);
                }
            }
        }
    }

    async fn load_chunk(&self, chunk: Vec<Listed>) -> Result<Vec<(Listed, Record)>, Failure> {
        let loaded = each(chunk, AT_ONCE, |listed| {
            let store = self.store.clone();
            async move {
                let record = store.load(&listed.key).await.map_err(failed)?;
                Ok(record.map(|record| (listed, record)))
            }
        });
        Ok(loaded.await?.into_iter().flatten().collect())
    }

    fn cannot_list(&self, error: StoreError) -> Failure {
        if self.store.name() == "memcached" && error.kind() == StoreErrorKind::Refused {
            return Failure::Refused {
                code: "cannot_list",
                reason: "memcached has no list of what it holds, so nobody can go through it. Where the application \
                         keeps lists of its users' sessions (`user_sessions`), `sessions revoke --subject` ends those \
                         of one user; `flush_all` on the server ends everybody's. Any other store can be listed"
                    .to_owned(),
            };
        }
        failed(error)
    }
}

/// What an entry turned out to be.
pub(crate) enum Sight<'a> {
    Session(StoredEntry<'a>),
    /// In no format that is known.
    Unreadable,
    /// A tombstone, a list of sessions, a counter.
    NoSession,
}

impl<'a> Sight<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        match StoredEntry::read(&record.value) {
            Ok(Some(entry)) => Self::Session(entry),
            Ok(None) | Err(FormatError::NotADictionary(_)) => Self::NoSession,
            Err(_) => Self::Unreadable,
        }
    }

    /// The session, if it can be read.
    pub(crate) fn session(&self) -> Option<&StoredEntry<'a>> {
        match self {
            Self::Session(entry) => Some(entry),
            Self::Unreadable | Self::NoSession => None,
        }
    }
}

/// What an argument is marked with that is a handle and looks like an option.
const MARK: &str = "handle:";

/// One handle in 64 begins with a hyphen. No option is as long as they are.
pub(crate) fn mark_handle(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if text.starts_with('-') && text.parse::<Handle>().is_ok() => {
            [MARK, text].concat().into()
        }
        _ => argument,
    }
}

/// The handles on the command line. They are not quoted: somebody may take an id for one.
pub(crate) fn handles(texts: &[String]) -> Result<Vec<Handle>, Failure> {
    let parsed = texts
        .iter()
        .map(|text| text.strip_prefix(MARK).unwrap_or(text).parse());
    parsed
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Misuse(format!("{error}; `sessions list` shows them")))
}

/// How long an entry still lives: no longer than its store and its own deadline say.
pub(crate) fn left(listed: &Listed, entry: Option<&StoredEntry<'_>>, now: u64) -> Option<Duration> {
    let deadline = entry
        .and_then(|entry| entry.header()?.deadline)
        .map(|deadline| Duration::from_secs(deadline.saturating_sub(now)));
    match (listed.expires_in, deadline) {
        (Some(store), Some(deadline)) => Some(store.min(deadline)),
        (store, deadline) => store.or(deadline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_that_begins_with_a_hyphen_is_no_option() {
        for text in [
            "-hECAwQFBgcICQoLDA0ODw",
            "--ECAwQFBgcICQoLDA0ODw",
            "AAECAwQFBgcICQoLDA0ODw",
        ] {
            let marked = mark_handle(text.into()).into_string().unwrap_or_default();
            assert!(!marked.starts_with('-'));
            let parsed = handles(&[marked]).unwrap_or_default();
            assert_eq!(parsed, [text.parse::<Handle>().expect("it is one")]);
        }
        for text in ["--json", "-h", "--prefix=abcdefghijklm", "session:"] {
            assert_eq!(mark_handle(text.into()), text);
        }
    }
}
