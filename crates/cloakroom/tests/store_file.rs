//! The file store keeps what every store promises, whoever dies or writes meanwhile.
#![cfg(all(feature = "file", feature = "conformance", unix))]

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{
        CreateError, Driver, FileStore, Record, ReplaceError, StoreError, StoreErrorKind,
        conformance::{Harness, Limits, Subject, assert_conforms},
    },
};
use tempfile::TempDir;

const HOUR: Duration = Duration::from_secs(3600);

type Open = fn(&Path) -> Result<FileStore, StoreError>;
const LAYOUTS: [Open; 2] = [native, cachelib];

fn native(folder: &Path) -> Result<FileStore, StoreError> {
    FileStore::open(folder)
}

fn cachelib(folder: &Path) -> Result<FileStore, StoreError> {
    FileStore::cachelib(folder)
}

/// All files below a folder that are entries or tombstones.
fn entries(folder: &Path) -> Vec<PathBuf> {
    files(folder)
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.len() >= 32 && name.as_bytes()[..32].iter().all(u8::is_ascii_hexdigit)
        })
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// What a program does that knows nothing of locks: it makes the file elsewhere and renames it.
async fn write_blindly(open: Open, folder: &Path, clock: Option<&Clock>, key: &str, value: Bytes) {
    let aside = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
    let mut store = open(aside.path()).unwrap();
    if let Some(clock) = clock {
        store = store.clock(clock.clone());
    }
    store.create(key, value, HOUR).await.unwrap();
    let [file] = &entries(aside.path())[..] else {
        panic!("one entry is one file")
    };
    let place = folder.join(file.strip_prefix(aside.path()).unwrap());
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::rename(file, place).unwrap();
}

fn harness(open: Open, clock: Option<Clock>) -> (Harness, Arc<TempDir>) {
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
        lists: open as usize == native as usize,
        ..Limits::default()
    });
    match clock {
        Some(clock) => (harness.clock(clock), kept),
        None => (harness, kept),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_layout_conforms_to_the_second() {
    let (harness, _kept) = harness(native, Some(Clock::manual(1_700_000_000)));
    assert_conforms(harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_layout_conforms_on_the_systems_clock() {
    let (harness, _kept) = harness(native, None);
    assert_conforms(harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layout_of_cachelib_conforms_to_the_second() {
    let (harness, _kept) = harness(cachelib, Some(Clock::manual(1_700_000_000)));
    assert_conforms(harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layout_of_cachelib_conforms_on_the_systems_clock() {
    let (harness, _kept) = harness(cachelib, None);
    assert_conforms(harness).await;
}

#[tokio::test]
async fn s_files_and_folders_are_for_their_owner_only() {
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
async fn keys_are_never_parts_of_a_path() {
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sessions");
        let store = open(&folder).unwrap();
        let keys = [
            "../../escape",
            "/etc/passwd",
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
async fn symbolic_links_and_pipes_are_not_followed() {
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

/// Runs the test that calls it once more, in a process of its own, in which `CHILD` says what to do there.
fn again(test: &str, task: &str, layout: usize, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, task)
        .env("CLOAKROOM_TEST_LAYOUT", layout.to_string())
        .env("CLOAKROOM_TEST_FOLDER", folder)
        .stdout(Stdio::piped());
    command
}

const CHILD: &str = "CLOAKROOM_TEST_CHILD";

/// The store that a process started by [`again`] works on; none in the test itself.
fn child() -> Option<FileStore> {
    std::env::var_os(CHILD)?;
    let layout: usize = std::env::var("CLOAKROOM_TEST_LAYOUT")
        .unwrap()
        .parse()
        .unwrap();
    let folder = PathBuf::from(std::env::var_os("CLOAKROOM_TEST_FOLDER").unwrap());
    Some(LAYOUTS[layout](&folder).unwrap())
}

/// A value that shows when it is torn: its number, again and again.
fn numbered(number: u64) -> Bytes {
    number.to_le_bytes().repeat(4000).into()
}

fn number(record: &Record) -> u64 {
    let (first, _) = record.value.split_first_chunk().unwrap();
    let number = u64::from_le_bytes(*first);
    assert_eq!(record.value, numbered(number), "torn");
    number
}

async fn increment(store: &FileStore, key: &str) -> u64 {
    let mut base = store.load(key).await.unwrap().unwrap();
    loop {
        let next = number(&base) + 1;
        match store.replace(key, &base, numbered(next), HOUR).await {
            Ok(_) => return next,
            Err(ReplaceError::Changed(there)) => base = there,
            Err(error) => panic!("{error}"),
        }
    }
}

const SESSIONS: [&str; 3] = ["session:a", "session:b", "session:c"];

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_it_writes_loses_nothing() {
    if let Some(store) = child() {
        for turn in 0.. {
            let session = turn % SESSIONS.len();
            let number = increment(&store, SESSIONS[session]).await;
            let mut out = std::io::stdout().lock();
            writeln!(out, "done {session} {number}").unwrap();
            out.flush().unwrap();
        }
    }
    for (layout, open) in LAYOUTS.iter().enumerate() {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path()).unwrap();
        for key in SESSIONS {
            store.create(key, numbered(0), HOUR).await.unwrap();
        }
        let test = "a_process_that_is_killed_while_it_writes_loses_nothing";
        let mut acknowledged = [0; SESSIONS.len()];
        for round in 0..100 {
            let mut child = again(test, "write", layout, root.path()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            // Killed at another moment each time, but never before it has begun.
            let mut note = |line: String| {
                if let Some((_, done)) = line.split_once("done ") {
                    let (session, number) = done.split_once(' ').unwrap();
                    acknowledged[session.parse::<usize>().unwrap()] = number.parse().unwrap();
                    return true;
                }
                false
            };
            while !note(lines.next().unwrap().unwrap()) {}
            std::thread::sleep(Duration::from_micros(round * 137 % 5000));
            child.kill().unwrap();
            child.wait().unwrap();
            for line in lines {
                note(line.unwrap());
            }
            for (key, acknowledged) in SESSIONS.iter().zip(&mut acknowledged) {
                let there = number(&store.load(key).await.unwrap().unwrap());
                let in_flight = *acknowledged + 1;
                assert!(
                    there == *acknowledged || there == in_flight,
                    "{there}, {acknowledged}"
                );
                *acknowledged = there;
            }
        }
        // No lock outlives its process.
        for (key, acknowledged) in SESSIONS.iter().zip(acknowledged) {
            assert_eq!(increment(&store, key).await, acknowledged + 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_processes_that_count_on_one_entry_lose_no_count() {
    const PROCESSES: u64 = 6;
    const TASKS: u64 = 4;
    const EACH: u64 = 25;
    if let Some(store) = child() {
        let tasks = (0..TASKS).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    increment(&store, "session:a").await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        return;
    }
    for (layout, open) in LAYOUTS.iter().enumerate() {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path()).unwrap();
        store.create("session:a", numbered(0), HOUR).await.unwrap();
        let test = "p4_processes_that_count_on_one_entry_lose_no_count";
        let start = |_| again(test, "count", layout, root.path()).spawn().unwrap();
        for child in (0..PROCESSES).map(start).collect::<Vec<Child>>() {
            let output = child.wait_with_output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
        let there = number(&store.load("session:a").await.unwrap().unwrap());
        assert_eq!(there, PROCESSES * TASKS * EACH);
    }
}

#[tokio::test]
async fn a_full_disk_refuses_the_new_and_keeps_the_old() {
    let test = "a_full_disk_refuses_the_new_and_keeps_the_old";
    if let Some(store) = child() {
        // Files end at 4 KiB here, in the middle of a write.
        let base = store.load("session:a").await.unwrap().unwrap();
        let large = Bytes::from(vec![1; 20_000]);
        let failed = store.replace("session:a", &base, large.clone(), HOUR).await;
        assert!(
            matches!(&failed, Err(ReplaceError::Failed(error)) if error.kind() == StoreErrorKind::Refused),
            "{failed:?}"
        );
        let failed = store.create("session:b", large, HOUR).await;
        assert!(matches!(failed, Err(CreateError::Failed(_))), "{failed:?}");
        assert_eq!(store.load("session:a").await, Ok(Some(base)));
        assert_eq!(store.load("session:b").await, Ok(None));
        println!("refused");
        return;
    }
    for (layout, open) in LAYOUTS.iter().enumerate() {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path()).unwrap();
        store.create("session:a", "one".into(), HOUR).await.unwrap();
        let before = files(root.path()).len();
        let binary = again(test, "fill", layout, root.path());
        let mut shell = Command::new("bash");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$@\"", "child"]);
        shell.arg(binary.get_program()).args(binary.get_args());
        shell.envs(
            binary
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let output = shell.process_group(0).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("refused"),
            "{output:?}"
        );
        assert_eq!(store.load("session:a").await.unwrap().unwrap().value, "one");
        let left = files(root.path()).into_iter().filter(|file| {
            let name = file.file_name().unwrap().to_str().unwrap();
            name.starts_with("new-")
        });
        assert_eq!(left.count(), 0);
        assert!(
            files(root.path()).len() <= before + 1,
            "at most another lock file"
        );
    }
}

#[tokio::test]
async fn what_another_program_wrote_since_the_load_is_a_conflict() {
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sessions");
        let store = open(&folder).unwrap();
        let base = store.create("session:a", "one".into(), HOUR).await.unwrap();
        write_blindly(open, &folder, None, "session:a", "theirs".into()).await;
        let failed = store.replace("session:a", &base, "two".into(), HOUR).await;
        assert!(
            matches!(&failed, Err(ReplaceError::Changed(there)) if there.value == "theirs"),
            "{failed:?}"
        );
        assert!(store.delete("session:a", Some(&base), HOUR).await.is_err());
        let there = store.load("session:a").await.unwrap().unwrap();
        assert_eq!(there.value, "theirs");
        fs::remove_file(entries(&folder).remove(0)).unwrap();
        let failed = store.replace("session:a", &there, "two".into(), HOUR).await;
        assert_eq!(failed, Err(ReplaceError::NotFound));
        assert_eq!(store.load("session:a").await, Ok(None));
    }
}

/// A program without locks writes rounds, at any moment; we count within the round that we see. A round of theirs
/// that our count overwrote would be gone for good.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn no_byte_is_lost_of_a_program_that_writes_at_any_moment() {
    fn parse(value: &[u8]) -> (u64, u64) {
        let text = std::str::from_utf8(value).unwrap();
        let (round, count) = text.split_once(':').unwrap();
        (round.parse().unwrap(), count.parse().unwrap())
    }
    for open in LAYOUTS {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sessions");
        let store = open(&folder).unwrap();
        store.create("session:a", "0:0".into(), HOUR).await.unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let ours = tokio::spawn({
            let (store, done) = (store.clone(), done.clone());
            async move {
                let (mut conflicts, mut written) = (0, 0);
                let mut base = store.load("session:a").await.unwrap().unwrap();
                while !done.load(Ordering::Relaxed) {
                    let (round, count) = parse(&base.value);
                    let next = Bytes::from(format!("{round}:{}", count + 1));
                    match store.replace("session:a", &base, next, HOUR).await {
                        Ok(record) => {
                            written += 1;
                            base = record;
                        }
                        Err(ReplaceError::Changed(there)) => {
                            conflicts += 1;
                            base = there;
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
                (conflicts, written)
            }
        });
        let rounds = 400;
        for round in 1..=rounds {
            let value = Bytes::from(format!("{round}:0"));
            write_blindly(open, &folder, None, "session:a", value).await;
            tokio::time::sleep(Duration::from_micros(round * 61 % 900)).await;
        }
        // Whatever was under way has ended by then.
        tokio::time::sleep(Duration::from_millis(50)).await;
        done.store(true, Ordering::Relaxed);
        let (conflicts, written) = ours.await.unwrap();
        let there = store.load("session:a").await.unwrap().unwrap();
        assert_eq!(parse(&there.value).0, rounds);
        assert!(
            conflicts > 50 && written > 50,
            "{conflicts} conflicts, {written} written"
        );
    }
}
