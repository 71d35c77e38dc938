//! What shared caches do with the responses of a site (RFC 9111).

use http::{
    HeaderMap,
    header::{CACHE_CONTROL, DATE, EXPIRES, LAST_MODIFIED, SET_COOKIE},
};

use super::{Checkup, Exchange, Severity, finding::finding, session_like::is_session};
use crate::{caches::varies_by_cookie, cookie::Received, value::DateTime};

pub(super) fn check(exchanges: &[Exchange], session_cookie: Option<&str>, now: i64) -> Checkup {
    let mut checkup = Checkup::default();
    for exchange in exchanges {
        // Java servers put the session's id behind a semicolon.
        let path = exchange.uri.path().split(';').next().unwrap_or_default();
        let page = format!("page {}", path.escape_debug());
        let headers = &exchange.headers;
        if headers.contains_key(SET_COOKIE) {
            let stored = may_store(exchange, now);
            let session = headers.get_all(SET_COOKIE).iter().any(|header| {
                Received::read(header.as_bytes())
                    .is_ok_and(|cookie| is_session(&cookie, session_cookie))
            });
            let severity = match session {
                true => Severity::Problem,
                false => Severity::Warning,
            };
            checkup.judge(
                stored.then(|| {
                    finding(
                        "cacheable_set_cookie",
                        severity,
                        &page,
                        "it sets a cookie, and its headers let shared caches store it with the cookie (RFC 9111, section \
                         7.3): the next visitor gets this visitor's",
                        "send `Cache-Control: private` or `no-store` with it, or set no cookie on pages that are cached",
                    )
                }),
                || format!("{page}: no shared cache is told to store the cookie that it sets"),
            );
        }
        if depends_on_cookies(exchanges, exchange) {
            let lacks = !varies_by_cookie(headers) && !is_private(headers);
            checkup.judge(
                lacks.then(|| {
                    finding(
                        "vary_missing",
                        Severity::Problem,
                        &page,
                        "it is another page with the visitor's cookies than without, and does not say so: a cache may \
                         answer one with the other",
                        "send `Vary: Cookie`, or `Cache-Control: private`",
                    )
                }),
                || format!("{page}: caches know that it depends on the cookies"),
            );
        }
    }
    checkup
}

/// Whether the page is the same each time without cookies, and another one with them.
fn depends_on_cookies(exchanges: &[Exchange], exchange: &Exchange) -> bool {
    let same_page = |with| {
        exchanges
            .iter()
            .filter(move |other| other.uri == exchange.uri && other.with_cookies == with)
            .map(|other| (other.status, &other.body))
    };
    let mut without = same_page(false);
    let Some(first) = without.next() else {
        return false;
    };
    // Asked once, nobody knows whether it changes by itself.
    let mut again = without.peekable();
    again.peek().is_some()
        && again.all(|other| other == first)
        && same_page(true).any(|other| other != first)
}

fn is_private(headers: &HeaderMap) -> bool {
    directives(headers).any(|directive| {
        let (name, _) = argument(&directive);
        matches!(name, "private" | "no-store")
    })
}

/// Whether the headers give a shared cache a reason to store the response and use it again.
fn may_store(exchange: &Exchange, now: i64) -> bool {
    let headers = &exchange.headers;
    if is_private(headers) {
        return false;
    }
    let mut fresh = None;
    for directive in directives(headers) {
        match argument(&directive) {
            ("no-cache", _) => return false,
            ("public", _) => fresh = Some(true),
            ("s-maxage" | "max-age", Some(seconds)) if fresh != Some(true) => {
                fresh = Some(seconds.parse::<u64>().is_ok_and(|seconds| seconds > 0));
            }
            _ => {}
        }
    }
    fresh.unwrap_or_else(|| is_fresh_by_date(exchange, now))
}

fn is_fresh_by_date(exchange: &Exchange, now: i64) -> bool {
    let date = |name| {
        let text = exchange.headers.get(name)?.to_str().ok()?;
        DateTime::from_http_date(text).map(DateTime::unix_seconds)
    };
    match exchange.headers.contains_key(EXPIRES) {
        // What is no date has passed.
        true => date(EXPIRES).is_some_and(|expires| expires > date(DATE).unwrap_or(now)),
        // A cache may guess from the age of the page where the status allows it (RFC 9110, section 15.1).
        false => {
            exchange.headers.contains_key(LAST_MODIFIED)
                && matches!(
                    exchange.status.as_u16(),
                    200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
                )
        }
    }
}

/// What `Cache-Control` says, over all headers of the name, in lower case.
fn directives(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(CACHE_CONTROL).iter();
    let words: Vec<String> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|word| word.trim().to_ascii_lowercase())
        .collect();
    words.into_iter()
}

fn argument(directive: &str) -> (&str, Option<&str>) {
    match directive.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
        None => (directive, None),
    }
}
