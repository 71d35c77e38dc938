//! P9: a store that is down costs the first few requests their time and the others none; and it is found again by
//! itself. What is counted is what reaches the driver; no time is measured.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use cloakroom::{
    Clock, Error, Session, SessionConfig, SessionLayer, SessionManager,
    store::{Breaker, CreateError, ReplaceError, Store, StoreError, StoreErrorKind, TouchError},
};
use faulty::{ALL, Fault, Faulty};
use http::{Request, StatusCode, header};
use tokio::time::{Instant, advance};
use tower::ServiceExt;
use tracing::{Level, Metadata, Subscriber, span};

#[path = "support/faulty.rs"]
mod faulty;
#[cfg(feature = "redis")]
#[path = "support/recording.rs"]
mod recording;

const TTL: Duration = Duration::from_secs(60);
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

fn faulty() -> (Faulty, Store) {
    let driver = Faulty::new(Clock::system());
    let store = Store::new(driver.clone());
    (driver, store)
}

fn kind(result: &Result<Option<cloakroom::store::Record>, StoreError>) -> StoreErrorKind {
    result.as_ref().unwrap_err().kind()
}

/// Fails until the breaker is open.
async fn open(driver: &Faulty, store: &Store, fault: Fault) {
    driver.set(fault, ALL);
    for _ in 0..3 {
        assert!(store.is_available());
        assert_ne!(kind(&store.load("key").await), StoreErrorKind::Skipped);
    }
    assert!(!store.is_available());
    assert_eq!(driver.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn p9_after_three_failures_nobody_waits() {
    for fault in [Fault::Unreachable, Fault::Hangs, Fault::Mute] {
        let (driver, store) = faulty();
        open(&driver, &store, fault).await;
        let now = Instant::now();
        for _ in 0..1000 {
            // It answers at once: there is nothing that could wait.
            let mut answer = Poll::Pending;
            let allocations = allocation_counter::measure(|| {
                let mut load = pin!(store.load("key"));
                let mut context = Context::from_waker(Waker::noop());
                answer = load.as_mut().poll(&mut context);
            });
            let Poll::Ready(result) = answer else {
                panic!("{fault:?}: it waits");
            };
            assert_eq!(kind(&result), StoreErrorKind::Skipped);
            assert!(allocations.count_total <= 1, "{allocations:?}");
        }
        assert_eq!(now.elapsed(), Duration::ZERO);
        assert_eq!(driver.calls(), [""; 0], "{fault:?}");
    }
}

/// Every method is spared, and none says that an entry is missing.
#[tokio::test(start_paused = true)]
async fn p9_no_call_of_an_open_breaker_claims_anything() {
    let (driver, store) = faulty();
    let base = store.create("key", Bytes::from_static(b"1"), TTL).await;
    let base = base.unwrap();
    open(&driver, &store, Fault::Unreachable).await;
    let value = Bytes::from_static(b"2");
    let failed = |error: StoreError| {
        assert_eq!(error.kind(), StoreErrorKind::Skipped);
        assert!(error.to_string().contains("faulty"), "{error}");
    };
    failed(store.load("key").await.unwrap_err());
    match store.create("other", value.clone(), TTL).await {
        Err(CreateError::Failed(error)) => failed(error),
        other => panic!("{other:?}"),
    }
    match store.replace("key", &base, value, TTL).await {
        Err(ReplaceError::Failed(error)) => failed(error),
        other => panic!("{other:?}"),
    }
    match store.touch("key", TTL).await {
        Err(TouchError::Failed(error)) => failed(error),
        other => panic!("{other:?}"),
    }
    match store.delete("key", None, TTL).await {
        Err(cloakroom::store::DeleteError::Failed(error)) => failed(error),
        other => panic!("{other:?}"),
    }
    assert_eq!(driver.calls(), [""; 0]);
    // Nothing was written, and what was there is there.
    driver.set(Fault::None, ALL);
    advance(LONGEST).await;
    assert_eq!(store.load("key").await.unwrap().unwrap().value, "1");
    assert_eq!(store.load("other").await.unwrap(), None);
}

/// After a pause one call asks, whoever else is there; each pause is longer than the last, up to the longest.
#[tokio::test(start_paused = true)]
async fn p9_one_call_at_a_time_looks_whether_the_store_is_back() {
    let (driver, store) = faulty();
    open(&driver, &store, Fault::Unreachable).await;
    let mut whole = FIRST;
    for _ in 0..8 {
        // Half of a pause is certain, and the whole of it is the end.
        advance((whole / 2).saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(kind(&store.load("key").await), StoreErrorKind::Skipped);
        assert_eq!(driver.calls(), [""; 0], "{whole:?}");
        advance(whole / 2 + Duration::from_millis(1)).await;
        let calls = (0..20).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { kind(&store.load("key").await) })
        });
        let mut kinds = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            kinds.push(call.await.unwrap());
        }
        let skipped = kinds
            .iter()
            .filter(|kind| **kind == StoreErrorKind::Skipped);
        assert_eq!(skipped.count(), 19, "{whole:?}");
        assert_eq!(driver.calls(), ["load"], "{whole:?}");
        whole = (whole * 2).min(LONGEST);
    }
    assert_eq!(whole, LONGEST);
    // It is back: the next one that asks opens the door for all.
    driver.set(Fault::None, ALL);
    advance(LONGEST).await;
    for _ in 0..5 {
        assert_eq!(store.load("key").await.unwrap(), None);
    }
    assert_eq!(driver.calls().len(), 5);
    // And it begins from the start: three failures, a short pause.
    open(&driver, &store, Fault::Unreachable).await;
    advance(FIRST).await;
    assert_eq!(kind(&store.load("key").await), StoreErrorKind::Unreachable);
}

/// While the probe hangs, nobody else waits.
#[tokio::test(start_paused = true)]
async fn p9_a_probe_that_hangs_costs_one_request_its_time() {
    let (driver, store) = faulty();
    open(&driver, &store, Fault::Hangs).await;
    advance(FIRST).await;
    let probe = tokio::spawn({
        let store = store.clone();
        async move { kind(&store.load("key").await) }
    });
    tokio::task::yield_now().await;
    assert_eq!(driver.calls(), ["load"]);
    for _ in 0..100 {
        assert_eq!(kind(&store.load("key").await), StoreErrorKind::Skipped);
    }
    assert_eq!(probe.await.unwrap(), StoreErrorKind::TimedOut);
    assert_eq!(driver.calls(), [""; 0]);
}

/// A visitor who goes away takes no door with them.
#[tokio::test(start_paused = true)]
async fn p9_a_probe_that_is_dropped_or_forgotten_is_followed_by_another() {
    for forgotten in [false, true] {
        let (driver, store) = faulty();
        open(&driver, &store, Fault::Hangs).await;
        advance(FIRST).await;
        let mut probe = Box::pin(store.load("key"));
        let mut context = Context::from_waker(Waker::noop());
        assert!(probe.as_mut().poll(&mut context).is_pending());
        driver.set(Fault::None, ALL);
        if forgotten {
            std::mem::forget(probe);
            assert_eq!(kind(&store.load("key").await), StoreErrorKind::Skipped);
            advance(LONGEST).await;
        } else {
            drop(probe);
        }
        assert_eq!(store.load("key").await.unwrap(), None);
        assert_eq!(driver.calls(), ["load"]);
        assert!(store.is_available());
    }
}

/// Whoever answers is there, whatever the answer.
#[tokio::test(start_paused = true)]
async fn p9_answers_do_not_count_as_failures() {
    let (driver, store) = faulty();
    driver.set(Fault::Refuses, ALL);
    for _ in 0..10 {
        assert_eq!(kind(&store.load("key").await), StoreErrorKind::Refused);
    }
    driver.set(Fault::None, ALL);
    let one = Bytes::from_static(b"1");
    store.create("key", one.clone(), TTL).await.unwrap();
    for _ in 0..10 {
        let again = store.create("key", one.clone(), TTL).await;
        assert_eq!(again, Err(CreateError::Exists));
        assert_eq!(store.touch("none", TTL).await, Err(TouchError::NotFound));
    }
    // Failures with an answer between them are not in a row.
    for _ in 0..10 {
        for fault in [
            Fault::Unreachable,
            Fault::Unreachable,
            Fault::Refuses,
            Fault::Unreachable,
            Fault::Unreachable,
            Fault::None,
        ] {
            driver.set(fault, ALL);
            let _ = store.load("key").await;
        }
    }
    assert!(store.is_available());
}

/// A connection that breaks under a hundred calls is one failure; a hundred calls that hang are a hundred.
#[tokio::test(start_paused = true)]
async fn p9_a_connection_that_breaks_is_one_failure() {
    for (fault, stays) in [(Fault::Breaks, true), (Fault::Hangs, false)] {
        let (driver, store) = faulty();
        driver.set(fault, ALL);
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let store = store.clone();
            calls.spawn(async move { store.load("key").await });
        }
        assert!(calls.join_all().await.iter().all(Result::is_err));
        assert_eq!(driver.calls().len(), 100);
        assert_eq!(store.is_available(), stays, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn p9_clones_share_the_breaker_and_operators_go_around_it() {
    let (driver, store) = faulty();
    let clone = store.clone();
    open(&driver, &store, Fault::Unreachable).await;
    assert_eq!(kind(&clone.load("key").await), StoreErrorKind::Skipped);
    // No visitor waits for these.
    assert_eq!(store.delete_expired(10).await, Ok(0));
    assert!(store.list("", None, 10).await.is_ok());
    assert!(!store.is_available());
}

#[tokio::test(start_paused = true)]
async fn p9_the_breaker_is_set_as_the_site_needs_it() {
    let driver = Faulty::new(Clock::system());
    driver.set(Fault::Unreachable, ALL);
    let always = Store::new(driver.clone()).without_breaker();
    for _ in 0..20 {
        assert_eq!(kind(&always.load("key").await), StoreErrorKind::Unreachable);
    }
    assert_eq!(driver.calls().len(), 20);
    let minute = Duration::from_secs(60);
    let patient = Store::new(driver.clone()).breaker(Breaker::after(7).pauses(minute, minute));
    for _ in 0..20 {
        let _ = patient.load("key").await;
    }
    assert_eq!(driver.calls().len(), 7);
    advance((minute / 2).saturating_sub(Duration::from_millis(1))).await;
    assert_eq!(kind(&patient.load("key").await), StoreErrorKind::Skipped);
    advance(minute / 2 + Duration::from_millis(1)).await;
    assert_eq!(
        kind(&patient.load("key").await),
        StoreErrorKind::Unreachable
    );
}

async fn count(session: Session) -> Result<String, Error> {
    let n = session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    Ok(n.to_string())
}

struct Site(Router);

impl Site {
    fn new(store: Store) -> Self {
        let manager = SessionManager::stored(store, SessionConfig::default()).unwrap();
        let routes = Router::new().route("/count", get(count));
        Self(routes.layer(SessionLayer::new(manager)))
    }

    async fn count(&self, cookie: &str) -> axum::response::Response {
        let request = Request::get("/count").header(header::COOKIE, cookie);
        let request = request.body(Body::empty()).unwrap();
        self.0.clone().oneshot(request).await.unwrap()
    }

    async fn visitor(&self) -> String {
        let answer = self.count("").await;
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

async fn body(answer: axum::response::Response) -> String {
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

/// For the browser there is no difference: 503, come back, and the cookie stays.
#[tokio::test(start_paused = true)]
async fn p9_a_site_whose_store_hangs_answers_at_once() {
    let (driver, store) = faulty();
    let site = Site::new(store);
    let visitor = site.visitor().await;
    driver.set(Fault::Hangs, ALL);
    let began = Instant::now();
    for _ in 0..200 {
        let answer = site.count(&visitor).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "2");
        assert!(!answer.headers().contains_key(header::SET_COOKIE));
    }
    assert_eq!(driver.calls(), ["load"; 3]);
    // On this clock, which only waiting moves.
    assert_eq!(began.elapsed().as_secs(), 6);
    driver.set(Fault::None, ALL);
    advance(FIRST).await;
    assert_eq!(body(site.count(&visitor).await).await, "2");
}

/// Counts what is said, by level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Level>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().contains("breaker") && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().unwrap().push(*event.metadata().level());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// However long an outage, two lines tell of it.
#[tokio::test(start_paused = true)]
async fn p9_an_outage_is_two_lines_in_the_log() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (driver, store) = faulty();
    open(&driver, &store, Fault::Unreachable).await;
    for _ in 0..50 {
        let _ = store.load("key").await;
        advance(LONGEST / 2).await;
    }
    assert_eq!(*log.0.lock().unwrap(), [Level::WARN]);
    driver.set(Fault::None, ALL);
    advance(LONGEST).await;
    for _ in 0..50 {
        store.load("key").await.unwrap();
    }
    assert_eq!(*log.0.lock().unwrap(), [Level::WARN, Level::INFO]);
}

/// A real server that hangs: after the first few, no request waits for it; and back, it is found again.
#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn p9_redis_hangs_and_most_requests_do_not_wait() {
    const REQUESTS: usize = 40;
    let server = servers::redis::start().unwrap();
    let redis = cloakroom::store::RedisStore::connect(server.url()).await;
    let (recording, calls) = recording::Recording::new(Arc::new(redis.unwrap()));
    let site = Site::new(Store::new(recording));
    let visitor = site.visitor().await;
    calls.take();
    server.pause().unwrap();
    for _ in 0..REQUESTS {
        let answer = site.count(&visitor).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "2");
        assert!(!answer.headers().contains_key(header::SET_COOKIE));
    }
    // Three until it opens, and a probe or two on a machine that is slow.
    let asked = calls.kinds().len();
    assert!((3..=8).contains(&asked), "{asked} calls reached the driver");
    server.resume().unwrap();
    let mut tries = 0;
    let answer = loop {
        let answer = site.count(&visitor).await;
        if answer.status() == StatusCode::OK {
            break body(answer).await;
        }
        tries += 1;
        assert!(tries < 300, "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(answer, "2", "nothing was lost and nothing done twice");
}
