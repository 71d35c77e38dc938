//! What the floors have in common: a session as JSON that is searched and changed where it lies, and its cookie. No parser, no
//! library, no more than this application needs.

use std::fmt::Write as _;

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use memchr::memmem;

/// A Set-Cookie header.
pub(super) type SetCookie = [(HeaderName, HeaderValue); 1];
/// What a handler answers that may have a new cookie for the browser.
pub(super) type Answer<B> = Result<(Option<SetCookie>, B), StatusCode>;

/// What every session's JSON begins with.
const VISITS: &[u8] = b"{\"visits\":";

/// "visits", 0 if there is no session.
pub(super) fn visits(json: &[u8]) -> u64 {
    let digits = json.strip_prefix(VISITS).unwrap_or_default();
    digits
        .iter()
        .map_while(|digit| digit.is_ascii_digit().then(|| u64::from(digit - b'0')))
        .fold(0, |visits, digit| visits * 10 + digit)
}

/// The session with another number of visits.
pub(super) fn with_visits(json: &[u8], visits: u64) -> Vec<u8> {
    let rest = json.strip_prefix(VISITS).unwrap_or(b"}");
    let digits = rest.iter().take_while(|digit| digit.is_ascii_digit());
    let rest = &rest[digits.count()..];
    let mut changed = Vec::with_capacity(json.len() + 20);
    changed.extend_from_slice(VISITS);
    changed.extend_from_slice(visits.to_string().as_bytes());
    changed.extend_from_slice(rest);
    changed
}

/// The session with a user.
pub(super) fn with_user(json: &[u8]) -> Vec<u8> {
    let entries = json.strip_suffix(b"}").unwrap_or(b"{\"visits\":0");
    [entries, b",\"user\":\"alice\"}"].concat()
}

/// A session with these entries.
pub(super) fn filled(entries: impl Iterator<Item = (String, String)>) -> Vec<u8> {
    let mut json = "{\"visits\":1".to_owned();
    for (key, value) in entries {
        // Writing to a string cannot fail.
        let _ = write!(json, ",\"{key}\":\"{value}\"");
    }
    json.push('}');
    json.into_bytes()
}

/// The length of the text under a key.
pub(super) fn length(json: &[u8], key: &str) -> usize {
    let key = format!("\"{key}\":\"");
    let value = memmem::find(json, key.as_bytes()).map(|at| &json[at + key.len()..]);
    value
        .and_then(|value| memchr::memchr(b'"', value))
        .unwrap_or_default()
}

/// The cookie that the browser sent.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let mut pairs = cookies.split("; ");
    pairs.find_map(|pair| pair.strip_prefix("session="))
}

/// The header that sets one, with the attributes that sessions have by default.
pub(super) fn set_cookie(value: &str) -> Result<Option<SetCookie>, StatusCode> {
    let header = [
        "session=",
        value,
        "; Secure; HttpOnly; Path=/; SameSite=Lax",
    ]
    .concat();
    let header = HeaderValue::try_from(header).map_err(failed)?;
    Ok(Some([(SET_COOKIE, header)]))
}

/// 256 random bits.
pub(super) fn new_id() -> Result<String, StatusCode> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(failed)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

pub(super) fn failed<E>(_: E) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}
