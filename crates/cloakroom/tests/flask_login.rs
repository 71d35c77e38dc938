//! Logins are those of Flask-Login 0.6.3.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::{net::IpAddr, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::get,
};
use cloakroom::{
    Cookies, FlaskSettings, KeyRing, SecretKey, Session, SessionConfig, Value,
    flask_login::{Client, FlaskLogin, Remember, SessionProtection},
    testing::Browser,
};
use support::app::{App, NOW, header, key, text};

const YEAR: u64 = 365 * 24 * 60 * 60;

/// What Flask-Login's `encode_cookie` makes under the key of these tests.
const ALICE: &str = "alice|0afbdd640a456e1492aea8087f2f479a74a76c3a478ba8d2d3abf99e2d650de60a1c512c2240ee4c624f84896305389b04eb77009ea07c919c093ddbc6d1b58b";
const ODD: &str = "a|b é|a65bd3237aaf334b1f45c662070e8c940c14c12abb87a8ec740084e2c9938f45e9597656b1885f20c47487708c2509f7b0d86f3a8e3af692fb8b00bdc77c2537";

async fn act(
    State(login): State<FlaskLogin>,
    session: Session,
    cookies: Cookies,
    headers: HeaderMap,
    Path(action): Path<String>,
) -> Response {
    let peer: IpAddr = "10.0.0.1".parse().unwrap();
    let client = Client::of(&headers, peer);
    let mut visitor = login.visitor(&session, &cookies, &client).unwrap();
    match action.as_str() {
        "login" => visitor.login("alice", Remember::No).unwrap(),
        "bob" => visitor.login("bob", Remember::No).unwrap(),
        "remember" => visitor.login("alice", Remember::Yes).unwrap(),
        "day" => {
            let day = Duration::from_secs(24 * 60 * 60);
            visitor.login("alice", Remember::For(day)).unwrap();
        }
        "confirm" => visitor.confirm().unwrap(),
        "logout" => visitor.logout(),
        "logout-and-ask-again" => {
            visitor.logout();
            let again = login.visitor(&session, &cookies, &client).unwrap();
            assert_eq!(again.user_id(), None);
        }
        "permanent" => session.set_permanent(true),
        _ => {}
    }
    let user = visitor.user_id().unwrap_or_else(|| "nobody".to_owned());
    let page = format!(
        "{user}{}{}",
        fresh(visitor.is_fresh()),
        restored(visitor.is_restored())
    );
    (visitor, page).into_response()
}

fn fresh(fresh: bool) -> &'static str {
    if fresh { " fresh" } else { "" }
}

fn restored(restored: bool) -> &'static str {
    if restored { " restored" } else { "" }
}

/// A site and a browser; the agent is the browser's name.
struct Site {
    app: App,
    agent: &'static str,
}

impl Site {
    fn new(change: impl FnOnce(FlaskLogin) -> FlaskLogin) -> Self {
        let clock = cloakroom::Clock::manual(NOW);
        let login = change(FlaskLogin::new(key()).clock(clock.clone()));
        let routes = Router::new().route("/{action}", get(act)).with_state(login);
        let mut app = App::new(routes, SessionConfig::default());
        app.clock = clock;
        Self { app, agent: "one" }
    }

    async fn ask(&mut self, action: &str) -> Response {
        use tower::ServiceExt;
        let request = http::Request::get(format!("/{action}"))
            .header("user-agent", self.agent)
            .body(axum::body::Body::empty())
            .unwrap();
        let request = self.app.browser.request(request);
        let response = self.app.router.clone().oneshot(request).await.unwrap();
        self.app.browser.store(&response);
        response
    }

    async fn page(&mut self, action: &str) -> String {
        text(self.ask(action).await).await
    }

    async fn session<R>(&mut self, with: impl FnOnce(&Session) -> R) -> R {
        let manager = self.app.manager.clone();
        self.app.browser.session(&manager, with).await.unwrap()
    }

    /// The browser was closed: what was not permanent is gone.
    fn restart(&mut self) {
        self.app.browser.remove_cookie("session");
    }

    fn token(&self) -> Option<&str> {
        self.app.browser.cookie("remember_token")
    }
}

#[test]
fn p1_the_token_is_flask_logins_to_the_byte() {
    let login = FlaskLogin::new(key());
    assert_eq!(login.remember_token("alice"), ALICE);
    assert_eq!(login.remember_token("a|b é"), ODD);
    assert_eq!(login.user_of(ALICE), Some("alice"));
    assert_eq!(login.user_of(ODD), Some("a|b é"));
}

#[test]
fn a_token_of_an_older_key_is_good_while_that_key_verifies() {
    let ring = KeyRing::new(SecretKey::new("the new key").unwrap());
    assert_eq!(FlaskLogin::new(ring.clone()).user_of(ALICE), None);
    let ring = ring.fallback(key());
    assert_eq!(FlaskLogin::new(ring).user_of(ALICE), Some("alice"));
}

#[test]
fn s01_a_token_with_any_character_changed_is_nobodys() {
    let login = FlaskLogin::new(key());
    for at in 0..ALICE.len() {
        for character in ["0", "g", "|", "", "é", "00"] {
            let mut changed = ALICE.to_owned();
            changed.replace_range(at..=at, character);
            if changed != ALICE {
                assert_eq!(login.user_of(&changed), None, "{at} {character}");
            }
        }
    }
    let (_, digest) = ALICE.split_once('|').unwrap();
    for wrong in [
        String::new(),
        "|".to_owned(),
        "alice".to_owned(),
        "alice|".to_owned(),
        digest.to_owned(),
        format!("bob|{digest}"),
        format!("alice||{digest}"),
        format!("alice|{}", digest.to_uppercase()),
        format!("alice|{digest}00"),
        format!("alice|{}", &digest[..126]),
        format!("alice|{}", "x".repeat(1 << 20)),
    ] {
        assert_eq!(login.user_of(&wrong), None);
    }
}

#[tokio::test]
async fn a_login_is_in_the_session_as_flask_login_has_it() {
    let mut site = Site::new(|login| login);
    assert_eq!(site.page("who").await, "nobody");
    assert_eq!(site.page("login").await, "alice fresh");
    assert_eq!(site.page("who").await, "alice fresh");
    assert_eq!(site.token(), None);
    let (user, fresh, id) = site
        .session(|session| {
            let text = |key| session.get::<String>(key).unwrap();
            (
                text("_user_id"),
                session.get::<bool>("_fresh").unwrap(),
                text("_id"),
            )
        })
        .await;
    assert_eq!((user.as_deref(), fresh), (Some("alice"), Some(true)));
    assert_eq!(id.unwrap(), IDENTIFIER);
    assert_eq!(site.page("logout").await, "nobody");
    assert_eq!(site.page("who").await, "nobody");
    assert!(site.session(Session::is_empty).await);
}

/// Flask-Login's identifier of the address 10.0.0.1 and the agent `one`.
const IDENTIFIER: &str = "35e5d94bc6b3a2a235989fd5dc5fa8178ec63ea043dd58a8abd2323ed009b883c4fb287b3120d4a9f24631d6006c642dfbe38771e32c606c20dca183d068fcd8";

#[tokio::test]
async fn who_asked_to_be_remembered_is_known_after_the_browser_was_closed() {
    let mut site = Site::new(|login| login);
    let response = site.ask("remember").await;
    let cookies = header(&response, "set-cookie");
    let remember = cookies
        .iter()
        .find(|cookie| cookie.starts_with("remember_token="))
        .unwrap();
    assert_eq!(
        remember,
        &format!(
            "remember_token={ALICE}; Expires=Wed, 13 Nov 2024 22:13:20 GMT; Secure; HttpOnly; Path=/; SameSite=Lax"
        )
    );
    assert_eq!(NOW + YEAR, 1_731_536_000);
    assert_eq!(header(&response, "cache-control"), ["private"]);
    site.restart();
    assert_eq!(site.page("who").await, "alice restored");
    // From now on it is the session that knows; the password was not given in it.
    assert_eq!(site.page("who").await, "alice");
    assert_eq!(site.page("confirm").await, "alice fresh");
    assert_eq!(site.page("who").await, "alice fresh");
    assert!(site.token().is_some());
    assert_eq!(site.page("logout").await, "nobody");
    assert_eq!(site.token(), None);
    assert_eq!(site.page("who").await, "nobody");
}

#[tokio::test]
async fn a_logout_is_not_undone_by_the_token_that_came_with_it() {
    let mut site = Site::new(|login| login);
    site.page("remember").await;
    site.restart();
    assert_eq!(site.page("logout-and-ask-again").await, "nobody");
    assert_eq!(site.token(), None);
}

#[tokio::test]
async fn s11_a_remembered_login_begins_a_session_under_a_new_id() {
    let store = cloakroom::store::MemoryStore::new();
    let manager = cloakroom::SessionManager::stored(store, SessionConfig::default()).unwrap();
    let login = FlaskLogin::new(key());
    let router = Router::new()
        .route("/{action}", get(act))
        .route(
            "/cart",
            get(async |session: Session| session.insert("cart", 1)),
        )
        .with_state(login)
        .layer(cloakroom::SessionLayer::new(manager.clone()));
    let mut site = Site::new(|login| login);
    (site.app.router, site.app.manager) = (router, manager);
    site.ask("cart").await;
    let anonymous = site.app.browser.cookie("session").unwrap().to_owned();
    site.app.browser.set_cookie("remember_token", ALICE);
    assert_eq!(site.page("who").await, "alice restored");
    let restored = site.app.browser.cookie("session").unwrap().to_owned();
    assert_ne!(restored, anonymous);
    site.page("confirm").await;
    assert_ne!(site.app.browser.cookie("session").unwrap(), restored);
    let mut thief = Browser::new();
    thief.set_cookie("session", anonymous);
    std::mem::swap(&mut site.app.browser, &mut thief);
    assert_eq!(site.page("who").await, "nobody");
}

#[tokio::test]
async fn cve_2021_41268_a_token_is_bound_to_its_user() {
    let mut site = Site::new(|login| login);
    let (_, digest) = ALICE.split_once('|').unwrap();
    site.app
        .browser
        .set_cookie("remember_token", format!("bob|{digest}"));
    assert_eq!(site.page("who").await, "nobody");
    assert!(site.session(Session::is_empty).await);
    // The next login does not inherit the cookie of the user before.
    site.app.browser.set_cookie("remember_token", ALICE);
    assert_eq!(site.page("bob").await, "bob fresh");
    assert_eq!(site.token(), None);
    site.restart();
    assert_eq!(site.page("who").await, "nobody");
}

#[tokio::test]
async fn cve_2024_51996_an_application_can_end_a_remembered_login() {
    // The token itself outlives a new password; what the application looks up when it is used does not have to.
    let mut site = Site::new(|login| login);
    site.app.browser.set_cookie("remember_token", ALICE);
    assert_eq!(site.page("who").await, "alice restored");
    site.restart();
    assert_eq!(site.page("logout").await, "nobody");
    assert_eq!(site.token(), None);
    // An id that changes with the password is another user's.
    let login = FlaskLogin::new(key());
    let before = login.remember_token("alice;password=1");
    assert_eq!(login.user_of(&before.replace("=1", "=2")), None);
}

#[tokio::test]
async fn another_browser_loses_the_freshness_or_the_login() {
    let mut site = Site::new(|login| login);
    site.page("remember").await;
    site.agent = "two";
    assert_eq!(site.page("who").await, "alice");
    site.agent = "one";
    assert_eq!(site.page("who").await, "alice");

    let mut site = Site::new(|login| login.protection(SessionProtection::None));
    site.page("remember").await;
    site.agent = "two";
    assert_eq!(site.page("who").await, "alice fresh");

    let mut site = Site::new(|login| login.protection(SessionProtection::Strong));
    site.page("remember").await;
    assert_eq!(site.page("who").await, "alice fresh");
    site.agent = "two";
    assert_eq!(site.page("who").await, "nobody");
    assert_eq!(site.token(), None);
    site.agent = "one";
    assert_eq!(site.page("who").await, "nobody");
}

#[tokio::test]
async fn a_strong_session_that_is_permanent_loses_its_freshness_only() {
    let mut site = Site::new(|login| login.protection(SessionProtection::Strong));
    site.page("login").await;
    site.page("permanent").await;
    site.agent = "two";
    assert_eq!(site.page("who").await, "alice");
}

#[tokio::test]
async fn a_restored_login_stays_under_strong_protection() {
    let mut site = Site::new(|login| login.protection(SessionProtection::Strong));
    site.page("remember").await;
    site.restart();
    assert_eq!(site.page("who").await, "alice restored");
    assert_eq!(site.page("who").await, "alice");
    site.agent = "two";
    assert_eq!(site.page("who").await, "nobody");
}

#[tokio::test]
async fn the_cookie_lives_as_long_as_the_login_says() {
    let mut site = Site::new(|login| login.duration(Duration::from_secs(60)));
    let expires = |response: &Response| {
        let cookies = header(response, "set-cookie");
        let cookie = cookies
            .iter()
            .find(|cookie| cookie.starts_with("remember"))?;
        Some(cookie.split("; ").nth(1)?.to_owned())
    };
    let minute = Some("Expires=Tue, 14 Nov 2023 22:14:20 GMT".to_owned());
    assert_eq!(expires(&site.ask("remember").await), minute);
    let day = Some("Expires=Wed, 15 Nov 2023 22:13:20 GMT".to_owned());
    assert_eq!(expires(&site.ask("day").await), day);
    // The next one does not inherit it.
    assert_eq!(expires(&site.ask("remember").await), minute);
    assert_eq!(expires(&site.ask("who").await), None);
}

#[tokio::test]
async fn refreshing_renews_the_cookie_of_who_has_one() {
    let mut site = Site::new(|login| login.refresh_each_request(true));
    let sets = |response: &Response| {
        let cookies = header(response, "set-cookie");
        cookies
            .iter()
            .any(|cookie| cookie.starts_with("remember_token=alice"))
    };
    assert!(!sets(&site.ask("login").await));
    assert!(!sets(&site.ask("who").await));
    assert!(sets(&site.ask("remember").await));
    let response = site.ask("who").await;
    assert!(sets(&response));
    assert_eq!(header(&response, "cache-control"), ["private"]);
    site.ask("logout").await;
    assert!(!sets(&site.ask("who").await));
}

#[tokio::test]
async fn notes_that_flask_login_left_in_the_session_are_carried_out() {
    let mut site = Site::new(|login| login);
    site.page("remember").await;
    site.session(|session| {
        session.remove("_user_id");
        session.insert("_remember", "clear").unwrap();
    })
    .await;
    assert_eq!(site.page("who").await, "nobody");
    assert_eq!(site.token(), None);
    assert!(
        !site
            .session(|session| session.contains_key("_remember"))
            .await
    );
    site.page("login").await;
    site.session(|session| session.insert("_remember", "set").unwrap())
        .await;
    assert_eq!(site.page("who").await, "alice fresh");
    assert_eq!(site.token(), Some(ALICE));
}

#[tokio::test]
async fn p7_pages_that_only_ask_write_nothing() {
    for who in ["login", "nobody"] {
        let mut site = Site::new(|login| login);
        site.page(who).await;
        site.session(|session| session.insert("cart", 1).unwrap())
            .await;
        assert_eq!(
            header(&site.ask("who").await, "set-cookie"),
            Vec::<String>::new()
        );
    }
}

#[tokio::test]
async fn flasks_own_user_ids_may_be_numbers() {
    let mut site = Site::new(|login| login);
    site.session(|session| session.insert("_user_id", 42).unwrap())
        .await;
    assert_eq!(site.page("who").await, "42");
}

#[tokio::test]
async fn the_page_wanted_before_the_login_is_taken_once_and_only_of_this_site() {
    let manager = cloakroom::SessionManager::signed(key(), SessionConfig::default()).unwrap();
    let headers = HeaderMap::new();
    let session = manager.open(&headers).await.unwrap();
    let visitor = FlaskLogin::new(key())
        .visitor(&session, &Cookies::parse(&headers), &Client::default())
        .unwrap();
    visitor.keep_next("/cart?page=2").unwrap();
    assert_eq!(visitor.take_next().as_deref(), Some("/cart?page=2"));
    assert_eq!(visitor.take_next(), None);
    for elsewhere in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "/\t/evil.example/",
        "\\\\evil.example",
        "javascript:alert(1)",
        "cart",
        "",
    ] {
        session.insert("next", elsewhere).unwrap();
        assert_eq!(visitor.take_next(), None, "{elsewhere:?}");
        assert!(!session.contains_key("next"));
    }
}

#[test]
fn flask_logins_settings_mean_what_they_mean_there() {
    let settings = |more: &[(&'static str, Value)]| {
        let key = ("SECRET_KEY", Value::from("a key for the tests of sessions"));
        FlaskSettings::from_map([key].into_iter().chain(more.iter().cloned())).flask_login()
    };
    let cookie = |more: &[(&'static str, Value)]| {
        let login = settings(more).unwrap().clock(cloakroom::Clock::manual(NOW));
        let config = SessionConfig::default();
        let manager = cloakroom::SessionManager::signed(key(), config).unwrap();
        let session = cloakroom::testing::now(manager.open(&HeaderMap::new()))
            .unwrap()
            .unwrap();
        let cookies = Cookies::parse(&HeaderMap::new());
        let mut visitor = login
            .visitor(&session, &cookies, &Client::default())
            .unwrap();
        visitor.login("alice", Remember::Yes).unwrap();
        let set = visitor.set_cookie().unwrap().unwrap();
        set.header_value().to_str().unwrap().replace(ALICE, "@")
    };
    assert_eq!(
        cookie(&[]),
        "remember_token=@; Expires=Wed, 13 Nov 2024 22:13:20 GMT; HttpOnly; Path=/"
    );
    assert_eq!(
        cookie(&[
            ("REMEMBER_COOKIE_NAME", Value::from("again")),
            ("REMEMBER_COOKIE_DURATION", Value::from(60)),
            ("REMEMBER_COOKIE_DOMAIN", Value::from("example.com")),
            ("REMEMBER_COOKIE_PATH", Value::from("/app")),
            ("REMEMBER_COOKIE_SECURE", Value::from(true)),
            ("REMEMBER_COOKIE_HTTPONLY", Value::from(false)),
            ("REMEMBER_COOKIE_SAMESITE", Value::from("Strict")),
            ("REMEMBER_COOKIE_REFRESH_EACH_REQUEST", Value::from(true)),
            ("SESSION_PROTECTION", Value::from("strong")),
        ]),
        "again=@; Domain=example.com; Expires=Tue, 14 Nov 2023 22:14:20 GMT; Secure; Path=/app; SameSite=Strict"
    );
    assert!(settings(&[("SESSION_PROTECTION", Value::None)]).is_ok());
    for (name, value) in [
        ("SESSION_PROTECTION", Value::from("storng")),
        ("REMEMBER_COOKIE_DURATION", Value::from("a year")),
        ("REMEMBER_COOKIE_SAMESITE", Value::from("None")),
        ("REMEMBER_COOKIE_SAMESITE", Value::from("sometimes")),
        ("REMEMBER_COOKIE_NAME", Value::from("remember me")),
        ("REMEMBER_COOKIE_SECUER", Value::from(true)),
    ] {
        let error = settings(&[(name, value)]).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn s09_neither_users_nor_tokens_are_shown_by_debug() {
    let login = FlaskLogin::new(key());
    let mut headers = HeaderMap::new();
    headers.insert("cookie", format!("remember_token={ALICE}").parse().unwrap());
    let manager = cloakroom::SessionManager::signed(key(), SessionConfig::default()).unwrap();
    let session = manager.open(&headers).await.unwrap();
    let visitor = login
        .visitor(&session, &Cookies::parse(&headers), &Client::default())
        .unwrap();
    assert_eq!(visitor.user_id().as_deref(), Some("alice"));
    let shown = format!("{login:?} {visitor:?} {:?}", visitor.set_cookie());
    assert!(
        !shown.contains("alice") && !shown.contains("a key"),
        "{shown}"
    );
}

/// Fails if a restored login is put into the session past `Session::login`.
#[tokio::test]
async fn s23_a_restored_login_is_listed_among_the_users_sessions_and_can_be_ended() {
    let store = cloakroom::store::MemoryStore::new();
    let config = SessionConfig::default().user_sessions(cloakroom::UserSessions::default());
    let manager = cloakroom::SessionManager::stored(store, config).unwrap();
    let router = Router::new()
        .route("/{action}", get(act))
        .with_state(FlaskLogin::new(key()))
        .layer(cloakroom::SessionLayer::new(manager.clone()));
    let mut site = Site::new(|login| login);
    (site.app.router, site.app.manager) = (router, manager.clone());
    site.app.browser.set_cookie("remember_token", ALICE);
    assert_eq!(site.page("who").await, "alice restored");
    site.app.browser.remove_cookie("remember_token");
    assert_eq!(site.page("who").await, "alice");
    assert_eq!(manager.sessions_of("alice").await.unwrap().len(), 1);
    assert_eq!(manager.end_sessions_of("alice").await.unwrap(), 1);
    assert_eq!(site.page("who").await, "nobody");
}
