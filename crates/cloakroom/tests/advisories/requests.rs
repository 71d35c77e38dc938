//! One request's session in another one's response, headers that get lost, and comparisons that tell too much.

use std::{fs, path::Path};

use axum::{Router, response::IntoResponse, routing::get};
use cloakroom::{Error, Session, SessionConfig};
use http::{HeaderValue, header::SET_COOKIE};

use crate::{
    support::app::{App, header},
    visits::Site,
};

/// Fails if what a thread keeps between requests still holds the session of the last one.
#[tokio::test(flavor = "current_thread")]
async fn cve_2026_24894_no_request_sees_the_session_of_the_one_before() {
    let site = Site::new(SessionConfig::default());
    let alice = site.cookie("/login/alice").await;
    // All on one thread, which keeps spare slots.
    for _ in 0..200 {
        assert!(site.get("/read", &alice).await.body.contains("alice"));
        assert_eq!(site.get("/", &alice).await.body, "nothing");
        let stranger = site.get("/read", "").await;
        assert_eq!((stranger.body.as_str(), stranger.cookies.len()), ("{}", 0));
        assert_eq!(site.get("/", "").await.cookies.len(), 0);
    }
    // A request that is given up half way leaves nothing either.
    for _ in 0..50 {
        let given_up = site.get("/login/mallory", &alice);
        let given_up = std::pin::pin!(given_up);
        let waker = std::task::Waker::noop();
        let _ = given_up.poll(&mut std::task::Context::from_waker(waker));
        assert_eq!(site.get("/read", "").await.body, "{}");
    }
    // The same where the layer itself remembers the request's cookies.
    let flask = Site::new(SessionConfig::flask());
    let alice = flask.cookie("/login/alice").await;
    for _ in 0..50 {
        assert_eq!(flask.get("/", &alice).await.cookies.len(), 1);
        assert_eq!(flask.get("/", "").await.cookies.len(), 0);
        assert_eq!(flask.get("/read", "").await.body, r#"{"_permanent":true}"#);
    }
}

/// Fails if setting the session's cookie replaces headers of the same name instead of joining them.
#[tokio::test]
async fn cve_2025_7339_headers_with_several_values_keep_all_of_them() {
    let handler = |session: Session| async move {
        session.insert("a", 1)?;
        let mut response = "done".into_response();
        let headers = response.headers_mut();
        for cookie in ["theme=dark; Path=/", "lang=de; Path=/", "lang=fr; Path=/de"] {
            headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
        }
        for link in ["</a>; rel=next", "</b>; rel=prev"] {
            headers.append("link", HeaderValue::from_static(link));
        }
        for vary in ["Accept", "Origin"] {
            headers.append("vary", HeaderValue::from_static(vary));
        }
        for directive in ["max-age=60", "must-revalidate"] {
            headers.append("cache-control", HeaderValue::from_static(directive));
        }
        Ok::<_, Error>(response)
    };
    let routes = Router::new().route("/", get(handler));
    let response = App::new(routes, SessionConfig::default()).get("/").await;
    let cookies = header(&response, "set-cookie");
    assert_eq!(cookies.len(), 4, "{cookies:?}");
    for kept in ["theme=dark; Path=/", "lang=de; Path=/", "lang=fr; Path=/de"] {
        assert!(cookies.iter().any(|cookie| cookie == kept), "{cookies:?}");
    }
    assert_eq!(
        header(&response, "link"),
        ["</a>; rel=next", "</b>; rel=prev"]
    );
    assert_eq!(
        header(&response, "vary").join(", "),
        "Accept, Origin, Cookie"
    );
    let directives = header(&response, "cache-control").join(", ");
    assert_eq!(directives, "max-age=60, must-revalidate, private");
}

/// The one place where a signature is compared; fails if it is compared as bytes are.
#[test]
fn s61_cve_2013_0263_signatures_are_compared_in_constant_time() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/token/signed");
    let mac = fs::read_to_string(folder.join("mac.rs")).unwrap();
    // `Mac::verify_slice` of the hmac crate compares in constant time.
    assert_eq!(mac.matches("verify_slice(").count(), 1);
    for file in ["mac.rs", "signer.rs", "serializer.rs", "timestamp.rs"] {
        let source = fs::read_to_string(folder.join(file)).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        for line in code.lines() {
            let compares = line.contains("==") || line.contains("!=");
            let secret = line.contains("signature") || line.contains("digest(");
            let harmless = line.contains(".len()") || line.trim_start().starts_with("//");
            assert!(!compares || !secret || harmless, "{file}: {line}");
        }
    }
}
