use crate::cookie::Received;

/// Whether a cookie is worth stealing: by the name that was given, by the usual names, and by its value's form.
pub(super) fn is_session(cookie: &Received<'_>, session_cookie: Option<&str>) -> bool {
    if session_cookie.is_some_and(|name| name.as_bytes() == cookie.name) {
        return true;
    }
    let name = String::from_utf8_lossy(cookie.name).to_ascii_lowercase();
    // Scripts have to read these, and without the session they are worth nothing.
    if name.contains("csrf") || name.contains("xsrf") {
        return false;
    }
    let plain = ["__host-http-", "__host-", "__http-", "__secure-"]
        .into_iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(&name);
    NAMES.contains(&plain) || is_token(cookie.value)
}

/// What frameworks call theirs.
const NAMES: [&str; 14] = [
    "session",
    "sessionid",
    "session_id",
    "session-id",
    "sid",
    "connect.sid",
    "jsessionid",
    "phpsessid",
    "asp.net_sessionid",
    "laravel_session",
    "remember_token",
    "remember_me",
    "auth_token",
    "access_token",
];

/// Signed as itsdangerous does, encrypted as we do, or an id.
fn is_token(value: &[u8]) -> bool {
    is_signed(value) || value.starts_with(b"v1.") && value.len() > 60 || is_id(value)
}

/// `payload.time.signature`, with a signature as long as one of SHA-1, SHA-256, SHA-384 or SHA-512 in base64.
pub(super) fn is_signed(value: &[u8]) -> bool {
    let mut parts = value.rsplitn(3, |byte| *byte == b'.');
    let (Some(signature), Some(time), Some(payload)) = (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let base64 = |part: &[u8]| part.iter().all(|byte| is_base64(*byte));
    matches!(signature.len(), 27 | 43 | 64 | 86)
        && (4..=11).contains(&time.len())
        && !payload.is_empty()
        && base64(signature)
        && base64(time)
}

/// A long word that looks random: a part of 22 characters, which hold 128 bits in base64, or 32 in hexadecimal.
fn is_id(value: &[u8]) -> bool {
    value
        .split(|byte| !is_base64(*byte))
        .any(|word| word.len() >= 22 && is_random(word))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn is_random(word: &[u8]) -> bool {
    let count = |kind: fn(&u8) -> bool| word.iter().filter(|byte| kind(byte)).count();
    let (digits, lower, upper) = (
        count(u8::is_ascii_digit),
        count(u8::is_ascii_lowercase),
        count(u8::is_ascii_uppercase),
    );
    let hexadecimal = word.len() >= 32 && word.iter().all(u8::is_ascii_hexdigit);
    digits > 1 && (lower > 1 && upper > 1 || hexadecimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_known_by_name_and_form_and_other_cookies_are_left_alone() {
        let session = |header: &str, given: Option<&str>| {
            is_session(&Received::read(header.as_bytes()).unwrap(), given)
        };
        for header in [
            "session=x",
            "__Host-session=x",
            "connect.sid=x",
            "a=eyJ1c2VyIjoiYWxpY2UifQ.ZVPxAA.kF8s1Zp0Qw3rT5yU7iO9aSdFgHj",
            "a=kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDA",
            "a=0f4a6a2d93ee4d3c8a2b7c9d1e5f8a40",
            "a=s%3AkRtasPgzdZBA1SEoclYTR_kKMMFm.JSsdpI0trR3xDA",
        ] {
            assert!(session(header, None), "{header}");
        }
        assert!(session("basket=1", Some("basket")));
        for header in [
            "theme=dark",
            "basket=1",
            "csrftoken=kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDA",
            "XSRF-TOKEN=0f4a6a2d93ee4d3c8a2b7c9d1e5f8a40",
            "banner=the-sale-of-the-year-ends-soon",
            "since=2026-11-21T00:00:00Z",
        ] {
            assert!(!session(header, None), "{header}");
        }
    }
}
