//! P6: a request that does not touch its session costs no parse, no verification, no header, and at
//! most two allocations more than a layer that does nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};
use support::now::SessionNow;

use axum::{Router, body::Body, routing::get};
use cloakroom::{Session, SessionConfig, SessionLayer};
use http::{Request, header};
use support::app::{App, header as values, key};
use tower::{Layer, Service, ServiceExt};

/// A layer that does nothing.
#[derive(Clone)]
struct Nothing;

#[derive(Clone)]
struct NothingService<S>(S);

impl<S> Layer<S> for Nothing {
    type Service = NothingService<S>;

    fn layer(&self, inner: S) -> NothingService<S> {
        NothingService(inner)
    }
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for NothingService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(request)
    }
}

fn routes() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// How often a request allocates, from the router to the response's headers.
fn count(router: &Router, cookie: Option<&str>) -> u64 {
    let mut counted = 0;
    // The first requests may fill caches.
    for _ in 0..5 {
        let mut request = Request::get("/");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let (router, request) = (router.clone(), request.body(Body::empty()).unwrap());
        let info = allocation_counter::measure(|| {
            let mut response = pin!(router.oneshot(request));
            let mut context = Context::from_waker(Waker::noop());
            // Nothing in this application waits for anything.
            assert!(matches!(
                response.as_mut().poll(&mut context),
                Poll::Ready(Ok(_))
            ));
        });
        counted = info.count_total;
    }
    counted
}

#[test]
fn p6_an_untouched_request_adds_at_most_two_allocations() {
    let manager_cookie = {
        let app = App::new(routes(), SessionConfig::default());
        let session = app.manager.new_session();
        session.insert("username", "alice").unwrap();
        format!("session={}", app.manager.cookie_value(&session).unwrap())
    };
    // As `axum::serve` has it: with its state, so that layers are applied once and not for each request.
    let bare: Router = routes().with_state(());
    let nothing: Router = routes().layer(Nothing).with_state(());
    let ours: Router = routes().layer(SessionLayer::signed(key())).with_state(());
    for cookie in [None, Some(manager_cookie.as_str())] {
        let (bare, nothing, ours) = (
            count(&bare, cookie),
            count(&nothing, cookie),
            count(&ours, cookie),
        );
        println!(
            "allocations: bare {bare}, a layer that does nothing {nothing}, session layer {ours}"
        );
        assert!(
            ours <= nothing + 2,
            "{ours} allocations, a layer that does nothing has {nothing}"
        );
    }
}

#[tokio::test]
async fn p6_an_untouched_request_gets_no_header() {
    let mut app = App::new(routes(), SessionConfig::default());
    let mut plain = App::new(Router::new(), SessionConfig::default());
    plain.router = routes();
    for cookie in [
        None,
        Some("session=nonsense"),
        Some("session=\"un=ter;minated"),
    ] {
        if let Some(cookie) = cookie {
            app.browser
                .set_cookie("session", cookie.trim_start_matches("session="));
        }
        let (ours, bare) = (app.get("/").await, plain.get("/").await);
        assert_eq!(ours.headers(), bare.headers());
    }
}

#[tokio::test]
async fn p6_an_untouched_request_verifies_and_parses_nothing() {
    // Opening is where all of that happens, and only an extractor opens: a slot that nobody opened
    // leaves no trace, even for a cookie that would be refused with a line in the log.
    async fn peek(session: Option<Session>) -> String {
        format!("{:?}", session.map(|session| session.status()))
    }
    let routes = routes().route("/peek", get(peek));
    let mut app = App::new(routes, SessionConfig::default());
    app.browser
        .set_cookie("session", "eyJhIjoxfQ.ZVPxAA.kLN1Gx0L6rY_ztgI9I8kkga4vjo");
    let opened = app.get("/peek").await;
    assert_eq!(values(&opened, "vary"), ["Cookie"]);
    let untouched = app.get("/").await;
    assert!(values(&untouched, "vary").is_empty());
}

#[tokio::test]
async fn p6_nothing_of_a_request_is_left_for_the_next_one() {
    async fn name(session: Session) -> String {
        session
            .get::<String>("username")
            .unwrap()
            .unwrap_or_default()
    }
    let mut app = App::new(routes().route("/name", get(name)), SessionConfig::default());
    for visitor in ["alice", "bob", ""] {
        app.browser.remove_cookie("session");
        if !visitor.is_empty() {
            let manager = app.manager.clone();
            let stored = app
                .browser
                .session_now(&manager, |session| session.insert("username", visitor));
            stored.unwrap().unwrap();
        }
        for _ in 0..3 {
            app.get("/").await;
            assert_eq!(app.get_text("/name").await, visitor);
        }
    }
}
