//! S63: a session that belongs to https is refused over plain http, and none is ever given out there.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use cloakroom::{
    Error, Refusal, SecretKey, Session, SessionConfig, SessionManager, Status, store::MemoryStore,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

type Change = fn(&Session) -> Result<(), Error>;

const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Sessions in the cookie and in a store, behind a proxy that says how a request came.
fn rooms(config: &SessionConfig) -> [SessionManager; 2] {
    let key = SecretKey::new("a key of this test alone").unwrap();
    [
        SessionManager::signed(key, config.clone()).unwrap(),
        SessionManager::stored(MemoryStore::new(), config.clone()).unwrap(),
    ]
}

fn headers(schemes: &[&'static str], cookie: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for scheme in schemes {
        headers.append(PROTO, HeaderValue::from_static(scheme));
    }
    if !cookie.is_empty() {
        headers.insert(header::COOKIE, cookie.parse().unwrap());
    }
    headers
}

/// The cookie of somebody who has logged in over https.
async fn login(manager: &SessionManager) -> String {
    let session = manager.open(&headers(&["https"], "")).await.unwrap();
    session.login("ann").unwrap();
    let mut response = HeaderMap::new();
    manager.close(&session, &mut response).await.unwrap();
    let cookie = response[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

const PLAIN: [&[&str]; 8] = [
    &["http"],
    &["HTTP"],
    &[],
    &[""],
    &["httpss"],
    // The nearest proxy speaks last; what came before it is the visitor's word.
    &["https, http"],
    &["https", "http"],
    &["https,"],
];

const SECURE: [&[&str]; 5] = [
    &["https"],
    &["HTTPS"],
    &["http, https"],
    &["http,https "],
    &["http", "https"],
];

#[tokio::test]
async fn s63_a_session_of_https_is_refused_over_plain_http() {
    let config = SessionConfig::default().require_https(PROTO);
    for manager in rooms(&config) {
        let visitor = login(&manager).await;
        for schemes in SECURE {
            let session = manager.open(&headers(schemes, &visitor)).await.unwrap();
            assert_eq!(session.subject().as_deref(), Some("ann"), "{schemes:?}");
        }
        for schemes in PLAIN {
            let session = manager.open(&headers(schemes, &visitor)).await.unwrap();
            assert_eq!(session.subject(), None, "{schemes:?}");
            assert!(session.is_new() && !session.is_unknown());
            let Status::Refused(refusal) = session.status() else {
                panic!("{schemes:?}: {:?}", session.status());
            };
            assert_eq!(refusal, Refusal::InsecureTransport);
            assert_eq!(refusal.code(), "insecure_transport");
            let mut response = HeaderMap::new();
            manager.close(&session, &mut response).await.unwrap();
            assert!(!response.contains_key(header::SET_COOKIE));
        }
        // It is refused and not ended.
        let session = manager.open(&headers(&["https"], &visitor)).await.unwrap();
        assert_eq!(session.subject().as_deref(), Some("ann"));
    }
}

#[tokio::test]
async fn s63_no_session_is_given_out_over_plain_http() {
    let config = SessionConfig::default().require_https(PROTO);
    for manager in rooms(&config) {
        for cookie in ["", "session=x"] {
            let open = async || manager.open(&headers(&["http"], cookie)).await;
            let tries: [Change; 3] = [
                |session| session.insert("n", 1),
                |session| session.login("ann"),
                |session| session.begin_login("ann"),
            ];
            for attempt in tries {
                let session = open().await.unwrap();
                let error = attempt(&session).unwrap_err();
                assert_eq!(error.status(), StatusCode::FORBIDDEN, "{error}");
                let mut response = HeaderMap::new();
                manager.close(&session, &mut response).await.unwrap();
                assert!(!response.contains_key(header::SET_COOKIE));
            }
            // A logout that cannot be done is not claimed, and a page of a stranger is the usual one.
            let session = open().await.unwrap();
            assert_eq!(session.get::<u64>("n").unwrap(), None);
            session.logout();
            let closed = manager.close(&session, &mut HeaderMap::new()).await;
            assert_eq!(closed.unwrap_err().status(), StatusCode::FORBIDDEN);
        }
        assert_eq!(
            manager.open(&headers(&[], "")).await.unwrap().status(),
            Status::New
        );
    }
}

/// Without a proxy that is trusted the header is anybody's word, and says nothing either way.
#[tokio::test]
async fn s63_the_header_counts_only_where_it_is_trusted() {
    for manager in rooms(&SessionConfig::default()) {
        let visitor = login(&manager).await;
        for schemes in PLAIN {
            let session = manager.open(&headers(schemes, &visitor)).await.unwrap();
            assert_eq!(session.subject().as_deref(), Some("ann"));
        }
        // What keeps the cookie from plain http there is the browser.
        let session = manager.open(&headers(&[], "")).await.unwrap();
        session.login("ann").unwrap();
        let mut response = HeaderMap::new();
        manager.close(&session, &mut response).await.unwrap();
        assert!(
            response[header::SET_COOKIE]
                .to_str()
                .unwrap()
                .contains("; Secure")
        );
    }
}
