//! The page of a visitor's devices: what it shows to whom, and what ending a login is worth.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod visitor;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use visitor::{Answer, Site, Visitor, form_request};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const CHROME: &str = "Mozilla/5.0 (Linux; Android 16) Chrome/140.0.0.0 Mobile Safari/537.36";

/// Wherever the tour can keep sessions.
async fn sites() -> [Site; 4] {
    [
        Site::open().await,
        Site::encrypted().await,
        Site::stored("memory:").await,
        Site::sealed("sqlite:FOLDER/sessions.db").await,
    ]
}

async fn log_in(site: &Site, name: &str, agent: &str) -> Visitor {
    let mut visitor = site.visitor();
    let request = form_request("/login")
        .header("sec-fetch-site", "same-origin")
        .header(header::USER_AGENT, agent)
        .body(Body::from(format!("username={name}")))
        .unwrap();
    assert_eq!(visitor.send(request).await.location(), "/account");
    visitor
}

/// Sends one of the page's forms, with its token.
async fn click(visitor: &mut Visitor, page: &Answer, path: &str) -> Answer {
    let token = page.hidden("csrf_token");
    let handle = match path {
        "/devices/end" => page.hidden("handle"),
        _ => String::new(),
    };
    let form = format!("csrf_token={token}&handle={handle}");
    visitor.submit(path, &form).await
}

async fn account(visitor: &mut Visitor) -> String {
    visitor.get("/account").await.element("account")
}

/// A browser with the same cookie.
fn copy(site: &Site, visitor: &Visitor) -> Visitor {
    let mut copy = site.visitor();
    copy.browser.set_cookie("session", visitor.ticket());
    copy
}

#[tokio::test]
async fn whoever_is_not_logged_in_is_told_what_to_do_and_gets_no_cookie() {
    for site in sites().await {
        let page = site.visitor().get("/devices").await;
        assert_eq!(page.element("devices"), "You are not logged in");
        assert!(page.has("to-login") && !page.has("log-out-others"));
        assert!(!page.headers.contains_key(header::SET_COOKIE));
    }
}

#[tokio::test]
async fn each_device_is_listed_with_its_browser_and_this_one_is_marked() {
    for site in sites().await {
        let mut one = log_in(&site, "alice", FIREFOX).await;
        let page = one.get("/devices").await;
        assert!(page.has("alone") && !page.has("log-out-others"));
        log_in(&site, "alice", CHROME).await;
        log_in(&site, "mallory", "<script>alert(1)</script>").await;

        let page = one.get("/devices").await;
        let this = page.element("this-device");
        assert!(
            this.starts_with("Firefox on Linux this one Logged in "),
            "{this}"
        );
        assert!(this.contains(" ago , last seen ") || this.contains(" ago, last seen "));
        let other = page.element("other-device");
        assert!(other.starts_with("Chrome on Android Logged in "), "{other}");
        assert_eq!(page.text.matches("-device\"").count(), 2);
        assert!(!page.text.contains("mallory") && !page.text.contains("alert(1)"));
    }
}

#[tokio::test]
async fn what_a_browser_calls_itself_is_text_in_the_page() {
    let site = Site::open().await;
    let mut mallory = log_in(&site, "mallory", "<script>alert(1)</script>").await;
    let page = mallory.get("/devices").await;
    let this = page.element("this-device");
    assert!(this.starts_with("&lt;script&gt;alert(1)"), "{this}");
    assert!(!page.text.contains("<script>"));
}

#[tokio::test]
async fn s21_a_device_that_is_logged_out_from_elsewhere_is_out_and_so_is_a_copy_of_its_cookie() {
    for site in sites().await {
        let mut one = log_in(&site, "alice", FIREFOX).await;
        let mut other = log_in(&site, "alice", CHROME).await;
        let mut stolen = copy(&site, &other);
        assert_eq!(account(&mut stolen).await, "Logged in as alice");

        let page = one.get("/devices").await;
        let page = click(&mut one, &page, "/devices/end").await;
        assert_eq!(page.element("flash"), "success Logged out there");
        assert!(page.has("this-device") && !page.has("other-device"));
        for visitor in [&mut other, &mut stolen] {
            let page = visitor.get("/account").await;
            assert_eq!(page.element("account"), "You are not logged in");
            assert_eq!(page.element("verdict"), "refused");
        }
        assert_eq!(account(&mut one).await, "Logged in as alice");
    }
}

#[tokio::test]
async fn s21_logging_out_everywhere_else_leaves_this_one_alone() {
    for site in sites().await {
        let mut one = log_in(&site, "alice", FIREFOX).await;
        let mut others = [
            log_in(&site, "alice", CHROME).await,
            log_in(&site, "alice", FIREFOX).await,
        ];
        let mut bob = log_in(&site, "bob", FIREFOX).await;
        let page = one.get("/devices").await;
        let page = click(&mut one, &page, "/devices/end-others").await;
        assert_eq!(
            page.element("flash"),
            "success Logged out everywhere else: 2"
        );
        assert!(page.has("alone"));
        for other in &mut others {
            assert_eq!(account(other).await, "You are not logged in");
        }
        assert_eq!(account(&mut bob).await, "Logged in as bob");
    }
}

#[tokio::test]
async fn s19_a_logout_takes_the_login_off_the_list_and_a_copied_cookie_with_it() {
    for site in sites().await {
        let mut one = log_in(&site, "alice", FIREFOX).await;
        let mut other = log_in(&site, "alice", CHROME).await;
        assert_eq!(account(&mut other).await, "Logged in as alice");
        let mut stolen = copy(&site, &other);
        other.post("/logout", "").await;
        assert_eq!(account(&mut stolen).await, "You are not logged in");
        let page = one.get("/devices").await;
        assert!(page.has("alone") && !page.has("other-device"));
        // The next login is welcomed back all the same.
        let page = other.submit("/login", "username=alice").await;
        assert_eq!(page.element("flash"), "success Welcome back, alice");
    }
}

#[tokio::test]
async fn nobody_ends_the_login_of_somebody_else() {
    for site in sites().await {
        let mut alice = log_in(&site, "alice", FIREFOX).await;
        log_in(&site, "alice", CHROME).await;
        let handle = alice.get("/devices").await.hidden("handle");
        let mut mallory = log_in(&site, "mallory", FIREFOX).await;
        log_in(&site, "mallory", CHROME).await;
        let token = mallory.get("/devices").await.hidden("csrf_token");
        for handle in [handle.as_str(), "", "x", "%00"] {
            let form = format!("csrf_token={token}&handle={handle}");
            let page = mallory.submit("/devices/end", &form).await;
            assert_eq!(
                page.element("flash"),
                "message That login has ended already"
            );
        }
        assert!(alice.get("/devices").await.has("other-device"));
    }
}

#[tokio::test]
async fn a_form_without_the_token_of_this_session_does_nothing() {
    for site in sites().await {
        let mut alice = log_in(&site, "alice", FIREFOX).await;
        let mut other = log_in(&site, "alice", CHROME).await;
        let good = alice.get("/devices").await.hidden("csrf_token");
        let of_other = other.get("/devices").await.hidden("csrf_token");
        let forged = good.replace('.', "x");
        for token in ["", of_other.as_str(), forged.as_str()] {
            let form = format!("csrf_token={token}");
            let answer = alice.post("/devices/end-others", &form).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{token}");
            assert!(answer.has("error"), "it is a page");
        }
        assert_eq!(account(&mut other).await, "Logged in as alice");
    }
}

#[tokio::test]
async fn a_login_that_flask_made_is_said_to_be_on_no_list() {
    let site = Site::open().await;
    let key = cloakroom::SecretKey::new(visitor::SECRET).unwrap();
    let config = cloakroom::SessionConfig::default();
    let flask = cloakroom::SessionManager::signed(key, config).unwrap();
    let session = flask.new_session();
    session.insert("username", "alice").unwrap();
    let mut alice = site.visitor();
    let cookie = flask.cookie_value(&session).unwrap();
    alice.browser.set_cookie("session", &cookie);
    let page = alice.get("/devices").await;
    assert_eq!(page.element("devices"), "This login is on no list");
    // Logging in here puts it there.
    alice.submit("/login", "username=alice").await;
    assert!(alice.get("/devices").await.has("this-device"));
}

#[tokio::test]
async fn the_page_holds_nothing_that_logs_anybody_in() {
    for site in [Site::stored("memory:").await, Site::sealed("memory:").await] {
        let mut one = log_in(&site, "alice", FIREFOX).await;
        let other = log_in(&site, "alice", CHROME).await;
        let page = one.get("/devices").await;
        for id in [one.ticket(), other.ticket()] {
            assert!(!page.text.contains(id));
        }
    }
}

#[tokio::test]
async fn the_page_is_only_looked_at_with_a_get() {
    let site = Site::open().await;
    let mut alice = log_in(&site, "alice", FIREFOX).await;
    for path in ["/devices/end", "/devices/end-others"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = alice.send(request).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    }
}
