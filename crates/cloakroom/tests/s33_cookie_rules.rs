//! The security statements about cookies that Werkzeug does not check (S32 to S44), and P10 for cookies.

#![allow(clippy::unwrap_used)] // a test fails by panicking, its helpers too

use std::time::{Duration, Instant, SystemTime};

use cloakroom::cookie::{Cookie, CookieError, MAX_LIFETIME, RequestCookies, Rules, SameSite};
use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;

fn written(cookie: &Cookie) -> String {
    let set = cookie.set("v").unwrap();
    set.header_value().to_str().unwrap().to_owned()
}

fn refused(cookie: &Cookie) -> CookieError {
    // What cannot be set cannot be deleted either, for the same reason.
    let error = cookie.set("v").unwrap_err();
    assert_eq!(cookie.delete().unwrap_err(), error);
    // Werkzeug's rules know none of these.
    assert!(cookie.clone().rules(Rules::Werkzeug).set("v").is_ok());
    error
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

#[test]
fn s32_a_prefix_whose_conditions_are_not_met_is_refused() {
    let host = Cookie::new("__Host-sid").secure(true);
    assert_eq!(written(&host), "__Host-sid=v; Secure; Path=/");
    for (cookie, missing) in [
        (host.clone().secure(false), "Secure"),
        (host.clone().domain("example.com"), "Domain"),
        (host.clone().path("/app"), "Path=/"),
        (host.clone().no_path(), "Path=/"),
    ] {
        let error = refused(&cookie);
        assert!(matches!(
            error,
            CookieError::PrefixRequirement {
                prefix: "__Host-",
                ..
            }
        ));
        assert!(error.to_string().contains(missing), "{error}");
    }

    let secure = Cookie::new("__Secure-sid")
        .domain("example.com")
        .path("/app")
        .secure(true);
    assert_eq!(
        written(&secure),
        "__Secure-sid=v; Domain=example.com; Secure; Path=/app"
    );
    let error = refused(&secure.secure(false));
    assert!(matches!(
        error,
        CookieError::PrefixRequirement {
            prefix: "__Secure-",
            ..
        }
    ));

    // Partitioned switches Secure on, and that counts.
    assert!(Cookie::new("__Host-sid").partitioned(true).set("v").is_ok());
}

#[test]
fn s33_names_are_compared_byte_by_byte() {
    let cookies = RequestCookies::parse_header(
        b"__SeCuRe-a=evil; __host-a=evil; __%48ost-a=evil; __Host\xC2\xADa=evil; \xEF\xBC\xBF\xEF\xBC\xBFHost-a=evil; \"__Host-a\"=evil; __Host-a=good",
    );
    assert_eq!(cookies.get_all("__Host-a").collect::<Vec<_>>(), ["good"]);
    assert_eq!(cookies.get("__Secure-a"), None);
    assert_eq!(cookies.get("__host-a"), Some("evil"));
    assert_eq!(cookies.get("__%48ost-a"), Some("evil"));
}

#[test]
fn s33_names_that_are_not_utf_8_stand_for_no_text() {
    let cookies = RequestCookies::parse_header(b"\xE9=latin; \xC3\xA9=utf; a=1");
    assert_eq!(
        cookies.iter().collect::<Vec<_>>(),
        [("\u{e9}", "utf"), ("a", "1")]
    );
}

#[test]
fn s33_lookalikes_of_prefixes_are_not_written() {
    for name in [
        "__host-sid",
        "__HOST-sid",
        "__SeCuRe-sid",
        "__http-sid",
        "__host-http-sid",
        "__Host-HTTP-sid",
    ] {
        let cookie = Cookie::new(name).secure(true).http_only(true);
        assert!(
            matches!(refused(&cookie), CookieError::PrefixLookalike { .. }),
            "{name}"
        );
    }
    // Neither a prefix nor its lookalike.
    for name in ["_Host-sid", "__Host", "sid__Host-", "__Hosts-sid"] {
        assert_eq!(written(&Cookie::new(name)), format!("{name}=v; Path=/"));
    }
}

#[test]
fn s34_the_http_prefixes_want_http_only_and_secure() {
    for (name, host) in [("__Http-sid", false), ("__Host-Http-sid", true)] {
        let cookie = Cookie::new(name).secure(true).http_only(true);
        assert_eq!(
            written(&cookie),
            format!("{name}=v; Secure; HttpOnly; Path=/")
        );
        for incomplete in [
            cookie.clone().http_only(false),
            cookie.clone().secure(false),
        ] {
            assert!(matches!(
                refused(&incomplete),
                CookieError::PrefixRequirement { .. }
            ));
        }
        for elsewhere in [
            cookie.clone().domain("example.com"),
            cookie.clone().path("/app"),
        ] {
            assert_eq!(elsewhere.set("v").is_err(), host, "{name}");
        }
    }
}

#[test]
fn s35_a_cookie_without_a_name_never_gets_one() {
    for header in [
        "=x",
        "==x",
        "=a=x",
        " = a",
        "\t=\"a\"",
        "=",
        "=__Host-sid=evil",
    ] {
        let cookies = RequestCookies::parse_header(header);
        assert!(cookies.is_empty(), "{header:?}: {cookies:?}");
    }
    let cookies = RequestCookies::parse_header("==__Host-sid=evil; __Host-sid=good");
    assert_eq!(cookies.iter().collect::<Vec<_>>(), [("__Host-sid", "good")]);
    let refused = refused(&Cookie::new(""));
    assert_eq!(
        refused,
        CookieError::IllegalName {
            name: String::new()
        }
    );
}

#[test]
fn s36_same_site_none_needs_secure_and_partitioned_brings_it() {
    let cookie = Cookie::new("k").same_site(SameSite::None);
    assert_eq!(refused(&cookie), CookieError::SameSiteNoneWithoutSecure);
    assert_eq!(
        written(&cookie.clone().secure(true)),
        "k=v; Secure; Path=/; SameSite=None"
    );
    assert_eq!(
        written(&cookie.partitioned(true)),
        "k=v; Secure; Path=/; SameSite=None; Partitioned"
    );
}

#[test]
fn s37_partitioned_goes_with_a_domain_and_stays_secure() {
    let cookie = Cookie::new("k")
        .partitioned(true)
        .secure(false)
        .domain("example.com");
    assert_eq!(
        written(&cookie),
        "k=v; Domain=example.com; Secure; Path=/; Partitioned"
    );
}

#[test]
fn s38_name_and_value_take_at_most_4096_bytes() {
    let cookie = Cookie::new("name");
    assert!(cookie.set("v".repeat(4092)).is_ok());
    let error = cookie.set("v".repeat(4093)).unwrap_err();
    assert_eq!(
        error,
        CookieError::TooLarge {
            name: "name".into(),
            size: 4097,
            limit: 4096
        }
    );
    // What counts is what is sent, quotes and escapes included.
    assert!(cookie.set("\u{e9}".repeat(511)).is_ok());
    assert!(cookie.set("\u{e9}".repeat(512)).is_err());
    assert!(
        cookie
            .rules(Rules::Werkzeug)
            .set("v".repeat(10_000))
            .is_ok()
    );
}

#[test]
fn s38_an_attribute_takes_at_most_1024_bytes() {
    let path = |length: usize| Cookie::new("k").path("/".to_owned() + &"p".repeat(length - 1));
    assert!(path(1024).set("v").is_ok());
    let error = refused(&path(1025));
    assert_eq!(
        error,
        CookieError::AttributeTooLong {
            attribute: "Path",
            size: 1025,
            limit: 1024
        }
    );
    let encoded = Cookie::new("k").path("/".to_owned() + &" ".repeat(342));
    assert!(matches!(
        refused(&encoded),
        CookieError::AttributeTooLong { .. }
    ));
    let domain = Cookie::new("k").domain("a.".repeat(512) + "de");
    assert!(matches!(
        refused(&domain),
        CookieError::AttributeTooLong {
            attribute: "Domain",
            ..
        }
    ));
}

#[test]
fn s39_lifetimes_above_400_days_are_cut_and_reported() {
    let limit = "k=v; Expires=Wed, 18 Dec 2024 22:13:20 GMT; Max-Age=34560000; Path=/";
    let year = Duration::from_hours(365 * 24);
    for (max_age, clamped) in [
        (MAX_LIFETIME, false),
        (MAX_LIFETIME + Duration::from_secs(1), true),
        (year * 10, true),
        (Duration::MAX, true),
    ] {
        let set = Cookie::new("k")
            .max_age(max_age)
            .set_at("v", now())
            .unwrap();
        assert_eq!(set.header_value(), limit);
        assert_eq!(set.is_lifetime_clamped(), clamped);
    }
    for (expires, clamped) in [(now() + MAX_LIFETIME, false), (now() + year * 2, true)] {
        let set = Cookie::new("k")
            .expires(expires)
            .set_at("v", now())
            .unwrap();
        assert_eq!(
            set.header_value(),
            "k=v; Expires=Wed, 18 Dec 2024 22:13:20 GMT; Path=/"
        );
        assert_eq!(set.is_lifetime_clamped(), clamped);
    }
    let set = Cookie::new("k")
        .rules(Rules::Werkzeug)
        .max_age(year * 2)
        .set_at("v", now())
        .unwrap();
    assert_eq!(
        set.header_value(),
        "k=v; Expires=Thu, 13 Nov 2025 22:13:20 GMT; Max-Age=63072000; Path=/"
    );
    assert!(!set.is_lifetime_clamped());
}

#[test]
fn s40_a_response_sets_each_cookie_once() {
    let mut headers = HeaderMap::new();
    headers.append(
        header::SET_COOKIE,
        HeaderValue::from_static("theme=x; path=/; SameSite=Lax"),
    );
    headers.append(
        header::SET_COOKIE,
        HeaderValue::from_static("themes=x; Path=/"),
    );
    headers.append(
        header::SET_COOKIE,
        HeaderValue::from_static("theme=x; Path=/old"),
    );
    let insert = |headers: &mut HeaderMap, cookie: Cookie, value: &str| {
        cookie.set(value).unwrap().insert_into(headers).unwrap();
    };
    insert(&mut headers, Cookie::new("theme"), "dark; Path=/old");
    insert(&mut headers, Cookie::new("theme"), "light");
    insert(
        &mut headers,
        Cookie::new("theme").domain("Example.com"),
        "1",
    );
    insert(
        &mut headers,
        Cookie::new("theme").domain("example.com"),
        "2",
    );

    let sent: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(
        sent,
        [
            "themes=x; Path=/",
            "theme=x; Path=/old",
            "theme=light; Path=/",
            "theme=2; Domain=example.com; Path=/",
        ]
    );
}

#[test]
fn s41_names_are_tokens() {
    for name in [
        "a b", "a=b", "a,b", "a\"b", "a(b", "a/b", "a@b", "a[b", "a{b", "f\u{f6}",
    ] {
        let error = refused(&Cookie::new(name));
        assert_eq!(
            error,
            CookieError::IllegalName {
                name: name.to_owned()
            }
        );
    }
    // These no rules let through: a header cannot carry them, or the browser would read another attribute.
    for name in [
        "a;b",
        "a; Domain=evil.example",
        "a\nb",
        "a\r\nSet-Cookie: b",
        "a\tb",
        "a\0b",
        "a\x7f",
    ] {
        for rules in [Rules::Strict, Rules::Werkzeug] {
            let error = Cookie::new(name).rules(rules).set("v").unwrap_err();
            assert!(matches!(error, CookieError::IllegalName { .. }), "{name:?}");
        }
    }
}

#[test]
fn s41_attributes_that_browsers_would_ignore_or_misread_are_refused() {
    for path in ["", "app", "?q", " /"] {
        assert!(matches!(
            refused(&Cookie::new("k").path(path)),
            CookieError::IllegalPath { .. }
        ));
    }
    for domain in ["", ".", "[::1]", "a,b", "a/b", "a=b"] {
        let error = refused(&Cookie::new("k").domain(domain));
        assert!(
            matches!(error, CookieError::IllegalDomain { .. }),
            "{domain:?}"
        );
    }
    for domain in ["a; Secure", "a;b", "a b", "a\tb", "a\r\nb", "a..b"] {
        for rules in [Rules::Strict, Rules::Werkzeug] {
            let error = Cookie::new("k")
                .domain(domain)
                .rules(rules)
                .set("v")
                .unwrap_err();
            assert!(
                matches!(error, CookieError::IllegalDomain { .. }),
                "{domain:?}"
            );
        }
    }
    let smuggled = Cookie::new("k").path("/; Domain=evil.example\r\nX: y");
    assert_eq!(
        written(&smuggled),
        "k=v; Path=/%3B%20Domain=evil.example%0D%0AX:%20y"
    );
}

/// RFC 6265, section 4.1.1.
fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E)
}

proptest! {
    #[test]
    fn s41_a_value_is_cookie_octets_or_quoted_without_anything_that_splits(value in any::<String>()) {
        let set = Cookie::new("k").no_path().set(&value).unwrap();
        let sent = set.header_value().as_bytes().strip_prefix(b"k=").unwrap();
        match sent {
            // Werkzeug's quoting leaves the space as it is and writes escapes with a backslash.
            [b'"', quoted @ .., b'"'] => prop_assert!(
                quoted.iter().all(|&byte| is_cookie_octet(byte) || b" \\\"".contains(&byte))
            ),
            plain => prop_assert!(plain.iter().copied().all(is_cookie_octet)),
        }
    }

    #[test]
    fn s41_no_input_breaks_the_header(
        name in any::<String>(),
        domain in proptest::option::of(any::<String>()),
        path in proptest::option::of(any::<String>()),
        value in any::<String>(),
        strict in any::<bool>(),
    ) {
        let rules = if strict { Rules::Strict } else { Rules::Werkzeug };
        let mut cookie = Cookie::new(name).rules(rules).no_path();
        let attributes = usize::from(domain.is_some()) + usize::from(path.is_some());
        if let Some(domain) = domain {
            cookie = cookie.domain(domain);
        }
        if let Some(path) = path {
            cookie = cookie.path(path);
        }
        if let Ok(set) = cookie.set(value) {
            let semicolons = set.header_value().as_bytes().iter().filter(|&&byte| byte == b';');
            prop_assert_eq!(semicolons.count(), attributes);
        }
    }

    #[test]
    fn s42_any_bytes_can_be_read(headers in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
        let mut map = HeaderMap::new();
        for header in &headers {
            let cookies = RequestCookies::parse_header(header);
            prop_assert!(cookies.iter().all(|(name, _)| !name.is_empty()));
            if let Ok(header) = HeaderValue::from_bytes(header) {
                map.append(header::COOKIE, header);
            }
        }
        let cookies = RequestCookies::parse(&map);
        prop_assert_eq!(cookies.iter().len(), cookies.len());
    }
}

#[test]
fn s42_hostile_headers_are_read_in_linear_time() {
    let megabyte = |piece: &str| piece.repeat((1 << 20) / piece.len());
    let unit = |header: &str| {
        let start = Instant::now();
        let cookies = RequestCookies::parse_header(header);
        let _ = (cookies.get("nothing"), cookies.names().count());
        start.elapsed()
    };
    for piece in [
        "a=1;",
        "a;",
        ";",
        " ",
        "=",
        "\"",
        "\\",
        "a=\"",
        "a=\";",
        "a=\"\\\";",
        "a=\"\\\\",
        "a =\t\"x;",
        "\\\";=\"",
        "a= ",
        "a=\"b\"c;",
        "\u{e9}=\u{e9};",
        "a=\"\\351\";",
    ] {
        // A quadratic reader would take hours over these.
        for header in [
            megabyte(piece),
            format!("a=\"{}", megabyte(piece)),
            megabyte(piece) + "\"",
        ] {
            let taken = unit(&header);
            assert!(taken < Duration::from_secs(5), "{piece:?}: {taken:?}");
        }
    }
    let many: Vec<String> = (0..10_000)
        .map(|n| format!("name{n}=\"value {n}\""))
        .collect();
    let cookies = RequestCookies::parse_header(many.join("; "));
    assert_eq!((cookies.len(), cookies.names().count()), (10_000, 10_000));
    assert_eq!(cookies.get("name9999"), Some("value 9999"));
}

#[test]
fn s42_split_headers_are_one() {
    let mut headers = HeaderMap::new();
    for part in ["a=1", "b=2; a=3", "c=\"x"] {
        headers.append(header::COOKIE, HeaderValue::from_static(part));
    }
    headers.append(header::COOKIE, HeaderValue::from_static("y\"; d=4"));
    let cookies = RequestCookies::parse(&headers);
    assert_eq!(
        cookies.iter().collect::<Vec<_>>(),
        [("a", "1"), ("b", "2"), ("a", "3"), ("c", "x;y"), ("d", "4")]
    );
}

#[test]
fn s43_every_cookie_of_a_name_can_be_looked_at() {
    let cookies = RequestCookies::parse_header("sid=planted; x=1; sid=mine; SID=other; sid");
    assert_eq!(
        cookies.get_all("sid").collect::<Vec<_>>(),
        ["planted", "mine", ""]
    );
    assert_eq!(cookies.names().collect::<Vec<_>>(), ["sid", "x", "SID"]);
    assert_eq!(cookies.len(), 5);
}

#[test]
fn s44_a_deletion_repeats_every_attribute() {
    let cookie = Cookie::new("k")
        .domain(".example.com:443")
        .path("/app")
        .max_age(Duration::from_mins(1))
        .expires(now())
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .partitioned(true);
    assert_eq!(
        written(&cookie),
        "k=v; Domain=example.com; Expires=Tue, 14 Nov 2023 22:13:20 GMT; Max-Age=60; Secure; HttpOnly; Path=/app; SameSite=Strict; Partitioned"
    );
    let delete = cookie.delete().unwrap();
    assert_eq!(
        delete.header_value(),
        "k=; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Secure; HttpOnly; Path=/app; SameSite=Strict; Partitioned"
    );
    assert_eq!(delete.name(), "k");
}

#[test]
fn p10_values_are_in_no_debug_output_and_no_error() {
    const SECRET: &str = "hunter2";
    let cookies = RequestCookies::parse_header(format!("sid={SECRET}; theme={SECRET}"));
    let set = Cookie::new("sid").set(SECRET).unwrap();
    let too_large = Cookie::new("sid").set(SECRET.repeat(1000)).unwrap_err();
    for text in [
        format!("{cookies:?} {:#?} {:?}", cookies, cookies.iter()),
        format!("{set:?} {:?}", set.header_value()),
        format!("{too_large} {too_large:?}"),
    ] {
        assert!(!text.contains(SECRET), "{text}");
    }
    assert_eq!(format!("{cookies:?}"), r#"RequestCookies ["sid", "theme"]"#);
}
