//! The conformance vectors, and their notation for Python values.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod app;
pub(crate) mod differences;
pub(crate) mod now;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub(crate) mod sql;

use cloakroom::{
    token::{Leniency, base64},
    value::{DateTime, Dict, Extension, Int, Markup, Text, TimeDelta, Value},
};
use serde_json::Value as Json;

/// One section of a vector file, with the further rows that there are for it: those of `further_FILE.json`, and those of
/// the file of the same name in the directory that `CLOAKROOM_VECTORS` names, for trying rows that are not kept here.
pub(crate) fn rows(file: &str, section: &str) -> Vec<Json> {
    let kept = format!("{}/tests/vectors", env!("CARGO_MANIFEST_DIR"));
    let path = format!("{kept}/{file}.json");
    let mut rows =
        section_of(&path, section).unwrap_or_else(|| panic!("{path} has no section {section}"));
    assert!(!rows.is_empty(), "{path}: {section} is empty");
    let elsewhere = std::env::var("CLOAKROOM_VECTORS").ok();
    let further = std::iter::once(format!("{kept}/further_{file}.json"))
        .chain(elsewhere.map(|directory| format!("{directory}/{file}.json")));
    for path in further.filter(|path| std::path::Path::new(path).exists()) {
        rows.extend(section_of(&path, section).unwrap_or_default());
    }
    rows
}

fn section_of(path: &str, section: &str) -> Option<Vec<Json>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut document: Json = serde_json::from_str(&text).unwrap();
    match document.get_mut(section)?.take() {
        Json::Array(rows) => Some(rows),
        other => panic!("{path}: {section} is {other}"),
    }
}

pub(crate) fn text<'a>(row: &'a Json, field: &str) -> &'a str {
    row[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is no text in {row}"))
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len())
        .step_by(2)
        .map(|place| u8::from_str_radix(&text[place..place + 2], 16).unwrap())
        .collect()
}

/// The value that the notation means; a dataclass becomes what Flask's JSON makes of it.
pub(crate) fn python_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Int(Int::from_decimal(&number.to_string()).unwrap()),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::List(items.iter().map(python_value).collect()),
        Json::Object(object) => {
            let (kind, content) = object.iter().next().unwrap();
            let text = || content.as_str().unwrap();
            match kind.as_str() {
                "$int" => Value::Int(Int::from_decimal(text()).unwrap()),
                "$float" => Value::Float(text().parse().unwrap()),
                "$dict" => Value::Dict(pairs(content).collect::<Dict>()),
                "$tuple" => Value::Tuple(
                    content
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(python_value)
                        .collect(),
                ),
                "$bytes" => Value::Bytes(unhex(text())),
                "$markup" | "$html_object" => Value::Markup(Markup::new(text())),
                "$uuid" => Value::Uuid(text().parse().unwrap()),
                "$datetime" => Value::DateTime(text().parse().unwrap()),
                "$str_codepoints" => {
                    let points = content.as_array().unwrap().iter();
                    Value::Text(Text::from_code_points(
                        points.map(|point| u32::try_from(point.as_u64().unwrap()).unwrap()),
                    ))
                }
                "$set" => Value::Set(
                    content
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(python_value)
                        .collect(),
                ),
                "$date" => Value::Date(text().parse().unwrap()),
                "$time" => Value::Time(text().parse().unwrap()),
                "$timedelta_us" => {
                    let microseconds = content.as_i64().unwrap();
                    Value::TimeDelta(TimeDelta::from_microseconds(microseconds.into()).unwrap())
                }
                "$decimal" => Value::Decimal(text().parse().unwrap()),
                "$ext" => {
                    let code = i8::try_from(content["code"].as_i64().unwrap()).unwrap();
                    Extension::new(code, unhex(content["data"].as_str().unwrap())).into()
                }
                "$dataclass" => Value::Dict(
                    content
                        .as_object()
                        .unwrap()
                        .iter()
                        .map(|(key, value)| (key.as_str(), without_tags(python_value(value))))
                        .collect(),
                ),
                other => panic!("{other} is not in the notation"),
            }
        }
    }
}

/// What Flask's JSON provider makes of what is in a dataclass, which the tags do not see.
fn without_tags(value: Value) -> Value {
    match value {
        Value::Markup(markup) => Value::Text(markup.0),
        Value::Uuid(uuid) => Value::from(uuid.to_string()),
        Value::DateTime(date) => Value::from(date.to_http_date().unwrap()),
        Value::Date(date) => {
            let midnight: DateTime = format!("{date}T00:00:00").parse().unwrap();
            Value::from(midnight.to_http_date().unwrap())
        }
        Value::Decimal(number) => Value::from(number.as_str()),
        Value::List(items) | Value::Tuple(items) => {
            Value::List(items.into_iter().map(without_tags).collect())
        }
        Value::Dict(dict) => Value::Dict(
            dict.into_iter()
                .map(|(key, value)| (key, without_tags(value)))
                .collect(),
        ),
        other => other,
    }
}

fn pairs(content: &Json) -> impl Iterator<Item = (Value, Value)> + '_ {
    content
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (python_value(&pair[0]), python_value(&pair[1])))
}

/// Whether the notation holds something that no cookie session can keep.
pub(crate) fn only_in_python(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.iter().any(only_in_python),
        Json::Object(object) => object.iter().any(|(kind, content)| {
            matches!(kind.as_str(), "$set" | "$timedelta_us" | "$time" | "$ext")
                || only_in_python(content)
                // Bytes that no tag sees, which Flask refuses.
                || (kind == "$dataclass" && content.to_string().contains("{\"$bytes\":"))
        }),
        _ => false,
    }
}

/// Equal as Python sees it, but for NaN, which here equals itself, and the order of keys, which
/// sessions sort.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Float(left), Value::Float(right)) => {
            left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan())
        }
        (Value::List(left), Value::List(right)) | (Value::Tuple(left), Value::Tuple(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Dict(left), Value::Dict(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| {
                    right
                        .iter()
                        .any(|(other, other_value)| key == other && same(value, other_value))
                })
        }
        (Value::Set(left), Value::Set(right))
        | (Value::FrozenSet(left), Value::FrozenSet(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|item| right.iter().any(|other| same(item, other)))
        }
        (left, right) => left == right,
    }
}

/// Whether base64 is spelt in another way than it is ever written, and read by Python all the same.
pub(crate) fn is_oddly_spelt(base64: &[u8]) -> bool {
    let read = base64::decode(base64, Leniency::Lenient);
    read.is_ok_and(|bytes| base64::encode(bytes).as_bytes() != base64)
}
