//! The conformance vectors, and their notation for Python values.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod app;

use cloakroom::value::{DateTime, Dict, Int, Markup, Text, Value};
use serde_json::Value as Json;

/// One section of a vector file.
pub(crate) fn rows(file: &str, section: &str) -> Vec<Json> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let document: Json = serde_json::from_str(&text).unwrap();
    let rows = document[section]
        .as_array()
        .unwrap_or_else(|| panic!("{path} has no section {section}"));
    assert!(!rows.is_empty(), "{path}: {section} is empty");
    rows.clone()
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

/// The value that the notation means; what only Python can hold and a session turns into something
/// else (a date, a Decimal, a dataclass) becomes that.
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
                // What Flask's JSON provider makes of these on the way out.
                "$date" => {
                    let midnight: DateTime = format!("{}T00:00:00", text()).parse().unwrap();
                    Value::from(midnight.to_http_date().unwrap())
                }
                "$decimal" => Value::from(text()),
                "$dataclass" => Value::Dict(
                    content
                        .as_object()
                        .unwrap()
                        .iter()
                        .map(|(key, value)| (key.as_str(), python_value(value)))
                        .collect(),
                ),
                other => panic!("{other} is not in the notation"),
            }
        }
    }
}

fn pairs(content: &Json) -> impl Iterator<Item = (Value, Value)> + '_ {
    content
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (python_value(&pair[0]), python_value(&pair[1])))
}

/// Whether the notation holds something that no [`Value`] can be.
pub(crate) fn only_in_python(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.iter().any(only_in_python),
        Json::Object(object) => object.iter().any(|(kind, content)| {
            matches!(kind.as_str(), "$set" | "$timedelta_us" | "$time" | "$ext")
                || only_in_python(content)
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
        (left, right) => left == right,
    }
}
