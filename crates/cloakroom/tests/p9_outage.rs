//! P9: a store that is down logs nobody out. What the visitor sees meanwhile, and that nothing is lost.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use cloakroom::{
    Clock, Error, Layout, Session, SessionConfig, SessionLayer, SessionManager, store::Store,
};
use faulty::{ALL, Fault, Faulty};
use http::{Request, Response, StatusCode, header};
use layouts::each_layout;
use tower::ServiceExt;

#[path = "support/faulty.rs"]
mod faulty;
#[path = "support/layouts.rs"]
mod layouts;

each_layout!(
    p9_a_store_that_refuses_is_a_500_and_the_cookie_stays,
    p9_a_handler_that_swallows_the_error_overwrites_nothing,
    p9_a_request_that_could_not_load_never_writes,
    p9_a_commit_whose_answer_is_lost_is_not_claimed,
    p9_the_service_recovers_with_the_store,
);
each_layout!(
    paused;
    p9_a_store_that_is_down_is_a_503_and_the_cookie_stays,
    p9_a_newcomer_who_cannot_be_kept_gets_no_cookie,
    p9_a_commit_that_fails_takes_the_place_of_the_answer,
    p9_a_renewal_that_fails_leaves_the_answer_as_it_is,
    p9_a_store_that_hangs_costs_its_time_limit_and_no_more,
    p9_a_login_that_fails_half_way_leaves_the_visitor_a_session,
);

async fn read(session: Session) -> Result<String, Error> {
    Ok(session.get::<u64>("n")?.unwrap_or(0).to_string())
}

async fn count(session: Session) -> Result<String, Error> {
    let n = session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    Ok(format!("stored {n}"))
}

async fn login(session: Session) -> Result<(), Error> {
    session.regenerate();
    session.insert("user", "ann")
}

async fn logout(session: Session) {
    session.clear();
}

/// A handler that goes on without a session when it gets none.
async fn careless(session: Result<Session, Error>) -> Result<&'static str, Error> {
    match session {
        Ok(session) => session.insert("n", 1000).map(|()| "with a session"),
        Err(_) => Ok("without a session"),
    }
}

/// A handler that asks again and again.
async fn stubborn(request: Request<Body>) -> &'static str {
    for _ in 0..3 {
        if let Ok(session) = Session::open(request.headers(), request.extensions()).await {
            session.clear();
        }
    }
    "whatever"
}

async fn saves(session: Session) -> Result<&'static str, Error> {
    session.insert("n", 5)?;
    match session.save().await {
        Ok(()) => Ok("saved"),
        Err(error) => Err(error),
    }
}

struct Site {
    router: Router,
    store: Faulty,
}

struct Answer {
    status: u16,
    retry_after: Option<String>,
    cookies: Vec<String>,
    body: String,
}

impl Site {
    fn new(config: SessionConfig) -> Self {
        Self::at(Clock::system(), config)
    }

    fn at(clock: Clock, config: SessionConfig) -> Self {
        let store = Faulty::new(clock.clone());
        let config = config.clock(clock);
        // What every single call does is asked here; that most are spared is another promise.
        let asked_always = Store::new(store.clone()).without_breaker();
        let manager = SessionManager::stored(asked_always, config).unwrap();
        let routes = Router::new()
            .route("/nothing", get(async || "nothing"))
            .route("/read", get(read))
            .route("/count", get(count))
            .route("/login", get(login))
            .route("/logout", get(logout))
            .route("/careless", get(careless))
            .route("/stubborn", get(stubborn))
            .route("/saves", get(saves));
        Self {
            router: routes.layer(SessionLayer::new(manager)),
            store,
        }
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, cookie);
        let request = request.body(Body::empty()).unwrap();
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let texts = |name| {
            let values = response.headers().get_all(name).iter();
            values
                .map(|value| value.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let (cookies, retry_after) = (texts(header::SET_COOKIE), texts(header::RETRY_AFTER));
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        Answer {
            status,
            retry_after: retry_after.first().cloned(),
            cookies,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// The cookie of a visitor who has counted once.
    async fn visitor(&self) -> String {
        cookie(&self.get("/count", "").await)
    }

    /// Nothing of the visitor's session has been lost or changed.
    async fn is_as_before(&self, cookie: &str) {
        self.store.set(Fault::None, ALL);
        let answer = self.get("/read", cookie).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "1"));
    }
}

fn cookie(answer: &Answer) -> String {
    assert_eq!(answer.status, 200);
    answer.cookies[0].split(';').next().unwrap().to_owned()
}

/// 503, when to come back, and nothing about cookies.
fn assert_come_back(answer: &Answer, about: &str) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{about}");
    assert_eq!(answer.retry_after.as_deref(), Some("2"), "{about}");
    assert!(answer.cookies.is_empty(), "{about}: {:?}", answer.cookies);
}

async fn p9_a_store_that_is_down_is_a_503_and_the_cookie_stays(layout: Layout) {
    for config in [SessionConfig::default(), SessionConfig::flask()] {
        let site = Site::new(config.layout(layout));
        let visitor = site.visitor().await;
        for fault in [Fault::Unreachable, Fault::Hangs] {
            for path in ["/read", "/count", "/login", "/logout", "/saves"] {
                site.store.set(fault, ALL);
                let answer = site.get(path, &visitor).await;
                assert_come_back(&answer, path);
                assert_eq!(site.store.calls(), ["load"], "{path} asks once");
            }
            // Who does not look at the session does not notice.
            assert_eq!(site.get("/nothing", &visitor).await.status, 200);
            site.is_as_before(&visitor).await;
        }
    }
}

async fn p9_a_store_that_refuses_is_a_500_and_the_cookie_stays(layout: Layout) {
    let site = Site::new(SessionConfig::default().layout(layout));
    let visitor = site.visitor().await;
    for method in ["load", "replace"] {
        site.store.set(Fault::Refuses, method);
        let answer = site.get("/count", &visitor).await;
        assert_eq!((answer.status, answer.cookies.len()), (500, 0));
        assert_eq!(answer.retry_after, None);
        assert!(!answer.body.contains("stored"));
        site.is_as_before(&visitor).await;
    }
}

async fn p9_a_newcomer_who_cannot_be_kept_gets_no_cookie(layout: Layout) {
    let site = Site::new(SessionConfig::default().layout(layout));
    for fault in [Fault::Unreachable, Fault::Hangs, Fault::Mute] {
        site.store.set(fault, ALL);
        let answer = site.get("/count", "").await;
        assert_come_back(&answer, "a newcomer");
        assert_eq!(site.store.calls(), ["create"]);
        // Who only reads needs no store.
        assert_eq!(site.get("/read", "").await.status, 200);
    }
}

async fn p9_a_handler_that_swallows_the_error_overwrites_nothing(layout: Layout) {
    let site = Site::new(SessionConfig::default().layout(layout));
    let visitor = site.visitor().await;
    for path in ["/careless", "/stubborn"] {
        site.store.set(Fault::Unreachable, ALL);
        let answer = site.get(path, &visitor).await;
        assert_eq!((answer.status, answer.cookies.len()), (200, 0), "{path}");
        assert_eq!(site.store.calls(), ["load"], "{path} asks once");
        site.is_as_before(&visitor).await;
    }
}

/// The store comes back while the handler is at work: its error stands all the same.
async fn p9_a_request_that_could_not_load_never_writes(layout: Layout) {
    let site = Site::new(SessionConfig::default().layout(layout));
    let visitor = site.visitor().await;
    site.store.set(Fault::Unreachable, "load");
    let answer = site.get("/careless", &visitor).await;
    assert_eq!(
        (answer.body.as_str(), answer.cookies.len()),
        ("without a session", 0)
    );
    assert_eq!(site.store.calls(), ["load"]);
    site.is_as_before(&visitor).await;
}

async fn p9_a_commit_that_fails_takes_the_place_of_the_answer(layout: Layout) {
    let site = Site::new(SessionConfig::default().layout(layout));
    let visitor = site.visitor().await;
    for fault in [Fault::Unreachable, Fault::Hangs] {
        for (path, method) in [
            ("/count", "replace"),
            ("/saves", "replace"),
            ("/logout", "delete"),
        ] {
            site.store.set(fault, method);
            let answer = site.get(path, &visitor).await;
            assert_come_back(&answer, path);
            assert!(!answer.body.contains("stored"), "{path}: {}", answer.body);
            site.is_as_before(&visitor).await;
        }
    }
}

/// Nobody knows whether it was stored, so nobody is told that it was; tried again, it counts on from there.
async fn p9_a_commit_whose_answer_is_lost_is_not_claimed(layout: Layout) {
    let site = Site::new(SessionConfig::default().layout(layout));
    let visitor = site.visitor().await;
    site.store.set(Fault::Mute, "replace");
    assert_come_back(&site.get("/count", &visitor).await, "count");
    site.store.set(Fault::None, ALL);
    assert_eq!(site.get("/count", &visitor).await.body, "stored 3");
    // A logout that was carried out and could not say so: the cookie stays, and opens nothing.
    site.store.set(Fault::Mute, "delete");
    assert_come_back(&site.get("/logout", &visitor).await, "logout");
    site.store.set(Fault::None, ALL);
    assert_eq!(site.get("/read", &visitor).await.body, "0");
}

async fn p9_a_renewal_that_fails_leaves_the_answer_as_it_is(layout: Layout) {
    for fault in [Fault::Unreachable, Fault::Hangs, Fault::Refuses] {
        let clock = Clock::manual(1_700_000_000);
        let site = Site::at(clock.clone(), SessionConfig::default().layout(layout));
        let visitor = site.visitor().await;
        clock.advance(Duration::from_secs(2 * 60 * 60));
        site.store.set(fault, "touch");
        let answer = site.get("/read", &visitor).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "1"),
            "{fault:?}"
        );
        assert!(answer.cookies.is_empty());
        assert_eq!(site.store.calls(), ["load", "touch"]);
        // The next request tries again.
        site.is_as_before(&visitor).await;
        assert_eq!(site.store.calls(), ["load", "touch"]);
    }
}

async fn p9_a_store_that_hangs_costs_its_time_limit_and_no_more(layout: Layout) {
    let site = Site::new(SessionConfig::default().layout(layout));
    let visitor = site.visitor().await;
    for method in ["load", "replace"] {
        site.store.set(Fault::Hangs, method);
        let began = tokio::time::Instant::now();
        assert_come_back(&site.get("/count", &visitor).await, method);
        let took = began.elapsed();
        assert!(took <= Duration::from_millis(2100), "{method}: {took:?}");
    }
    site.is_as_before(&visitor).await;
}

/// A login whose old entry cannot be removed: nobody knows which of the two entries lives on, so the browser gets the
/// id that certainly does.
async fn p9_a_login_that_fails_half_way_leaves_the_visitor_a_session(layout: Layout) {
    for fault in [
        Fault::Unreachable,
        Fault::Hangs,
        Fault::Mute,
        Fault::Refuses,
    ] {
        let site = Site::new(SessionConfig::default().layout(layout));
        let visitor = site.visitor().await;
        site.store.set(fault, "delete");
        let answer = site.get("/login", &visitor).await;
        let expected = if fault == Fault::Refuses { 500 } else { 503 };
        assert_eq!(answer.status, expected, "{fault:?}");
        let new = answer.cookies[0].split(';').next().unwrap();
        assert_ne!(new, visitor);
        site.is_as_before(new).await;
        // The new entry is the only one that could not be made: then nothing has happened.
        let site = Site::new(SessionConfig::default().layout(layout));
        let visitor = site.visitor().await;
        site.store.set(fault, "create");
        let answer = site.get("/login", &visitor).await;
        assert_eq!(
            (answer.status, answer.cookies.len()),
            (expected, 0),
            "{fault:?}"
        );
        site.is_as_before(&visitor).await;
    }
}

async fn p9_the_service_recovers_with_the_store(layout: Layout) {
    let site = Site::new(SessionConfig::default().layout(layout));
    let visitor = site.visitor().await;
    for round in 2..10_u64 {
        site.store.set(Fault::Unreachable, ALL);
        assert_come_back(&site.get("/count", &visitor).await, "down");
        site.store.set(Fault::None, ALL);
        assert_eq!(
            site.get("/count", &visitor).await.body,
            format!("stored {round}")
        );
    }
}
