//! S01 to S05 and S10: what a session id is, and where it is looked for.

use std::{collections::HashSet, sync::Arc, time::Duration};

use cloakroom::{
    Clock, SessionConfig, SessionManager, Status,
    store::{Driver, MemoryStore},
    token::{Leniency, base64},
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    recording::{Calls, Recording},
    support::app::NOW,
};

fn manager(config: SessionConfig) -> (SessionManager, Arc<MemoryStore>, Calls) {
    let clock = Clock::manual(NOW);
    let store = Arc::new(MemoryStore::new().clock(clock.clone()));
    let (recording, calls) = Recording::new(store.clone());
    let manager = SessionManager::stored(recording, config.clock(clock)).unwrap();
    (manager, store, calls)
}

async fn new_id(manager: &SessionManager) -> String {
    let session = manager.new_session();
    session.insert("user", "alice").unwrap();
    session.save().await.unwrap();
    manager.cookie_value(&session).unwrap()
}

/// As random bytes are: each of the 256 bits is set in about half of the ids and changes in about half of the steps.
#[tokio::test]
async fn s01_s03_ids_are_256_random_bits_and_say_nothing() {
    const IDS: usize = 2000;
    let (manager, ..) = manager(SessionConfig::default());
    let mut ids = Vec::new();
    // The same user, the same second, one process: nothing of that is in an id.
    for _ in 0..IDS {
        let id = new_id(&manager).await;
        let bytes = base64::decode(&id, Leniency::Strict).unwrap();
        assert_eq!((id.len(), bytes.len()), (43, 32));
        ids.push(bytes);
    }
    let bit = |id: &[u8], place: usize| usize::from(id[place / 8] >> (place % 8) & 1);
    // Six standard deviations: one run in a million fails by chance.
    let near_half = |count: usize| count.abs_diff(IDS / 2) < 6 * 23;
    for place in 0..256 {
        let set = ids.iter().map(|id| bit(id, place)).sum();
        assert!(near_half(set), "bit {place} is set {set} times");
        let changes = ids.windows(2);
        let changes = changes.filter(|pair| bit(&pair[0], place) != bit(&pair[1], place));
        let changes = changes.count();
        assert!(near_half(changes), "bit {place} changes {changes} times");
    }
    // No counter, no time, no host: no four bytes at one place are the same in two of a few hundred ids.
    for place in 0..=28 {
        let parts: HashSet<&[u8]> = ids[..300].iter().map(|id| &id[place..place + 4]).collect();
        assert!(parts.len() >= 299, "bytes {place} to {}", place + 4);
    }
}

#[test]
fn s01_fewer_than_128_bits_are_refused_at_the_start() {
    for bytes in [0, 1, 8, 15] {
        let config = SessionConfig::default().id_length(bytes);
        assert!(SessionManager::stored(MemoryStore::new(), config).is_err());
    }
    let config = SessionConfig::default().id_length(16);
    assert!(SessionManager::stored(MemoryStore::new(), config).is_ok());
}

#[tokio::test]
async fn s04_an_id_that_was_never_issued_is_not_adopted() {
    let (manager, store, calls) = manager(SessionConfig::default());
    for presented in ["A".repeat(43), "x-y_z0123456789abcdefgh".to_owned()] {
        let mut headers = HeaderMap::new();
        let cookie = format!("session={presented}");
        headers.insert("cookie", HeaderValue::from_str(&cookie).unwrap());
        let session = manager.open(&headers).await.unwrap();
        assert!(matches!(session.status(), Status::Refused(_)));
        session.insert("user", "alice").unwrap();
        let mut response = HeaderMap::new();
        manager.close(&session, &mut response).await.unwrap();
        let issued = manager.cookie_value(&session).unwrap();
        assert_ne!(issued, presented);
        assert!(response["set-cookie"].to_str().unwrap().contains(&issued));
        let key = format!("session:{presented}");
        assert!(store.load(&key).await.unwrap().is_none());
        assert_eq!(calls.kinds(), ["load", "create"]);
    }
}

/// Each of these stays in front of the store: nothing is asked for it.
#[tokio::test]
async fn s05_malformed_ids_never_reach_a_store() {
    let (manager, _, calls) = manager(SessionConfig::default());
    let good = new_id(&manager).await;
    calls.take();
    let mut malformed: Vec<Vec<u8>> = vec![
        b"short".to_vec(),
        vec![b'a'; 172],
        vec![b'a'; 1 << 20],
        b"../../../../../../etc/passwd".to_vec(),
        b"..\\..\\..\\windows\\system32\\config".to_vec(),
        b"a%2fb%2fc%2fd%2fe%2ff%2fg%2fh".to_vec(),
        b"session:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_vec(),
        b"aaaaaaaaaaaaaaaaaaaaaa*".to_vec(),
        b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1\xf0\xef\xee\xed\xec\xeb\xea"
            .to_vec(),
        "\u{430}".repeat(30).into_bytes(),
    ];
    // Every byte that is none of an id's, in the place of each of the first and last characters of a good one.
    for byte in 0..=255_u8 {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            continue;
        }
        for place in [0, 1, 21, 42] {
            let mut id = good.clone().into_bytes();
            id[place] = byte;
            malformed.push(id);
        }
    }
    for id in malformed {
        assert!(manager.open_value(&id).await.is_err());
        assert!(calls.take().is_empty(), "{id:?}");
    }
    assert!(manager.open_value(&good).await.is_ok());
    assert_eq!(calls.kinds(), ["load"]);
}

#[tokio::test]
async fn s10_an_id_is_looked_for_in_the_cookie_of_our_name_and_nowhere_else() {
    let (manager, _, calls) = manager(SessionConfig::default());
    let id = new_id(&manager).await;
    calls.take();
    for (name, value) in [
        ("x-session-id", id.clone()),
        ("x-auth-token", id.clone()),
        ("session", id.clone()),
        ("set-cookie", format!("session={id}")),
        ("cookie2", format!("session={id}")),
        ("authorization", format!("Bearer {id}")),
        ("authorization", format!("session={id}")),
        ("referer", format!("https://example.com/?session={id}")),
        ("cookie", format!("sid={id}; Session={id}; session2={id}")),
    ] {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static(name);
        headers.insert(name.clone(), HeaderValue::from_str(&value).unwrap());
        let session = manager.open(&headers).await.unwrap();
        assert_eq!(session.status(), Status::New, "{name}");
        assert!(calls.take().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn s10_an_id_in_the_address_or_in_a_form_is_no_id() {
    use axum::{Router, body::Body, routing::any};
    use cloakroom::{Session, SessionLayer};
    use tower::ServiceExt;

    let (manager, _, calls) = manager(SessionConfig::default());
    let id = new_id(&manager).await;
    calls.take();
    let show = |session: Session| async move { session.to_tagged_json() };
    let site: Router = Router::new()
        .route("/", any(show))
        .route("/{*rest}", any(show))
        .layer(SessionLayer::new(manager));
    for (path, form) in [
        (format!("/?session={id}"), String::new()),
        (format!("/;session={id}"), String::new()),
        (format!("/page;jsessionid={id}?sid={id}"), String::new()),
        ("/".to_owned(), format!("session={id}&user=bob")),
    ] {
        let request = http::Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap();
        let response = site.clone().oneshot(request).await.unwrap();
        assert_eq!(crate::support::app::text(response).await, "{}");
        assert!(calls.take().is_empty());
    }
}

/// The case of a busy store: see `tower_sessions_0_12_0_a_taken_id_is_never_taken_over` for the rest.
#[tokio::test]
async fn s02_a_new_id_is_inserted_and_never_replaces() {
    let (manager, store, calls) = manager(SessionConfig::default());
    let id = new_id(&manager).await;
    assert_eq!(calls.kinds(), ["create"]);
    let key = format!("session:{id}");
    let created = store.create(&key, "other".into(), Duration::from_secs(9));
    assert!(created.await.is_err());
    let session = manager.open_value(&id).await.unwrap();
    session.regenerate();
    session.save().await.unwrap();
    assert_eq!(calls.kinds(), ["load", "create", "delete"]);
}
