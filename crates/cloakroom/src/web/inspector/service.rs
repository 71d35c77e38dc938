use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum_core::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{COOKIE, SET_COOKIE},
    response,
};
use tower_service::Service;

use super::{
    Inspector,
    book::{self, Sent},
    side::Side,
};
use crate::caches::varies_by_cookie;

/// The service that [`Inspector`] makes.
#[derive(Clone, Debug)]
pub struct InspectorService<S> {
    inner: S,
    inspector: Inspector,
}

impl<S> InspectorService<S> {
    pub(super) fn new(inner: S, inspector: Inspector) -> Self {
        Self { inner, inspector }
    }
}

impl<S> Service<Request<Body>> for InspectorService<S>
where
    S: Service<Request<Body>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inspector = self.inspector.clone();
        if let Some(below) = inspector.below(request.uri().path()) {
            let below = below.to_owned();
            return Box::pin(async move { Ok(inspector.answer(&below, request).await) });
        }
        // The one that is ready goes with the request.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let begun = inspector.begin(&request);
        Box::pin(async move {
            let before = inspector.look(&begun.headers).await;
            let instant = Instant::now();
            let (parts, body) = inner.call(request).await?.into_parts();
            let microseconds = instant.elapsed().as_micros();
            inspector.end(begun, before, &parts, microseconds).await;
            Ok(Response::from_parts(parts, body))
        })
    }
}

/// A request that is under way.
struct Begun {
    at: u64,
    method: Method,
    path: String,
    /// What opening its session takes of its headers; none if it brings no session.
    headers: HeaderMap,
}

/// Looking at requests.
impl Inspector {
    fn begin(&self, request: &Request<Body>) -> Begun {
        let headers = match self.manager.is_presented(request.headers()) {
            true => self.relevant(request.headers()),
            false => HeaderMap::new(),
        };
        Begun {
            at: self.book.clock.unix_seconds(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            headers,
        }
    }

    async fn end(
        &self,
        begun: Begun,
        before: Arc<Side>,
        response: &response::Parts,
        microseconds: u128,
    ) {
        let opened = varies_by_cookie(&response.headers);
        let (sent, pair) = self.sent(&response.headers);
        let after = match (sent, pair) {
            (Sent::Deleted, _) => Arc::new(Side::nothing()),
            (_, Some(pair)) => {
                let mut headers = begun.headers;
                headers.insert(COOKIE, pair);
                self.look(&headers).await
            }
            // Whoever opens a session says that the response depends on the cookie.
            (_, None) if opened && self.manager.store().is_some() => {
                self.look(&begun.headers).await
            }
            (_, None) => before.clone(),
        };
        self.book.note_request(book::Request {
            number: 0,
            at: begun.at,
            method: begun.method,
            path: begun.path,
            status: response.status,
            microseconds,
            before,
            after,
            opened,
            sent,
        });
    }

    /// The headers that opening a session reads.
    fn relevant(&self, headers: &HeaderMap) -> HeaderMap {
        let transport = self.manager.config().transport.clone();
        let names = std::iter::once(COOKIE).chain(transport);
        let mut relevant = HeaderMap::new();
        for name in names {
            for value in headers.get_all(&name) {
                relevant.append(name.clone(), value.clone());
            }
        }
        relevant
    }

    async fn look(&self, headers: &HeaderMap) -> Arc<Side> {
        if !self.manager.is_presented(headers) {
            return Arc::new(Side::nothing());
        }
        let glance = self.manager.glance(headers).await;
        let name = self.manager.cookie_name();
        Arc::new(Side::of(&glance, name, &self.book.salt))
    }

    /// What the response does to the session's cookie, and the cookie itself.
    fn sent(&self, headers: &HeaderMap) -> (Sent, Option<HeaderValue>) {
        let name = self.manager.cookie_name().as_bytes();
        let ours = headers.get_all(SET_COOKIE).iter().rev().find(|header| {
            let rest = header.as_bytes().strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(b"="))
        });
        let Some(header) = ours else {
            return (Sent::Nothing, None);
        };
        let mut parts = header.as_bytes().split(|byte| *byte == b';');
        let pair = parts.next().unwrap_or_default();
        if parts.any(|part| part.trim_ascii().eq_ignore_ascii_case(b"max-age=0")) {
            return (Sent::Deleted, None);
        }
        (Sent::Set(header.len()), HeaderValue::from_bytes(pair).ok())
    }
}
