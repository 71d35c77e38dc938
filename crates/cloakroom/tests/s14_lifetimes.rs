//! Idle and absolute lifetimes, on the server's clock, in the cookie and in a store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail loudly"
)]

#[path = "support/visit.rs"]
mod visit;

use std::time::Duration;

use cloakroom::{
    AssuranceLevel, Clock, Error, Layout, Refresh, Refusal, SecretKey, Session, SessionConfig,
    SessionManager, Status, store::MemoryStore, testing::Browser,
};
use visit::request;

const START: u64 = 1_800_000_000; // 2027-01-15T08:00:00Z
const HOUR: Duration = Duration::from_secs(3600);

/// The same settings for sessions in either cookie and in a store, in each layout, each with its clock.
fn rooms(config: &SessionConfig) -> [(&'static str, Clock, SessionManager); 5] {
    let key = || SecretKey::new("a key of this test alone").unwrap();
    let clocked = || {
        let clock = Clock::manual(START);
        (clock.clone(), config.clone().clock(clock))
    };
    let stored = |name, layout| {
        let (clock, config) = clocked();
        let store = MemoryStore::new().clock(clock.clone());
        let manager = SessionManager::stored(store, config.layout(layout));
        (name, clock, manager.unwrap())
    };
    let (first, signed) = clocked();
    let (second, encrypted) = clocked();
    [
        (
            "cookie",
            first,
            SessionManager::signed(key(), signed).unwrap(),
        ),
        (
            "encrypted",
            second,
            SessionManager::encrypted(key(), encrypted).unwrap(),
        ),
        stored("store", Layout::Flask),
        stored("native", Layout::Native),
        stored("sealed", Layout::Sealed),
    ]
}

fn refusal(session: &Session) -> Option<Refusal> {
    match session.status() {
        Status::Refused(refusal) => Some(refusal),
        _ => None,
    }
}

#[tokio::test]
async fn s14_idle_time_ends_a_session_whatever_the_cookie_says() {
    let config = SessionConfig::default().lifetime(HOUR);
    for (room, clock, manager) in rooms(&config) {
        let mut browser = Browser::new();
        request(&manager, &mut browser, |session| session.login("alice"))
            .await
            .unwrap();
        clock.advance(HOUR);
        let subject = request(&manager, &mut browser, Session::subject).await;
        assert_eq!(
            subject.as_deref(),
            manager.store().is_none().then_some("alice"),
            "{room}"
        );
        // The browser still has the cookie; nobody asks it how old that is.
        clock.advance(HOUR + Duration::from_secs(1));
        let refused = request(&manager, &mut browser, refusal).await;
        let expected = match manager.store() {
            Some(_) => Refusal::UnknownId,
            None => Refusal::Expired,
        };
        assert_eq!(refused, Some(expected), "{room}");
    }
}

#[tokio::test]
async fn s14_activity_keeps_a_session_alive() {
    let config = SessionConfig::default().lifetime(HOUR);
    for (room, clock, manager) in rooms(&config) {
        let mut browser = Browser::new();
        request(&manager, &mut browser, |session| session.login("alice"))
            .await
            .unwrap();
        for _ in 0..20 {
            clock.advance(HOUR / 2);
            let subject = request(&manager, &mut browser, Session::subject).await;
            assert_eq!(subject.as_deref(), Some("alice"), "{room}");
        }
    }
}

#[tokio::test]
async fn s15_activity_does_not_extend_the_absolute_lifetime() {
    let config = SessionConfig::default()
        .lifetime(HOUR)
        .absolute_lifetime(HOUR * 4);
    for (room, clock, manager) in rooms(&config) {
        let mut browser = Browser::new();
        request(&manager, &mut browser, |session| session.insert("cart", 1))
            .await
            .unwrap();
        for _ in 0..7 {
            clock.advance(HOUR / 2);
            let cart = request(&manager, &mut browser, |session| {
                session.update("cart", |cart: Option<u32>| cart.unwrap_or_default() + 1)
            });
            assert!(cart.await.unwrap() > 1, "{room}");
        }
        clock.advance(HOUR / 2);
        let refused = request(&manager, &mut browser, refusal).await;
        // The store was told the same time, and has dropped the entry.
        let expected = match manager.store() {
            Some(_) => Refusal::UnknownId,
            None => Refusal::LifetimeOver,
        };
        assert_eq!(refused, Some(expected), "{room}");
    }
}

#[tokio::test]
async fn s15_an_entry_that_outlives_its_session_is_refused() {
    let clock = Clock::manual(START);
    // A store whose clock stands still, as one that is an hour behind.
    let store = MemoryStore::new().clock(Clock::manual(START));
    let config = SessionConfig::default()
        .absolute_lifetime(HOUR)
        .clock(clock.clone());
    let manager = SessionManager::stored(store, config).unwrap();
    let mut browser = Browser::new();
    request(&manager, &mut browser, |session| session.login("alice"))
        .await
        .unwrap();
    clock.advance(HOUR);
    let refused = request(&manager, &mut browser, refusal).await;
    assert_eq!(refused, Some(Refusal::LifetimeOver));
}

#[tokio::test]
async fn s15_a_session_that_does_not_say_when_it_began_begins_when_it_is_seen() {
    let clock = Clock::manual(START);
    let store = cloakroom::store::Store::new(MemoryStore::new().clock(clock.clone()));
    let without = SessionConfig::default().clock(clock.clone());
    let before = SessionManager::stored(store.clone(), without.clone()).unwrap();
    let mut browser = Browser::new();
    request(&before, &mut browser, |session| {
        session.insert("name", "alice")
    })
    .await
    .unwrap();
    let after = SessionManager::stored(store, without.absolute_lifetime(HOUR)).unwrap();
    clock.advance(HOUR * 2);
    let name = request(&after, &mut browser, |session| {
        session.get::<String>("name")
    });
    assert_eq!(name.await.unwrap().as_deref(), Some("alice"));
    clock.advance(HOUR / 2);
    let name = request(&after, &mut browser, |session| {
        session.get::<String>("name")
    });
    assert_eq!(name.await.unwrap().as_deref(), Some("alice"));
    clock.advance(HOUR / 2);
    let status = request(&after, &mut browser, Session::status).await;
    assert!(matches!(status, Status::Refused(_)), "{status:?}");
}

#[tokio::test]
async fn s16_a_new_login_starts_both_clocks_and_activity_only_one() {
    let config = SessionConfig::default()
        .lifetime(HOUR)
        .absolute_lifetime(HOUR * 4)
        .refresh(Refresh::After(Duration::ZERO));
    for (room, clock, manager) in rooms(&config) {
        let mut browser = Browser::new();
        request(&manager, &mut browser, |session| session.login("alice"))
            .await
            .unwrap();
        let pages = async |browser: &mut Browser, count: u32| {
            for _ in 0..count {
                clock.advance(HOUR / 2);
                let subject = request(&manager, browser, Session::subject).await;
                assert_eq!(subject.as_deref(), Some("alice"), "{room}");
            }
        };
        pages(&mut browser, 7).await;
        request(&manager, &mut browser, |session| session.login("alice"))
            .await
            .unwrap();
        pages(&mut browser, 7).await;
        clock.advance(HOUR / 2);
        let subject = request(&manager, &mut browser, Session::subject).await;
        assert_eq!(subject, None, "{room}");
    }
}

#[tokio::test]
async fn s17_the_presets_are_what_nist_and_asvs_allow() {
    use AssuranceLevel::{Aal1, Aal2, Aal3, Asvs4Level2, Asvs4Level3};
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    for (level, overall, idle) in [
        (Aal1, minutes(30 * 24 * 60), minutes(30 * 24 * 60)),
        (Aal2, minutes(24 * 60), minutes(60)),
        (Aal3, minutes(12 * 60), minutes(15)),
        (Asvs4Level2, minutes(12 * 60), minutes(30)),
        (Asvs4Level3, minutes(12 * 60), minutes(15)),
    ] {
        assert_eq!(level.absolute_lifetime(), overall);
        assert_eq!(level.idle_lifetime(), idle);
        let config = SessionConfig::default()
            .remember_lifetime(minutes(60 * 24 * 60))
            .assurance(level);
        for (room, clock, manager) in rooms(&config) {
            let mut browser = Browser::new();
            let login = |session: &Session| {
                session.set_permanent(true);
                session.login("alice")
            };
            request(&manager, &mut browser, login).await.unwrap();
            // Idle.
            let mut idler = browser.clone();
            clock.advance(idle + Duration::from_secs(1));
            let subject = request(&manager, &mut idler, Session::subject).await;
            assert_eq!(subject, None, "{room} {level:?} idle");
            clock.set(START);
            // Busy all the time; the presets leave room for one more look within the idle time.
            if idle < overall {
                let mut busy = Browser::new();
                request(&manager, &mut busy, login).await.unwrap();
                let step = idle / 2;
                for _ in 1..overall.as_secs() / step.as_secs() {
                    clock.advance(step);
                    let subject = request(&manager, &mut busy, Session::subject).await;
                    assert_eq!(subject.as_deref(), Some("alice"), "{room} {level:?}");
                }
                clock.advance(step);
                let subject = request(&manager, &mut busy, Session::subject).await;
                assert_eq!(subject, None, "{room} {level:?} overall");
                clock.set(START);
            }
        }
    }
}

#[tokio::test]
async fn s14_a_remembered_session_has_a_lifetime_of_its_own() {
    let config = SessionConfig::default()
        .lifetime(HOUR)
        .remember_lifetime(HOUR * 24);
    for (room, clock, manager) in rooms(&config) {
        let (mut here, mut remembered) = (Browser::new(), Browser::new());
        request(&manager, &mut here, |session| session.login("alice"))
            .await
            .unwrap();
        request(&manager, &mut remembered, |session| {
            session.set_permanent(true);
            session.login("alice")
        })
        .await
        .unwrap();
        clock.advance(HOUR + Duration::from_secs(1));
        let subject = request(&manager, &mut here, Session::subject).await;
        assert_eq!(subject, None, "{room}");
        clock.advance(HOUR * 22);
        let subject = request(&manager, &mut remembered, Session::subject).await;
        assert_eq!(subject.as_deref(), Some("alice"), "{room}");
        clock.advance(HOUR * 24 + Duration::from_secs(1));
        let subject = request(&manager, &mut remembered, Session::subject).await;
        assert_eq!(subject, None, "{room}");
    }
}

#[tokio::test]
async fn s15_the_cookie_ends_with_the_session() -> Result<(), Error> {
    let config = SessionConfig::default()
        .lifetime(HOUR * 8)
        .absolute_lifetime(HOUR * 10);
    for (room, clock, manager) in rooms(&config) {
        let mut headers = http::HeaderMap::new();
        let session = manager.new_session();
        session.set_permanent(true);
        session.login("alice")?;
        manager.close(&session, &mut headers).await?;
        let cookie = headers["set-cookie"].to_str().unwrap().to_owned();
        let ends = "Expires=Fri, 15 Jan 2027 16:00:00 GMT";
        assert!(cookie.contains(ends), "{room}: {cookie}");
        clock.advance(HOUR * 7);
        let mut browser = Browser::new();
        let value = manager.cookie_value(&session).unwrap();
        browser.set_cookie(manager.cookie_name(), value);
        let request = browser.request(http::Request::new(()));
        let session = manager.open(request.headers()).await?;
        session.insert("seen", 1)?;
        let mut headers = http::HeaderMap::new();
        manager.close(&session, &mut headers).await?;
        let cookie = headers["set-cookie"].to_str().unwrap();
        // Three hours are left of ten.
        let ends = "Expires=Fri, 15 Jan 2027 18:00:00 GMT";
        assert!(cookie.contains(ends), "{room}: {cookie}");
    }
    Ok(())
}
