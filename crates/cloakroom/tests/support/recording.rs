//! A store that writes down what it is asked.

#![allow(dead_code, reason = "each test file uses a part of it")]

#[path = "listen.rs"]
#[allow(clippy::duplicate_mod, reason = "each helper may be the only one")]
mod listen;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use cloakroom::store::{
    CreateError, Cursor, DeleteError, Driver, MemoryStore, Page, Record, ReplaceError, StoreError,
    TouchError,
};

/// One question or command, with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Load(String),
    Create(String, Bytes, Duration),
    Replace(String, Bytes, Duration),
    Touch(String, Duration),
    /// And whether only an expected entry was to go.
    Delete(String, bool),
}

impl Call {
    /// What kind of call it is, in one word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Load(..) => "load",
            Self::Create(..) => "create",
            Self::Replace(..) => "replace",
            Self::Touch(..) => "touch",
            Self::Delete(..) => "delete",
        }
    }
}

/// The calls so far. Clones are the same list.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    fn note(&self, call: Call) {
        self.0.lock().unwrap().push(call);
    }

    /// The calls since the last time, which are forgotten.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// As [`take`](Self::take), told by their kinds.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.take().iter().map(Call::kind).collect()
    }
}

/// A store, in memory unless said otherwise, and the calls it got.
pub(crate) struct Recording<D = MemoryStore> {
    store: Arc<D>,
    calls: Calls,
}

impl<D: Driver> Recording<D> {
    pub(crate) fn new(store: Arc<D>) -> (Self, Calls) {
        listen::listen();
        let calls = Calls::default();
        let recording = Self {
            store,
            calls: calls.clone(),
        };
        (recording, calls)
    }
}

impl<D: Driver> Driver for Recording<D> {
    fn name(&self) -> &'static str {
        "recording"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.calls.note(Call::Load(key.to_owned()));
        self.store.load(key).await
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        self.calls
            .note(Call::Create(key.to_owned(), value.clone(), ttl));
        self.store.create(key, value, ttl).await
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        self.calls
            .note(Call::Replace(key.to_owned(), value.clone(), ttl));
        self.store.replace(key, base, value, ttl).await
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        self.calls.note(Call::Touch(key.to_owned(), ttl));
        self.store.touch(key, ttl).await
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        self.calls
            .note(Call::Delete(key.to_owned(), expected.is_some()));
        self.store.delete(key, expected, tombstone).await
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.store.delete_expired(limit).await
    }

    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.store.list(prefix, from, limit).await
    }
}
