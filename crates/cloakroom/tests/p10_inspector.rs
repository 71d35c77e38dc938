//! The inspector shows what happens to sessions, to nobody more than it should, and leaves no trace.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail loudly"
)]

#[path = "support/recording.rs"]
#[allow(clippy::duplicate_mod, reason = "each helper may be the only one")]
mod recording;
#[path = "support/secrets.rs"]
mod secrets;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Path,
    routing::{get, post},
};
use cloakroom::{
    Clock, EventKind, KeyRing, Layout, SecretKey, Session, SessionConfig, SessionLayer,
    UserSessions,
    inspector::{Inspector, InspectorError},
    store::{MemoryStore, Store},
    testing::Browser,
};
use http::{Request, StatusCode, header::COOKIE};
use proptest::prelude::*;
use recording::Recording;
use secrets::Secrets;
use tower::ServiceExt;

const KEY: &str = "the key of the inspector's tests";
const HERE: &str = "127.0.0.1:3000";

/// Pages that do to the session what their path says, with the inspector around them.
fn app(sessions: &SessionLayer, inspector: Inspector) -> Router {
    Router::new()
        .route("/nothing", get(async || "nothing"))
        .route(
            "/read",
            get(async |session: Session| session.len().to_string()),
        )
        .route("/set/{key}/{value}", get(set))
        .route("/remove/{key}", get(remove))
        .route("/login/{name}", get(login))
        .route("/logout", get(async |session: Session| session.logout()))
        .route("/put", post(put))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(sessions.clone())
        .layer(inspector)
}

async fn set(session: Session, Path((key, value)): Path<(String, String)>) {
    session.insert(key, value).unwrap();
}

async fn remove(session: Session, Path(key): Path<String>) {
    session.remove(key);
}

async fn login(session: Session, Path(name): Path<String>) {
    session.login(name).unwrap();
}

/// Key and value, each in a line.
async fn put(session: Session, body: String) {
    let (key, value) = body.split_once('\u{1f}').unwrap();
    session.insert(key.to_owned(), value.to_owned()).unwrap();
}

fn inspector(sessions: &SessionLayer) -> Inspector {
    Inspector::new(sessions, HERE.parse().unwrap()).unwrap()
}

/// Each way to keep sessions, by name.
fn every_kind(clock: &Clock) -> Vec<(&'static str, SessionLayer)> {
    let plain = || SessionConfig::default().secure(false).clock(clock.clone());
    let native = || plain().layout(Layout::Native);
    let key = || SecretKey::new(KEY).unwrap();
    let store = || Store::new(MemoryStore::new().clock(clock.clone()));
    let users = || UserSessions::in_store(store());
    vec![
        (
            "signed",
            SessionLayer::signed_with(key(), plain().user_sessions(users())).unwrap(),
        ),
        (
            "encrypted",
            SessionLayer::encrypted_with(key(), plain().user_sessions(users())).unwrap(),
        ),
        (
            "flask's layout",
            SessionLayer::stored_with(store(), plain().user_sessions(UserSessions::new())).unwrap(),
        ),
        (
            "native layout",
            SessionLayer::stored_with(store(), native().user_sessions(UserSessions::new()))
                .unwrap(),
        ),
    ]
}

/// Sends a request of a browser, keeps its cookies, and gives the answer's status and body.
async fn visit(app: &Router, browser: &mut Browser, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).header("host", HERE);
    send(app, browser, request.body(Body::empty()).unwrap()).await
}

async fn send(app: &Router, browser: &mut Browser, request: Request<Body>) -> (StatusCode, String) {
    let response = app.clone().oneshot(browser.request(request)).await.unwrap();
    browser.store(&response);
    let status = response.status();
    let body = to_bytes(response.into_body(), 16 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn page(app: &Router, browser: &mut Browser) -> String {
    let (status, page) = visit(app, browser, "/_sessions").await;
    assert_eq!(status, StatusCode::OK);
    page
}

/// What the page says of its newest request.
fn newest(page: &str) -> &str {
    let from = page.find(r#"<details id="r"#).expect("a request");
    let to = page[from..].find("</details>").unwrap();
    &page[from..from + to]
}

#[tokio::test]
async fn p10_no_value_of_another_user_is_visible() {
    let clock = Clock::manual(1_800_000_000);
    for (kind, sessions) in every_kind(&clock) {
        let guarded = app(&sessions, inspector(&sessions));
        let open = app(&sessions, inspector(&sessions).reveal(true));
        let (mut alice, mut bob) = (Browser::new(), Browser::new());
        for site in [&guarded, &open] {
            visit(site, &mut alice, "/set/colour/alice-loves-green").await;
            visit(site, &mut alice, "/login/alice-the-user").await;
            visit(site, &mut alice, "/set/note/alice-wrote-this").await;
            visit(site, &mut bob, "/set/note/bob-wrote-that").await;
            visit(site, &mut bob, "/login/bob-the-user").await;
        }
        let secrets = ["alice-loves-green", "alice-wrote-this", "alice-the-user"];

        let shown = page(&guarded, &mut alice).await;
        for secret in secrets {
            let path = format!("/{secret}");
            assert!(
                shown.replace(&path, "").contains(secret),
                "{kind}: {secret}"
            );
        }
        for mut browser in [bob, Browser::new()] {
            let shown = page(&guarded, &mut browser).await;
            assert!(shown.contains("colour"), "{kind}");
            for secret in secrets {
                // The paths of this test hold the values.
                let shown = shown.replace(&format!("/{secret}"), "");
                assert!(!shown.contains(secret), "{kind}: {secret}");
            }
            let shown = page(&open, &mut browser).await;
            for secret in secrets {
                let shown = shown.replace(&format!("/{secret}"), "");
                assert!(shown.contains(secret), "{kind}: {secret}");
            }
        }
    }
}

#[tokio::test]
async fn p10_who_logs_in_next_in_a_browser_does_not_see_who_was_there() {
    let clock = Clock::manual(1_800_000_000);
    for (kind, sessions) in every_kind(&clock) {
        let site = app(&sessions, inspector(&sessions));
        let mut browser = Browser::new();
        visit(&site, &mut browser, "/login/alice-the-user").await;
        visit(&site, &mut browser, "/set/note/written-by-alice").await;
        visit(&site, &mut browser, "/login/bob-the-user").await;
        visit(&site, &mut browser, "/set/note/written-by-bob").await;
        let shown = page(&site, &mut browser).await;
        let shown = shown.replace("/written-by", "").replace("/alice", "");
        assert!(shown.contains("written-by-bob"), "{kind}");
        assert!(!shown.contains("written-by-alice"), "{kind}");
        assert!(!shown.contains("alice-the-user"), "{kind}");
    }
}

#[tokio::test]
async fn p10_an_old_cookie_shows_nothing_once_its_session_has_ended() {
    let clock = Clock::manual(1_800_000_000);
    for (kind, sessions) in every_kind(&clock) {
        let site = app(&sessions, inspector(&sessions));
        let mut browser = Browser::new();
        visit(&site, &mut browser, "/login/alice").await;
        visit(&site, &mut browser, "/set/note/her-own-words").await;
        let mut thief = browser.clone();
        visit(&site, &mut browser, "/logout").await;
        // Servers ask again whether a login was ended after the lag.
        clock.advance(Duration::from_secs(60));
        let shown = page(&site, &mut thief).await;
        assert!(
            !shown.replace("/her-own", "").contains("her-own-words"),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn p10_no_id_cookie_or_key_is_anywhere() {
    let clock = Clock::manual(1_800_000_000);
    for (kind, sessions) in every_kind(&clock) {
        let secrets = Secrets::default();
        secrets.add("the key", KEY);
        let inspector = inspector(&sessions).reveal(true);
        let debugged = format!("{inspector:?}");
        let site = app(&sessions, inspector);
        let (mut alice, mut bob) = (Browser::new(), Browser::new());
        for path in ["/set/a/1", "/login/alice", "/set/b/2", "/read"] {
            for browser in [&mut alice, &mut bob] {
                visit(&site, browser, path).await;
                let cookie = browser.cookie("session").unwrap().to_owned();
                secrets.add("a cookie", &cookie);
                let session = sessions.manager().open_value(&cookie).await.unwrap();
                if let Some(key) = sessions.manager().store_key(&session) {
                    let name = key.rsplit(':').next().unwrap();
                    secrets.add("an id", name);
                }
            }
        }
        alice.set_cookie("session", format!("{}x", alice.cookie("session").unwrap()));
        secrets.add("a refused cookie", alice.cookie("session").unwrap());
        visit(&site, &mut alice, "/read").await;
        for browser in [&mut alice, &mut bob] {
            for path in ["/_sessions", "/_sessions/now", "/_sessions?user=alice"] {
                let (_, shown) = visit(&site, browser, path).await;
                assert!(shown.contains("refused"), "{kind} {path}");
                assert_eq!(secrets.found_in(&shown), Vec::<String>::new(), "{kind}");
            }
        }
        assert_eq!(secrets.found_in(&debugged), Vec::<String>::new());
    }
}

#[test]
fn p10_it_does_not_start_where_other_machines_reach_it() {
    let sessions = SessionLayer::signed(SecretKey::new(KEY).unwrap());
    for address in [
        "127.0.0.1:80",
        "127.8.9.10:80",
        "[::1]:80",
        "[::ffff:127.0.0.1]:80",
    ] {
        let address = address.parse().unwrap();
        assert!(Inspector::new(&sessions, address).is_ok(), "{address}");
    }
    for address in [
        "0.0.0.0:80",
        "192.168.1.2:80",
        "[::]:80",
        "[2001:db8::1]:80",
    ] {
        let address = address.parse().unwrap();
        let refused = Inspector::new(&sessions, address).unwrap_err();
        assert_eq!(refused, InspectorError::NotLoopback(address));
    }
    assert!(Inspector::exposed(&sessions).is_ok());
    for path in ["", "/", "sessions", "/a/", "/a//b", "/a?b", "/a\"b", "/ä"] {
        let refused = inspector(&sessions).path(path).unwrap_err();
        assert_eq!(refused, InspectorError::Path(path.to_owned()));
    }
}

#[tokio::test]
async fn p10_it_answers_this_machine_only() {
    let sessions = SessionLayer::signed(SecretKey::new(KEY).unwrap());
    let guarded = app(
        &sessions,
        inspector(&sessions).path("/dev/sessions").unwrap(),
    );
    let exposed = Inspector::exposed(&sessions).unwrap();
    let exposed = app(&sessions, exposed.path("/dev/sessions").unwrap());
    let status = async |site: &Router, headers: &[(&str, &str)]| {
        let mut request = Request::get("/dev/sessions");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        send(site, &mut Browser::new(), request).await.0
    };
    for host in [
        "127.0.0.1:3000",
        "localhost",
        "LocalHost:80",
        "[::1]:3000",
        "app.localhost",
    ] {
        assert_eq!(
            status(&guarded, &[("host", host)]).await,
            StatusCode::OK,
            "{host}"
        );
    }
    for host in [
        "evil.example",
        "evil.example:3000",
        "localhost.evil.example",
        "10.0.0.1",
        "notlocalhost",
        "",
    ] {
        let headers = [("host", host)];
        assert_eq!(
            status(&guarded, &headers).await,
            StatusCode::FORBIDDEN,
            "{host}"
        );
        assert_eq!(status(&exposed, &headers).await, StatusCode::OK, "{host}");
    }
    assert_eq!(status(&guarded, &[]).await, StatusCode::FORBIDDEN);
    for proxy in ["forwarded", "x-forwarded-for", "x-forwarded-host"] {
        let headers = [("host", "localhost"), (proxy, "for=192.0.2.1")];
        assert_eq!(
            status(&guarded, &headers).await,
            StatusCode::FORBIDDEN,
            "{proxy}"
        );
    }
}

#[tokio::test]
async fn s66_every_answer_is_for_this_browser_alone() {
    let sessions = SessionLayer::signed(SecretKey::new(KEY).unwrap());
    let site = app(&sessions, inspector(&sessions));
    for (method, path, status) in [
        ("GET", "/_sessions", 200),
        ("HEAD", "/_sessions", 200),
        ("GET", "/_sessions/now", 200),
        ("GET", "/_sessions/style.css", 200),
        ("GET", "/_sessions/script.js", 200),
        ("GET", "/_sessions/icon.svg", 200),
        ("GET", "/_sessions/other", 404),
        ("GET", "/_sessions/end", 405),
        ("POST", "/_sessions", 405),
        ("DELETE", "/_sessions/now", 405),
    ] {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("host", HERE).body(Body::empty()).unwrap();
        let response = site.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        let headers = response.headers();
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-frame-options"], "DENY");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
        assert!(!headers.contains_key("set-cookie"));
    }
    let shown = page(&site, &mut Browser::new()).await;
    assert!(!shown.contains("style=") && !shown.contains("onclick"));
    // A path that only begins alike is the application's.
    let (status, _) = visit(&site, &mut Browser::new(), "/_sessionsx").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(
        page(&site, &mut Browser::new())
            .await
            .contains("/_sessionsx")
    );
}

#[tokio::test]
async fn s28_requests_are_shown_with_their_session_before_and_after() {
    let clock = Clock::manual(1_800_000_000);
    for (kind, sessions) in every_kind(&clock) {
        let site = app(&sessions, inspector(&sessions));
        let mut browser = Browser::new();
        for (path, expected) in [
            ("/nothing", &["no session"][..]),
            ("/read", &["no session"]),
            (
                "/set/a/one",
                &[">new<", ">+2<", "yours", ">one ", "str", "Set-Cookie"],
            ),
            ("/nothing", &["left alone"]),
            ("/read", &[">read<"]),
            ("/set/a/two", &[">~1<", ">one ", ">two "]),
            ("/set/b/three", &[">+1<", "as before", ">three "]),
            ("/remove/a", &["−1", ">two "]),
            ("/logout", &["ended", "−2"]),
        ] {
            visit(&site, &mut browser, path).await;
            // Once the session is gone nobody has it, so its values are hidden from all.
            let shown = page(&site, &mut browser).await;
            let shown = newest(&shown).replace("</bdi>", "");
            for text in expected {
                assert!(shown.contains(text), "{kind} {path}: no {text} in {shown}");
            }
        }
        browser.set_cookie("session", "not-one-of-ours");
        visit(&site, &mut browser, "/read").await;
        let shown = page(&site, &mut browser).await;
        assert!(newest(&shown).contains("refused: "), "{kind}");
        assert!(
            shown.contains(r#"class="refusal" data-testid="status""#),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn s62_the_key_that_verified_a_cookie_is_named() {
    let config = || SessionConfig::default().secure(false);
    let (old, new) = (SecretKey::new(KEY).unwrap(), SecretKey::generate().unwrap());
    let before = SessionLayer::signed_with(old.clone(), config()).unwrap();
    let mut browser = Browser::new();
    visit(&app(&before, inspector(&before)), &mut browser, "/set/a/1").await;
    let after = SessionLayer::signed_with(KeyRing::new(new).fallback(old), config()).unwrap();
    let site = app(&after, inspector(&after));
    visit(&site, &mut browser, "/read").await;
    let shown = page(&site, &mut browser).await;
    let usage = after.manager().key_usage();
    let fallback = usage
        .iter()
        .find(|key| key.verified == 1)
        .expect("one was used");
    let named = format!("{} (index 1, only verifies)", fallback.id);
    assert!(shown.contains(&named), "{named}");
    assert!(shown.contains("old_key"));
}

#[tokio::test]
async fn s28_events_are_heard_beside_the_application_and_of_one_manager() {
    let log: Arc<Mutex<Vec<EventKind>>> = Arc::default();
    let heard = log.clone();
    let config = SessionConfig::default()
        .secure(false)
        .on_event(move |event| heard.lock().unwrap().push(event.kind));
    let ours = SessionLayer::stored_with(MemoryStore::new(), config.clone()).unwrap();
    let other = SessionLayer::stored_with(MemoryStore::new(), config).unwrap();
    let site = app(&ours, inspector(&ours));
    let second = app(&ours, inspector(&ours));
    let elsewhere = app(&other, inspector(&other));
    let mut browser = Browser::new();
    visit(&site, &mut browser, "/login/alice").await;
    visit(&site, &mut browser, "/set/a/1").await;
    visit(&site, &mut browser.clone(), "/logout").await;
    let told = [EventKind::LoggedIn, EventKind::Destroyed];
    assert_eq!(log.lock().unwrap()[..], told);
    for site in [&site, &second] {
        let shown = page(site, &mut browser).await;
        assert!(shown.contains("logged_in") && shown.contains("destroyed"));
    }
    let shown = page(&elsewhere, &mut browser).await;
    assert!(!shown.contains("logged_in"));
}

#[tokio::test]
async fn p7_looking_writes_nothing_and_counts_for_nothing() {
    let clock = Clock::manual(1_800_000_000);
    let log: Arc<Mutex<Vec<EventKind>>> = Arc::default();
    let heard = log.clone();
    let config = SessionConfig::default()
        .secure(false)
        .clock(clock.clone())
        .on_event(move |event| heard.lock().unwrap().push(event.kind));
    let store = Arc::new(MemoryStore::new().clock(clock.clone()));
    let (store, calls) = Recording::new(store);
    let stored = SessionLayer::stored_with(store, config.clone()).unwrap();
    let key = SecretKey::new(KEY).unwrap();
    let signed = SessionLayer::signed_with(key, config).unwrap();
    for (sessions, loads) in [(&stored, 1), (&signed, 0)] {
        let site = app(sessions, inspector(sessions));
        let verified = || -> u64 {
            let usage = sessions.manager().key_usage();
            usage.iter().map(|key| key.verified).sum()
        };
        let mut browser = Browser::new();
        visit(&site, &mut browser, "/set/a/1").await;
        calls.take();
        // A renewal is due, and looking is no reason for it.
        clock.advance(Duration::from_secs(24 * 60 * 60));
        let (events, before) = (log.lock().unwrap().len(), verified());
        for path in ["/_sessions", "/_sessions/now", "/nothing"] {
            visit(&site, &mut browser, path).await;
            assert_eq!(calls.kinds(), vec!["load"; loads], "{path}");
        }
        browser.set_cookie("session", "not-one-of-ours");
        visit(&site, &mut browser, "/_sessions").await;
        visit(&site, &mut browser, "/nothing").await;
        assert_eq!(log.lock().unwrap().len(), events);
        assert_eq!(verified(), before);
        assert!(calls.take().is_empty());
    }
}

#[tokio::test]
async fn s64_only_the_page_itself_ends_a_session() {
    let clock = Clock::manual(1_800_000_000);
    for (kind, sessions) in every_kind(&clock) {
        let site = app(&sessions, inspector(&sessions));
        let (mut here, mut there, mut mallory) = (Browser::new(), Browser::new(), Browser::new());
        visit(&site, &mut here, "/login/alice").await;
        clock.advance(Duration::from_secs(60));
        visit(&site, &mut there, "/login/alice").await;
        visit(&site, &mut mallory, "/login/mallory").await;
        let shown = page(&site, &mut here).await;
        assert_eq!(
            shown.matches(r#"data-testid="device""#).count(),
            2,
            "{kind}"
        );
        let field = |name: &str, place: usize| {
            let mark = format!(r#"name="{name}" value=""#);
            let from = shown.match_indices(&mark).nth(place).unwrap().0 + mark.len();
            shown[from..].split('"').next().unwrap().to_owned()
        };
        // The newest login is the first.
        let (token, session) = (field("token", 0), field("session", 0));
        let post = |origin: Option<&str>, token: &str, more: &str| {
            let mut request = Request::post("/_sessions/end").header("host", HERE);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let form = format!("token={token}&session={session}{more}");
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from(form))
                .unwrap()
        };
        let own = format!("http://{HERE}");
        for (origin, token) in [
            (None, &*token),
            (Some("http://evil.example"), &token),
            (Some(&*own), "guessed"),
            (Some(&*own), ""),
        ] {
            let (status, _) = send(&site, &mut here, post(origin, token, "")).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{kind}");
        }
        // Of another user nothing is ended, whatever the form says.
        send(&site, &mut mallory, post(Some(&own), &token, "&user=alice")).await;
        let count = async || sessions.manager().sessions_of("alice").await.unwrap().len();
        assert_eq!(count().await, 2, "{kind}");
        let (status, _) = send(&site, &mut here, post(Some(&own), &token, "")).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{kind}");
        assert_eq!(count().await, 1, "{kind}");
        clock.advance(Duration::from_secs(60));
        visit(&site, &mut there, "/read").await;
        let shown = page(&site, &mut here).await;
        assert!(newest(&shown).contains("refused: "), "{kind}");
        assert_eq!(
            shown.matches(r#"data-testid="device""#).count(),
            1,
            "{kind}"
        );
        assert!(shown.contains("revoked"), "{kind}");
    }
}

#[tokio::test]
async fn s65_what_is_kept_has_a_limit() {
    let store = Store::new(MemoryStore::new());
    let config = SessionConfig::default().secure(false);
    let sessions = SessionLayer::stored_with(store, config).unwrap();
    let site = app(&sessions, inspector(&sessions));
    let mut browser = Browser::new();
    for count in 0..210 {
        visit(
            &site,
            &mut browser,
            &format!("/set/key{count}/{}", "v".repeat(700)),
        )
        .await;
    }
    for _ in 0..600 {
        let mut stranger = Browser::new();
        stranger.set_cookie("session", "x");
        visit(&site, &mut stranger, &format!("/read?{}", "q".repeat(50))).await;
    }
    visit(&site, &mut browser, &format!("/{}", "p".repeat(5000))).await;
    let shown = page(&site, &mut browser).await;
    assert_eq!(shown.matches(r#"data-testid="request""#).count(), 200);
    assert!(shown.contains("The latest 200 of 811"));
    assert_eq!(shown.matches("<li><time>").count(), 500);
    assert!(!shown.contains(&"v".repeat(301)) && shown.contains(&"v".repeat(300)));
    assert!(!shown.contains(&"p".repeat(301)) && !shown.contains("qqq"));
    assert!(shown.contains("and 160 more keys"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn s59_nothing_breaks_out_of_the_page(
        key in "(<script>|</bdi>|\"|'|&|<|>|[a-z]|\\PC){1,20}",
        value in "(<script>|--></section>|\" onload=|'|&lt;|<|>|\\PC){0,30}",
        agent in "(<b>|\"|'|&|[ -~]){1,20}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let markup = |key: String, value: String, agent: String| runtime.block_on(async {
            let clock = Clock::manual(1_800_000_000);
            let config = SessionConfig::default().secure(false).clock(clock.clone());
            let store = Store::new(MemoryStore::new().clock(clock));
            let config = config.user_sessions(UserSessions::new());
            let sessions = SessionLayer::stored_with(store, config).unwrap();
            let site = app(&sessions, inspector(&sessions).reveal(true));
            let mut browser = Browser::new();
            let login = Request::get("/login/alice").header("user-agent", agent);
            send(&site, &mut browser, login.body(Body::empty()).unwrap()).await;
            let put = Request::post("/put").body(Body::from(format!("{key}\u{1f}{value}")));
            send(&site, &mut browser, put.unwrap()).await;
            let shown = page(&site, &mut browser).await;
            "<>\"'".chars().map(|mark| shown.matches(mark).count()).collect::<Vec<_>>()
        });
        let plain = markup("kept".to_owned(), "value".to_owned(), "Firefox".to_owned());
        prop_assert_eq!(markup(key, value, agent), plain);
    }
}

#[tokio::test]
async fn p6_a_request_without_a_session_is_noted_and_no_more() {
    let (store, calls) = Recording::new(Arc::new(MemoryStore::new()));
    let sessions = SessionLayer::stored_with(store, SessionConfig::default()).unwrap();
    let site = app(&sessions, inspector(&sessions));
    let request = Request::get("/nothing").header(COOKIE, "other=1; theme=dark");
    let request = request.body(Body::empty()).unwrap();
    let (status, body) = send(&site, &mut Browser::new(), request).await;
    assert_eq!((status, &*body), (StatusCode::OK, "nothing"));
    assert!(calls.take().is_empty());
    assert!(newest(&page(&site, &mut Browser::new()).await).contains("/nothing"));
}
