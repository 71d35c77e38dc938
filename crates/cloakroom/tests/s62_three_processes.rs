//! The secret key is replaced while three processes serve visitors, one of which learns of everything late.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path as Part, State},
    routing::get,
};
use cloakroom::{
    Clock, ConfigError, Error, KeyState, KeyWatcher, Keys, SecretKey, Session, SessionConfig,
    SessionLayer, SessionManager,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::RwLock,
};

/// When it all begins, in Unix seconds by the clocks of the servers.
const START: u64 = 1_700_000_000;
const LIFETIME: u64 = 1000;
/// From when the new key signs.
const NEW_SIGNS: u64 = START + 800;
/// From when the old one verifies no more.
const OLD_ENDS: u64 = NEW_SIGNS + LIFETIME;
/// The servers' clocks differ so much for a while, which the default leeway allows for.
const CLOCKS_DIFFER: u64 = 4;

const OLD: &str = r#"{"id": "old", "secret": "b54e5d2a6f9b4c1c8a07f3a1e29c4d11""#;
const NEW: &str = r#"{"id": "new", "secret": "0c2f9ad1778e4b0fb3f64be1c95d2e60""#;

fn only_old() -> String {
    format!(r#"{{"keys": [{OLD}}}]}}"#)
}

fn new_added() -> String {
    format!(r#"{{"keys": [{NEW}, "not_before": {NEW_SIGNS}}}, {OLD}}}]}}"#)
}

fn old_retired() -> String {
    format!(r#"{{"keys": [{NEW}, "not_before": {NEW_SIGNS}}}, {OLD}, "not_after": {OLD_ENDS}}}]}}"#)
}

fn only_new() -> String {
    format!(r#"{{"keys": [{NEW}}}]}}"#)
}

// The servers ---------------------------------------------------------------------------------------------------------

const KEY_FILE: &str = "CLOAKROOM_TEST_KEY_FILE";

/// Under which the sessions of a test are.
#[derive(Clone, Copy)]
struct Kind {
    /// The test that calls itself as a server.
    test: &'static str,
    manager: fn(Keys, SessionConfig) -> Result<SessionManager, ConfigError>,
}

#[derive(Clone)]
struct Site {
    manager: SessionManager,
    clock: Clock,
    watcher: Arc<KeyWatcher>,
}

/// What a process of the site does, until it is killed.
async fn serve(kind: Kind, key_file: PathBuf) {
    let clock = Clock::manual(START);
    let keys = Keys::from_file(key_file).unwrap();
    let watcher = Arc::new(keys.watch(Duration::from_secs(1)));
    let config = SessionConfig::default()
        .lifetime(Duration::from_secs(LIFETIME))
        .clock(clock.clone());
    let manager = (kind.manager)(keys, config).unwrap();
    let site = Site {
        manager: manager.clone(),
        clock,
        watcher,
    };
    let app = Router::new()
        .route("/login/{name}", get(login))
        .route("/read", get(read))
        .route("/write", get(write))
        .layer(SessionLayer::new(manager))
        .route("/keys", get(usage))
        .route("/replaced", get(replaced))
        .route("/clock/{time}", get(set_clock))
        .with_state(site);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nport {}", listener.local_addr().unwrap().port());
    axum::serve(listener, app).await.unwrap();
}

async fn login(session: Session, Part(name): Part<String>) -> Result<String, Error> {
    session.regenerate();
    session.insert("username", &name)?;
    session.insert("visits", 0)?;
    Ok(name)
}

/// Who is there and how often they were: nobody who is logged out.
fn told(session: &Session) -> Result<String, Error> {
    let name: Option<String> = session.get("username")?;
    let visits: Option<u64> = session.get("visits")?;
    Ok(format!(
        "{} {}",
        name.unwrap_or_default(),
        visits.unwrap_or_default()
    ))
}

async fn read(session: Session) -> Result<String, Error> {
    told(&session)
}

async fn write(session: Session) -> Result<String, Error> {
    if session.contains_key("username") {
        session.update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1)?;
    }
    told(&session)
}

async fn usage(State(site): State<Site>) -> String {
    let line = |key: cloakroom::KeyUsage| format!("{} {:?} {}\n", key.id, key.state, key.verified);
    site.manager.key_usage().into_iter().map(line).collect()
}

async fn replaced(State(site): State<Site>) -> String {
    site.watcher.replaced().to_string()
}

async fn set_clock(State(site): State<Site>, Part(time): Part<u64>) {
    site.clock.set(time);
}

// The operator --------------------------------------------------------------------------------------------------------

struct Server {
    process: Child,
    port: u16,
    key_file: PathBuf,
}

impl Server {
    fn start(kind: Kind, folder: &Path, name: &str, keys: &str) -> Self {
        let key_file = folder.join(name).with_extension("json");
        put(&key_file, keys);
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", kind.test, "--nocapture", "--test-threads=1"])
            .env(KEY_FILE, &key_file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("port ")?.parse().ok());
        Self {
            process,
            port: port.unwrap(),
            key_file,
        }
    }

    async fn ask(&self, path: &str) -> String {
        let mut connection = Connection::open(self.port).await;
        connection.get(path, None).await.body
    }

    async fn ask_as(&self, path: &str, cookie: &str) -> String {
        let mut connection = Connection::open(self.port).await;
        connection.get(path, Some(cookie)).await.body
    }

    async fn keys(&self) -> BTreeMap<String, (String, u64)> {
        let text = self.ask("/keys").await;
        let line = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            let mut next = || words.next().unwrap();
            (next(), (next(), next().parse().unwrap()))
        };
        text.lines().map(line).collect()
    }

    async fn verified(&self, id: &str) -> u64 {
        self.keys()
            .await
            .get(id)
            .map_or(0, |(_, verified)| *verified)
    }

    /// Gives it another key file, and waits until it has read it.
    async fn load(&self, keys: &str, expected: &[(&str, KeyState)]) {
        // The states alone may be the same before and after.
        let before = self.replaced().await;
        put(&self.key_file, keys);
        let began = Instant::now();
        while self.replaced().await == before || !self.has(expected).await {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "the key file is not read"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn replaced(&self) -> u64 {
        self.ask("/replaced").await.parse().unwrap()
    }

    async fn has(&self, expected: &[(&str, KeyState)]) -> bool {
        let keys = self.keys().await;
        let state = |(id, state): &(&str, KeyState)| {
            keys.get(*id)
                .is_some_and(|(there, _)| *there == format!("{state:?}"))
        };
        keys.len() == expected.len() && expected.iter().all(state)
    }

    async fn set_clock(&self, time: u64) {
        self.ask(&format!("/clock/{time}")).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::rename(new, path).unwrap();
}

// The visitors --------------------------------------------------------------------------------------------------------

struct Connection(TcpStream);

struct Answer {
    body: String,
    cookie: Option<String>,
}

impl Connection {
    async fn open(port: u16) -> Self {
        Self(TcpStream::connect(("127.0.0.1", port)).await.unwrap())
    }

    async fn get(&mut self, path: &str, cookie: Option<&str>) -> Answer {
        let cookie = cookie.map(|value| format!("Cookie: session={value}\r\n"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: site\r\n{}\r\n",
            cookie.unwrap_or_default()
        );
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        loop {
            if let Some((head, body)) = String::from_utf8_lossy(&text).split_once("\r\n\r\n") {
                let header = |name: &str| {
                    head.lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::to_owned)
                };
                let length: usize = header("content-length: ").unwrap().parse().unwrap();
                if body.len() == length {
                    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                    let cookie = header("set-cookie: session=");
                    let value = |cookie: String| cookie.split(';').next().unwrap().to_owned();
                    return Answer {
                        body: body.to_owned(),
                        cookie: cookie.map(value),
                    };
                }
            }
            assert_ne!(
                self.0.read_buf(&mut text).await.unwrap(),
                0,
                "the server is gone"
            );
        }
    }
}

/// What is known of all requests together.
struct Load {
    /// Held by a visitor during a request, and by the operator while the clocks are far apart.
    going: RwLock<()>,
    stopped: AtomicBool,
    requests: AtomicU64,
    logged_out: AtomicU64,
    /// How often each visitor has written.
    writes: Vec<AtomicU64>,
}

struct Visitor {
    name: String,
    cookie: Option<String>,
    visits: u64,
    connections: Vec<Connection>,
    random: u64,
}

impl Visitor {
    async fn arrive(number: usize, ports: &[u16]) -> Self {
        let mut connections = Vec::new();
        for port in ports {
            connections.push(Connection::open(*port).await);
        }
        let mut visitor = Self {
            name: format!("visitor{number}"),
            cookie: None,
            visits: 0,
            connections,
            random: 0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1),
        };
        let server = visitor.random(ports.len());
        let path = format!("/login/{}", visitor.name);
        visitor.request(server, &path).await;
        visitor
    }

    fn random(&mut self, below: usize) -> usize {
        // Xorshift: any sequence will do, and this one is the same in each run.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap() % below
    }

    async fn request(&mut self, server: usize, path: &str) -> String {
        let answer = self.connections[server]
            .get(path, self.cookie.as_deref())
            .await;
        self.cookie = answer.cookie.or(self.cookie.take());
        answer.body
    }

    /// One request to one of the servers; whether the visitor is still logged in.
    async fn visit(&mut self) -> (bool, bool) {
        let server = self.random(self.connections.len());
        let writes = self.random(3) == 0;
        let body = self
            .request(server, if writes { "/write" } else { "/read" })
            .await;
        self.visits += u64::from(writes);
        (body == format!("{} {}", self.name, self.visits), writes)
    }

    async fn come_and_go(mut self, number: usize, load: Arc<Load>) {
        while !load.stopped.load(Ordering::Relaxed) {
            let _going = load.going.read().await;
            let (logged_in, wrote) = self.visit().await;
            load.logged_out
                .fetch_add(u64::from(!logged_in), Ordering::Relaxed);
            load.writes[number].fetch_add(u64::from(wrote), Ordering::Relaxed);
            load.requests.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Load {
    /// Until everybody has written twice more: with what is in force now, whatever was under way before.
    async fn go_on(&self) {
        let before: Vec<u64> = self
            .writes
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        let began = Instant::now();
        let mut all = self.writes.iter().zip(&before);
        while !all.all(|(count, before)| count.load(Ordering::Relaxed) >= before + 2) {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "the visitors stand still"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
            all = self.writes.iter().zip(&before);
        }
    }

    /// Sets all clocks while nobody is served, since time does not leap on one server alone.
    async fn wait_until(&self, time: u64, servers: &[Server]) {
        let _nobody = self.going.write().await;
        for server in servers {
            server.set_clock(time).await;
        }
    }

    /// Lets time pass, server after server, while everybody is served.
    async fn tick_to(&self, time: u64, servers: &[Server]) {
        for server in servers {
            self.go_on().await;
            server.set_clock(time).await;
        }
        self.go_on().await;
    }
}

/// What somebody makes who has the old key and a clock.
fn cookie_of_the_old_key(kind: Kind) -> String {
    let secret = OLD.rsplit('"').nth(1).unwrap();
    let config = SessionConfig::default().clock(Clock::manual(OLD_ENDS));
    let key = SecretKey::new(secret).unwrap();
    let manager = (kind.manager)(key.into(), config).unwrap();
    let session = manager.new_session();
    session.insert("username", "mallory").unwrap();
    manager.cookie_value(&session).unwrap()
}

async fn verified(servers: &[Server], id: &str) -> u64 {
    let mut sum = 0;
    for server in servers {
        sum += server.verified(id).await;
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn s62_rotating_under_load_across_three_processes_logs_nobody_out() {
    rotate(Kind {
        test: "s62_rotating_under_load_across_three_processes_logs_nobody_out",
        manager: |keys, config| SessionManager::signed(keys, config),
    })
    .await;
}

#[cfg(feature = "encrypted")]
#[tokio::test(flavor = "multi_thread")]
async fn s62_encrypted_sessions_are_rotated_under_load_as_well() {
    rotate(Kind {
        test: "s62_encrypted_sessions_are_rotated_under_load_as_well",
        manager: |keys, config| SessionManager::encrypted(keys, config),
    })
    .await;
}

async fn rotate(kind: Kind) {
    use KeyState::{Ended, Signs, Verifies};
    const VISITORS: usize = 36;
    if let Some(file) = std::env::var_os(KEY_FILE) {
        return serve(kind, file.into()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let servers =
        ["a", "b", "late"].map(|name| Server::start(kind, folder.path(), name, &only_old()));
    let [a, b, late] = &servers;
    let ports: Vec<u16> = servers.iter().map(|server| server.port).collect();

    let load = Arc::new(Load {
        going: RwLock::new(()),
        stopped: AtomicBool::new(false),
        requests: AtomicU64::new(0),
        logged_out: AtomicU64::new(0),
        writes: (0..VISITORS).map(|_| AtomicU64::new(0)).collect(),
    });
    let mut visits = Vec::new();
    for number in 0..VISITORS {
        let visitor = Visitor::arrive(number, &ports).await;
        visits.push(tokio::spawn(visitor.come_and_go(number, load.clone())));
    }
    load.go_on().await;

    // 1. The new key is added. Two servers learn of it, and accept what nobody signs yet.
    for server in [a, b] {
        server
            .load(&new_added(), &[("new", Verifies), ("old", Signs)])
            .await;
    }
    load.go_on().await;
    assert!(
        late.has(&[("old", Signs)]).await,
        "the late one has no idea"
    );
    load.wait_until(START + 400, &servers).await;
    load.go_on().await;
    late.load(&new_added(), &[("new", Verifies), ("old", Signs)])
        .await;
    load.go_on().await;
    assert_eq!(verified(&servers, "new").await, 0);

    // 2. Its time comes, on one server after the other; the late one signs with the old key all the while.
    load.wait_until(NEW_SIGNS - CLOCKS_DIFFER / 2, &servers)
        .await;
    // Somebody who will rest for almost a lifetime.
    let mut sleeper = Visitor::arrive(VISITORS, &ports).await;
    load.tick_to(NEW_SIGNS + CLOCKS_DIFFER / 2, &servers).await;
    for server in &servers {
        assert!(server.has(&[("new", Signs), ("old", Verifies)]).await);
    }
    assert!(verified(&servers, "new").await > 0);

    // 3. The old key gets its end. Two servers learn of it, the late one goes on with the file of before.
    load.wait_until(NEW_SIGNS + 400, &servers).await;
    for server in [a, b] {
        server
            .load(&old_retired(), &[("new", Signs), ("old", Verifies)])
            .await;
    }
    load.go_on().await;

    // 4. Everybody who came has a cookie of the new key by now, and the counts tell.
    let used = verified(&servers, "old").await;
    load.wait_until(NEW_SIGNS + 800, &servers).await;
    load.go_on().await;
    assert_eq!(verified(&servers, "old").await, used);
    // But for one, whose time is not over; the counts tell that too.
    load.wait_until(OLD_ENDS - CLOCKS_DIFFER, &servers).await;
    let who = format!("{} 0", sleeper.name);
    for server in 0..servers.len() {
        assert_eq!(sleeper.request(server, "/read").await, who);
    }
    let used = [used, verified(&servers, "old").await];
    assert_eq!(
        used[1],
        used[0] + 1,
        "the first server gave a cookie of the new key"
    );
    load.go_on().await;

    // 5. Its end comes, on one server after the other; on the late one it has none.
    load.tick_to(OLD_ENDS, &servers).await;
    for server in [a, b] {
        assert!(server.has(&[("new", Signs), ("old", Ended)]).await);
    }
    assert!(late.has(&[("new", Signs), ("old", Verifies)]).await);
    assert_eq!(
        verified(&servers, "old").await,
        used[1],
        "nobody needs the old key"
    );
    let copied = cookie_of_the_old_key(kind);
    assert_eq!(a.ask_as("/read", &copied).await, " 0");
    assert_eq!(late.ask_as("/read", &copied).await, "mallory 0");

    // 6. It is taken out of the files, last on the late server, which never saw the one of before.
    for server in [a, b] {
        server.load(&only_new(), &[("new", Signs)]).await;
    }
    load.go_on().await;
    late.load(&only_new(), &[("new", Signs)]).await;
    load.go_on().await;
    for server in &servers {
        assert_eq!(server.ask_as("/read", &copied).await, " 0");
    }

    load.stopped.store(true, Ordering::Relaxed);
    for visit in visits {
        visit.await.unwrap();
    }
    let requests = load.requests.load(Ordering::Relaxed);
    let logged_out = load.logged_out.load(Ordering::Relaxed);
    println!("{requests} requests of {VISITORS} visitors, {logged_out} of them logged out");
    assert_eq!(logged_out, 0);
}
