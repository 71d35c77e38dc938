//! The memory of this process: calls, and what a million sessions cost.

use std::{
    collections::HashMap,
    hint::black_box,
    sync::Mutex,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{Driver, MemoryStore, Store},
};

use crate::contest::{Contest, TASKS, fill, keep, key, load, median, replace, task, value};

pub(crate) async fn run() {
    a_million().await;
    contests().await;
}

async fn contests() {
    let store = keep(Store::new(MemoryStore::new()));
    fill(store, TASKS).await;
    let map: HashMap<String, Bytes> = (0..TASKS).map(|task| (key(task), value(0))).collect();
    let map = keep(Mutex::new(map));

    let get = task(move |number, calls| async move {
        let key = key(number);
        for _ in 0..calls {
            black_box(map.lock().unwrap().get(&key).unwrap().clone());
        }
    });
    Contest {
        store: "memory",
        call: "load",
        calls: 10_000,
        rounds: 15,
        ours: load(store),
        others: vec![("Mutex<HashMap>", get)],
    }
    .run()
    .await;

    let insert = task(move |number, calls| async move {
        let key = key(number);
        for count in 0..calls {
            *map.lock().unwrap().get_mut(&key).unwrap() = value(count);
        }
    });
    Contest {
        store: "memory",
        call: "replace",
        calls: 10_000,
        rounds: 15,
        ours: replace(store),
        others: vec![("Mutex<HashMap>", insert)],
    }
    .run()
    .await;
}

const SESSIONS: usize = 1_000_000;
const VALUE: usize = 100;

/// Bytes are those that the system counts, so the allocator's own are among them.
async fn a_million() {
    let clock = Clock::manual(1_700_000_000);
    let store = MemoryStore::new().clock(clock.clone());
    let before = resident();
    let value = Bytes::from(vec![b'v'; VALUE]);
    for number in 0..SESSIONS {
        // A month of visitors, the first of which goes at once.
        let ttl = Duration::from_secs(1 + (number as u64 * 3) % 2_678_400);
        let key = format!("session:{number:043}");
        store.create(&key, value.clone(), ttl).await.unwrap();
    }
    let length = format!("session:{:043}", 0).len() + VALUE;
    match (before, resident()) {
        (Some(before), Some(after)) => println!(
            "memory: {SESSIONS} sessions take {} bytes each, {length} of them key and value",
            after.saturating_sub(before) / SESSIONS
        ),
        _ => println!("memory: this system does not tell how much a process holds"),
    }

    let mut times = Vec::new();
    for _ in 0..1000 {
        let began = Instant::now();
        assert_eq!(store.delete_expired(1000).await.unwrap(), 0);
        times.push(began.elapsed().as_secs_f64());
    }
    let nothing = median(times.into_iter());
    let (began, mut listed, mut from) = (Instant::now(), 0, None);
    loop {
        let page = store.list("session:", from, 1000).await.unwrap();
        listed += page.entries.len();
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(listed, SESSIONS);
    let scan = began.elapsed().as_secs_f64();
    println!(
        "memory: delete_expired, nothing expired: {:.1} µs; a look at all of them (list): {:.0} ms",
        nothing * 1e6,
        scan * 1e3
    );
    clock.advance(Duration::from_secs(3000));
    let began = Instant::now();
    let mut expired = 0;
    while let batch @ 1.. = store.delete_expired(1000).await.unwrap() {
        expired += batch;
    }
    println!(
        "memory: delete_expired, {expired} expired: {:.1} µs each",
        began.elapsed().as_secs_f64() * 1e6 / expired as f64
    );
}

/// How many bytes of memory this process holds, where Linux tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
