//! Promise P1 for cookies: written and read exactly as Werkzeug 3.1.9 writes and reads them.

#![allow(clippy::unwrap_used)] // a test fails by panicking, its helpers too

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

use cloakroom::cookie::{Cookie, CookieError, RequestCookies, Rules, SameSite, SetCookie};
use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;
use serde_json::Value;

fn vectors(section: &str) -> Vec<Value> {
    let text = include_str!("vectors/werkzeug_cookie.json");
    let mut file: Value = serde_json::from_str(text).unwrap();
    let Value::Array(rows) = file[section].take() else {
        panic!("the vectors have no section {section}");
    };
    assert!(!rows.is_empty());
    rows
}

/// Arguments of `dump_cookie` that are answered differently on purpose: which, and why.
const WRITTEN_DIFFERENTLY: &[(&str, &str, &str)] = &[
    (
        "value",
        "\"\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f\"",
        "no HTTP stack carries these bytes, so they are escaped; Werkzeug sends them raw",
    ),
    (
        "max_age",
        "-5",
        "a Duration cannot be negative; Cookie::delete is the way to say it",
    ),
    (
        "sync_expires",
        "false",
        "Max-Age always brings Expires, as in every response method of Werkzeug",
    ),
    (
        "expires",
        "\"as given\"",
        "an expiry is a time here, so that what is sent is always a date",
    ),
    #[cfg(not(feature = "idna"))]
    (
        "domain",
        "\"B\u{dc}CHER.example\"",
        "needs the feature idna",
    ),
    #[cfg(not(feature = "idna"))]
    ("domain", "\"fa\u{df}.de\"", "needs the feature idna"),
];

/// Why a row has no answer.
#[derive(Debug)]
enum Unanswered {
    NotOffered,
    #[allow(dead_code)] // for the message of a failing test
    Refused(CookieError),
}

impl From<CookieError> for Unanswered {
    fn from(error: CookieError) -> Self {
        Self::Refused(error)
    }
}

fn unix(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap())
}

/// The cookie that the arguments of `dump_cookie` or `delete_cookie` describe.
fn cookie(name: &str, args: &Value) -> Result<Cookie, Unanswered> {
    let mut cookie = Cookie::new(name.to_owned()).rules(Rules::Werkzeug);
    for (argument, given) in args.as_object().unwrap() {
        cookie = match (argument.as_str(), given) {
            ("key" | "value" | "max_size", _) => cookie,
            ("path", Value::Null) => cookie.no_path(),
            ("path", Value::String(path)) => cookie.path(path.clone()),
            ("domain", Value::String(domain)) => cookie.domain(domain.clone()),
            ("secure", Value::Bool(secure)) => cookie.secure(*secure),
            ("httponly", Value::Bool(http_only)) => cookie.http_only(*http_only),
            ("partitioned", Value::Bool(partitioned)) => cookie.partitioned(*partitioned),
            ("samesite", Value::String(text)) => cookie.same_site(text.parse::<SameSite>()?),
            ("max_age", Value::Number(seconds)) => match seconds.as_u64() {
                Some(seconds) => cookie.max_age(Duration::from_secs(seconds)),
                None => return Err(Unanswered::NotOffered),
            },
            ("expires", Value::Number(seconds)) => {
                let since = Duration::from_secs_f64(seconds.as_f64().unwrap());
                cookie.expires(SystemTime::UNIX_EPOCH + since)
            }
            ("expires", Value::Object(time)) => match time.values().next().unwrap().as_str() {
                Some("2024-01-02T03:04:05-05:00") => cookie.expires(unix(1_704_182_645)),
                Some("2024-01-02") => cookie.expires(unix(1_704_153_600)),
                other => panic!("a time this test does not know: {other:?}"),
            },
            ("expires", Value::String(_)) | ("sync_expires", Value::Bool(false)) => {
                return Err(Unanswered::NotOffered);
            }
            other => panic!("an argument this test does not know: {other:?}"),
        };
    }
    Ok(cookie)
}

fn dump(args: &Value, now: i64) -> Result<SetCookie, Unanswered> {
    let name = args["key"].as_str().unwrap();
    let value = args["value"].as_str().unwrap();
    Ok(cookie(name, args)?.set_at(value, unix(now))?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[test]
fn p1_cookies_are_written_as_werkzeug_writes_them() {
    let mut differing = 0;
    for row in vectors("dump_cookie") {
        let args = &row["args"];
        let answer = dump(args, row["now"].as_i64().unwrap());
        let same = match (&answer, row["header_latin1_hex"].as_str()) {
            (Ok(set), Some(expected)) => hex(set.header_value().as_bytes()) == expected,
            (Err(_), None) => true,
            _ => false,
        };
        let listed = WRITTEN_DIFFERENTLY.iter().find(|(argument, value, _)| {
            args.get(argument) == Some(&serde_json::from_str(value).unwrap())
        });
        differing += usize::from(listed.is_some());
        assert_eq!(
            same,
            listed.is_none(),
            "{args}: {answer:?}, listed: {listed:?}"
        );

        if let Ok(set) = answer {
            let max_size = args
                .get("max_size")
                .map_or(4093, |size| size.as_u64().unwrap());
            assert_eq!(
                set.exceeds(max_size.try_into().unwrap()),
                row["too_large_warning"].as_bool().unwrap(),
                "{args}"
            );
        }
    }
    assert_eq!(differing, WRITTEN_DIFFERENTLY.len());
}

#[test]
fn p1_control_characters_that_werkzeug_sends_raw_reach_the_reader_all_the_same() {
    let value = "\u{1a}\u{1b}\u{1c}\u{1d}\u{1e}\u{1f}";
    let set = Cookie::new("k").set(value).unwrap();
    assert_eq!(
        set.header_value(),
        r#"k="\032\033\034\035\036\037"; Path=/"#
    );
}

#[test]
fn p1_cookies_are_deleted_as_werkzeug_deletes_them() {
    for row in vectors("delete_cookie") {
        let cookie = cookie("foo", &row["args"]).unwrap();
        let expected = row["header"].as_str().unwrap();
        for rules in [Rules::Werkzeug, Rules::Strict] {
            let delete = cookie.clone().rules(rules).delete().unwrap();
            assert_eq!(delete.header_value(), expected);
        }
    }
}

/// Pairs in the order of Werkzeug's multi-dict: the values of one name stand where its first one stood.
fn grouped(cookies: &RequestCookies) -> Vec<(&str, &str)> {
    let values = |name| cookies.get_all(name).map(move |value| (name, value));
    cookies.names().flat_map(values).collect()
}

fn pairs(column: &Value) -> Vec<(&str, &str)> {
    column
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
        .collect()
}

/// `Cookie` headers that Werkzeug's request object reads as Latin-1 even when they are UTF-8. Here they are UTF-8, as
/// `parse_cookie` has them when it is given text.
const READ_AS_UTF_8: &[&str] = &["a=\u{e9}", "\u{e9}=1", "a=\u{2603}; b=\u{1f600}"];

#[test]
fn p1_cookies_are_read_as_werkzeug_reads_them() {
    let mut raw = 0;
    for row in vectors("parse_cookie") {
        let header = row["header"].as_str().unwrap();
        let cookies = RequestCookies::parse_header(header);
        let read = grouped(&cookies);
        assert_eq!(read, pairs(&row["pairs"]), "{header:?}");

        let listed = READ_AS_UTF_8.contains(&header);
        raw += usize::from(listed);
        let same = read == pairs(&row["request_cookies"]);
        assert_eq!(same, !listed, "{header:?}");

        // In order, too; and the same out of a header map, where one can hold the bytes.
        let mut firsts = HashMap::new();
        for (name, value) in &cookies {
            firsts.entry(name).or_insert(value);
        }
        for (name, value) in firsts {
            assert_eq!(cookies.get(name), Some(value));
        }
        if let Ok(header) = HeaderValue::from_bytes(header.as_bytes()) {
            let headers = HeaderMap::from_iter([(header::COOKIE, header)]);
            assert!(RequestCookies::parse(&headers).iter().eq(cookies.iter()));
        }
    }
    assert_eq!(raw, READ_AS_UTF_8.len());
}

#[test]
fn p1_several_cookie_headers_are_read_as_one() {
    for row in vectors("several_cookie_headers") {
        let mut headers = HeaderMap::new();
        for header in row["headers"].as_array().unwrap() {
            let header = header.as_str().unwrap();
            headers.append(header::COOKIE, header.parse().unwrap());
        }
        let cookies = RequestCookies::parse(&headers);
        assert_eq!(grouped(&cookies), pairs(&row["pairs"]), "{row}");
    }
}

#[test]
fn p1_a_value_that_is_not_utf_8_is_latin_1_and_leaves_its_neighbours_alone() {
    let cookies = RequestCookies::parse_header(b"a=\xE9; b=\xC3\xA9; c=\"\xE9\\073\"; d=\"\\351\"");
    let read: Vec<_> = cookies.iter().collect();
    let expected = [
        ("a", "\u{e9}"),
        ("b", "\u{e9}"),
        ("c", "\u{e9};"),
        ("d", "\u{fffd}"),
    ];
    assert_eq!(read, expected);
}

#[test]
fn p1_an_escaped_line_feed_spoils_a_quoted_value() {
    let cookies = RequestCookies::parse_header("a=\"x\ny\"; b=\"x\\\ny\"; c=1");
    assert_eq!(
        cookies.iter().collect::<Vec<_>>(),
        [("a", "x\ny"), ("c", "1")]
    );
}

#[test]
fn p1_max_age_brings_expires_and_expires_alone_stays_alone() {
    let now = unix(1_700_000_000);
    let cookie = Cookie::new("k").max_age(Duration::from_millis(60_900));
    assert_eq!(
        cookie.set_at("v", now).unwrap().header_value(),
        "k=v; Expires=Tue, 14 Nov 2023 22:14:20 GMT; Max-Age=60; Path=/"
    );
    let cookie = Cookie::new("k").expires(now + Duration::from_millis(1_900));
    assert_eq!(
        cookie.set_at("v", now).unwrap().header_value(),
        "k=v; Expires=Tue, 14 Nov 2023 22:13:21 GMT; Path=/"
    );
    let long_ago = SystemTime::UNIX_EPOCH - Duration::from_millis(100);
    assert_eq!(
        Cookie::new("k")
            .expires(long_ago)
            .set("v")
            .unwrap()
            .header_value(),
        "k=v; Expires=Wed, 31 Dec 1969 23:59:59 GMT; Path=/"
    );
}

#[test]
fn p1_an_expiry_that_no_date_can_tell_is_an_error() {
    let cookie = Cookie::new("k")
        .rules(Rules::Werkzeug)
        .max_age(Duration::MAX);
    assert_eq!(cookie.set("v").unwrap_err(), CookieError::ExpiryOutOfRange);
}

#[cfg(feature = "idna")]
#[test]
fn p1_domains_outside_ascii_are_encoded_as_pythons_idna_encodes_them() {
    // Answers of Python 3.11's `idna` codec; `None` where it raises.
    for (domain, expected) in [
        ("a\u{ad}b.com", Some("ab.com")),
        ("\u{ad}.com", None),
        ("\u{fb01}.com", Some("fi.com")),
        ("\u{e9}\u{3002}com", Some("xn--9ca.com")),
        ("xn--\u{e9}.com", None),
        ("a.\u{e9}.", Some("a.xn--9ca.")),
        ("\u{e9}..b", None),
        ("\u{130}.com", Some("xn--i-9bb.com")),
        ("\u{5d0}1.com", None),
        ("\u{5d0}a.com", None),
        ("EXAMPLE.\u{e9}.Com", Some("EXAMPLE.xn--9ca.Com")),
        ("\u{3c2}.com", Some("xn--4xa.com")),
        ("\u{3002}\u{e9}", None),
        ("\u{e9}:8080", Some("xn--9ca")),
    ] {
        let set = Cookie::new("k").domain(domain).set("v");
        let written = set
            .as_ref()
            .ok()
            .map(|set| set.header_value().to_str().unwrap());
        let expected = expected.map(|domain| format!("k=v; Domain={domain}; Path=/"));
        assert_eq!(written, expected.as_deref(), "{domain}");
    }
}

#[cfg(feature = "idna")]
#[test]
fn p1_domains_that_idna_turns_into_something_else_are_refused() {
    // Python encodes these; what comes out is not the host name that was written, or not one at all.
    for domain in [
        "a\u{ff1b}b.\u{e9}",
        "\u{2488}.com",
        "\u{e9}\u{2024}b.com",
        "\u{e9} .com",
        "\u{1f600}.com",
    ] {
        for rules in [Rules::Strict, Rules::Werkzeug] {
            let refused = Cookie::new("k")
                .domain(domain)
                .rules(rules)
                .set("v")
                .unwrap_err();
            assert!(
                matches!(refused, CookieError::IllegalDomain { .. }),
                "{domain}"
            );
        }
    }
}

#[cfg(not(feature = "idna"))]
#[test]
fn p1_a_domain_outside_ascii_names_the_feature_it_needs() {
    let refused = Cookie::new("k")
        .domain("b\u{fc}cher.example")
        .set("v")
        .unwrap_err();
    assert!(refused.to_string().contains("`idna`"), "{refused}");
}

proptest! {
    #[test]
    fn p1_what_is_set_is_read_back(name in "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}", value in any::<String>()) {
        prop_assume!(!name.starts_with("__"));
        let set = Cookie::new(name.clone()).set(&value).unwrap();
        let header = set.header_value().to_str().unwrap();
        let pair = header.strip_suffix("; Path=/").unwrap();
        // Browsers keep what comes before the first semicolon.
        prop_assert!(!pair.contains(';'));
        let cookies = RequestCookies::parse_header(format!("before=1; {pair}; after=\"2\""));
        let read: Vec<_> = cookies.iter().collect();
        prop_assert_eq!(read, [("before", "1"), (name.as_str(), value.as_str()), ("after", "2")]);
    }
}
