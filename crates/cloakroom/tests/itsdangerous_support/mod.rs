//! Reading the itsdangerous vectors.

#![allow(dead_code, reason = "each test file uses a part of it")]

use cloakroom::{
    KeyRing, SecretKey, SecretKeyError,
    token::signed::{Digest, KeyDerivation, TokenError, TokenErrorKind},
};
use serde_json::Value as Json;

use crate::support::differences::Rule;

pub(crate) fn hex(row: &Json) -> Vec<u8> {
    let digits = row.as_str().unwrap();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

pub(crate) fn text(row: &Json) -> &str {
    row.as_str().unwrap()
}

pub(crate) fn token(row: &Json) -> Vec<u8> {
    match row {
        Json::String(text) => text.clone().into_bytes(),
        other => hex(&other["hex"]),
    }
}

/// The ring of a key list as Python writes it: the last key signs.
pub(crate) fn keys(secrets: &Json) -> Result<KeyRing, SecretKeyError> {
    let mut secrets: Vec<_> = secrets.as_array().unwrap().iter().map(hex).collect();
    let signing = SecretKey::new(secrets.pop().unwrap())?;
    secrets
        .into_iter()
        .try_fold(KeyRing::new(signing), |ring, old| {
            Ok(ring.fallback(SecretKey::new(old)?))
        })
}

pub(crate) fn derivation(row: &Json) -> KeyDerivation {
    match text(&row["key_derivation"]) {
        "django-concat" => KeyDerivation::DjangoConcat,
        "concat" => KeyDerivation::Concat,
        "hmac" => KeyDerivation::Hmac,
        "none" => KeyDerivation::None,
        other => panic!("{other}"),
    }
}

/// `None` for MD5, which is not offered.
pub(crate) fn digest(row: &Json) -> Option<Digest> {
    match text(&row["digest"]) {
        "sha1" => Some(Digest::Sha1),
        "sha256" => Some(Digest::Sha256),
        "sha384" => Some(Digest::Sha384),
        "sha512" => Some(Digest::Sha512),
        "md5" => None,
        other => panic!("{other}"),
    }
}

/// Why rows of all kinds of signer are answered differently.
pub(crate) const MD5: Rule = Rule::always(
    "MD5 is not offered: nothing written by default needs it",
    |row| row["digest"] == "md5",
    &["signed with MD5"],
);
pub(crate) const EMPTY_KEY: Rule = Rule::always(
    "an empty key is refused, as Flask does",
    |row| {
        let keys = row["secrets_hex"].as_array().into_iter().flatten();
        keys.chain(row.get("secret_hex")).any(|key| key == "")
    },
    &["empty key"],
);
pub(crate) const YEAR_10000: Rule = Rule::always(
    "a time after the year 9999 is malformed, where Python raises or not, depending on the way",
    |row| {
        let int = row["int"].as_str().and_then(|int| int.parse::<u64>().ok());
        row["error"] == "ValueError"
            || row["error"] == "OverflowError"
            || int.is_some_and(|seconds| seconds > 253_402_300_799)
    },
    &["good signature, timestamp after year 9999, with max_age: raw ValueError escapes"],
);
pub(crate) const NEGATIVE_AGE: Rule = Rule::sometimes(
    "a Duration is not negative; the row is read as an age of 0",
    |row| row["max_age"].as_i64().is_some_and(|age| age < 0),
    &["max_age negative"],
);

/// Python's clock counts in fractions; times are whole seconds.
pub(crate) fn now(row: &Json) -> u64 {
    let now = &row["now"];
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    now.as_u64().unwrap_or_else(|| now.as_f64().unwrap() as u64)
}

/// Whether the error is of the class, with the ancestors and the payload, that the row tells.
pub(crate) fn same_error(error: &TokenError, row: &Json) -> bool {
    let class = |kind| match kind {
        TokenErrorKind::BadData => "BadData",
        TokenErrorKind::BadSignature => "BadSignature",
        TokenErrorKind::BadTimeSignature => "BadTimeSignature",
        TokenErrorKind::SignatureExpired => "SignatureExpired",
        TokenErrorKind::BadPayload => "BadPayload",
    };
    let ancestors: Vec<_> = row["bases"].as_array().unwrap().iter().map(text).collect();
    let caught = [
        TokenErrorKind::BadData,
        TokenErrorKind::BadSignature,
        TokenErrorKind::BadTimeSignature,
        TokenErrorKind::SignatureExpired,
        TokenErrorKind::BadPayload,
    ]
    .into_iter()
    .all(|kind| {
        error.is(kind) == (class(kind) == class(error.kind()) || ancestors.contains(&class(kind)))
    });
    let payload = if row["payload_hex"].is_null() {
        None
    } else {
        Some(hex(&row["payload_hex"]))
    };
    Some(class(error.kind())) == row["error"].as_str()
        && caught
        && error.payload() == payload.as_deref()
}
