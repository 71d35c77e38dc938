//! S40, S45, S46, S47: a response that depends on the session says so, and no shared cache keeps it.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use axum::{Router, response::IntoResponse, routing::get};
use cloakroom::{Cookies, Refresh, Session, SessionConfig, Status, Typed, Value};
use serde::{Deserialize, Serialize};
use support::app::{App, header};
use support::now::{SaveNow, SessionNow};

/// Every way to look at a session, by name. The test below fails if a public method is missing here.
type Look = fn(&Session);
const READS: [(&str, Look); 24] = [
    ("get", |session| drop(session.get::<Value>("a"))),
    ("get_or_insert_with", |session| {
        drop(session.get_or_insert_with("a", || 1));
    }),
    ("contains_key", |session| assert!(session.contains_key("a"))),
    ("keys", |session| assert_eq!(session.keys(), ["a"])),
    ("len", |session| assert_eq!(session.len(), 1)),
    ("is_empty", |session| assert!(!session.is_empty())),
    ("snapshot", |session| {
        assert_eq!(session.snapshot().len(), 1);
    }),
    ("to_tagged_json", |session| {
        assert_eq!(session.to_tagged_json(), r#"{"a":1}"#);
    }),
    ("is_new", |session| assert!(!session.is_new())),
    ("is_unknown", |session| assert!(!session.is_unknown())),
    ("without_activity", Session::without_activity),
    ("is_modified", |session| assert!(!session.is_modified())),
    ("status", |session| {
        assert!(matches!(session.status(), Status::Loaded { .. }));
    }),
    ("permanent", |session| assert!(!session.permanent())),
    ("subject", |session| assert_eq!(session.subject(), None)),
    ("pending_subject", |session| {
        assert_eq!(session.pending_subject(), None);
    }),
    ("authenticated_at", |session| {
        assert_eq!(session.authenticated_at(), None);
    }),
    ("authenticated_within", |session| {
        assert!(!session.authenticated_within(std::time::Duration::MAX));
    }),
    ("auth_level", |session| {
        assert_eq!(session.auth_level(), None);
    }),
    ("created_at", |session| {
        assert_eq!(session.created_at(), None);
    }),
    ("flashes", |session| assert!(session.flashes().is_empty())),
    ("flashes_in", |session| {
        assert!(session.flashes_in(&["error"]).is_empty());
    }),
    ("save", |session| session.save_now().unwrap()),
    ("fmt", |session| {
        assert!(format!("{session:?}").starts_with("Session"));
    }),
];
const WRITES: [(&str, Look); 13] = [
    ("insert", |session| session.insert("b", 1).unwrap()),
    ("remove", |session| drop(session.remove("a"))),
    ("take", |session| drop(session.take::<u8>("a"))),
    ("take_once", |session| {
        let taken = cloakroom::testing::now(session.take_once::<u8>("a"));
        assert_eq!(taken.unwrap().unwrap(), Some(1));
    }),
    ("update", |session| {
        drop(session.update("a", |n: Option<u8>| n.unwrap_or(0) + 1));
    }),
    ("clear", Session::clear),
    ("destroy", Session::destroy),
    ("set_permanent", |session| session.set_permanent(true)),
    ("flash", |session| session.flash("message", "Hello")),
    ("regenerate", Session::regenerate),
    ("login", |session| session.login("alice").unwrap()),
    ("begin_login", |session| {
        session.begin_login("alice").unwrap();
    }),
    ("logout", Session::logout),
];

#[test]
fn s45_the_lists_name_every_public_method() {
    let sources = [
        include_str!("../src/session/mod.rs"),
        include_str!("../src/session/flash.rs"),
        include_str!("../src/session/identity.rs"),
        include_str!("../src/session/activity.rs"),
        include_str!("../src/session/once.rs"),
    ];
    let named: Vec<&str> = READS.iter().chain(&WRITES).map(|(name, _)| *name).collect();
    let mut count = 0;
    for source in sources {
        for line in source
            .lines()
            .map(|line| line.replacen("pub async fn", "pub fn", 1))
            .filter_map(|line| line.strip_prefix("    pub fn ").map(str::to_owned))
        {
            let name = line.split(['(', '<']).next().unwrap();
            // The two of a flash itself, and what is no method.
            if !["category", "message"].contains(&name) {
                assert!(named.contains(&name), "`{name}` is not tested");
                count += 1;
            }
        }
    }
    assert_eq!(count, named.len() - 1, "`fmt` is a trait's");
}

fn app_with(look: Look) -> App {
    let mut app = App::new(
        Router::new().route(
            "/",
            get(move |session: Session| async move { look(&session) }),
        ),
        SessionConfig::default(),
    );
    app.browser
        .session_now(&app.manager.clone(), |session| session.insert("a", 1))
        .unwrap()
        .unwrap();
    app
}

#[tokio::test]
async fn s45_every_read_varies_and_writes_nothing() {
    for (name, look) in READS {
        let response = app_with(look).get("/").await;
        assert_eq!(header(&response, "vary"), ["Cookie"], "{name}");
        assert!(
            header(&response, "set-cookie").is_empty(),
            "P7: {name} only reads"
        );
        assert!(header(&response, "cache-control").is_empty(), "{name}");
    }
}

#[tokio::test]
async fn s45_s46_every_write_varies_and_is_private() {
    for (name, look) in WRITES {
        let response = app_with(look).get("/").await;
        assert_eq!(header(&response, "vary"), ["Cookie"], "{name}");
        assert_eq!(header(&response, "set-cookie").len(), 1, "{name}");
        assert_eq!(header(&response, "cache-control"), ["private"], "{name}");
    }
}

#[tokio::test]
async fn s45_extractors_around_a_session_vary_too() {
    #[derive(Serialize, Deserialize)]
    struct Whole {
        a: u8,
    }
    let routes = Router::new()
        .route(
            "/typed",
            get(|whole: Typed<Whole>| async move { whole.a.to_string() }),
        )
        .route(
            "/ignored",
            get(|_: Session| async { "opened and not looked at" }),
        );
    let mut app = App::new(routes, SessionConfig::default());
    app.browser
        .session_now(&app.manager.clone(), |session| session.insert("a", 7))
        .unwrap()
        .unwrap();
    for path in ["/typed", "/ignored"] {
        assert_eq!(header(&app.get(path).await, "vary"), ["Cookie"], "{path}");
    }
    assert_eq!(app.get_text("/typed").await, "7");
}

#[tokio::test]
async fn s46_s47_cache_control_of_the_application_is_kept_but_for_sharing() {
    let table = [
        (None, "private"),
        (Some("no-store"), "no-store"),
        (Some("private, max-age=60"), "private, max-age=60"),
        (Some("Private"), "Private"),
        (Some("max-age=60"), "max-age=60, private"),
        (Some("public, max-age=60"), "max-age=60, private"),
        (
            Some("PUBLIC,s-maxage=9, must-revalidate"),
            "must-revalidate, private",
        ),
        (
            Some("private=\"x-header\", max-age=5"),
            "private=\"x-header\", max-age=5, private",
        ),
        (Some("no-cache"), "no-cache, private"),
    ];
    for (given, expected) in table {
        let handler = move |session: Session| async move {
            session.insert("a", 1).unwrap();
            given.map_or_else(
                || ().into_response(),
                |given| [("cache-control", given)].into_response(),
            )
        };
        let mut app = App::new(
            Router::new().route("/", get(handler)),
            SessionConfig::default(),
        );
        assert_eq!(header(&app.get("/").await, "cache-control"), [expected]);
        // Without a cookie of ours it is the application's business.
        let read = move |_: Session| async move {
            given.map_or_else(
                || ().into_response(),
                |given| [("cache-control", given)].into_response(),
            )
        };
        let mut app = App::new(
            Router::new().route("/", get(read)),
            SessionConfig::default(),
        );
        assert_eq!(
            header(&app.get("/").await, "cache-control"),
            Vec::from_iter(given)
        );
    }
}

#[tokio::test]
async fn s46_a_renewal_is_a_cookie_too() {
    let routes = Router::new().route(
        "/",
        get(|session: Session| async move { session.len().to_string() }),
    );
    let mut app = App::new(routes, SessionConfig::default());
    app.browser
        .session_now(&app.manager.clone(), |session| session.insert("a", 1))
        .unwrap()
        .unwrap();
    app.clock
        .advance(std::time::Duration::from_secs(2 * 60 * 60));
    let response = app.get("/").await;
    assert_eq!(header(&response, "set-cookie").len(), 1);
    assert_eq!(header(&response, "vary"), ["Cookie"]);
    assert_eq!(header(&response, "cache-control"), ["private"]);
    // Flask's own refresh of a session that the handler never saw, too.
    let routes = Router::new().route("/", get(|| async { "static" }));
    let mut app = App::new(
        routes,
        SessionConfig::default().refresh(Refresh::EachRequest),
    );
    app.browser
        .session_now(&app.manager.clone(), |session| session.set_permanent(true))
        .unwrap();
    let response = app.get("/").await;
    assert_eq!(header(&response, "set-cookie").len(), 1);
    assert_eq!(header(&response, "vary"), ["Cookie"]);
}

#[tokio::test]
async fn s40_there_is_one_cookie_of_our_name() {
    let handler = |session: Session, _: Cookies| async move {
        session.insert("a", 1).unwrap();
        let cookie = cloakroom::Cookie::new("session")
            .set("forged by the application")
            .unwrap();
        let other = cloakroom::Cookie::new("theme").set("dark").unwrap();
        (cookie, other, "done")
    };
    let mut app = App::new(
        Router::new().route("/", get(handler)),
        SessionConfig::default(),
    );
    let response = app.get("/").await;
    let cookies = header(&response, "set-cookie");
    assert_eq!(
        cookies
            .iter()
            .filter(|cookie| cookie.starts_with("session="))
            .count(),
        1,
        "{cookies:?}"
    );
    assert!(
        cookies.iter().any(|cookie| cookie == "theme=dark; Path=/"),
        "{cookies:?}"
    );
    app.browser
        .session_now(&app.manager.clone(), |session| {
            assert_eq!(session.get::<u8>("a").unwrap(), Some(1));
        })
        .unwrap();
}

#[tokio::test]
async fn s45_vary_joins_what_is_there() {
    for (given, expected) in [
        (vec!["Accept-Encoding"], vec!["Accept-Encoding, Cookie"]),
        (
            vec!["Accept", "Accept-Language, Origin"],
            vec!["Accept, Accept-Language, Origin, Cookie"],
        ),
        (vec!["accept, COOKIE"], vec!["accept, COOKIE"]),
        (vec!["X-Cookie"], vec!["X-Cookie, Cookie"]),
    ] {
        let handler = move |_: Session| async move {
            let mut response = "".into_response();
            for value in given {
                response
                    .headers_mut()
                    .append("vary", value.parse().unwrap());
            }
            response
        };
        let mut app = App::new(
            Router::new().route("/", get(handler)),
            SessionConfig::default(),
        );
        assert_eq!(header(&app.get("/").await, "vary"), expected);
    }
}
