//! S66: what a visitor reads when the store fails says nothing of the store: no server's words, no key, no table, no
//! user, also in debug builds, whose bodies say more.
#![cfg(all(feature = "postgres", feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use cloakroom::{
    Clock, Error, Session, SessionConfig, SessionLayer, SessionManager,
    store::{PostgresStore, RedisStore, Store},
};
use faulty::{ALL, Fault, Faulty};
use http::{Request, StatusCode, header};
use tower::ServiceExt;

#[path = "support/faulty.rs"]
mod faulty;

async fn count(session: Session) -> Result<String, Error> {
    let n = session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    Ok(n.to_string())
}

struct Site(Router);

struct Answer {
    status: StatusCode,
    cookie: Option<String>,
    /// Headers and body, as the visitor sees them.
    seen: String,
    body: String,
}

impl Site {
    fn new(store: impl Into<Store>) -> Self {
        let manager = SessionManager::stored(store, SessionConfig::default()).unwrap();
        let routes = Router::new().route("/count", get(count));
        Self(routes.layer(SessionLayer::new(manager)))
    }

    async fn count(&self, cookie: &str) -> Answer {
        let request = Request::get("/count").header(header::COOKIE, cookie);
        let request = request.body(Body::empty()).unwrap();
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let cookie = parts.headers.get(header::SET_COOKIE);
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer {
            status: parts.status,
            cookie: cookie.map(|cookie| cookie.to_str().unwrap().to_owned()),
            seen: format!("{:?}\n{body}", parts.headers),
            body,
        }
    }

    /// The cookie of a new visitor, and the id in it.
    async fn visitor(&self) -> (String, String) {
        let cookie = self.count("").await.cookie.unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let id = cookie.split_once('=').unwrap().1.to_owned();
        (cookie, id)
    }
}

impl Answer {
    fn assert_says_nothing_of(&self, status: u16, secrets: &[&str]) {
        assert_eq!(self.status, status, "{}", self.seen);
        assert_eq!(self.cookie, None);
        let seen = self.seen.to_lowercase();
        for secret in secrets {
            assert!(!seen.contains(&secret.to_lowercase()), "{secret}: {seen}");
        }
    }
}

/// The server answers with the type of what is under the key, and who may not do what.
#[tokio::test(flavor = "multi_thread")]
async fn s66_redis_words_stay_inside() {
    let server = servers::redis::start().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut plain = client.get_multiplexed_async_connection().await.unwrap();
    let site = Site::new(RedisStore::connect(server.url()).await.unwrap());
    let (cookie, id) = site.visitor().await;
    let secrets = [id.as_str(), "session:", "no permissions", "archivist"];
    // A user who may not read these keys, as an operator may set up by mistake.
    let () = redis::cmd("ACL")
        .arg(&["SETUSER", "archivist", "on", ">pass", "~other:*", "+@all"])
        .query_async(&mut plain)
        .await
        .unwrap();
    let url = server.url().replace("redis://", "redis://archivist:pass@");
    let other = Site::new(RedisStore::connect(&url).await.unwrap());
    let answer = other.count(&cookie).await;
    answer.assert_says_nothing_of(500, &secrets);
    // The same for a login that is wrong.
    let wrong = server.url().replace("redis://", "redis://archivist:wrong@");
    let error = RedisStore::connect(&wrong).await.unwrap_err().to_string();
    assert!(
        !error.contains("archivist") && !error.contains("wrong"),
        "{error}"
    );
    // A store that is away.
    server.kill().unwrap();
    let answer = site.count(&cookie).await;
    let port = server.port().to_string();
    answer.assert_says_nothing_of(503, &[&id, "session:", "127.0.0.1", &port, "os error"]);
}

/// The server quotes tables, and values that do not fit.
#[tokio::test(flavor = "multi_thread")]
async fn s66_words_of_a_database_stay_inside() {
    let table = servers::unique("quoted").replace('-', "_");
    let driver = PostgresStore::connect(servers::postgres::shared()).await;
    let driver = driver.unwrap().table(table.clone()).unwrap();
    driver.migrate().await.unwrap();
    let site = Site::new(driver);
    let (cookie, id) = site.visitor().await;
    let pool = sqlx::PgPool::connect(servers::postgres::shared())
        .await
        .unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("DROP TABLE {table}")))
        .execute(&pool)
        .await
        .unwrap();
    let answer = site.count(&cookie).await;
    let secrets = [
        id.as_str(),
        table.as_str(),
        "session:",
        "relation",
        "select",
        "postgres@",
    ];
    answer.assert_says_nothing_of(500, &secrets);
}

/// A failure while saving has no body at all.
#[tokio::test(start_paused = true)]
async fn s66_a_failed_commit_has_no_body() {
    for fault in [Fault::Unreachable, Fault::Hangs, Fault::Refuses] {
        let driver = Faulty::new(Clock::system());
        let site = Site::new(Store::new(driver.clone()).timeout(Duration::from_secs(1)));
        let (cookie, id) = site.visitor().await;
        driver.set(fault, "replace");
        let answer = site.count(&cookie).await;
        assert!(answer.status.is_server_error());
        assert_eq!(answer.body, "", "{fault:?}");
        assert!(!answer.seen.contains(&id));
        driver.set(fault, ALL);
        let answer = site.count(&cookie).await;
        assert!(!answer.seen.contains(&id) && !answer.seen.contains("session:"));
    }
}
