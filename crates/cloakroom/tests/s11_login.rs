//! Logging in and out: a new id, the user, the time of the proof, in one commit.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail loudly"
)]

#[path = "support/visit.rs"]
mod visit;

use std::time::Duration;

use cloakroom::{
    Clock, Error, Layout, Login, PendingUser, SecretKey, Session, SessionConfig, SessionManager,
    User,
    store::{MemoryStore, Store},
    testing::Browser,
};
use visit::request;

const START: u64 = 1_800_000_000;

fn stored() -> (Clock, SessionManager) {
    stored_as(Layout::Flask)
}

fn stored_as(layout: Layout) -> (Clock, SessionManager) {
    let clock = Clock::manual(START);
    let store = Store::new(MemoryStore::new().clock(clock.clone()));
    let config = SessionConfig::default().layout(layout).clock(clock.clone());
    (clock, SessionManager::stored(store, config).unwrap())
}

/// Sessions in either cookie, and in a store in each layout.
fn everywhere() -> [(Clock, SessionManager); 5] {
    [
        in_cookie(),
        encrypted(),
        stored(),
        stored_as(Layout::Native),
        stored_as(Layout::Sealed),
    ]
}

fn in_cookie() -> (Clock, SessionManager) {
    let clock = Clock::manual(START);
    let config = SessionConfig::default().clock(clock.clone());
    let key = SecretKey::new("a key of this test alone").unwrap();
    (clock, SessionManager::signed(key, config).unwrap())
}

fn encrypted() -> (Clock, SessionManager) {
    let clock = Clock::manual(START);
    let config = SessionConfig::default().clock(clock.clone());
    let key = SecretKey::new("a key of this test alone").unwrap();
    (clock, SessionManager::encrypted(key, config).unwrap())
}

#[tokio::test]
async fn s11_a_login_has_a_new_id_and_the_old_one_is_dead() {
    let (_, manager) = stored();
    let mut browser = Browser::new();
    request(&manager, &mut browser, |session| session.insert("cart", 1))
        .await
        .unwrap();
    let mut planted = browser.clone();
    request(&manager, &mut browser, |session| session.login("alice"))
        .await
        .unwrap();
    assert_ne!(browser.cookie("session"), planted.cookie("session"));
    let (who, cart) = request(&manager, &mut browser, |session| {
        (session.subject(), session.get::<u32>("cart").unwrap())
    })
    .await;
    assert_eq!((who.as_deref(), cart), (Some("alice"), Some(1)));
    // Whoever planted the first id has nothing.
    let (who, empty) = request(&manager, &mut planted, |session| {
        (session.subject(), session.is_empty())
    })
    .await;
    assert_eq!((who, empty), (None, true));
}

#[tokio::test]
async fn s11_logging_in_again_has_a_new_id_too() {
    let (_, manager) = stored();
    let mut browser = Browser::new();
    request(&manager, &mut browser, |session| session.login("alice"))
        .await
        .unwrap();
    let mut copy = browser.clone();
    request(&manager, &mut browser, |session| session.login("alice"))
        .await
        .unwrap();
    assert_ne!(browser.cookie("session"), copy.cookie("session"));
    assert_eq!(request(&manager, &mut copy, Session::subject).await, None);
}

/// Symfony's CVE-2018-11385 and CVE-2023-46733 were logins that kept the id: here the call that sets the user
/// is the one that changes the id.
#[tokio::test]
async fn s12_cve_2018_11385_there_is_no_login_without_a_new_id() {
    let (_, manager) = stored();
    for level in [None, Some(1), Some(2)] {
        let mut browser = Browser::new();
        request(&manager, &mut browser, |session| session.insert("cart", 1))
            .await
            .unwrap();
        let before = browser.cookie("session").map(str::to_owned);
        let mut login = Login::new("alice");
        if let Some(level) = level {
            login = login.level(level);
        }
        request(&manager, &mut browser, |session| session.login(login))
            .await
            .unwrap();
        assert_ne!(browser.cookie("session").map(str::to_owned), before);
        let before = browser.cookie("session").map(str::to_owned);
        request(&manager, &mut browser, |session| {
            session.begin_login("alice")
        })
        .await
        .unwrap();
        assert_ne!(browser.cookie("session").map(str::to_owned), before);
    }
}

#[tokio::test]
async fn s13_what_another_user_had_goes_first() {
    for (_, manager) in everywhere() {
        let mut browser = Browser::new();
        request(&manager, &mut browser, |session| session.insert("cart", 1))
            .await
            .unwrap();
        request(&manager, &mut browser, |session| session.login("alice"))
            .await
            .unwrap();
        request(&manager, &mut browser, |session| {
            session.flash("message", "for alice alone");
            session.insert("balance", 100)
        })
        .await
        .unwrap();
        for switch in [
            |session: &Session| session.login("bob"),
            |session: &Session| session.begin_login("carol"),
        ] {
            request(&manager, &mut browser, switch).await.unwrap();
            let keys = request(&manager, &mut browser, Session::keys).await;
            for key in ["cart", "balance", "_flashes"] {
                assert!(!keys.iter().any(|there| there == key), "{key}");
            }
        }
    }
}

#[tokio::test]
async fn s25_a_session_says_when_and_how_its_user_proved_who_it_is() {
    for (clock, manager) in everywhere() {
        let mut browser = Browser::new();
        request(&manager, &mut browser, |session| {
            session.login(Login::new("alice").level(2))
        })
        .await
        .unwrap();
        clock.advance(Duration::from_secs(300));
        request(&manager, &mut browser, |session| {
            let at = session.authenticated_at().unwrap();
            assert_eq!(at, std::time::UNIX_EPOCH + Duration::from_secs(START));
            assert!(session.authenticated_within(Duration::from_secs(300)));
            assert!(!session.authenticated_within(Duration::from_secs(299)));
            assert_eq!(session.auth_level(), Some(2));
        })
        .await;
        // Nothing but a login makes it younger.
        request(&manager, &mut browser, |session| session.insert("page", 1))
            .await
            .unwrap();
        request(&manager, &mut browser, |session| {
            assert!(!session.authenticated_within(Duration::from_secs(299)));
        })
        .await;
        request(&manager, &mut browser, |session| session.login("alice"))
            .await
            .unwrap();
        request(&manager, &mut browser, |session| {
            assert!(session.authenticated_within(Duration::ZERO));
            assert_eq!(session.auth_level(), None, "this login gave none");
        })
        .await;
        // Flask-Login says so where it took a remembered cookie for a login.
        request(&manager, &mut browser, |session| {
            session.insert("_fresh", false)
        })
        .await
        .unwrap();
        request(&manager, &mut browser, |session| {
            assert!(!session.authenticated_within(Duration::from_secs(300)));
        })
        .await;
    }
}

#[tokio::test]
async fn s26_half_a_login_is_no_login() {
    for (_, manager) in everywhere() {
        let mut browser = Browser::new();
        request(&manager, &mut browser, |session| {
            session.begin_login("alice")
        })
        .await
        .unwrap();
        request(&manager, &mut browser, |session| {
            assert_eq!(session.subject(), None);
            assert!(!session.authenticated_within(Duration::MAX));
            let user = User::of(session.clone());
            assert!(matches!(user, Err(Error::LoginRequired)));
            let pending = PendingUser::of(session.clone()).unwrap();
            assert_eq!(pending.id(), "alice");
            let since = std::time::UNIX_EPOCH + Duration::from_secs(START);
            assert_eq!(pending.since(), since);
        })
        .await;
        request(&manager, &mut browser, |session| session.login("alice"))
            .await
            .unwrap();
        request(&manager, &mut browser, |session| {
            assert_eq!(User::of(session.clone()).unwrap().id(), "alice");
            let pending = PendingUser::of(session.clone());
            assert!(matches!(pending, Err(Error::NoLoginBegun)));
        })
        .await;
        // Who is logged in and begins again is logged out until the second proof.
        request(&manager, &mut browser, |session| {
            session.begin_login("alice")
        })
        .await
        .unwrap();
        let subject = request(&manager, &mut browser, Session::subject).await;
        assert_eq!(subject, None);
    }
}

#[tokio::test]
async fn s11_a_logout_takes_everything() {
    for (_, manager) in everywhere() {
        let mut browser = Browser::new();
        request(&manager, &mut browser, |session| {
            session.set_permanent(true);
            session.login("alice")
        })
        .await
        .unwrap();
        request(&manager, &mut browser, Session::logout).await;
        assert_eq!(browser.cookie("session"), None);
    }
}

#[tokio::test]
async fn s26_handlers_name_who_they_are_for() {
    use axum::{Router, body::Body, routing::get};
    use cloakroom::SessionLayer;
    use tower::ServiceExt;

    let (_, manager) = stored();
    let app = Router::new()
        .route("/user", get(async |user: User| user.id().to_owned()))
        .route(
            "/pending",
            get(async |user: PendingUser| user.id().to_owned()),
        )
        .route(
            "/anyone",
            get(async |user: Option<User>| {
                user.map(|user| user.id().to_owned()).unwrap_or_default()
            }),
        )
        .layer(SessionLayer::new(manager.clone()));
    let mut browser = Browser::new();
    let status = async |browser: &Browser, path: &str| {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(browser.request(request)).await.unwrap();
        response.status().as_u16()
    };
    assert_eq!(status(&browser, "/user").await, 401);
    assert_eq!(status(&browser, "/pending").await, 401);
    assert_eq!(status(&browser, "/anyone").await, 200);
    browser
        .session(&manager, |session| session.begin_login("alice"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status(&browser, "/user").await, 401);
    assert_eq!(status(&browser, "/pending").await, 200);
    browser
        .session(&manager, |session| session.login("alice"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status(&browser, "/user").await, 200);
    assert_eq!(status(&browser, "/pending").await, 401);
    assert_eq!(status(&browser, "/anyone").await, 200);
}
