//! P10 for sessions in the memory of the process: the heap that a small one takes, everything counted.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use cloakroom::{SessionConfig, SessionManager, store::MemoryStore, testing::now};
use http::{HeaderMap, header};

const SESSIONS: u32 = 100_000;
/// The most bytes that one may take.
const MOST: i64 = 250;

/// Flask-Session's entry of a visitor: an id of 43 characters, `_permanent` and a counter.
#[test]
fn p10_a_small_session_takes_at_most_250_bytes() {
    let manager = SessionManager::stored(MemoryStore::new(), SessionConfig::flask()).unwrap();
    let first = manager.new_session();
    first.insert("visits", 1).unwrap();
    now(first.save()).unwrap().unwrap();
    let cookie = manager.cookie_value(&first).unwrap();
    assert_eq!(cookie.len(), 43);
    assert_eq!(first.to_tagged_json(), r#"{"_permanent":true,"visits":1}"#);

    let mut cookies = Vec::with_capacity(SESSIONS as usize);
    let filled = allocation_counter::measure(|| {
        for _ in 0..SESSIONS {
            let session = manager.new_session();
            session.insert("visits", 1).unwrap();
            now(session.save()).unwrap().unwrap();
            cookies.push(manager.cookie_value(&session).unwrap());
        }
    });
    // The cookies are the browsers'.
    let cookies_take: usize = cookies.iter().map(String::capacity).sum();
    let stored = filled.bytes_current - i64::try_from(cookies_take).unwrap();

    let read = allocation_counter::measure(|| {
        for cookie in &cookies {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, format!("session={cookie}").parse().unwrap());
            let session = now(manager.open(&headers)).unwrap().unwrap();
            assert_eq!(session.get::<u8>("visits").unwrap(), Some(1));
            now(manager.close(&session, &mut HeaderMap::new()))
                .unwrap()
                .unwrap();
        }
    });
    for (when, bytes) in [
        ("once stored", stored),
        ("once read", stored + read.bytes_current),
    ] {
        let each = bytes / i64::from(SESSIONS);
        println!("{SESSIONS} sessions, {when}: {each} bytes each");
        assert!(each <= MOST, "{each} bytes {when}");
    }
}
