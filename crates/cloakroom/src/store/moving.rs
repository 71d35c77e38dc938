use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{
    CreateError, Cursor, DeleteError, Driver, Listed, Page, Prepared, Record, ReplaceError, Store,
    StoreError, TouchError,
};
use crate::format::Serialization;

impl Store {
    /// This store in front of an older one, for as long as sessions move from there to here: nobody is logged
    /// out meanwhile, and nothing has to be copied before.
    ///
    /// What is here already costs one call, as ever. What is not is looked for in the old store and copied: the
    /// same bytes, for as long as they had still to live, so that from its first request on a session is here.
    /// Writes go here only. A deletion goes to both and leaves its tombstone in both, so neither a request that
    /// began before nor a copy under way nor a program on the old store brings the session back. Once the old
    /// store is empty, or what is left in it may go, leave out this call.
    ///
    /// ```
    /// # use cloakroom::store::{MemoryStore, Store};
    /// # async fn open(redis: &str, folder: &str) -> Result<(), cloakroom::store::StoreError> {
    /// let store = Store::from_url(redis).await?;
    /// let store = store.moving_from(Store::from_url(folder).await?);
    /// # Ok(()) }
    /// ```
    ///
    /// `cloakroom sessions migrate` copies all entries at once; use both together if you can, this one for the
    /// time of the change and that one for the sessions that nobody uses just now.
    ///
    /// # What to know
    ///
    /// - The old entry stays, for programs that still use the old store. What such a program writes there after a
    ///   session was copied is not seen here, so let it change over at the same time.
    /// - A new session costs two calls, because its id must be free in both.
    /// - An entry that lives for ever gets a copy that lives for 31 days, Flask's lifetime.
    /// - The old entry must not outlive the new one, or it would be found again: where a session gets a shorter
    ///   life than old ones have been seen to have, the old entry gets it too. After a restart nothing has been
    ///   seen yet, so let sessions move before you shorten their lifetime.
    /// - Where this one is a folder that cachelib reads, sessions are copied as pickles, its only format.
    /// - If one of both cannot be asked about an entry, that is an error and never "no session". Each has its
    ///   own time limit and [`Breaker`](super::Breaker), so an old store that is down is in nobody's way whose
    ///   session has moved.
    /// - [`list`](Self::list) shows what is in both, once; it needs two stores that can list. With a million
    ///   entries it is slow, because each old one is looked for here.
    #[must_use]
    #[doc(alias = "migrate")]
    #[doc(alias = "dual read")]
    pub fn moving_from(self, old: Store) -> Self {
        let timeout = self.time_limit().saturating_add(old.time_limit());
        let longest = AtomicU64::new(0);
        Self::new(MovingStore {
            new: self,
            old,
            longest,
        })
        .timeout(timeout)
        // Both have one already, and what is here does not depend on the old one.
        .without_breaker()
    }
}

/// Two stores, of which the first is where everything is to end up.
struct MovingStore {
    new: Store,
    old: Store,
    /// How long any old entry still had to live when it was brought, in seconds.
    longest: AtomicU64,
}

/// How long a copy lives of what has no end.
const LIFETIME: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// The shortest life that stores take.
const SHORTEST: Duration = Duration::from_secs(1);
/// How many entries are looked for at the same time.
const AT_A_TIME: usize = 16;

impl MovingStore {
    /// Copies what only the old store has. None if it has nothing, or the new one knows that it is gone.
    async fn bring(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let Some(old) = self.old.load(key).await? else {
            return Ok(None);
        };
        let left = match old.expires_in {
            Some(left) => Some(left),
            None => self.old.expires_in(key).await?,
        };
        let ttl = match left {
            // It ended just now.
            Some(Duration::ZERO) => return Ok(None),
            left => left.unwrap_or(LIFETIME).max(SHORTEST),
        };
        self.longest.fetch_max(ttl.as_secs(), Ordering::Relaxed);
        match self
            .new
            .create(key, self.as_read_here(old.value), ttl)
            .await
        {
            Ok(record) => Ok(Some(record.with_expires_in(ttl))),
            // Somebody was faster, or there is a tombstone.
            Err(CreateError::Exists) => self.new.load(key).await,
            Err(CreateError::Failed(error)) => Err(error),
        }
    }

    /// The value as the programs on the new store can read it.
    fn as_read_here(&self, value: Bytes) -> Bytes {
        if !self.new.shares_pickles() || self.old.shares_pickles() {
            return value;
        }
        let session = Serialization::MessagePack.from_slice(&value).ok();
        let pickled = session
            // Other entries, as the lists of who has which, are read by nobody but us.
            .filter(|session| session.as_dict().is_some())
            .and_then(|session| Serialization::Pickle.to_bytes(&session).ok());
        pickled.map_or(value, Bytes::from)
    }

    /// Sees to it that the old entry does not outlive the new one, after which it would be found again.
    async fn shorten(
        &self,
        key: &str,
        left: Option<Duration>,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let longest = || Duration::from_secs(self.longest.load(Ordering::Relaxed));
        if ttl >= left.unwrap_or_else(longest) {
            return Ok(());
        }
        match self.old.touch(key, ttl).await {
            Ok(()) | Err(TouchError::NotFound) => Ok(()),
            Err(TouchError::Failed(error)) => Err(error),
        }
    }

    /// The entries of a page of the old store that are not in the new one.
    async fn only_old(&self, page: Vec<Listed>) -> Result<Vec<Listed>, StoreError> {
        let mut found = Vec::with_capacity(page.len());
        let mut looking = JoinSet::new();
        let mut page = page.into_iter();
        loop {
            while looking.len() < AT_A_TIME
                && let Some(entry) = page.next()
            {
                let new = self.new.clone();
                looking.spawn(async move { (new.load(&entry.key).await, entry) });
            }
            match looking.join_next().await {
                None => return Ok(found),
                Some(Ok((there, entry))) => {
                    if there?.is_none() {
                        found.push(entry);
                    }
                }
                Some(Err(_)) => {
                    return Err(StoreError::unreachable("the runtime is shutting down"));
                }
            }
        }
    }
}

impl Driver for MovingStore {
    /// Both stores have names of their own, under which their calls are counted.
    fn name(&self) -> &'static str {
        "moving"
    }

    fn shares_pickles(&self) -> bool {
        self.new.shares_pickles()
    }

    fn is_available(&self) -> bool {
        self.new.is_available()
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        match self.new.load(key).await? {
            Some(record) => Ok(Some(record)),
            None => self.bring(key).await,
        }
    }

    async fn expires_in(&self, key: &str) -> Result<Option<Duration>, StoreError> {
        match self.new.expires_in(key).await? {
            Some(Duration::ZERO) => self.old.expires_in(key).await,
            left => Ok(left),
        }
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        match self.old.load(key).await? {
            Some(_) => Err(CreateError::Exists),
            None => self.new.create(key, value, ttl).await,
        }
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        self.shorten(key, base.expires_in, ttl).await?;
        match self.new.replace(key, base, value, ttl).await {
            Err(ReplaceError::NotFound) => match self.bring(key).await? {
                Some(there) => Err(ReplaceError::Changed(there)),
                None => Err(ReplaceError::NotFound),
            },
            answer => answer,
        }
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        self.shorten(key, None, ttl).await?;
        match self.new.touch(key, ttl).await {
            Err(TouchError::NotFound) => match self.bring(key).await? {
                Some(_) => self.new.touch(key, ttl).await,
                None => Err(TouchError::NotFound),
            },
            answer => answer,
        }
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        if expected.is_none() {
            // The new one last: until then nothing has happened, whoever stops waiting.
            self.old.delete(key, None, tombstone).await?;
            return self.new.delete(key, None, tombstone).await;
        }
        match self.new.delete(key, expected, tombstone).await {
            Ok(()) => self.old.delete(key, None, tombstone).await,
            Err(DeleteError::NotFound) => match self.bring(key).await? {
                Some(there) => Err(DeleteError::Changed(there)),
                None => Err(DeleteError::NotFound),
            },
            answer => answer,
        }
    }

    /// Counts what goes from the new one. In the old one it is copies and left-overs, which say no more than
    /// whether there may be others.
    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        let deleted = self.new.delete_expired(limit).await?;
        match self.old.delete_expired(limit).await? {
            full if full == limit => Ok(limit),
            _ => Ok(deleted),
        }
    }

    /// First the new one's, then what only the old one has: an entry that is copied meanwhile may be missed or
    /// listed, never twice unless it was both.
    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let old = |place: Option<Cursor>| {
            Cursor(format!(
                "old:{}",
                place.map_or_else(String::new, |place| place.0)
            ))
        };
        let new = |place: Cursor| Cursor(format!("new:{}", place.0));
        let from = from.map(|Cursor(text)| text);
        match from.as_deref().map(|text| text.split_once(':')) {
            None => {
                let page = self.new.list(prefix, None, limit).await?;
                let next = Some(page.next.map_or_else(|| old(None), new));
                Ok(Page { next, ..page })
            }
            Some(Some(("new", place))) => {
                let place = Some(Cursor(place.to_owned()));
                let page = self.new.list(prefix, place, limit).await?;
                let next = Some(page.next.map_or_else(|| old(None), new));
                Ok(Page { next, ..page })
            }
            Some(Some(("old", place))) => {
                let place = (!place.is_empty()).then(|| Cursor(place.to_owned()));
                let page = self.old.list(prefix, place, limit).await?;
                Ok(Page {
                    entries: self.only_old(page.entries).await?,
                    next: page.next.map(|place| old(Some(place))),
                })
            }
            Some(_) => Err(StoreError::refused("that cursor is of another store")),
        }
    }

    async fn prepare(&self) -> Result<Prepared, StoreError> {
        self.new.prepare().await
    }
}
