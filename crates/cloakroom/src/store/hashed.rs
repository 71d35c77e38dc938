use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    CreateError, Cursor, DeleteError, Driver, Page, Prepared, Record, ReplaceError, Store,
    StoreError, TouchError,
};
use crate::hexadecimal::hexadecimal;

impl Store {
    /// What waits in this store under the hashes of keys: where a key is asked for, `sha256:` and its SHA-256 in
    /// hexadecimal is looked up.
    ///
    /// The files of a cachelib folder tell the hashes of their keys and not the keys, so `cloakroom sessions
    /// migrate` can copy them to another store under their hashes only. Put this behind the store, and a session
    /// gets its own key at its first request, when the browser brings it:
    ///
    /// ```
    /// # use cloakroom::store::{MemoryStore, Store};
    /// # let store = Store::new(MemoryStore::new());
    /// let store = store.clone().moving_from(store.hashed_keys());
    /// ```
    ///
    /// What it was copied from stays, as in any other old store, until it expires.
    #[must_use]
    pub fn hashed_keys(self) -> Self {
        let timeout = self.time_limit();
        Self::new(HashedKeys(self))
            .timeout(timeout)
            .without_breaker()
    }
}

/// A store that is asked for the hashes of keys.
struct HashedKeys(Store);

/// What a key begins with that stands for the one with this SHA-256.
pub(super) const HASHED: &str = "sha256:";

fn hashed(key: &str) -> String {
    format!("{HASHED}{}", hexadecimal(&Sha256::digest(key.as_bytes())))
}

impl Driver for HashedKeys {
    fn name(&self) -> &'static str {
        "hashed"
    }

    fn shares_pickles(&self) -> bool {
        self.0.shares_pickles()
    }

    fn is_available(&self) -> bool {
        self.0.is_available()
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.0.load(&hashed(key)).await
    }

    async fn expires_in(&self, key: &str) -> Result<Option<Duration>, StoreError> {
        self.0.expires_in(&hashed(key)).await
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        self.0.create(&hashed(key), value, ttl).await
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        self.0.replace(&hashed(key), base, value, ttl).await
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        self.0.touch(&hashed(key), ttl).await
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        self.0.delete(&hashed(key), expected, tombstone).await
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.0.delete_expired(limit).await
    }

    /// Nothing: a store that has both kinds of keys lists both when it is asked itself.
    async fn list(&self, _: &str, _: Option<Cursor>, _: usize) -> Result<Page, StoreError> {
        Err(StoreError::refused(
            "hashes cannot be turned back into keys: nothing can be listed",
        ))
    }

    async fn prepare(&self) -> Result<Prepared, StoreError> {
        self.0.prepare().await
    }
}
