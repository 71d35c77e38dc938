//! A shared cache in front of a site, as RFC 9111 lets one be: it stores whatever it may and serves it to whoever it may.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, Response, StatusCode, header},
};
use tower::ServiceExt;

/// Stored answers, and a clock that the test moves. Clones are the same cache.
#[derive(Clone, Default)]
pub(crate) struct SharedCache(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    entries: Vec<Stored>,
    now: Duration,
    hits: usize,
    /// Headers that a careless cache takes out of answers before it stores them, to see a test fail.
    ignored: Vec<&'static str>,
}

/// One stored answer with what it was the answer to.
struct Stored {
    uri: String,
    request: HeaderMap,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    since: Duration,
    fresh_for: Duration,
}

impl SharedCache {
    /// A cache that does not look at these headers of answers.
    pub(crate) fn ignoring(headers: &[&'static str]) -> Self {
        let cache = Self::default();
        cache.0.lock().unwrap().ignored = headers.to_vec();
        cache
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.lock().unwrap().now += by;
    }

    /// How many answers came out of the cache.
    pub(crate) fn hits(&self) -> usize {
        self.0.lock().unwrap().hits
    }

    /// How many answers it holds.
    pub(crate) fn stored(&self) -> usize {
        self.0.lock().unwrap().entries.len()
    }

    /// The bytes of everything it holds: headers and bodies.
    pub(crate) fn content(&self) -> Vec<u8> {
        let shelf = self.0.lock().unwrap();
        let mut bytes = Vec::new();
        for entry in &shelf.entries {
            for (name, value) in &entry.headers {
                bytes.extend_from_slice(name.as_str().as_bytes());
                bytes.push(b':');
                bytes.extend_from_slice(value.as_bytes());
                bytes.push(b'\n');
            }
            bytes.extend_from_slice(&entry.body);
            bytes.push(b'\n');
        }
        bytes
    }

    /// The answer to a request: from the cache if it may be, else from the site, and then stored if it may be.
    pub(crate) async fn send(&self, site: &Router, request: Request<Body>) -> Response<Body> {
        let asked = request.headers().clone();
        let uri = request.uri().to_string();
        let method = request.method().clone();
        if let Some(answer) = self.reuse(&method, &uri, &asked) {
            return answer;
        }
        let answer: Result<_, Infallible> = site.clone().oneshot(request).await;
        let (parts, body) = answer.unwrap().into_parts();
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let mut shelf = self.0.lock().unwrap();
        let mut headers = parts.headers.clone();
        for name in &shelf.ignored {
            headers.remove(*name);
        }
        if is_unsafe(&method) && (parts.status.is_success() || parts.status.is_redirection()) {
            // Section 4.4: what the request changed is stale now.
            shelf.entries.retain(|entry| entry.uri != uri);
        } else if let Some(fresh_for) = may_store(&method, &asked, parts.status, &headers) {
            let now = shelf.now;
            let (uri_there, asked_there) = (&uri, &asked);
            shelf.entries.retain(|entry| {
                entry.uri != *uri_there || !matches_vary(entry, &entry.request, asked_there)
            });
            shelf.entries.push(Stored {
                uri,
                request: asked,
                status: parts.status,
                headers,
                body: body.clone(),
                since: now,
                fresh_for,
            });
        }
        drop(shelf);
        Response::from_parts(parts, Body::from(body))
    }

    /// Section 4: a stored answer to the same question, not stale.
    fn reuse(&self, method: &Method, uri: &str, asked: &HeaderMap) -> Option<Response<Body>> {
        if method != Method::GET && method != Method::HEAD {
            return None;
        }
        let wants_fresh = directives(asked)
            .iter()
            .any(|(name, value)| name == "no-cache" || (name == "max-age" && value == "0"));
        let mut shelf = self.0.lock().unwrap();
        let now = shelf.now;
        let found = shelf.entries.iter().find(|entry| {
            let age = now.saturating_sub(entry.since);
            entry.uri == uri
                && !wants_fresh
                && age < entry.fresh_for
                && matches_vary(entry, &entry.request, asked)
        })?;
        let mut answer = Response::builder().status(found.status);
        *answer.headers_mut().unwrap() = found.headers.clone();
        let answer = answer.body(Body::from(found.body.clone())).unwrap();
        shelf.hits += 1;
        Some(answer)
    }
}

/// Section 4.1: the headers that `Vary` names are the same in both requests; `*` matches nothing.
fn matches_vary(entry: &Stored, first: &HeaderMap, second: &HeaderMap) -> bool {
    let values = entry.headers.get_all(header::VARY).iter();
    let names = values.flat_map(|value| value.to_str().unwrap().split(','));
    names
        .map(|name| name.trim().to_ascii_lowercase())
        .all(|name| {
            let of = |headers: &HeaderMap| -> Vec<Vec<u8>> {
                let values = headers.get_all(&name).iter();
                values.map(|value| value.as_bytes().to_vec()).collect()
            };
            name != "*" && of(first) == of(second)
        })
}

/// Section 3: whether a shared cache may store the answer, and for how long it may then be served. A `Set-Cookie`
/// forbids nothing there (section 7.3), which is why answers have to say it themselves.
fn may_store(
    method: &Method,
    asked: &HeaderMap,
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<Duration> {
    let ours = directives(headers);
    let has = |name: &str| ours.iter().any(|(directive, _)| directive == name);
    let seconds = |name: &str| {
        let value = ours.iter().find(|(directive, _)| directive == name)?;
        value.1.parse().ok().map(Duration::from_secs)
    };
    let forbidden = method != Method::GET
        || has("no-store")
        || directives(asked).iter().any(|(name, _)| name == "no-store")
        // With field names it keeps only those fields out; such an answer is stored without them.
        || ours.iter().any(|(name, value)| name == "private" && value.is_empty())
        // Section 3.5.
        || (asked.contains_key(header::AUTHORIZATION)
            && !(has("public") || has("s-maxage") || has("must-revalidate")));
    if forbidden || has("no-cache") {
        return None;
    }
    // Section 4.2.2: with neither, the cache may guess, for these statuses; a greedy one guesses an hour.
    let guess = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
    let heuristic = guess.contains(&status.as_u16()) || has("public");
    seconds("s-maxage")
        .or_else(|| seconds("max-age"))
        .or_else(|| {
            headers
                .contains_key(header::EXPIRES)
                .then_some(Duration::from_secs(600))
        })
        .or_else(|| heuristic.then_some(Duration::from_secs(3600)))
}

/// The directives of Cache-Control in lower case, with their arguments.
fn directives(headers: &HeaderMap) -> Vec<(String, String)> {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    values
        .flat_map(|value| value.to_str().unwrap().split(','))
        .map(|directive| {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            let argument = argument.trim().trim_matches('"');
            (name.trim().to_ascii_lowercase(), argument.to_owned())
        })
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

fn is_unsafe(method: &Method) -> bool {
    !matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    )
}
