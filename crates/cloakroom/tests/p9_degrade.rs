//! P9: what the visitor gets while the store is down, as each route says: an error, or a page that knows nobody and
//! claims nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use axum::{
    Router,
    body::Body,
    extract::Path,
    response::IntoResponse,
    routing::{get, post},
};
use cloakroom::{
    Clock, Cookies, Error, OutagePolicy, PendingUser, SecretKey, Session, SessionConfig,
    SessionLayer, SessionManager, Status, Typed, User,
    csrf::{CsrfLayer, CsrfTokens},
    flask_login::{Client, FlaskLogin},
    store::Store,
};
use faulty::{ALL, Fault, Faulty};
use http::{HeaderMap, Request, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;

#[path = "support/faulty.rs"]
mod faulty;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Visitor {
    n: u64,
}

/// What the session says of itself, without changing anything.
async fn look(session: Session) -> impl IntoResponse {
    let status = match session.status() {
        Status::Unknown => "unknown",
        Status::New => "new",
        Status::Stored => "stored",
        _ => "else",
    };
    let n = session.get::<u64>("n").unwrap();
    let said = format!(
        "{status} n={n:?} subject={:?} pending={:?} new={} unknown={} modified={} keys={} has={} permanent={} flashes={} fresh={}",
        session.subject(),
        session.pending_subject(),
        session.is_new(),
        session.is_unknown(),
        session.is_modified(),
        session.len(),
        session.contains_key("n"),
        session.permanent(),
        session.flashes().len(),
        session.authenticated_within(std::time::Duration::MAX),
    );
    // A page that everybody may keep, as long as it is the usual one.
    ([(header::CACHE_CONTROL, "public, max-age=3600")], said)
}

const UNKNOWN: &str = "unknown n=None subject=None pending=None new=false unknown=true modified=false keys=0 has=false \
                       permanent=false flashes=0 fresh=false";

async fn set_up(session: Session) -> Result<(), Error> {
    session.insert("n", 1)?;
    session.flash("info", "Hello");
    session.login("ann")
}

/// Changes that can say that they fail.
async fn try_to(session: Session, Path(what): Path<String>) -> Result<&'static str, Error> {
    match what.as_str() {
        "insert" => session.insert("n", 2)?,
        "update" => drop(session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1)?),
        "take" => drop(session.take::<u64>("n")?),
        "default" => drop(session.get_or_insert_with("n", || 7)?),
        "login" => session.login("bob")?,
        "begin-login" => session.begin_login("bob")?,
        "save" => session.save().await?,
        _ => panic!("{what}"),
    }
    Ok("it worked")
}

/// The same, by a handler that does not care.
async fn try_in_vain(session: Session, path: Path<String>) -> &'static str {
    match try_to(session, path).await {
        Ok(_) => "it worked",
        Err(error) => match error {
            Error::StoreUnavailable { .. } => "not now",
            _ => "something else",
        },
    }
}

/// Changes that cannot.
async fn just(session: Session, Path(what): Path<String>) -> &'static str {
    match what.as_str() {
        "clear" => session.clear(),
        "destroy" => session.destroy(),
        "logout" => session.logout(),
        "remove" => drop(session.remove("n")),
        "regenerate" => session.regenerate(),
        "set-permanent" => session.set_permanent(true),
        "flash" => session.flash("info", "Saved"),
        _ => panic!("{what}"),
    }
    "it worked"
}

async fn user(user: User) -> String {
    user.id().to_owned()
}

async fn maybe_user(user: Option<User>) -> &'static str {
    user.map_or("nobody", |_| "somebody")
}

async fn pending_user(user: PendingUser) -> String {
    user.id().to_owned()
}

async fn typed(visitor: Typed<Visitor>) -> String {
    visitor.n.to_string()
}

async fn maybe_session(session: Option<Session>) -> &'static str {
    match session {
        Some(session) if session.is_unknown() => "unknown",
        Some(_) => "a session",
        None => "none",
    }
}

/// A handler that hides the error, on a page for everybody.
async fn careless(session: Result<Session, Error>) -> impl IntoResponse {
    let body = session.map_or("without", |_| "with");
    ([(header::CACHE_CONTROL, "public, max-age=3600")], body)
}

fn routes() -> Router {
    Router::new()
        .route("/look", get(look))
        .route("/set-up", get(set_up))
        .route("/try/{what}", get(try_to))
        .route("/try-in-vain/{what}", get(try_in_vain))
        .route("/just/{what}", get(just))
        .route("/user", get(user))
        .route("/maybe-user", get(maybe_user))
        .route("/pending-user", get(pending_user))
        .route("/typed", get(typed))
        .route("/maybe-session", get(maybe_session))
        .route("/careless", get(careless))
}

struct Site {
    router: Router,
    manager: SessionManager,
    driver: Faulty,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }

    /// The cookie is left alone and no cache keeps the answer.
    fn assert_leaves_no_trace(&self, about: &str) {
        assert_eq!(self.header(header::SET_COOKIE), [""; 0], "{about}");
        assert_eq!(self.header(header::VARY), ["Cookie"], "{about}");
        assert_eq!(self.header(header::CACHE_CONTROL), ["no-store"], "{about}");
    }

    fn assert_come_back(&self, about: &str) {
        assert_eq!(self.status, StatusCode::SERVICE_UNAVAILABLE, "{about}");
        assert_eq!(self.header(header::RETRY_AFTER), ["2"], "{about}");
        self.assert_leaves_no_trace(about);
        assert!(!self.body.contains("worked"), "{about}: {}", self.body);
    }
}

impl Site {
    /// The same routes three times: below `/strict` and `/lax` as these say, else as the settings say.
    fn new(config: SessionConfig) -> Self {
        let driver = Faulty::new(Clock::system());
        let store = Store::new(driver.clone()).without_breaker();
        let manager = SessionManager::stored(store, config).unwrap();
        let sessions = SessionLayer::new(manager.clone());
        let strict = routes().layer(sessions.clone().on_outage(OutagePolicy::Require));
        let lax = routes().layer(sessions.clone().on_outage(OutagePolicy::Degrade));
        let router = routes()
            .layer(sessions)
            .nest("/strict", strict)
            .nest("/lax", lax);
        Self {
            router,
            manager,
            driver,
        }
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        let mut request = Request::get(path);
        if !cookie.is_empty() {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(Body::empty()).unwrap();
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// The cookie of somebody who is logged in.
    async fn visitor(&self) -> String {
        let answer = self.get("/set-up", "").await;
        let cookie = answer.header(header::SET_COOKIE)[0];
        cookie.split(';').next().unwrap().to_owned()
    }

    /// The store is back, and the session is as it was.
    async fn is_as_before(&self, cookie: &str) {
        self.driver.set(Fault::None, ALL);
        let session = self.open(cookie).await.unwrap();
        assert_eq!(session.subject().as_deref(), Some("ann"));
        assert_eq!(session.get::<u64>("n").unwrap(), Some(1));
        assert_eq!(session.flashes().len(), 1);
    }

    async fn open(&self, cookie: &str) -> Result<Session, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        self.manager.open(&headers).await
    }
}

#[tokio::test(start_paused = true)]
async fn p9_a_route_that_can_do_without_answers_and_claims_nothing() {
    for config in [SessionConfig::default(), SessionConfig::flask()] {
        let site = Site::new(config);
        let visitor = site.visitor().await;
        for fault in [Fault::Unreachable, Fault::Hangs] {
            site.driver.set(fault, ALL);
            let answer = site.get("/lax/look", &visitor).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.body, UNKNOWN);
            answer.assert_leaves_no_trace("look");
            // It asks once, and writes nothing.
            assert_eq!(site.driver.calls(), ["load"]);
            assert_eq!(
                site.get("/lax/maybe-session", &visitor).await.body,
                "unknown"
            );
            // The same page elsewhere needs to know.
            for path in ["/look", "/strict/look", "/maybe-session"] {
                site.get(path, &visitor).await.assert_come_back(path);
            }
            site.is_as_before(&visitor).await;
        }
        // In good times there is no difference.
        let usual = site.get("/lax/look", &visitor).await;
        assert!(
            usual
                .body
                .starts_with("stored n=Some(1) subject=Some(\"ann\")")
        );
    }
}

/// Somebody who may be logged in is not told otherwise.
#[tokio::test]
async fn p9_extractors_that_tell_who_it_is_answer_503_on_every_route() {
    let site = Site::new(SessionConfig::default());
    let visitor = site.visitor().await;
    site.driver.set(Fault::Unreachable, ALL);
    for path in ["user", "maybe-user", "pending-user", "typed"] {
        for place in ["/lax/", "/strict/"] {
            let path = [place, path].concat();
            site.get(&path, &visitor).await.assert_come_back(&path);
        }
    }
    // Of somebody who brings nothing all is known.
    assert_eq!(site.get("/lax/maybe-user", "").await.body, "nobody");
    assert_eq!(site.get("/lax/user", "").await.status, 401);
    assert_eq!(site.driver.calls().len(), 8);
    site.is_as_before(&visitor).await;
}

#[tokio::test]
async fn p9_a_change_that_cannot_be_kept_says_so() {
    let site = Site::new(SessionConfig::default());
    let visitor = site.visitor().await;
    let changes = [
        "insert",
        "update",
        "take",
        "default",
        "login",
        "begin-login",
        "save",
    ];
    for change in changes {
        site.driver.set(Fault::Unreachable, ALL);
        let answer = site.get(&format!("/lax/try/{change}"), &visitor).await;
        answer.assert_come_back(change);
        // Who can do without goes on.
        let answer = site
            .get(&format!("/lax/try-in-vain/{change}"), &visitor)
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_str()),
            (200, "not now")
        );
        answer.assert_leaves_no_trace(change);
        assert_eq!(site.driver.calls(), ["load"; 2], "{change}");
        site.is_as_before(&visitor).await;
    }
}

/// The handler says "it worked", and it did not.
#[tokio::test]
async fn p9_nobody_is_told_to_be_logged_out_who_is_not() {
    let site = Site::new(SessionConfig::default());
    let visitor = site.visitor().await;
    for change in [
        "logout",
        "clear",
        "destroy",
        "remove",
        "regenerate",
        "set-permanent",
    ] {
        site.driver.set(Fault::Unreachable, ALL);
        let answer = site.get(&format!("/lax/just/{change}"), &visitor).await;
        answer.assert_come_back(change);
        assert_eq!(site.driver.calls(), ["load"], "{change}");
        site.is_as_before(&visitor).await;
    }
    // What a message tells of has happened.
    site.driver.set(Fault::Unreachable, ALL);
    let answer = site.get("/lax/just/flash", &visitor).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (200, "it worked")
    );
    answer.assert_leaves_no_trace("flash");
    assert_eq!(site.driver.calls(), ["load"]);
    site.is_as_before(&visitor).await;
}

/// The store comes back between loading and saving: what was not loaded is not written.
#[tokio::test]
async fn p9_an_unknown_session_never_becomes_a_new_one() {
    let site = Site::new(SessionConfig::default());
    let visitor = site.visitor().await;
    site.driver.set(Fault::Unreachable, "load");
    for path in [
        "/lax/try-in-vain/insert",
        "/lax/just/clear",
        "/lax/try-in-vain/login",
    ] {
        let answer = site.get(path, &visitor).await;
        answer.assert_leaves_no_trace(path);
    }
    assert_eq!(site.driver.calls(), ["load"; 3]);
    site.is_as_before(&visitor).await;
}

#[tokio::test]
async fn p9_a_newcomer_is_served_as_always_and_cannot_be_kept() {
    let site = Site::new(SessionConfig::default());
    site.driver.set(Fault::Unreachable, ALL);
    for place in ["", "/lax", "/strict"] {
        let answer = site.get(&format!("{place}/look"), "").await;
        assert!(answer.body.starts_with("new n=None"), "{}", answer.body);
        assert!(answer.body.contains("new=true unknown=false"));
        let shared = answer.header(header::CACHE_CONTROL);
        assert_eq!(shared, ["public, max-age=3600"]);
        // A cookie that no id can be read from needs no store either.
        let answer = site.get(&format!("{place}/look"), "session=x").await;
        assert!(answer.body.contains("new=true unknown=false"));
        assert_eq!(site.driver.calls(), [""; 0]);
        let answer = site.get(&format!("{place}/try/insert"), "").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header(header::RETRY_AFTER), ["2"]);
        assert_eq!(answer.header(header::SET_COOKIE), [""; 0]);
        assert_eq!(site.driver.calls(), ["create"]);
    }
}

/// The session was loaded and cannot be saved: that is an error on every route.
#[tokio::test]
async fn p9_a_session_that_was_loaded_is_saved_or_the_answer_is_503() {
    let site = Site::new(SessionConfig::default());
    let visitor = site.visitor().await;
    for (path, method) in [
        ("/lax/try/insert", "replace"),
        ("/lax/just/clear", "delete"),
    ] {
        site.driver.set(Fault::Unreachable, method);
        let answer = site.get(path, &visitor).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.header(header::SET_COOKIE), [""; 0], "{path}");
    }
    site.is_as_before(&visitor).await;
}

/// The settings say it for all routes, and a layer for its own.
#[tokio::test]
async fn p9_the_settings_hold_where_a_layer_says_nothing() {
    let site = Site::new(SessionConfig::default().on_outage(OutagePolicy::Degrade));
    let visitor = site.visitor().await;
    site.driver.set(Fault::Unreachable, ALL);
    assert_eq!(site.get("/look", &visitor).await.body, UNKNOWN);
    site.get("/strict/look", &visitor)
        .await
        .assert_come_back("strict");
    // Without any layer.
    let session = site.open(&visitor).await.unwrap();
    assert_eq!(session.status(), Status::Unknown);
    let mut headers = HeaderMap::new();
    site.manager.close(&session, &mut headers).await.unwrap();
    assert_eq!(headers[header::VARY], "Cookie");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(headers.len(), 2);
    let session = site.open(&visitor).await.unwrap();
    session.logout();
    let closed = site.manager.close(&session, &mut headers).await;
    assert!(matches!(closed, Err(Error::StoreUnavailable { .. })));
    let site = Site::new(SessionConfig::default());
    let visitor = site.visitor().await;
    site.driver.set(Fault::Unreachable, ALL);
    let opened = site.open(&visitor).await;
    assert!(matches!(opened, Err(Error::StoreUnavailable { .. })));
}

/// A store that refuses has been set up wrongly; that is no outage to be sat out.
#[tokio::test]
async fn p9_a_store_that_refuses_is_noticed_on_every_route() {
    let site = Site::new(SessionConfig::default());
    let visitor = site.visitor().await;
    site.driver.set(Fault::Refuses, ALL);
    for path in ["/lax/look", "/strict/look"] {
        let answer = site.get(path, &visitor).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        answer.assert_leaves_no_trace(path);
    }
    site.is_as_before(&visitor).await;
}

/// A page that was made without the session is for no cache, even if the handler hides the error.
#[tokio::test]
async fn p9_a_page_made_without_its_session_is_not_kept() {
    let site = Site::new(SessionConfig::default());
    let visitor = site.visitor().await;
    site.driver.set(Fault::Unreachable, ALL);
    let answer = site.get("/strict/careless", &visitor).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (200, "without")
    );
    answer.assert_leaves_no_trace("careless");
}

/// Whether a form may be taken, and whom a remembered login belongs to, nobody knows either.
#[tokio::test]
async fn p9_tokens_and_remembered_logins_are_not_guessed() {
    let key = SecretKey::new("a key of this test alone").unwrap();
    let site = Site::new(SessionConfig::default().on_outage(OutagePolicy::Degrade));
    let forms = Router::new()
        .route("/send", post(async || "sent"))
        .layer(CsrfLayer::new(CsrfTokens::new(key.clone())))
        .layer(SessionLayer::new(site.manager.clone()));
    let visitor = site.visitor().await;
    site.driver.set(Fault::Unreachable, ALL);
    let request = Request::post("/send")
        .header(header::COOKIE, &visitor)
        .header("sec-fetch-site", "same-origin")
        .header("x-csrftoken", "of a page of before")
        .body(Body::empty());
    let response = forms.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "2");

    let flask_login = FlaskLogin::new(key);
    for remembered in [true, false] {
        let session = site.open(&visitor).await.unwrap();
        let mut headers = HeaderMap::new();
        if remembered {
            let cookie = format!("remember_token={}", flask_login.remember_token("bob"));
            headers.insert(header::COOKIE, cookie.parse().unwrap());
        }
        let cookies = Cookies::parse(&headers);
        let who = flask_login.visitor(&session, &cookies, &Client::of(&headers, None));
        assert!(matches!(who, Err(Error::StoreUnavailable { .. })));
    }
    site.is_as_before(&visitor).await;
}

#[cfg(feature = "minijinja")]
#[tokio::test]
async fn p9_templates_show_an_empty_session() {
    use cloakroom::template::Globals;
    let key = SecretKey::new("a key of this test alone").unwrap();
    let site = Site::new(SessionConfig::default().on_outage(OutagePolicy::Degrade));
    let visitor = site.visitor().await;
    site.driver.set(Fault::Unreachable, ALL);
    let session = site.open(&visitor).await.unwrap();
    let cookies = Cookies::parse(&HeaderMap::new());
    let globals = Globals::new(session.clone(), cookies).csrf_tokens(CsrfTokens::new(key));
    let mut environment = minijinja::Environment::new();
    environment
        .add_template(
            "page",
            "{{ session|length }}{{ 'n' in session }}{{ get_flashed_messages()|length }}{{ csrf_token() }}",
        )
        .unwrap();
    let page = environment.get_template("page").unwrap();
    assert_eq!(page.render(globals.into_value()).unwrap(), "0False0");
    let mut headers = HeaderMap::new();
    site.manager.close(&session, &mut headers).await.unwrap();
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
}
