//! Promise P1 for serializers: tokens of JSON values are itsdangerous 2.2.0's, byte for byte, compressed ones too.

#![allow(
    clippy::unwrap_used,
    reason = "a vector that cannot be read fails the test"
)]

mod itsdangerous_support;

use std::time::Duration;

use cloakroom::{
    SecretKey,
    json::{self, JsonError, Style},
    token::{
        Leniency,
        payload::{self, Compression, PayloadError},
        signed::{
            Digest, PayloadStyle, PlainJson, SerializeError, Serializer, SignerOptions,
            TimedSerializer, TokenError, TokenErrorKind, TokenErrorReason, UrlSafe,
            UrlSafeSerializer, UrlSafeTimedSerializer,
        },
    },
    value::{Dict, Int, Text, Value},
};
use itsdangerous_support::{
    BOTH, derivation, digest, hex, keys, needs_leniency, same_error, text, token, vectors,
};
use serde_json::Value as Json;

fn serializer<P: PayloadStyle>(row: &Json, leniency: Leniency) -> Serializer<P> {
    let options = SignerOptions::default().leniency(leniency);
    let main = options
        .clone()
        .digest(digest(row).unwrap())
        .key_derivation(derivation(row));
    let serializer = Serializer::with_options(
        keys(&row["secrets_hex"]).unwrap(),
        hex(&row["salt_hex"]),
        main,
    );
    let fallbacks = row["fallback_signers"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    fallbacks.iter().fold(serializer, |serializer, fallback| {
        serializer.fallback_signer(options.clone().digest(digest(fallback).unwrap()))
    })
}

fn dumps(row: &Json) -> String {
    fn plain<P: PayloadStyle>(row: &Json) -> Result<String, SerializeError> {
        serializer::<P>(row, Leniency::Strict).dumps(&python(&row["value"]))
    }
    fn timed<P: PayloadStyle>(row: &Json) -> Result<String, SerializeError> {
        TimedSerializer::from(serializer::<P>(row, Leniency::Strict))
            .dumps_at(&python(&row["value"]), row["timestamp"].as_u64().unwrap())
    }
    match text(&row["class"]) {
        "Serializer" => plain::<PlainJson>(row),
        "URLSafeSerializer" => plain::<UrlSafe>(row),
        "TimedSerializer" => timed::<PlainJson>(row),
        "URLSafeTimedSerializer" => timed::<UrlSafe>(row),
        other => panic!("{other}"),
    }
    .unwrap()
}

fn loads(row: &Json, leniency: Leniency) -> Result<Value, TokenError> {
    let token = token(&row["token"]);
    match text(&row["class"]) {
        "URLSafeSerializer" => serializer::<UrlSafe>(row, leniency).loads(token),
        "URLSafeTimedSerializer" => TimedSerializer::from(serializer::<UrlSafe>(row, leniency))
            .loads_at(
                token,
                row["now"].as_u64().unwrap(),
                row["max_age"].as_u64().map(Duration::from_secs),
            )
            .map(|timestamped| timestamped.value),
        other => panic!("{other}"),
    }
}

/// The Python value of a row.
fn python(row: &Json) -> Value {
    match row {
        Json::Null => Value::None,
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => number.as_i64().unwrap().into(),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::List(items.iter().map(python).collect()),
        Json::Object(object) => {
            let (kind, content) = object.iter().next().unwrap();
            match kind.as_str() {
                "$int" => Value::Int(Int::from_decimal(text(content)).unwrap()),
                "$float" => Value::Float(text(content).parse().unwrap()),
                "$str_codepoints" => {
                    let points = content.as_array().unwrap().iter();
                    Value::Text(Text::from_code_points(
                        points.map(|point| point.as_u64().unwrap().try_into().unwrap()),
                    ))
                }
                "$dict" => {
                    let mut dict = Dict::new();
                    for pair in content.as_array().unwrap() {
                        dict.insert(python(&pair[0]), python(&pair[1]));
                    }
                    Value::Dict(dict)
                }
                other => panic!("{other}"),
            }
        }
    }
}

/// NaN is not equal to itself, but its text is.
fn same_value(value: &Value, row: &Json) -> bool {
    json::to_bytes(value, Style::PYTHON) == json::to_bytes(&python(row), Style::PYTHON)
}

#[test]
fn p1_values_are_dumped_as_in_python() {
    for row in vectors("itsdangerous_serializer", "dumps") {
        assert_eq!(dumps(&row), text(&row["token"]), "{row}");
    }
}

#[test]
fn p1_payloads_are_compressed_when_python_does_it() {
    let mut compressed = 0;
    for row in vectors("itsdangerous_serializer", "dumps") {
        if row["json_hex"].is_null() {
            continue;
        }
        let json = hex(&row["json_hex"]);
        let mut payload = Vec::new();
        payload::encode_into(&mut payload, &json, Compression::Auto);
        assert_eq!(
            payload.starts_with(b"."),
            row["compressed"] == true,
            "{row}"
        );
        assert!(
            text(&row["token"]).as_bytes().starts_with(&payload),
            "{row}"
        );
        assert_eq!(
            payload::decode(&payload, Leniency::Strict, json.len()),
            Ok(json),
            "{row}"
        );
        compressed += usize::from(row["compressed"] == true);
    }
    assert!(compressed > 3);
}

#[test]
fn p1_tokens_are_loaded_as_in_python() {
    for leniency in BOTH {
        for row in vectors("itsdangerous_serializer", "loads") {
            let loaded = loads(&row, leniency);
            let same = match &loaded {
                Ok(value) => row["error"].is_null() && same_value(value, &row["value"]),
                Err(error) => {
                    row["error"].is_string() && same_error(error, &row) && same_cause(error, &row)
                }
            };
            // One spelling per payload is the strict rule; Python takes several.
            assert_eq!(
                same,
                leniency == Leniency::Lenient || !needs_leniency(&row),
                "{row} {loaded:?}"
            );
        }
    }
}

fn same_cause(error: &TokenError, row: &Json) -> bool {
    match row["original_error"].as_str() {
        None => error.kind() != TokenErrorKind::BadPayload,
        Some("BadData") => error.reason() == &TokenErrorReason::Payload(PayloadError::Base64),
        Some("error") => error.reason() == &TokenErrorReason::Payload(PayloadError::Compression),
        Some("UnicodeDecodeError") => matches!(
            error.reason(),
            TokenErrorReason::Json(JsonError::Utf8 { .. })
        ),
        Some("JSONDecodeError") => matches!(
            error.reason(),
            TokenErrorReason::Json(JsonError::Syntax { .. })
        ),
        Some(other) => panic!("{other}"),
    }
}

#[test]
fn p1_loads_unsafe_tells_both_as_in_python() {
    for row in vectors("itsdangerous_serializer", "loads") {
        let serializer = serializer::<UrlSafe>(&row, Leniency::Lenient);
        let loaded = || serializer.loads_unsafe::<Value>(token(&row["token"]));
        if let Some(expected) = row["loads_unsafe"].as_array() {
            let loaded = loaded().unwrap();
            assert_eq!(expected[0], loaded.verified, "{row}");
            match &loaded.value {
                Some(value) => assert!(same_value(value, &expected[1]), "{row}"),
                None => assert!(expected[1].is_null(), "{row}"),
            }
        } else if row["loads_unsafe_raises"].is_string() {
            assert_eq!(
                loaded().unwrap_err().kind(),
                TokenErrorKind::BadPayload,
                "{row}"
            );
        } else {
            assert_eq!(row["class"], "URLSafeTimedSerializer");
        }
    }
}

#[test]
fn values_of_all_types_pass_through_every_serializer() {
    fn check<P: PayloadStyle>(key: &SecretKey) {
        let plain = Serializer::<P>::new(key.clone(), "test");
        let timed = TimedSerializer::<P>::new(key.clone(), "test");
        let long = (0..1_000)
            .map(|number| number.to_string())
            .collect::<String>();
        for value in [
            Value::None,
            true.into(),
            "text \u{2603}".into(),
            long.as_str().into(),
            Value::List(vec![1.into(), Value::None, "a".into()]),
        ] {
            let token = plain.dumps(&value).unwrap();
            assert!(same(&plain.loads(&token).unwrap(), &value));
            let timed_token = timed.dumps_at(&value, 100).unwrap();
            let loaded = timed
                .loads_at::<Value>(&timed_token, 110, Duration::from_secs(10))
                .unwrap();
            assert!(same(&loaded.value, &value));
            assert_eq!(loaded.signed_at, 100);

            // The ways of breaking a token that itsdangerous' own tests try.
            for broken in [
                token.to_uppercase(),
                format!("{token}a"),
                format!("{}{}", char::from(token.as_bytes()[0] ^ 1), &token[1..]),
                token.replace('.', ""),
            ] {
                let error = plain.loads::<Value>(&broken).unwrap_err();
                assert_eq!(error.kind(), TokenErrorKind::BadSignature);
            }
        }
    }
    fn same(a: &Value, b: &Value) -> bool {
        json::to_bytes(a, Style::COMPACT) == json::to_bytes(b, Style::COMPACT)
    }
    let key = SecretKey::new("secret-key").unwrap();
    check::<PlainJson>(&key);
    check::<UrlSafe>(&key);
}

#[test]
fn s54_each_salt_is_a_purpose_of_its_own() {
    let confirm = UrlSafeTimedSerializer::from(
        UrlSafeSerializer::new(SecretKey::new("secret-key").unwrap(), "confirm")
            .fallback_signer(SignerOptions::default().digest(Digest::Sha512)),
    );
    let reset = confirm.with_salt("reset");
    let token = confirm.dumps(&42).unwrap();
    assert_eq!(confirm.loads::<i32>(&token, None).unwrap(), 42);
    assert_eq!(
        reset.loads::<i32>(&token, None).unwrap_err().kind(),
        TokenErrorKind::BadTimeSignature
    );
    assert_eq!(
        reset
            .with_salt("confirm")
            .loads::<i32>(&token, None)
            .unwrap(),
        42
    );

    // The fallback signers change their purpose as well.
    let old = UrlSafeTimedSerializer::with_options(
        SecretKey::new("secret-key").unwrap(),
        "reset",
        SignerOptions::default().digest(Digest::Sha512),
    );
    let token = old.dumps(&42).unwrap();
    assert_eq!(reset.loads::<i32>(&token, None).unwrap(), 42);
    assert!(confirm.loads::<i32>(&token, None).is_err());
}

#[test]
fn an_expired_token_is_not_tried_with_other_signers() {
    let key = SecretKey::new("secret-key").unwrap();
    let serializer = UrlSafeTimedSerializer::from(
        UrlSafeSerializer::new(key, "s")
            .fallback_signer(SignerOptions::default().digest(Digest::Sha256)),
    );
    let token = serializer.dumps_at(&"value", 1_000).unwrap();
    let error = serializer
        .loads_at::<String>(&token, 1_100, Duration::from_secs(99))
        .unwrap_err();
    assert_eq!(error.kind(), TokenErrorKind::SignatureExpired);
    assert_eq!(error.date_signed(), Some(1_000));
    let loaded = serializer
        .loads_unsafe::<String>(&token, Duration::from_secs(99))
        .unwrap();
    assert_eq!(
        (loaded.verified, loaded.value.as_deref()),
        (false, Some("value"))
    );
}

#[test]
fn a_value_of_another_type_is_a_bad_payload() {
    let serializer = UrlSafeSerializer::new(SecretKey::new("secret-key").unwrap(), "s");
    let token = serializer.dumps("text").unwrap();
    let error = serializer.loads::<u64>(&token).unwrap_err();
    assert_eq!(error.kind(), TokenErrorKind::BadPayload);
    assert!(matches!(error.reason(), TokenErrorReason::Type(_)));
    assert!(matches!(
        serializer.dumps(&Value::Bytes(vec![1])),
        Err(SerializeError::Json(_))
    ));
}

#[test]
fn inflated_payloads_are_capped() {
    let serializer = UrlSafeSerializer::new(SecretKey::new("secret-key").unwrap(), "s");
    let zeros = "0".repeat(2 * payload::DEFAULT_MAX_SIZE);
    let token = serializer.dumps(&zeros).unwrap();
    assert!(token.len() < 4096);
    let too_large = |limit| TokenErrorReason::Payload(PayloadError::TooLarge { limit });
    assert_eq!(
        serializer.loads::<String>(&token).unwrap_err().reason(),
        &too_large(payload::DEFAULT_MAX_SIZE)
    );
    let length = zeros.len() + 2;
    assert_eq!(
        serializer
            .clone()
            .max_size(length)
            .loads::<String>(&token)
            .unwrap(),
        zeros
    );
    assert_eq!(
        serializer
            .clone()
            .max_size(length - 1)
            .loads::<String>(&token)
            .unwrap_err()
            .reason(),
        &too_large(length - 1)
    );

    // Text that was not compressed is held to the same limit.
    let plain = serializer.compression(Compression::Never).max_size(9);
    let token = plain.dumps("1234567").unwrap();
    assert_eq!(plain.loads::<String>(&token).unwrap(), "1234567");
    let token = plain.dumps("12345678").unwrap();
    assert_eq!(
        plain.loads::<String>(&token).unwrap_err().reason(),
        &too_large(9)
    );
}

#[test]
fn compression_can_be_switched_off() {
    let serializer = UrlSafeSerializer::new(SecretKey::new("secret-key").unwrap(), "s");
    let value = "a".repeat(100);
    assert!(serializer.dumps(&value).unwrap().starts_with('.'));
    let plain = serializer.clone().compression(Compression::Never);
    let token = plain.dumps(&value).unwrap();
    assert!(!token.starts_with('.'));
    assert_eq!(serializer.loads::<String>(&token).unwrap(), value);
}

#[test]
fn s09_serializers_show_no_secret() {
    let serializer = UrlSafeTimedSerializer::new(SecretKey::new("hunter2").unwrap(), "purpose");
    assert!(!format!("{serializer:?}").contains("hunter2"));
}
