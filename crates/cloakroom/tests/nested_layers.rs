//! A request that goes through several session layers.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use cloakroom::{
    Clock, Error, OutagePolicy, SecretKey, Session, SessionConfig, SessionLayer, SessionManager,
    store::{MemoryStore, Store},
};
use faulty::{ALL, Fault, Faulty};
use http::header;
use recording::{Calls, Recording};
use tower::ServiceExt;

#[path = "support/faulty.rs"]
mod faulty;
#[path = "support/recording.rs"]
mod recording;

const HOUR: std::time::Duration = std::time::Duration::from_secs(60 * 60);

/// A middleware that counts before the handler and after it.
async fn counting(session: Session, request: Request, next: Next) -> Result<Response, Error> {
    let add = || session.update("middleware", |n: Option<u64>| n.unwrap_or(0) + 1);
    add()?;
    let response = next.run(request).await;
    add()?;
    Ok(response)
}

/// A middleware that only looks.
async fn looking(session: Session, request: Request, next: Next) -> Response {
    session.subject();
    next.run(request).await
}

/// A middleware that takes an error as it comes.
async fn indifferent(session: Result<Session, Error>, request: Request, next: Next) -> Response {
    drop(session);
    next.run(request).await
}

async fn set(session: Session) -> Result<(), Error> {
    session.insert("handler", 1)
}

async fn show(session: Session) -> String {
    let text = |key| session.get::<u64>(key).unwrap_or_default();
    format!(
        "{:?} {:?} unknown={}",
        text("middleware"),
        text("handler"),
        session.is_unknown()
    )
}

fn routes() -> Router {
    Router::new()
        .route("/set", get(set))
        .route("/show", get(show))
        .route("/nothing", get(async || "nothing"))
}

fn store(config: SessionConfig) -> (SessionLayer, Calls, Clock) {
    let clock = Clock::manual(1_800_000_000);
    let memory = Arc::new(MemoryStore::new().clock(clock.clone()));
    let (recording, calls) = Recording::new(memory);
    let manager = SessionManager::stored(recording, config.clock(clock.clone())).unwrap();
    (SessionLayer::new(manager), calls, clock)
}

async fn send(router: &Router, path: &str, cookie: &str) -> Response {
    let request = Request::get(path).header(header::COOKIE, cookie);
    let request = request.body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

fn cookies(response: &Response) -> Vec<String> {
    let values = response.headers().get_all(header::SET_COOKIE).iter();
    let first = |text: &str| text.split(';').next().unwrap().to_owned();
    values.map(|value| first(value.to_str().unwrap())).collect()
}

async fn body(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await;
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

/// The middleware and the handler have the same session, and what the middleware does on the way out counts.
#[tokio::test]
async fn a_request_has_one_session_in_all_layers() {
    for config in [SessionConfig::default(), SessionConfig::flask()] {
        let (sessions, calls, _) = store(config);
        let router = routes()
            .layer(sessions.clone())
            .layer(from_fn(counting))
            .layer(sessions.clone())
            .layer(sessions);
        let response = send(&router, "/set", "").await;
        let cookies = cookies(&response);
        assert_eq!(cookies.len(), 1, "{cookies:?}");
        assert_eq!(calls.kinds(), ["create"]);
        let shown = body(send(&router, "/show", &cookies[0]).await).await;
        assert_eq!(shown, "Some(3) Some(1) unknown=false");
        assert_eq!(calls.kinds(), ["load", "replace"]);
    }
}

#[tokio::test]
async fn a_session_in_the_cookie_is_one_in_all_layers() {
    let key = SecretKey::new("a key of this test alone").unwrap();
    let sessions = SessionLayer::signed(key);
    let router = routes()
        .layer(sessions.clone())
        .layer(from_fn(counting))
        .layer(sessions);
    let response = send(&router, "/set", "").await;
    let cookies = cookies(&response);
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    assert_eq!(response.headers().get_all(header::VARY).iter().count(), 1);
    let shown = body(send(&router, "/show", &cookies[0]).await).await;
    assert_eq!(shown, "Some(3) Some(1) unknown=false");
}

/// Also where the handler leaves its session alone and a middleware has opened it.
#[tokio::test]
async fn an_inner_layer_says_what_is_no_activity() {
    let (sessions, calls, clock) = store(SessionConfig::default().lifetime(HOUR));
    let visitor = cookies(&send(&routes().layer(sessions.clone()), "/set", "").await);
    let poll = routes()
        .layer(sessions.clone().without_activity())
        .layer(from_fn(looking))
        .layer(sessions.clone());
    let usual = routes().layer(from_fn(looking)).layer(sessions);
    clock.advance(HOUR / 2);
    calls.take();
    for path in ["/show", "/nothing"] {
        let response = send(&poll, path, &visitor[0]).await;
        assert_eq!(response.status(), 200);
        assert_eq!(calls.kinds(), ["load"], "{path}");
    }
    send(&usual, "/nothing", &visitor[0]).await;
    assert_eq!(calls.kinds(), ["load", "touch"]);
}

/// Flask's habit to renew what nobody looked at: once, and not where it is no activity.
#[tokio::test]
async fn an_untouched_session_is_refreshed_once() {
    let (sessions, calls, clock) = store(SessionConfig::flask().lifetime(HOUR));
    let visitor = cookies(&send(&routes().layer(sessions.clone()), "/set", "").await);
    let twice = routes().layer(sessions.clone()).layer(sessions.clone());
    let poll = routes()
        .layer(sessions.clone().without_activity())
        .layer(sessions);
    clock.advance(HOUR / 2);
    calls.take();
    let response = send(&poll, "/nothing", &visitor[0]).await;
    assert_eq!(cookies(&response), [""; 0]);
    assert_eq!(calls.kinds(), [""; 0]);
    let response = send(&twice, "/nothing", &visitor[0]).await;
    assert_eq!(cookies(&response).len(), 1);
    assert_eq!(calls.kinds(), ["load", "touch"]);
}

/// What the inner layer says about outages holds for its routes, whoever asked for the session before.
#[tokio::test]
async fn an_inner_layer_says_what_happens_in_an_outage() {
    let driver = Faulty::new(Clock::system());
    let store = Store::new(driver.clone()).without_breaker();
    let manager = SessionManager::stored(store, SessionConfig::default()).unwrap();
    let sessions = SessionLayer::new(manager);
    let strict = sessions.clone().on_outage(OutagePolicy::Require);
    let lax = sessions.clone().on_outage(OutagePolicy::Degrade);
    let around = |inner: &SessionLayer, outer: &SessionLayer| {
        routes()
            .layer(inner.clone())
            .layer(from_fn(indifferent))
            .layer(outer.clone())
    };
    let visitor = cookies(&send(&routes().layer(sessions.clone()), "/set", "").await);
    driver.set(Fault::Unreachable, ALL);
    for (inner, outer, expected) in [
        (&strict, &lax, 503),
        (&lax, &strict, 200),
        // One that says nothing is as the one around it.
        (&sessions, &lax, 200),
        (&sessions, &strict, 503),
        (&sessions, &sessions, 503),
    ] {
        let response = send(&around(inner, outer), "/show", &visitor[0]).await;
        assert_eq!(response.status(), expected);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(cookies(&response), [""; 0]);
        assert_eq!(driver.calls(), ["load"], "asked once by all");
        if expected == 200 {
            assert_eq!(body(response).await, "None None unknown=true");
        }
    }
}

/// A manager each, a cookie each.
#[tokio::test]
async fn layers_of_two_managers_have_nothing_to_do_with_each_other() {
    let key = || SecretKey::new("a key of this test alone").unwrap();
    let named = |name: &str| {
        let config = SessionConfig::default().cookie_name(name);
        SessionLayer::signed_with(key(), config).unwrap()
    };
    let router = routes()
        .layer(named("inner"))
        .layer(from_fn(counting))
        .layer(named("outer"));
    let response = send(&router, "/set", "").await;
    let mut cookies = cookies(&response);
    cookies.sort();
    assert_eq!(cookies.len(), 2);
    assert!(cookies[0].starts_with("inner=") && cookies[1].starts_with("outer="));
    let shown = send(&router, "/show", &cookies.join("; ")).await;
    assert_eq!(body(shown).await, "None Some(1) unknown=false");
}
