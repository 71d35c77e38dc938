//! The tour with its sessions in a store: what the browser has, what the panel shows, and the page about both forms.

#![allow(missing_docs)]

mod visitor;

use axum::http::{StatusCode, header};
use clap::Parser;
use tour::{Settings, StartError};
use visitor::Site;

/// Every kind of store that the tour has unless told otherwise and that needs no server.
const STORES: [(&str, &str, &str); 4] = [
    ("memory:", "memory", "MessagePack"),
    ("file:FOLDER/sessions", "file", "MessagePack"),
    ("cachelib:FOLDER/flask_session", "file", "pickle"),
    ("sqlite:FOLDER/sessions.db", "sqlite", "MessagePack"),
];

#[tokio::test]
async fn the_browser_has_an_id_and_the_panel_shows_the_entry() {
    for (url, name, format) in STORES {
        let site = Site::stored(url).await;
        let mut alice = site.visitor();
        let page = alice.get("/account").await;
        assert_eq!(page.element("ticket"), "Cookie no ticket yet", "{url}");
        assert!(!page.has("entry"));

        let page = alice.submit("/login", "username=alice").await;
        assert_eq!(page.element("account"), "Logged in as alice", "{url}");
        let id = alice.ticket().to_owned();
        assert_eq!(id.len(), 43, "{url}");
        assert!(!id.contains('.'));
        let shown = format!("{}…{}", &id[..6], &id[39..]);
        assert_eq!(page.element("id"), shown);
        assert_eq!(page.element("store-key"), format!("session:{shown}"));
        assert!(
            !page.text.contains(&id),
            "{url}: only the tamper page shows it"
        );
        assert_eq!(page.element("verdict"), "accepted");
        assert_eq!(page.element("format"), format, "{url}");
        assert_eq!(page.element("layout"), "Flask-Session’s");
        assert!(
            page.element("entry")
                .starts_with(&format!("Store {name} Key"))
        );
        assert!(page.element("entry-size").ends_with(" bytes"));
        // A map of eight, or a pickle of protocol 4.
        let start = if format == "pickle" { "80 04 " } else { "88 a" };
        assert!(page.element("entry-bytes").starts_with(start), "{url}");
        assert!(
            page.element("entries").contains("username alice str"),
            "{url}"
        );

        // The id stays, the entry changes.
        alice.get("/counter").await;
        let page = alice.get("/counter").await;
        assert_eq!(page.element("visits"), "2");
        assert_eq!(alice.ticket(), id);
        assert!(page.element("entries").contains("visits 2 int"));
    }
}

#[tokio::test]
async fn the_panel_tells_how_long_an_entry_lives_where_the_store_does() {
    let site = Site::stored("memory:").await;
    let mut alice = site.visitor();
    let page = alice.get("/counter").await;
    assert!(
        page.element("expires").starts_with("another 7 d 0 h"),
        "{}",
        page.element("expires")
    );
}

#[tokio::test]
async fn a_stolen_cookie_opens_nothing_after_the_session_ends_and_a_login_changes_the_id() {
    let site = Site::stored("memory:").await;
    let mut alice = site.visitor();
    alice.get("/counter").await;
    let before = alice.ticket().to_owned();
    alice.post("/login", "username=alice").await;
    let stolen = alice.ticket().to_owned();
    assert_ne!(before, stolen);
    alice.post("/name/clear", "").await;
    for id in [before, stolen] {
        let mut mallory = site.visitor();
        mallory.browser.set_cookie("session", &id);
        let page = mallory.get("/account").await;
        assert_eq!(page.element("account"), "You are not logged in");
        assert_eq!(page.element("verdict"), "refused");
        assert_eq!(page.element("entry"), "Nothing.");
    }
}

#[tokio::test]
async fn a_changed_id_is_unknown_can_be_put_back_and_is_never_adopted() {
    let site = Site::stored("memory:").await;
    let mut alice = site.visitor();
    alice.get("/counter").await;
    let id = alice.ticket().to_owned();
    assert_eq!(alice.get("/tamper").await.element("letters"), id);

    let page = alice.submit("/tamper", "position=5&character=").await;
    assert_eq!(page.element("tamper-verdict"), "Refused: unknown_id");
    let changed = alice.ticket().to_owned();
    assert_ne!(changed, id);
    assert_eq!(page.element("ticket").matches("refused").count(), 1);

    // A page that writes under it gets an id of the server's own.
    let mut mallory = site.visitor();
    mallory.browser.set_cookie("session", &changed);
    assert_eq!(mallory.get("/counter").await.element("visits"), "1");
    assert_eq!(mallory.ticket().len(), 43);
    assert_ne!(mallory.ticket(), changed);

    let page = alice.submit("/tamper/restore", "").await;
    assert_eq!(page.element("tamper-verdict"), "Accepted");
    assert_eq!(alice.ticket(), id);
    assert_eq!(alice.get("/counter").await.element("visits"), "2");
}

#[tokio::test]
async fn the_page_about_both_forms_shows_ones_own_session_in_each() {
    let in_cookie = Site::open().await;
    let in_store = Site::stored("memory:").await;
    for (site, kept) in [
        (&in_cookie, "in the cookie"),
        (&in_store, "in a store (memory)"),
    ] {
        let mut alice = site.visitor();
        let page = alice.get("/store").await;
        assert!(page.has("kept-nothing"));
        assert_eq!(page.element("kept-in"), kept);
        assert!(!page.headers.contains_key(header::SET_COOKIE));

        alice.post("/login", "username=alice").await;
        alice.get("/account").await;
        let ticket = alice.ticket().to_owned();
        let page = alice.get("/store").await;
        assert!(
            !page.headers.contains_key(header::SET_COOKIE),
            "it only reads"
        );
        let holds = page.element("cookie-holds").replace("&quot;", "\"");
        assert!(
            holds.contains(r#""_permanent":false,"#)
                && holds.ends_with(r#""_user_id":"alice","logins":1,"username":"alice"}"#),
            "{holds}"
        );
        // A map of eight, whose first key is text.
        assert!(
            page.element("store-holds").starts_with("88 a"),
            "{}",
            page.element("store-holds")
        );
        assert!(page.element("store-size").ends_with(" bytes"));
        assert_eq!(page.element("id-size"), "50 bytes");
        let cookie = page.element("cookie-form");
        match kept {
            "in the cookie" => {
                // Signed again, maybe in another second: the payload is the same.
                let payload = |cookie: &str| cookie.rsplit('.').nth(2).map(str::to_owned);
                assert!(payload(&cookie).is_some());
                assert_eq!(payload(&cookie), payload(&ticket));
                assert_eq!(
                    page.element("cookie-size"),
                    format!("{} bytes", 7 + ticket.len())
                );
            }
            _ => {
                assert!(cookie.matches('.').count() >= 2, "{cookie}");
                assert_eq!(
                    page.element("id-form"),
                    format!("{}…{}", &ticket[..6], &ticket[39..])
                );
            }
        }
    }
}

#[tokio::test]
async fn every_page_works_with_a_store_and_with_a_cookie_that_is_none_of_its() {
    let site = Site::stored("sqlite:FOLDER/sessions.db").await;
    let mut alice = site.visitor();
    alice.post("/login", "username=alice").await;
    let mut mallory = site.visitor();
    for path in [
        "/",
        "/counter",
        "/name",
        "/login",
        "/account",
        "/devices",
        "/remember",
        "/flash",
        "/cookies",
        "/todo",
        "/tamper",
        "/store",
    ] {
        assert_eq!(alice.get(path).await.status, StatusCode::OK, "{path}");
        for cookie in [
            "x",
            "a.b.c",
            "\"><script>",
            "%00",
            "session:gone",
            &"A".repeat(43),
        ] {
            mallory.browser.set_cookie("session", cookie);
            let page = mallory.get(path).await;
            assert_eq!(
                page.status == StatusCode::OK,
                path != "/todo",
                "{path} with {cookie}"
            );
            assert!(!page.text.contains("<script>"), "{path} with {cookie}");
        }
    }
}

#[tokio::test]
async fn p10_a_store_that_cannot_be_used_is_one_clear_line_without_the_url() {
    let settings = Settings::parse_from(["tour", "--sessions", "memory:"]);
    assert_eq!(settings.sessions.as_deref(), Some("memory:"));
    for (url, message) in [
        ("redis://:hunter2@127.0.0.1:1", "--sessions: the store"),
        (
            "hunter2",
            "--sessions: the store refused: the URL of a store begins with memory:",
        ),
        #[cfg(not(feature = "dynamodb"))]
        (
            "dynamodb://key:hunter2@us-west-2",
            "cargo feature `dynamodb`, which is off; start the tour with `cargo run --release --features NAME`",
        ),
    ] {
        let error = tour::store(url, false).await.unwrap_err();
        assert!(matches!(error, StartError::Store { .. }));
        let line = error.to_string();
        assert!(
            line.contains(message) && line.lines().count() == 1,
            "{line}"
        );
        assert!(!format!("{line} {error:?}").contains("hunter2"), "{line}");
    }
    assert_eq!(
        tour::store("memory:", false).await.unwrap().to_string(),
        "Sessions are kept in a store (memory), the browser has an id."
    );
    assert_eq!(
        tour::store("sqlite::memory:", false)
            .await
            .unwrap()
            .to_string(),
        "Sessions are kept in a store (sqlite), the browser has an id. Its table was made if it was missing."
    );
}
