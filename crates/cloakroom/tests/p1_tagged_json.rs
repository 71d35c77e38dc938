//! P1: tagged JSON is the same text that Flask writes, and reads what Flask reads.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use cloakroom::{
    format::{Tag, TagError, TaggedJson},
    value::{DateTime, Dict, Value},
};
use proptest::prelude::*;
use support::{
    differences::{
        Differences, HALVES_OF_A_CHARACTER, MARKUP_OF_NO_TEXT, ODD_UUID, Rule,
        has_markup_of_no_text, has_odd_uuid, unless,
    },
    only_in_python, python_value, rows, same, text,
};

const ODD_DIGITS: &str =
    "the digits of a date are ASCII; Python's int() reads those of other scripts";

#[test]
fn p1_tagged_json_writes_flasks_bytes() {
    let format = TaggedJson::new();
    let mut differences = Differences::new([HALVES_OF_A_CHARACTER]);
    for row in rows("tagged_json", "dumps") {
        if only_in_python(&row["value"]) {
            // A set or a timedelta, which Flask refuses as well.
            assert!(row.get("error").is_some(), "{row}");
            if row["value"].to_string().contains("$dataclass") {
                continue;
            }
        }
        let written = format
            .to_bytes(&python_value(&row["value"]))
            .map(|written| String::from_utf8(written).unwrap());
        let mut difference = unless(written.as_deref().ok() == row["json"].as_str(), &written);
        if let Some(json) = row["json"].as_str() {
            let back = format.from_slice(json.as_bytes());
            let expected = python_value(&row["loads"]);
            let comes_back = back.as_ref().is_ok_and(|back| same(back, &expected));
            difference = difference.or_else(|| unless(comes_back, back));
        }
        differences.check(text(&row, "note"), &row, difference);
    }
    differences.finish();
}

#[test]
fn p1_tagged_json_without_app_context_keeps_order_and_sorts_when_asked() {
    let mut differences = Differences::new([]);
    for row in rows("tagged_json", "dumps_without_app_context") {
        let format = TaggedJson::new().sort_keys(false);
        let written = format
            .to_bytes(&python_value(&row["value"]))
            .map(|written| String::from_utf8(written).unwrap());
        let same = written.as_deref().ok() == row["json"].as_str();
        differences.check(text(&row, "note"), &row, unless(same, written));
    }
    differences.finish();
}

#[test]
fn p1_tagged_json_reads_what_flask_reads() {
    let format = TaggedJson::new();
    let mut differences = Differences::new([
        Rule::sometimes(
            MARKUP_OF_NO_TEXT,
            |row| has_markup_of_no_text(text(row, "json")),
            &["{\" m\":{\"a\":[true,null]}}"],
        ),
        Rule::sometimes(
            ODD_UUID,
            |row| has_odd_uuid(text(row, "json")),
            &["{\" u\":\"+0x00000000000000000000000000000\"}"],
        ),
        Rule::sometimes(
            ODD_DIGITS,
            |row| {
                let mut dates = text(row, "json").split("\" d\":\"").skip(1);
                dates.any(|date| date.split('"').next().unwrap_or_default().contains("\\u"))
            },
            &["{\" d\":\"Wed, 21 Oct 2015 07:28:0\\u0663 GMT\"}"],
        ),
    ]);
    for row in rows("tagged_json", "loads") {
        let read = format.from_slice(text(&row, "json").as_bytes());
        let same = match &read {
            Ok(read) => row.get("error").is_none() && same(read, &python_value(&row["value"])),
            Err(_) => row.get("error").is_some(),
        };
        differences.check(text(&row, "json"), &row, unless(same, read));
    }
    differences.finish();
}

#[test]
fn p1_http_dates_are_werkzeugs() {
    for row in rows("tagged_json", "http_date") {
        let date = DateTime::from_unix(row["unix"].as_i64().unwrap()).unwrap();
        assert_eq!(date.to_http_date().unwrap(), text(&row, "http_date"));
    }
    let mut differences = Differences::new([Rule::sometimes(
        ODD_DIGITS,
        |row| !text(row, "text").is_ascii(),
        &["Wed, 21 Oct 2015 07:28:0\u{663} GMT"],
    )]);
    for row in rows("tagged_json", "parse_date") {
        let expected = match python_value(&row["value"]) {
            Value::DateTime(date) => Some(date),
            _ => None,
        };
        let read = DateTime::from_http_date(text(&row, "text"));
        differences.check(text(&row, "text"), &row, unless(read == expected, read));
    }
    differences.finish();
    // Two-digit years, and four-digit ones below 100, which Python maps as well.
    for (year, read) in [
        ("68", "2068"),
        ("69", "1969"),
        ("99", "1999"),
        ("0099", "1999"),
        ("100", "0100"),
    ] {
        let date = DateTime::from_http_date(&format!("Tue, 01 Jan {year} 00:00:00 GMT")).unwrap();
        assert!(date.to_string().starts_with(read), "{date}");
    }
}

/// A point is a tuple of two floats to Flask's tags, so its tag has to come before them.
struct Point;

impl Tag for Point {
    fn key(&self) -> &'static str {
        " p"
    }

    fn matches(&self, value: &Value) -> bool {
        matches!(value, Value::Tuple(items) if matches!(items[..], [Value::Float(_), Value::Float(_)]))
    }

    fn encode(&self, value: &Value) -> Result<Value, TagError> {
        value
            .as_items()
            .map(|items| Value::List(items.to_vec()))
            .ok_or(TagError::Unfit)
    }

    fn decode(&self, content: Value) -> Result<Value, TagError> {
        match content {
            Value::List(items) if items.len() == 2 => Ok(Value::Tuple(items)),
            _ => Err(TagError::Unfit),
        }
    }
}

#[test]
fn p1_custom_tags_go_there_and_back_in_their_order() {
    let value = Value::Dict(Dict::from_iter([(
        "at",
        Value::Tuple(vec![1.5.into(), 2.0.into()]),
    )]));
    let first = TaggedJson::new().register_at(0, Point).unwrap();
    let written = first.to_bytes(&value).unwrap();
    assert_eq!(written, br#"{"at":{" p":[1.5,2.0]}}"#);
    assert_eq!(first.from_slice(&written).unwrap(), value);
    // After Flask's own tags, the tuple's comes first.
    let last = TaggedJson::new().register(Point).unwrap();
    assert_eq!(
        last.to_bytes(&value).unwrap(),
        br#"{"at":{" t":[1.5,2.0]}}"#
    );
    // A dictionary that looks like the new tag is escaped, as for Flask's own.
    let lookalike = Value::Dict(Dict::from_iter([(" p", 1)]));
    assert_eq!(last.to_bytes(&lookalike).unwrap(), br#"{" di":{" p__":1}}"#);
    assert_eq!(
        last.from_slice(br#"{" di":{" p__":1}}"#).unwrap(),
        lookalike
    );
    assert!(last.from_slice(br#"{"at":{" p":[1.5]}}"#).is_err());
    assert_eq!(
        last.clone().register(Point).unwrap_err(),
        TagError::Taken(" p".to_owned())
    );
    assert_eq!(
        last.replace(Point).to_bytes(&lookalike).unwrap(),
        br#"{" di":{" p__":1}}"#
    );
}

#[test]
fn s59_deep_nesting_is_refused_without_a_stack_overflow() {
    let format = TaggedJson::new();
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\" t\":[", "]}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        assert!(format.from_slice(deep.as_bytes()).is_err());
        assert!(format.from_slice(open.repeat(100_000).as_bytes()).is_err());
    }
    let mut value = Value::None;
    for _ in 0..1000 {
        value = Value::List(vec![value]);
    }
    assert!(format.to_bytes(&value).is_err());
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::from),
        any::<i128>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~é☃😀\u{0}-\u{1f}]{0,12}".prop_map(Value::from),
        proptest::collection::vec(any::<u32>().prop_map(|point| point % 0x11_0000), 0..6)
            .prop_map(|points| Value::Text(cloakroom::value::Text::from_code_points(points))),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(Value::Bytes),
        "[a-z<>&]{0,8}".prop_map(|text| Value::Markup(cloakroom::value::Markup::new(text))),
        any::<[u8; 16]>().prop_map(|bytes| Value::Uuid(cloakroom::value::Uuid::from_bytes(bytes))),
        (-62_135_596_800i64..253_402_300_800)
            .prop_map(|seconds| Value::DateTime(DateTime::from_unix(seconds).unwrap())),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let key = prop_oneof![4 => "[a-z]{0,3}", 1 => "( (t|b|m|u|d|di|x)(__)?)"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Tuple),
            proptest::collection::vec((key, inner), 0..5)
                .prop_map(|pairs| Value::Dict(pairs.into_iter().collect())),
        ]
    })
}

/// Years below 100 come back in another century: that is Python's date parser.
fn survives(value: &Value) -> bool {
    match value {
        Value::DateTime(date) => date.unix_seconds() >= -59_011_459_200,
        Value::List(items) | Value::Tuple(items) => items.iter().all(survives),
        Value::Dict(dict) => dict.iter().all(|(_, value)| survives(value)),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn p1_every_value_survives_tagged_json(value in any_value().prop_filter("old dates", survives)) {
        let format = TaggedJson::new();
        let written = format.to_bytes(&value).unwrap();
        let back = format.from_slice(&written).unwrap();
        prop_assert!(same(&back, &value), "{:?} became {:?}", value, back);
        prop_assert_eq!(format.to_bytes(&back).unwrap(), written);
    }

    #[test]
    fn p1_every_value_survives_serde(value in any_value()) {
        let through = cloakroom::value::to_value(&value).unwrap();
        prop_assert!(same(&through, &value));
        let back: Value = cloakroom::value::from_value(through).unwrap();
        prop_assert!(same(&back, &value), "{:?} became {:?}", value, back);
    }

    #[test]
    fn s59_arbitrary_text_never_panics(text in "[\\[\\]{}\",:0-9eE.+\\- a-z\\\\]{0,60}", bytes in any::<Vec<u8>>()) {
        let _ = TaggedJson::new().from_slice(text.as_bytes());
        let _ = TaggedJson::new().from_slice(&bytes);
    }
}
