//! An axum application behind HTTP/1.1, over pipes in memory: real requests, and no limit on how many at
//! once.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests may fail loudly"
)]

#[path = "listen.rs"]
#[allow(clippy::duplicate_mod, reason = "each helper may be the only one")]
mod listen;

use std::{collections::HashMap, io, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
    serve::Listener,
};
use cloakroom::{Error, Session, SessionConfig, SessionLayer, SessionManager, store::Store};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::{Notify, Semaphore, mpsc},
};

/// A site whose handlers do to the session what their path says.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) manager: SessionManager,
    connect: mpsc::UnboundedSender<DuplexStream>,
    gates: Gates,
}

/// Where slow handlers wait, after they have opened their session.
#[derive(Clone, Default)]
pub(crate) struct Gates(Arc<Gate>);

pub(crate) struct Gate {
    /// A permit for each handler that waits.
    waiting: Semaphore,
    open: Notify,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            waiting: Semaphore::new(0),
            open: Notify::new(),
        }
    }
}

impl Gates {
    async fn wait(&self) {
        let opened = self.0.open.notified();
        tokio::pin!(opened);
        opened.as_mut().enable();
        self.0.waiting.add_permits(1);
        opened.await;
    }

    /// Waits until so many handlers wait.
    pub(crate) async fn reached(&self, handlers: u32) {
        self.0
            .waiting
            .acquire_many(handlers)
            .await
            .unwrap()
            .forget();
    }

    /// Lets all of them go on.
    pub(crate) fn open(&self) {
        self.0.open.notify_waiters();
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(header, _)| header == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// What the browser's cookie is after this answer: as before, another one, or none.
    pub(crate) fn cookie_after(&self, before: &str) -> String {
        match self.header("set-cookie")[..] {
            [] => before.to_owned(),
            [one] if one.contains("Max-Age=0") => String::new(),
            [one] => one.split(';').next().unwrap().to_owned(),
            _ => panic!("more than one cookie"),
        }
    }
}

impl Site {
    pub(crate) fn new(store: impl Into<Store>, config: SessionConfig) -> Self {
        let config = config.key_prefix(format!("{}:", servers::unique("s")));
        Self::of(SessionManager::stored(store, config).unwrap())
    }

    pub(crate) fn of(manager: SessionManager) -> Self {
        listen::listen();
        let gates = Gates::default();
        let router = routes()
            .with_state(gates.clone())
            .layer(SessionLayer::new(manager.clone()));
        let (connect, connections) = mpsc::unbounded_channel();
        tokio::spawn(async move { axum::serve(Pipes(connections), router).await });
        Self {
            manager,
            connect,
            gates,
        }
    }

    pub(crate) fn gates(&self) -> &Gates {
        &self.gates
    }

    /// Sends a GET; `cookie` is the whole header, or empty for none.
    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        let mut pipe = self.send(path, cookie).await;
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).await.unwrap();
        parse(&String::from_utf8(bytes).unwrap())
    }

    /// Sends a GET and hands out the connection: dropped, the visitor has gone away.
    pub(crate) async fn send(&self, path: &str, cookie: &str) -> DuplexStream {
        let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
        self.connect.send(theirs).unwrap();
        let cookie = match cookie {
            "" => String::new(),
            cookie => format!("cookie: {cookie}\r\n"),
        };
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{cookie}\r\n");
        ours.write_all(request.as_bytes()).await.unwrap();
        ours
    }

    /// The cookie of a new session that holds `user`.
    pub(crate) async fn login(&self) -> String {
        let answer = self.get("/set/user", "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.cookie_after("")
    }

    /// What the session of this cookie holds.
    pub(crate) async fn holds(&self, cookie: &str) -> HashMap<String, u64> {
        let answer = self.get("/read", cookie).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let pairs = answer.body.split_whitespace();
        pairs
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(key, value)| (key.to_owned(), value.parse().unwrap()))
            .collect()
    }
}

fn routes() -> Router<Gates> {
    Router::new()
        .route("/nothing", get(async || "nothing"))
        .route("/read", get(read))
        .route("/count", get(count))
        .route("/set/{key}", get(set))
        .route("/logout", get(logout))
        .route("/regenerate", get(regenerate))
        .route("/slow/read", get(slow_read))
        .route("/slow/count", get(slow_count))
        .route("/slow/set/{key}", get(slow_set))
        .route("/slow/logout", get(slow_logout))
        .route("/slow/regenerate", get(slow_regenerate))
}

async fn read(session: Session) -> Result<String, Error> {
    let mut pairs = Vec::new();
    for key in session.keys() {
        if let Ok(Some(number)) = session.get::<u64>(key.clone()) {
            pairs.push(format!("{key}={number}"));
        }
    }
    Ok(pairs.join(" "))
}

async fn count(session: Session) -> Result<String, Error> {
    let n = session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    Ok(n.to_string())
}

async fn set(session: Session, Path(key): Path<String>) -> Result<StatusCode, Error> {
    session.insert(key, 1)?;
    Ok(StatusCode::OK)
}

async fn logout(session: Session) {
    session.clear();
}

async fn regenerate(session: Session) -> Result<(), Error> {
    session.regenerate();
    session.insert("regenerated", 1)
}

async fn slow_read(State(gates): State<Gates>, session: Session) -> Result<String, Error> {
    gates.wait().await;
    read(session).await
}

async fn slow_count(State(gates): State<Gates>, session: Session) -> Result<String, Error> {
    gates.wait().await;
    count(session).await
}

async fn slow_set(
    State(gates): State<Gates>,
    session: Session,
    path: Path<String>,
) -> Result<StatusCode, Error> {
    gates.wait().await;
    set(session, path).await
}

async fn slow_logout(State(gates): State<Gates>, session: Session) {
    gates.wait().await;
    logout(session).await;
}

async fn slow_regenerate(State(gates): State<Gates>, session: Session) -> Result<(), Error> {
    gates.wait().await;
    regenerate(session).await
}

/// Connections that are handed over instead of accepted.
struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Pipes {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(pipe) => (pipe, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole answer");
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Answer {
        status: status.parse().unwrap(),
        headers: headers.collect(),
        body: body.to_owned(),
    }
}
