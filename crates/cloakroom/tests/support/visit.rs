//! One request of a browser, without a server: what the handler does, and what the response does to the cookies.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

#[path = "listen.rs"]
#[allow(clippy::duplicate_mod, reason = "each helper may be the only one")]
mod listen;

use cloakroom::{Session, SessionManager, testing::Browser};

pub(crate) async fn request<R>(
    manager: &SessionManager,
    browser: &mut Browser,
    with: impl FnOnce(&Session) -> R,
) -> R {
    listen::listen();
    let request = browser.request(http::Request::new(()));
    let session = manager.open(request.headers()).await.unwrap();
    let result = with(&session);
    let mut response = http::Response::new(());
    manager
        .close(&session, response.headers_mut())
        .await
        .unwrap();
    browser.store(&response);
    result
}
