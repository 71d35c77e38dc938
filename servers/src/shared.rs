//! One server of a kind for all tests of a process, or of a whole run.

use std::{
    env, io, process,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Server, dynamodb, mariadb, memcached, postgres, redis};

/// A kind of server that tests can share.
#[derive(Debug)]
#[non_exhaustive]
pub struct Kind {
    /// What it is called, such as `redis`.
    pub name: &'static str,
    /// The environment variable with the URL of one that runs already.
    pub variable: &'static str,
    /// Starts a new one.
    pub start: fn() -> io::Result<Server>,
}

/// All kinds.
pub const KINDS: [&Kind; 5] = [
    &redis::KIND,
    &memcached::KIND,
    &postgres::KIND,
    &mariadb::KIND,
    &dynamodb::KIND,
];

/// The server that all tests of this process share.
///
/// Statics are never dropped: the watchdog ends the server with the process.
pub(crate) struct Shared(OnceLock<Source>);

struct Source {
    url: String,
    _started: Option<Server>,
}

impl Shared {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The URL that the kind's variable holds, else that of a server started on first use.
    ///
    /// # Panics
    ///
    /// If it can't be started: every test of the process needs it.
    pub(crate) fn url(&self, kind: &Kind) -> &str {
        let source = self.0.get_or_init(|| match env::var(kind.variable) {
            Ok(url) if !url.is_empty() => Source {
                url,
                _started: None,
            },
            _ => match (kind.start)() {
                Ok(server) => Source {
                    url: server.url().to_owned(),
                    _started: Some(server),
                },
                Err(error) => panic!("no server for the tests: {error}"),
            },
        });
        &source.url
    }
}

/// A name that no other test of any process has, made of letters, digits and underscores: for tables, and
/// as the beginning of keys.
///
/// ```
/// assert!(servers::unique("logout").starts_with("logout_"));
/// assert_ne!(servers::unique("logout"), servers::unique("logout"));
/// ```
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    format!(
        "{name}_{:x}_{:x}_{number:x}",
        process::id(),
        nanos & 0xffff_ffff_ffff
    )
}
