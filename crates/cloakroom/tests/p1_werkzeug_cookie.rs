//! Promise P1 for cookies: written and read exactly as Werkzeug 3.1.9 writes and reads them.

#![allow(clippy::unwrap_used)] // a test fails by panicking, its helpers too

mod support;

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

use cloakroom::cookie::{Cookie, CookieError, RequestCookies, Rules, SameSite, SetCookie};
use cloakroom::value::DateTime;
use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;
use serde_json::Value;
use support::differences::{Differences, Rule, unless};
use support::rows;

fn vectors(section: &str) -> Vec<Value> {
    rows("werkzeug_cookie", section)
}

/// Whether an argument of `dump_cookie` or `delete_cookie` is given, and is such.
fn given(row: &Value, argument: &str, is_such: fn(&Value) -> bool) -> bool {
    let is_written = row["header"].is_string();
    is_written && row["args"].get(argument).is_some_and(is_such)
}

fn has(value: &Value, is_such: fn(char) -> bool) -> bool {
    value.as_str().unwrap_or_default().contains(is_such)
}

/// Cookies that are written differently on purpose, and why.
const WRITTEN_DIFFERENTLY: &[Rule] = &[
    Rule::always(
        "no HTTP stack carries these bytes, so they are escaped; Werkzeug sends them raw",
        |row| {
            given(row, "value", |value| {
                has(value, |letter| ('\u{1a}'..='\u{1f}').contains(&letter))
            })
        },
        &["\u{1a}\u{1b}\u{1c}\u{1d}\u{1e}\u{1f}"],
    ),
    Rule::always(
        "a Duration cannot be negative; Cookie::delete is the way to say it",
        |row| {
            given(row, "max_age", |age| {
                let age = age.get("$timedelta_us").unwrap_or(age);
                age.as_f64().is_some_and(|age| age < 0.0)
            })
        },
        &["max_age -5"],
    ),
    Rule::always(
        "Max-Age is whole seconds, to browsers too",
        |row| {
            given(row, "max_age", |age| {
                age.as_f64().is_some_and(|age| age.fract() != 0.0)
            })
        },
        &["max_age 1.5"],
    ),
    Rule::always(
        "Max-Age always brings Expires, as in every response method of Werkzeug",
        |row| {
            given(row, "sync_expires", |sync| sync == false)
                && given(row, "max_age", |age| !age.is_null())
                && !given(row, "expires", |expires| !expires.is_null())
        },
        &["max_age 360"],
    ),
    Rule::always(
        "an expiry is a time here, so that what is sent is always a date",
        |row| given(row, "expires", Value::is_string),
        &["expires as given"],
    ),
    Rule::always(
        "no header carries a control character in a name, and none is cut into two",
        |row| {
            given(row, "key", |key| {
                has(key, |letter| letter.is_ascii_control() || letter == ';')
            })
        },
        &["key a;b"],
    ),
    Rule::always(
        "a domain is not cut into two, and has no spaces",
        |row| {
            given(row, "domain", |domain| {
                let domain = domain.as_str().unwrap_or_default();
                let before_port = Value::from(domain.split(':').next().unwrap_or_default());
                has(&before_port, |letter| {
                    letter.is_ascii_control() || letter == ';' || letter == ' '
                })
            })
        },
        &["domain a;b.com"],
    ),
    #[cfg(not(feature = "idna"))]
    Rule::always(
        "a domain outside ASCII needs the feature idna",
        |row| {
            given(row, "domain", |domain| {
                !domain.as_str().unwrap_or_default().is_ascii()
            })
        },
        &["domain B\u{dc}CHER.example", "domain fa\u{df}.de"],
    ),
];

/// What tells a row of `dump_cookie` apart.
fn label(row: &Value) -> String {
    let args = &row["args"];
    let note = row["note"].as_str().map(str::to_owned);
    let of = |name: &str| {
        Some(format!(
            "{name} {}",
            args.get(name)?.to_string().replace('"', "")
        ))
    };
    note.or_else(|| of("max_age"))
        .or_else(|| of("expires"))
        .or_else(|| of("domain"))
        .or_else(|| of("key").filter(|key| key != "key k"))
        .unwrap_or_else(|| args["value"].as_str().unwrap_or_default().to_owned())
}

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
    let distance = Duration::from_secs(seconds.unsigned_abs());
    match seconds < 0 {
        true => SystemTime::UNIX_EPOCH - distance,
        false => SystemTime::UNIX_EPOCH + distance,
    }
}

/// The cookie that the arguments of `dump_cookie` or `delete_cookie` describe.
fn cookie(name: &str, args: &Value) -> Result<Cookie, Unanswered> {
    let mut cookie = Cookie::new(name.to_owned()).rules(Rules::Werkzeug);
    for (argument, given) in args.as_object().unwrap() {
        cookie = match (argument.as_str(), given) {
            ("key" | "value" | "max_size", _)
            | ("domain" | "samesite" | "max_age" | "expires", Value::Null)
            | ("sync_expires", Value::Bool(true)) => cookie,
            ("path", Value::Null) => cookie.no_path(),
            ("path", Value::String(path)) => cookie.path(path.clone()),
            ("domain", Value::String(domain)) => cookie.domain(domain.clone()),
            ("secure", Value::Bool(secure)) => cookie.secure(*secure),
            ("httponly", Value::Bool(http_only)) => cookie.http_only(*http_only),
            ("partitioned", Value::Bool(partitioned)) => cookie.partitioned(*partitioned),
            ("samesite", Value::String(text)) => cookie.same_site(text.parse::<SameSite>()?),
            ("max_age", Value::Number(_) | Value::Object(_)) => {
                let age = match given["$timedelta_us"].as_f64() {
                    Some(microseconds) => microseconds / 1e6,
                    None => given.as_f64().unwrap(),
                };
                match Duration::try_from_secs_f64(age) {
                    Ok(age) => cookie.max_age(age),
                    Err(_) => return Err(Unanswered::NotOffered),
                }
            }
            ("expires", Value::Number(seconds)) => {
                #[allow(clippy::cast_possible_truncation)]
                let whole = seconds.as_f64().unwrap().floor() as i64;
                cookie.expires(unix(whole))
            }
            ("expires", Value::Object(time)) => {
                let (kind, text) = time.iter().next().unwrap();
                let text = text.as_str().unwrap();
                let iso = match kind.as_str() {
                    "date" => format!("{text}T00:00:00"),
                    _ => text.to_owned(),
                };
                let time: DateTime = iso.parse().unwrap();
                cookie.expires(unix(time.unix_seconds()))
            }
            ("sync_expires", Value::Bool(false))
                if args["max_age"].is_null() || !args["expires"].is_null() =>
            {
                cookie
            }
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
    let mut differences = Differences::new(WRITTEN_DIFFERENTLY);
    for row in vectors("dump_cookie") {
        let args = &row["args"];
        let answer = dump(args, row["now"].as_i64().unwrap());
        let same = match (&answer, row["header_latin1_hex"].as_str()) {
            (Ok(set), Some(expected)) => hex(set.header_value().as_bytes()) == expected,
            (Err(_), None) => true,
            _ => false,
        };
        let sizes_differ = answer.as_ref().ok().filter(|_| same).and_then(|set| {
            let max_size = args
                .get("max_size")
                .map_or(4093, |size| size.as_u64().unwrap());
            let exceeds = set.exceeds(max_size.try_into().unwrap());
            unless(row["too_large_warning"] == exceeds, exceeds)
        });
        differences.check(&label(&row), &row, unless(same, answer).or(sizes_differ));
    }
    differences.finish();
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
    let mut differences = Differences::new([Rule::always(
        "a domain is not cut into two, and has no spaces",
        |row| {
            given(row, "domain", |domain| {
                has(domain, |letter| {
                    letter == ';' || letter == ' ' || letter.is_ascii_control()
                })
            })
        },
        &["domain a;b.com"],
    )]);
    for row in vectors("delete_cookie") {
        let difference = match cookie("foo", &row["args"]) {
            Ok(cookie) => {
                let expected = row["header"].as_str().map(str::as_bytes);
                let delete = |rules| {
                    let deleted = cookie.clone().rules(rules).delete();
                    deleted.map(|deleted| deleted.header_value().as_bytes().to_owned())
                };
                let deleted = delete(Rules::Werkzeug);
                let mut same = deleted.as_deref().ok() == expected;
                // The strict rules refuse what browsers drop, and change nothing.
                if let Ok(strict) = delete(Rules::Strict) {
                    same &= Some(&*strict) == expected;
                }
                unless(same, deleted)
            }
            Err(refused) => unless(row["header"].is_null(), refused),
        };
        differences.check(&label(&row), &row, difference);
    }
    differences.finish();
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

#[test]
fn p1_cookies_are_read_as_werkzeug_reads_them() {
    let mut differences = Differences::new([]);
    let mut as_sent = Differences::new([Rule::sometimes(
        "bytes that are UTF-8 are read as UTF-8, as parse_cookie does when it is given text; a request of Werkzeug \
         reads them as Latin-1",
        |row| !row["header"].as_str().unwrap().is_ascii(),
        &["a=\u{e9}", "\u{e9}=1", "a=\u{2603}; b=\u{1f600}"],
    )]);
    for row in vectors("parse_cookie") {
        let header = row["header"].as_str().unwrap();
        let cookies = RequestCookies::parse_header(header);
        let read = grouped(&cookies);
        differences.check(header, &row, unless(read == pairs(&row["pairs"]), &read));
        let same = read == pairs(&row["request_cookies"]);
        as_sent.check(header, &row, unless(same, read));

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
    differences.finish();
    as_sent.finish();
}

#[test]
fn p1_several_cookie_headers_are_read_as_one() {
    let mut differences = Differences::new([]);
    for row in vectors("several_cookie_headers") {
        let mut headers = HeaderMap::new();
        for header in row["headers"].as_array().unwrap() {
            // What no header can carry never arrives.
            if let Ok(header) = HeaderValue::from_bytes(header.as_str().unwrap().as_bytes()) {
                headers.append(header::COOKIE, header);
            }
        }
        if headers.len() < row["headers"].as_array().unwrap().len() {
            continue;
        }
        let cookies = RequestCookies::parse(&headers);
        let read = grouped(&cookies);
        let same = read == pairs(&row["pairs"]);
        differences.check(row["joined"].as_str().unwrap(), &row, unless(same, read));
    }
    differences.finish();
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
