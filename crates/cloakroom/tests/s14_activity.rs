//! S14: requests that a page makes by itself are no activity: they keep no session alive, in the cookie or in a store.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, routing::get};
use cloakroom::{
    Clock, Error, Refresh, SecretKey, Session, SessionConfig, SessionLayer, SessionManager, User,
    store::{MemoryStore, Store},
    testing::Browser,
};
use http::{HeaderMap, Request, StatusCode, header};
use recording::{Calls, Recording};
use tower::ServiceExt;

#[path = "support/recording.rs"]
mod recording;

const START: u64 = 1_800_000_000;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn login(session: Session) -> Result<(), Error> {
    session.set_permanent(true);
    session.login("ann")
}

async fn user(user: User) -> String {
    user.id().to_owned()
}

async fn save(session: Session) -> Result<(), Error> {
    session.save().await
}

async fn count(session: Session) -> Result<(), Error> {
    session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    Ok(())
}

async fn set(session: Session) -> Result<(), Error> {
    session.insert("n", 1)
}

/// A page whose polling shows in the request.
async fn either(session: Session, headers: HeaderMap) -> String {
    if headers.contains_key("x-polled") {
        session.without_activity();
    }
    session.subject().unwrap_or_default()
}

fn routes() -> Router {
    Router::new()
        .route("/nothing", get(async || "nothing"))
        .route("/login", get(login))
        .route("/user", get(user))
        .route("/save", get(save))
        .route("/count", get(count))
        .route("/set", get(set))
        .route("/either", get(either))
}

struct Site {
    room: &'static str,
    router: Router,
    clock: Clock,
    browser: Browser,
    calls: Calls,
}

impl Site {
    /// One with sessions in the cookie and one with a store; below `/poll` nothing is an activity.
    fn both(config: &SessionConfig) -> [Self; 2] {
        let key = SecretKey::new("a key of this test alone").unwrap();
        let with = |room, clock: Clock, manager: SessionManager, calls| {
            let sessions = SessionLayer::new(manager);
            let polled = routes().layer(sessions.clone().without_activity());
            Self {
                room,
                router: routes().layer(sessions).nest("/poll", polled),
                clock,
                browser: Browser::new(),
                calls,
            }
        };
        let clock = Clock::manual(START);
        let signed = SessionManager::signed(key, config.clone().clock(clock.clone())).unwrap();
        let cookie = with("cookie", clock, signed, Calls::default());
        let clock = Clock::manual(START);
        let store = Arc::new(MemoryStore::new().clock(clock.clone()));
        let (recording, calls) = Recording::new(store);
        let stored = SessionManager::stored(recording, config.clone().clock(clock.clone()));
        [cookie, with("store", clock, stored.unwrap(), calls)]
    }

    /// The status, and whether the session was written or renewed anywhere.
    async fn get(&mut self, path: &str) -> (StatusCode, bool) {
        self.get_with(path, "x-nothing").await
    }

    async fn get_with(&mut self, path: &str, name: &str) -> (StatusCode, bool) {
        self.calls.take();
        let request = Request::get(path).header(name, "1");
        let request = self.browser.request(request.body(Body::empty()).unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        self.browser.store(&response);
        let cookie = response.headers().contains_key(header::SET_COOKIE);
        let written = self.calls.kinds().iter().any(|kind| *kind != "load");
        (response.status(), cookie || written)
    }
}

const OK: StatusCode = StatusCode::OK;

#[tokio::test]
async fn s14_polling_keeps_no_session_alive() {
    for refresh in [
        Refresh::After(HOUR),
        Refresh::After(Duration::ZERO),
        Refresh::EachRequest,
    ] {
        let config = SessionConfig::default().lifetime(HOUR).refresh(refresh);
        for mut site in Site::both(&config) {
            let about = format!("{} {refresh:?}", site.room);
            assert_eq!(site.get("/login").await, (OK, true), "{about}");
            // Every five minutes the page asks for news, and nobody is there.
            for _ in 0..11 {
                site.clock.advance(5 * MINUTE);
                for path in ["/poll/user", "/poll/save", "/poll/nothing"] {
                    assert_eq!(site.get(path).await, (OK, false), "{about} {path}");
                }
            }
            site.clock.advance(5 * MINUTE + Duration::from_secs(1));
            let (status, _) = site.get("/poll/user").await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{about}");
        }
    }
}

#[tokio::test]
async fn s14_a_visitor_beside_the_polling_keeps_the_session_alive() {
    let config = SessionConfig::default().lifetime(HOUR);
    for mut site in Site::both(&config) {
        site.get("/login").await;
        for _ in 0..10 {
            site.clock.advance(30 * MINUTE);
            assert_eq!(site.get("/poll/user").await, (OK, false), "{}", site.room);
            assert_eq!(site.get("/user").await, (OK, true), "{}", site.room);
        }
    }
}

/// What polling brings may be written down, and then somebody has to have done something.
#[tokio::test]
async fn s14_a_change_counts_wherever_it_is_made() {
    let config = SessionConfig::default().lifetime(HOUR);
    for mut site in Site::both(&config) {
        site.get("/login").await;
        for _ in 0..4 {
            site.clock.advance(40 * MINUTE);
            assert_eq!(site.get("/poll/count").await, (OK, true), "{}", site.room);
        }
        assert_eq!(site.get("/user").await.0, OK, "{}", site.room);
        // The same again is no change.
        site.get("/poll/set").await;
        site.clock.advance(40 * MINUTE);
        assert_eq!(site.get("/poll/set").await, (OK, false), "{}", site.room);
    }
}

#[tokio::test]
async fn s14_a_handler_says_it_of_one_request() {
    let config = SessionConfig::default().lifetime(HOUR);
    for mut site in Site::both(&config) {
        site.get("/login").await;
        site.clock.advance(40 * MINUTE);
        let polled = site.get_with("/either", "x-polled").await;
        assert_eq!(polled, (OK, false), "{}", site.room);
        assert_eq!(site.get("/either").await, (OK, true), "{}", site.room);
    }
}

/// A session that does not say yet when it began is not rewritten by polling either.
#[tokio::test]
async fn s14_polling_stamps_nothing() {
    let before = SessionConfig::default().lifetime(HOUR);
    let after = before.clone().absolute_lifetime(24 * HOUR);
    let [mut old, _] = Site::both(&before);
    let [mut new, _] = Site::both(&after);
    old.get("/set").await;
    new.browser = old.browser.clone();
    assert_eq!(new.get("/poll/save").await, (OK, false));
    assert_eq!(new.get("/save").await, (OK, true));

    let memory = Arc::new(MemoryStore::new());
    let (recording, calls) = Recording::new(memory);
    let store = Store::new(recording);
    let old = SessionManager::stored(store.clone(), before).unwrap();
    let new = SessionManager::stored(store, after).unwrap();
    let mut browser = Browser::new();
    browser
        .session(&old, |session| session.insert("n", 1))
        .await
        .unwrap()
        .unwrap();
    calls.take();
    let request = browser.request(Request::new(()));
    for (polled, expected) in [(true, vec!["load"]), (false, vec!["load", "replace"])] {
        let session = new.open(request.headers()).await.unwrap();
        if polled {
            session.without_activity();
        }
        new.close(&session, &mut HeaderMap::new()).await.unwrap();
        assert_eq!(calls.kinds(), expected);
    }
}
