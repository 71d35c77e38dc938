//! The folder of cachelib for those who know no keys: what is there can be listed, looked at and ended.
#![cfg(feature = "file")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::{fs, path::Path, time::Duration};

use cloakroom::{
    Clock, StoredEntry,
    store::{DeleteError, Driver, FileStore, StoreErrorKind},
};
use support::{python_value, rows, same, text, unhex};
use tempfile::TempDir;

const NOW: u64 = 1_700_000_000;
const MINUTE: Duration = Duration::from_secs(60);
const KEY: &str = "session:uE8VW5JpjcNUdBJq6_3IGjSR5921D4avEevMeqhgYP0";
/// `{}`, and `None`.
const PICKLE: &[u8] = b"\x80\x05}\x94.";
const NONE: &[u8] = b"\x80\x05N.";

fn stores() -> (TempDir, FileStore, FileStore, Clock) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW);
    let store = FileStore::cachelib(folder.path()).unwrap();
    let files = FileStore::cachelib(folder.path()).unwrap();
    (
        folder,
        store.clock(clock.clone()),
        files.clock(clock.clone()),
        clock,
    )
}

/// What a listing has, by either kind of names: key, size, and how long it lives.
async fn listed(files: &FileStore) -> Vec<(String, usize, Option<u64>)> {
    let mut listed = Vec::new();
    for prefix in ["sha256:", "md5:"] {
        let mut from = None;
        loop {
            let page = files.list(prefix, from, 2).await.unwrap();
            let entries = page.entries.into_iter();
            listed.extend(entries.map(|entry| {
                let left = entry.expires_in.map(|left| left.as_secs());
                (entry.key, entry.size, left)
            }));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
    }
    listed
}

/// cachelib's names of a key: today's, and those before 0.16.
fn names(key: &str) -> [String; 2] {
    let rows = rows("cachelib_file", "filenames");
    let row = rows.iter().find(|row| row["key"] == key).unwrap();
    ["sha256_name", "md5_name"].map(|field| text(row, field).to_owned())
}

fn write(folder: &Path, name: &str, expiry: u32, value: &[u8]) {
    let file = [&expiry.to_le_bytes(), value].concat();
    fs::write(folder.join(name), file).unwrap();
}

#[tokio::test]
async fn p2_what_flask_session_wrote_is_listed_and_looked_at() {
    for row in rows("cachelib_file", "files") {
        let (folder, _, files, _) = stores();
        let [name, old_name] = names(KEY);
        let file = unhex(text(&row, "file_hex"));
        for name in [&name, &old_name] {
            fs::write(folder.path().join(name), &file).unwrap();
        }
        // The count, and what is being written, are no sessions.
        write(
            folder.path(),
            &names("__wz_cache_count")[0],
            0,
            b"\x80\x05K\x01.",
        );
        write(folder.path(), "tmp0.__wz_cache", 0, PICKLE);
        let expiry = row["header_u32"].as_u64().unwrap();
        let left = (expiry > 0).then(|| expiry - NOW);
        let expected = [format!("sha256:{name}"), format!("md5:{old_name}")]
            .map(|key| (key, file.len() - 4, left));
        let found = listed(&files).await;
        assert_eq!(found, expected, "{}", row["note"]);
        for (key, ..) in found {
            let record = files.load(&key).await.unwrap().unwrap();
            let entry = StoredEntry::read(&record.value).unwrap().unwrap();
            let content = entry.to_dict().unwrap().unwrap();
            assert!(
                same(&content.into(), &python_value(&row["value"])),
                "{}",
                row["note"]
            );
        }
    }
}

#[tokio::test]
async fn p5_what_is_ended_by_its_file_stays_ended() {
    let (folder, store, files, clock) = stores();
    let base = store.create(KEY, PICKLE.into(), MINUTE).await.unwrap();
    let [name, _] = names(KEY);
    let hashed = format!("sha256:{name}");
    files.delete(&hashed, None, MINUTE).await.unwrap();
    assert_eq!(listed(&files).await, []);
    assert_eq!(files.load(&hashed).await, Ok(None));
    // Flask reads that there is no session, and so does a request of ours that began before.
    let file = fs::read(folder.path().join(&name)).unwrap();
    assert_eq!(file, [&1_700_000_060_u32.to_le_bytes(), NONE].concat());
    let there = store.load(KEY).await.unwrap().unwrap();
    assert!(StoredEntry::read(&there.value).unwrap().is_none());
    assert!(
        store
            .replace(KEY, &base, PICKLE.into(), MINUTE)
            .await
            .is_err()
    );
    assert!(store.create(KEY, PICKLE.into(), MINUTE).await.is_err());
    clock.advance(MINUTE);
    assert_eq!(files.delete_expired(10).await, Ok(1));
    store.create(KEY, PICKLE.into(), MINUTE).await.unwrap();
    assert_eq!(listed(&files).await.len(), 1);
}

#[tokio::test]
async fn only_what_was_expected_is_deleted() {
    let (_folder, store, files, _) = stores();
    let [name, _] = names(KEY);
    let hashed = format!("sha256:{name}");
    let none = files.delete(&hashed, None, MINUTE).await;
    assert_eq!(none, Ok(()), "there is nothing to end");
    let base = store.create(KEY, PICKLE.into(), MINUTE).await.unwrap();
    let new = store
        .replace(KEY, &base, b"\x80\x05}\x94\x8c.".as_slice().into(), MINUTE)
        .await
        .unwrap();
    let changed = files.delete(&hashed, Some(&base), MINUTE).await;
    assert!(matches!(changed, Err(DeleteError::Changed(there)) if there.value == new.value));
    assert_eq!(listed(&files).await.len(), 1);
    files
        .delete(&hashed, Some(&new), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        files.delete(&hashed, Some(&new), MINUTE).await,
        Err(DeleteError::NotFound)
    );
    // Without a tombstone the next login finds its place free.
    store.create(KEY, PICKLE.into(), MINUTE).await.unwrap();
}

#[tokio::test]
async fn tombstones_and_what_has_expired_are_not_listed() {
    let (_folder, store, files, clock) = stores();
    store.create(KEY, PICKLE.into(), MINUTE).await.unwrap();
    store
        .create("session:other", PICKLE.into(), 2 * MINUTE)
        .await
        .unwrap();
    store
        .delete("session:third", None, 10 * MINUTE)
        .await
        .unwrap();
    assert_eq!(listed(&files).await.len(), 2);
    clock.advance(MINUTE);
    assert_eq!(listed(&files).await.len(), 1);
    store.delete("session:other", None, MINUTE).await.unwrap();
    assert_eq!(listed(&files).await, []);
}

#[tokio::test]
async fn s59_no_hash_leaves_the_folder() {
    let (folder, _, files, _) = stores();
    fs::write(folder.path().join("secret"), "x").unwrap();
    let [count, old_count] = names("__wz_cache_count");
    for key in [format!("sha256:{count}"), format!("md5:{old_count}")] {
        let refused = files.load(&key).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Refused, "{key}");
    }
    // What is no hash is a key as any other.
    for key in [
        "sha256:secret",
        "sha256:../secret",
        "md5:../secret",
        "sha256:",
        "md5:",
    ] {
        assert_eq!(files.load(key).await, Ok(None), "{key}");
    }
    let refused = files.list("session:", None, 10).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Refused);
}
