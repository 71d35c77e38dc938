mod cachelib;
mod disk;
mod folder;
mod layout;
mod lock;
mod native;
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "elsewhere.rs")]
mod platform;
mod swap;
mod sweep;
mod work;

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    CreateError, Cursor, DeleteError, Driver, MAX_KEY, Page, Record, ReplaceError, StoreError,
    TouchError,
};
use crate::Clock;
use folder::Folder;
use layout::Layout;

/// Sessions in files, one for each: nothing to install, and any number of processes on one machine may share
/// the folder. Clones are the same store.
///
/// ```
/// use std::time::Duration;
/// use cloakroom::store::{Driver, FileStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let store = FileStore::open(folder.join("sessions"))?;
/// store.create("session:abc", "hello".into(), Duration::from_secs(60)).await?;
/// assert_eq!(store.load("session:abc").await?.unwrap().value, "hello");
/// # Ok(()) }
/// ```
///
/// # What holds
///
/// - A file is replaced as a whole: a process that is killed while it writes leaves the old file or the new
///   one. What it had not finished is removed by [`delete_expired`](Driver::delete_expired) an hour later.
/// - Keys never become parts of a path. Files are for their owner only (0600), and so are folders that are
///   made (0700). A folder to which every user of the machine can write is refused; symbolic links in the
///   place of files are not followed.
/// - A file that is torn, misplaced or of somebody else is a missing session with a warning in the log. A
///   folder that has vanished, or whose disk is no longer mounted, is an error and logs nobody out.
/// - A full disk refuses what is new and leaves what is there. It refuses a deletion too, whose tombstone
///   needs a little room.
/// - Values have at most 16 MiB.
///
/// Processes lock each other out by advisory locks on files (`flock`), which the system releases when a
/// process dies. On a network file system that does not pass these on, let one machine use the folder.
#[derive(Clone)]
pub struct FileStore {
    folder: Arc<Folder>,
    clock: Clock,
    fsync: bool,
}

const NAME: &str = "file";
/// The most bytes that a value may have, and that are read of a file.
const MAX_VALUE: usize = 16 * 1024 * 1024;
/// How long an operation waits for others that hold the lock on its entry.
const WAIT: Duration = Duration::from_secs(2);

impl FileStore {
    /// The store in a folder of our own, which is made if there is none.
    ///
    /// Names are SHA-256 hashes of keys, in a subfolder for each first byte. A file holds its key, its expiry
    /// and a checksum before the value.
    ///
    /// # Errors
    ///
    /// `Refused` if every user can write to the folder, or this process cannot; `Unreachable` if it cannot
    /// be made or entered.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::with(folder.as_ref(), Layout::Native)
    }

    /// The store in the folder of a cachelib 0.17 `FileSystemCache`, which Flask-Session's
    /// `SESSION_TYPE=filesystem` shares (`SESSION_FILE_DIR`, by default `flask_session`).
    ///
    /// Values are what cachelib pickles. Files are read under the names of cachelib before 0.16 (MD5) and
    /// with the headers of cachelib before 0.7 too; an entry that is written moves to the new form. Entries
    /// without expiry (`PERMANENT_SESSION_LIFETIME` 0) stay so until they are written.
    ///
    /// The number of files is kept for a cachelib that prunes; this store itself removes nothing that lives.
    /// A cachelib that prunes does: over its `SESSION_FILE_THRESHOLD` (500) it removes what expires first,
    /// and tombstones are among that, so set it well above the number of sessions, or to 0.
    ///
    /// cachelib knows no locks. What it writes between our reading and our writing is noticed and kept where
    /// the system can exchange two files (Linux, local disks); what we write between its reading and its
    /// writing is lost, as between two Flask processes.
    ///
    /// Files hold no keys, and their names are the SHA-256 of keys, or the MD5. Where a key is not known, `sha256:`
    /// or `md5:` and the name of the file stand for it: [`list`](Driver::list) of these prefixes lists them, and they
    /// can be loaded, replaced and deleted. The name of a tombstone is made of the key as well, so what is deleted by
    /// its hash says in its own place, for as long, that there is no session.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open). Later: `Refused` for an expiry after 2106, for a [`list`](Driver::list) of any
    /// other prefix, and for keys ending in `:gone`, which are those of tombstones.
    #[doc(alias = "FileSystemCache")]
    #[doc(alias = "SESSION_FILE_DIR")]
    pub fn cachelib(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::with(folder.as_ref(), Layout::Cachelib)
    }

    fn with(folder: &Path, layout: Layout) -> Result<Self, StoreError> {
        Ok(Self {
            folder: Arc::new(Folder::open(folder, layout)?),
            clock: Clock::system(),
            fsync: false,
        })
    }

    /// Whether a write is on the disk, not only with the system, before it counts as done; off unless set.
    ///
    /// Without it a killed process loses nothing, and a loss of power the sessions of the last seconds. With it
    /// every write waits for the disk, some milliseconds each.
    #[must_use]
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// Where the time comes from, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Does work on a thread that may block. Once begun it is done to its end, even if nobody waits any more.
    async fn run<T, E>(
        &self,
        work: impl FnOnce(&Self, Instant) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let deadline = Instant::now() + WAIT;
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| StoreError::refused("files are read on a Tokio runtime's threads"))?;
        let store = self.clone();
        let done = runtime.spawn_blocking(move || work(&store, deadline)).await;
        done.unwrap_or_else(|_| Err(StoreError::unreachable("the runtime is shutting down").into()))
    }

    fn check_key(&self, key: &str) -> Result<String, StoreError> {
        if key.len() > MAX_KEY {
            return Err(StoreError::refused("a key has at most 250 bytes"));
        }
        if !self.folder.layout.takes(key) {
            return Err(StoreError::refused(
                "the key is one that has a meaning of its own here",
            ));
        }
        Ok(key.to_owned())
    }
}

fn check_value(value: &Bytes) -> Result<(), StoreError> {
    match value.len() {
        0..=MAX_VALUE => Ok(()),
        _ => Err(StoreError::refused("a value has at most 16 MiB")),
    }
}

impl Driver for FileStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shares_pickles(&self) -> bool {
        self.folder.layout == Layout::Cachelib
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let key = self.check_key(key)?;
        self.run(move |store, deadline| store.load_now(&key, deadline))
            .await
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        let key = self.check_key(key)?;
        check_value(&value)?;
        self.run(move |store, deadline| store.create_now(&key, &value, ttl, deadline))
            .await
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        let key = self.check_key(key)?;
        check_value(&value)?;
        let base = base.clone();
        self.run(move |store, deadline| store.replace_now(&key, &base, &value, ttl, deadline))
            .await
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        let key = self.check_key(key)?;
        self.run(move |store, deadline| store.touch_now(&key, ttl, deadline))
            .await
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        let key = self.check_key(key)?;
        let expected = expected.cloned();
        self.run(move |store, deadline| {
            store.delete_now(&key, expected.as_ref(), tombstone, deadline)
        })
        .await
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.run(move |store, _| store.delete_expired_now(limit))
            .await
    }

    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let prefix = prefix.to_owned();
        self.run(move |store, _| store.list_now(&prefix, from.as_ref(), limit))
            .await
    }
}

/// Shows neither the folder nor what is in it.
impl fmt::Debug for FileStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FileStore")
            .field("layout", &self.folder.layout)
            .field("fsync", &self.fsync)
            .finish_non_exhaustive()
    }
}
