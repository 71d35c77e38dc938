//! What a response tells the caches on its way (RFC 9111).

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, Entry, HeaderName, VARY},
};

/// The response depends on the cookie: adds `Cookie` to `Vary`, after what is there, unless it is
/// listed already. `*` is left alone and `Cookie` still added, as Flask does.
pub(crate) fn vary_by_cookie(headers: &mut HeaderMap) {
    if set_if_missing(headers, VARY, "Cookie") {
        return;
    }
    if varies_by(headers, |name| name.eq_ignore_ascii_case(b"cookie")) {
        return;
    }
    let mut joined: Vec<u8> = Vec::new();
    for value in headers.get_all(VARY) {
        joined.extend_from_slice(value.as_bytes());
        joined.extend_from_slice(b", ");
    }
    joined.extend_from_slice(b"Cookie");
    if let Ok(joined) = HeaderValue::try_from(joined) {
        headers.insert(VARY, joined);
    }
}

/// Whether caches are told that the response depends on the cookie, or on everything.
pub(crate) fn varies_by_cookie(headers: &HeaderMap) -> bool {
    varies_by(headers, |name| {
        name == b"*" || name.eq_ignore_ascii_case(b"cookie")
    })
}

fn varies_by(headers: &HeaderMap, is_meant: impl Fn(&[u8]) -> bool) -> bool {
    let values = headers.get_all(VARY).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|name| is_meant(name.trim_ascii()))
}

/// The response was made without knowing who asks, so nobody may see it again: not others, and not the same
/// browser when all is well. What the application says about caching was meant for another response.
pub(crate) fn never_store(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// A shared cache that stored our cookie would hand one visitor's session to the next. Without
/// directives of the application the response becomes private; `public` and `s-maxage` beside a
/// session cookie are a mistake, so they give way to `private`, and the rest stays.
pub(crate) fn keep_private(headers: &mut HeaderMap) {
    if set_if_missing(headers, CACHE_CONTROL, "private") {
        return;
    }
    let directives: Vec<String> = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(|directive| directive.trim().to_owned())
        .filter(|directive| !directive.is_empty())
        .collect();
    let is = |directive: &str, name: &str| {
        directive
            .split('=')
            .next()
            .is_some_and(|start| start.trim_end().eq_ignore_ascii_case(name))
    };
    if directives
        .iter()
        .any(|directive| is(directive, "no-store") || directive.eq_ignore_ascii_case("private"))
    {
        return;
    }
    let shared = |directive: &String| is(directive, "public") || is(directive, "s-maxage");
    if directives.iter().any(shared) {
        tracing::warn!(
            "a response with a session cookie was marked as cacheable for everybody; it is sent as private"
        );
    }
    let mut kept: Vec<String> = directives
        .into_iter()
        .filter(|directive| !shared(directive))
        .collect();
    kept.push("private".to_owned());
    if let Ok(value) = HeaderValue::try_from(kept.join(", ")) {
        headers.insert(CACHE_CONTROL, value);
    }
}

/// Most responses say nothing of it yet: then there is nothing to read and nothing to join.
fn set_if_missing(headers: &mut HeaderMap, name: HeaderName, value: &'static str) -> bool {
    match headers.try_entry(name) {
        Ok(Entry::Vacant(place)) => {
            let _ = place.try_insert(HeaderValue::from_static(value));
            true
        }
        Ok(Entry::Occupied(_)) | Err(_) => false,
    }
}
