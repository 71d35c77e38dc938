//! P7 and P6: how often a request asks the store, counted.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Path, routing::get};
use cloakroom::{
    Clock, Error, Layout, SecretKey, Session, SessionConfig, SessionLayer, SessionManager,
    store::MemoryStore, testing::Browser,
};
use http::{Request, Response, header};
use layouts::each_layout;
use recording::{Calls, Recording};
use tower::ServiceExt;

#[path = "support/layouts.rs"]
mod layouts;
#[path = "support/recording.rs"]
mod recording;

each_layout!(
    p6_a_request_that_leaves_its_session_alone_asks_nothing,
    p7_a_reader_loads_once_and_writes_nothing,
    p7_a_writer_loads_once_and_replaces_once,
    p7_a_write_that_leaves_the_same_bytes_writes_nothing,
    p7_where_only_changes_renew_a_write_of_the_same_bytes_renews,
    p7_a_reader_renews_once_an_hour_and_never_writes_the_content,
    p7_a_session_that_is_read_now_and_then_never_expires,
    p7_a_login_makes_the_new_entry_before_the_old_one_goes,
    p7_a_visitor_without_a_cookie_who_only_reads_costs_nothing,
    p7_what_save_has_stored_is_not_stored_again,
    p7_flasks_refresh_with_each_request_touches_once_a_minute,
);

struct Site {
    router: Router,
    clock: Clock,
    calls: Calls,
    browser: Browser,
}

const HOUR: u64 = 60 * 60;

async fn nothing() -> &'static str {
    "nothing"
}

async fn read(session: Session) -> Result<String, Error> {
    Ok(session.get::<u64>("n")?.unwrap_or(0).to_string())
}

async fn set(session: Session, Path(n): Path<u64>) -> Result<(), Error> {
    session.insert("n", n)
}

async fn there_and_back(session: Session) -> Result<(), Error> {
    session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    session.update("n", |n: Option<u64>| n.unwrap_or(0) - 1)?;
    Ok(())
}

async fn login(session: Session) -> Result<(), Error> {
    session.regenerate();
    session.insert("user", "ann")
}

async fn logout(session: Session) {
    session.clear();
}

async fn flash(session: Session) {
    session.flash("info", "Saved");
}

async fn flashes(session: Session) -> String {
    session.flashes().len().to_string()
}

async fn save(session: Session) -> Result<(), Error> {
    session.insert("n", 77)?;
    session.save().await
}

async fn save_twice(session: Session) -> Result<(), Error> {
    session.insert("n", 78)?;
    session.save().await?;
    session.save().await
}

async fn save_and_go_on(session: Session) -> Result<(), Error> {
    session.insert("n", 79)?;
    session.save().await?;
    session.insert("n", 80)
}

async fn remove_what_is_not_there(session: Session) -> Result<(), Error> {
    session.remove("nobody");
    session.get_or_insert_with("n", || 1)?;
    session.flashes();
    Ok(())
}

impl Site {
    fn new(config: SessionConfig) -> Self {
        let clock = Clock::manual(1_700_000_000);
        let store = Arc::new(MemoryStore::new().clock(clock.clone()));
        let (recording, calls) = Recording::new(store);
        let manager = SessionManager::stored(recording, config.clock(clock.clone())).unwrap();
        let routes = Router::new()
            .route("/nothing", get(nothing))
            .route("/read", get(read))
            .route("/set/{n}", get(set))
            .route("/there-and-back", get(there_and_back))
            .route("/login", get(login))
            .route("/logout", get(logout))
            .route("/flash", get(flash))
            .route("/flashes", get(flashes))
            .route("/save", get(save))
            .route("/save-twice", get(save_twice))
            .route("/save-and-go-on", get(save_and_go_on))
            .route("/remove-what-is-not-there", get(remove_what_is_not_there));
        Self {
            router: routes.layer(SessionLayer::new(manager)),
            clock,
            calls,
            browser: Browser::new(),
        }
    }

    /// What the store is asked for one request of the browser.
    async fn asks(&mut self, path: &str) -> Vec<&'static str> {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let request = self.browser.request(request);
        let response = self.send(request).await;
        self.browser.store(&response);
        self.calls.kinds()
    }

    /// What it is asked for a request with this cookie header, and whether a cookie comes back.
    async fn asks_with(&self, cookie: &str) -> (Vec<&'static str>, bool) {
        let request = Request::get("/read").header(header::COOKIE, cookie);
        let response = self.send(request.body(Body::empty()).unwrap()).await;
        let sets = response.headers().contains_key(header::SET_COOKIE);
        (self.calls.kinds(), sets)
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response
    }

    /// A visitor with a session, a minute old.
    async fn visited(layout: Layout) -> Self {
        let mut site = Self::new(SessionConfig::default().layout(layout));
        assert_eq!(site.asks("/set/1").await, ["create"]);
        site.clock.set(site.clock.unix_seconds() + 60);
        site
    }
}

async fn p6_a_request_that_leaves_its_session_alone_asks_nothing(layout: Layout) {
    let mut site = Site::visited(layout).await;
    assert!(site.asks("/nothing").await.is_empty());
}

async fn p7_a_reader_loads_once_and_writes_nothing(layout: Layout) {
    let mut site = Site::visited(layout).await;
    for _ in 0..3 {
        assert_eq!(site.asks("/read").await, ["load"]);
        assert_eq!(site.asks("/flashes").await, ["load"]);
        assert_eq!(site.asks("/remove-what-is-not-there").await, ["load"]);
    }
}

async fn p7_a_writer_loads_once_and_replaces_once(layout: Layout) {
    let mut site = Site::visited(layout).await;
    assert_eq!(site.asks("/set/2").await, ["load", "replace"]);
    assert_eq!(site.asks("/flash").await, ["load", "replace"]);
    assert_eq!(site.asks("/flashes").await, ["load", "replace"]);
    assert_eq!(site.asks("/flashes").await, ["load"]);
}

async fn p7_a_write_that_leaves_the_same_bytes_writes_nothing(layout: Layout) {
    let mut site = Site::visited(layout).await;
    assert_eq!(site.asks("/set/1").await, ["load"]);
    assert_eq!(site.asks("/there-and-back").await, ["load"]);
}

async fn p7_where_only_changes_renew_a_write_of_the_same_bytes_renews(layout: Layout) {
    let mut site = Site::new(
        SessionConfig::default()
            .layout(layout)
            .refresh(cloakroom::Refresh::OnChange),
    );
    assert_eq!(site.asks("/set/1").await, ["create"]);
    site.clock.set(site.clock.unix_seconds() + 24 * HOUR);
    assert_eq!(site.asks("/read").await, ["load"]);
    assert_eq!(site.asks("/set/1").await, ["load", "touch"]);
}

async fn p7_a_reader_renews_once_an_hour_and_never_writes_the_content(layout: Layout) {
    let mut site = Site::visited(layout).await;
    site.clock.set(site.clock.unix_seconds() + HOUR);
    assert_eq!(site.asks("/read").await, ["load", "touch"]);
    assert_eq!(site.asks("/read").await, ["load"]);
    site.clock.set(site.clock.unix_seconds() + HOUR - 1);
    assert_eq!(site.asks("/read").await, ["load"]);
    site.clock.set(site.clock.unix_seconds() + 2);
    assert_eq!(site.asks("/set/1").await, ["load", "touch"]);
    // A write renews by itself.
    site.clock.set(site.clock.unix_seconds() + 2 * HOUR);
    assert_eq!(site.asks("/set/2").await, ["load", "replace"]);
    assert_eq!(site.asks("/read").await, ["load"]);
}

async fn p7_a_session_that_is_read_now_and_then_never_expires(layout: Layout) {
    let mut site = Site::visited(layout).await;
    for _ in 0..40 {
        site.clock.set(site.clock.unix_seconds() + 20 * 24 * HOUR);
        assert_eq!(site.asks("/read").await, ["load", "touch"]);
    }
}

async fn p7_a_login_makes_the_new_entry_before_the_old_one_goes(layout: Layout) {
    let mut site = Site::visited(layout).await;
    assert_eq!(site.asks("/login").await, ["load", "create", "delete"]);
    assert_eq!(site.asks("/read").await, ["load"]);
    assert_eq!(site.asks("/logout").await, ["load", "delete"]);
    // The browser has no cookie any more.
    assert!(site.asks("/read").await.is_empty());
    // A login without a session before it.
    assert_eq!(site.asks("/login").await, ["create"]);
}

async fn p7_a_visitor_without_a_cookie_who_only_reads_costs_nothing(layout: Layout) {
    let mut site = Site::new(SessionConfig::default().layout(layout));
    for path in ["/read", "/flashes", "/logout", "/nothing"] {
        assert!(site.asks(path).await.is_empty(), "{path}");
    }
    let (calls, sets) = site.asks_with("").await;
    assert!(calls.is_empty() && !sets);
}

#[tokio::test]
async fn p7_what_is_no_id_never_reaches_the_store() {
    let site = Site::new(SessionConfig::default());
    let long = "a".repeat(172);
    let ids = [
        "x",
        "../../../../../../etc/passwd-and-more",
        "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xD:",
        "kRtasPgzdZBA1SEoclYTR.kKMMFmOJSsdpI0trR3xDc",
        "kRtasPgzdZBA1SEoclYTR kKMMFmOJSsdpI0trR3xDc",
        "{\"$gt\":\"\"}-and-something-more-than-that",
        long.as_str(),
    ];
    for id in ids {
        let (calls, sets) = site.asks_with(&format!("session={id}")).await;
        assert!(calls.is_empty() && !sets, "{id}");
    }
    // One that could be an id is asked for, and nothing is made of it.
    let id = "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc";
    let (calls, sets) = site.asks_with(&format!("session={id}")).await;
    assert_eq!((calls, sets), (vec!["load"], false));
}

#[tokio::test]
async fn p7_an_id_with_a_wrong_signature_never_reaches_the_store() {
    let key = SecretKey::new("a key for the tests of sessions").unwrap();
    let mut site = Site::new(SessionConfig::default().sign_ids(key));
    assert_eq!(site.asks("/set/1").await, ["create"]);
    assert_eq!(site.asks("/read").await, ["load"]);
    for id in [
        "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc",
        "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc.AAAA",
        "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc.AAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let (calls, sets) = site.asks_with(&format!("session={id}")).await;
        assert!(calls.is_empty() && !sets, "{id}");
    }
}

#[tokio::test]
async fn p7_of_many_cookies_eight_are_asked_for() {
    let site = Site::new(SessionConfig::default());
    let cookies: Vec<String> = (0..20).map(|n| format!("session={n:043}")).collect();
    let (calls, _) = site.asks_with(&cookies.join("; ")).await;
    assert_eq!(calls, ["load"; 8]);
}

async fn p7_what_save_has_stored_is_not_stored_again(layout: Layout) {
    let mut site = Site::visited(layout).await;
    assert_eq!(site.asks("/save").await, ["load", "replace"]);
    assert_eq!(site.asks("/save").await, ["load"]);
    assert_eq!(site.asks("/save-twice").await, ["load", "replace"]);
    assert_eq!(
        site.asks("/save-and-go-on").await,
        ["load", "replace", "replace"]
    );
    let mut newcomer = Site::new(SessionConfig::default().layout(layout));
    assert_eq!(newcomer.asks("/save").await, ["create"]);
    assert_eq!(newcomer.asks("/read").await, ["load"]);
}

/// Flask writes the entry and the cookie with each request; here the entry at most once a minute.
async fn p7_flasks_refresh_with_each_request_touches_once_a_minute(layout: Layout) {
    let mut site = Site::new(SessionConfig::flask().layout(layout));
    assert_eq!(site.asks("/set/1").await, ["create"]);
    assert_eq!(site.asks("/read").await, ["load"]);
    assert_eq!(site.asks("/nothing").await, ["load"]);
    site.clock.set(site.clock.unix_seconds() + 61);
    assert_eq!(site.asks("/nothing").await, ["load", "touch"]);
    assert_eq!(site.asks("/nothing").await, ["load"]);
    let short = SessionConfig::flask()
        .layout(layout)
        .lifetime(Duration::from_secs(100));
    let mut site = Site::new(short);
    assert_eq!(site.asks("/set/1").await, ["create"]);
    // A twentieth of a short lifetime.
    site.clock.set(site.clock.unix_seconds() + 6);
    assert_eq!(site.asks("/read").await, ["load", "touch"]);
}
