//! What `/proc` says about processes: who started whom, and the time they had on a core.

use std::fs;

/// The nanoseconds that a process and all it has started have had on a core, in user and kernel mode. Exact only while
/// they rest, because the kernel adds up when a thread leaves its core.
pub(crate) fn cpu_nanoseconds(process: u32) -> u64 {
    family(process).into_iter().map(own_nanoseconds).sum()
}

/// The processes that a process has started itself, by name.
pub(crate) fn children_named(parent: u32, name: &str) -> Vec<u32> {
    all()
        .into_iter()
        .filter(|entry| entry.parent == parent && entry.name == name)
        .map(|entry| entry.id)
        .collect()
}

/// A process, those that it has started, and theirs.
fn family(process: u32) -> Vec<u32> {
    let all = all();
    let mut found = vec![process];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            all.iter()
                .filter(|entry| entry.parent == parent)
                .map(|entry| entry.id),
        );
        next += 1;
    }
    found
}

/// All threads of one process; 0 once it is gone.
fn own_nanoseconds(process: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return 0;
    };
    threads
        .filter_map(Result::ok)
        .filter_map(|thread| {
            let line = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            line.split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}

struct Entry {
    id: u32,
    parent: u32,
    name: String,
}

fn all() -> Vec<Entry> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            parse(id, &fs::read_to_string(entry.path().join("stat")).ok()?)
        })
        .collect()
}

/// `id (name) state parent …`, and a name may hold anything.
fn parse(id: u32, stat: &str) -> Option<Entry> {
    let (before, after) = stat.rsplit_once(')')?;
    Some(Entry {
        id,
        parent: after.split_whitespace().nth(1)?.parse().ok()?,
        name: before.split_once('(')?.1.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_name_with_parentheses_is_read_to_its_end() {
        let entry = parse(7, "7 (a (b) c) S 42 7 7 0").unwrap();
        assert_eq!((entry.id, entry.parent), (7, 42));
        assert_eq!(entry.name, "a (b) c");
    }

    #[test]
    fn the_time_of_a_process_includes_what_it_started() {
        let mut shell = Command::new("sh")
            .args([
                "-c",
                "sh -c 'n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done; read -r x' <&0 & wait",
            ])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        let mut nanoseconds = 0;
        while nanoseconds < 20_000_000 && begin.elapsed() < Duration::from_secs(20) {
            nanoseconds = cpu_nanoseconds(shell.id());
        }
        assert!(nanoseconds >= 20_000_000, "{nanoseconds}");
        assert!(children_named(std::process::id(), "sh").contains(&shell.id()));
        drop(shell.stdin.take());
        shell.kill().unwrap();
        shell.wait().unwrap();
    }

    #[test]
    fn a_process_that_is_gone_has_no_time() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(cpu_nanoseconds(child.id()), 0);
    }
}
