//! The files of cachelib, which Flask-Session's `filesystem` keeps sessions in, open here and the other way round.
#![cfg(feature = "file")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{CreateError, Driver, FileStore, ReplaceError, StoreErrorKind},
};
use serde_json::Value as Json;
use support::{rows, text, unhex};
use tempfile::TempDir;

const NOW: u64 = 1_700_000_000;
const MINUTE: Duration = Duration::from_secs(60);
const COUNT: &str = "79bc207ee04a581ab2348ca1f3494e64cd0ec36128735b8c6bc85ddd8fe1938c";
/// `{}`, and `None`.
const PICKLE: &[u8] = b"\x80\x05}\x94.";
const NONE: &[u8] = b"\x80\x05N.";

fn store(now: u64) -> (TempDir, FileStore, Clock) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(now);
    let store = FileStore::cachelib(folder.path())
        .unwrap()
        .clock(clock.clone());
    (folder, store, clock)
}

/// The files that cachelib sees: all but those that end like its temporary ones.
fn seen(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names
        .filter(|name| !name.ends_with(".__wz_cache"))
        .collect();
    names.sort();
    names
}

fn file(expiry: u32, value: &[u8]) -> Vec<u8> {
    [&expiry.to_le_bytes(), value].concat()
}

fn second(row: &Json) -> u64 {
    // Some have a part of a second.
    let now = row["now"].to_string();
    now.split('.').next().unwrap().parse().unwrap()
}

/// Its name of a key, and the one that cachelib before 0.16 had.
fn names(folder: &Path, key: &str) -> (PathBuf, PathBuf) {
    let row = rows("cachelib_file", "filenames")
        .into_iter()
        .find(|row| text(row, "key") == key);
    let row = row.unwrap();
    (
        folder.join(text(&row, "sha256_name")),
        folder.join(text(&row, "md5_name")),
    )
}

const KEY: &str = "session:2a2d9266-deaa-4412-82de-48193503534e";

#[tokio::test]
async fn p2_files_are_found_under_their_names_and_those_of_older_releases() {
    for row in rows("cachelib_file", "filenames") {
        let key = text(&row, "key");
        if key == "__wz_cache_count" {
            let (_folder, store, _) = store(NOW);
            let refused = store.load(key).await.unwrap_err();
            assert_eq!(refused.kind(), StoreErrorKind::Refused);
            continue;
        }
        for name in ["sha256_name", "md5_name"] {
            let (folder, store, _) = store(NOW);
            fs::write(folder.path().join(text(&row, name)), file(0, PICKLE)).unwrap();
            assert_eq!(
                store.load(key).await.unwrap().unwrap().value,
                PICKLE,
                "{row}"
            );
        }
        let (folder, store, _) = store(NOW);
        store.create(key, PICKLE.into(), MINUTE).await.unwrap();
        assert_eq!(seen(folder.path()), [text(&row, "sha256_name")]);
    }
    for row in rows("cachelib_file_legacy", "filenames") {
        let (folder, store, _) = store(NOW);
        fs::write(folder.path().join(text(&row, "name")), file(0, PICKLE)).unwrap();
        let found = store.load(text(&row, "key")).await;
        assert_eq!(
            found.is_ok_and(|found| found.is_some()),
            text(&row, "key") != "__wz_cache_count"
        );
    }
}

#[tokio::test]
async fn p2_a_file_is_the_same_bytes_and_its_header_is_no_part_of_the_value() {
    for row in rows("cachelib_file", "files") {
        let bytes = unhex(text(&row, "file_hex"));
        let (folder, store, _) = store(second(&row));
        let (path, _) = names(folder.path(), KEY);
        fs::write(&path, &bytes).unwrap();
        let record = store.load(KEY).await.unwrap().unwrap();
        assert_eq!(record.value, bytes[4..], "{row}");
        let expiry = row["header_u32"].as_u64().unwrap();
        let left = (expiry != 0).then(|| Duration::from_secs(expiry - second(&row)));
        assert_eq!(record.expires_in, left, "{row}");
        // We write no entry that never expires.
        let Some(left) = left else { continue };
        fs::remove_file(&path).unwrap();
        store.create(KEY, record.value.clone(), left).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes, "{row}");
        store
            .replace(KEY, &record, PICKLE.into(), left)
            .await
            .unwrap();
        assert_eq!(
            fs::read(&path).unwrap(),
            [&bytes[..4], PICKLE].concat(),
            "{row}"
        );
        store.touch(KEY, 2 * left).await.unwrap();
        let later = u32::try_from(second(&row) + 2 * left.as_secs()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), file(later, PICKLE), "{row}");
    }
}

#[tokio::test]
async fn p2_an_entry_ends_in_the_second_in_which_cachelib_ends_it() {
    for row in rows("cachelib_file", "expiry") {
        let (folder, store, _) = store(second(&row));
        let header = u32::try_from(row["header_u32"].as_u64().unwrap()).unwrap();
        fs::write(names(folder.path(), KEY).0, file(header, PICKLE)).unwrap();
        assert_eq!(
            store.load(KEY).await.unwrap().is_some(),
            row["readable"] == true,
            "{row}"
        );
    }
}

#[tokio::test]
async fn p2_a_file_that_cachelib_cannot_read_is_no_failure() {
    for row in rows("cachelib_file", "broken_files") {
        let bytes = unhex(text(&row, "file_hex"));
        let (folder, store, _) = store(NOW);
        let (path, _) = names(folder.path(), KEY);
        fs::write(&path, &bytes).unwrap();
        let found = store.load(KEY).await.unwrap().map(|record| record.value);
        // Whether a pickle is whole is for whoever reads it to say.
        assert_eq!(found.as_deref(), bytes.get(4..), "{row}");
        let made = store.create(KEY, PICKLE.into(), MINUTE).await;
        assert_eq!(made.is_ok(), bytes.len() < 4, "{row}");
    }
}

#[tokio::test]
async fn p2_the_headers_of_cachelib_before_0_7_are_read() {
    let time = 1_700_000_060_u32.to_le_bytes();
    let float = 1_700_000_060.75_f64.to_be_bytes();
    let headers: [(&str, Vec<u8>, bool); 9] = [
        (
            "protocol 5",
            [b"\x80\x05\x95\x06\0\0\0\0\0\0\0J", &time[..], b"."].concat(),
            true,
        ),
        (
            "protocol 4",
            [b"\x80\x04\x95\x06\0\0\0\0\0\0\0J", &time[..], b"."].concat(),
            true,
        ),
        ("protocol 2", [b"\x80\x02J", &time[..], b"."].concat(), true),
        ("protocol 1", [b"J", &time[..], b"."].concat(), true),
        ("protocol 0", b"I1700000060\n.".to_vec(), true),
        ("protocol 0 of Python 2", b"L1700000060L\n.".to_vec(), true),
        ("a float", [b"\x80\x02G", &float[..], b"."].concat(), true),
        ("never", b"\x80\x05K\0.".to_vec(), true),
        ("expired", b"\x80\x02J\0\0\0\x60.".to_vec(), false),
    ];
    for (note, header, live) in headers {
        let (folder, store, _) = store(NOW);
        let (path, old) = names(folder.path(), KEY);
        for place in [&path, &old] {
            let bytes = [&header, PICKLE].concat();
            fs::write(place, bytes).unwrap();
            let found = store.load(KEY).await.unwrap();
            assert_eq!(found.is_some(), live, "{note}");
            if let Some(record) = found {
                assert_eq!(record.value, PICKLE, "{note}");
                assert_eq!(
                    record.expires_in,
                    (note != "never").then_some(MINUTE),
                    "{note}"
                );
                store
                    .replace(KEY, &record, NONE.into(), MINUTE)
                    .await
                    .unwrap();
                assert_eq!(
                    fs::read(&path).unwrap(),
                    file(1_700_000_060, NONE),
                    "{note}"
                );
            }
            assert_eq!(
                store.delete_expired(10).await,
                Ok(usize::from(!live)),
                "{note}"
            );
            let _ = fs::remove_file(&path);
        }
    }
}

#[tokio::test]
async fn p2_an_entry_of_an_older_release_moves_when_it_is_written() {
    let [count, old_file] =
        <[Json; 2]>::try_from(rows("cachelib_file_legacy", "after_set_session_x_60")).unwrap();
    let key = "session:x";
    for write in ["replace", "touch", "delete", "delete what is expected"] {
        let (folder, store, _) = store(NOW);
        let old = folder.path().join(text(&old_file, "file"));
        for row in [&count, &old_file] {
            fs::write(
                folder.path().join(text(row, "file")),
                unhex(text(row, "file_hex")),
            )
            .unwrap();
        }
        let base = store.load(key).await.unwrap().unwrap();
        let made = store.create(key, PICKLE.into(), MINUTE).await;
        assert_eq!(made, Err(CreateError::Exists));
        match write {
            "replace" => {
                store
                    .replace(key, &base, PICKLE.into(), MINUTE)
                    .await
                    .unwrap();
                assert_eq!(store.load(key).await.unwrap().unwrap().value, PICKLE);
            }
            "touch" => {
                store.touch(key, 2 * MINUTE).await.unwrap();
                let there = store.load(key).await.unwrap().unwrap();
                assert_eq!(
                    (there.value, there.expires_in),
                    (base.value, Some(2 * MINUTE))
                );
            }
            "delete" => store.delete(key, None, MINUTE).await.unwrap(),
            _ => store.delete(key, Some(&base), MINUTE).await.unwrap(),
        }
        assert!(!old.exists(), "{write}");
        assert_eq!(
            store.load(key).await.unwrap().is_none(),
            write.starts_with("delete"),
            "{write}"
        );
        // Its own count, which no current cachelib reads, is left alone.
        assert_eq!(
            fs::read(folder.path().join(text(&count, "file"))).unwrap(),
            unhex(text(&count, "file_hex"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p2_an_entry_that_moves_is_never_missing() {
    let (folder, store, _) = store(NOW);
    let (new, old) = names(folder.path(), KEY);
    // More readers than processors, so that some are held up between one name and the other.
    for _ in 0..300 {
        fs::write(&old, file(0, PICKLE)).unwrap();
        let moved = Arc::new(AtomicBool::new(false));
        let readers = [(); 16].map(|()| {
            let (store, moved) = (store.clone(), moved.clone());
            tokio::spawn(async move {
                while !moved.load(Ordering::Relaxed) {
                    assert!(store.load(KEY).await.unwrap().is_some());
                }
            })
        });
        store.load(KEY).await.unwrap();
        store.touch(KEY, MINUTE).await.unwrap();
        assert!(new.exists() && !old.exists());
        moved.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
        fs::remove_file(&new).unwrap();
    }
}

#[tokio::test]
async fn p2_the_count_file_is_written_as_cachelib_writes_it() {
    let counts: Vec<_> = rows("cachelib_file", "count_file");
    let hex = |count: u64| {
        let row = counts.iter().find(|row| row["count"] == count);
        row.map(|row| unhex(text(row, "file_hex")))
    };
    for row in &counts {
        assert_eq!(text(row, "file"), COUNT);
        let count = row["count"].as_u64().unwrap();
        let (folder, store, _) = store(NOW);
        let path = folder.path().join(COUNT);
        fs::write(&path, unhex(text(row, "file_hex"))).unwrap();
        store.create(KEY, PICKLE.into(), MINUTE).await.unwrap();
        let more = fs::read(&path).unwrap();
        if let Some(expected) = hex(count + 1) {
            assert_eq!(more, expected, "{row}");
        }
        assert_ne!(more, unhex(text(row, "file_hex")), "{row}");
        store.delete(KEY, None, Duration::ZERO).await.unwrap();
        assert_eq!(
            fs::read(&path).unwrap(),
            unhex(text(row, "file_hex")),
            "{row}"
        );
    }
    // A count that says nothing is made anew: one entry, one file of somebody.
    let (folder, store, _) = store(NOW);
    let path = folder.path().join(COUNT);
    fs::write(folder.path().join("stray"), "foreign").unwrap();
    fs::write(&path, "broken").unwrap();
    store.create(KEY, PICKLE.into(), MINUTE).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), file(0, b"\x80\x05K\x02."));
}

/// Pruning is cachelib's: what it would have removed stays here. A lifetime of 0 is none here, and only cachelib
/// recounts when it opens a folder.
const PRUNED_BY_CACHELIB_ONLY: [&str; 4] = [
    "oldest expiry goes first, not oldest write",
    "TRAP: timeout 0 (never) sorts lowest and is removed first",
    "opening recounts the directory",
    "lifetime 0 through flask-session means never expires",
];

#[tokio::test]
async fn p2_the_folder_looks_to_cachelib_as_if_it_had_written_there() {
    for row in rows("cachelib_file", "pruning") {
        let (folder, store, clock) = store(NOW);
        let threshold = row["threshold"].as_u64().unwrap();
        let count = folder.path().join(COUNT);
        if threshold > 0 {
            fs::write(&count, file(0, b"\x80\x05K\0.")).unwrap();
        }
        for step in row["steps"].as_array().unwrap() {
            clock.set(step.as_array().unwrap().last().unwrap().as_u64().unwrap());
            let key = step[1].as_str().unwrap_or_default();
            match step[0].as_str().unwrap() {
                "set" => {
                    let ttl = Duration::from_secs(step[2].as_u64().unwrap());
                    match store.load(key).await.unwrap() {
                        Some(base) => {
                            drop(store.replace(key, &base, PICKLE.into(), ttl).await.unwrap());
                        }
                        None => drop(store.create(key, PICKLE.into(), ttl).await.unwrap()),
                    }
                }
                "delete" => store.delete(key, None, Duration::ZERO).await.unwrap(),
                "stray" => fs::write(folder.path().join(key), "foreign").unwrap(),
                "reopen" => drop(FileStore::cachelib(folder.path()).unwrap()),
                "get" => drop(store.load(key).await.unwrap()),
                other => panic!("{other}"),
            }
        }
        let mut alive = Vec::new();
        for key in ["a", "b", "c", "d", "e", "f", "never"] {
            alive.extend(store.load(key).await.unwrap().map(|_| Json::from(key)));
        }
        let counted = fs::read(&count).ok().map_or(0, |bytes| u64::from(bytes[7]));
        let same = Json::from(alive) == row["alive"]
            && row["count_value"] == counted
            && row["files_in_dir"] == seen(folder.path()).len();
        let note = text(&row, "note");
        assert_eq!(
            same,
            !PRUNED_BY_CACHELIB_ONLY.contains(&note),
            "{note}: {:?}",
            seen(folder.path())
        );
    }
}

#[tokio::test]
async fn p5_a_tombstone_is_an_entry_without_a_session_to_cachelib() {
    let (folder, store, clock) = store(NOW);
    store.create(KEY, PICKLE.into(), MINUTE).await.unwrap();
    store.delete(KEY, None, MINUTE).await.unwrap();
    let [tombstone] = &seen(folder.path())[..] else {
        panic!("one tombstone")
    };
    let tombstone = folder.path().join(tombstone);
    assert_eq!(fs::read(&tombstone).unwrap(), file(1_700_000_060, NONE));
    // A late request of a Flask that knows nothing of it.
    let (path, _) = names(folder.path(), KEY);
    fs::write(&path, file(1_700_009_999, PICKLE)).unwrap();
    assert_eq!(store.load(KEY).await, Ok(None));
    assert!(!path.exists(), "nor does Flask find it again");
    assert_eq!(
        store.create(KEY, PICKLE.into(), MINUTE).await,
        Err(CreateError::Exists)
    );
    let refused = store.load(&format!("{KEY}:gone")).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Refused);
    clock.advance(MINUTE);
    store.create(KEY, PICKLE.into(), MINUTE).await.unwrap();
    assert_eq!(store.delete_expired(10).await, Ok(1));
    assert!(!tombstone.exists() && path.exists());
}

#[tokio::test]
async fn p2_an_expiry_after_2106_does_not_fit_and_is_refused() {
    let (_folder, store, clock) = store(u64::from(u32::MAX) - 60);
    let base = store.create(KEY, PICKLE.into(), MINUTE).await.unwrap();
    let (ttl, other) = (MINUTE + Duration::from_millis(1), Bytes::from_static(NONE));
    let refused = |kind| assert_eq!(kind, StoreErrorKind::Refused);
    match store.create("session:", other.clone(), ttl).await {
        Err(CreateError::Failed(error)) => refused(error.kind()),
        other => panic!("{other:?}"),
    }
    match store.replace(KEY, &base, other, ttl).await {
        Err(ReplaceError::Failed(error)) => refused(error.kind()),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.load(KEY).await.unwrap().unwrap().value, PICKLE);
    clock.advance(MINUTE);
    assert_eq!(store.load(KEY).await, Ok(None));
}

#[tokio::test]
async fn nothing_of_another_program_is_removed() {
    let (folder, store, _) = store(NOW);
    let strange = [
        "notes.txt",
        "0123",
        "sub",
        COUNT,
        "2029240f6d1128be89ddc32729463129",
    ];
    for name in strange {
        fs::write(folder.path().join(name), file(1, PICKLE)).unwrap();
    }
    assert_eq!(store.delete_expired(100).await, Ok(0));
    assert_eq!(seen(folder.path()).len(), strange.len());
    let refused = store.list("", None, 10).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Refused);
}
