mod calls;
mod deployment;
mod layout;
mod model;
mod races;
mod schedules;
mod sessions;
#[cfg(all(
    feature = "dynamodb",
    feature = "file",
    feature = "memcached",
    feature = "mysql",
    feature = "postgres",
    feature = "redis",
    feature = "sqlite"
))]
mod stores;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

use super::*;
use crate::{
    session::SessionId,
    store::{
        CreateError, Cursor, DeleteError, Driver, MemoryStore, Page, Record, ReplaceError,
        StoreError, TouchError,
    },
};

const START: u64 = 1_700_000_000;
const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;
const LAG: u64 = 10;
const RENEW_AFTER: u64 = 60;

fn settings(clock: &Clock) -> RegisterSettings {
    RegisterSettings {
        key_prefix: "session:".to_owned(),
        lag: Duration::from_secs(LAG),
        renew_after: Duration::from_secs(RENEW_AFTER),
        max_sessions: None,
        tombstone: Duration::from_secs(600),
        deadline: Duration::from_secs(30),
        retry_after: Duration::from_secs(2),
        clock: clock.clone(),
    }
}

/// Several processes with one register.
struct Deployment {
    clock: Clock,
    store: Store,
}

impl Deployment {
    fn new() -> Self {
        let clock = Clock::manual(START);
        let store = MemoryStore::new().clock(clock.clone()).into();
        Self { clock, store }
    }

    fn process(&self) -> Register {
        Register::new(self.store.clone(), settings(&self.clock)).unwrap()
    }

    fn process_with(&self, change: impl FnOnce(&mut RegisterSettings)) -> Register {
        let mut settings = settings(&self.clock);
        change(&mut settings);
        Register::new(self.store.clone(), settings).unwrap()
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// A login with a session in a cookie that expires in a day.
fn in_cookie(clock: &Clock) -> NewSession {
    NewSession {
        handle: Handle::generate().unwrap(),
        locator: None,
        expires: clock.unix_seconds() + DAY,
        level: Some(2),
        agent: Some("Mozilla/5.0".to_owned()),
        address: Some("192.0.2.7".to_owned()),
    }
}

/// A login with a session in the store.
fn in_store(clock: &Clock) -> NewSession {
    let id = SessionId::generate("session:", 32).unwrap();
    NewSession {
        handle: Handle::of(&id),
        locator: Some(id.key().to_owned()),
        ..in_cookie(clock)
    }
}

/// Makes the session of a login, as the manager does after entering it.
async fn make(store: &Store, new: &NewSession) {
    let value = bytes::Bytes::from_static(b"\x80");
    store
        .create(locator(new), value, Duration::from_secs(DAY))
        .await
        .unwrap();
}

async fn is_made(store: &Store, new: &NewSession) -> bool {
    store.load(locator(new)).await.unwrap().is_some()
}

fn locator(new: &NewSession) -> &str {
    new.locator.as_deref().unwrap()
}

fn handles(sessions: &[SessionEntry]) -> Vec<Handle> {
    sessions.iter().map(|session| session.handle).collect()
}

async fn listed(register: &Register, subject: &str) -> Vec<Handle> {
    handles(&register.list(subject).await.unwrap())
}

/// A store in memory that does not delete sessions while it is told so.
struct Faulty {
    memory: MemoryStore,
    fails: Arc<AtomicBool>,
}

impl Faulty {
    fn new(clock: &Clock) -> (Self, Arc<AtomicBool>) {
        let fails = Arc::<AtomicBool>::default();
        let memory = MemoryStore::new().clock(clock.clone());
        let faulty = Self {
            memory,
            fails: fails.clone(),
        };
        (faulty, fails)
    }
}

impl Driver for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.memory.load(key).await
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        self.memory.create(key, value, ttl).await
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        self.memory.replace(key, base, value, ttl).await
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        self.memory.touch(key, ttl).await
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        if self.fails.load(Ordering::Relaxed) && key.starts_with("session:") {
            return Err(StoreError::unreachable("a fault").into());
        }
        self.memory.delete(key, expected, tombstone).await
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.memory.delete_expired(limit).await
    }

    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.memory.list(prefix, from, limit).await
    }
}
