//! Reading the itsdangerous vectors.

use cloakroom::{
    KeyRing, SecretKey, SecretKeyError,
    token::{
        Leniency,
        signed::{Digest, KeyDerivation, TokenError, TokenErrorKind},
    },
};
use serde_json::Value as Json;

/// The rows of one section of a vector file.
pub(crate) fn vectors(file: &str, section: &str) -> Vec<Json> {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let mut document: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let Json::Array(rows) = document[section].take() else {
        panic!("no section {section}")
    };
    assert!(!rows.is_empty());
    rows
}

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

/// Whether Python's answer to this row needs its decoder's tolerance.
pub(crate) fn needs_leniency(row: &Json) -> bool {
    text(&row["note"]).starts_with("LENIENT")
}

pub(crate) const BOTH: [Leniency; 2] = [Leniency::Strict, Leniency::Lenient];

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
