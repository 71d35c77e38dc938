//! Session ids that could be guessed, or that two visitors could share.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cloakroom::{
    Layout, SessionConfig, SessionManager,
    store::{
        CreateError, Cursor, DeleteError, Driver, MemoryStore, Page, Record, ReplaceError,
        StoreError, TouchError,
    },
};

/// The files that ask for random numbers which keep nothing secret: when to sweep or to look at a file again, and keys
/// that no other trial uses.
const HARMLESS: [&str; 3] = ["clock.rs", "store/sweep.rs", "store/conformance/mod.rs"];

/// Fails if an id or a key is made of anything but the operating system's random numbers, or if there are none and
/// something is made all the same.
#[test]
fn cve_2024_52801_cve_2025_40923_cve_2026_5081_random_numbers_have_one_source() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut asking = 0;
    for file in rust_files(&source) {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(&source).unwrap().to_str().unwrap();
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().starts_with("//"))
            .collect();
        for (place, line) in lines.iter().enumerate() {
            if line.contains("getrandom::fill") {
                asking += 1;
                let statement = lines[place..].iter().take(3).copied().collect::<String>();
                let statement = statement.split(';').next().unwrap();
                let answered = statement.ends_with('?');
                assert!(answered || HARMLESS.contains(&name), "{name}: {statement}");
            }
            for other in ["rand::", "fastrand", "thread_rng", "StdRng", "getrandom::u"] {
                let used = line.contains(other) && !line.contains("getrandom::fill");
                assert!(!used, "{name} uses {other}: {line}");
            }
        }
    }
    assert!(asking >= 5, "{asking} places ask for random numbers");
    let manifest = include_str!("../../Cargo.toml");
    let crates = manifest.split("[dev-dependencies]").next().unwrap();
    for line in crates.lines() {
        assert!(
            !line.starts_with("rand") && !line.starts_with("uuid"),
            "{line}"
        );
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// A store in which the first ids are taken, each by somebody else.
#[derive(Clone)]
struct Crowded {
    store: Arc<MemoryStore>,
    /// How many of the next ids are.
    taken: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

const SOMEBODY: &[u8] = b"\x81\xa4user\xa8somebody";

impl Driver for Crowded {
    fn name(&self) -> &'static str {
        "crowded"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.store.load(key).await
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        let taken = self
            .taken
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if taken.is_ok() {
            self.store.create(key, SOMEBODY.into(), ttl).await.unwrap();
            self.refused.fetch_add(1, Ordering::SeqCst);
        }
        self.store.create(key, value, ttl).await
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        self.store.replace(key, base, value, ttl).await
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        self.store.touch(key, ttl).await
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
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

/// Fails if a new session, or a session's new id, overwrites an entry that is there.
#[tokio::test]
async fn tower_sessions_0_12_0_a_taken_id_is_never_taken_over() {
    let layouts = [Layout::Flask, Layout::Native, Layout::Sealed];
    for (layout, regenerates) in layouts
        .iter()
        .flat_map(|layout| [(layout, false), (layout, true)])
    {
        let store = Arc::new(MemoryStore::new());
        let crowded = Crowded {
            store: store.clone(),
            // The first is taken at once, or later, when the session gets another id.
            taken: Arc::new(AtomicUsize::new(if regenerates { 0 } else { 3 })),
            refused: Arc::default(),
        };
        let manager =
            SessionManager::stored(crowded.clone(), SessionConfig::default().layout(*layout))
                .unwrap();
        let session = manager.new_session();
        session.insert("user", "alice").unwrap();
        session.save().await.unwrap();
        if regenerates {
            crowded.taken.store(3, Ordering::SeqCst);
            session.regenerate();
            session.save().await.unwrap();
        }
        assert_eq!(crowded.refused.load(Ordering::SeqCst), 3);
        let page = store.list("session:", None, 10).await.unwrap();
        assert_eq!(page.entries.len(), 4);
        let mut of_others = 0;
        for entry in page.entries {
            let value = store.load(&entry.key).await.unwrap().unwrap().value;
            of_others += usize::from(value == SOMEBODY);
        }
        assert_eq!(of_others, 3);
        let id = manager.cookie_value(&session).unwrap();
        let opened = manager.open_value(&id).await.unwrap();
        assert_eq!(opened.get::<String>("user").unwrap().unwrap(), "alice");
    }
}
