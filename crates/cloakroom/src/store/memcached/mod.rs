//! Sessions in memcached, where Flask-Session keeps them.

mod pool;
mod request;
mod target;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

use self::{
    pool::{Failure, Pool},
    request::{Request, Write},
    target::Target,
    wire::Reply,
};
use super::{
    CreateError, Cursor, DeleteError, Driver, Page, Record, ReplaceError, StoreError, TouchError,
};

/// Sessions in memcached 1.6 or later.
///
/// The layout is Flask-Session's (`SESSION_TYPE = "memcached"`): the key as text, the bytes as they are, item
/// flags 0, and an expiry above 30 days as a point in time. A tombstone is an item beside it, `KEY:gone`.
/// Entries are compared by memcached's own number for each writing (`cas`), so a write of Flask's is noticed
/// like one of ours.
///
/// Memcached keeps everything in memory and drops what was not used for long when that is full: give it
/// enough, or people are logged out. Its keys have no spaces and nothing outside ASCII, at most 245 bytes here,
/// and its values are 512 bytes smaller than its `-I` (a megabyte unless set); what does not fit is refused before it is
/// sent.
///
/// ```no_run
/// # async fn example() -> Result<(), cloakroom::store::StoreError> {
/// use cloakroom::store::{MemcachedStore, Store};
///
/// let store = Store::new(MemcachedStore::connect("memcached://127.0.0.1:11211").await?);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "MemcachedSessionInterface")]
#[doc(alias = "SESSION_MEMCACHED")]
#[derive(Clone)]
pub struct MemcachedStore {
    pool: Arc<Pool>,
}

/// An item that stands for a deletion: MessagePack's nil, which Flask-Session reads as no session.
const TOMBSTONE: Bytes = Bytes::from_static(&[0xc0]);

impl MemcachedStore {
    /// Connects to `memcached://HOST[:PORT]`, and connects again when a connection breaks.
    ///
    /// `?socket_connect_timeout=` (seconds, 2 unless set) is how long connecting may take and
    /// `?socket_timeout=` (1.5) how long one command may. One server only: clients of other makes spread keys
    /// over several servers in ways of their own, and none of them would find the others' sessions.
    ///
    /// # Errors
    ///
    /// [`Refused`](super::StoreErrorKind::Refused) for a URL that says something else or a server older than 1.6,
    /// otherwise as the server cannot be reached.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let pool = Arc::new(Pool::new(Target::parse(url)?));
        pool.ready().await?;
        Ok(Self { pool })
    }

    /// The entry and whether it is under a tombstone.
    async fn look(&self, key: &Key) -> Result<Look, Failure> {
        // The tombstone second: a deletion writes it first, so one that comes in between is seen.
        let request = Request::default().get(&key.entry).get_time(&key.tombstone);
        let [entry, tombstone] = self.pool.read(request).await?;
        Ok(match (entry, tombstone) {
            (Reply::Missing, _) => Look::Missing,
            (Reply::Value(value), Reply::Missing) => Look::Live(value.into()),
            (Reply::Value(value), _) => Look::Buried(value.version),
            _ => return Err(Failure::out_of_step()),
        })
    }

    /// What is there after a write that found something else than it expected.
    async fn found_instead(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        match self.look(key).await? {
            Look::Live(there) => Ok(Some(there)),
            Look::Missing | Look::Buried(_) => Ok(None),
        }
    }

    /// The version to compare with. A base without one was not loaded here, and is compared by its bytes.
    async fn version(&self, key: &Key, base: &Record) -> Result<Expected, StoreError> {
        if let Some(version) = base.version {
            return Ok(Expected::Version(version));
        }
        Ok(match self.look(key).await? {
            Look::Live(there) if there.value == base.value => {
                // Memcached has a version for each item, and the request asked for it.
                there.version.map_or(Expected::Missing, Expected::Version)
            }
            Look::Live(there) => Expected::Other(there),
            Look::Missing | Look::Buried(_) => Expected::Missing,
        })
    }

    /// Writes, and looks whether that was under a tombstone. The write first: a deletion that is not seen then
    /// removes the entry afterwards.
    async fn write(self, key: Key, write: Write) -> Result<Written, StoreError> {
        let request = Request::default()
            .set(&key.entry, &write)
            .get_time(&key.tombstone);
        let [written, tombstone] = self.pool.ask(&request).await?;
        match (written, tombstone) {
            (Reply::Done(flags), Reply::Missing) => {
                let record = Record::new(write.value);
                Ok(Written::Done(match flags.version {
                    Some(version) => record.with_version(version),
                    None => return Err(Failure::out_of_step().into()),
                }))
            }
            (Reply::Done(flags), _) => {
                // It must not come to light when the tombstone goes.
                self.remove(&key, flags.version).await?;
                Ok(Written::Buried)
            }
            (Reply::Missing, _) => Ok(Written::Missing),
            (Reply::Differs | Reply::NotStored, _) => Ok(Written::Differs),
            (Reply::Value(_), _) => Err(Failure::out_of_step().into()),
        }
    }

    async fn remove(&self, key: &Key, version: Option<u64>) -> Result<(), StoreError> {
        let [_] = self
            .pool
            .ask(&Request::default().delete(&key.entry, version))
            .await?;
        Ok(())
    }

    /// Leaves a tombstone, or lets the one that is there last at least so long.
    async fn bury(&self, key: &Key, expiry: i64) -> Result<(), StoreError> {
        let tombstone = Write::add(TOMBSTONE, expiry);
        let request = Request::default()
            .set(&key.tombstone, &tombstone)
            .get_time(&key.tombstone)
            .delete(&key.entry, None);
        match self.pool.ask(&request).await? {
            [Reply::Done(_), _, _] => Ok(()),
            [Reply::NotStored, Reply::Done(there), _] if there.outlasts(expiry) => Ok(()),
            [Reply::NotStored, _, _] => {
                let tombstone = Write::set(TOMBSTONE, expiry);
                let [_] = self
                    .pool
                    .ask(&Request::default().set(&key.tombstone, &tombstone))
                    .await?;
                Ok(())
            }
            _ => Err(Failure::out_of_step().into()),
        }
    }

    async fn delete_now(
        self,
        key: Key,
        expected: Option<Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        let expiry = (!tombstone.is_zero()).then(|| request::tombstone_expiry(tombstone));
        if let Some(expected) = expected {
            let version = match self.version(&key, &expected).await? {
                Expected::Version(version) => version,
                Expected::Other(there) => return Err(DeleteError::Changed(there)),
                Expected::Missing => return Err(DeleteError::NotFound),
            };
            let request = Request::default()
                .get_time(&key.tombstone)
                .delete(&key.entry, Some(version));
            match self.pool.ask(&request).await.map_err(StoreError::from)? {
                [Reply::Missing, Reply::Done(_)] => {}
                // What lay under a tombstone was missing already.
                [Reply::Done(_), Reply::Done(_)] | [_, Reply::Missing] => {
                    return Err(DeleteError::NotFound);
                }
                [_, Reply::Differs] => {
                    return Err(match self.found_instead(&key).await? {
                        Some(there) => DeleteError::Changed(there),
                        None => DeleteError::NotFound,
                    });
                }
                _ => return Err(StoreError::from(Failure::out_of_step()).into()),
            }
        }
        match expiry {
            Some(expiry) => self.bury(&key, expiry).await?,
            None => self.remove(&key, None).await?,
        }
        Ok(())
    }
}

/// What is under a key.
enum Look {
    Missing,
    Live(Record),
    /// An entry under a tombstone.
    Buried(Option<u64>),
}

/// What a replacement or deletion may go by.
enum Expected {
    Version(u64),
    Other(Record),
    Missing,
}

/// What became of a write.
enum Written {
    Done(Record),
    /// There is nothing to replace.
    Missing,
    /// There is something else, or anything at all where nothing should be.
    Differs,
    /// There is a tombstone.
    Buried,
}

impl From<wire::Value> for Record {
    fn from(value: wire::Value) -> Self {
        Self {
            value: value.bytes,
            version: value.version,
            expires_in: value.seconds_left.map(Duration::from_secs),
        }
    }
}

/// The keys of an entry and its tombstone.
struct Key {
    entry: String,
    tombstone: String,
}

impl Key {
    fn of(key: &str) -> Result<Self, StoreError> {
        const SUFFIX: &str = ":gone";
        const MOST: usize = super::MAX_KEY - SUFFIX.len();
        if key.is_empty() || key.len() > MOST {
            return Err(StoreError::refused(
                "memcached keeps keys of 1 to 245 bytes, with room for the tombstone's",
            ));
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(StoreError::refused(
                "memcached keeps keys of ASCII without spaces and controls",
            ));
        }
        if key.ends_with(SUFFIX) {
            return Err(StoreError::refused(
                "a key that ends in :gone may be another's tombstone",
            ));
        }
        Ok(Self {
            entry: key.to_owned(),
            tombstone: [key, SUFFIX].concat(),
        })
    }
}

impl Driver for MemcachedStore {
    fn name(&self) -> &'static str {
        "memcached"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let key = Key::of(key)?;
        match self.look(&key).await? {
            Look::Live(there) => Ok(Some(there)),
            Look::Missing => Ok(None),
            Look::Buried(version) => {
                self.remove(&key, version).await?;
                Ok(None)
            }
        }
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        let key = Key::of(key)?;
        // Writing looks there too. But this may be asked again, so a connection that broke while nobody used it costs a
        // visitor's first request no error.
        let request = Request::default().get_time(&key.tombstone);
        let [tombstone] = self.pool.read(request).await.map_err(StoreError::from)?;
        if !matches!(tombstone, Reply::Missing) {
            return Err(CreateError::Exists);
        }
        let write = Write::add(value, request::expiry(ttl));
        match to_the_end(self.clone().write(key, write)).await? {
            Written::Done(record) => Ok(record),
            Written::Missing | Written::Differs | Written::Buried => Err(CreateError::Exists),
        }
    }

    /// Memcached's numbers only grow while it runs, and a deletion leaves nothing behind that has one, so a base
    /// from before a deletion matches nothing that came after it.
    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        let key = Key::of(key)?;
        let version = match self.version(&key, base).await? {
            Expected::Version(version) => version,
            Expected::Other(there) => return Err(ReplaceError::Changed(there)),
            Expected::Missing => return Err(ReplaceError::NotFound),
        };
        let write = Write::compare(value, request::expiry(ttl), version);
        let entry = Key::of(&key.entry)?;
        match to_the_end(self.clone().write(entry, write)).await? {
            Written::Done(record) => Ok(record),
            Written::Missing | Written::Buried => Err(ReplaceError::NotFound),
            Written::Differs => Err(match self.found_instead(&key).await? {
                Some(there) => ReplaceError::Changed(there),
                None => ReplaceError::NotFound,
            }),
        }
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        let key = Key::of(key)?;
        let request = Request::default()
            .touch(&key.entry, request::expiry(ttl))
            .get_time(&key.tombstone);
        match self.pool.ask(&request).await.map_err(StoreError::from)? {
            [Reply::Done(_), Reply::Missing] => Ok(()),
            _ => Err(TouchError::NotFound),
        }
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        let key = Key::of(key)?;
        to_the_end(self.clone().delete_now(key, expected.cloned(), tombstone)).await
    }

    /// Always 0: the server removes what has expired.
    async fn delete_expired(&self, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    /// Refused: memcached has no listing that is fit to rely on.
    async fn list(&self, _: &str, _: Option<Cursor>, _: usize) -> Result<Page, StoreError> {
        Err(StoreError::refused("memcached cannot list its entries"))
    }
}

/// Goes on even if the caller gives up: between two steps would be the wrong place to stop.
async fn to_the_end<T, E>(call: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    match tokio::spawn(call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::unreachable("memcached: the call was broken off").into()),
    }
}

/// Shows that it is one, never where.
impl fmt::Debug for MemcachedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemcachedStore")
            .finish_non_exhaustive()
    }
}
