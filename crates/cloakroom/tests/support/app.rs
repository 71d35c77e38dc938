//! An axum application under test: a manager whose clock stands still, and a browser.

#[path = "listen.rs"]
#[allow(clippy::duplicate_mod, reason = "each helper may be the only one")]
mod listen;

use axum::{Router, body::Body};
use cloakroom::{Clock, SecretKey, SessionConfig, SessionLayer, SessionManager, testing::Browser};
use http::{Request, Response};
use tower::ServiceExt;

pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn key() -> SecretKey {
    SecretKey::new("a key for the tests of sessions").unwrap()
}

pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) manager: SessionManager,
    pub(crate) clock: Clock,
    pub(crate) browser: Browser,
}

impl App {
    pub(crate) fn new(routes: Router, config: SessionConfig) -> Self {
        listen::listen();
        let clock = Clock::manual(NOW);
        let manager = SessionManager::signed(key(), config.clock(clock.clone())).unwrap();
        let router = routes.layer(SessionLayer::new(manager.clone()));
        Self {
            router,
            manager,
            clock,
            browser: Browser::new(),
        }
    }

    /// Sends a GET with the browser's cookies and keeps what comes back.
    pub(crate) async fn get(&mut self, path: &str) -> Response<Body> {
        let request = self
            .browser
            .request(Request::get(path).body(Body::empty()).unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        self.browser.store(&response);
        response
    }

    pub(crate) async fn get_text(&mut self, path: &str) -> String {
        text(self.get(path).await).await
    }
}

pub(crate) async fn text(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// All values of a response header.
pub(crate) fn header<B>(response: &Response<B>, name: &str) -> Vec<String> {
    let values = response.headers().get_all(name);
    values
        .iter()
        .map(|value| value.to_str().unwrap().to_owned())
        .collect()
}
