//! P2: sessions in a store are the bytes that Flask-Session writes, and what it reads is read.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;
#[path = "support/values.rs"]
mod values;

use cloakroom::{
    format::{FormatError, Serialization},
    value::{Dict, Extension, Value},
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use support::{
    differences::{Differences, unless},
    python_value, rows, same, text, unhex,
};
use values::plain_value;

/// A dataclass is to msgspec what a dictionary of its fields is.
fn without_dataclasses(json: &Json) -> Json {
    match json {
        Json::Array(items) => items.iter().map(without_dataclasses).collect(),
        Json::Object(object) => match object.get("$dataclass") {
            Some(Json::Object(fields)) => {
                let pairs = fields
                    .iter()
                    .map(|(name, value)| json!([name, without_dataclasses(value)]));
                json!({ "$dict": pairs.collect::<Vec<_>>() })
            }
            _ => object
                .iter()
                .map(|(kind, content)| (kind.clone(), without_dataclasses(content)))
                .collect(),
        },
        other => other.clone(),
    }
}

#[test]
fn p2_sessions_are_written_as_msgspec_writes_them() {
    let mut differences = Differences::new([]);
    for row in rows("flask_session_serialization", "encode") {
        let format: Serialization = text(&row, "format").parse().unwrap();
        let session = python_value(&without_dataclasses(&row["session"]));
        let written = format.to_bytes(&session);
        let expected = row["hex"].as_str().map(unhex);
        let mut difference = unless(written.as_ref().ok() == expected.as_ref(), &written);
        if let Some(bytes) = &expected {
            let back = format.from_slice(bytes);
            let comes_back = back
                .as_ref()
                .is_ok_and(|back| same(back, &python_value(&row["decoded"])));
            difference = difference.or_else(|| unless(comes_back, back));
        }
        differences.check(text(&row, "note"), &row, difference);
    }
    differences.finish();
}

#[test]
fn p2_sessions_are_read_in_whatever_format_they_are_in() {
    let mut differences = Differences::new([]);
    for row in rows("flask_session_serialization", "decode") {
        let format: Serialization = text(&row, "configured_format").parse().unwrap();
        let read = format.from_slice(&unhex(text(&row, "hex")));
        let right = match (&read, row.get("error")) {
            (Ok(read), None) => same(read, &python_value(&row["value"])),
            (Err(_), Some(_)) => true,
            _ => false,
        };
        differences.check(text(&row, "hex"), &row, unless(right, &read));
    }
    differences.finish();
}

/// Answers of msgspec 0.22 about the ends of its ranges.
#[test]
fn p2_the_ends_of_message_pack_are_msgspecs() {
    let read = |hex: &str| Serialization::MessagePack.from_slice(&unhex(hex));
    let moment = |text: &str| Value::DateTime(text.parse().unwrap());
    let read_as = [
        ("d7ffee6b27fc00000000", moment("1970-01-01T00:00:01Z")),
        (
            "d7ff000007d000000000",
            moment("1970-01-01T00:00:00.000001Z"),
        ),
        ("d7ff000007cc00000000", moment("1970-01-01T00:00:00Z")),
        (
            "c70cff000003e7ffffffffffffffff",
            moment("1969-12-31T23:59:59.000001Z"),
        ),
        ("c704ff00000000", moment("1970-01-01T00:00:00Z")),
        ("c70005", Extension::new(5, []).into()),
        ("ca7f800000", Value::Float(f64::INFINITY)),
    ];
    for (hex, value) in read_as {
        assert_eq!(read(hex).unwrap(), value, "{hex}");
    }
    let tuple = Value::Tuple(vec![Value::from(1)]);
    let by_tuple: Dict = [(tuple, Value::from(1))].into_iter().collect();
    assert_eq!(read("81910101").unwrap(), Value::Dict(by_tuple));
    let refused = [
        "818001",
        "8181010101",
        "d7fffffffffc00000000",
        "d5ff0000",
        "c70cff0000000000000fffffffffffff",
        "81c7000501",
        "d8000000",
        "c1",
        "dd00000001",
        "ddffffffff",
        "dfffffffff",
        "dbffffffff",
        "c6ffffffff",
        "a1",
        "c7",
    ];
    for hex in refused {
        assert!(read(hex).is_err(), "{hex}");
    }
    for (code, data, hex) in [
        (5, &b"ab"[..], "d5056162"),
        (5, b"abcd", "d60561626364"),
        (5, b"", "c70005"),
        (-9, b"abc", "c703f7616263"),
    ] {
        let value = Value::Extension(Extension::new(code, data));
        let bytes = Serialization::MessagePack.to_bytes(&value).unwrap();
        assert_eq!(bytes, unhex(hex));
        assert_eq!(read(hex).unwrap(), value);
    }
}

#[test]
fn p2_the_ends_of_json_are_msgspecs() {
    let read = |text: &str| Serialization::Json.from_slice(text.as_bytes());
    for (text, value) in [
        ("-0", Value::from(0)),
        ("1E5", Value::from(100_000.0)),
        ("1e-400", Value::from(0.0)),
        ("\"\u{7f}\\/\\u00e9\"", Value::from("\u{7f}/é")),
        (
            "{\"a\":1,\"\\u0061\":2}",
            Value::Dict(Dict::from_iter([("a", 2)])),
        ),
    ] {
        assert_eq!(read(text).unwrap(), value, "{text}");
    }
    let refused = [
        "01",
        "1.",
        ".5",
        "+1",
        "\u{feff}1",
        "\"\\ud83d\"",
        "\"\\ude00\\ud83d\"",
        "nul",
        "{\"a\":1,}",
        "[1,]",
        "\"a\nb\"",
        "1e309",
        "[-]",
        "NaN",
        "[Infinity]",
        "{\"a\":-Infinity}",
        "{\"\\ud800\":1}",
        "",
    ];
    for text in refused {
        assert!(read(text).is_err(), "{text}");
    }
    let write =
        |value: Value| String::from_utf8(Serialization::Json.to_bytes(&value).unwrap()).unwrap();
    for (moment, text) in [
        ("2024-01-02T03:04:05+00:00:30", "\"2024-01-02T03:04:05Z\""),
        (
            "2024-01-02T03:04:05+00:00:31",
            "\"2024-01-02T03:04:05+00:01\"",
        ),
        (
            "2024-01-02T03:04:05.600000-00:59:59",
            "\"2024-01-02T03:04:05.600000-01:00\"",
        ),
        ("2024-01-02T03:04:05-23:59:59", "\"2024-01-02T03:04:05Z\""),
    ] {
        assert_eq!(write(Value::DateTime(moment.parse().unwrap())), text);
    }
}

#[test]
fn p2_no_other_names_than_flask_sessions() {
    for (name, format) in [
        ("msgpack", Serialization::MessagePack),
        ("JSON", Serialization::Json),
        ("pickle", Serialization::Pickle),
    ] {
        assert_eq!(name.parse(), Ok(format));
        assert_eq!(format.to_string(), name.to_lowercase());
    }
    assert!("yaml".parse::<Serialization>().is_err());
}

#[test]
fn s59_deep_documents_are_refused_without_a_stack_overflow() {
    let formats = [
        Serialization::MessagePack,
        Serialization::Json,
        Serialization::Pickle,
    ];
    let documents = [
        [0x91].repeat(100_000),
        [0x81, 0xa1, b'a'].repeat(100_000),
        b"[".repeat(100_000),
        b"{\"a\":".repeat(100_000),
        b"]".repeat(100_000),
        b"(".repeat(100_000),
    ];
    let mut deep = Value::None;
    for _ in 0..1000 {
        deep = Value::List(vec![deep]);
    }
    for format in formats {
        for document in &documents {
            assert!(format.from_slice(document).is_err());
        }
        assert_eq!(
            format.to_bytes(&deep),
            Err(FormatError::TooDeep { limit: 128 })
        );
    }
}

#[test]
fn s59_errors_do_not_quote_the_session() {
    for document in [
        &b"{\"secret\":\"hunter2\",}"[..],
        b"\x81\xa6secret\xa7hunter",
        b"csecret\nhunter2\n.",
    ] {
        let error = Serialization::Json.from_slice(document).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("hunter"),
            "{shown}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn p2_what_was_written_is_written_again_the_same(value in plain_value()) {
        for format in [Serialization::MessagePack, Serialization::Json] {
            let written = format.to_bytes(&value).unwrap();
            let back = format.from_slice(&written).unwrap();
            prop_assert_eq!(format.to_bytes(&back).unwrap(), written);
        }
    }

    #[test]
    fn s59_arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Serialization::MessagePack.from_slice(&bytes);
        let _ = Serialization::Json.from_slice(&bytes);
    }

    #[test]
    fn s59_damaged_documents_never_panic(value in plain_value(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for format in [Serialization::MessagePack, Serialization::Json, Serialization::Pickle] {
            let mut written = format.to_bytes(&value).unwrap();
            let place = place.index(written.len());
            let _ = format.from_slice(&written[..place]);
            written[place] = byte;
            let _ = format.from_slice(&written);
        }
    }
}
