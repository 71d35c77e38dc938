//! Requests that change something carry a sign that no other site can forge (OWASP ASVS 5.0, 3.5.1 and 3.5.3).

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use axum::{
    Router,
    body::{Body, Bytes},
    routing::{any, get},
};
use cloakroom::{
    FlaskSettings, Session, SessionConfig, Value,
    csrf::{CrossSiteLayer, CsrfChecked, CsrfError, CsrfForm, CsrfLayer, CsrfToken, CsrfTokens},
};
use http::{Method, Request, Response, StatusCode};
use std::time::Duration;
use support::app::{App, NOW, header, key, text};
use tower::ServiceExt;

/// What Flask-WTF 1.3.0 signs under the key of these tests at their time for a session with this value.
const VALUE: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = ".eJxTMjA0MjYxNTO3sExMSk5JTcPFVwIA4koKpQ.ZVPxAA.e8FxSejoseyg76fyygHuX03kVXg";

async fn ask(router: &Router, request: http::request::Builder) -> Result<(), CsrfError> {
    let request = request.body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    reason(&response)
}

/// Why the request was refused, if it was.
fn reason<B>(response: &Response<B>) -> Result<(), CsrfError> {
    match response.extensions().get::<CsrfError>() {
        Some(error) => {
            assert_eq!(response.status(), error.status());
            Err(*error)
        }
        None => {
            assert_eq!(response.status(), StatusCode::OK);
            Ok(())
        }
    }
}

fn shop(layer: CrossSiteLayer) -> Router {
    Router::new().route("/", any(|| async {})).layer(layer)
}

fn post() -> http::request::Builder {
    Request::post("/").header("host", "shop.example")
}

#[tokio::test]
async fn s64_what_the_browser_says_is_from_another_site_is_refused() {
    let site = shop(CrossSiteLayer::new());
    for (says, expected) in [
        ("same-origin", Ok(())),
        ("none", Ok(())),
        ("same-site", Err(CsrfError::CrossSite)),
        ("cross-site", Err(CsrfError::CrossSite)),
        ("", Err(CsrfError::CrossSite)),
        ("Same-Origin", Err(CsrfError::CrossSite)),
        ("same-origin, cross-site", Err(CsrfError::CrossSite)),
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "PURGE"] {
            let request = post().method(method).header("sec-fetch-site", says);
            assert_eq!(ask(&site, request).await, expected, "{method} {says}");
        }
        for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
            let request = post().method(method).header("sec-fetch-site", says);
            assert_eq!(ask(&site, request).await, Ok(()), "{method} {says}");
        }
    }
    // Two opinions: the worse one counts, in either order.
    for pair in [["same-origin", "cross-site"], ["cross-site", "same-origin"]] {
        let request = post()
            .header("sec-fetch-site", pair[0])
            .header("sec-fetch-site", pair[1]);
        assert_eq!(ask(&site, request).await, Err(CsrfError::CrossSite));
    }
    // What the browser says counts more than an origin that fits.
    let request = post()
        .header("sec-fetch-site", "cross-site")
        .header("origin", "https://shop.example");
    assert_eq!(ask(&site, request).await, Err(CsrfError::CrossSite));
    let friendly = shop(CrossSiteLayer::new().allow_same_site(true));
    let request = post().header("sec-fetch-site", "same-site");
    assert_eq!(ask(&friendly, request).await, Ok(()));
    let request = post().header("sec-fetch-site", "cross-site");
    assert_eq!(ask(&friendly, request).await, Err(CsrfError::CrossSite));
}

#[tokio::test]
async fn s64_without_that_the_origin_has_to_be_the_host() {
    let site = shop(CrossSiteLayer::new());
    for (host, origin, same) in [
        ("shop.example", "https://shop.example", true),
        ("shop.example", "http://shop.example", true),
        ("Shop.Example", "https://shop.example", true),
        ("shop.example:443", "https://shop.example", true),
        ("shop.example:8000", "http://shop.example:8000", true),
        ("[::1]:8000", "http://[::1]:8000", true),
        ("shop.example", "https://shop.example:8443", false),
        ("shop.example:443", "http://shop.example", false),
        ("shop.example", "https://evil.example", false),
        ("shop.example", "https://shop.example.evil.example", false),
        ("shop.example", "https://evil-shop.example", false),
        ("shop.example", "https://evil.example@shop.example", false),
        ("shop.example", "shop.example", false),
        ("shop.example", "ftp://shop.example", false),
        ("shop.example", "https://shop.example:99999", false),
        ("shop.example", "https://shop.example:", false),
        ("shop.example", "https://shop.example:+443", false),
        ("shop.example", "null", false),
        ("shop.example", "", false),
        ("null", "null", false),
        ("", "https://shop.example", false),
    ] {
        let request = Request::post("/")
            .header("host", host)
            .header("origin", origin);
        let expected = if same {
            Ok(())
        } else {
            Err(CsrfError::CrossOrigin)
        };
        assert_eq!(ask(&site, request).await, expected, "{host} {origin}");
    }
    // HTTP/2 has the host in the target.
    let target = "https://shop.example/";
    let request = Request::post(target).header("origin", "https://shop.example");
    assert_eq!(ask(&site, request).await, Ok(()));
    let request = Request::post(target)
        .header("host", "evil.example")
        .header("origin", "https://evil.example");
    assert_eq!(ask(&site, request).await, Err(CsrfError::CrossOrigin));
    // Neither: not a browser, so nobody was tricked.
    assert_eq!(ask(&site, post()).await, Ok(()));
    let strict = shop(CrossSiteLayer::new().require_sender(true));
    let refused = ask(&strict, post()).await;
    assert_eq!(refused, Err(CsrfError::SenderUnknown));
    let request = post().header("origin", "https://shop.example");
    assert_eq!(ask(&strict, request).await, Ok(()));
    assert_eq!(ask(&strict, post().method("GET")).await, Ok(()));
}

#[tokio::test]
async fn s64_a_configured_origin_counts_in_place_of_the_host() {
    let layer = CrossSiteLayer::new()
        .origin("https://shop.example")
        .unwrap()
        .trusted_origin("https://admin.example:8443")
        .unwrap();
    let site = shop(layer);
    for (origin, passes) in [
        ("https://shop.example", true),
        ("http://shop.example", false),
        ("http://internal:8000", false),
        ("https://admin.example:8443", true),
        ("https://admin.example", false),
    ] {
        let request = Request::post("/")
            .header("host", "internal:8000")
            .header("origin", origin);
        assert_eq!(ask(&site, request).await.is_ok(), passes, "{origin}");
    }
    let request = post()
        .header("sec-fetch-site", "cross-site")
        .header("origin", "https://admin.example:8443");
    assert_eq!(ask(&site, request).await, Ok(()));
    for wrong in [
        "shop.example",
        "https://",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example?query",
        "ftp://shop.example",
        "https://user@shop.example",
        "https://shop.example:99999",
        "null",
        "",
    ] {
        assert!(CrossSiteLayer::new().origin(wrong).is_err(), "{wrong}");
        assert!(
            CrossSiteLayer::new().trusted_origin(wrong).is_err(),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn s64_a_websocket_from_another_site_is_refused() {
    let site = shop(CrossSiteLayer::new());
    let handshake = |origin| {
        Request::get("/")
            .header("host", "shop.example")
            .header("upgrade", "WebSocket")
            .header("origin", origin)
    };
    let refused = ask(&site, handshake("https://evil.example")).await;
    assert_eq!(refused, Err(CsrfError::CrossOrigin));
    assert_eq!(ask(&site, handshake("https://shop.example")).await, Ok(()));
}

#[tokio::test]
async fn s64_a_refusal_says_why_in_plain_words_and_stays_out_of_caches() {
    let request = post()
        .header("sec-fetch-site", "cross-site")
        .body(Body::empty())
        .unwrap();
    let response = shop(CrossSiteLayer::new()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(header(&response, "cache-control"), ["no-store"]);
    assert_eq!(
        header(&response, "content-type"),
        ["text/plain; charset=utf-8"]
    );
    assert_eq!(
        text(response).await,
        "This request was sent by another site, so it was refused. (cross_site)"
    );
}

#[tokio::test]
async fn servers_without_axum_have_the_same_check() {
    let inner = tower::service_fn(|_: Request<()>| async {
        Ok::<_, std::convert::Infallible>(Response::new(String::from("inside")))
    });
    let service = tower::Layer::layer(&CrossSiteLayer::new(), inner);
    let request = |says| {
        Request::post("/")
            .header("sec-fetch-site", says)
            .body(())
            .unwrap()
    };
    let response = service
        .clone()
        .oneshot(request("same-origin"))
        .await
        .unwrap();
    assert_eq!(response.body(), "inside");
    let response = service.oneshot(request("cross-site")).await.unwrap();
    assert_eq!(reason(&response), Err(CsrfError::CrossSite));
}

// Tokens

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

/// A site with Flask-WTF's tokens; what arrives behind the layer is what was sent.
fn site(tokens: impl FnOnce(CsrfTokens) -> CsrfTokens) -> App {
    site_with(CrossSiteLayer::new(), tokens)
}

fn site_with(cross_site: CrossSiteLayer, change: impl FnOnce(CsrfTokens) -> CsrfTokens) -> App {
    let clock = cloakroom::Clock::manual(NOW);
    let tokens = change(CsrfTokens::new(key()).clock(clock.clone()));
    let again = tokens.clone();
    let two = async move |session: Session, CsrfToken { .. }: CsrfToken| {
        let first = again.token(&session).unwrap();
        format!("{first} {}", again.token(&session).unwrap())
    };
    let routes = Router::new()
        .route(
            "/token",
            get(|token: CsrfToken| async move { token.to_string() }),
        )
        .route("/two", get(two))
        .route("/", any(|body: Bytes| async move { body }))
        .route(
            "/form",
            any(|CsrfForm(form): CsrfForm<Name>| async move { form.name }),
        )
        .route("/checked", any(|_: CsrfChecked| async {}))
        .route("/hooks/payment", any(|| async {}))
        .route("/other", any(|| async {}))
        .layer(cross_site.require_token(tokens));
    let mut app = App::new(routes, SessionConfig::default());
    app.clock = clock;
    app
}

/// Sends a form with the browser's cookies.
async fn send(app: &App, path: &str, form: impl Into<Body>) -> Response<Body> {
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.into())
        .unwrap();
    let request = app.browser.request(request);
    app.router.clone().oneshot(request).await.unwrap()
}

async fn send_header(
    app: &App,
    method: Method,
    path: &str,
    name: &str,
    token: &str,
) -> Result<(), CsrfError> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(name, token)
        .body(Body::empty())
        .unwrap();
    reason(
        &app.router
            .clone()
            .oneshot(app.browser.request(request))
            .await
            .unwrap(),
    )
}

#[tokio::test]
async fn p1_tokens_are_flask_wtfs_to_the_byte() {
    let mut app = site(|tokens| tokens);
    app.browser
        .session(&app.manager.clone(), |session| {
            session.insert("csrf_token", VALUE)
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(app.get_text("/token").await, TOKEN);
    assert_eq!(
        reason(&send(&app, "/", format!("csrf_token={TOKEN}")).await),
        Ok(())
    );
}

#[tokio::test]
async fn p1_a_new_session_gets_forty_hexadecimal_digits_and_keeps_them() {
    let mut app = site(|tokens| tokens);
    let first = app.get_text("/token").await;
    let manager = app.manager.clone();
    let value = |app: &mut App| {
        cloakroom::testing::now(app.browser.session(&manager, |session| {
            session.get::<String>("csrf_token").unwrap()
        }))
        .unwrap()
        .unwrap()
        .unwrap()
    };
    let kept = value(&mut app);
    assert_eq!(kept.len(), 40);
    assert!(
        kept.bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    );
    app.clock.advance(Duration::from_secs(1));
    let second = app.get_text("/token").await;
    assert_ne!(first, second);
    assert_eq!(value(&mut app), kept);
    // Both pages' forms are good.
    for token in [first, second] {
        assert_eq!(
            reason(&send(&app, "/", format!("csrf_token={token}")).await),
            Ok(())
        );
    }
    // What is not text, nobody can have signed.
    app.browser
        .session(&manager, |session| session.insert("csrf_token", 7).unwrap())
        .await
        .unwrap();
    let token = app.get_text("/token").await;
    assert_eq!(
        reason(&send(&app, "/", format!("csrf_token={token}")).await),
        Ok(())
    );
}

#[tokio::test]
async fn tokens_of_one_request_are_equal_even_if_it_takes_long() {
    let clock = cloakroom::Clock::manual(NOW);
    let tokens = CsrfTokens::new(key()).clock(clock.clone());
    let config = SessionConfig::default();
    let manager = cloakroom::SessionManager::signed(key(), config).unwrap();
    let session = manager.open(&http::HeaderMap::new()).await.unwrap();
    let first = tokens.token(&session).unwrap();
    clock.advance(Duration::from_secs(5));
    assert_eq!(tokens.token(&session).unwrap(), first);
    // Not beyond a new value, whose old tokens are refused.
    tokens.rotate(&session);
    assert_eq!(
        tokens.verify(&session, &*first),
        Err(CsrfError::MissingSessionToken)
    );
    let second = tokens.token(&session).unwrap();
    assert_ne!(second, first);
    assert_eq!(tokens.verify(&session, &*first), Err(CsrfError::Mismatch));
    assert_eq!(tokens.verify(&session, &*second), Ok(()));
    let mut app = site(|tokens| tokens);
    let pair = app.get_text("/two").await;
    let (left, right) = pair.split_once(' ').unwrap();
    assert_eq!(left, right);
}

#[tokio::test]
async fn cve_2022_24880_no_token_is_a_refusal() {
    let mut app = site(|tokens| tokens);
    let token = app.get_text("/token").await;
    for (form, expected) in [
        (String::new(), Err(CsrfError::Missing)),
        ("csrf_token=".to_owned(), Err(CsrfError::Missing)),
        ("csrf_token".to_owned(), Err(CsrfError::Missing)),
        ("token=1".to_owned(), Err(CsrfError::Missing)),
        ("csrf_token=None".to_owned(), Err(CsrfError::BadSignature)),
        (format!("csrf_token={token}"), Ok(())),
    ] {
        assert_eq!(
            reason(&send(&app, "/", form.clone()).await),
            expected,
            "{form}"
        );
        assert_eq!(
            reason(&send(&app, "/form", form + "&name=x").await),
            expected
        );
    }
    // A body of another type holds no token, whatever is in it.
    for kind in [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
    ] {
        let request = Request::post("/")
            .header("content-type", kind)
            .body(Body::from(format!("csrf_token={token}")))
            .unwrap();
        let response = app
            .router
            .clone()
            .oneshot(app.browser.request(request))
            .await
            .unwrap();
        assert_eq!(reason(&response), Err(CsrfError::Missing), "{kind}");
    }
    // A session without a value is compared with nothing.
    app.browser = cloakroom::testing::Browser::new();
    let response = send(&app, "/", format!("csrf_token={token}")).await;
    assert_eq!(reason(&response), Err(CsrfError::MissingSessionToken));
    app.browser
        .session(&app.manager.clone(), |session| {
            session.insert("csrf_token", "").unwrap();
        })
        .await
        .unwrap();
    let response = send(&app, "/", format!("csrf_token={token}")).await;
    assert_eq!(reason(&response), Err(CsrfError::MissingSessionToken));
}

#[tokio::test]
async fn s64_a_token_is_good_for_its_session_and_its_time_only() {
    let mut app = site(|tokens| tokens);
    let token = app.get_text("/token").await;
    let form = format!("csrf_token={token}");
    let mut thief = site(|tokens| tokens);
    let foreign = thief.get_text("/token").await;
    let response = send(&app, "/", format!("csrf_token={foreign}")).await;
    assert_eq!(reason(&response), Err(CsrfError::Mismatch));
    // Another key, another purpose, another text.
    let salted = cloakroom::token::signed::UrlSafeTimedSerializer::new(key(), "wtf-csrf-tokem");
    for wrong in [
        salted.dumps_at(VALUE, NOW).unwrap(),
        CsrfTokens::new(cloakroom::SecretKey::new("another key").unwrap())
            .token(&app.manager.open(&http::HeaderMap::new()).await.unwrap())
            .unwrap(),
        token[..token.len() - 1].to_owned(),
        token.replacen('.', "..", 1),
        "x".repeat(30_000),
    ] {
        let response = send(&app, "/", format!("csrf_token={wrong}")).await;
        assert_eq!(reason(&response), Err(CsrfError::BadSignature), "{wrong}");
    }
    app.clock.advance(Duration::from_secs(3600));
    assert_eq!(reason(&send(&app, "/", form.clone()).await), Ok(()));
    app.clock.advance(Duration::from_secs(1));
    let response = send(&app, "/", form).await;
    assert_eq!(reason(&response), Err(CsrfError::Expired));
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    // Five seconds from the future are two servers' clocks, more are not.
    app.clock.set(NOW);
    let token = app.get_text("/token").await;
    for (now, expected) in [(NOW - 5, Ok(())), (NOW - 6, Err(CsrfError::Expired))] {
        app.clock.set(now);
        let response = send(&app, "/", format!("csrf_token={token}")).await;
        assert_eq!(reason(&response), expected);
    }
}

#[tokio::test]
async fn s64_without_a_time_limit_a_token_lasts_as_long_as_the_session() {
    let mut app = site(|tokens| tokens.time_limit(None));
    let token = app.get_text("/token").await;
    app.clock.advance(Duration::from_secs(30 * 24 * 60 * 60));
    assert_eq!(
        reason(&send(&app, "/", format!("csrf_token={token}")).await),
        Ok(())
    );
}

#[tokio::test]
async fn scripts_send_the_token_in_a_header_and_forms_with_a_prefix_are_found() {
    let mut app = site(|tokens| tokens);
    let token = app.get_text("/token").await;
    for name in ["X-CSRFToken", "x-csrf-token"] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(send_header(&app, method, "/", name, &token).await, Ok(()));
        }
    }
    assert_eq!(
        send_header(&app, Method::DELETE, "/checked", "X-CSRFToken", &token).await,
        Ok(())
    );
    assert_eq!(
        send_header(&app, Method::POST, "/", "X-CSRF", &token).await,
        Err(CsrfError::Missing)
    );
    // Methods that Flask-WTF does not ask.
    assert_eq!(send_header(&app, Method::GET, "/", "x", "").await, Ok(()));
    let form = format!("name=Ada&login-csrf_token={token}");
    let response = send(&app, "/", form.clone()).await;
    assert_eq!(reason(&response), Ok(()));
    // The body arrives as it was sent.
    assert_eq!(text(response).await, form);
}

#[tokio::test]
async fn a_form_arrives_without_its_token_and_as_its_type() {
    let mut app = site(|tokens| tokens);
    let token = app.get_text("/token").await;
    let form = format!("csrf_token={token}&name=J%C3%B6hn+%26+Co");
    assert_eq!(text(send(&app, "/form", form).await).await, "Jöhn & Co");
    let response = send(&app, "/form", format!("csrf_token={token}&surname=x")).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_form_beyond_the_limit_is_refused_unless_a_header_has_the_token() {
    let mut app = site(|tokens| tokens);
    let token = app.get_text("/token").await;
    let fill = |size: usize| format!("csrf_token={token}&name=") + &"x".repeat(size);
    let fixed = fill(0).len();
    assert_eq!(
        reason(&send(&app, "/", fill(64 * 1024 - fixed)).await),
        Ok(())
    );
    let large = fill(64 * 1024 - fixed + 1);
    let response = send(&app, "/", large.clone()).await;
    assert_eq!(reason(&response), Err(CsrfError::FormTooLarge));
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let request = Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-csrftoken", &token)
        .body(Body::from(large))
        .unwrap();
    let response = app
        .router
        .clone()
        .oneshot(app.browser.request(request))
        .await
        .unwrap();
    assert_eq!(reason(&response), Ok(()));
}

#[tokio::test]
async fn exempt_paths_need_no_token_and_their_neighbours_do() {
    let app = site(|tokens| tokens.exempt("/hooks/*").exempt("/other"));
    for (path, expected) in [
        ("/hooks/payment", Ok(())),
        ("/other", Ok(())),
        ("/", Err(CsrfError::Missing)),
        ("/token", Err(CsrfError::Missing)),
    ] {
        assert_eq!(reason(&send(&app, path, "x=1").await), expected, "{path}");
    }
    // What begins alike is another path.
    let app = site(|tokens| tokens.exempt("/hooks").exempt("/").exempt("/o*"));
    for path in ["/hooks/payment", "/other"] {
        assert_eq!(
            reason(&send(&app, path, "x=1").await),
            Err(CsrfError::Missing),
            "{path}"
        );
    }
    // Where the layer does not look, an extractor still does.
    let app = site(|tokens| tokens.exempt("/checked").exempt("/form"));
    for path in ["/checked", "/form"] {
        assert_eq!(
            reason(&send(&app, path, "name=x").await),
            Err(CsrfError::Missing)
        );
    }
    let app = site(|tokens| tokens.methods([]));
    assert_eq!(reason(&send(&app, "/", "x=1").await), Ok(()));
    assert_eq!(
        reason(&send(&app, "/form", "name=x").await),
        Err(CsrfError::Missing)
    );
    let app = site(|tokens| tokens.enabled(false));
    assert_eq!(reason(&send(&app, "/form", "name=x").await), Ok(()));
}

#[tokio::test]
async fn s64_a_good_token_does_not_excuse_another_site() {
    let mut app = site(|tokens| tokens);
    let token = app.get_text("/token").await;
    let request = Request::post("/")
        .header("x-csrftoken", &token)
        .header("sec-fetch-site", "cross-site")
        .body(Body::empty())
        .unwrap();
    let response = app
        .router
        .clone()
        .oneshot(app.browser.request(request))
        .await
        .unwrap();
    assert_eq!(reason(&response), Err(CsrfError::CrossSite));
}

#[tokio::test]
async fn s64_over_https_the_referrer_has_to_be_of_the_same_origin() {
    let https = || {
        CrossSiteLayer::new()
            .origin("https://shop.example")
            .unwrap()
    };
    for (strict, referrer, expected) in [
        (true, None, Err(CsrfError::ReferrerMissing)),
        (true, Some("https://shop.example/form?x=1"), Ok(())),
        (true, Some("https://shop.example:443/"), Ok(())),
        (
            true,
            Some("http://shop.example/form"),
            Err(CsrfError::ReferrerMismatch),
        ),
        (
            true,
            Some("https://shop.example.evil.example/"),
            Err(CsrfError::ReferrerMismatch),
        ),
        (true, Some("shop.example"), Err(CsrfError::ReferrerMismatch)),
        (false, None, Ok(())),
    ] {
        let mut app = site_with(https(), |tokens| tokens.strict_referrer(strict));
        let token = app.get_text("/token").await;
        let mut request = Request::post("/").header("x-csrftoken", &token);
        if let Some(referrer) = referrer {
            request = request.header("referer", referrer);
        }
        let request = app.browser.request(request.body(Body::empty()).unwrap());
        let response = app.router.clone().oneshot(request).await.unwrap();
        assert_eq!(reason(&response), expected, "{referrer:?}");
    }
    // HTTP/2 over TLS says so itself; plain HTTP has no such rule, in Flask-WTF too.
    let mut app = site(|tokens| tokens);
    let token = app.get_text("/token").await;
    for (target, expected) in [
        ("https://shop.example/", Err(CsrfError::ReferrerMissing)),
        ("http://shop.example/", Ok(())),
    ] {
        assert_eq!(
            send_header(&app, Method::POST, target, "x-csrftoken", &token).await,
            expected
        );
    }
}

#[tokio::test]
async fn flask_wtfs_settings_mean_what_they_mean_there() {
    let key = ("SECRET_KEY", Value::from("a key for the tests of sessions"));
    let settings = |more: &[(&'static str, Value)]| {
        FlaskSettings::from_map([key.clone()].into_iter().chain(more.iter().cloned())).csrf()
    };
    let list = |names: &[&str]| Value::List(names.iter().map(|name| Value::from(*name)).collect());
    let config = SessionConfig::default();
    let manager = cloakroom::SessionManager::signed(support::app::key(), config).unwrap();
    let session = manager.open(&http::HeaderMap::new()).await.unwrap();
    let clock = cloakroom::Clock::manual(NOW);
    let limit = |value: Value| {
        settings(&[("WTF_CSRF_TIME_LIMIT", value)])
            .unwrap()
            .clock(clock.clone())
    };
    let token = limit(Value::from(60)).token(&session).unwrap();
    clock.advance(Duration::from_secs(61));
    assert_eq!(
        limit(Value::from(60)).verify(&session, &*token),
        Err(CsrfError::Expired)
    );
    assert_eq!(limit(Value::from(61)).verify(&session, &*token), Ok(()));
    assert_eq!(limit(Value::None).verify(&session, &*token), Ok(()));
    let other = settings(&[(
        "WTF_CSRF_SECRET_KEY",
        Value::from("a key for forms alone, 32 bytes"),
    )]);
    assert_eq!(
        other.unwrap().verify(&session, &*token),
        Err(CsrfError::BadSignature)
    );
    settings(&[("WTF_CSRF_FIELD_NAME", Value::from("_token"))])
        .unwrap()
        .token(&session)
        .unwrap();
    assert!(session.contains_key("_token"));
    for (name, value) in [
        ("WTF_CSRF_TIME_LIMIT", Value::from("an hour")),
        ("WTF_CSRF_METHODS", Value::from("POST")),
        ("WTF_CSRF_METHODS", list(&["P OST"])),
        ("WTF_CSRF_HEADERS", list(&["X CSRF"])),
        ("WTF_CSRF_ENABLED", Value::from("False")),
        ("WTF_CSRF_TIME_LIMTI", Value::from(60)),
    ] {
        let error = settings(&[(name, value)]).unwrap_err();
        assert!(error.to_string().contains("WTF_CSRF_"), "{error}");
    }
    let _ = settings(&[
        ("WTF_CSRF_METHODS", list(&["POST"])),
        ("WTF_CSRF_HEADERS", list(&["X-Token"])),
        ("WTF_CSRF_SSL_STRICT", Value::from(false)),
        ("WTF_CSRF_CHECK_DEFAULT", Value::from(false)),
        ("WTF_CSRF_META_NAME", Value::from("token")),
        ("WTF_CSRF_ENABLED", Value::from(true)),
    ])
    .unwrap();
}

#[tokio::test]
async fn a_route_without_the_layer_is_a_clear_error() {
    let routes = Router::new().route(
        "/",
        get(|token: CsrfToken| async move { token.to_string() }),
    );
    let mut app = App::new(routes, SessionConfig::default());
    assert_eq!(
        app.get("/").await.status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
    // And a layer without a session around it never lets a form pass.
    let router = Router::new()
        .route("/", any(|| async {}))
        .layer(CsrfLayer::new(CsrfTokens::new(key())));
    let request = Request::post("/")
        .header("x-csrftoken", TOKEN)
        .body(Body::empty())
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn s09_tokens_are_not_shown_by_debug() {
    let shown = format!(
        "{:?} {:?}",
        CsrfTokens::new(key()),
        CsrfLayer::new(CsrfTokens::new(key()))
    );
    assert!(!shown.contains("a key for"), "{shown}");
}
