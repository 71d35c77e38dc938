//! When a session's cookie is sent, renewed and removed, and what it looks like then.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::time::Duration;
use support::now::{SaveNow, SessionNow};

use axum::{Router, body::Body, response::Redirect, routing::get};
use cloakroom::{Error, Refresh, SecretKey, Session, SessionConfig, SessionLayer, value::DateTime};
use http::StatusCode;
use support::app::{App, NOW, header, key, text};

#[tokio::test]
async fn s31_the_default_cookie_is_safe() {
    let handler = |session: Session| async move { session.insert("a", 1) };
    let mut app = App::new(
        Router::new().route("/", get(handler)),
        SessionConfig::default(),
    );
    let cookies = header(&app.get("/").await, "set-cookie");
    let (value, attributes) = cookies[0].split_once("; ").unwrap();
    assert!(value.starts_with("session=eyJhIjoxfQ."), "{value}");
    assert_eq!(attributes, "Secure; HttpOnly; Path=/; SameSite=Lax");
}

#[tokio::test]
async fn s30_nothing_stored_means_no_cookie() {
    let routes = Router::new()
        .route(
            "/read",
            get(|session: Session| async move { session.keys().len().to_string() }),
        )
        .route(
            "/clear",
            get(|session: Session| async move { session.clear() }),
        )
        .route(
            "/undone",
            get(|session: Session| async move {
                session.insert("a", 1).unwrap();
                session.remove("a");
            }),
        );
    let mut app = App::new(routes, SessionConfig::default());
    for path in ["/read", "/clear", "/undone"] {
        assert!(
            header(&app.get(path).await, "set-cookie").is_empty(),
            "{path}"
        );
    }
    // T8: Flask removes a cookie that is not there; with its settings, so do we.
    let routes = Router::new().route(
        "/clear",
        get(|session: Session| async move { session.clear() }),
    );
    let mut app = App::new(routes, SessionConfig::flask());
    assert_eq!(
        header(&app.get("/clear").await, "set-cookie"),
        ["session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; HttpOnly; Path=/"]
    );
}

#[tokio::test]
async fn s44_an_emptied_session_takes_its_cookie_with_it() {
    let routes = Router::new()
        .route(
            "/in",
            get(|session: Session| async move { session.insert("a", 1) }),
        )
        .route(
            "/out",
            get(|session: Session| async move { session.clear() }),
        );
    let mut app = App::new(
        routes,
        SessionConfig::default()
            .domain("example.com")
            .path("/app")
            .partitioned(true),
    );
    let set = header(&app.get("/in").await, "set-cookie");
    assert!(
        set[0].ends_with(
            "; Domain=example.com; Secure; HttpOnly; Path=/app; SameSite=Lax; Partitioned"
        ),
        "{set:?}"
    );
    assert_eq!(
        header(&app.get("/out").await, "set-cookie"),
        [concat!(
            "session=; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; ",
            "Secure; HttpOnly; Path=/app; SameSite=Lax; Partitioned"
        )]
    );
    assert_eq!(app.browser.cookie("session"), None);
}

#[tokio::test]
async fn a_change_that_leaves_everything_as_it_was_sends_no_cookie() {
    let routes = Router::new()
        .route(
            "/same",
            get(|session: Session| async move { session.insert("a", 1) }),
        )
        .route(
            "/back",
            get(|session: Session| async move {
                session.insert("a", 2).unwrap();
                session.insert("a", 1).unwrap();
            }),
        )
        .route(
            "/new",
            get(|session: Session| async move { session.regenerate() }),
        );
    let mut app = App::new(routes.clone(), SessionConfig::default());
    app.browser
        .session_now(&app.manager.clone(), |session| session.insert("a", 1))
        .unwrap()
        .unwrap();
    assert!(header(&app.get("/same").await, "set-cookie").is_empty());
    assert!(header(&app.get("/back").await, "set-cookie").is_empty());
    assert_eq!(header(&app.get("/new").await, "set-cookie").len(), 1);
    let mut app = App::new(routes, SessionConfig::flask());
    app.browser
        .session_now(&app.manager.clone(), |session| session.insert("a", 1))
        .unwrap()
        .unwrap();
    assert_eq!(
        header(&app.get("/same").await, "set-cookie").len(),
        1,
        "Flask sends it"
    );
}

#[tokio::test]
async fn p7_a_reader_renews_the_cookie_rarely() {
    let routes = || {
        Router::new().route(
            "/",
            get(|session: Session| async move { session.len().to_string() }),
        )
    };
    let table = [
        (SessionConfig::default(), 60 * 60),
        (
            SessionConfig::default().refresh(Refresh::After(Duration::from_secs(60))),
            60,
        ),
        (
            SessionConfig::default().lifetime(Duration::from_secs(1000)),
            100,
        ),
    ];
    for (config, due) in table {
        let mut app = App::new(routes(), config);
        app.browser
            .session_now(&app.manager.clone(), |session| session.insert("a", 1))
            .unwrap()
            .unwrap();
        app.clock.advance(Duration::from_secs(due));
        assert!(header(&app.get("/").await, "set-cookie").is_empty());
        app.clock.advance(Duration::from_secs(1));
        assert_eq!(header(&app.get("/").await, "set-cookie").len(), 1);
        assert!(
            header(&app.get("/").await, "set-cookie").is_empty(),
            "renewed just now"
        );
    }
    let mut app = App::new(
        routes(),
        SessionConfig::default().refresh(Refresh::OnChange),
    );
    app.browser
        .session_now(&app.manager.clone(), |session| session.set_permanent(true))
        .unwrap();
    app.clock.advance(Duration::from_secs(30 * 24 * 60 * 60));
    assert!(header(&app.get("/").await, "set-cookie").is_empty());
}

#[tokio::test]
async fn a_permanent_session_expires_with_its_lifetime_and_no_browser_keeps_more_than_400_days() {
    let handler = |session: Session| async move { session.set_permanent(true) };
    let expiry = |days: u64| {
        let config = SessionConfig::default().lifetime(Duration::from_secs(days * 24 * 60 * 60));
        let mut app = App::new(Router::new().route("/", get(handler)), config);
        async move { header(&app.get("/").await, "set-cookie")[0].clone() }
    };
    assert!(
        expiry(31)
            .await
            .contains("; Expires=Fri, 15 Dec 2023 22:13:20 GMT; Secure")
    );
    let clamped = expiry(4000).await;
    let most = DateTime::from_unix(i64::try_from(NOW).unwrap() + 400 * 24 * 60 * 60).unwrap();
    assert!(
        clamped.contains(&format!("; Expires={};", most.to_http_date().unwrap())),
        "S39: {clamped}"
    );
}

#[tokio::test]
async fn p8_the_cookie_leaves_with_the_redirect() {
    async fn login(session: Session) -> Result<Redirect, Error> {
        session.regenerate();
        session.insert("username", "alice")?;
        session.flash("success", "Welcome back");
        Ok(Redirect::to("/"))
    }
    async fn index(session: Session) -> Result<String, Error> {
        let name = session.get::<String>("username")?.unwrap_or_default();
        Ok(format!("{name}: {}", session.flashes()[0].message()))
    }
    let mut app = App::new(
        Router::new()
            .route("/", get(index))
            .route("/login", get(login)),
        SessionConfig::default(),
    );
    let response = app.get("/login").await;
    assert_eq!(
        (response.status(), header(&response, "set-cookie").len()),
        (StatusCode::SEE_OTHER, 1)
    );
    assert_eq!(app.get_text("/").await, "alice: Welcome back");
}

#[tokio::test]
async fn t11_a_failing_handler_keeps_its_changes_as_in_flask() {
    async fn fail(session: Session) -> Result<(), Error> {
        session.insert("kept", true)?;
        session.get::<u8>("kept").map(drop)
    }
    let mut app = App::new(
        Router::new().route("/", get(fail)),
        SessionConfig::default(),
    );
    let response = app.get("/").await;
    assert_eq!(
        (response.status(), header(&response, "set-cookie").len()),
        (StatusCode::INTERNAL_SERVER_ERROR, 1)
    );
    assert!(
        text(response)
            .await
            .contains("session key `kept`: the session holds bool, which does not fit u8")
    );
}

#[tokio::test]
async fn s38_a_cookie_that_browsers_drop_is_an_error_that_names_the_largest_keys() {
    fn fill(session: &Session) {
        // Hashes of a counter do not compress.
        let noise = |seed: u64, length: u64| -> Vec<u64> {
            (0..length)
                .map(|n| (seed + n).wrapping_mul(0x9e37_79b9_7f4a_7c15))
                .collect()
        };
        session.insert("cart", noise(1, 250)).unwrap();
        session.insert("history", noise(1000, 150)).unwrap();
        session.insert("name", "s3cret").unwrap();
    }
    let routes = Router::new()
        .route(
            "/",
            get(|session: Session| async move {
                fill(&session);
                "all is well"
            }),
        )
        .route(
            "/save",
            get(|session: Session| async move {
                fill(&session);
                session.save_now()
            }),
        );
    let mut app = App::new(routes.clone(), SessionConfig::default());
    let response = app.get("/").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(header(&response, "set-cookie").is_empty());
    assert_eq!(
        text(response).await,
        "",
        "the handler's answer would be a lie"
    );
    let response = app.get("/save").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);

    let session = app.manager.new_session();
    fill(&session);
    let error = session.save_now().unwrap_err();
    let Error::CookieTooLarge {
        size,
        limit,
        largest,
    } = &error
    else {
        panic!("{error}")
    };
    assert!(*size > 4096 && *limit == 4096);
    assert_eq!(
        largest
            .iter()
            .map(|(key, _)| key.as_str())
            .collect::<Vec<_>>(),
        ["cart", "history", "name"]
    );
    assert!(
        error.to_string().contains("the largest keys are `cart` (")
            && !error.to_string().contains("s3cret")
    );
    // Flask sends it with a warning.
    let mut app = App::new(routes, SessionConfig::flask());
    assert_eq!(header(&app.get("/").await, "set-cookie").len(), 1);
}

#[tokio::test]
async fn a_streamed_body_starts_after_the_session_was_saved() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let handler = move |session: Session| {
        let sender = sender.clone();
        async move {
            session.insert("step", 1)?;
            session.save_now()?;
            session.insert("step", 2)?;
            sender.send(session).unwrap();
            Ok::<_, Error>(Body::from("the body"))
        }
    };
    let mut app = App::new(
        Router::new().route("/", get(handler)),
        SessionConfig::default(),
    );
    let response = app.get("/").await;
    let session = receiver.recv().unwrap();
    assert!(matches!(
        session.insert("step", 3),
        Err(Error::ResponseStarted)
    ));
    assert!(matches!(session.save_now(), Err(Error::ResponseStarted)));
    assert!(matches!(
        session.update("step", |n: Option<u8>| n.unwrap_or(0)),
        Err(Error::ResponseStarted)
    ));
    session.clear();
    session.flash("late", "too late");
    assert_eq!(
        session.get::<u8>("step").unwrap(),
        Some(2),
        "reading is fine"
    );
    assert_eq!(text(response).await, "the body");
    let stored = app
        .browser
        .session_now(&app.manager.clone(), |session| {
            session.get::<u8>("step").unwrap()
        })
        .unwrap();
    assert_eq!(
        stored,
        Some(2),
        "what was set between save and the response counts"
    );
}

#[tokio::test]
async fn a_route_without_a_layer_says_what_to_do() {
    let app: Router = Router::new().route("/", get(|_: Session| async {})).route(
        "/maybe",
        get(|session: Option<Session>| async move { session.is_none().to_string() }),
    );
    let request = |path: &str| http::Request::get(path).body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(app.clone(), request("/"))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        text(response)
            .await
            .contains(".layer(SessionLayer::signed(key))")
    );
    assert_eq!(
        text(
            tower::ServiceExt::oneshot(app, request("/maybe"))
                .await
                .unwrap()
        )
        .await,
        "true"
    );
}

#[tokio::test]
async fn two_layers_keep_two_sessions() {
    let outer = SessionLayer::signed_with(
        SecretKey::generate().unwrap(),
        SessionConfig::default().cookie_name("outer"),
    )
    .unwrap();
    let inner = SessionLayer::signed(key());
    let routes = Router::new()
        .route(
            "/",
            get(|session: Session| async move { session.insert("a", 1) }),
        )
        .layer(inner)
        .layer(outer);
    let request = http::Request::get("/").body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(routes, request).await.unwrap();
    let cookies = header(&response, "set-cookie");
    assert!(
        cookies.len() == 1 && cookies[0].starts_with("session="),
        "the nearest layer's: {cookies:?}"
    );
}
