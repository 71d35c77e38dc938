//! What an operator ends stays ended, in the store and on the lists of users, and nothing else ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]
#![cfg(all(
    feature = "file",
    feature = "memcached",
    feature = "redis",
    feature = "sqlite"
))]

#[path = "support/filled.rs"]
mod filled;
mod support;

use std::time::Duration;

use cloakroom::store::{CreateError, Store};
use cloakroom::{Layout, SessionConfig, SessionManager, UserSessions};
use filled::{Filled, handles, objects};

/// How bob logs in, in this store.
fn layout_of_bob(filled: &Filled) -> Layout {
    match filled.is_cachelib() {
        true => Layout::Flask,
        false => Layout::Native,
    }
}

#[tokio::test]
async fn one_session_ends_and_leaves_its_users_list() {
    for filled in Filled::all().await {
        let manager = filled.manager(layout_of_bob(&filled));
        assert_eq!(
            manager.sessions_of("bob-the-builder").await.unwrap().len(),
            2
        );
        let before = handles(&filled.run("list", &["--json"]));
        let bob = filled.bobs[0].to_string();

        let dry = filled.run("revoke", &["--dry-run", "--json", &bob]);
        assert_eq!(dry.json()["would_end"], 1);
        assert_eq!(
            handles(&filled.run("list", &["--json"])).len(),
            before.len()
        );

        let ended = filled.run("revoke", &["--json", &bob]);
        assert_eq!(ended.json()["ended"], 1, "{}", ended.stderr);
        let after = handles(&filled.run("list", &["--json"]));
        let expected = before.iter().filter(|one| **one != filled.bobs[0]).copied();
        let sorted = |mut handles: Vec<_>| {
            handles.sort_unstable();
            handles
        };
        assert_eq!(sorted(after), sorted(expected.collect()), "{}", filled.url);
        assert_eq!(
            manager.sessions_of("bob-the-builder").await.unwrap().len(),
            1
        );
        assert_eq!(filled.run("revoke", &[&bob]).refused(), "no_such_session");
        // One that is there and one that is not.
        let both = filled.run("revoke", &["--json", &bob, &filled.alice.to_string()]);
        assert_eq!(
            (
                both.json()["ended"].as_u64(),
                both.json()["not_found"].as_u64()
            ),
            (Some(1), Some(1))
        );
    }
}

#[tokio::test]
async fn one_who_has_just_come_leaves_the_list_too() {
    for filled in Filled::all().await {
        // The library would notice by itself, but not of so young a session.
        let manager = filled.manager(layout_of_bob(&filled));
        let session = manager.new_session();
        session.login("fresh-fred").unwrap();
        session.save().await.unwrap();
        let before = handles(&filled.run("list", &["--json", "--subject", "fresh-fred"]));
        assert_eq!(
            filled.run("revoke", &[&before[0].to_string()]).good(),
            "ended 1 session"
        );
        assert!(
            manager.sessions_of("fresh-fred").await.unwrap().is_empty(),
            "{}",
            filled.url
        );
    }
}

#[tokio::test]
async fn p5_what_was_revoked_is_not_brought_back_by_a_slow_request() {
    for filled in Filled::all().await {
        // On a list, and on none.
        let config = SessionConfig::default().key_prefix(&filled.prefix);
        let unlisted = SessionManager::stored(filled.store.clone(), config).unwrap();
        for manager in [filled.manager(Layout::Flask), unlisted] {
            let session = manager.new_session();
            session.login("slow-sally").unwrap();
            session.save().await.unwrap();
            let cookie = manager.cookie_value(&session).unwrap();
            let key = manager.store_key(&session).unwrap();

            // A request has its session, and while it works the operator ends it.
            let slow = manager.open_value(&cookie).await.unwrap();
            assert_eq!(
                filled.run("revoke", &["--subject", "slow-sally"]).good(),
                "ended 1 session"
            );
            slow.insert("late", true).unwrap();
            let _ = slow.save().await;
            assert!(manager.open_value(&cookie).await.is_err(), "{}", filled.url);
            let minute = Duration::from_secs(60);
            let again = filled
                .store
                .create(&key, b"\x80".as_slice().into(), minute)
                .await;
            assert!(matches!(again, Err(CreateError::Exists)), "{}", filled.url);
        }
        let manager = filled.manager(Layout::Flask);
        assert!(manager.sessions_of("slow-sally").await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn all_sessions_of_a_user_end_whoever_let_them_in() {
    for filled in Filled::all().await {
        let manager = filled.manager(layout_of_bob(&filled));
        let count = |filled: &Filled| objects(&filled.run("list", &["--json"])).len();
        let before = count(&filled);
        for (subject, more, ended) in [
            ("bob-the-builder", &[][..], 2),
            ("alice@example.org", &[], 1),
            ("471100815", &[], 1),
            ("dave-the-diver", &["--subject-key", "username"], 1),
            ("nobody-of-this-name", &[], 0),
        ] {
            let arguments = [&["--json", "--subject", subject], more].concat();
            let outcome = filled.run("revoke", &arguments);
            assert_eq!(outcome.json()["ended"], ended, "{subject} {}", filled.url);
        }
        assert_eq!(count(&filled), before - 5, "{}", filled.url);
        assert!(
            manager
                .sessions_of("bob-the-builder")
                .await
                .unwrap()
                .is_empty()
        );
        if filled.carol.is_some() {
            // Only her list knows whose the sealed one is.
            let arguments = ["--json", "--subject", "carol-of-the-bells"];
            assert_eq!(filled.run("revoke", &arguments).json()["ended"], 1);
            assert_eq!(count(&filled), before - 6);
        }
    }
}

#[tokio::test]
async fn everybody_is_logged_out_only_if_that_is_meant() {
    for filled in Filled::all().await {
        let manager = filled.manager(layout_of_bob(&filled));
        let session = manager.new_session();
        session.login("last-of-all").unwrap();
        session.save().await.unwrap();
        let cookie = manager.cookie_value(&session).unwrap();
        let quick = |filled: &Filled| objects(&filled.run("list", &["--json", "--quick"])).len();
        let before = quick(&filled);

        let refused = filled.run("revoke", &["--all"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
        let dry = filled.run("revoke", &["--all", "--dry-run", "--json"]);
        assert_eq!(dry.json()["would_end"], before);
        assert_eq!(quick(&filled), before);
        manager.open_value(&cookie).await.unwrap();

        let ended = filled.run("revoke", &["--all", "--yes", "--json"]);
        assert_eq!(ended.json()["ended"], before, "{}", ended.stderr);
        assert_eq!(
            objects(&filled.run("list", &["--json"])).len(),
            0,
            "{}",
            filled.url
        );
        assert!(manager.open_value(&cookie).await.is_err());
        let again = filled.run("revoke", &["--all", "--yes"]);
        assert_eq!(
            (again.code, again.stderr.as_str()),
            (0, ""),
            "{}",
            filled.url
        );
    }
}

#[tokio::test]
async fn a_users_sessions_end_in_a_store_that_cannot_be_listed() {
    let url = servers::memcached::shared();
    let prefix = format!("{}:", servers::unique("cli"));
    let store = Store::from_url(url).await.unwrap();
    let config = SessionConfig::default()
        .key_prefix(&prefix)
        .user_sessions(UserSessions::new());
    let manager = SessionManager::stored(store, config).unwrap();
    let session = manager.new_session();
    session.login("bob-the-builder").unwrap();
    session.save().await.unwrap();
    let arguments = [
        "sessions",
        "revoke",
        "--prefix",
        &prefix,
        "--subject",
        "bob-the-builder",
    ];
    let outcome = support::cloakroom(&arguments, &[("SESSION_STORE", url)], b"");
    assert_eq!(outcome.good(), "ended 1 session");
    assert!(outcome.stderr.contains("lives on"));
    let cookie = manager.cookie_value(&session).unwrap();
    assert!(manager.open_value(&cookie).await.is_err());
}
