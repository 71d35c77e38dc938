//! What the sessions hold, the same in all subjects.

use std::time::Duration;

use axum::http::StatusCode;

/// How long sessions live.
pub const LIFETIME: Duration = Duration::from_hours(1);

/// What cookies are signed and encrypted with; the longest that any of the libraries asks for.
pub const SECRET: &str =
    "a secret for benchmarks and for nothing else, in as many bytes as the most demanding asks for";

/// The bytes of name and value that browsers keep (RFC 6265bis, section 5.6).
pub const LONGEST_COOKIE: usize = 4096;

/// The one value of many that is read.
pub const MIDDLE: &str = "key_07";

/// Twenty short values. "visits" is 1 beside them.
pub fn twenty() -> impl Iterator<Item = (String, String)> {
    (0..20).map(|at| (name(at), format!("value {at}")))
}

/// Values that bring the session's JSON to about 3,500 bytes. "visits" is 1 beside them.
pub fn large() -> impl Iterator<Item = (String, String)> {
    (0..79).map(|at| (name(at), text(at)))
}

/// The answer where a session is larger than the cookie that would hold it may be: there is nothing to measure then.
pub async fn does_not_fit() -> StatusCode {
    StatusCode::INSUFFICIENT_STORAGE
}

fn name(at: u64) -> String {
    format!("key_{at:02}")
}

/// 32 digits unlike each other, as ids and names are: text that repeats itself would compress to nothing.
fn text(at: u64) -> String {
    let mixed = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{mixed:016x}{:016x}", mixed.rotate_left(29) ^ mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_session_is_as_large_as_it_should_be() {
        let entries: serde_json::Map<String, serde_json::Value> = large()
            .map(|(key, value)| (key, value.into()))
            .chain([("visits".to_owned(), 1.into())])
            .collect();
        let length = serde_json::to_string(&entries).unwrap().len();
        assert!((3450..=3550).contains(&length), "{length} bytes");
        assert!(entries.contains_key(MIDDLE));
    }
}
