//! A session in somebody else's copy of a page: what a shared cache may keep.

use axum::{Router, body::Body, response::IntoResponse, routing::get};
use cloakroom::{Error, Refresh, Session, SessionConfig};
use http::{HeaderValue, Request, Response, header};

use crate::{
    shared_cache::SharedCache,
    support::app::{App, header as values, text},
    support::now::SessionNow,
    visits::HOUR,
};

fn routes() -> Router {
    async fn page() -> &'static str {
        "a page that does not look at the session"
    }
    async fn contains(session: Session) -> String {
        session.contains_key("user").to_string()
    }
    async fn length(session: Session) -> String {
        session.len().to_string()
    }
    async fn public(session: Session) -> Result<Response<Body>, Error> {
        session.insert("seen", true)?;
        let mut response = "an image".into_response();
        let forever = HeaderValue::from_static("public, max-age=31536000, s-maxage=31536000");
        response.headers_mut().insert("cache-control", forever);
        Ok(response)
    }
    async fn count(session: Session) -> Result<String, Error> {
        let n = session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1)?;
        Ok(format!("count {n}"))
    }
    Router::new()
        .route("/", get(page))
        .route("/contains", get(contains))
        .route("/length", get(length))
        .route("/public", get(public))
        .route("/count", get(count))
}

/// A site, and the cookie of a visitor who is logged in for good.
fn site(config: SessionConfig) -> (App, String) {
    let mut app = App::new(routes(), config);
    let manager = app.manager.clone();
    app.browser
        .session_now(&manager, |session| {
            session.insert("user", "alice").unwrap();
            session.set_permanent(true);
        })
        .unwrap();
    let cookie = app.browser.cookie("session").unwrap().to_owned();
    (app, format!("session={cookie}"))
}

fn request(path: &str, cookie: &str) -> Request<Body> {
    let mut request = Request::get(path);
    if !cookie.is_empty() {
        request = request.header(header::COOKIE, cookie);
    }
    request.body(Body::empty()).unwrap()
}

/// Settings under which an untouched session gets a new cookie.
fn refreshing() -> [SessionConfig; 2] {
    [
        SessionConfig::default().refresh(Refresh::EachRequest),
        SessionConfig::flask(),
    ]
}

/// Fails if a cookie leaves without `Vary: Cookie`.
#[tokio::test]
async fn cve_2023_30861_a_session_that_is_only_renewed_varies_by_cookie() {
    for config in refreshing() {
        let (mut app, alice) = site(config);
        let renewed = app.get("/").await;
        assert_eq!(values(&renewed, "set-cookie").len(), 1);
        assert_eq!(values(&renewed, "vary"), ["Cookie"]);
        // Through a cache that ignores nothing: Alice's cookie does not reach a stranger.
        let cache = SharedCache::default();
        cache.send(&app.router, request("/", &alice)).await;
        let stranger = cache.send(&app.router, request("/", "")).await;
        assert!(values(&stranger, "set-cookie").is_empty());
    }
}

/// Fails if asking whether a key is there, or how many there are, is not looking at the session.
#[tokio::test]
async fn cve_2026_27205_asking_whether_and_how_many_is_looking() {
    let (app, alice) = site(SessionConfig::default());
    let cache = SharedCache::default();
    for (path, hers, strangers) in [("/contains", "true", "false"), ("/length", "2", "0")] {
        let answer = cache.send(&app.router, request(path, &alice)).await;
        assert_eq!(values(&answer, "vary"), ["Cookie"], "{path}");
        assert_eq!(text(answer).await, hers);
        let answer = cache.send(&app.router, request(path, "")).await;
        assert_eq!(text(answer).await, strangers, "{path}");
    }
}

/// Fails if a renewed cookie leaves without `Cache-Control: private`, or without `Vary`.
#[tokio::test]
async fn cve_2026_35192_a_cookie_with_each_request_is_never_stored() {
    let (app, alice) = site(SessionConfig::default().refresh(Refresh::EachRequest));
    let cache = SharedCache::default();
    for _ in 0..3 {
        let answer = cache.send(&app.router, request("/", &alice)).await;
        assert_eq!(values(&answer, "set-cookie").len(), 1);
        assert_eq!(values(&answer, "cache-control"), ["private"]);
        assert_eq!(values(&answer, "vary"), ["Cookie"]);
    }
    assert_eq!((cache.stored(), cache.hits()), (0, 0));
    // The page itself, for those who have no session, may be stored and served.
    for _ in 0..3 {
        cache.send(&app.router, request("/", "")).await;
    }
    assert_eq!((cache.stored(), cache.hits()), (1, 2));
}

/// Fails if a response with our cookie is private only when the request brought no cookie at all, or ours.
#[tokio::test]
async fn cve_2026_48588_unrelated_cookies_make_no_difference() {
    let (app, alice) = site(SessionConfig::default());
    for cookies in [
        String::new(),
        "theme=dark".to_owned(),
        "_ga=GA1.2.3; theme=dark".to_owned(),
        format!("theme=dark; {alice}"),
        format!("{alice}; theme=dark"),
        "session=; theme=dark".to_owned(),
    ] {
        let cache = SharedCache::ignoring(&["vary"]);
        let first = cache.send(&app.router, request("/count", &cookies)).await;
        assert_eq!(values(&first, "set-cookie").len(), 1, "{cookies}");
        assert_eq!(values(&first, "cache-control"), ["private"], "{cookies}");
        assert_eq!(cache.stored(), 0, "{cookies}");
        let second = cache
            .send(&app.router, request("/count", "theme=dark"))
            .await;
        assert_eq!(text(second).await, "count 1", "{cookies}");
    }
}

/// Fails if `public` and `s-maxage` stay beside our cookie.
#[tokio::test]
async fn cve_2024_26144_a_public_response_with_our_cookie_is_private() {
    let (app, alice) = site(SessionConfig::default());
    for cookies in [alice.as_str(), "", "theme=dark"] {
        let cache = SharedCache::ignoring(&["vary"]);
        let answer = cache.send(&app.router, request("/public", cookies)).await;
        assert_eq!(values(&answer, "set-cookie").len(), 1);
        let control = values(&answer, "cache-control").join(", ");
        assert_eq!(control, "max-age=31536000, private");
        cache.advance(HOUR);
        assert_eq!(cache.stored(), 0, "{cookies}");
    }
}
