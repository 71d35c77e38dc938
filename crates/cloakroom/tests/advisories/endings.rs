//! Sessions that come back, that end too late, or that are made for nobody; and what may be had only once.

use std::{sync::Arc, time::Duration};

use cloakroom::{
    Clock, Refresh, Refusal, SecretKey, SessionConfig, SessionManager,
    store::{Driver, MemoryStore},
    token::signed::{SignerOptions, TimestampSigner},
};

use crate::{
    support::{
        app::{NOW, key},
        now::Now,
    },
    visits::Site,
};

/// Fails if a write inserts where the entry is gone, or if a logout leaves no tombstone.
#[tokio::test]
async fn cve_2025_46336_cve_2025_32441_a_slow_request_does_not_restore_a_deleted_session() {
    for refresh in [Refresh::EachRequest, Refresh::OnChange] {
        let site = Site::new(SessionConfig::default().refresh(refresh));
        let alice = site.cookie("/login/alice").await;
        let id = alice.strip_prefix("session=").unwrap();
        // Four requests that are under way when the logout comes: they have loaded the session.
        let mut under_way = Vec::new();
        for _ in 0..4 {
            under_way.push(site.manager.open_value(id).await.unwrap());
        }
        let [reads, writes, moves, clears] = &under_way[..] else {
            unreachable!()
        };
        assert_eq!(reads.get::<String>("user").unwrap().unwrap(), "alice");
        writes.insert("cart", 1).unwrap();
        moves.regenerate();
        moves.insert("user", "alice again").unwrap();
        clears.remove("user");
        site.get("/logout", &alice).await;
        for session in &under_way {
            let mut headers = http::HeaderMap::new();
            site.manager.close(session, &mut headers).await.unwrap();
            assert!(!headers.contains_key("set-cookie"), "{session:?}");
        }
        assert_eq!(site.get("/read", &alice).await.body, "{}");
        let entries = site.store.list("", None, 10).await.unwrap().entries;
        assert_eq!(entries.len(), 0);
        // Nor does another program that writes the entry after the logout bring it back.
        let key = format!("session:{id}");
        let written = site
            .store
            .create(&key, "late".into(), Duration::from_secs(60));
        assert!(written.await.is_err());
    }
}

/// Fails if a cleared session goes on under its id for the next who uses the same browser.
#[tokio::test]
async fn cve_2015_3982_after_a_flush_the_next_visitor_gets_another_id() {
    let site = Site::new(SessionConfig::default());
    let first = site.cookie("/login/alice").await;
    for path in ["/logout", "/clear"] {
        let first = match path {
            "/logout" => first.clone(),
            _ => site.cookie("/login/alice").await,
        };
        site.get(path, &first).await;
        assert_eq!(site.get("/read", &first).await.body, "{}");
        // A browser that keeps sending the old cookie all the same, with and without a login.
        let answer = site.get("/set/cart", &first).await;
        assert_ne!(answer.cookies, std::slice::from_ref(&first));
        assert_eq!(site.get("/read", &first).await.body, "{}");
        let answer = site.get("/login/bob", &first).await;
        assert_eq!(answer.cookies.len(), 1);
        assert_ne!(answer.cookies[0], first);
        assert_eq!(site.get("/read", &first).await.body, "{}");
        assert!(
            site.get("/read", &answer.cookies[0])
                .await
                .body
                .contains("bob")
        );
    }
}

/// Fails if looking at a session, or ending one that is not there, makes an entry or a cookie.
#[tokio::test]
async fn cve_2015_5143_cve_2015_5963_cve_2018_11386_visits_without_a_session_leave_nothing() {
    for config in [
        SessionConfig::default(),
        SessionConfig::default().refresh(Refresh::EachRequest),
        SessionConfig::default().permanent_by_default(true),
        SessionConfig::flask(),
    ] {
        let site = Site::new(config);
        for path in ["/", "/read", "/look", "/clear", "/logout"] {
            for cookie in ["", "theme=dark", "session=", "session=nonsense"] {
                let answer = site.get(path, cookie).await;
                assert!(
                    !site.calls.kinds().contains(&"create"),
                    "{path} with {cookie}"
                );
                let set = answer.cookies.iter();
                let set: Vec<_> = set.filter(|cookie| *cookie != "session=").collect();
                assert!(set.is_empty(), "{path} with {cookie}: {set:?}");
            }
        }
        assert!(
            site.store
                .list("", None, 10)
                .await
                .unwrap()
                .entries
                .is_empty()
        );
    }
}

/// Fails if the age of a cookie is left to the browser, or if its time is not under the signature.
#[test]
fn cve_2018_1000814_a_cookie_that_the_browser_kept_too_long_is_refused() {
    let clock = Clock::manual(NOW);
    let config = SessionConfig::default()
        .lifetime(Duration::from_secs(3600))
        .clock(clock.clone());
    let manager = SessionManager::signed(key(), config).unwrap();
    let session = manager.new_session();
    session.insert("user", "alice").unwrap();
    let cookie = manager.cookie_value(&session).unwrap();
    clock.advance(Duration::from_secs(3600));
    assert!(manager.open_value_now(&cookie).is_ok());
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        manager.open_value_now(&cookie).unwrap_err(),
        Refusal::Expired
    );

    // Another time in the middle of it is another token.
    let parts: Vec<&str> = cookie.split('.').collect();
    let signer = TimestampSigner::with_options(
        SecretKey::new("a key that the server does not have").unwrap(),
        "cookie-session",
        &SignerOptions::flask(),
    );
    let later = String::from_utf8(signer.sign_at(parts[0], NOW + 7200)).unwrap();
    let later: Vec<&str> = later.split('.').collect();
    let moved = [parts[0], later[1], parts[2]].join(".");
    assert_eq!(
        manager.open_value_now(moved).unwrap_err(),
        Refusal::BadSignature
    );
}

/// Fails if loading a session, or a cookie that is still there, gives the entry another expiry.
#[tokio::test]
async fn cve_2024_35220_loading_a_session_does_not_move_its_end() {
    let hour = Duration::from_secs(3600);
    let config = SessionConfig::default()
        .lifetime(hour)
        .refresh(Refresh::OnChange);
    let site = Site::new(config);
    let alice = site.cookie("/login/alice").await;
    for _ in 0..6 {
        site.clock.advance(hour / 6);
        site.clock.set(site.clock.unix_seconds() - 1);
        assert!(site.get("/read", &alice).await.body.contains("alice"));
    }
    site.clock.advance(Duration::from_secs(7));
    assert_eq!(site.get("/read", &alice).await.body, "{}");
    assert_eq!(site.get("/look", &alice).await.body, "");
    // Nor can a request that loaded it in time give it another life.
    let alice = site.cookie("/login/alice").await;
    let session = site.manager.open_value(&alice["session=".len()..]).await;
    let session = session.unwrap();
    site.clock.advance(hour + Duration::from_secs(1));
    session.insert("cart", 1).unwrap();
    session.save().await.unwrap();
    assert_eq!(site.get("/read", &alice).await.body, "{}");
}

/// Fails if taking is looking first and removing later.
#[tokio::test]
async fn cve_2026_45720_what_may_be_had_once_is_had_once() {
    for beside in [false, true] {
        let store = Arc::new(MemoryStore::new());
        let (recording, _) = crate::recording::Recording::new(store);
        let manager = SessionManager::stored(recording, SessionConfig::default()).unwrap();
        for _ in 0..20 {
            let session = manager.new_session();
            session.insert("reset_token", "once").unwrap();
            if beside {
                session.insert("cart", 1).unwrap();
            }
            session.save().await.unwrap();
            let id = manager.cookie_value(&session).unwrap();
            // Eight requests that have all seen it before the first of them takes it.
            let mut requests = Vec::new();
            for _ in 0..8 {
                let session = manager.open_value(&id).await.unwrap();
                assert!(session.contains_key("reset_token"));
                requests.push(session);
            }
            let mut had = 0;
            for session in &requests {
                let token = session.take_once::<String>("reset_token").await.unwrap();
                had += usize::from(token.is_some());
            }
            assert_eq!(had, 1);
            // And of those that come at the same time.
            let session = manager.new_session();
            session.insert("reset_token", "once").unwrap();
            if beside {
                session.insert("cart", 1).unwrap();
            }
            session.save().await.unwrap();
            let id = manager.cookie_value(&session).unwrap();
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let (manager, id) = (manager.clone(), id.clone());
                tasks.spawn(async move {
                    let Ok(session) = manager.open_value(&id).await else {
                        return false;
                    };
                    tokio::task::yield_now().await;
                    let token = session.take_once::<String>("reset_token").await.unwrap();
                    token.is_some()
                });
            }
            let had = tasks.join_all().await;
            assert_eq!(had.iter().filter(|had| **had).count(), 1, "{had:?}");
        }
    }
}
