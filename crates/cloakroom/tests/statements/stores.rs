//! S65 and S66: what a store that fails costs, and what the visitor is told about it.

use std::time::{Duration, Instant};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use cloakroom::{
    Error, Session, SessionLayer,
    store::{
        CreateError, Cursor, DeleteError, Driver, Page, Record, ReplaceError, Store, StoreError,
        TouchError,
    },
};
use http::{Request, Response};
use tower::ServiceExt;

use crate::support::app::text;

/// A store whose errors tell more than a visitor should know.
struct Talkative(fn() -> StoreError);

const DETAILS: [&str; 4] = ["db-7.internal", "5432", "sessions_table", "talkative"];

fn unreachable() -> StoreError {
    StoreError::unreachable("db-7.internal:5432 refused the connection of talkative")
}

fn refused() -> StoreError {
    StoreError::refused("no permission for sessions_table on db-7.internal:5432")
}

impl Driver for Talkative {
    fn name(&self) -> &'static str {
        "talkative"
    }

    async fn load(&self, _: &str) -> Result<Option<Record>, StoreError> {
        Err(self.0())
    }

    async fn create(&self, _: &str, _: Bytes, _: Duration) -> Result<Record, CreateError> {
        Err(self.0().into())
    }

    async fn replace(
        &self,
        _: &str,
        _: &Record,
        _: Bytes,
        _: Duration,
    ) -> Result<Record, ReplaceError> {
        Err(self.0().into())
    }

    async fn touch(&self, _: &str, _: Duration) -> Result<(), TouchError> {
        Err(self.0().into())
    }

    async fn delete(&self, _: &str, _: Option<&Record>, _: Duration) -> Result<(), DeleteError> {
        Err(self.0().into())
    }

    async fn delete_expired(&self, _: usize) -> Result<usize, StoreError> {
        Err(self.0())
    }

    async fn list(&self, _: &str, _: Option<Cursor>, _: usize) -> Result<Page, StoreError> {
        Err(self.0())
    }
}

async fn save(session: Session) -> Result<&'static str, Error> {
    session.insert("a", 1)?;
    session.save().await?;
    Ok("saved")
}

async fn set(session: Session) -> Result<&'static str, Error> {
    session.insert("a", 1)?;
    Ok("set")
}

/// The visitor learns that it failed and when to come back, in debug builds too; the operator has the log.
#[tokio::test]
async fn s66_the_answer_says_nothing_of_the_store() {
    for (error, status) in [(unreachable as fn() -> StoreError, 503), (refused, 500)] {
        let site: Router = Router::new()
            .route("/read", get(async |_: Session| "read"))
            .route("/save", get(save))
            .route("/set", get(set))
            .layer(SessionLayer::stored(Talkative(error)));
        let id = "A".repeat(43);
        for (path, cookie) in [
            ("/read", format!("session={id}")),
            ("/save", String::new()),
            ("/set", String::new()),
            ("/set", format!("session={id}")),
        ] {
            let request = Request::get(path).header("cookie", cookie);
            let request = request.body(Body::empty()).unwrap();
            let response: Response<Body> = site.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            let mut said = format!("{:?}", response.headers());
            said.push_str(&text(response).await);
            for detail in DETAILS {
                assert!(!said.contains(detail), "{path}: {said}");
            }
            assert!(!said.contains(&id), "{path}");
        }
    }
}

/// A port that nobody answers on: connections are made and nothing comes back.
#[cfg(any(
    feature = "redis",
    feature = "memcached",
    feature = "postgres",
    feature = "mysql",
    feature = "dynamodb"
))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s65_each_store_has_a_time_limit_and_says_so() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            kept.push(silent.accept().await);
        }
    });
    let urls = [
        #[cfg(feature = "redis")]
        format!("redis://127.0.0.1:{port}"),
        #[cfg(feature = "memcached")]
        format!("memcached://127.0.0.1:{port}"),
        #[cfg(feature = "postgres")]
        format!("postgres://user:word@127.0.0.1:{port}/db"),
        #[cfg(feature = "mysql")]
        format!("mysql://user:word@127.0.0.1:{port}/db"),
        #[cfg(feature = "dynamodb")]
        format!("dynamodb://a:b@us-west-2/sessions?endpoint=http://127.0.0.1:{port}"),
    ];
    let mut waiting = tokio::task::JoinSet::new();
    for url in urls {
        waiting.spawn(async move {
            let kind = url.split(':').next().unwrap().to_owned();
            let started = Instant::now();
            let result = match Store::from_url(&url).await {
                Ok(store) => store.load("session:a").await.map(|_| ()),
                Err(error) => Err(error),
            };
            (kind, result, started.elapsed())
        });
    }
    for (kind, result, took) in waiting.join_all().await {
        let error = result.unwrap_err();
        // Two seconds for a call, and as long again where the store has to be connected to first.
        assert!(took < Duration::from_secs(6), "{kind} took {took:?}");
        assert!(!error.to_string().contains("word"), "{kind}: {error}");
    }
}
