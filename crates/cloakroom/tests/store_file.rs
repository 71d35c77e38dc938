//! The file store keeps what every store promises, and what a folder of sessions owes its owner.
#![cfg(all(feature = "file", feature = "conformance", unix))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

#[path = "support/files.rs"]
mod files;

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{
        CreateError, Driver, FileStore, ReplaceError, StoreErrorKind,
        conformance::{Harness, Limits, Subject, assert_conforms},
    },
};
use files::{
    HOUR, LAYOUTS, Open, cachelib, entries, files, mode, native, unix_seconds, write_blindly,
};
use tempfile::TempDir;

fn harness(open: Open, lists: bool, clock: Option<Clock>) -> (Harness, Arc<TempDir>) {
    let root = Arc::new(tempfile::tempdir().unwrap());
    let opened = AtomicUsize::new(0);
    let (kept, hands) = (root.clone(), clock.clone());
    let harness = Harness::new(move || {
        let folder = root
            .path()
            .join(opened.fetch_add(1, Ordering::Relaxed).to_string());
        let hands = hands.clone();
        let store = || {
            let store = open(&folder).unwrap();
            match &hands {
                Some(clock) => store.clock(clock.clone()),
                None => store,
            }
        };
        let subject = Subject::new(store()).twin(store());
        async move {
            subject.foreign(move |key, value| {
                let (folder, hands) = (folder.clone(), hands.clone());
                async move { write_blindly(open, &folder, hands.as_ref(), &key, value).await }
            })
        }
    });
    let harness = harness.limits(Limits {
        lists,
        ..Limits::default()
    });
    match clock {
        Some(clock) => (harness.clock(clock), kept),
        None => (harness, kept),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_layout_conforms_to_the_second() {
    let (harness, _kept) = harness(native, true, Some(Clock::manual(1_700_000_000)));
    assert_conforms(harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_layout_conforms_on_the_systems_clock() {
    let (harness, _kept) = harness(native, true, None);
    assert_conforms(harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layout_of_cachelib_conforms_to_the_second() {
    let (harness, _kept) = harness(cachelib, false, Some(Clock::manual(1_700_000_000)));
    assert_conforms(harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layout_of_cachelib_conforms_on_the_systems_clock() {
    let (harness, _kept) = harness(cachelib, false, None);
    assert_conforms(harness).await;
}

#[tokio::test]
async fn s08_files_and_folders_are_for_their_owner_only() {
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("var/sessions");
        let store = open(&folder).unwrap();
        store.create("session:a", "one".into(), HOUR).await.unwrap();
        let base = store.load("session:a").await.unwrap().unwrap();
        store
            .replace("session:a", &base, "two".into(), HOUR)
            .await
            .unwrap();
        store.delete("session:b", None, HOUR).await.unwrap();
        assert_eq!(entries(&folder).len(), 2);
        for file in files(&folder) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
            assert_eq!(mode(file.parent().unwrap()), 0o700, "{}", file.display());
        }
        assert_eq!(mode(&folder), 0o700);
    }
}

#[tokio::test]
async fn s08_keys_are_never_parts_of_a_path() {
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sessions");
        let store = open(&folder).unwrap();
        let keys = [
            "../../escape",
            "/nonexistent/key",
            "a/b",
            ".",
            "",
            "\0",
            "é☃",
            "a\nb",
        ];
        for key in keys {
            store
                .create(key, key.to_owned().into(), HOUR)
                .await
                .unwrap();
        }
        for key in keys {
            assert_eq!(store.load(key).await.unwrap().unwrap().value, key);
        }
        assert_eq!(entries(&folder).len(), keys.len());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn a_torn_misplaced_or_foreign_file_is_a_missing_session_and_can_be_made_anew() {
    let root = tempfile::tempdir().unwrap();
    let store = FileStore::open(root.path()).unwrap();
    store
        .create("session:other", "of another".into(), HOUR)
        .await
        .unwrap();
    let other = fs::read(&entries(root.path())[0]).unwrap();
    store
        .delete("session:other", None, Duration::ZERO)
        .await
        .unwrap();
    store
        .create("session:a", "a value to be torn".into(), HOUR)
        .await
        .unwrap();
    let file = entries(root.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let mut broken: Vec<Vec<u8>> = (0..whole.len())
        .map(|length| whole[..length].to_vec())
        .collect();
    for place in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[place] ^= 1;
        broken.push(flipped);
    }
    broken.extend([
        other,
        b"foreign".to_vec(),
        [&whole[..], b"more"].concat(),
        vec![0; 4096],
    ]);
    for bytes in broken {
        fs::write(&file, &bytes).unwrap();
        assert_eq!(store.load("session:a").await, Ok(None), "{bytes:?}");
        store.list("", None, 10).await.unwrap();
        store
            .create("session:a", "a value to be torn".into(), HOUR)
            .await
            .unwrap();
        let there = store.load("session:a").await.unwrap().unwrap();
        assert_eq!(there.value, "a value to be torn");
    }
}

#[tokio::test]
async fn s08_symbolic_links_and_pipes_are_not_followed() {
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        let store = open(&root.path().join("sessions")).unwrap();
        store.create("session:a", "one".into(), HOUR).await.unwrap();
        let file = entries(&root.path().join("sessions")).remove(0);
        let outside = root.path().join("outside");
        fs::rename(&file, &outside).unwrap();
        symlink(&outside, &file).unwrap();
        assert_eq!(store.load("session:a").await, Ok(None));
        store.create("session:a", "two".into(), HOUR).await.unwrap();
        assert_eq!(store.load("session:a").await.unwrap().unwrap().value, "two");
        assert!(fs::read(&outside).unwrap().ends_with(b"one"));
        fs::remove_file(&file).unwrap();
        let made = Command::new("mkfifo").arg(&file).status().unwrap();
        assert!(made.success());
        assert_eq!(store.load("session:a").await, Ok(None));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(store.load("session:a").await, Ok(None));
    }
}

#[tokio::test]
async fn a_folder_that_everybody_can_write_to_is_refused() {
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        for (permissions, opens) in [
            (0o777, false),
            (0o1777, false),
            (0o702, false),
            (0o755, true),
            (0o770, true),
        ] {
            fs::set_permissions(root.path(), fs::Permissions::from_mode(permissions)).unwrap();
            match open(root.path()) {
                Ok(_) => assert!(opens, "{permissions:o}"),
                Err(error) => {
                    assert!(!opens, "{permissions:o}");
                    assert_eq!(error.kind(), StoreErrorKind::Refused);
                    assert!(error.to_string().contains("chmod o-w"), "{error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn p9_a_folder_that_has_vanished_logs_nobody_out() {
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        let (folder, away) = (root.path().join("sessions"), root.path().join("away"));
        let store = open(&folder).unwrap();
        let base = store.create("session:a", "one".into(), HOUR).await.unwrap();
        fs::rename(&folder, &away).unwrap();
        let error = store.load("session:a").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreachable);
        assert!(!error.to_string().contains("sessions"), "{error}");
        let failed = store.replace("session:a", &base, "two".into(), HOUR).await;
        assert!(matches!(failed, Err(ReplaceError::Failed(_))), "{failed:?}");
        let failed = store.create("session:b", "two".into(), HOUR).await;
        assert!(matches!(failed, Err(CreateError::Failed(_))), "{failed:?}");
        assert!(store.delete("session:a", None, HOUR).await.is_err());
        assert!(store.touch("session:a", HOUR).await.is_err());
        assert!(store.delete_expired(10).await.is_err());
        assert!(!folder.exists());
        fs::rename(&away, &folder).unwrap();
        assert_eq!(store.load("session:a").await.unwrap().unwrap().value, "one");
        // An operator who empties the folder logs everybody out, and the store goes on.
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        assert_eq!(store.load("session:a").await, Ok(None));
        store.create("session:a", "two".into(), HOUR).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_after_an_hour() {
    for (open, suffix) in [(native as Open, ".tmp"), (cachelib, ".__wz_cache")] {
        let root = tempfile::tempdir().unwrap();
        let clock = Clock::manual(unix_seconds());
        let store = open(root.path()).unwrap().clock(clock.clone());
        store
            .create("session:a", "one".into(), 4 * HOUR)
            .await
            .unwrap();
        let folder = entries(root.path())[0].parent().unwrap().to_owned();
        let left = folder.join(format!("new-0123456789abcdef{suffix}"));
        let foreign = folder.join("notes.txt");
        fs::write(&left, "unfinished").unwrap();
        fs::write(&foreign, "somebody's").unwrap();
        assert_eq!(store.delete_expired(10).await, Ok(0));
        assert!(left.exists());
        clock.advance(HOUR + Duration::from_secs(5));
        assert_eq!(store.delete_expired(10).await, Ok(0));
        assert!(!left.exists() && foreign.exists());
        assert!(store.load("session:a").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn what_has_expired_is_removed_a_batch_at_a_time() {
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        let clock = Clock::manual(1_700_000_000);
        let store = open(root.path()).unwrap().clock(clock.clone());
        for number in 0..50 {
            let ttl = HOUR * if number % 2 == 0 { 1 } else { 3 };
            store
                .create(&format!("session:{number}"), "x".into(), ttl)
                .await
                .unwrap();
        }
        store.delete("session:1", None, HOUR).await.unwrap();
        clock.advance(2 * HOUR);
        let mut removed = Vec::new();
        for _ in 0..4 {
            removed.push(store.delete_expired(10).await.unwrap());
        }
        assert_eq!(removed.iter().sum::<usize>(), 26, "{removed:?}");
        assert!(removed.iter().all(|batch| *batch <= 10), "{removed:?}");
        assert_eq!(entries(root.path()).len(), 24);
    }
}

#[tokio::test]
async fn a_page_of_a_listing_goes_on_where_the_last_ended() {
    let root = tempfile::tempdir().unwrap();
    let store = FileStore::open(root.path()).unwrap();
    for number in 0..40 {
        store
            .create(&format!("session:{number}"), vec![0; number].into(), HOUR)
            .await
            .unwrap();
        store
            .create(&format!("other:{number}"), "x".into(), HOUR)
            .await
            .unwrap();
    }
    store.delete("session:7", None, HOUR).await.unwrap();
    let (mut cursor, mut sizes) = (None, HashMap::new());
    loop {
        let page = store.list("session:", cursor, 7).await.unwrap();
        assert!(page.entries.len() <= 7);
        for entry in page.entries {
            assert!(entry.expires_in.unwrap() <= HOUR);
            assert!(
                sizes.insert(entry.key, entry.size).is_none(),
                "listed twice"
            );
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let expected = (0..40)
        .filter(|number| *number != 7)
        .map(|number| (format!("session:{number}"), number));
    assert_eq!(sizes, expected.collect());
}

#[tokio::test]
async fn the_fsync_option_changes_nothing_but_the_time() {
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path()).unwrap().fsync(true);
        let base = store.create("session:a", "one".into(), HOUR).await.unwrap();
        let base = store
            .replace("session:a", &base, "two".into(), HOUR)
            .await
            .unwrap();
        store.delete("session:a", Some(&base), HOUR).await.unwrap();
        assert_eq!(store.load("session:a").await, Ok(None));
    }
}

#[tokio::test]
async fn too_large_a_value_or_key_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let store = FileStore::open(root.path()).unwrap();
    let largest = Bytes::from(vec![7; 16 * 1024 * 1024]);
    store.create("a", largest.clone(), HOUR).await.unwrap();
    assert_eq!(store.load("a").await.unwrap().unwrap().value, largest);
    let refused = store
        .create("b", vec![7; largest.len() + 1].into(), HOUR)
        .await;
    assert!(
        matches!(refused, Err(CreateError::Failed(error)) if error.kind() == StoreErrorKind::Refused)
    );
    let refused = store.load(&"k".repeat(251)).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_future_leaves_a_whole_file() {
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path()).unwrap();
        store
            .create("session:a", vec![0; 50_000].into(), HOUR)
            .await
            .unwrap();
        for round in 0..100_u8 {
            let base = store.load("session:a").await.unwrap().unwrap();
            let call = store.replace("session:a", &base, vec![round; 50_000].into(), HOUR);
            let _ = tokio::time::timeout(Duration::from_micros(u64::from(round) * 5), call).await;
            let there = store.load("session:a").await.unwrap().unwrap();
            assert_eq!(there.value.len(), 50_000);
            assert!(there.value.iter().all(|byte| *byte == there.value[0]));
        }
    }
}
