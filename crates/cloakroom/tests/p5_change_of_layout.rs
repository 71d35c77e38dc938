//! From Flask's layout to a native one while visitors come and go: nobody is logged out, nothing is lost, and what has
//! ended stays ended, wherever a process stops. Every order of requests is in `p4_schedules.rs`.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom::{
    Clock, ConfigError, Conversion, Error, Layout, Refusal, Session, SessionConfig, SessionManager,
    UserSessions,
    format::RecordHeader,
    store::{MemoryStore, Store},
    testing::Browser,
};
use faulty::{Fault, Faulty};
use recording::{Calls, Recording};
use visit::request;

#[path = "support/faulty.rs"]
mod faulty;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/visit.rs"]
mod visit;

const NOW: u64 = 1_800_000_000;
const HOUR: Duration = Duration::from_secs(3600);
const NATIVE: [Layout; 2] = [Layout::Native, Layout::Sealed];

/// One store, and servers before, during and after the change.
struct Site {
    clock: Clock,
    store: Store,
    calls: Calls,
    /// Knows Flask's layout alone.
    before: SessionManager,
    /// Knows both, and makes new sessions in Flask's.
    prepared: SessionManager,
    /// Knows both, and makes new ones in the native layout.
    changing: SessionManager,
    /// Knows the native layout alone.
    after: SessionManager,
}

impl Site {
    fn new(native: Layout) -> Self {
        Self::with(native, |config| config)
    }

    fn with(native: Layout, settings: impl Fn(SessionConfig) -> SessionConfig) -> Self {
        let clock = Clock::manual(NOW);
        let (recording, calls) = Recording::new(Arc::new(MemoryStore::new().clock(clock.clone())));
        let store = Store::new(recording);
        let [before, prepared, changing, after] = servers(&store, native, &|config| {
            settings(config.clock(clock.clone()))
        });
        Self {
            clock,
            store,
            calls,
            before,
            prepared,
            changing,
            after,
        }
    }

    /// The keys of all entries.
    async fn keys(&self) -> Vec<String> {
        keys(&self.store).await
    }
}

fn servers(
    store: &Store,
    native: Layout,
    settings: &dyn Fn(SessionConfig) -> SessionConfig,
) -> [SessionManager; 4] {
    let flask = SessionConfig::default();
    let other = flask.clone().layout(native);
    [
        flask.clone(),
        flask.accept_layout(native),
        other.clone().accept_layout(Layout::Flask),
        other,
    ]
    .map(|config| SessionManager::stored(store.clone(), settings(config)).unwrap())
}

async fn keys(store: &Store) -> Vec<String> {
    let page = store.list("", None, 100).await.unwrap();
    page.entries.into_iter().map(|listed| listed.key).collect()
}

/// The cookie of a new session in which alice is logged in.
async fn login(manager: &SessionManager) -> String {
    let session = manager.new_session();
    session.login("alice").unwrap();
    session.insert("n", 1).unwrap();
    session.save().await.unwrap();
    manager.cookie_value(&session).unwrap()
}

/// A request: what its handler says, and the cookie that the browser has afterwards.
async fn visit<T>(
    manager: &SessionManager,
    cookie: &str,
    handler: impl FnOnce(&Session) -> T,
) -> (T, Option<String>) {
    let mut browser = Browser::new();
    browser.set_cookie("session", cookie);
    let said = request(manager, &mut browser, handler).await;
    (said, browser.cookie("session").map(str::to_owned))
}

async fn who(manager: &SessionManager, cookie: &str) -> Option<String> {
    visit(manager, cookie, Session::subject).await.0
}

async fn count(manager: &SessionManager, cookie: &str) -> Option<u64> {
    visit(manager, cookie, |session| {
        session
            .update("n", |n: Option<u64>| n.unwrap_or(0) + 1)
            .unwrap();
        session.get("n").unwrap()
    })
    .await
    .0
}

/// Who is logged in to most sessions here.
const ALICE: Option<&str> = Some("alice");

#[tokio::test]
async fn p5_nobody_is_logged_out_on_the_way_and_the_cookie_is_replaced_in_time() {
    for native in NATIVE {
        let site = Site::new(native);
        let old = login(&site.before).await;
        // Prepared servers leave everything as it is.
        let entry = site.store.load(&format!("session:{old}")).await.unwrap();
        assert_eq!(who(&site.prepared, &old).await.as_deref(), ALICE);
        assert_eq!(site.keys().await, [format!("session:{old}")]);

        // A reader's cookie goes on, a writer's browser gets a ticket; both open the same session, everywhere.
        let (read, kept) = visit(&site.changing, &old, Session::subject).await;
        assert_eq!((read.as_deref(), kept.as_deref()), (ALICE, Some(&*old)));
        let ((), new) = visit(&site.changing, &old, |session| {
            session.insert("cart", 7).unwrap();
        })
        .await;
        let new = new.unwrap();
        assert_eq!(new.len(), 66);
        for manager in [&site.prepared, &site.changing] {
            for cookie in [&old, &new] {
                assert_eq!(who(manager, cookie).await.as_deref(), ALICE);
            }
        }
        assert_eq!(count(&site.prepared, &new).await, Some(2));
        assert_eq!(count(&site.changing, &old).await, Some(3));
        assert_eq!(count(&site.prepared, &old).await, Some(4));
        assert_eq!(count(&site.after, &new).await, Some(5));
        assert_eq!(site.keys().await.len(), 1);

        // Nothing is left that Flask's kind of id opens, so Flask makes no session of it.
        assert_eq!(who(&site.before, &old).await, None);
        assert_eq!(who(&site.after, &old).await, None);
        drop(entry);

        // A logout ends it for both cookies.
        let ((), left) = visit(&site.prepared, &old, Session::clear).await;
        assert_eq!(left, None);
        for manager in [&site.prepared, &site.changing, &site.after] {
            for cookie in [&old, &new] {
                assert_eq!(who(manager, cookie).await, None);
            }
        }
        assert!(site.keys().await.is_empty());
    }
}

#[tokio::test]
async fn p5_a_ticket_made_by_a_changed_server_is_good_on_a_prepared_one() {
    for native in NATIVE {
        let site = Site::new(native);
        let ticket = login(&site.changing).await;
        assert_eq!(count(&site.prepared, &ticket).await, Some(2));
        assert_eq!(count(&site.changing, &ticket).await, Some(3));
        let id = login(&site.prepared).await;
        assert_eq!(id.len(), 43);
        assert_eq!(count(&site.changing, &id).await, Some(2));
    }
}

#[tokio::test]
async fn p5_a_login_on_the_way_leaves_one_session_and_no_way_to_the_old_one() {
    for native in NATIVE {
        for on in 0..2 {
            for moved in [false, true] {
                let site = Site::new(native);
                let session = site.before.new_session();
                session.insert("n", 1).unwrap();
                session.save().await.unwrap();
                let old = site.before.cookie_value(&session).unwrap();
                if moved {
                    assert_eq!(who(&site.changing, &old).await, None);
                }
                let server = [&site.prepared, &site.changing][on];
                let ((), new) =
                    visit(server, &old, |session| session.login("alice").unwrap()).await;
                let new = new.unwrap();
                assert_eq!(new.len(), [43, 66][on]);
                assert_eq!(count(&site.changing, &new).await, Some(2));
                for manager in [&site.prepared, &site.changing] {
                    assert_eq!(count(manager, &old).await, Some(1), "a new visitor");
                }
            }
        }
    }
}

#[tokio::test]
async fn p2_the_content_moves_byte_for_byte_and_for_as_long_as_it_had_to_live() {
    // As Flask-Session writes with `SESSION_SERIALIZATION_FORMAT = "json"`, and pickled by releases before 0.6.
    let contents: [&[u8]; 3] = [
        b"{\"_user_id\": \"alice\",\"n\": 1}",
        b"\x82\xa8_user_id\xa5alice\xa1n\x01",
        b"\x80\x04}\x94(\x8c\x08_user_id\x94\x8c\x05alice\x94\x8c\x01n\x94K\x01u.",
    ];
    for content in contents {
        let site = Site::new(Layout::Native);
        let id = "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc";
        let key = format!("session:{id}");
        let month = Duration::from_secs(31 * 24 * 3600);
        let content = Bytes::from_static(content);
        let made = site.store.create(&key, content.clone(), month).await;
        made.unwrap();
        site.clock.advance(Duration::from_secs(60));
        assert_eq!(who(&site.changing, id).await.as_deref(), ALICE);
        let keys = site.keys().await;
        assert_eq!(keys.len(), 1);
        let record = site.store.load(&keys[0]).await.unwrap().unwrap();
        assert_eq!(
            record.expires_in,
            month.checked_sub(Duration::from_secs(60))
        );
        assert!(record.value.ends_with(&content));
        let header = RecordHeader::from_slice(&record.value).unwrap();
        assert_eq!(header.subject.as_deref(), Some("alice"));
        assert_eq!(count(&site.changing, id).await, Some(2));
    }
}

#[tokio::test]
async fn s06_what_the_store_has_after_the_move_opens_nothing() {
    for native in NATIVE {
        let site = Site::new(native);
        let old = login(&site.before).await;
        assert_eq!(who(&site.changing, &old).await.as_deref(), ALICE);
        let keys = site.keys().await;
        let [key] = &keys[..] else {
            panic!("{} entries", keys.len())
        };
        let record = site.store.load(key).await.unwrap().unwrap();
        let name = key.strip_prefix("session:session:").unwrap();
        assert_eq!(name.len(), 22);
        let text = String::from_utf8_lossy(&record.value);
        assert!(!key.contains(&old) && !text.contains(&old));
        for cookie in [name, key, &format!("{name}.{}", "A".repeat(43))] {
            assert_eq!(who(&site.changing, cookie).await, None);
        }
    }
}

#[tokio::test]
async fn p3_the_first_request_moves_an_entry_and_readers_after_it_write_nothing() {
    let site = Site::new(Layout::Native);
    let old = login(&site.before).await;
    site.calls.take();
    assert_eq!(who(&site.changing, &old).await.as_deref(), ALICE);
    let moving = ["load", "load", "replace", "create", "delete"];
    assert_eq!(site.calls.kinds(), moving);
    assert_eq!(who(&site.changing, &old).await.as_deref(), ALICE);
    assert_eq!(site.calls.kinds(), ["load"]);
    // What a process may have left under the old id goes with the first write, once.
    let ((), new) = visit(&site.changing, &old, |session| {
        session.insert("cart", 7).unwrap();
    })
    .await;
    assert_eq!(site.calls.kinds(), ["load", "delete", "replace"]);
    assert_eq!(count(&site.changing, &new.unwrap()).await, Some(2));
    assert_eq!(site.calls.kinds(), ["load", "replace"]);
}

#[tokio::test]
async fn p5_signed_ids_move_too_and_made_up_ones_never_reach_the_store() {
    let keys = || cloakroom::SecretKey::new("a key of this test alone").unwrap();
    let flask = SessionConfig::default().sign_ids(keys());
    let store = Store::from(MemoryStore::new());
    let before = SessionManager::stored(store.clone(), flask.clone()).unwrap();
    let prepared = flask.clone().accept_layout(Layout::Native);
    let prepared = SessionManager::stored(store.clone(), prepared).unwrap();
    let changing = flask.layout(Layout::Native).accept_layout(Layout::Flask);
    let changing = SessionManager::stored(store.clone(), changing).unwrap();

    let old = login(&before).await;
    let (id, _) = old.split_once('.').unwrap();
    assert_eq!(who(&prepared, &old).await.as_deref(), ALICE);
    let ((), new) = visit(&changing, &old, |session| session.insert("n", 5).unwrap()).await;
    let new = new.unwrap();
    assert_eq!(new.len(), 66);
    for manager in [&prepared, &changing] {
        assert_eq!(count(manager, &new).await.map(|n| n > 5), Some(true));
        assert_eq!(who(manager, &old).await.as_deref(), ALICE);
        for forged in [id.to_owned(), format!("{id}.{}", "A".repeat(27))] {
            let refused = manager.open_value(&forged).await.unwrap_err();
            assert!(matches!(refused, Error::Refused(Refusal::BadSignature)));
        }
    }
}

/// Fails if a process that stops between two of the steps leaves something that the next one cannot go on from.
#[tokio::test(start_paused = true)]
async fn p5_a_server_may_stop_anywhere() {
    let faults = [
        Fault::Unreachable,
        Fault::Refuses,
        Fault::Hangs,
        Fault::Mute,
    ];
    for native in NATIVE {
        for fault in faults {
            for method in ["load", "replace", "create", "delete"] {
                let clock = Clock::manual(NOW);
                let faulty = Faulty::new(clock.clone());
                let store = Store::new(faulty.clone()).without_breaker();
                let [before, prepared, changing, after] =
                    servers(&store, native, &|config| config.clock(clock.clone()));
                let old = login(&before).await;
                faulty.set(fault, method);
                let what = format!("{native:?}, {method}: {fault:?}");
                match changing.open_value(&old).await {
                    Ok(session) => assert_eq!(session.subject().as_deref(), ALICE, "{what}"),
                    Err(Error::StoreUnavailable { .. } | Error::StoreRefused(_)) => {}
                    Err(error) => panic!("{what}: {error}"),
                }
                faulty.set(Fault::None, faulty::ALL);
                assert_eq!(count(&prepared, &old).await, Some(2), "{what}");
                assert_eq!(count(&changing, &old).await, Some(3), "{what}");
                let ((), new) = visit(&changing, &old, |session| {
                    session.insert("cart", 7).unwrap();
                })
                .await;
                let new = new.unwrap();
                assert_eq!(count(&after, &new).await, Some(4), "{what}");
                assert_eq!(keys(&store).await.len(), 1, "{what}");
                // Over is over, also when no tombstone is left.
                visit(&after, &new, Session::clear).await;
                clock.advance(HOUR);
                for manager in [&prepared, &changing] {
                    assert_eq!(who(manager, &old).await, None, "{what}");
                    assert_eq!(who(manager, &new).await, None, "{what}");
                }
            }
        }
    }
}

/// Fails if the list of devices keeps naming an entry that has moved.
#[tokio::test]
async fn s21_listed_sessions_end_from_elsewhere_wherever_they_are() {
    for native in NATIVE {
        for moved in [false, true] {
            let site = Site::with(native, |config| config.user_sessions(UserSessions::new()));
            let [stolen, own] = [login(&site.before).await, login(&site.before).await];
            let session = site.before.open_value(&stolen).await.unwrap();
            let handle = session.handle().unwrap();
            if moved {
                assert_eq!(who(&site.changing, &stolen).await.as_deref(), ALICE);
                let session = site.changing.open_value(&stolen).await.unwrap();
                assert_eq!(session.handle(), Some(handle));
            }
            let session = site.changing.open_value(&own).await.unwrap();
            assert_eq!(session.user_sessions().await.unwrap().len(), 2);
            assert!(session.end_session(&handle).await.unwrap());
            for manager in [&site.prepared, &site.changing] {
                assert_eq!(who(manager, &stolen).await, None);
                assert_eq!(who(manager, &own).await.as_deref(), ALICE);
            }
            assert_eq!(site.keys().await.len(), 2, "one session and the list");
        }
    }
}

#[tokio::test]
async fn s52_what_somebody_wrote_into_the_store_is_no_step_of_a_move() {
    let site = Site::new(Layout::Native);
    let [victim, other] = [login(&site.changing).await, login(&site.before).await];
    let native = format!("session:session:{}", victim.split_once('.').unwrap().0);
    let record = site.store.load(&native).await.unwrap().unwrap();
    let key = format!("session:{other}");
    let there = site.store.load(&key).await.unwrap().unwrap();
    let forged = site.store.replace(&key, &there, record.value, HOUR).await;
    forged.unwrap();
    for manager in [&site.prepared, &site.changing] {
        let refused = manager.open_value(&other).await.unwrap_err();
        assert!(matches!(refused, Error::Refused(Refusal::WrongSecret)));
    }
    assert_eq!(site.keys().await.len(), 2, "left alone");
}

#[tokio::test]
async fn p5_a_tool_moves_what_nobody_uses() {
    for native in NATIVE {
        let site = Site::new(native);
        let old = login(&site.before).await;
        let ticket = login(&site.changing).await;
        let broken = "session:kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc";
        let made = site.store.create(broken, "\u{1}nothing".into(), HOUR);
        made.await.unwrap();
        let mut came_of = Vec::new();
        for key in site.keys().await {
            came_of.push(site.changing.convert(&key).await.unwrap());
        }
        came_of.sort_by_key(|one| format!("{one:?}"));
        let refused = Conversion::Refused(Refusal::BadPayload);
        assert_eq!(came_of, [Conversion::Done, Conversion::NotNeeded, refused]);
        let gone = site.changing.convert(&format!("session:{old}")).await;
        assert_eq!(gone.unwrap(), Conversion::Gone);
        assert_eq!(count(&site.changing, &old).await, Some(2));
        assert_eq!(count(&site.changing, &ticket).await, Some(2));
        assert!(site.store.load(broken).await.unwrap().is_some());
        // Those who know one layout move nothing.
        let other = login(&site.before).await;
        for manager in [&site.before, &site.after] {
            let key = format!("session:{other}");
            assert_eq!(manager.convert(&key).await.unwrap(), Conversion::NotNeeded);
        }
    }
}

#[tokio::test]
async fn p5_everything_that_can_end_ends_in_both_layouts() {
    let site = Site::with(Layout::Native, |config| {
        config.user_sessions(UserSessions::new())
    });
    let [old, other] = [login(&site.before).await, login(&site.before).await];
    assert_eq!(who(&site.changing, &other).await.as_deref(), ALICE);
    site.changing.end_everything().await.unwrap();
    for cookie in [&old, &other] {
        assert_eq!(who(&site.changing, cookie).await, None);
    }
}

#[test]
fn the_settings_of_one_layout_hold_where_both_are_accepted() {
    let open = |config| SessionManager::stored(MemoryStore::new(), config).map(drop);
    let key = || cloakroom::SecretKey::new("a key of this test alone").unwrap();
    let signed = SessionConfig::default().sign_ids(key());
    assert!(open(signed.clone().accept_layout(Layout::Native)).is_ok());
    let native = signed.layout(Layout::Native);
    assert!(open(native.clone().accept_layout(Layout::Flask)).is_ok());
    for config in [native.clone(), native.accept_layout(Layout::Sealed)] {
        let refused = open(config).unwrap_err();
        assert!(
            matches!(refused, ConfigError::Conflict { name, .. } if name == "SESSION_USE_SIGNER")
        );
    }
    let prefix = SessionConfig::default().key_prefix("app");
    assert!(open(prefix.clone()).is_ok());
    let refused = open(prefix.accept_layout(Layout::Native)).unwrap_err();
    assert!(matches!(refused, ConfigError::Value { name, .. } if name == "SESSION_KEY_PREFIX"));
}
