//! Traces have spans of stable names. Alone in its file: what one thread listens to, others would miss.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]
#![cfg(feature = "sqlite")]

#[path = "support/secrets.rs"]
mod secrets;
#[path = "support/visit.rs"]
mod visit;

use cloakroom::{
    SessionConfig, SessionManager,
    store::{SqliteStore, Store},
    testing::Browser,
};
use http::header::COOKIE;
use visit::request;

#[tokio::test]
async fn s28_spans_have_stable_names_and_p10_hold_nothing_of_the_visitor() {
    let output = secrets::Output::default();
    let _listening = tracing::subscriber::set_default(output.clone());
    let driver = SqliteStore::connect("sqlite::memory:").await.unwrap();
    let store = Store::new(driver);
    store.prepare().await.unwrap();
    let manager = SessionManager::stored(store, SessionConfig::default()).unwrap();
    let mut browser = Browser::new();
    request(&manager, &mut browser, |session| {
        session.login("alice").unwrap();
    })
    .await;
    request(&manager, &mut browser, |session| {
        session.insert("a", 1).unwrap();
    })
    .await;
    let written = output.take();
    for span in [
        "DEBUG cloakroom cloakroom.open place=sqlite\n outcome=new",
        "DEBUG cloakroom cloakroom.save place=sqlite",
        "DEBUG cloakroom cloakroom.store store=sqlite operation=create",
        "DEBUG cloakroom cloakroom.store store=sqlite operation=load",
        "DEBUG cloakroom cloakroom.store store=sqlite operation=replace",
        "outcome=loaded",
        "outcome=ok",
    ] {
        assert!(written.contains(span), "{span} is missing in\n{written}");
    }
    let cookie = browser.request(http::Request::new(()));
    let cookie = cookie.headers()[COOKIE].to_str().unwrap();
    let id = cookie.split_once('=').unwrap().1;
    assert!(!written.contains(id) && !written.contains("alice"));
}
