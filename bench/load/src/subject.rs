//! What is measured: one line of `subjects --list`.

use serde::{Deserialize, Serialize};

/// One application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) name: String,
    /// The subject that does the same without sessions, or itself.
    pub(crate) reference: String,
    pub(crate) kind: Kind,
    pub(crate) store: Option<String>,
    pub(crate) family: Family,
    pub(crate) version: String,
    /// Whether the server is Python's, which is asked less often.
    #[serde(default)]
    pub(crate) python: bool,
}

/// Where its sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    None,
    Cookie,
    Memory,
    Store,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Family {
    Bare,
    Floor,
    Cloakroom,
    Peer,
}

impl Subject {
    pub(crate) fn has_sessions(&self) -> bool {
        self.kind != Kind::None
    }

    pub(crate) fn is_reference(&self) -> bool {
        self.family == Family::Bare
    }

    /// A server that more than one of its processes share.
    pub(crate) fn database(&self) -> Option<Database> {
        match self.store.as_deref() {
            Some("redis") => Some(Database::Redis),
            Some("postgres") => Some(Database::Postgres),
            _ => None,
        }
    }
}

/// The database servers that the runner starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Redis,
    Postgres,
}

impl Database {
    pub(crate) const ALL: [Self; 2] = [Self::Redis, Self::Postgres];

    /// As subjects call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }

    /// As people call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::Postgres => "PostgreSQL",
        }
    }
}
