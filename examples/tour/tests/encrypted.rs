//! The tour with `--encrypted` and with `--keys`.

#![allow(missing_docs)]

mod visitor;

use std::fs;

use axum::http::StatusCode;
use clap::Parser;
use cloakroom::{SecretKey, SessionConfig, SessionManager};
use tour::{KeysOrigin, Settings, StartError};
use visitor::{SECRET, Site, folder};

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

#[tokio::test]
async fn every_page_works_encrypted_and_says_so() {
    for (site, kept) in [
        (Site::encrypted().await, "in the cookie, encrypted"),
        (
            Site::sealed("memory:").await,
            "in a store (memory), encrypted",
        ),
    ] {
        let mut alice = site.visitor();
        alice.post("/login", "username=alice").await;
        for path in PAGES {
            let page = alice.get(path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            assert_eq!(page.element("verdict"), "accepted", "{path}");
            assert!(page.element("entries").contains("username alice str"));
        }
        assert_eq!(alice.get("/store").await.element("kept-in"), kept);
    }
}

#[tokio::test]
async fn nobody_reads_an_encrypted_cookie_and_a_flask_app_refuses_it() {
    let site = Site::encrypted().await;
    let mut alice = site.visitor();
    let page = alice.submit("/login", "username=alice").await;
    assert_eq!(page.element("encrypted"), alice.ticket());
    assert!(alice.ticket().starts_with("v1."));
    let key = SecretKey::new(SECRET).unwrap();
    let flask = SessionManager::signed(key, SessionConfig::flask()).unwrap();
    assert!(flask.open_value(alice.ticket()).await.is_err());
}

#[tokio::test]
async fn each_character_of_an_encrypted_cookie_counts() {
    let site = Site::encrypted().await;
    let mut alice = site.visitor();
    alice.get("/counter").await;
    let ticket = alice.ticket().to_owned();
    for position in 1..=ticket.len() {
        let page = alice
            .submit("/tamper", &format!("position={position}"))
            .await;
        assert_eq!(
            page.element("tamper-verdict"),
            "Refused: bad_signature",
            "position {position}"
        );
        let page = alice.submit("/tamper/restore", "").await;
        assert_eq!(page.element("tamper-verdict"), "Accepted");
        assert!(page.has("tamper-encrypted"), "the page says what differs");
        assert_eq!(alice.ticket(), ticket);
    }
}

#[tokio::test]
async fn a_sealed_entry_shows_nothing_of_what_is_in_it() {
    let site = Site::sealed("memory:").await;
    let mut alice = site.visitor();
    let page = alice.submit("/login", "username=alice").await;
    assert!(page.element("layout").starts_with("sealed"));
    let bytes = page.element("entry-bytes");
    assert!(
        !bytes.contains("alice") && bytes.contains("cloakr"),
        "{bytes}"
    );
    assert!(!page.text.contains(alice.ticket()));
}

#[tokio::test]
async fn p10_the_start_says_how_sessions_are_kept() {
    let settings = Settings::parse_from(["tour", "--encrypted", "--keys", "keys.json"]);
    assert!(settings.encrypted && settings.keys.is_some());
    let folder = folder();
    let start = |encrypted| tour::cookie(&folder, encrypted);
    let signed = start(false).await.unwrap().to_string();
    assert_eq!(signed, "Sessions are in a signed cookie, Flask's own.");
    let encrypted = start(true).await.unwrap().to_string();
    assert!(encrypted.contains("so a Flask app cannot"), "{encrypted}");
    let sealed = tour::store("memory:", true).await.unwrap().to_string();
    assert!(sealed.contains("a Flask app cannot read them"), "{sealed}");
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_key_file_is_made_once_for_its_owner_and_read_again_when_it_changes() {
    let folder = folder();
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("keys.json");
    let made = tour::keys_in(&file).unwrap();
    assert!(matches!(&made.origin, KeysOrigin::NewKeyFile(path) if *path == file));
    let text = fs::read_to_string(&file).unwrap();
    let secret = made.keys.ring_at(0).signing().expose_secret().to_owned();
    let secret = String::from_utf8(secret).unwrap();
    assert!(text.contains(&secret));
    assert!(!format!("{made:?} {}", made.origin).contains(&secret));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let again = tour::keys_in(&file).unwrap();
    assert!(matches!(again.origin, KeysOrigin::KeyFile(_)));
    let newer = SecretKey::generate().unwrap();
    let newer = std::str::from_utf8(newer.expose_secret()).unwrap();
    let two = format!(
        r#"{{"keys": [{{"id": "second", "secret": "{newer}", "not_before": 1}}, {{"id": "first", "secret": "{secret}"}}]}}"#
    );
    fs::write(&file, two).unwrap();
    again.keys.reload().unwrap();
    assert_eq!(
        again.keys.ring_at(1).signing().expose_secret(),
        newer.as_bytes()
    );

    fs::write(&file, "{}").unwrap();
    let line = tour::keys_in(&file).unwrap_err().to_string();
    assert!(
        line.starts_with("--keys: ") && line.lines().count() == 1,
        "{line}"
    );
    let nowhere = tour::keys_in(&folder.join("no/such/keys.json")).unwrap_err();
    assert!(matches!(nowhere, StartError::NewKeyFile { .. }));
    fs::remove_dir_all(folder).unwrap();
}
