//! What a visitor can do on the tour, page by page.

#![allow(missing_docs)]

mod visitor;

use axum::http::{StatusCode, header};
use visitor::Site;

#[tokio::test]
async fn the_counter_counts_and_starts_again() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    for visits in 1..=3 {
        let page = alice.get("/counter").await;
        assert_eq!(page.element("visits"), visits.to_string());
    }
    let page = alice.submit("/counter/reset", "").await;
    assert_eq!(page.element("visits"), "1");
    assert_eq!(site.visitor().get("/counter").await.element("visits"), "1");
}

#[tokio::test]
async fn a_name_is_remembered_until_a_new_session_starts() {
    let site = Site::open().await;
    let mut ada = site.visitor();
    assert!(ada.get("/name").await.has("first-name"));
    let page = ada.submit("/name", "first_name=Ada+%3Cb%3E").await;
    assert_eq!(page.element("greeting"), "Ada &lt;b&gt;");
    let page = ada.submit("/name/clear", "").await;
    assert!(page.has("first-name"));
    assert_eq!(ada.ticket(), "");
}

#[tokio::test]
async fn a_login_is_welcomed_the_next_one_welcomed_back_and_a_logout_ends_it() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    assert_eq!(
        alice.get("/account").await.element("account"),
        "You are not logged in"
    );

    let page = alice.submit("/login", "username=alice").await;
    assert_eq!(page.element("flash"), "success Welcome, alice");
    assert_eq!(page.element("account"), "Logged in as alice");
    assert_eq!(page.element("logins"), "1");
    assert!(
        page.element("proved")
            .ends_with("recent enough to change a password")
    );
    assert!(
        !alice.get("/account").await.has("flash"),
        "a message is shown once"
    );

    let page = alice.submit("/logout", "").await;
    assert_eq!(page.element("account"), "You are not logged in");

    let page = alice.submit("/login", "username=alice&remember=yes").await;
    assert_eq!(page.element("flash"), "success Welcome back, alice");
    let page = alice.submit("/login", "username=++").await;
    assert_eq!(page.element("flash"), "error Please enter a name");
}

#[tokio::test]
async fn remember_me_gives_the_cookie_an_end_in_seven_days_and_forgetting_takes_it() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    let expires = |answer: &visitor::Answer| {
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
            "{cookie}"
        );
        cookie.contains("Expires=")
    };
    assert!(expires(
        &alice.post("/login", "username=alice&remember=yes").await
    ));
    let page = alice.get("/remember").await;
    assert_eq!(page.element("permanent"), "permanent");
    assert!(page.element("until").ends_with("GMT"));

    assert!(!expires(&alice.post("/remember", "remember=no").await));
    assert_eq!(
        alice.get("/remember").await.element("permanent"),
        "not permanent"
    );
    assert!(!expires(&alice.post("/login", "username=alice").await));
}

#[tokio::test]
async fn messages_are_shown_once_with_their_category() {
    let site = Site::open().await;
    let mut bob = site.visitor();
    let page = bob.submit("/flash", "title=Saved&category=success").await;
    assert_eq!(page.element("flash"), "success Saved");
    let page = bob.submit("/flash", "title=+&category=success").await;
    assert_eq!(page.element("flash"), "error Title is required!");
    assert!(!bob.get("/flash").await.has("flash"));

    bob.post("/flash", "title=one&category=warning").await;
    bob.post("/flash", "title=two").await;
    let messages = bob.get("/flash/messages").await.text;
    assert_eq!(messages, r#"[["warning","one"],["message","two"]]"#);
    assert_eq!(bob.get("/flash/messages").await.text, "[]");
}

#[tokio::test]
async fn a_held_message_waits_on_the_ticket() {
    let site = Site::open().await;
    let mut bob = site.visitor();
    let page = bob
        .submit("/flash", "title=Saved&category=success&hold=1")
        .await;
    assert!(page.has("held") && !page.has("flash"));
    assert!(page.element("entries").contains("_flashes"));
    assert_eq!(bob.get("/flash").await.element("flash"), "success Saved");
}

#[tokio::test]
async fn plain_cookies_are_set_read_and_deleted_but_never_over_the_session() {
    let site = Site::open().await;
    let mut john = site.visitor();
    assert_eq!(
        john.get("/cookies").await.element("cookie-value"),
        "No cookie called username"
    );
    let answer = john.post("/cookies/set", "").await;
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.starts_with("username=John; ") && cookie.contains("Max-Age=3600"),
        "{cookie}"
    );
    assert_eq!(john.get("/cookies").await.element("cookie-value"), "John");
    john.post("/cookies/set", "name=lang&value=d%C3%A9").await;
    assert!(
        john.get("/cookies")
            .await
            .element("cookies")
            .contains("lang dé")
    );
    john.post("/cookies/delete", "").await;
    assert!(
        john.get("/cookies")
            .await
            .element("cookie-value")
            .starts_with("No cookie")
    );

    john.get("/counter").await;
    let ticket = john.ticket().to_owned();
    for name in ["session", "two+words", ""] {
        let page = john
            .submit("/cookies/set", &format!("name={name}&value=x"))
            .await;
        assert!(page.element("flash").starts_with("error"), "{name}");
    }
    assert!(!ticket.is_empty());
    assert_eq!(john.get("/account").await.element("account-visits"), "1");
}

#[tokio::test]
async fn the_to_do_list_opens_only_after_a_login() {
    let site = Site::open().await;
    let mut nobody = site.visitor();
    for path in ["/todo/1/toggle", "/todo/1/delete", "/todo"] {
        assert_eq!(nobody.post(path, "title=x").await.location(), "/login");
    }
    let answer = nobody.get("/todo").await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/login")
    );
    let page = nobody.get("/login").await;
    assert_eq!(
        page.element("flash"),
        "error Please log in to see your list"
    );
}

#[tokio::test]
async fn tasks_are_added_done_and_deleted_by_their_owner_alone() {
    let site = Site::open().await;
    let (mut alice, mut mallory) = (site.visitor(), site.visitor());
    alice.post("/login", "username=alice").await;
    mallory.post("/login", "username=mallory").await;

    let injection = "title=Buy+milk%27%29%3B+DROP+TABLE+todos%3B+--";
    let page = alice.submit("/todo", injection).await;
    assert!(
        page.text.contains("Buy milk&#x27;); DROP TABLE todos; --"),
        "{}",
        page.text
    );
    assert!(page.text.contains("/todo/1/toggle"));
    let page = alice.submit("/todo", "title=").await;
    assert_eq!(page.element("flash"), "error Title is required!");

    let page = mallory.get("/todo").await;
    assert!(!page.text.contains("Buy milk"));
    mallory.post("/todo/1/toggle", "").await;
    mallory.post("/todo/1/delete", "").await;
    assert!(
        alice
            .get("/todo")
            .await
            .text
            .contains("aria-pressed=\"false\"")
    );

    let page = alice.submit("/todo/1/toggle", "").await;
    assert!(page.text.contains("aria-pressed=\"true\""));
    let page = alice.submit("/todo/1/delete", "").await;
    assert!(!page.text.contains("Buy milk"));
}

#[tokio::test]
async fn a_changed_ticket_is_refused_with_the_reason_and_can_be_put_back() {
    let site = Site::open().await;
    let mut alice = site.visitor();
    assert_eq!(
        alice.get("/tamper").await.element("tamper-verdict"),
        "No ticket yet"
    );
    alice.post("/login", "username=alice").await;
    let ticket = alice.ticket().to_owned();
    alice.get("/account").await;
    let read = alice.ticket().to_owned();
    assert_ne!(ticket, "");

    // Every position, the two dots and the unused bits of the last letter included.
    for position in 1..=read.len() {
        let page = alice
            .submit("/tamper", &format!("position={position}"))
            .await;
        assert!(
            page.element("tamper-verdict").starts_with("Refused: "),
            "position {position}"
        );
        assert_eq!(page.element("verdict"), "refused");
        assert_eq!(
            alice.get("/account").await.element("account"),
            "You are not logged in"
        );
        let page = alice.submit("/tamper/restore", "").await;
        assert_eq!(page.element("tamper-verdict"), "Accepted");
        assert_eq!(alice.ticket(), read);
    }
    let page = alice.submit("/tamper", "position=2&character=%21").await;
    assert_eq!(page.element("tamper-verdict"), "Refused: bad_signature");
    let page = alice.submit("/tamper/reset", "").await;
    assert_eq!(page.element("tamper-verdict"), "No ticket yet");
    assert_eq!(alice.ticket(), "");
}
