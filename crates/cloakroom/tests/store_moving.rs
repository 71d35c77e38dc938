//! Sessions that move from one store to another while they are used: nobody is logged out, no update is lost, no
//! logout undone.

#![cfg(all(
    feature = "file",
    feature = "sqlite",
    feature = "redis",
    feature = "conformance"
))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

#[path = "support/recording.rs"]
mod recording;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    format::Serialization,
    store::{
        Breaker, CreateError, Cursor, DeleteError, Driver, FileStore, MemoryStore, Page, Record,
        RedisStore, ReplaceError, SqliteStore, Store, StoreError, StoreErrorKind, TouchError,
        conformance::{Harness, Limits, Subject, assert_conforms},
    },
};
use recording::Recording;

const HOUR: Duration = Duration::from_secs(3600);

fn memory(clock: &Clock) -> Store {
    MemoryStore::new().clock(clock.clone()).into()
}

/// A busy machine is no failure.
fn patient(store: impl Into<Store>) -> Store {
    store
        .into()
        .timeout(Duration::from_secs(20))
        .without_breaker()
}

/// Every entry is made in the old store, as if all had been there before the move began.
struct BornInTheOld {
    moving: Store,
    old: Store,
}

impl Driver for BornInTheOld {
    fn name(&self) -> &'static str {
        "old"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.moving.load(key).await
    }

    async fn expires_in(&self, key: &str) -> Result<Option<Duration>, StoreError> {
        self.moving.expires_in(key).await
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        if self.moving.load(key).await?.is_some() {
            return Err(CreateError::Exists);
        }
        self.old.create(key, value.clone(), ttl).await?;
        // What the old one hands back is nothing to compare with in the new one.
        Ok(self.moving.load(key).await?.unwrap_or(Record::new(value)))
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        self.moving.replace(key, base, value, ttl).await
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        self.moving.touch(key, ttl).await
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        self.moving.delete(key, expected, tombstone).await
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.moving.delete_expired(limit).await
    }

    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.moving.list(prefix, from, limit).await
    }
}

/// The store in front of the old one, twice, as two processes have it.
fn subject(new: &Store, old: &Store, born_in_the_old: bool) -> Subject {
    let open = || -> Store {
        let moving = new.clone().moving_from(old.clone());
        match born_in_the_old {
            true => BornInTheOld {
                moving,
                old: old.clone(),
            }
            .into(),
            false => moving,
        }
    };
    Subject::new(open()).twin(open())
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_before_memory_conforms_to_the_second() {
    for born_in_the_old in [false, true] {
        let clock = Clock::manual(1_700_000_000);
        let hands = clock.clone();
        let harness = Harness::new(move || {
            let subject = subject(&memory(&hands), &memory(&hands), born_in_the_old);
            async move { subject }
        });
        assert_conforms(harness.clock(clock)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_before_files_conforms() {
    for born_in_the_old in [false, true] {
        let root = Arc::new(tempfile::tempdir().unwrap());
        let opened = AtomicUsize::new(0);
        assert_conforms(Harness::new(move || {
            let folder = root
                .path()
                .join(opened.fetch_add(1, Ordering::Relaxed).to_string());
            async move {
                std::fs::create_dir(&folder).unwrap();
                let url = format!("sqlite:{}/sessions.db?mode=rwc", folder.display());
                let new = SqliteStore::connect(&url).await.unwrap();
                new.migrate().await.unwrap();
                let old = FileStore::open(folder.join("files")).unwrap();
                let new = patient(new.timeout(Duration::from_secs(30)));
                subject(&new, &patient(old), born_in_the_old)
            }
        }))
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_before_files_conforms() {
    let server = servers::redis::start().unwrap();
    for born_in_the_old in [false, true] {
        let root = Arc::new(tempfile::tempdir().unwrap());
        let opened = AtomicUsize::new(0);
        let url = server.url().to_owned();
        let harness = Harness::new(move || {
            let number = opened.fetch_add(1, Ordering::Relaxed);
            let (folder, url) = (root.path().join(number.to_string()), url.clone());
            async move {
                let flush = redis::cmd("FLUSHDB");
                let url = format!("{url}/{}", number % 16);
                let client = redis::Client::open(url.as_str()).unwrap();
                flush.exec(&mut client.get_connection().unwrap()).unwrap();
                let url = format!("{url}?socket_timeout=20&socket_connect_timeout=20");
                let new = RedisStore::connect(&url).await.unwrap();
                let old = FileStore::open(folder).unwrap();
                subject(&patient(new), &patient(old), born_in_the_old)
            }
        });
        assert_conforms(harness.limits(Limits {
            deletes_expired: false,
            ..Limits::default()
        }))
        .await;
    }
}

/// An entry in the old store alone, and both.
async fn in_the_old(value: &'static str) -> (Store, Store) {
    let clock = Clock::system();
    let (new, old) = (memory(&clock), memory(&clock));
    old.create("a", value.into(), HOUR).await.unwrap();
    (new, old)
}

async fn value(store: &Store, key: &str) -> Option<Bytes> {
    store.load(key).await.unwrap().map(|record| record.value)
}

#[tokio::test]
async fn p3_the_first_request_brings_the_same_bytes_for_the_same_time() {
    let clock = Clock::manual(1_700_000_000);
    let (new, old) = (memory(&clock), memory(&clock));
    old.create("a", "\u{80}bytes".into(), HOUR).await.unwrap();
    clock.advance(Duration::from_secs(600));
    let moving = new.clone().moving_from(old.clone());
    let loaded = moving.load("a").await.unwrap().unwrap();
    assert_eq!(loaded.value, "\u{80}bytes");
    assert_eq!(loaded.expires_in, Some(Duration::from_secs(3000)));
    assert_eq!(new.load("a").await.unwrap(), Some(loaded));
    assert_eq!(value(&old, "a").await.unwrap(), "\u{80}bytes");
    clock.advance(Duration::from_secs(2999));
    assert!(moving.load("a").await.unwrap().is_some());
    clock.advance(Duration::from_secs(1));
    assert_eq!(moving.load("a").await, Ok(None));
}

#[tokio::test]
async fn s14_what_comes_out_of_redis_ends_when_it_would_have_ended_there() {
    let old = Store::new(RedisStore::connect(servers::redis::shared()).await.unwrap());
    let key = format!("session:{}", servers::unique("moving"));
    let short = Duration::from_secs(100);
    old.create(&key, "1".into(), short).await.unwrap();
    let new = Store::new(MemoryStore::new());
    let moving = new.clone().moving_from(patient(old));
    moving.load(&key).await.unwrap().unwrap();
    let left = new.load(&key).await.unwrap().unwrap().expires_in.unwrap();
    assert!(left <= short && left > Duration::from_secs(60), "{left:?}");
    assert_eq!(moving.expires_in(&key).await.unwrap(), Some(left));
    let missing = moving.expires_in("session:missing").await.unwrap();
    assert_eq!(missing, Some(Duration::ZERO));
}

#[tokio::test]
async fn p7_what_has_moved_costs_one_call_and_the_old_store_none() {
    let (new, new_calls) = Recording::new(Arc::new(MemoryStore::new()));
    let (old, old_calls) = Recording::new(Arc::new(MemoryStore::new()));
    let old = Store::new(old);
    old.create("a", "1".into(), HOUR).await.unwrap();
    let moving = Store::new(new).moving_from(old);
    moving.load("a").await.unwrap();
    assert_eq!(new_calls.kinds(), ["load", "create"]);
    assert_eq!(old_calls.kinds(), ["create", "load"]);
    let base = moving.load("a").await.unwrap().unwrap();
    moving.replace("a", &base, "2".into(), HOUR).await.unwrap();
    assert_eq!(new_calls.kinds(), ["load", "replace"]);
    assert_eq!(old_calls.kinds(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_two_processes_and_a_bulk_copy_lose_no_update() {
    for _ in 0..20 {
        let (new, old) = in_the_old("0").await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let process = new.clone().moving_from(old.clone());
            for _ in 0..4 {
                let process = process.clone();
                tasks.spawn(async move {
                    for _ in 0..25 {
                        increment(&process).await;
                    }
                });
            }
        }
        let (to, from) = (new.clone(), old.clone());
        tasks.spawn(async move {
            for _ in 0..50 {
                let copy = from.load("a").await.unwrap().unwrap();
                let copied = to.create("a", copy.value, HOUR).await;
                assert!(matches!(copied, Ok(_) | Err(CreateError::Exists)));
                tokio::task::yield_now().await;
            }
        });
        tasks.join_all().await;
        assert_eq!(value(&new, "a").await.unwrap(), "200");
    }
}

async fn increment(store: &Store) {
    let mut base = store.load("a").await.unwrap().unwrap();
    loop {
        let count: u32 = std::str::from_utf8(&base.value).unwrap().parse().unwrap();
        let more = (count + 1).to_string();
        match store.replace("a", &base, more.into(), HOUR).await {
            Ok(_) => return,
            Err(ReplaceError::Changed(there)) => base = there,
            Err(error) => panic!("{error}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_a_logout_lasts_against_copies_and_slow_requests() {
    for round in 0..400 {
        let (new, old) = in_the_old("1").await;
        let process = || new.clone().moving_from(old.clone());
        let (mine, reader, writer) = (process(), process(), process());
        let known = mine.load("a").await.unwrap().unwrap();
        let stale = old.load("a").await.unwrap().unwrap();
        let expected = (round % 2 == 0).then_some(known);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            match mine.delete("a", expected.as_ref(), HOUR).await {
                Ok(()) => {}
                // The other request was faster: whoever logs out then does it all the same.
                Err(DeleteError::Changed(_)) => mine.delete("a", None, HOUR).await.unwrap(),
                Err(error) => panic!("{error}"),
            }
        });
        tasks.spawn(async move {
            for _ in 0..5 {
                reader.load("a").await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        tasks.spawn(async move {
            if let Some(base) = writer.load("a").await.unwrap() {
                tokio::task::yield_now().await;
                let _ = writer.replace("a", &base, "2".into(), HOUR).await;
            }
        });
        let to = new.clone();
        tasks.spawn(async move {
            let _ = to.create("a", stale.value, HOUR).await;
        });
        tasks.join_all().await;
        assert_eq!(process().load("a").await, Ok(None), "round {round}");
        assert_eq!(new.load("a").await, Ok(None));
        assert_eq!(old.load("a").await, Ok(None));
        let again = process().create("a", "3".into(), HOUR).await;
        assert_eq!(again, Err(CreateError::Exists));
    }
}

#[tokio::test]
async fn p5_what_the_new_store_knows_to_be_gone_is_gone_whatever_the_old_one_says() {
    let (new, old) = in_the_old("1").await;
    // As a conditional deletion leaves it that was given up between both stores.
    new.delete("a", None, HOUR).await.unwrap();
    let moving = new.moving_from(old.clone());
    assert_eq!(moving.load("a").await, Ok(None));
    let base = old.load("a").await.unwrap().unwrap();
    let replaced = moving.replace("a", &base, "2".into(), HOUR).await;
    assert_eq!(replaced, Err(ReplaceError::NotFound));
    assert_eq!(moving.touch("a", HOUR).await, Err(TouchError::NotFound));
    let created = moving.create("a", "2".into(), HOUR).await;
    assert_eq!(created, Err(CreateError::Exists));
}

#[tokio::test]
async fn p5_a_program_on_the_old_store_cannot_bring_a_deleted_session_back() {
    let root = tempfile::tempdir().unwrap();
    let old: Store = FileStore::cachelib(root.path()).unwrap().into();
    old.create("session:a", "\u{80}".into(), HOUR)
        .await
        .unwrap();
    let file = std::fs::read_dir(root.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_file() && path.file_name().unwrap().len() == 64 && !is_count(path))
        .unwrap();
    let written = std::fs::read(&file).unwrap();
    let moving = Store::new(MemoryStore::new()).moving_from(old.clone());
    moving.load("session:a").await.unwrap().unwrap();
    moving.delete("session:a", None, HOUR).await.unwrap();
    // Flask had loaded it before and saves it now.
    std::fs::write(&file, written).unwrap();
    assert_eq!(moving.load("session:a").await, Ok(None));
    assert_eq!(old.load("session:a").await, Ok(None));
}

fn is_count(path: &std::path::Path) -> bool {
    path.ends_with("79bc207ee04a581ab2348ca1f3494e64cd0ec36128735b8c6bc85ddd8fe1938c")
}

#[tokio::test]
async fn s14_a_life_that_is_shortened_after_the_move_ends_in_both() {
    let brief = Duration::from_secs(10);
    for touches in [false, true] {
        let clock = Clock::manual(1_700_000_000);
        let (new, old) = (memory(&clock), memory(&clock));
        old.create("a", "1".into(), HOUR).await.unwrap();
        let moving = new.moving_from(old);
        let base = moving.load("a").await.unwrap().unwrap();
        match touches {
            true => moving.touch("a", brief).await.unwrap(),
            false => drop(moving.replace("a", &base, "2".into(), brief).await.unwrap()),
        }
        clock.advance(brief);
        assert_eq!(moving.load("a").await, Ok(None));
    }
}

#[tokio::test]
async fn an_entry_without_an_end_gets_flasks_lifetime() {
    let root = tempfile::tempdir().unwrap();
    let old = Store::new(FileStore::cachelib(root.path()).unwrap());
    let name = "sha256:".to_owned() + &"ab".repeat(32);
    // What cachelib writes for a lifetime of 0: no expiry, and a pickled empty dictionary.
    let file = [&[0, 0, 0, 0], &b"\x80\x05}."[..]].concat();
    std::fs::write(root.path().join("ab".repeat(32)), file).unwrap();
    let moving = Store::new(MemoryStore::new()).moving_from(old);
    let loaded = moving.load(&name).await.unwrap().unwrap();
    assert_eq!(loaded.expires_in, Some(Duration::from_secs(31 * 86400)));
}

/// A store that nobody can reach.
struct Down;

impl Driver for Down {
    fn name(&self) -> &'static str {
        "down"
    }

    async fn load(&self, _: &str) -> Result<Option<Record>, StoreError> {
        Err(StoreError::unreachable("down"))
    }

    async fn create(&self, _: &str, _: Bytes, _: Duration) -> Result<Record, CreateError> {
        Err(StoreError::unreachable("down").into())
    }

    async fn replace(
        &self,
        _: &str,
        _: &Record,
        _: Bytes,
        _: Duration,
    ) -> Result<Record, ReplaceError> {
        Err(StoreError::unreachable("down").into())
    }

    async fn touch(&self, _: &str, _: Duration) -> Result<(), TouchError> {
        Err(StoreError::unreachable("down").into())
    }

    async fn delete(&self, _: &str, _: Option<&Record>, _: Duration) -> Result<(), DeleteError> {
        Err(StoreError::unreachable("down").into())
    }

    async fn delete_expired(&self, _: usize) -> Result<usize, StoreError> {
        Err(StoreError::unreachable("down"))
    }

    async fn list(&self, _: &str, _: Option<Cursor>, _: usize) -> Result<Page, StoreError> {
        Err(StoreError::unreachable("down"))
    }
}

#[tokio::test]
async fn p9_an_old_store_that_is_down_is_in_nobodys_way_who_has_moved() {
    let new = Store::new(MemoryStore::new());
    let base = new.create("moved", "1".into(), HOUR).await.unwrap();
    let moving = new.moving_from(Store::new(Down));
    for _ in 0..10 {
        // Whether it is there cannot be known, so this is no "no session".
        let error = moving.load("elsewhere").await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                StoreErrorKind::Unreachable | StoreErrorKind::Skipped
            ),
            "{error}"
        );
    }
    assert!(moving.is_available());
    assert_eq!(value(&moving, "moved").await.unwrap(), "1");
    let base = base.with_expires_in(HOUR);
    moving
        .replace("moved", &base, "2".into(), HOUR)
        .await
        .unwrap();
    // A logout that could be undone is none.
    let deleted = moving.delete("moved", None, HOUR).await;
    assert!(matches!(deleted, Err(DeleteError::Failed(_))));
}

#[tokio::test]
async fn p9_a_new_store_that_is_down_says_so() {
    let (_, old) = in_the_old("1").await;
    let breaker = Breaker::after(2).pauses(HOUR, HOUR);
    let moving = Store::new(Down).breaker(breaker).moving_from(old);
    assert!(moving.is_available());
    for _ in 0..2 {
        let error = moving.load("a").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreachable);
    }
    assert!(!moving.is_available());
    let error = moving.load("a").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Skipped);
}

#[tokio::test]
async fn p2_what_moves_into_a_folder_of_cachelibs_is_pickled() {
    let session = Serialization::MessagePack
        .from_slice(b"\x81\xa4user\xa5alice")
        .unwrap();
    let root = tempfile::tempdir().unwrap();
    let new = Store::new(FileStore::cachelib(root.path()).unwrap());
    let old = Store::new(MemoryStore::new());
    let packed = Serialization::MessagePack.to_bytes(&session).unwrap();
    let pickled = Serialization::Pickle.to_bytes(&session).unwrap();
    old.create("session:a", packed.into(), HOUR).await.unwrap();
    // As the lists of who has which begin, which are no sessions.
    let list = Bytes::from_static(b"\x94\x01\x90\x90\xc0");
    old.create("session:b", list.clone(), HOUR).await.unwrap();
    let moving = new.clone().moving_from(old);
    assert!(moving.shares_pickles());
    let loaded = moving.load("session:a").await.unwrap().unwrap();
    assert_eq!(loaded.value, pickled);
    moving
        .replace("session:a", &loaded, "2".into(), HOUR)
        .await
        .unwrap();
    assert_eq!(value(&moving, "session:b").await.unwrap(), list);
}

#[tokio::test]
async fn p2_files_whose_keys_nobody_knows_are_found_by_their_hashes() {
    let root = tempfile::tempdir().unwrap();
    let folder = Store::new(FileStore::cachelib(root.path()).unwrap());
    for key in ["session:a", "session:b", "session:left"] {
        let pickled = Bytes::from_static(b"\x80\x05}.");
        folder.create(key, pickled, HOUR).await.unwrap();
    }
    folder.delete("session:left", None, HOUR).await.unwrap();
    let page = folder.list("sha256:", None, 100).await.unwrap();
    assert_eq!(page.next, None);
    // Neither the tombstone nor the file in which cachelib counts is an entry.
    assert_eq!(page.entries.len(), 2);
    let redis = Store::new(MemoryStore::new());
    for listed in page.entries {
        assert_eq!(listed.size, 4);
        let record = folder.load(&listed.key).await.unwrap().unwrap();
        let ttl = record.expires_in.unwrap();
        redis.create(&listed.key, record.value, ttl).await.unwrap();
    }
    let moving = redis.clone().moving_from(redis.clone().hashed_keys());
    let loaded = moving.load("session:a").await.unwrap().unwrap();
    assert_eq!(loaded.value, &b"\x80\x05}."[..]);
    assert_eq!(redis.load("session:a").await.unwrap(), Some(loaded));
    assert_eq!(moving.load("session:c").await, Ok(None));
    moving.delete("session:a", None, HOUR).await.unwrap();
    moving.delete("session:b", None, HOUR).await.unwrap();
    assert_eq!(moving.load("session:b").await, Ok(None));
    assert_eq!(redis.list("", None, 10).await.unwrap().entries, []);
}

#[tokio::test]
async fn a_listing_has_what_is_in_both_once() {
    let clock = Clock::system();
    let (new, old) = (memory(&clock), memory(&clock));
    for number in 0..100 {
        let key = format!("session:{number}");
        old.create(&key, "1".into(), HOUR).await.unwrap();
    }
    let moving = new.clone().moving_from(old);
    for number in 0..30 {
        moving.load(&format!("session:{number}")).await.unwrap();
    }
    new.create("session:new", "1".into(), HOUR).await.unwrap();
    let (mut keys, mut from) = (Vec::new(), None);
    loop {
        let page = moving.list("session:", from, 7).await.unwrap();
        keys.extend(page.entries.into_iter().map(|listed| listed.key));
        from = match page.next {
            Some(next) => Some(next),
            None => break,
        };
    }
    keys.sort();
    let listed = keys.len();
    keys.dedup();
    assert_eq!((keys.len(), listed), (101, 101));
}
