//! Where sessions are kept on the server: bytes by key, with compare-and-swap.
//!
//! A [`Store`] is any of them, chosen at run time; a [`Driver`] is how one kind of store does it. To keep
//! sessions in a store that is not here, implement [`Driver`] (seven methods) and run the checks of
//! `cloakroom::store::conformance` (feature `conformance`) against it.
//!
//! A store knows nothing of sessions, formats or cookies. It promises four things, from which everything
//! else follows:
//!
//! 1. **An update never inserts.** [`Driver::replace`] and [`Driver::touch`] on a missing entry do nothing
//!    and say so.
//! 2. **A replacement compares.** [`Driver::replace`] writes only if the entry is still what the caller
//!    loaded, whoever changed it meanwhile, and hands back what is there otherwise.
//! 3. **A deletion lasts.** [`Driver::delete`] leaves a tombstone for a while. Under it the key is missing
//!    and cannot be written, not even if a program that knows nothing of tombstones puts an entry there.
//! 4. **What has expired is missing**, whether or not it is still on a disk somewhere.
//!
//! # When a store is slow or down
//!
//! A store that cannot be asked is an error and never "no session". What a call costs at most, by default:
//!
//! | store | connecting | one command | connections at most | set by |
//! | --- | --- | --- | --- | --- |
//! | `MemoryStore` | | | | |
//! | `FileStore` | | 2 s for another writer's lock | | |
//! | `SqliteStore` | 2 s | 2 s | 4, of which 1 writes | `.timeout()`, `.max_connections()` |
//! | `PostgresStore`, `MySqlStore` | 2 s | 2 s, waiting for a connection included | 10 | the same |
//! | `RedisStore` | 2 s; Sentinel and cluster 4 s | 1.5 s | 1, of a cluster 1 to each node | `?socket_connect_timeout=`, `?socket_timeout=` |
//! | `MemcachedStore` | 2 s | 1.5 s, and as long waiting for a connection | 32 | the same |
//! | `DynamoDbStore` | 2 s | 1.5 s | one for each call under way | `?connect_timeout=`, `?read_timeout=` |
//!
//! [`Store::timeout`] bounds each call as a whole, 2 seconds unless set, whatever it is made of. If it is set
//! higher, the limits of the table come first.
//!
//! No write is sent twice if it may have been carried out. What is done again, within the same limits: a load
//! whose connection turned out to be broken, once; a statement that the database itself
//! undid because of others, up to 5 times (PostgreSQL, MySQL). Connections that broke are replaced by the next call.
//!
//! After three failures in a row the [`Breaker`] spares everybody the wait. What a visitor gets meanwhile is
//! for each route to say: [`OutagePolicy`](crate::OutagePolicy).

mod breaker;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod error;
#[cfg(feature = "file")]
mod file;
mod handle;
mod hashed;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
mod moving;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod sql;
mod sweep;
mod url;

use std::time::Duration;

use bytes::Bytes;

pub use breaker::Breaker;
#[cfg(feature = "dynamodb")]
pub use dynamodb::{DynamoDbStore, MAX_DYNAMODB_VALUE};
pub use error::{CreateError, DeleteError, ReplaceError, StoreError, StoreErrorKind, TouchError};
#[cfg(feature = "file")]
#[cfg_attr(docsrs, doc(cfg(feature = "file")))]
pub use file::FileStore;
pub use handle::Store;
#[cfg(feature = "memcached")]
#[cfg_attr(docsrs, doc(cfg(feature = "memcached")))]
pub use memcached::MemcachedStore;
pub use memory::MemoryStore;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use redis::RedisStore;
#[cfg(feature = "mysql")]
pub use sql::MySqlStore;
#[cfg(feature = "postgres")]
pub use sql::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sql::SqliteStore;
pub use sweep::Sweeper;
pub(crate) use url::Kind;

/// How one kind of store does what a [`Store`] can.
///
/// A driver is shared by all requests, so its methods take `&self`, run at the same time, and may be
/// dropped at any `.await` (the visitor went away, the time was up): what they do must be atomic in the
/// store, or safe to be left half done. Nothing here retries; the caller does.
///
/// Keys are text of any kind up to [`MAX_KEY`] bytes and values any bytes, empty ones included. A driver
/// whose store cannot hold one refuses it with [`StoreErrorKind::Refused`]; it never shortens, escapes or
/// confuses two of them.
///
/// A time to live is at least one second. Where the store counts whole seconds, a part of a second
/// rounds up.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::Duration};
/// use bytes::Bytes;
/// use cloakroom::store::*;
///
/// /// A store that forgets nothing until the process ends: the least that a driver needs, without expiry.
/// #[derive(Default)]
/// struct Shelf(Mutex<HashMap<String, Option<Bytes>>>);
///
/// impl Driver for Shelf {
///     fn name(&self) -> &'static str {
///         "shelf"
///     }
///
///     async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
///         Ok(self.0.lock().unwrap().get(key).cloned().flatten().map(Record::new))
///     }
///
///     async fn create(&self, key: &str, value: Bytes, _: Duration) -> Result<Record, CreateError> {
///         let mut entries = self.0.lock().unwrap();
///         if entries.contains_key(key) {
///             return Err(CreateError::Exists);
///         }
///         entries.insert(key.to_owned(), Some(value.clone()));
///         Ok(Record::new(value))
///     }
///
///     async fn replace(&self, key: &str, base: &Record, value: Bytes, _: Duration) -> Result<Record, ReplaceError> {
///         match self.0.lock().unwrap().get_mut(key) {
///             Some(Some(there)) if *there == base.value => {
///                 *there = value.clone();
///                 Ok(Record::new(value))
///             }
///             Some(Some(there)) => Err(ReplaceError::Changed(Record::new(there.clone()))),
///             // None is a tombstone.
///             Some(None) | None => Err(ReplaceError::NotFound),
///         }
///     }
///
///     async fn touch(&self, key: &str, _: Duration) -> Result<(), TouchError> {
///         match self.0.lock().unwrap().get(key) {
///             Some(Some(_)) => Ok(()),
///             _ => Err(TouchError::NotFound),
///         }
///     }
///
///     async fn delete(&self, key: &str, expected: Option<&Record>, _: Duration) -> Result<(), DeleteError> {
///         let mut entries = self.0.lock().unwrap();
///         match (entries.get(key), expected) {
///             (Some(Some(there)), Some(expected)) if *there != expected.value => {
///                 Err(DeleteError::Changed(Record::new(there.clone())))
///             }
///             (Some(None) | None, Some(_)) => Err(DeleteError::NotFound),
///             _ => {
///                 entries.insert(key.to_owned(), None);
///                 Ok(())
///             }
///         }
///     }
///
///     async fn delete_expired(&self, _: usize) -> Result<usize, StoreError> {
///         Ok(0)
///     }
///
///     async fn list(&self, prefix: &str, _: Option<Cursor>, _: usize) -> Result<Page, StoreError> {
///         let entries = self.0.lock().unwrap();
///         let live = entries.iter().filter(|(key, value)| key.starts_with(prefix) && value.is_some());
///         let entries = live.map(|(key, value)| Listed::new(key, value.as_ref().map_or(0, Bytes::len), None));
///         Ok(Page { entries: entries.collect(), next: None })
///     }
/// }
///
/// let store = Store::new(Shelf::default());
/// ```
pub trait Driver: Send + Sync + 'static {
    /// What the store is called in messages, such as `redis`.
    fn name(&self) -> &'static str;

    /// Whether another program shares the entries that reads nothing but Python's pickles, as cachelib does
    /// in its folders. Sessions are then written so.
    fn shares_pickles(&self) -> bool {
        false
    }

    /// Whether calls go to the store now, as [`Store::is_available`] answers: for drivers that ask other stores.
    fn is_available(&self) -> bool {
        true
    }

    /// The entry under `key`; none if it is missing, expired or under a tombstone.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store could not be asked. A driver never answers "none" then.
    fn load(&self, key: &str) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// How long an entry still lives, for stores that do not tell when it is loaded: none if it has no end or
    /// nobody knows, zero if it is missing. For copying; no request of a visitor asks it otherwise.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store could not be asked.
    fn expires_in(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<Duration>, StoreError>> + Send {
        async {
            Ok(self
                .load(key)
                .await?
                .map_or(Some(Duration::ZERO), |record| record.expires_in))
        }
    }

    /// Makes an entry where none is, and hands back what [`replace`](Self::replace) will compare with.
    ///
    /// # Errors
    ///
    /// [`CreateError::Exists`] if there is an entry or a tombstone, which stays as it is.
    fn create(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Result<Record, CreateError>> + Send;

    /// Puts `value` in the place of `base` if the entry is still that, gives it a new time to live, and
    /// hands back what the next replacement will compare with.
    ///
    /// A store with versions may compare versions; the others compare the bytes. Equal bytes are no
    /// change: replacing a value by itself succeeds.
    ///
    /// # Errors
    ///
    /// [`ReplaceError::Changed`] with what is there now; [`ReplaceError::NotFound`] if the entry is
    /// missing, expired or under a tombstone. Neither writes anything.
    fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Result<Record, ReplaceError>> + Send;

    /// Gives an entry a new time to live and leaves its value alone, so that it changes nothing that
    /// another request may compare with.
    ///
    /// # Errors
    ///
    /// [`TouchError::NotFound`] if the entry is missing, expired or under a tombstone.
    fn touch(
        &self,
        key: &str,
        ttl: Duration,
    ) -> impl Future<Output = Result<(), TouchError>> + Send;

    /// Removes an entry and leaves a tombstone for so long: until then the key is missing and cannot be
    /// created, even if another program writes an entry there. A `tombstone` of zero leaves none.
    ///
    /// Without `expected`, whatever is there goes, and a missing entry gets its tombstone all the same.
    /// With `expected`, an entry that is something else by now is left alone.
    ///
    /// # Errors
    ///
    /// Only with `expected`: [`DeleteError::Changed`] with what is there now; [`DeleteError::NotFound`] if
    /// the entry is missing, expired or under a tombstone. Neither writes anything.
    fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> impl Future<Output = Result<(), DeleteError>> + Send;

    /// Removes at most `limit` expired entries and tombstones and says how many; 0 where the store does
    /// that by itself. Other requests are not held up for longer than a batch takes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store could not be asked.
    fn delete_expired(
        &self,
        limit: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// Live entries whose keys begin with `prefix`, about `limit` at a time and in no order, for
    /// operators: entries that come or go meanwhile may be listed or not. Begin with no cursor, go on
    /// with the one of the page.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; `Refused` if the store cannot list, as memcached.
    fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Makes what the store needs before anything can be kept in it, such as a table, and leaves alone what
    /// is there. For operators: no request calls it. Most stores need nothing, so there is nothing to write.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; `Refused` if the account may not make it.
    fn prepare(&self) -> impl Future<Output = Result<Prepared, StoreError>> + Send {
        async { Ok(Prepared::NothingNeeded) }
    }

    /// Whether there is an index of the times at which entries expire, for stores that search by them. For operators:
    /// no request asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store could not be asked.
    fn expiry_index(&self) -> impl Future<Output = Result<ExpiryIndex, StoreError>> + Send {
        async { Ok(ExpiryIndex::NotNeeded) }
    }
}

/// Whether a store finds what has expired without looking at everything: see [`Driver::expiry_index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpiryIndex {
    /// A store of this kind needs none.
    NotNeeded,
    /// It is there.
    Present,
    /// It is missing, so each removal of what has expired reads the whole table.
    Missing,
}

/// What [`Driver::prepare`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prepared {
    /// What the store needs is there now, whether or not it was before.
    Ready,
    /// A store of this kind needs nothing.
    NothingNeeded,
}

/// The most bytes that a key may have: memcached takes no more, and SQL tables hold 255.
pub const MAX_KEY: usize = 250;

/// What a store keeps for a key.
///
/// It is also what a later [`Driver::replace`] compares with, so keep it as it was loaded.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The bytes.
    pub value: Bytes,
    /// The store's own number for this state of the entry, where it has one.
    pub version: Option<u64>,
    /// How long the entry still lives, where loading it tells. Not compared by anything.
    pub expires_in: Option<Duration>,
}

impl Record {
    /// A record without a version: replacements compare the bytes.
    pub fn new(value: impl Into<Bytes>) -> Self {
        Self {
            value: value.into(),
            version: None,
            expires_in: None,
        }
    }

    /// Of a store that counts versions.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// Of a store that tells how long the entry lives.
    #[must_use]
    pub fn with_expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = Some(expires_in);
        self
    }
}

/// Shows the size, never the bytes.
impl std::fmt::Debug for Record {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Record")
            .field("bytes", &self.value.len())
            .field("version", &self.version)
            .field("expires_in", &self.expires_in)
            .finish()
    }
}

/// Some of a store's entries.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Listed>,
    /// Where the next page begins; none after the last.
    pub next: Option<Cursor>,
}

/// Where a page of a listing begins: the driver's own text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// An entry in a listing.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Its key. Whoever has a session's key has the session: do not log it.
    pub key: String,
    /// Bytes of its value.
    pub size: usize,
    /// How long it still lives, where the store tells.
    pub expires_in: Option<Duration>,
}

impl Listed {
    /// An entry of a listing.
    pub fn new(key: impl Into<String>, size: usize, expires_in: Option<Duration>) -> Self {
        Self {
            key: key.into(),
            size,
            expires_in,
        }
    }
}

/// Shows size and time, never the key.
impl std::fmt::Debug for Listed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Listed")
            .field("size", &self.size)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}
