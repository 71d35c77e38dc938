//! What a handler may do with its session, and what then reaches the browser.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::{collections::BTreeMap, time::Duration};
use support::now::{Now, SessionNow};

use axum::{
    Router,
    response::{IntoResponse, Redirect},
    routing::get,
};
use cloakroom::{
    Cookie, Cookies, Error, Key, Refusal, SecretKey, Session, SessionConfig, SessionLayer,
    SessionManager, Status, Typed, Value,
    testing::Browser,
    value::{DateTime, Markup, Uuid},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use support::app::{App, header, key, text};

const VISITS: Key<u64> = Key::new("visits");

fn session() -> Session {
    SessionManager::signed(key(), SessionConfig::default())
        .unwrap()
        .new_session()
}

#[test]
fn values_of_every_kind_go_in_and_come_out() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Plan {
        Free,
        Paid { seats: u32 },
        Trial(u8),
        Pair(u8, String),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Cart {
        items: Vec<(u32, String)>,
        note: Option<String>,
        prices: BTreeMap<u64, f64>,
        plan: Vec<Plan>,
        raw: [u8; 3],
        letter: char,
        unit: (),
    }

    let session = session();
    let cart = || Cart {
        items: vec![(1, "tea".into()), (2, "scones ☃".into())],
        note: None,
        prices: BTreeMap::from([(1, 1.5), (20, -0.0)]),
        plan: vec![
            Plan::Free,
            Plan::Paid { seats: 3 },
            Plan::Trial(7),
            Plan::Pair(1, "x".into()),
        ],
        raw: [1, 2, 3],
        letter: 'é',
        unit: (),
    };
    session.insert("cart", cart()).unwrap();
    assert_eq!(session.get::<Cart>("cart").unwrap(), Some(cart()));
    session.insert("id", Uuid::from_bytes([7; 16])).unwrap();
    assert_eq!(
        session.get::<Uuid>("id").unwrap(),
        Some(Uuid::from_bytes([7; 16]))
    );
    assert_eq!(
        session.get::<String>("id").unwrap().unwrap(),
        "07070707-0707-0707-0707-070707070707"
    );
    session
        .insert("at", DateTime::from_unix(1).unwrap())
        .unwrap();
    assert_eq!(
        session.get::<DateTime>("at").unwrap(),
        Some(DateTime::from_unix(1).unwrap())
    );
    session.insert("html", Markup::new("<b>")).unwrap();
    assert_eq!(
        session.get::<Markup>("html").unwrap(),
        Some(Markup::new("<b>"))
    );
    session.insert("wide", u128::MAX).unwrap();
    assert_eq!(session.get::<u128>("wide").unwrap(), Some(u128::MAX));
    session.insert("bytes", Value::Bytes(vec![0, 255])).unwrap();
    assert_eq!(session.get::<Vec<u8>>("bytes").unwrap(), Some(vec![0, 255]));
    assert_eq!(
        session.to_tagged_json(),
        concat!(
            r#"{"at":{" d":"Thu, 01 Jan 1970 00:00:01 GMT"},"bytes":{" b":"AP8="},"#,
            r#""cart":{"items":[{" t":[1,"tea"]},{" t":[2,"scones \u2603"]}],"letter":"\u00e9","note":null,"#,
            r#""plan":["Free",{"Paid":{"seats":3}},{"Trial":7},{"Pair":{" t":[1,"x"]}}],"prices":{"1":1.5,"20":-0.0},"#,
            r#""raw":{" t":[1,2,3]},"unit":null},"html":{" m":"<b>"},"id":{" u":"07070707070707070707070707070707"},"#,
            r#""wide":340282366920938463463374607431768211455}"#
        )
    );
}

#[test]
fn methods_are_hash_maps_and_flasks() {
    let session = session();
    assert!(session.is_empty() && session.is_new() && !session.is_modified());
    assert_eq!(session.status(), Status::New);
    assert_eq!(session.get::<u8>("a").unwrap(), None);
    assert_eq!(session.remove("a"), None);
    assert!(!session.is_modified(), "removing nothing changes nothing");

    session.insert(VISITS, 3).unwrap();
    assert_eq!(
        session
            .update(VISITS, |visits| visits.unwrap_or(0) + 1)
            .unwrap(),
        4
    );
    assert_eq!(session.get(VISITS).unwrap(), Some(4));
    assert_eq!(session.get_or_insert_with("a", || 7_u8).unwrap(), 7);
    assert_eq!(
        session
            .get_or_insert_with("a", || -> u8 { panic!("it is there") })
            .unwrap(),
        7
    );
    assert!(
        session.contains_key("a") && session.contains_key(VISITS) && !session.contains_key("b")
    );
    assert_eq!(
        (session.len(), session.keys()),
        (2, vec!["a".to_owned(), "visits".to_owned()])
    );
    assert_eq!(session.take::<u8>("a").unwrap(), Some(7));
    assert_eq!(session.take::<u8>("a").unwrap(), None);
    assert_eq!(
        session.remove(VISITS).and_then(|value| value.as_i64()),
        Some(4)
    );
    assert!(session.is_empty() && session.is_modified());

    session.set_permanent(true);
    assert!(session.permanent());
    assert_eq!(session.get::<bool>("_permanent").unwrap(), Some(true));
    session.clear();
    assert!(!session.permanent() && session.is_empty());
}

#[test]
fn a_wrong_type_is_an_error_that_keeps_the_value_and_tells_nothing_of_it() {
    let session = session();
    session.insert("name", "s3cret-value").unwrap();
    for error in [
        session.get::<u64>("name").unwrap_err(),
        session.take::<Vec<u8>>("name").unwrap_err(),
        session
            .update("name", |n: Option<bool>| n.unwrap_or(true))
            .unwrap_err(),
        session.get::<Uuid>("name").unwrap_err(),
    ] {
        let shown = format!("{error} {error:?}");
        assert!(
            shown.contains("name") && !shown.contains("s3cret"),
            "P10: {shown}"
        );
    }
    assert_eq!(
        session.get::<u64>("name").unwrap_err().to_string(),
        "session key `name`: the session holds str, which does not fit u64"
    );
    assert_eq!(
        session.get::<String>("name").unwrap().as_deref(),
        Some("s3cret-value")
    );
}

#[test]
fn what_cannot_be_written_is_refused_when_it_is_set() {
    let session = session();
    session.insert("deep", "before").unwrap();
    let mut deep = Value::None;
    for _ in 0..500 {
        deep = Value::List(vec![deep]);
    }
    assert!(matches!(
        session.insert("deep", deep),
        Err(Error::Write { .. })
    ));
    let far = DateTime::from_parts(253_402_300_799, 0, Some(-3600)).unwrap();
    assert!(session.insert("date", far).is_ok());
    let mixed = Value::Dict(
        [(Value::from(1), 1), (Value::from("a"), 2)]
            .into_iter()
            .collect(),
    );
    assert!(matches!(
        session.insert("mixed", mixed),
        Err(Error::Write { .. })
    ));
    let keys = BTreeMap::from([(vec![1], 2)]);
    assert!(matches!(
        session.insert("keys", keys),
        Err(Error::Convert { .. })
    ));
    assert_eq!(
        session.get::<String>("deep").unwrap().as_deref(),
        Some("before")
    );
}

#[test]
fn update_runs_again_if_the_session_changed_meanwhile() {
    let session = session();
    let inside = session.clone();
    let total = session
        .update(VISITS, move |visits| {
            // Another part of the program gets in between, once.
            if inside.get_or_insert_with("once", || 1).unwrap() == 1 {
                inside.insert("once", 2).unwrap();
                inside.insert(VISITS, 10).unwrap();
            }
            visits.unwrap_or(0) + 1
        })
        .unwrap();
    assert_eq!(total, 11);
}

#[test]
fn flashes_are_flasks() {
    let session = session();
    session.flash("message", "Hello");
    session.flash("error", Markup::new("<em>x</em>"));
    assert_eq!(
        session.to_tagged_json(),
        r#"{"_flashes":[{" t":["message","Hello"]},{" t":["error",{" m":"<em>x</em>"}]}]}"#
    );
    assert_eq!(
        session
            .flashes_in(&["error"])
            .iter()
            .map(|flash| flash.message().into_owned())
            .collect::<Vec<_>>(),
        ["<em>x</em>"]
    );
    assert!(
        !session.contains_key("_flashes"),
        "one read uses all of them up"
    );
    assert_eq!(
        session.flashes().len(),
        2,
        "but they are there for the rest of the request"
    );
    session.flash("late", "for the next request");
    assert_eq!(session.flashes_in(&["late"]).len(), 0);
    assert!(session.contains_key("_flashes"));
    // As Flask-Session stores them, and what is no pair is no flash.
    session
        .insert("_flashes", (("list", "of"), "nothing", vec!["a", "pair"]))
        .unwrap();
    let flashes = session_like(&session).flashes();
    let shown: Vec<(String, String)> = flashes
        .iter()
        .map(|flash| (flash.category().into(), flash.message().into()))
        .collect();
    assert_eq!(
        shown,
        [("list".into(), "of".into()), ("a".into(), "pair".into())]
    );
}

/// The same content in another request.
fn session_like(session: &Session) -> Session {
    let manager = SessionManager::signed(key(), SessionConfig::default()).unwrap();
    manager
        .open_value_now(manager.cookie_value(session).unwrap())
        .unwrap()
}

#[tokio::test]
async fn typed_keys_and_typed_sessions_work_in_handlers() {
    #[derive(Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Visitor {
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        visits: u64,
    }
    async fn visit(mut visitor: Typed<Visitor>) -> Result<String, Error> {
        visitor.update(|visitor| visitor.visits += 1)?;
        Ok(format!("{:?} {}", visitor.username, visitor.visits))
    }
    async fn forget(mut visitor: Typed<Visitor>) -> Result<(), Error> {
        visitor.update(|visitor| visitor.username = None)
    }
    let mut app = App::new(
        Router::new()
            .route("/", get(visit))
            .route("/forget", get(forget)),
        SessionConfig::default(),
    );
    app.browser
        .session_now(&app.manager.clone(), |session| {
            session.insert("username", "ada").unwrap();
            session.insert("other", [1, 2]).unwrap();
        })
        .unwrap();
    assert_eq!(app.get_text("/").await, "Some(\"ada\") 1");
    assert_eq!(app.get_text("/").await, "Some(\"ada\") 2");
    app.get("/forget").await;
    assert_eq!(app.get_text("/").await, "None 3");
    let left = app
        .browser
        .session_now(&app.manager.clone(), Session::to_tagged_json)
        .unwrap();
    assert_eq!(
        left, r#"{"other":{" t":[1,2]},"visits":3}"#,
        "entries that the struct does not know are left alone"
    );

    app.browser
        .session_now(&app.manager.clone(), |session| {
            session.insert("visits", "many")
        })
        .unwrap()
        .unwrap();
    assert_eq!(
        app.get("/").await.status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

#[tokio::test]
async fn plain_cookies_are_set_read_and_deleted_with_one_description() {
    fn username() -> Cookie {
        Cookie::new("username")
            .max_age(Duration::from_secs(3600))
            .same_site(cloakroom::SameSite::Lax)
    }
    let routes = Router::new()
        .route(
            "/set",
            get(|| async {
                Ok::<_, cloakroom::cookie::CookieError>((
                    username().set("John Doe")?,
                    Redirect::to("/"),
                ))
            }),
        )
        .route(
            "/delete",
            get(|| async { (username().delete().unwrap(), "gone") }),
        )
        .route(
            "/bad",
            get(|| async {
                Ok::<_, cloakroom::cookie::CookieError>((Cookie::new("a b").set("x")?, ""))
            }),
        )
        .route(
            "/",
            get(|cookies: Cookies| async move {
                cookies
                    .get("username")
                    .unwrap_or("nobody")
                    .to_owned()
                    .into_response()
            }),
        );
    let mut app = App::new(routes, SessionConfig::default());
    assert_eq!(app.get_text("/").await, "nobody");
    let set = header(&app.get("/set").await, "set-cookie");
    assert!(
        set[0].starts_with("username=\"John Doe\"; Expires=")
            && set[0].ends_with("; Max-Age=3600; Path=/; SameSite=Lax"),
        "{set:?}"
    );
    assert_eq!(app.get_text("/").await, "John Doe");
    let deleted = header(&app.get("/delete").await, "set-cookie");
    assert_eq!(
        deleted,
        ["username=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax"]
    );
    assert_eq!(app.get_text("/").await, "nobody");
    let response = app.get("/bad").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text(response).await.contains("is not a cookie name"));
}

#[test]
fn a_test_browser_edits_the_session_between_requests() {
    let manager = SessionManager::signed(key(), SessionConfig::default()).unwrap();
    let mut browser = Browser::new();
    browser
        .session_now(&manager, |session| session.insert("a", 1))
        .unwrap()
        .unwrap();
    let cookie = browser.cookie("session").unwrap().to_owned();
    browser
        .session_now(&manager, |session| assert_eq!(session.len(), 1))
        .unwrap();
    assert_eq!(
        browser.cookie("session"),
        Some(cookie.as_str()),
        "reading changes nothing"
    );
    assert!(!format!("{browser:?}").contains(&cookie), "P10");
    browser.session_now(&manager, Session::clear).unwrap();
    assert_eq!(browser.cookie("session"), None);
    browser.set_cookie("session", "forged.x.y");
    assert_eq!(
        browser.session_now(&manager, |_| ()).unwrap_err(),
        Refusal::BadSignature
    );
}

#[test]
fn p10_nothing_of_a_session_is_in_debug_output() {
    let secret = SecretKey::new("the s3cret of all secrets").unwrap();
    let manager = SessionManager::signed(secret.clone(), SessionConfig::default()).unwrap();
    let session = manager.new_session();
    session.insert("name", "v4lue").unwrap();
    let cookie = manager.cookie_value(&session).unwrap();
    let layer = SessionLayer::new(manager.clone());
    let opened = manager.open_value_now(&cookie).unwrap();
    let shown = format!(
        "{secret:?} {manager:?} {session:?} {opened:?} {layer:?} {:?} {:?}",
        manager.config(),
        opened.status()
    );
    for hidden in [
        "s3cret",
        "v4lue",
        cookie.as_str(),
        cookie.rsplit('.').next().unwrap(),
    ] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
}
