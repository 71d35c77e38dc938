//! A store in memory with something wrong with it.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

#[path = "listen.rs"]
#[allow(clippy::duplicate_mod, reason = "each helper may be the only one")]
mod listen;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{
        CreateError, Cursor, DeleteError, Driver, MemoryStore, Page, Record, ReplaceError,
        StoreError, TouchError,
    },
};

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    Unreachable,
    Refuses,
    Hangs,
    /// The connection breaks in the middle of the call, after a second.
    Breaks,
    /// Does what it is told, and the answer is lost.
    Mute,
}

/// A store in memory with something wrong: with all of it or with one method.
#[derive(Clone)]
pub(crate) struct Faulty {
    store: Arc<MemoryStore>,
    fault: Arc<Mutex<(Fault, &'static str)>>,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

/// Every method.
pub(crate) const ALL: &str = "";

impl Faulty {
    pub(crate) fn new(clock: Clock) -> Self {
        listen::listen();
        Self {
            store: Arc::new(MemoryStore::new().clock(clock)),
            fault: Arc::new(Mutex::new((Fault::None, ALL))),
            calls: Arc::default(),
        }
    }

    pub(crate) fn set(&self, fault: Fault, method: &'static str) {
        *self.fault.lock().unwrap() = (fault, method);
        self.calls.lock().unwrap().clear();
    }

    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Meets a call's fate: before it is carried out, and after it.
    async fn call<T, E: From<StoreError>>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.calls.lock().unwrap().push(method);
        let (fault, meant) = *self.fault.lock().unwrap();
        let fault = match meant == ALL || meant == method {
            true => fault,
            false => Fault::None,
        };
        match fault {
            Fault::None => call.await,
            Fault::Unreachable => Err(StoreError::unreachable("down").into()),
            Fault::Refuses => Err(StoreError::refused("out of memory").into()),
            Fault::Hangs => std::future::pending().await,
            Fault::Breaks => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(StoreError::unreachable("the connection broke").into())
            }
            Fault::Mute => {
                let _ = call.await;
                Err(StoreError::unreachable("the connection broke").into())
            }
        }
    }
}

impl Driver for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.call("load", self.store.load(key)).await
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        self.call("create", self.store.create(key, value, ttl))
            .await
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        self.call("replace", self.store.replace(key, base, value, ttl))
            .await
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        self.call("touch", self.store.touch(key, ttl)).await
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        self.call("delete", self.store.delete(key, expected, tombstone))
            .await
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
