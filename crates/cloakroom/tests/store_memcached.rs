//! Sessions in memcached: where Flask-Session has them, and what becomes of them when others write and servers fail.

#![cfg(feature = "memcached")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloakroom::store::{
    CreateError, DeleteError, Driver, MemcachedStore, Record, ReplaceError, Store, StoreErrorKind,
    TouchError,
};
use servers::{proxy::Proxy, unique};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// What a call may take when the server hangs: its own limit, and what a busy machine adds.
const LIMIT: Duration = Duration::from_secs(4);

async fn shared() -> MemcachedStore {
    MemcachedStore::connect(servers::memcached::shared())
        .await
        .unwrap()
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn key(name: &str) -> String {
    format!("session:{}", unique(name))
}

/// Another program on the same server, which speaks the text protocol that Python's clients speak.
struct Neighbour(BufReader<TcpStream>);

impl Neighbour {
    fn of(url: &str) -> Self {
        let address = url.trim_start_matches("memcached://");
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    fn shared() -> Self {
        Self::of(servers::memcached::shared())
    }

    fn line(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(command.as_bytes()).unwrap();
        self.next_line()
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn set(&mut self, key: &str, value: &str, seconds: u32) {
        let command = format!("set {key} 0 {seconds} {}\r\n{value}\r\n", value.len());
        assert_eq!(self.line(&command), "STORED");
    }

    /// Flags and value.
    fn get(&mut self, key: &str) -> Option<(u32, Vec<u8>)> {
        let line = self.line(&format!("get {key}\r\n"));
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["END"] => None,
            ["VALUE", there, flags, size] => {
                assert_eq!(*there, key);
                let mut value = vec![0; size.parse::<usize>().unwrap() + 2];
                self.0.read_exact(&mut value).unwrap();
                assert_eq!(self.next_line(), "END");
                value.truncate(value.len() - 2);
                Some((flags.parse().unwrap(), value))
            }
            _ => panic!("{line}"),
        }
    }

    fn value(&mut self, key: &str) -> String {
        String::from_utf8(self.get(key).unwrap().1).unwrap()
    }

    fn seconds_left(&mut self, key: &str) -> i64 {
        let line = self.line(&format!("mg {key} t\r\n"));
        line.strip_prefix("HD t")
            .unwrap_or_else(|| panic!("{line}"))
            .parse()
            .unwrap()
    }
}

/// Asks until the store answers again.
async fn until_it_answers(store: &MemcachedStore, key: &str) -> Option<Record> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match store.load(key).await {
            Ok(answer) => return answer,
            Err(error) if Instant::now() > deadline => panic!("still {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

#[cfg(feature = "conformance")]
#[tokio::test(flavor = "multi_thread")]
async fn memcached_conforms() {
    use cloakroom::store::conformance::{Harness, Limits, Subject, assert_conforms};

    let limits = Limits {
        lists: false,
        deletes_expired: false,
        max_value: Some(1024 * 1024 - 512),
    };
    let harness = Harness::new(async || {
        Subject::new(shared().await).twin(shared().await).foreign(
            async |key: String, value: Bytes| {
                let command = format!("set {key} 0 3600 {}\r\n", value.len());
                let command = [command.as_bytes(), &value, b"\r\n"].concat();
                let mut raw = Neighbour::shared();
                raw.0.get_mut().write_all(&command).unwrap();
                assert_eq!(raw.next_line(), "STORED");
            },
        )
    });
    assert_conforms(harness.limits(limits)).await;
}

#[tokio::test]
async fn p2_the_layout_is_flask_sessions() {
    let (store, mut raw) = (shared().await, Neighbour::shared());
    let key = key("layout");
    let value = b"\x81\xa1k\x00\xff\r\nEND\r\n";
    let made = store
        .create(&key, Bytes::from_static(value), HOUR)
        .await
        .unwrap();
    assert_eq!(raw.get(&key), Some((0, value.to_vec())));
    assert!((3590..=3600).contains(&raw.seconds_left(&key)));
    assert!(made.version.is_some());

    // Above thirty days memcached would take the seconds for a date in 1970.
    let next = store
        .replace(&key, &made, bytes("two"), DAY * 31)
        .await
        .unwrap();
    assert_eq!(raw.get(&key), Some((0, b"two".to_vec())));
    // Its clock ticks once a second, and a busy machine's later.
    assert!((31 * 86_400 - 10..=31 * 86_400 + 3).contains(&raw.seconds_left(&key)));
    let loaded = store.load(&key).await.unwrap().unwrap();
    assert_eq!((&loaded.value, loaded.version), (&next.value, next.version));
    assert!(loaded.expires_in.unwrap() > DAY * 30);

    store
        .touch(&key, Duration::from_millis(90_001))
        .await
        .unwrap();
    assert!((85..=91).contains(&raw.seconds_left(&key)));
    store.touch(&key, DAY * 30).await.unwrap();
    assert!((30 * 86_400 - 10..=30 * 86_400).contains(&raw.seconds_left(&key)));
    store.touch(&key, Duration::MAX).await.unwrap();
    assert!(raw.seconds_left(&key) > 365 * 86_400);
    // A touch is no change.
    store
        .replace(&key, &next, bytes("three"), HOUR)
        .await
        .unwrap();

    store.delete(&key, None, HOUR).await.unwrap();
    assert_eq!(raw.get(&key), None);
    let tombstone = format!("{key}:gone");
    assert_eq!(raw.get(&tombstone), Some((0, vec![0xc0])));
    assert!((3590..=3601).contains(&raw.seconds_left(&tombstone)));
}

#[tokio::test]
async fn p2_an_entry_of_another_program_is_read_replaced_and_renewed() {
    let (store, mut raw) = (shared().await, Neighbour::shared());
    let key = key("foreign");
    raw.set(&key, "from flask", 60);
    let loaded = store.load(&key).await.unwrap().unwrap();
    assert_eq!(loaded.value, "from flask");
    let left = loaded.expires_in.unwrap();
    assert!(left <= Duration::from_secs(60) && left > Duration::from_secs(50));
    store.touch(&key, HOUR).await.unwrap();
    store
        .replace(&key, &loaded, bytes("ours"), HOUR)
        .await
        .unwrap();
    assert_eq!(raw.value(&key), "ours");
    // One without an expiry, too.
    raw.set(&key, "for ever", 0);
    let loaded = store.load(&key).await.unwrap().unwrap();
    assert_eq!(
        (&loaded.value[..], loaded.expires_in),
        (&b"for ever"[..], None)
    );
    assert_eq!(
        store.create(&key, bytes("x"), HOUR).await,
        Err(CreateError::Exists)
    );
}

#[tokio::test]
async fn p4_a_foreign_write_between_load_and_replace_is_a_conflict() {
    let (store, mut raw) = (shared().await, Neighbour::shared());
    let key = key("conflict");
    let base = store.create(&key, bytes("one"), HOUR).await.unwrap();
    raw.set(&key, "flask was here", 60);
    match store.replace(&key, &base, bytes("two"), HOUR).await {
        Err(ReplaceError::Changed(there)) => assert_eq!(there.value, "flask was here"),
        other => panic!("{other:?}"),
    }
    match store.delete(&key, Some(&base), HOUR).await {
        Err(DeleteError::Changed(there)) => assert_eq!(there.value, "flask was here"),
        other => panic!("{other:?}"),
    }
    assert_eq!(raw.value(&key), "flask was here");
    // A base that was not loaded here is compared by its bytes.
    let bare = Record::new("flask was here");
    store
        .replace(&key, &bare, bytes("two"), HOUR)
        .await
        .unwrap();
    assert!(matches!(
        store.replace(&key, &bare, bytes("three"), HOUR).await,
        Err(ReplaceError::Changed(there)) if there.value == "two"
    ));
    assert!(matches!(
        store.delete(&key, Some(&bare), HOUR).await,
        Err(DeleteError::Changed(there)) if there.value == "two"
    ));
    store
        .delete(&key, Some(&Record::new("two")), HOUR)
        .await
        .unwrap();
    assert_eq!(store.load(&key).await, Ok(None));
}

#[tokio::test]
async fn p5_a_foreign_write_under_a_tombstone_stays_missing_and_goes() {
    let (store, mut raw) = (shared().await, Neighbour::shared());
    let key = key("late");
    let base = store.create(&key, bytes("one"), HOUR).await.unwrap();
    store.delete(&key, Some(&base), HOUR).await.unwrap();
    raw.set(&key, "one", 60);
    assert_eq!(
        store.replace(&key, &base, bytes("two"), HOUR).await,
        Err(ReplaceError::NotFound)
    );
    assert_eq!(
        store
            .replace(&key, &Record::new("one"), bytes("two"), HOUR)
            .await,
        Err(ReplaceError::NotFound)
    );
    assert_eq!(
        store.create(&key, bytes("two"), HOUR).await,
        Err(CreateError::Exists)
    );
    assert_eq!(store.touch(&key, HOUR).await, Err(TouchError::NotFound));
    assert_eq!(
        store.delete(&key, Some(&base), HOUR).await,
        Err(DeleteError::NotFound)
    );
    assert_eq!(raw.value(&key), "one");
    assert_eq!(store.load(&key).await, Ok(None));
    // It would come to light when the tombstone goes.
    assert_eq!(raw.get(&key), None);
    // Deleting again, for shorter, does not bring the end of the tombstone nearer; for longer, puts it off.
    store
        .delete(&key, None, Duration::from_secs(1))
        .await
        .unwrap();
    let tombstone = format!("{key}:gone");
    assert!(raw.seconds_left(&tombstone) > 3500);
    store.delete(&key, None, HOUR * 2).await.unwrap();
    assert!(raw.seconds_left(&tombstone) > 7000);
    store.delete(&key, None, DAY * 40).await.unwrap();
    store.delete(&key, None, DAY * 35).await.unwrap();
    assert!(raw.seconds_left(&tombstone) > 39 * 86_400);
    store.delete(&key, None, Duration::ZERO).await.unwrap();
    assert_eq!(
        store.create(&key, bytes("two"), HOUR).await,
        Err(CreateError::Exists)
    );
}

#[tokio::test]
async fn p5_a_write_that_lands_under_a_tombstone_is_taken_back() {
    let (store, mut raw) = (shared().await, Neighbour::shared());
    let key = key("half");
    let base = store.create(&key, bytes("one"), HOUR).await.unwrap();
    // A deletion that got no further than its tombstone.
    raw.set(&format!("{key}:gone"), "\u{0}", 60);
    assert_eq!(
        store.replace(&key, &base, bytes("two"), HOUR).await,
        Err(ReplaceError::NotFound)
    );
    assert_eq!(raw.get(&key), None);
}

#[tokio::test]
async fn p5_deleting_and_replacing_at_the_same_time_leaves_nothing() {
    let store = Store::new(shared().await);
    let mut raw = Neighbour::shared();
    for _ in 0..100 {
        let key = key("race");
        let base = store.create(&key, bytes("one"), HOUR).await.unwrap();
        let replacing = tokio::spawn({
            let (store, key) = (store.clone(), key.clone());
            async move { store.replace(&key, &base, bytes("two"), HOUR).await }
        });
        let creating = tokio::spawn({
            let (store, key) = (store.clone(), key.clone());
            async move { store.create(&key, bytes("three"), HOUR).await }
        });
        store.delete(&key, None, HOUR).await.unwrap();
        let _ = (replacing.await.unwrap(), creating.await.unwrap());
        assert_eq!(store.load(&key).await, Ok(None));
        assert_eq!(raw.get(&key), None);
    }
}

#[tokio::test]
async fn an_empty_value_is_a_value() {
    let store = shared().await;
    let key = key("empty");
    let base = store.create(&key, Bytes::new(), HOUR).await.unwrap();
    assert_eq!(store.load(&key).await.unwrap().unwrap().value, "");
    let next = store.replace(&key, &base, bytes("x"), HOUR).await.unwrap();
    store
        .replace(&key, &next, Bytes::new(), HOUR)
        .await
        .unwrap();
    assert_eq!(store.load(&key).await.unwrap().unwrap().value, "");
}

#[tokio::test]
async fn keys_that_memcached_cannot_hold_never_reach_it() {
    let server = servers::memcached::start().unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let store = MemcachedStore::connect(&server.url_through(proxy.port()))
        .await
        .unwrap();
    proxy.refuse();
    for refused in [
        String::new(),
        "two words".into(),
        "line\r\nflush_all".into(),
        "tab\t".into(),
        "nul\0".into(),
        "del\x7f".into(),
        "größe".into(),
        "k".repeat(246),
        "session:a:gone".into(),
    ] {
        let error = store.load(&refused).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused, "{refused:?}");
        assert!(refused.is_empty() || !error.to_string().contains(&refused));
        assert!(matches!(
            store.create(&refused, bytes("x"), HOUR).await,
            Err(CreateError::Failed(error)) if error.kind() == StoreErrorKind::Refused
        ));
    }
    proxy.normal().unwrap();
    let longest = "k".repeat(245);
    store.create(&longest, bytes("x"), HOUR).await.unwrap();
    store.delete(&longest, None, HOUR).await.unwrap();
    assert_eq!(store.load(&longest).await, Ok(None));
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_and_the_old_one_stays() {
    let (store, mut raw) = (shared().await, Neighbour::shared());
    let key = key("large");
    let base = store.create(&key, bytes("small"), HOUR).await.unwrap();
    for size in [1024 * 1024 - 511, 1024 * 1024, 5_000_000] {
        let large = Bytes::from(vec![b'x'; size]);
        assert!(matches!(
            store.replace(&key, &base, large, HOUR).await,
            Err(ReplaceError::Failed(error)) if error.kind() == StoreErrorKind::Refused
        ));
        assert_eq!(raw.value(&key), "small");
    }
    let large = Bytes::from(vec![b'x'; 1024 * 1024 - 512]);
    let base = store
        .replace(&key, &base, large.clone(), HOUR)
        .await
        .unwrap();
    assert_eq!(store.load(&key).await.unwrap().unwrap().value, large);
    store
        .replace(&key, &base, bytes("small"), HOUR)
        .await
        .unwrap();
}

#[tokio::test]
async fn it_does_not_list_and_needs_no_cleaning() {
    let store = shared().await;
    let error = store.list("session:", None, 10).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert_eq!(store.delete_expired(10).await, Ok(0));
}

#[tokio::test]
async fn p4_a_thousand_parallel_increments_make_a_thousand() {
    let store = Store::new(shared().await).timeout(Duration::from_secs(30));
    let key = key("increments");
    store.create(&key, bytes("0"), HOUR).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, key) = (store.clone(), key.clone());
        tasks.spawn(async move {
            for _ in 0..20 {
                let mut base = store.load(&key).await.unwrap().unwrap();
                loop {
                    let count: u64 = std::str::from_utf8(&base.value).unwrap().parse().unwrap();
                    let next = Bytes::from((count + 1).to_string());
                    match store.replace(&key, &base, next, HOUR).await {
                        Ok(_) => break,
                        Err(ReplaceError::Changed(there)) => base = there,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    assert_eq!(store.load(&key).await.unwrap().unwrap().value, "1000");
}

#[tokio::test]
async fn p9_a_killed_server_is_an_error_at_once_and_is_found_again() {
    let server = servers::memcached::start().unwrap();
    let store = MemcachedStore::connect(server.url()).await.unwrap();
    let base = store
        .create("session:a", bytes("lost"), HOUR)
        .await
        .unwrap();
    server.kill().unwrap();
    for _ in 0..3 {
        let began = Instant::now();
        let error = store.load("session:a").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreachable);
        assert!(began.elapsed() < LIMIT);
    }
    assert!(matches!(
        store.replace("session:a", &base, bytes("x"), HOUR).await,
        Err(ReplaceError::Failed(error)) if error.kind() == StoreErrorKind::Unreachable
    ));
    server.start_again().unwrap();
    assert_eq!(until_it_answers(&store, "session:a").await, None);
    store.create("session:a", bytes("new"), HOUR).await.unwrap();
}

#[tokio::test]
async fn p9_a_server_that_restarted_between_two_requests_costs_a_reader_nothing() {
    let server = servers::memcached::start().unwrap();
    let store = MemcachedStore::connect(server.url()).await.unwrap();
    // Several connections, all of which break.
    let mut loads = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        loads.spawn(async move { store.load("session:a").await });
    }
    while let Some(load) = loads.join_next().await {
        load.unwrap().unwrap();
    }
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(store.load("session:a").await, Ok(None));
    store.create("session:a", bytes("new"), HOUR).await.unwrap();
}

#[tokio::test]
async fn p9_a_hanging_server_is_a_time_out_and_nobody_waits_longer() {
    let server = servers::memcached::start().unwrap();
    let driver = MemcachedStore::connect(server.url()).await.unwrap();
    let store = Store::new(driver).without_breaker();
    store
        .create("session:a", bytes("kept"), HOUR)
        .await
        .unwrap();
    server.pause().unwrap();
    let began = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let store = store.clone();
        calls.spawn(async move { store.load("session:a").await });
    }
    while let Some(call) = calls.join_next().await {
        assert_eq!(call.unwrap().unwrap_err().kind(), StoreErrorKind::TimedOut);
    }
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    server.resume().unwrap();
    let deadline = Instant::now() + LIMIT;
    let loaded = loop {
        match store.load("session:a").await {
            Ok(loaded) => break loaded,
            Err(error) => assert!(Instant::now() < deadline, "still {error}"),
        }
    };
    assert_eq!(loaded.unwrap().value, "kept");
}

#[tokio::test]
async fn p9_a_command_that_was_cut_is_an_error_and_the_next_one_works() {
    let server = servers::memcached::start().unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let store = MemcachedStore::connect(&server.url_through(proxy.port()))
        .await
        .unwrap();
    let mut base = store.create("session:a", bytes("0"), HOUR).await.unwrap();
    for length in [1, 20, 40] {
        proxy.cut_request_after(length);
        let long = Bytes::from(vec![b'x'; 5000]);
        let cut = store.replace("session:a", &base, long, HOUR).await;
        assert!(
            matches!(&cut, Err(ReplaceError::Failed(error)) if error.kind() == StoreErrorKind::Unreachable),
            "{cut:?}"
        );
        // Nothing was written, and the next one is answered for itself.
        base = store
            .replace("session:a", &base, Bytes::from(length.to_string()), HOUR)
            .await
            .unwrap();
    }
    // Carried out, but never acknowledged: an error too, and not sent a second time.
    proxy.cut_response_after(0);
    let lost = store.replace("session:a", &base, bytes("done"), HOUR).await;
    assert!(matches!(lost, Err(ReplaceError::Failed(_))), "{lost:?}");
    assert_eq!(
        store.load("session:a").await.unwrap().unwrap().value,
        "done"
    );
    // A reader that is cut asks again.
    proxy.cut_response_after(3);
    assert_eq!(
        store.load("session:a").await.unwrap().unwrap().value,
        "done"
    );
}

#[tokio::test]
async fn p9_a_silent_network_is_a_time_out_and_a_new_connection_ends_it() {
    let server = servers::memcached::start().unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let store = MemcachedStore::connect(&server.url_through(proxy.port()))
        .await
        .unwrap();
    store
        .create("session:a", bytes("kept"), HOUR)
        .await
        .unwrap();
    proxy.black_hole().unwrap();
    let began = Instant::now();
    assert_eq!(
        store.load("session:a").await.unwrap_err().kind(),
        StoreErrorKind::TimedOut
    );
    assert!(began.elapsed() < LIMIT);
    proxy.normal().unwrap();
    assert_eq!(
        until_it_answers(&store, "session:a").await.unwrap().value,
        "kept"
    );
    proxy.refuse();
    assert_eq!(
        store.load("session:a").await.unwrap_err().kind(),
        StoreErrorKind::Unreachable
    );
    proxy.normal().unwrap();
    assert_eq!(
        until_it_answers(&store, "session:a").await.unwrap().value,
        "kept"
    );
}

#[tokio::test]
async fn a_call_given_up_leaves_its_answer_to_nobody() {
    let store = shared().await;
    let (one, other) = (key("one"), key("other"));
    store.create(&one, bytes("one"), HOUR).await.unwrap();
    store.create(&other, bytes("other"), HOUR).await.unwrap();
    for patience in 0..200 {
        tokio::select! {
            biased;
            _ = store.load(&one) => {}
            () = async { for _ in 0..patience % 5 { tokio::task::yield_now().await } } => {}
        }
        assert_eq!(store.load(&other).await.unwrap().unwrap().value, "other");
    }
}

#[tokio::test]
async fn p5_a_logout_given_up_half_way_is_carried_out() {
    let (store, mut raw) = (shared().await, Neighbour::shared());
    for _ in 0..20 {
        let key = key("given_up");
        let base = store.create(&key, bytes("one"), HOUR).await.unwrap();
        tokio::select! {
            biased;
            _ = store.delete(&key, Some(&base), HOUR) => {}
            () = tokio::task::yield_now() => {}
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while raw.get(&format!("{key}:gone")).is_none() {
            assert!(Instant::now() < deadline);
            tokio::task::yield_now().await;
        }
        assert_eq!(store.load(&key).await, Ok(None));
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error_and_takes_no_memory() {
    for answer in [
        "MN\r\nEND\r\nVA 99999999999 c1\r\n",
        "MN\r\nEND\r\nVA 4 c1\r\nabcdefgh\r\n",
        "MN\r\nEND\r\nHELLO session:secret\r\n",
        "MN\r\nEND\r\nVA 1000000000 c1\r\nabc",
        "MN\r\nEND\r\nEN\r\nEN\r\nEN\r\n",
        "MN\r\nEND\r\nSERVER_ERROR session:secret\r\n",
        "MN\r\nEND\r\n\n",
        "ERROR\r\nERROR\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (greeting, rest) =
                    answer.split_at(answer.find("END\r\n").map_or(answer.len(), |at| at + 5));
                let mut asked = [0; 4096];
                let _ = stream.read(&mut asked);
                let _ = stream.write_all(greeting.as_bytes());
                if !rest.is_empty() {
                    let _ = stream.read(&mut asked);
                    let _ = stream.write_all(rest.as_bytes());
                }
            }
        });
        let error = match MemcachedStore::connect(&format!("memcached://127.0.0.1:{port}")).await {
            Ok(store) => store.load("session:secret").await.unwrap_err(),
            Err(error) => error,
        };
        assert!(!error.to_string().contains("secret"), "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn s_urls_say_what_is_wrong_with_them_and_nothing_else() {
    for url in [
        "localhost",
        "redis://localhost",
        "memcached://",
        "memcached://secret:secret@localhost",
        "memcached://localhost:secret",
        "memcached://localhost/secret",
        "memcached://localhost?secret=1",
        "memcached://localhost?socket_timeout=secret",
        "memcached://localhost,secret",
    ] {
        let error = MemcachedStore::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused, "{url}");
        assert!(!error.to_string().contains("secret"), "{url}: {error}");
    }
    let server = servers::memcached::start().unwrap();
    let url = format!(
        "{}/?socket_timeout=0.2&socket_connect_timeout=1",
        server.url()
    );
    let store = MemcachedStore::connect(&url).await.unwrap();
    assert_eq!(format!("{store:?}"), "MemcachedStore { .. }");
    server.pause().unwrap();
    let began = Instant::now();
    assert_eq!(
        store.load("session:a").await.unwrap_err().kind(),
        StoreErrorKind::TimedOut
    );
    assert!(
        began.elapsed() < Duration::from_millis(1200),
        "{:?}",
        began.elapsed()
    );
}
