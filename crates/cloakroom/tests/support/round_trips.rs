//! How often a request asks the server of its store and waits for the answer, counted on the wire. What it asks for at
//! once is one round trip.

use std::time::Duration;

use bytes::Bytes;
use cloakroom::{
    Session, SessionConfig, SessionManager, UserSessions,
    store::{MemcachedStore, MySqlStore, PostgresStore, RedisStore, ReplaceError, Store},
    testing::Browser,
};
use servers::proxy::Proxy;

const HOUR: Duration = Duration::from_secs(3600);

/// What requests do, in this order.
pub(crate) const SCENARIOS: [&str; 11] = [
    "first visit",
    "first visit, a login",
    "read",
    "read and write",
    "read, renewal due",
    "login on a session that is there",
    "logout",
    "write that meets another",
    "listed: login",
    "listed: read",
    "listed: logout",
];

/// Round trips of each of them.
pub(crate) type RoundTrips = [u64; SCENARIOS.len()];

/// Of a server of this kind, when scripts are known and statements prepared.
pub(crate) async fn count(kind: &str, url: &str) -> RoundTrips {
    let (rest, port) = url.rsplit_once(':').unwrap();
    let (port, path) = port.split_at(port.find('/').unwrap_or(port.len()));
    let proxy = Proxy::start(port.parse().unwrap()).unwrap();
    let store = open(kind, &format!("{rest}:{}{path}", proxy.port())).await;
    let site = Site { proxy, store };
    site.visit().await;
    let mut least = site.visit().await;
    // A connection that the machine left alone for a second is asked first whether it is still there.
    for _ in 0..2 {
        let again = site.visit().await;
        least = std::array::from_fn(|place| least[place].min(again[place]));
    }
    least
}

async fn open(kind: &str, url: &str) -> Store {
    let table = servers::unique("trips").replace('-', "_");
    match kind {
        "redis" => RedisStore::connect(url).await.unwrap().into(),
        "memcached" => MemcachedStore::connect(url).await.unwrap().into(),
        "postgres" => {
            let store = PostgresStore::connect(url).await.unwrap();
            let store = store.table(table).unwrap();
            store.migrate().await.unwrap();
            store.into()
        }
        "mysql" => {
            let store = MySqlStore::connect(url).await.unwrap();
            let store = store.table(table).unwrap();
            store.migrate().await.unwrap();
            store.into()
        }
        other => panic!("no store is called {other}"),
    }
}

/// A site whose store is behind a proxy that counts.
struct Site {
    proxy: Proxy,
    store: Store,
}

impl Site {
    /// A visit from beginning to end, and one of somebody whose sessions are listed.
    async fn visit(&self) -> RoundTrips {
        let prefix = servers::unique("visit") + ":";
        let config = || SessionConfig::default().key_prefix(&prefix);
        let manager = |config| SessionManager::stored(self.store.clone(), config).unwrap();
        let set = |session: &Session| session.insert("n", 1).unwrap();
        let read = |session: &Session| assert_eq!(session.get("n").unwrap(), Some(1));
        let read_and_write = |session: &Session| {
            read(session);
            session.insert("m", 2).unwrap();
        };
        let login = |session: &Session| {
            session.regenerate();
            session.insert("user", "ann").unwrap();
        };
        let listed_login = |session: &Session| session.login("ann").unwrap();

        let (plain, browser) = (&manager(config()), &mut Browser::new());
        let first_login = self.request(plain, &mut Browser::new(), login).await;
        let first_visit = self.request(plain, browser, set).await;
        let read_only = self.request(plain, browser, read).await;
        let written = self.request(plain, browser, read_and_write).await;
        // Of a longer lifetime the entry has less left than a new one would have.
        let longer = manager(config().lifetime(60 * 24 * HOUR));
        let renewed = self.request(&longer, browser, read).await;
        let logged_in = self.request(plain, browser, login).await;
        let logged_out = self.request(plain, browser, Session::clear).await;
        let conflict = self.conflict().await;

        let listing = &manager(config().user_sessions(UserSessions::new()));
        let (elsewhere, browser) = (&mut Browser::new(), &mut Browser::new());
        self.request(listing, elsewhere, listed_login).await;
        self.request(listing, browser, set).await;
        [
            first_visit,
            first_login,
            read_only,
            written,
            renewed,
            logged_in,
            logged_out,
            conflict,
            self.request(listing, browser, listed_login).await,
            self.request(listing, browser, read).await,
            self.request(listing, browser, Session::logout).await,
        ]
    }

    /// One request of the browser.
    async fn request(
        &self,
        manager: &SessionManager,
        browser: &mut Browser,
        handler: impl Fn(&Session),
    ) -> u64 {
        let before = self.proxy.round_trips();
        let request = browser.request(http::Request::new(()));
        let session = manager.open(request.headers()).await.unwrap();
        handler(&session);
        let mut response = http::Response::new(());
        let headers = response.headers_mut();
        manager.close(&session, headers).await.unwrap();
        browser.store(&response);
        self.proxy.round_trips() - before
    }

    /// A replacement that finds something else than it compares with, and hears what.
    async fn conflict(&self) -> u64 {
        let key = servers::unique("conflict");
        let value = |text: &'static str| Bytes::from_static(text.as_bytes());
        let store = &self.store;
        let base = store.create(&key, value("one"), HOUR).await.unwrap();
        let second = store.replace(&key, &base, value("two"), HOUR).await;
        second.unwrap();
        let before = self.proxy.round_trips();
        match store.replace(&key, &base, value("three"), HOUR).await {
            Err(ReplaceError::Changed(there)) => assert_eq!(there.value, "two"),
            other => panic!("{other:?}"),
        }
        self.proxy.round_trips() - before
    }
}
