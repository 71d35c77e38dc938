//! Sessions in Redis: where Flask-Session has them, and what becomes of them when others write and servers fail.

#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use cloakroom::store::{
    CreateError, Cursor, DeleteError, Driver, Record, RedisStore, ReplaceError, Store, StoreError,
    StoreErrorKind, TouchError,
};
use redis::{Commands, Connection};
use servers::{proxy::Proxy, redis::Cluster, unique};

const HOUR: Duration = Duration::from_secs(3600);
/// What a call may take when the server hangs: its own limit, and what a busy machine adds.
const LIMIT: Duration = Duration::from_secs(4);

async fn shared() -> RedisStore {
    RedisStore::connect(servers::redis::shared()).await.unwrap()
}

/// Another program on the same server.
fn neighbour(url: &str) -> Connection {
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn key(name: &str) -> String {
    format!("session:{}", unique(name))
}

fn urls(cluster: &Cluster) -> [&str; 3] {
    cluster.nodes().each_ref().map(servers::Server::url)
}

/// Asks until the store answers again.
async fn until_it_answers(store: &RedisStore, key: &str) -> Option<Record> {
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
mod conformance {
    use std::{
        mem,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use cloakroom::store::conformance::{Harness, Limits, Subject, assert_conforms};

    use super::*;

    fn conforms(harness: Harness) -> impl Future<Output = ()> {
        assert_conforms(harness.limits(Limits {
            deletes_expired: false,
            ..Limits::default()
        }))
    }

    async fn subject(url: String) -> Subject {
        // A machine that is busy with all the checks is no failure.
        let patient = format!("{url}?socket_timeout=20&socket_connect_timeout=20");
        let store = RedisStore::connect(&patient).await.unwrap();
        let twin = RedisStore::connect(&patient).await.unwrap();
        Subject::new(store)
            .twin(twin)
            .foreign(move |key: String, value: Bytes| {
                let url = url.clone();
                async move {
                    let mut set = redis::cmd("SET");
                    set.arg(key).arg(&value[..]).arg("EX").arg(3600);
                    if url.contains("+cluster") {
                        let seed = url.replace("+cluster", "");
                        let client =
                            redis::cluster::ClusterClient::new([seed.split(',').next().unwrap()]);
                        set.exec(&mut client.unwrap().get_connection().unwrap())
                            .unwrap();
                    } else {
                        set.exec(&mut neighbour(&url)).unwrap();
                    }
                }
            })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_server_conforms() {
        let server = servers::redis::start().unwrap();
        let (url, next) = (server.url().to_owned(), AtomicUsize::new(0));
        conforms(Harness::new(move || {
            let database = next.fetch_add(1, Ordering::Relaxed);
            assert!(database < 16, "more databases than Redis has");
            subject(format!("{url}/{database}"))
        }))
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_cluster_conforms() {
        conforms(Harness::new(async || {
            // Apart, so that the clocks of the other checks go on.
            let cluster = tokio::task::spawn_blocking(servers::redis::start_cluster);
            let cluster = cluster.await.unwrap().unwrap();
            let url = cluster.url();
            // The watchdog ends it with the tests.
            mem::forget(cluster);
            subject(url).await
        }))
        .await;
    }
}

#[tokio::test]
async fn p2_the_layout_is_flask_sessions() {
    let (store, mut raw) = (shared().await, neighbour(servers::redis::shared()));
    let key = key("layout");
    let value = Bytes::from_static(b"\x81\xa1k\x00\xff\r\n");
    let made = store.create(&key, value.clone(), HOUR).await.unwrap();
    assert_eq!(raw.get::<_, Vec<u8>>(&key).unwrap(), value);
    let left: i64 = raw.pttl(&key).unwrap();
    assert!((3_590_000..=3_600_000).contains(&left), "{left}");
    assert_eq!((made.version, made.expires_in), (None, None));

    store
        .replace(&key, &made, bytes("two"), Duration::from_millis(90_500))
        .await
        .unwrap();
    assert_eq!(raw.get::<_, Vec<u8>>(&key).unwrap(), b"two");
    let left: i64 = raw.pttl(&key).unwrap();
    assert!((85_000..=90_500).contains(&left), "{left}");

    store.touch(&key, HOUR).await.unwrap();
    assert_eq!(raw.get::<_, Vec<u8>>(&key).unwrap(), b"two");
    let left: i64 = raw.pttl(&key).unwrap();
    assert!((3_590_000..=3_600_000).contains(&left), "{left}");

    store.delete(&key, None, HOUR).await.unwrap();
    assert!(!raw.exists::<_, bool>(&key).unwrap());
    let tombstone = format!("{{{key}}}:gone");
    assert_eq!(raw.get::<_, Vec<u8>>(&tombstone).unwrap(), [0xc0]);
    let left: i64 = raw.pttl(&tombstone).unwrap();
    assert!((3_590_000..=3_600_000).contains(&left), "{left}");
}

#[tokio::test]
async fn p2_an_entry_of_another_program_is_read_replaced_and_renewed() {
    let (store, mut raw) = (shared().await, neighbour(servers::redis::shared()));
    let key = key("foreign");
    let () = raw.set_ex(&key, b"from flask", 60).unwrap();
    let loaded = store.load(&key).await.unwrap().unwrap();
    assert_eq!(loaded.value, "from flask");
    store.touch(&key, HOUR).await.unwrap();
    store
        .replace(&key, &loaded, bytes("ours"), HOUR)
        .await
        .unwrap();
    assert_eq!(raw.get::<_, String>(&key).unwrap(), "ours");
    // One without an expiry, too.
    let () = raw.set(&key, b"for ever").unwrap();
    assert_eq!(store.load(&key).await.unwrap().unwrap().value, "for ever");
    assert_eq!(
        store.create(&key, bytes("x"), HOUR).await,
        Err(CreateError::Exists)
    );
}

#[tokio::test]
async fn p4_a_foreign_write_between_load_and_replace_is_a_conflict() {
    let (store, mut raw) = (shared().await, neighbour(servers::redis::shared()));
    let key = key("conflict");
    let base = store.create(&key, bytes("one"), HOUR).await.unwrap();
    let () = raw.set_ex(&key, b"flask was here", 60).unwrap();
    match store.replace(&key, &base, bytes("two"), HOUR).await {
        Err(ReplaceError::Changed(there)) => assert_eq!(there.value, "flask was here"),
        other => panic!("{other:?}"),
    }
    match store.delete(&key, Some(&base), HOUR).await {
        Err(DeleteError::Changed(there)) => assert_eq!(there.value, "flask was here"),
        other => panic!("{other:?}"),
    }
    assert_eq!(raw.get::<_, String>(&key).unwrap(), "flask was here");
}

#[tokio::test]
async fn p5_a_foreign_write_under_a_tombstone_stays_missing() {
    let (store, mut raw) = (shared().await, neighbour(servers::redis::shared()));
    let key = key("late");
    let base = store.create(&key, bytes("one"), HOUR).await.unwrap();
    store.delete(&key, Some(&base), HOUR).await.unwrap();
    let () = raw.set_ex(&key, b"one", 60).unwrap();
    assert_eq!(store.load(&key).await, Ok(None));
    assert_eq!(
        store.replace(&key, &base, bytes("two"), HOUR).await,
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
    // Deleting again, for shorter, does not bring the end of the tombstone nearer.
    store
        .delete(&key, None, Duration::from_secs(1))
        .await
        .unwrap();
    let left: i64 = raw.pttl(format!("{{{key}}}:gone")).unwrap();
    assert!(left > 3_500_000, "{left}");
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
    assert!(matches!(
        store.delete(&key, Some(&next), HOUR).await,
        Err(DeleteError::Changed(there)) if there.value.is_empty()
    ));
}

#[tokio::test]
async fn two_keys_are_never_taken_for_each_others_tombstone() {
    let (store, mut raw) = (shared().await, neighbour(servers::redis::shared()));
    let name = unique("braces");
    for refused in [
        format!("{{{name}}}:gone"),
        format!("{{{name}}}x:gone"),
        format!("{{{name}}}"),
        "k".repeat(251),
    ] {
        let error = store.load(&refused).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused);
        assert!(!error.to_string().contains(&name));
    }
    for (key, tombstone) in [
        (format!("{{{name}}}:a"), format!("{{{name}}}:a:gone")),
        (format!("{name}:gone"), format!("{{{name}:gone}}:gone")),
        (format!("{name}{{}}"), format!("{{{name}{{}}}}:gone")),
        (format!("ß {name}\n"), format!("{{ß {name}\n}}:gone")),
    ] {
        store.create(&key, bytes("x"), HOUR).await.unwrap();
        assert_eq!(store.load(&key).await.unwrap().unwrap().value, "x", "{key}");
        store.delete(&key, None, HOUR).await.unwrap();
        assert_eq!(raw.get::<_, Vec<u8>>(&tombstone).unwrap(), [0xc0], "{key}");
        assert_eq!(store.load(&key).await, Ok(None));
    }
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_learns_them_again() {
    let (store, mut raw) = (shared().await, neighbour(servers::redis::shared()));
    let key = key("flush");
    let mut base = store.create(&key, bytes("0"), HOUR).await.unwrap();
    for round in ["1", "2"] {
        let () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut raw).unwrap();
        base = store
            .replace(&key, &base, bytes(round), HOUR)
            .await
            .unwrap();
    }
    assert_eq!(store.load(&key).await.unwrap().unwrap().value, "2");
}

#[tokio::test]
async fn p4_a_thousand_parallel_increments_make_a_thousand() {
    let store = Store::new(shared().await);
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

async fn list_all(
    store: &RedisStore,
    prefix: &str,
    limit: usize,
) -> Vec<(String, usize, Option<Duration>)> {
    let mut listed = Vec::new();
    let mut from: Option<Cursor> = None;
    loop {
        let page = store.list(prefix, from, limit).await.unwrap();
        let entries = page.entries.into_iter();
        listed.extend(entries.map(|entry| (entry.key, entry.size, entry.expires_in)));
        from = page.next;
        if from.is_none() {
            listed.sort();
            // A SCAN may name a key twice.
            listed.dedup_by(|one, other| one.0 == other.0);
            return listed;
        }
    }
}

async fn list_shows_live_entries_only(store: &RedisStore, raw: &mut dyn redis::ConnectionLike) {
    // A prefix full of what patterns mean.
    let prefix = format!("{}*?[a-z]^\\:", unique("list"));
    for number in 0..300 {
        let key = format!("{prefix}{number:03}");
        store
            .create(&key, Bytes::from(vec![b'x'; number]), HOUR)
            .await
            .unwrap();
    }
    store
        .create(&prefix.replace('*', "-"), bytes("another"), HOUR)
        .await
        .unwrap();
    store
        .delete(&format!("{prefix}007"), None, HOUR)
        .await
        .unwrap();
    // A late write of a neighbour's, under the tombstone.
    redis::cmd("SET")
        .arg(format!("{prefix}007"))
        .arg("late")
        .exec(raw)
        .unwrap();
    let listed = list_all(store, &prefix, 20).await;
    assert_eq!(listed.len(), 299);
    let numbers = (0..300).filter(|number| *number != 7);
    for ((key, size, expires_in), number) in listed.into_iter().zip(numbers) {
        assert_eq!((key, size), (format!("{prefix}{number:03}"), number));
        let left = expires_in.unwrap();
        assert!(left <= HOUR && left > HOUR / 2, "{left:?}");
    }
    assert_eq!(
        store
            .list(&prefix, Some(Cursor("nonsense".into())), 5)
            .await
            .unwrap_err()
            .kind(),
        StoreErrorKind::Refused
    );
}

#[tokio::test]
async fn list_shows_live_entries_and_no_tombstones() {
    let store = shared().await;
    list_shows_live_entries_only(&store, &mut neighbour(servers::redis::shared())).await;
    assert_eq!(store.delete_expired(10).await, Ok(0));
}

#[tokio::test]
async fn p9_a_killed_server_is_an_error_at_once_and_is_found_again() {
    let server = servers::redis::start().unwrap();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let base = store
        .create("session:a", bytes("kept"), HOUR)
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
    let loaded = until_it_answers(&store, "session:a").await.unwrap();
    assert_eq!(loaded.value, "kept");
    // The scripts are gone with the process.
    store
        .replace("session:a", &loaded, bytes("next"), HOUR)
        .await
        .unwrap();
}

#[tokio::test]
async fn p9_a_server_that_restarted_between_two_requests_costs_a_reader_nothing() {
    let server = servers::redis::start().unwrap();
    let store = RedisStore::connect(server.url()).await.unwrap();
    store
        .create("session:a", bytes("kept"), HOUR)
        .await
        .unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(
        store.load("session:a").await.unwrap().unwrap().value,
        "kept"
    );
}

#[tokio::test]
async fn p9_a_hanging_server_is_a_time_out_and_nobody_waits_longer() {
    let server = servers::redis::start().unwrap();
    let driver = RedisStore::connect(server.url()).await.unwrap();
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
    // Now connecting hangs.
    let again = store.load("session:a").await.unwrap_err();
    assert_eq!(again.kind(), StoreErrorKind::TimedOut);
    assert!(began.elapsed() < LIMIT * 2, "{:?}", began.elapsed());
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
    let server = servers::redis::start().unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let store = RedisStore::connect(&server.url_through(proxy.port()))
        .await
        .unwrap();
    let mut base = store.create("session:a", bytes("0"), HOUR).await.unwrap();
    for length in [1, 40, 90] {
        proxy.cut_request_after(length);
        let cut = store.replace("session:a", &base, bytes("half"), HOUR).await;
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
    let server = servers::redis::start().unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let store = RedisStore::connect(&server.url_through(proxy.port()))
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
    for _ in 0..200 {
        tokio::select! {
            biased;
            _ = store.load(&one) => {}
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(store.load(&other).await.unwrap().unwrap().value, "other");
    }
}

#[tokio::test]
async fn p10_errors_and_debug_name_no_address_password_or_key() {
    let server = servers::redis::start_with_password("hunter2").unwrap();
    let store = RedisStore::connect(server.url()).await.unwrap();
    store.create("session:a", bytes("x"), HOUR).await.unwrap();
    let debug = format!("{store:?}");
    assert_eq!(debug, "RedisStore { to: \"one server\", .. }");

    let wrong = server.url().replace("hunter2", "letmein");
    let denied = RedisStore::connect(&wrong).await.unwrap_err();
    assert_eq!(denied.kind(), StoreErrorKind::Refused);
    let port = server.port();
    let without = RedisStore::connect(&format!("redis://127.0.0.1:{port}")).await;
    let without = match without {
        Ok(store) => store.load("session:a").await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(without.kind(), StoreErrorKind::Refused);
    for error in [denied, without] {
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("letmein") && !text.contains("127.0.0.1"),
            "{text}"
        );
    }

    // A type of another program's: the server's message would quote nothing here, its code is enough.
    let mut raw = neighbour(server.url());
    let () = raw.hset("session:hash", "a", "b").unwrap();
    assert_eq!(
        store.create("session:hash", bytes("x"), HOUR).await,
        Err(CreateError::Exists)
    );
}

#[tokio::test]
async fn s_urls_say_what_is_wrong_with_them_and_nothing_else() {
    for url in [
        "localhost",
        "http://secret@localhost",
        "redis://",
        "redis://secret:secret@",
        "redis://localhost:secret",
        "redis://localhost/secret",
        "redis://localhost?secret=1",
        "redis://localhost?socket_timeout=secret",
        "redis://localhost?socket_timeout=0",
        "redis+sentinel://secret:1",
        "redis+sentinel://:1/name/secret",
        "redis+cluster://",
        "redis+secret://localhost",
    ] {
        let error: StoreError = RedisStore::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused, "{url}");
        assert!(!error.to_string().contains("secret"), "{url}: {error}");
    }
    let server = servers::redis::start().unwrap();
    let url = format!(
        "{}/3?socket_timeout=0.2&socket_connect_timeout=1&protocol=3",
        server.url()
    );
    let store = RedisStore::connect(&url).await.unwrap();
    store
        .create("session:three", bytes("x"), HOUR)
        .await
        .unwrap();
    assert_eq!(
        store.load("session:three").await.unwrap().unwrap().value,
        "x"
    );
    let mut raw = neighbour(&format!("{}/3", server.url()));
    assert!(raw.exists::<_, bool>("session:three").unwrap());
    server.pause().unwrap();
    let began = Instant::now();
    assert_eq!(
        store.load("session:three").await.unwrap_err().kind(),
        StoreErrorKind::TimedOut
    );
    assert!(
        began.elapsed() < Duration::from_millis(1200),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_cluster_keeps_every_promise_on_every_node() {
    let cluster = servers::redis::start_cluster().unwrap();
    // The first seed is nobody.
    let url = cluster.url().replace("://", "://127.0.0.1:1,");
    let store = RedisStore::connect(&url).await.unwrap();
    assert_eq!(format!("{store:?}"), "RedisStore { to: \"a cluster\", .. }");
    for number in 0..64 {
        let key = if number % 2 == 0 {
            format!("session:{number}")
        } else {
            format!("{{tag{number}}}:session")
        };
        let base = store.create(&key, bytes("one"), HOUR).await.unwrap();
        assert_eq!(
            store.create(&key, bytes("x"), HOUR).await,
            Err(CreateError::Exists)
        );
        let next = store
            .replace(&key, &base, bytes("two"), HOUR)
            .await
            .unwrap();
        assert!(matches!(
            store.replace(&key, &base, bytes("x"), HOUR).await,
            Err(ReplaceError::Changed(there)) if there == next
        ));
        store.touch(&key, HOUR).await.unwrap();
        assert_eq!(store.load(&key).await.unwrap(), Some(next.clone()));
        store.delete(&key, Some(&next), HOUR).await.unwrap();
        assert_eq!(store.load(&key).await, Ok(None));
        assert_eq!(
            store.create(&key, bytes("x"), HOUR).await,
            Err(CreateError::Exists)
        );
    }
    let error = store.load("a}b").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);

    let mut raw = redis::cluster::ClusterClient::new(urls(&cluster).to_vec())
        .unwrap()
        .get_connection()
        .unwrap();
    list_shows_live_entries_only(&store, &mut raw).await;

    // A node that dies takes its third along and no more, and is found again.
    let keys: Vec<String> = (0..30)
        .map(|number| format!("session:up{number}"))
        .collect();
    for key in &keys {
        store.create(key, bytes("kept"), HOUR).await.unwrap();
    }
    let [_, second, _] = cluster.nodes();
    second.kill().unwrap();
    let mut failed = 0;
    for key in &keys {
        let began = Instant::now();
        match store.load(key).await {
            Ok(loaded) => assert_eq!(loaded.unwrap().value, "kept"),
            Err(error) => {
                assert_ne!(error.kind(), StoreErrorKind::Refused, "{error}");
                failed += 1;
            }
        }
        assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    }
    assert!((1..=20).contains(&failed), "{failed}");
    second.start_again().unwrap();
    for key in &keys {
        assert_eq!(until_it_answers(&store, key).await.unwrap().value, "kept");
    }
}

#[tokio::test]
async fn a_slot_that_moves_is_followed() {
    let cluster = servers::redis::start_cluster().unwrap();
    let [first, ..] = cluster.nodes();
    let store = RedisStore::connect(&format!("redis+cluster://127.0.0.1:{}", first.port()))
        .await
        .unwrap();
    let key = "session:moving";
    let base = store.create(key, bytes("one"), HOUR).await.unwrap();

    // Who has the slot, and who shall have it.
    let mut nodes = urls(&cluster).map(neighbour);
    let slot: u64 = redis::cmd("CLUSTER")
        .arg("KEYSLOT")
        .arg(key)
        .query(&mut nodes[0])
        .unwrap();
    let has: Vec<bool> = nodes
        .iter_mut()
        .map(|node| node.exists::<_, bool>(key).unwrap_or(false))
        .collect();
    let source = has.iter().position(|has| *has).unwrap();
    let target = (source + 1) % 3;
    let ids: Vec<String> = nodes
        .iter_mut()
        .map(|node| redis::cmd("CLUSTER").arg("MYID").query(node).unwrap())
        .collect();
    let set_slot = |node: &mut Connection, how: &str, id: &str| {
        redis::cmd("CLUSTER")
            .arg("SETSLOT")
            .arg(slot)
            .arg(how)
            .arg(id)
            .exec(node)
            .unwrap();
    };
    set_slot(&mut nodes[target], "IMPORTING", &ids[source]);
    set_slot(&mut nodes[source], "MIGRATING", &ids[target]);
    redis::cmd("MIGRATE")
        .arg("127.0.0.1")
        .arg(cluster.nodes()[target].port())
        .arg(key)
        .arg(0)
        .arg(5000)
        .exec(&mut nodes[source])
        .unwrap();
    // On the way: the old node answers ASK.
    let next = store.replace(key, &base, bytes("two"), HOUR).await;
    let next = match next {
        Ok(next) => next,
        // Entry and tombstone are asked for together, and the slot's owner cannot tell where an absent one is.
        Err(ReplaceError::Failed(error)) if error.to_string().contains("TRYAGAIN") => base,
        other => panic!("{other:?}"),
    };
    for node in [target, source] {
        set_slot(&mut nodes[node], "NODE", &ids[target]);
    }
    // Arrived: the old node answers MOVED.
    store
        .replace(key, &next, bytes("three"), HOUR)
        .await
        .unwrap();
    assert_eq!(store.load(key).await.unwrap().unwrap().value, "three");
}

#[tokio::test]
async fn the_master_is_looked_up_again_after_a_failover() {
    let group = servers::redis::start_sentinel().unwrap();
    // The first Sentinel is nobody.
    let url = group.sentinel_url().replace("://", "://127.0.0.1:1,");
    let store = RedisStore::connect(&url).await.unwrap();
    assert_eq!(
        format!("{store:?}"),
        "RedisStore { to: \"a master behind Sentinel\", .. }"
    );
    store
        .create("session:a", bytes("kept"), HOUR)
        .await
        .unwrap();
    // What the master acknowledged is on its way to the replica.
    let mut replica = neighbour(group.replica().url());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !replica.exists::<_, bool>("session:a").unwrap() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    group.master().kill().unwrap();
    let began = Instant::now();
    assert!(store.load("session:a").await.is_err());
    assert!(began.elapsed() < LIMIT);
    let loaded = until_it_answers(&store, "session:a").await.unwrap();
    assert_eq!(loaded.value, "kept");
    let base = loaded;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match store.replace("session:a", &base, bytes("next"), HOUR).await {
            Ok(_) => break,
            Err(ReplaceError::Failed(error)) => assert!(Instant::now() < deadline, "{error}"),
            Err(error) => panic!("{error}"),
        }
    }
    // Its promotion ended the connection.
    let mut promoted = neighbour(group.replica().url());
    assert_eq!(promoted.get::<_, String>("session:a").unwrap(), "next");

    let unknown = group
        .sentinel_url()
        .replace(servers::redis::MASTER_NAME, "nobody");
    let error = RedisStore::connect(&unknown).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{error}");
}

/// A server that speaks TLS only, with a certificate of an authority made for it.
#[cfg(feature = "redis-tls")]
struct TlsServer {
    process: std::process::Child,
    folder: tempfile::TempDir,
    port: u16,
}

#[cfg(feature = "redis-tls")]
impl TlsServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let openssl = |arguments: &str| {
            let made = std::process::Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir(&folder)
                .output()
                .unwrap();
            assert!(made.status.success(), "{arguments}: {made:?}");
        };
        openssl(
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
        );
        openssl(
            "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
        );
        std::fs::write(folder.path().join("names"), "subjectAltName=DNS:localhost").unwrap();
        openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
        );
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let process = std::process::Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--bind",
                "127.0.0.1",
                "--tls-port",
                &port.to_string(),
            ])
            .args([
                "--tls-cert-file",
                "server.pem",
                "--tls-key-file",
                "server.key",
            ])
            .args([
                "--tls-auth-clients",
                "no",
                "--tls-ca-cert-file",
                "ca.pem",
                "--save",
                "",
            ])
            .current_dir(&folder)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        Self {
            process,
            folder,
            port,
        }
    }
}

#[cfg(feature = "redis-tls")]
impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(feature = "redis-tls")]
#[tokio::test]
async fn tls_takes_the_certificates_it_is_told_and_no_others() {
    let server = TlsServer::start();
    let (port, authority) = (server.port, server.folder.path().join("ca.pem"));
    let url = format!(
        "rediss://localhost:{port}?ssl_ca_certs={}",
        authority.display()
    );
    let deadline = Instant::now() + Duration::from_secs(30);
    let store = loop {
        match RedisStore::connect(&url).await {
            Ok(store) => break store,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    store.create("session:a", bytes("x"), HOUR).await.unwrap();
    assert_eq!(store.load("session:a").await.unwrap().unwrap().value, "x");

    for (url, kind) in [
        // Nobody that the system trusts signed this.
        (
            format!("rediss://localhost:{port}"),
            StoreErrorKind::Unreachable,
        ),
        // Another name than the certificate's.
        (
            url.replace("localhost", "127.0.0.1"),
            StoreErrorKind::Unreachable,
        ),
        // No TLS at all.
        (
            format!("redis://localhost:{port}"),
            StoreErrorKind::Unreachable,
        ),
        (url.replace("ca.pem", "none.pem"), StoreErrorKind::Refused),
        (url.replace("rediss", "redis"), StoreErrorKind::Refused),
        (
            format!("rediss://localhost:{port}/#insecure"),
            StoreErrorKind::Refused,
        ),
    ] {
        let error = RedisStore::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{url}: {error}");
    }
}

#[cfg(not(feature = "redis-tls"))]
#[tokio::test]
async fn tls_is_refused_by_name_where_it_was_left_out() {
    let error = RedisStore::connect("rediss://localhost").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("redis-tls"), "{error}");
}
