//! A small site with sessions in a store, and visitors with cookies of their own choosing.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Path, routing::get};
use cloakroom::{
    Clock, Error, Session, SessionConfig, SessionLayer, SessionManager, store::MemoryStore,
};
use http::{Request, header};
use tower::ServiceExt;

use crate::{
    recording::{Calls, Recording},
    support::app::{NOW, text},
};

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

pub(crate) struct Site {
    pub(crate) router: Router,
    pub(crate) manager: SessionManager,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) calls: Calls,
    pub(crate) clock: Clock,
}

pub(crate) struct Answer {
    /// The `name=value` of each Set-Cookie.
    pub(crate) cookies: Vec<String>,
    pub(crate) body: String,
}

impl Site {
    pub(crate) fn new(config: SessionConfig) -> Self {
        let clock = Clock::manual(NOW);
        let store = Arc::new(MemoryStore::new().clock(clock.clone()));
        let (recording, calls) = Recording::new(store.clone());
        let manager = SessionManager::stored(recording, config.clock(clock.clone())).unwrap();
        let routes = Router::new()
            .route("/", get(async || "nothing"))
            .route("/read", get(read))
            .route("/look", get(look))
            .route("/set/{key}", get(set))
            .route("/login/{name}", get(login))
            .route("/clear", get(clear))
            .route("/logout", get(logout));
        Self {
            router: routes.layer(SessionLayer::new(manager.clone())),
            manager,
            store,
            calls,
            clock,
        }
    }

    /// A GET with this Cookie header; none if it is empty.
    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        let mut request = Request::get(path);
        if !cookie.is_empty() {
            request = request.header(header::COOKIE, cookie);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let cookies = response.headers().get_all(header::SET_COOKIE).iter();
        let cookies = cookies
            .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap())
            .map(str::to_owned)
            .collect();
        let body = text(response).await;
        Answer { cookies, body }
    }

    /// The cookie that a visit to `path` without one brings.
    pub(crate) async fn cookie(&self, path: &str) -> String {
        let answer = self.get(path, "").await;
        assert_eq!(answer.cookies.len(), 1, "{:?}", answer.cookies);
        answer.cookies[0].clone()
    }
}

/// All keys with their values.
async fn read(session: Session) -> String {
    session.to_tagged_json()
}

/// Every way of looking that leaves the session as it is.
async fn look(session: Session) -> String {
    let _ = (session.contains_key("a"), session.len(), session.is_empty());
    let _ = (session.keys(), session.snapshot(), session.flashes());
    let _ = session.remove("not there");
    session.get::<String>("a").unwrap().unwrap_or_default()
}

async fn set(session: Session, Path(key): Path<String>) -> Result<(), Error> {
    session.insert(key, "set")
}

async fn login(session: Session, Path(name): Path<String>) -> Result<(), Error> {
    session.regenerate();
    session.insert("user", name)
}

async fn clear(session: Session) {
    session.clear();
}

async fn logout(session: Session) {
    session.destroy();
}
