//! What is told of one session, without what it holds.

use std::time::Duration;

use cloakroom::store::{Listed, Record};
use cloakroom::{Handle, StoredEntry};
use serde_json::{Map, Value};

use super::filter::Identity;
use super::scan::{Sight, left};

/// A session as a list shows it.
pub(crate) struct Found {
    /// Whoever has it may have the session: shown to those who ask for it only.
    pub(crate) key: String,
    pub(crate) handle: Handle,
    pub(crate) size: usize,
    pub(crate) expires_in: Option<Duration>,
    /// None if the entry was not loaded.
    pub(crate) inside: Option<Inside>,
}

/// What the entry itself says.
#[derive(Default)]
pub(crate) struct Inside {
    /// None if it could not be read.
    pub(crate) layout: Option<String>,
    pub(crate) keys: Option<usize>,
    /// A value of the session: shown to those who ask for it only.
    pub(crate) subject: Option<String>,
    pub(crate) permanent: bool,
    pub(crate) age: Option<Duration>,
}

impl Found {
    /// By the listing alone.
    pub(crate) fn listed(listed: Listed) -> Self {
        Self {
            handle: Handle::of_key(&listed.key),
            size: listed.size,
            expires_in: listed.expires_in,
            key: listed.key,
            inside: None,
        }
    }

    /// By its entry; none if that is no session.
    pub(crate) fn loaded(
        listed: Listed,
        record: &Record,
        sight: &Sight<'_>,
        identity: &Identity,
        now: u64,
    ) -> Option<Self> {
        let mut found = match sight {
            Sight::NoSession => return None,
            Sight::Unreadable => Self {
                inside: Some(Inside::default()),
                ..Self::listed(listed)
            },
            Sight::Session(entry) => {
                let expires_in = left(&listed, Some(entry), now);
                Self {
                    expires_in,
                    inside: Some(Inside::of(entry, identity, expires_in, now)),
                    ..Self::listed(listed)
                }
            }
        };
        // It may have been written since it was listed.
        found.size = record.value.len();
        Some(found)
    }

    pub(crate) fn json(&self, reveal: bool) -> Value {
        let mut json = Map::new();
        json.insert("handle".into(), self.handle.to_string().into());
        json.insert("bytes".into(), self.size.into());
        json.insert("expires_in".into(), seconds(self.expires_in));
        if reveal {
            json.insert("store_key".into(), self.key.as_str().into());
        }
        if let Some(inside) = &self.inside {
            json.insert("layout".into(), inside.layout.as_deref().into());
            json.insert("keys".into(), inside.keys.into());
            json.insert("logged_in".into(), inside.subject.is_some().into());
            json.insert("permanent".into(), inside.permanent.into());
            json.insert("age".into(), seconds(inside.age));
            if reveal {
                json.insert("subject".into(), inside.subject.as_deref().into());
            }
        }
        Value::Object(json)
    }
}

impl Inside {
    fn of(
        entry: &StoredEntry<'_>,
        identity: &Identity,
        expires_in: Option<Duration>,
        now: u64,
    ) -> Self {
        Self {
            layout: Some(entry.layout().to_string()),
            keys: entry.len(),
            subject: identity.subject(entry),
            permanent: entry.is_permanent(),
            age: identity.age(entry, expires_in, now),
        }
    }
}

fn seconds(time: Option<Duration>) -> Value {
    time.map(|time| time.as_secs()).into()
}
