//! What holds for every page: protection, headers, the panel, and what starts the whole.

#![allow(missing_docs)]

mod visitor;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tour::{KeysOrigin, StartError};
use visitor::{SECRET, Site, folder, form_request};

const PAGES: [&str; 12] = [
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
];

const FORMS: [&str; 16] = [
    "/counter/reset",
    "/name",
    "/name/clear",
    "/login",
    "/logout",
    "/devices/end",
    "/devices/end-others",
    "/remember",
    "/flash",
    "/cookies/set",
    "/cookies/delete",
    "/todo",
    "/todo/1/toggle",
    "/todo/1/delete",
    "/tamper",
    "/tamper/reset",
];

#[tokio::test]
async fn every_page_shows_its_lines_its_flask_twin_and_its_file() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    alice.post("/login", "username=alice").await;
    for path in PAGES {
        let page = alice.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.text.contains("<figcaption>Flask"), "{path}");
        assert!(page.text.contains("<span class=\"k\">"), "{path}");
        assert!(!page.text.contains("shown: "), "{path}");
        assert!(
            !page.text.contains("<!--"),
            "{path}: the panel is filled in"
        );
        assert!(page.text.contains("aria-current=\"page\""), "{path}");
        let link = page
            .text
            .split("href=\"/source/")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .replace("&#x2f;", "/");
        let source = alice.get(&format!("/source/{link}")).await;
        assert_eq!(source.status, StatusCode::OK, "{link}");
        assert!(source.text.starts_with("//! "), "{link}");
    }
    assert_eq!(
        alice.get("/source/../Cargo.toml").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn nothing_is_loaded_from_elsewhere_and_nobody_frames_the_site() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    for path in PAGES
        .iter()
        .chain(&["/static/style.css", "/no/such/page", "/session.json"])
    {
        let answer = alice.get(path).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe-inline"));
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers[header::REFERRER_POLICY], "same-origin");
        for outside in [
            "src=\"http",
            "href=\"http",
            "url(http",
            "@import",
            " style=\"",
            "<style",
        ] {
            assert!(!answer.text.contains(outside), "{path}: {outside}");
        }
    }
}

#[tokio::test]
async fn no_form_takes_a_post_from_another_site() {
    let site = Site::open().await;
    for path in FORMS {
        let from = |name: &'static str, value: &'static str| {
            let mut visitor = site.visitor();
            let request = form_request(path)
                .header(name, value)
                .body(Body::empty())
                .unwrap();
            async move { visitor.send(request).await }
        };
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://elsewhere.example"),
            ("origin", "null"),
            ("x-nothing", "neither header"),
        ] {
            let answer = from(name, value).await;
            assert_eq!(
                answer.status,
                StatusCode::FORBIDDEN,
                "{path} with {name}: {value}"
            );
            assert!(!answer.headers.contains_key(header::SET_COOKIE));
            let reason = answer.element("error");
            assert!(
                reason.contains("another site")
                    || reason.contains("another address")
                    || value == "neither header",
                "{reason}"
            );
        }
        for (name, value) in [
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
            ("origin", "http://127.0.0.1:5000"),
        ] {
            let answer = from(name, value).await;
            assert_ne!(
                answer.status,
                StatusCode::FORBIDDEN,
                "{path} with {name}: {value}"
            );
        }
    }
}

#[tokio::test]
async fn the_panel_shows_the_ticket_that_this_answer_hands_out() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    let page = alice.get("/account").await;
    assert_eq!(page.element("ticket"), "Cookie no ticket yet");
    assert!(!page.headers.contains_key(header::SET_COOKIE));

    let counted = alice.get("/counter").await;
    let torn: Vec<_> = ["payload", "time", "signature"]
        .map(|part| counted.element(part))
        .into();
    assert_eq!(torn.join("."), alice.ticket());
    assert_eq!(counted.element("verdict"), "accepted");
    assert!(counted.element("entries").ends_with("visits 1 int"));
    assert!(counted.element("age").ends_with("old"));
    let bytes = "session".len() + alice.ticket().len();
    assert!(
        counted
            .element("size")
            .starts_with(&format!("{bytes} of 4096"))
    );
    assert!(counted.element("answer").contains("new ticket"));

    let alone = alice.get("/panel").await;
    assert_eq!(alone.element("payload"), torn[0]);
    assert!(alone.text.len() < counted.text.len());
    assert_eq!(alone.headers[header::CACHE_CONTROL], "no-store");

    let page = alice.get("/account").await;
    assert!(
        page.element("answer").contains("changed nothing"),
        "a page that only reads writes nothing"
    );
}

#[tokio::test]
async fn the_panel_knows_what_the_browser_does_with_a_new_ticket_and_with_a_taken_one() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    alice.get("/counter").await;
    let second = alice.get("/counter").await;
    assert!(second.element("entries").ends_with("visits 2 int"));
    assert!(alice.ticket().starts_with(&second.element("payload")));

    // Nothing but a message on the ticket: showing it empties the session.
    let mut bob = site.visitor();
    let page = bob.submit("/flash", "title=bye").await;
    assert_eq!(page.element("ticket"), "Cookie no ticket yet");
    assert!(page.element("answer").contains("took your ticket back"));
    assert_eq!(bob.ticket(), "");
}

#[tokio::test]
async fn a_cookie_that_is_no_ticket_at_all_is_shown_and_does_no_harm() {
    let site = Site::open().await;
    for cookie in [
        "x",
        ".",
        "..",
        "...",
        "a.b.c",
        "\"><script>",
        "=",
        "%00",
        ".eJw.aR_VdA.x",
    ] {
        let mut mallory = site.visitor();
        mallory.browser.set_cookie("session", cookie);
        for path in PAGES.iter().filter(|path| **path != "/todo") {
            let page = mallory.get(path).await;
            assert_eq!(page.status, StatusCode::OK, "{path} with {cookie}");
            assert!(!page.text.contains("<script>"), "{path} with {cookie}");
        }
    }
}

#[tokio::test]
async fn no_page_shows_the_secret_key() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    alice.post("/login", "username=alice&remember=yes").await;
    let hex = SECRET
        .bytes()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    for path in PAGES
        .iter()
        .chain(&["/panel", "/session.json", "/no/such/page"])
    {
        let page = alice.get(path).await;
        assert!(
            !page.text.contains(SECRET) && !page.text.contains(&hex),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_fetched_without_a_session_gets_no_cookie_and_no_vary() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    alice.get("/counter").await;
    for path in [
        "/healthz",
        "/static/style.css",
        "/static/tour.js",
        "/source/lib.rs",
    ] {
        let answer = alice.get(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.headers.contains_key(header::SET_COOKIE), "{path}");
        assert!(!answer.headers.contains_key(header::VARY), "{path}");
    }
    assert_eq!(alice.get("/account").await.headers[header::VARY], "Cookie");
}

#[tokio::test]
async fn the_session_as_json_is_flasks_text() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    assert_eq!(
        alice.get("/session.json").await.text,
        r#"{"session":"{}","permanent":false}"#
    );
    alice.post("/login", "username=alice&remember=yes").await;
    let shown: serde_json::Value =
        serde_json::from_str(&alice.get("/session.json").await.text).unwrap();
    assert_eq!(shown["permanent"], true);
    let session = shown["session"].as_str().unwrap();
    assert!(session.starts_with(r#"{"_auth_time":"#), "{session}");
    assert!(
        session.contains(r#","_flashes":[{" t":["success","Welcome, alice"]}],"_fresh":true,"_permanent":true,"_sid":""#),
        "{session}"
    );
    assert!(
        session.ends_with(r#"","_user_id":"alice","logins":1,"username":"alice"}"#),
        "{session}"
    );
}

#[tokio::test]
async fn head_and_unknown_pages_answer_properly() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    let head = alice
        .send(Request::head("/").body(Body::empty()).unwrap())
        .await;
    assert_eq!((head.status, head.text.len()), (StatusCode::OK, 0));
    let missing = alice.get("/no/such/page").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.has("error"));
}

#[test]
fn the_development_key_is_made_once_and_only_its_owner_can_read_it() {
    let folder = folder();
    let first = tour::keys(&folder).unwrap();
    let second = tour::keys(&folder).unwrap();
    let file = folder.join("secret_key");
    assert!(matches!(&first.origin, KeysOrigin::NewFile(path) if *path == file));
    assert!(matches!(&second.origin, KeysOrigin::File(path) if *path == file));
    assert_eq!(
        first.keys.ring_at(0).signing().expose_secret(),
        second.keys.ring_at(0).signing().expose_secret()
    );
    let secret = std::fs::read_to_string(&file).unwrap();
    assert!(!format!("{first:?} {}", first.origin).contains(&secret));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_data_folder_that_cannot_be_written_is_one_clear_line() {
    let folder = folder();
    std::fs::write(&folder, "a file where a folder should be").unwrap();
    let error = tour::keys(&folder).unwrap_err();
    assert!(matches!(error, StartError::Data { .. }));
    let line = error.to_string();
    assert!(
        line.contains("--data") && line.lines().count() == 1,
        "{line}"
    );
    std::fs::remove_file(folder).unwrap();
}

#[tokio::test]
async fn a_taken_port_is_one_clear_line() {
    let listener = tour::listen(0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = tour::listen(port).await.unwrap_err();
    assert!(matches!(error, StartError::PortTaken(taken) if taken == port));
    assert!(error.to_string().contains("--port"));
}
