//! Promise P1 for serializers: tokens of JSON values are itsdangerous 2.2.0's, byte for byte, compressed ones too.

#![allow(
    clippy::unwrap_used,
    reason = "a vector that cannot be read fails the test"
)]

mod itsdangerous_support;
mod support;

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
    value::Value,
};
use itsdangerous_support::{
    MD5, NEGATIVE_AGE, YEAR_10000, derivation, digest, hex, keys, now, same_error, text, token,
};
use serde_json::Value as Json;
use support::{
    differences::{Differences, Rule, unless},
    is_oddly_spelt, python_value, rows,
};

fn serializer<P: PayloadStyle>(row: &Json, leniency: Leniency) -> Result<Serializer<P>, String> {
    let options = SignerOptions::default().leniency(leniency);
    let offered = |row| digest(row).ok_or_else(|| "no such digest".to_owned());
    let main = options
        .clone()
        .digest(offered(row)?)
        .key_derivation(derivation(row));
    let keys = keys(&row["secrets_hex"]).map_err(|error| error.to_string())?;
    let serializer = Serializer::with_options(keys, hex(&row["salt_hex"]), main);
    let fallbacks = row["fallback_signers"].as_array();
    fallbacks
        .into_iter()
        .flatten()
        .try_fold(serializer, |serializer, fallback| {
            Ok(serializer.fallback_signer(options.clone().digest(offered(fallback)?)))
        })
}

/// A token, or Python's way of failing; or why such a serializer is not offered.
fn dumps(row: &Json) -> Result<Result<String, SerializeError>, String> {
    fn timed<P: PayloadStyle>(row: &Json) -> Result<TimedSerializer<P>, String> {
        Ok(serializer::<P>(row, Leniency::Strict)?.into())
    }
    let value = python_value(&row["value"]);
    let now = row["timestamp"].as_u64();
    Ok(match text(&row["class"]) {
        "Serializer" => serializer::<PlainJson>(row, Leniency::Strict)?.dumps(&value),
        "URLSafeSerializer" => serializer::<UrlSafe>(row, Leniency::Strict)?.dumps(&value),
        "TimedSerializer" => timed::<PlainJson>(row)?.dumps_at(&value, now.unwrap()),
        "URLSafeTimedSerializer" => timed::<UrlSafe>(row)?.dumps_at(&value, now.unwrap()),
        other => panic!("{other}"),
    })
}

/// A value, or Python's way of failing; or why such a serializer is not offered.
fn loads(row: &Json, leniency: Leniency) -> Result<Result<Value, TokenError>, String> {
    fn plain<P: PayloadStyle>(
        row: &Json,
        leniency: Leniency,
    ) -> Result<Result<Value, TokenError>, String> {
        Ok(serializer::<P>(row, leniency)?.loads(token(&row["token"])))
    }
    fn timed<P: PayloadStyle>(
        row: &Json,
        leniency: Leniency,
    ) -> Result<Result<Value, TokenError>, String> {
        let max_age = row["max_age"]
            .as_i64()
            .map(|age| Duration::from_secs(age.try_into().unwrap_or(0)));
        let serializer = TimedSerializer::from(serializer::<P>(row, leniency)?);
        let loaded = serializer.loads_at(token(&row["token"]), now(row), max_age);
        Ok(loaded.map(|timestamped| timestamped.value))
    }
    match text(&row["class"]) {
        "Serializer" => plain::<PlainJson>(row, leniency),
        "URLSafeSerializer" => plain::<UrlSafe>(row, leniency),
        "TimedSerializer" => timed::<PlainJson>(row, leniency),
        "URLSafeTimedSerializer" => timed::<UrlSafe>(row, leniency),
        other => panic!("{other}"),
    }
}

/// NaN is not equal to itself, but its text is.
fn same_value(value: &Value, row: &Json) -> bool {
    json::to_bytes(value, Style::PYTHON) == json::to_bytes(&python_value(row), Style::PYTHON)
}

#[test]
fn p1_values_are_dumped_as_in_python() {
    let surrogates = Rule::always(
        "a surrogate without its partner is escaped, where Python cannot write it",
        |row| row["error"] == "UnicodeEncodeError",
        &["lone surrogate"],
    );
    let mut differences = Differences::new([MD5, surrogates]);
    for row in rows("itsdangerous_serializer", "dumps") {
        let difference = dumps(&row).map_or_else(Some, |dumped| {
            let same = match &dumped {
                Ok(dumped) => row["token"].as_str() == Some(dumped),
                Err(_) => row["error"].is_string(),
            };
            unless(same, dumped)
        });
        differences.check(text(&row["note"]), &row, difference);
    }
    differences.finish();
}

#[test]
fn p1_payloads_are_compressed_when_python_does_it() {
    let mut compressed = 0;
    for row in rows("itsdangerous_serializer", "dumps") {
        if row["json_hex"].is_null() || row["error"].is_string() {
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
    let odd_spelling = Rule::sometimes(
        "one spelling per part is the strict rule; Python takes several",
        |row| {
            let token = token(&row["token"]);
            let (signed, signature) = split(&token);
            let (payload, time) = match text(&row["class"]).contains("Timed") {
                true => split(signed),
                false => (signed, &b""[..]),
            };
            let payload = payload.strip_prefix(b".").unwrap_or(payload);
            [payload, time, signature].into_iter().any(is_oddly_spelt)
        },
        &["LENIENT: payload with junk characters"],
    );
    let lenient = vec![
        MD5,
        YEAR_10000.rows(&["signed after the year 9999"]),
        NEGATIVE_AGE,
    ];
    let strict = [lenient.clone(), vec![odd_spelling]].concat();
    for (leniency, rules) in [(Leniency::Strict, strict), (Leniency::Lenient, lenient)] {
        let mut differences = Differences::new(rules);
        for row in rows("itsdangerous_serializer", "loads") {
            let difference = loads(&row, leniency).map_or_else(Some, |loaded| {
                let same = match &loaded {
                    Ok(value) => row["error"].is_null() && same_value(value, &row["value"]),
                    Err(error) => {
                        row["error"].is_string()
                            && same_error(error, &row)
                            && same_cause(error, &row)
                    }
                };
                unless(same, loaded)
            });
            differences.check(text(&row["note"]), &row, difference);
        }
        differences.finish();
    }
}

/// What comes before the last separator, and what after it.
fn split(token: &[u8]) -> (&[u8], &[u8]) {
    match token.iter().rposition(|byte| *byte == b'.') {
        Some(place) => (&token[..place], &token[place + 1..]),
        None => (&b""[..], token),
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
        Some("RecursionError") => matches!(
            error.reason(),
            TokenErrorReason::Json(JsonError::TooDeep { .. })
        ),
        Some("ValueError") => matches!(
            error.reason(),
            TokenErrorReason::Json(JsonError::TooManyDigits)
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
    for row in rows("itsdangerous_serializer", "loads") {
        if row["class"] != "URLSafeSerializer" {
            continue;
        }
        let Ok(serializer) = serializer::<UrlSafe>(&row, Leniency::Lenient) else {
            continue;
        };
        let loaded = || serializer.loads_unsafe::<Value>(token(&row["token"]));
        if let Some(expected) = row["loads_unsafe"].as_array() {
            let loaded = loaded().unwrap();
            assert_eq!(expected[0], loaded.verified, "{row}");
            match &loaded.value {
                Some(value) => assert!(same_value(value, &expected[1]), "{row}"),
                None => assert!(expected[1].is_null(), "{row}"),
            }
        } else {
            assert!(row["loads_unsafe_raises"].is_string(), "{row}");
            let kind = loaded().unwrap_err().kind();
            assert_eq!(kind, TokenErrorKind::BadPayload, "{row}");
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
