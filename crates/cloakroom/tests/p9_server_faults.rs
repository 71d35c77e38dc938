//! P9 and P4 with real servers that fail under load: what was acknowledged is there afterwards, nobody was logged out,
//! and the service recovers by itself.
#![cfg(all(
    feature = "dynamodb",
    feature = "memcached",
    feature = "mysql",
    feature = "postgres",
    feature = "redis"
))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom::{
    SessionConfig,
    store::{DynamoDbStore, MemcachedStore, MySqlStore, PostgresStore, RedisStore, Store},
};
use servers::{Server, proxy::Proxy};
use site::Site;
use tokio::{task::JoinSet, time::sleep};

#[path = "support/site.rs"]
mod site;

/// The most that one request may take while its store hangs: loading and saving have two seconds each, and a crowded
/// machine needs some more.
const LONGEST: Duration = Duration::from_secs(8);

/// How soon after a fault all is well.
const RECOVERY: Duration = Duration::from_secs(15);

/// Visitors who count all the time, and what was acknowledged to each.
struct Load {
    site: Site,
    cookies: Vec<String>,
    acknowledged: Arc<Vec<AtomicU64>>,
    refused: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Eight tasks, four on each of two sessions.
    async fn start(site: &Site) -> Self {
        let cookies = vec![site.login().await, site.login().await];
        let mut load = Self {
            site: site.clone(),
            acknowledged: Arc::new(cookies.iter().map(|_| AtomicU64::new(0)).collect()),
            cookies,
            refused: Arc::default(),
            ended: Arc::default(),
            tasks: JoinSet::new(),
        };
        for task in 0..8 {
            let session = task % load.cookies.len();
            let (site, cookie) = (site.clone(), load.cookies[session].clone());
            let (acknowledged, refused) = (load.acknowledged.clone(), load.refused.clone());
            let ended = load.ended.clone();
            load.tasks.spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let answer = site.get("/count", &cookie).await;
                    let took = began.elapsed();
                    assert!(took < LONGEST, "an answer after {took:?}: {answer:?}");
                    // No removal, and no other id.
                    assert!(answer.header("set-cookie").is_empty(), "{answer:?}");
                    match answer.status {
                        200 => {
                            acknowledged[session].fetch_add(1, Ordering::Relaxed);
                        }
                        503 => {
                            assert_eq!(answer.header("retry-after"), ["2"], "{answer:?}");
                            refused.fetch_add(1, Ordering::Relaxed);
                            sleep(Duration::from_millis(20)).await;
                        }
                        _ => panic!("{answer:?}"),
                    }
                }
            });
        }
        load
    }

    fn acknowledged(&self) -> u64 {
        let counts = self.acknowledged.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// All visitors count on, by themselves.
    async fn recovers(&mut self, fault: &str) {
        let began = Instant::now();
        for session in 0..self.cookies.len() {
            let count = || self.acknowledged[session].load(Ordering::Relaxed);
            let before = count();
            while count() < before + 4 {
                let waited = began.elapsed();
                assert!(waited < RECOVERY, "{fault}: no recovery in {waited:?}");
                if let Some(ended) = self.tasks.try_join_next() {
                    ended.unwrap();
                    panic!("{fault}: a visitor gave up");
                }
                sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Nothing that was acknowledged is missing, and the sessions are whole.
    async fn finish(mut self) {
        self.ended.store(true, Ordering::Relaxed);
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap();
        }
        let mut refused = self.refused.load(Ordering::Relaxed);
        for (cookie, acknowledged) in self.cookies.iter().zip(self.acknowledged.iter()) {
            let acknowledged = acknowledged.load(Ordering::Relaxed);
            let held = self.site.holds(cookie).await;
            assert_eq!(held.get("user"), Some(&1));
            let counted = held["n"];
            assert!(
                counted >= acknowledged,
                "{acknowledged} were acknowledged and {counted} counted"
            );
            // What was not acknowledged may have been counted, once.
            let more = counted - acknowledged;
            assert!(
                more <= refused,
                "{more} more than {acknowledged}, {refused} refused"
            );
            refused -= more;
        }
    }
}

/// A server with a proxy in front, and a site whose store goes through it.
struct Fixture {
    server: Server,
    proxy: Proxy,
    site: Site,
}

impl Fixture {
    /// A server that keeps all in memory is killed and comes back empty: visitors keep their cookies while it is
    /// away, and are strangers afterwards.
    async fn forgets(&self, cookie: &str, prepare: impl AsyncFn()) {
        let site = &self.site;
        self.server.kill().unwrap();
        let answer = site.get("/count", cookie).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("set-cookie").is_empty(), "{answer:?}");
        tokio::task::block_in_place(|| self.server.start_again()).unwrap();
        prepare().await;
        let began = Instant::now();
        let answer = loop {
            let answer = site.get("/read", cookie).await;
            assert!(answer.header("set-cookie").is_empty(), "{answer:?}");
            if answer.status == 200 {
                break answer;
            }
            assert!(began.elapsed() < RECOVERY, "{answer:?}");
            sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(answer.body, "");
        // Another login, under another id.
        let answer = site.get("/set/user", cookie).await;
        assert_ne!(answer.cookie_after(""), cookie);
        assert_eq!(site.holds(&answer.cookie_after("")).await["user"], 1);
    }

    async fn new(server: Server, connect: impl AsyncFn(&str) -> Store) -> Self {
        let proxy = Proxy::start(server.port()).unwrap();
        let store = connect(&server.url_through(proxy.port())).await;
        let site = Site::new(store, SessionConfig::default());
        Self {
            server,
            proxy,
            site,
        }
    }

    /// Connections break in the middle of commands and of answers, and between the two.
    async fn cuts(&self, load: &mut Load) {
        for bytes in [0, 1, 9, 40, 120] {
            self.proxy.cut_request_after(bytes);
            load.recovers("a request is cut").await;
            self.proxy.cut_response_after(bytes);
            load.recovers("an answer is cut").await;
        }
        self.proxy.normal().unwrap();
        self.proxy.cut();
        load.recovers("all connections are cut").await;
    }

    /// The server hangs for ten seconds.
    async fn pause(&self, load: &mut Load) {
        self.server.pause().unwrap();
        sleep(Duration::from_secs(3)).await;
        let (before, refused) = (load.acknowledged(), load.refused.load(Ordering::Relaxed));
        sleep(Duration::from_secs(7)).await;
        assert_eq!(
            load.acknowledged(),
            before,
            "a hanging server acknowledges nothing"
        );
        assert!(
            load.refused.load(Ordering::Relaxed) > refused,
            "the visitors wait"
        );
        self.server.resume().unwrap();
        load.recovers("the server hung").await;
    }

    /// The server dies in the middle of things and comes back.
    async fn kill(&self, load: &mut Load) {
        self.server.kill().unwrap();
        sleep(Duration::from_secs(1)).await;
        let refused = load.refused.load(Ordering::Relaxed);
        sleep(Duration::from_millis(500)).await;
        assert!(
            load.refused.load(Ordering::Relaxed) > refused,
            "the visitors wait"
        );
        tokio::task::block_in_place(|| self.server.start_again()).unwrap();
        load.recovers("the server was killed").await;
    }

    /// A server that keeps its data.
    async fn fails_and_recovers(&self) {
        let mut load = Load::start(&self.site).await;
        load.recovers("the beginning").await;
        self.cuts(&mut load).await;
        self.kill(&mut load).await;
        self.pause(&mut load).await;
        load.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_redis_fails_and_nothing_is_lost() {
    let server = servers::redis::start().unwrap();
    let connect = async |url: &str| RedisStore::connect(url).await.unwrap().into();
    Fixture::new(server, connect)
        .await
        .fails_and_recovers()
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_postgres_fails_and_nothing_is_lost() {
    let server = servers::postgres::start().unwrap();
    let connect = async |url: &str| {
        let store = PostgresStore::connect(url).await.unwrap();
        store.migrate().await.unwrap();
        store.into()
    };
    Fixture::new(server, connect)
        .await
        .fails_and_recovers()
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_mariadb_fails_and_nothing_is_lost() {
    let server = servers::mariadb::start().unwrap();
    let connect = async |url: &str| {
        let store = MySqlStore::connect(url).await.unwrap();
        store.migrate().await.unwrap();
        store.into()
    };
    Fixture::new(server, connect)
        .await
        .fails_and_recovers()
        .await;
}

/// Memcached keeps nothing when it dies. Then a session is unknown, which is no error and logs nobody out by itself:
/// the browser keeps its cookie until a new session takes its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_memcached_fails_and_nothing_but_its_memory_is_lost() {
    let server = servers::memcached::start().unwrap();
    let connect = async |url: &str| MemcachedStore::connect(url).await.unwrap().into();
    let fixture = Fixture::new(server, connect).await;
    let mut load = Load::start(&fixture.site).await;
    load.recovers("the beginning").await;
    fixture.cuts(&mut load).await;
    fixture.pause(&mut load).await;
    let cookie = load.cookies[0].clone();
    load.finish().await;
    fixture.forgets(&cookie, async || {}).await;
}

/// The emulator of DynamoDB keeps everything in memory, so it forgets when it is killed, its tables too.
#[tokio::test(flavor = "multi_thread")]
async fn p9_dynamodb_fails_and_nothing_but_the_emulators_memory_is_lost() {
    let connect = async |endpoint: &str| {
        let url = format!("dynamodb://test:test@us-west-2/Sessions?endpoint={endpoint}");
        let store = DynamoDbStore::connect(&url).await.unwrap();
        store.create_table().await.unwrap();
        store.into()
    };
    let fixture = Fixture::new(servers::dynamodb::start().unwrap(), connect).await;
    let mut load = Load::start(&fixture.site).await;
    load.recovers("the beginning").await;
    fixture.cuts(&mut load).await;
    fixture.pause(&mut load).await;
    let cookie = load.cookies[0].clone();
    load.finish().await;
    let store = fixture.site.manager.store().unwrap().clone();
    let make_the_table_again = async || {
        let began = Instant::now();
        while let Err(error) = store.prepare().await {
            assert!(began.elapsed() < RECOVERY, "{error}");
            sleep(Duration::from_millis(20)).await;
        }
    };
    fixture.forgets(&cookie, make_the_table_again).await;
}
