//! P4 and P5 under every order of store calls that a scheduler comes up with: who is next is decided before and after
//! each call, so that calls of several requests fall between each other in all ways there are.
//!
//! The scheduler runs all requests on one thread; the library's own locks are never held across a call.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom::{
    Clock, Layout, SessionConfig, SessionManager, Value,
    store::{
        CreateError, Cursor, DeleteError, Driver, MemoryStore, Page, Record, ReplaceError,
        StoreError, TouchError,
    },
};
use http::{HeaderMap, header};
use shuttle::{
    Config, Runner,
    future::{block_on, spawn, yield_now},
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Increment,
    Set(&'static str),
    Logout,
    Regenerate,
    /// Reads, when a renewal is due.
    Touch,
}

const FLASK: Servers = Servers::Alike(Layout::Flask);

use Action::{Increment, Logout, Regenerate, Set, Touch};

const ACTIONS: [Action; 6] = [Increment, Set("a"), Set("b"), Logout, Regenerate, Touch];

/// A store in memory where any other request may come first, before and after each call.
struct Turns(Arc<MemoryStore>);

async fn between<T>(call: impl Future<Output = T>) -> T {
    yield_now().await;
    let answer = call.await;
    yield_now().await;
    answer
}

impl Driver for Turns {
    fn name(&self) -> &'static str {
        "turns"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        between(self.0.load(key)).await
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        between(self.0.create(key, value, ttl)).await
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        between(self.0.replace(key, base, value, ttl)).await
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        between(self.0.touch(key, ttl)).await
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        between(self.0.delete(key, expected, tombstone)).await
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.0.delete_expired(limit).await
    }

    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.0.list(prefix, from, limit).await
    }
}

/// The servers of a site.
#[derive(Clone, Copy, Debug)]
enum Servers {
    Alike(Layout),
    /// On the way from Flask's layout to this one: the first makes sessions in Flask's, the others in the new one.
    Changing(Layout),
}

impl Servers {
    /// The settings of the one that serves this request.
    fn config(self, request: usize) -> SessionConfig {
        let config = SessionConfig::default();
        match self {
            Self::Alike(layout) => config.layout(layout),
            Self::Changing(layout) if request == 0 => config.accept_layout(layout),
            Self::Changing(layout) => config.layout(layout).accept_layout(Layout::Flask),
        }
    }
}

/// What became of a request.
#[derive(Debug)]
struct Outcome {
    action: Action,
    /// Whether it found the session.
    found: bool,
    /// The cookie that its session has afterwards; none if the session is over.
    cookie: Option<String>,
    /// Under which key the store has that in the end.
    key: Option<String>,
    told: Option<String>,
}

async fn request(manager: SessionManager, cookie: String, action: Action) -> Outcome {
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, format!("session={cookie}").parse().unwrap());
    let session = manager.open(&headers).await.unwrap();
    let found = !session.is_new();
    match action {
        Increment => {
            session
                .update("n", |n: Option<u64>| n.unwrap_or(0) + 1)
                .unwrap();
        }
        Set(key) => session.insert(key, 1).unwrap(),
        Logout => session.clear(),
        Regenerate => session.regenerate(),
        Touch => assert!(session.get::<u64>("n").is_ok()),
    }
    let mut headers = HeaderMap::new();
    manager.close(&session, &mut headers).await.unwrap();
    let told = headers.get(header::SET_COOKIE);
    Outcome {
        action,
        found,
        cookie: manager.cookie_value(&session),
        key: None,
        told: told.map(|value| value.to_str().unwrap().to_owned()),
    }
}

/// The sessions there are, by their keys.
type Entries = BTreeMap<String, Value>;

/// The key of a cookie's session, which is put among the entries.
async fn find(manager: &SessionManager, cookie: &str, entries: &mut Entries) -> Option<String> {
    let session = manager.open_value(cookie).await.ok()?;
    let key = manager.store_key(&session).unwrap();
    entries.insert(key.clone(), Value::Dict(session.snapshot()));
    Some(key)
}

fn holds(session: &Value, key: &str) -> Option<i64> {
    session.as_dict().unwrap().get(key).and_then(Value::as_i64)
}

/// One schedule of these requests on a session that somebody is logged in to.
async fn race(servers: Servers, actions: &[Action]) {
    let clock = Clock::manual(1_700_000_000);
    let store = Arc::new(MemoryStore::new().clock(clock.clone()));
    let server = |request| {
        let config = servers.config(request).clock(clock.clone());
        SessionManager::stored(Turns(store.clone()), config).unwrap()
    };
    let manager = server(0);
    let session = manager.new_session();
    session.insert("user", 1).unwrap();
    session.save().await.unwrap();
    let first = manager.cookie_value(&session).unwrap();
    clock.advance(Duration::from_secs(2 * 60 * 60));

    let requests: Vec<_> = actions
        .iter()
        .enumerate()
        .map(|(place, action)| {
            let manager = match servers {
                Servers::Alike(_) => manager.clone(),
                Servers::Changing(_) => server(place),
            };
            spawn(request(manager, first.clone(), *action))
        })
        .collect();
    let mut outcomes = Vec::new();
    for request in requests {
        outcomes.push(request.await.unwrap());
    }
    let mut entries = Entries::new();
    for outcome in &mut outcomes {
        if let Some(cookie) = &outcome.cookie {
            outcome.key = find(&manager, cookie, &mut entries).await;
        }
    }
    let first_key = find(&manager, &first, &mut entries).await;
    // Each entry is one that somebody has the cookie of.
    let listed = store.list("", None, 100).await.unwrap().entries;
    assert_eq!(listed.len(), entries.len(), "an entry without a visitor");
    check(servers, first_key.as_ref(), &outcomes, &entries);
}

fn check(servers: Servers, first: Option<&String>, outcomes: &[Outcome], entries: &Entries) {
    let logged_in: Vec<_> = entries
        .iter()
        .filter(|(_, session)| holds(session, "user").is_some())
        .collect();
    let loggedout = outcomes.iter().any(|one| one.action == Logout && one.found);
    let moved: Vec<Option<&String>> = outcomes
        .iter()
        .filter(|one| one.action == Regenerate && one.found && one.cookie.is_some())
        .map(|one| one.key.as_ref())
        .collect();
    assert!(moved.len() <= 1, "two sessions of one: {outcomes:?}");
    match (loggedout, &moved[..]) {
        // P5: over is over, for everyone who has the id.
        (true, []) => assert!(logged_in.is_empty(), "a session came back: {outcomes:?}"),
        // The session had moved when its old id was logged out, or it is over.
        (true, [id]) => assert!(
            logged_in.iter().all(|(live, _)| Some(*live) == *id),
            "a session came back: {outcomes:?}"
        ),
        (false, _) => assert_eq!(logged_in.len(), 1, "{outcomes:?}"),
        _ => unreachable!(),
    }
    // Nobody's session is over that nobody has ended or given another id.
    let ended = |one: &&Outcome| one.found && one.cookie.is_none();
    if !loggedout && moved.is_empty() {
        assert_eq!(outcomes.iter().filter(ended).count(), 0, "{outcomes:?}");
    }
    if loggedout || !moved.is_empty() {
        assert_eq!(first, None, "the old id lives: {outcomes:?}");
    }
    for outcome in outcomes {
        // Only a logout removes the cookie, and only a new id is told.
        match (&outcome.told, outcome.action) {
            (None, _) => {}
            (Some(told), Logout) => assert!(told.contains("Max-Age=0"), "{outcomes:?}"),
            (Some(told), action) => {
                let cookie = outcome.cookie.as_ref().unwrap();
                assert!(
                    told.starts_with(&format!("session={cookie};")),
                    "{outcomes:?}"
                );
                let is_ticket = || cookie.contains('.');
                let expected = match servers {
                    Servers::Alike(_) => action == Regenerate,
                    Servers::Changing(_) => action == Regenerate || is_ticket(),
                };
                assert!(expected || !outcome.found, "{outcomes:?}");
            }
        }
    }
    // P4: what a request has done to the session that is there now is there, and nothing else.
    if let [(live, session)] = &logged_in[..] {
        let done = |action: Action| {
            let counts =
                move |one: &&Outcome| one.found && one.action == action && one.cookie.is_some();
            outcomes.iter().filter(counts).count()
        };
        let increments = i64::try_from(done(Increment)).unwrap();
        assert_eq!(
            holds(session, "n").unwrap_or(0),
            increments,
            "an update is lost: {outcomes:?}"
        );
        for key in ["a", "b"] {
            assert_eq!(
                holds(session, key).is_some(),
                done(Set(key)) > 0,
                "{key}: {outcomes:?}"
            );
        }
        let live = Some(*live);
        assert!(live == first || moved.contains(&live), "{outcomes:?}");
    }
}

/// Explores schedules of the requests.
fn explore(scheduler: impl Scheduler + 'static, servers: Servers, actions: Vec<Action>) {
    let mut config = Config::new();
    // Requests in a debug build need more than the usual 32 KiB.
    config.stack_size = 512 * 1024;
    config.failure_persistence = shuttle::FailurePersistence::None;
    Runner::new(scheduler, config).run(move || block_on(race(servers, &actions)));
}

/// All ways to choose so many requests, in which order does not matter.
fn choices(requests: usize) -> Vec<Vec<Action>> {
    fn extend(from: usize, left: usize, chosen: &mut Vec<Action>, all: &mut Vec<Vec<Action>>) {
        if left == 0 {
            all.push(chosen.clone());
            return;
        }
        for (place, action) in ACTIONS.into_iter().enumerate().skip(from) {
            chosen.push(action);
            extend(place, left - 1, chosen, all);
            chosen.pop();
        }
    }
    let mut all = Vec::new();
    extend(0, requests, &mut Vec::new(), &mut all);
    all
}

/// The library's time limits need a clock, which never moves here: nothing takes any time.
fn clock() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

#[test]
fn p4_p5_any_two_or_three_requests_in_any_order() {
    let runtime = clock();
    let _entered = runtime.enter();
    for actions in choices(2) {
        explore(RandomScheduler::new(100), FLASK, actions.clone());
        explore(PctScheduler::new(3, 50), FLASK, actions);
    }
    for actions in choices(3) {
        explore(RandomScheduler::new(60), FLASK, actions.clone());
        explore(PctScheduler::new(3, 30), FLASK, actions);
    }
}

#[test]
fn p4_p5_any_four_requests_in_any_order() {
    let runtime = clock();
    let _entered = runtime.enter();
    for actions in choices(4) {
        explore(RandomScheduler::new(30), FLASK, actions.clone());
        explore(PctScheduler::new(4, 15), FLASK, actions);
    }
}

#[test]
fn p4_p5_any_two_or_three_requests_in_a_native_layout() {
    let runtime = clock();
    let _entered = runtime.enter();
    for layout in [Layout::Native, Layout::Sealed].map(Servers::Alike) {
        for actions in choices(2) {
            explore(RandomScheduler::new(40), layout, actions.clone());
            explore(PctScheduler::new(3, 20), layout, actions);
        }
        for actions in choices(3) {
            explore(RandomScheduler::new(6), layout, actions.clone());
            explore(PctScheduler::new(3, 4), layout, actions);
        }
    }
}

/// The first request is served by one that knows of the change, the others by servers that have made it: each of two
/// requests has to be the first one once.
#[test]
fn p4_p5_any_two_or_three_requests_during_a_change_of_layout() {
    let runtime = clock();
    let _entered = runtime.enter();
    let changing = Servers::Changing(Layout::Native);
    for first in ACTIONS {
        for others in choices(1).into_iter().chain(choices(2)) {
            let few = others.len() == 1;
            let actions = [vec![first], others].concat();
            let (random, pct) = if few { (150, 100) } else { (20, 15) };
            explore(RandomScheduler::new(random), changing, actions.clone());
            explore(PctScheduler::new(3, pct), changing, actions);
        }
    }
}
