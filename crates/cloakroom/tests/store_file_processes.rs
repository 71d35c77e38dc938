//! Sessions in files survive whoever dies, fills the disk or writes without locks.
#![cfg(all(feature = "file", unix))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

#[path = "support/files.rs"]
mod files;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloakroom::store::{
    CreateError, DeleteError, Driver, FileStore, Record, ReplaceError, StoreErrorKind,
};
use files::{HOUR, LAYOUTS, entries, files, write_blindly};

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
        let output = shell.output().unwrap();
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
        let failed = store.delete("session:a", Some(&base), HOUR).await;
        assert!(
            matches!(&failed, Err(DeleteError::Changed(there)) if there.value == "theirs"),
            "{failed:?}"
        );
        let there = store.load("session:a").await.unwrap().unwrap();
        assert_eq!(there.value, "theirs");
        fs::remove_file(entries(&folder).remove(0)).unwrap();
        let failed = store.replace("session:a", &there, "two".into(), HOUR).await;
        assert_eq!(failed, Err(ReplaceError::NotFound));
        let failed = store.delete("session:a", Some(&there), HOUR).await;
        assert_eq!(failed, Err(DeleteError::NotFound));
        assert_eq!(store.load("session:a").await, Ok(None));
    }
}

/// A program without locks writes rounds, at any moment; we count within the round that we see. A round of theirs
/// that a count of ours overwrote would be gone, so they wait until we have seen it.
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
        let seen = Arc::new(AtomicU64::new(0));
        let ours = tokio::spawn({
            let (store, done, seen) = (store.clone(), done.clone(), seen.clone());
            async move {
                let (mut conflicts, mut written) = (0, 0);
                let mut base = store.load("session:a").await.unwrap().unwrap();
                // The first round may have come before us.
                seen.store(parse(&base.value).0, Ordering::Relaxed);
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
                            seen.store(parse(&there.value).0, Ordering::Relaxed);
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
            let written = Instant::now();
            while seen.load(Ordering::Relaxed) != round {
                assert!(
                    written.elapsed() < Duration::from_secs(5),
                    "round {round} is lost"
                );
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
            tokio::time::sleep(Duration::from_micros(round * 61 % 900)).await;
        }
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
