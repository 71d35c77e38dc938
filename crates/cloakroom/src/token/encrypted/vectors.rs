//! The vectors of `tests/vectors/encrypted.json`, made by a second implementation in Python.

use serde_json::Value as Json;
use std::{sync::LazyLock, time::Duration};

use super::{OpenError, Padding, Purpose, SealError, Sealer};
use crate::{
    KeyRing, SecretKey,
    token::payload::{Compression, PayloadError},
};

static VECTORS: LazyLock<Json> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../tests/vectors/encrypted.json")).unwrap()
});

fn rows(section: &str) -> &'static [Json] {
    let rows = VECTORS[section].as_array().unwrap();
    assert!(!rows.is_empty());
    rows
}

fn unhex(json: &Json) -> Vec<u8> {
    let text = json.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|place| u8::from_str_radix(&text[place..place + 2], 16).unwrap())
        .collect()
}

fn number(json: &Json) -> u64 {
    json.as_u64().unwrap()
}

fn purpose(row: &Json) -> Purpose {
    let purpose =
        Purpose::new(row["purpose"].as_str().unwrap()).name(row["name"].as_str().unwrap());
    match row["tenant"].as_str() {
        None => purpose,
        Some(tenant) => purpose.tenant(tenant),
    }
}

#[test]
fn tokens_of_the_second_implementation_open_and_come_out_the_same() {
    for row in rows("seal") {
        let mut secrets: Vec<_> = row["secrets_hex"].as_array().unwrap().iter().collect();
        let newest = SecretKey::new(unhex(secrets.pop().unwrap())).unwrap();
        let ring = secrets.iter().fold(KeyRing::new(newest), |ring, key| {
            ring.fallback(SecretKey::new(unhex(key)).unwrap())
        });
        let sealed_by = usize::try_from(number(&row["sealed_by"])).unwrap();
        let secret = ring.verifying().nth(sealed_by).unwrap().clone();
        let purpose = purpose(row);
        assert_eq!(
            *purpose.derive(&secret),
            *unhex(&row["key_hex"]),
            "{}",
            row["note"]
        );

        let sealer =
            Sealer::new(ring, &purpose).leeway(Duration::from_secs(number(&row["leeway"])));
        let token = row["token"].as_str().unwrap();
        let opened = sealer.open_at(token, number(&row["now"])).unwrap();
        assert_eq!(
            opened.content,
            unhex(&row["content_hex"]),
            "{}",
            row["note"]
        );
        assert_eq!(opened.issued_at, number(&row["issued_at"]));
        assert_eq!(opened.expires_at, number(&row["expires_at"]));
        assert_eq!(opened.key_index, sealed_by);

        let compression = match row["compress"].as_bool().unwrap() {
            true => Compression::Auto,
            false => Compression::Never,
        };
        let again = Sealer::new(secret, &purpose)
            .padding(Padding::Blocks(
                u16::try_from(number(&row["block"])).unwrap(),
            ))
            .compression(compression)
            .seal_with(
                &opened.content,
                opened.issued_at,
                opened.expires_at,
                unhex(&row["nonce_hex"]).try_into().unwrap(),
            )
            .unwrap();
        assert_eq!(again, token, "{}", row["note"]);
    }
}

#[test]
fn s54_tokens_of_another_purpose_name_or_tenant_and_broken_ones_are_refused() {
    for row in rows("refused") {
        let secret = SecretKey::new(unhex(&row["secret_hex"])).unwrap();
        let sealer = Sealer::new(secret, &purpose(row));
        let error = sealer
            .open_at(row["token"].as_str().unwrap(), number(&row["now"]))
            .unwrap_err();
        let name = match error {
            OpenError::Malformed => "malformed",
            OpenError::TooLong { .. } => "too_long",
            OpenError::Undecryptable => "undecryptable",
            OpenError::UnknownLayout => "unknown_layout",
            OpenError::Expired => "expired",
            OpenError::FromTheFuture => "from_the_future",
            OpenError::Payload(_) => "payload",
        };
        assert_eq!(row["error"], name, "{}", row["note"]);
    }
}

#[test]
fn what_is_too_long_to_be_opened_is_not_made() {
    let sealer = Sealer::new(
        SecretKey::new("a key for this test").unwrap(),
        &Purpose::new("test"),
    )
    .padding(Padding::None);
    // v1. and base64 of 28 bytes for nonce and tag, 19 for the header, and the content.
    let longest = (Sealer::MAX_LENGTH - 3) / 4 * 3 - 28 - 19;
    let token = sealer.seal_at(vec![b'x'; longest], 0, 0).unwrap();
    assert!(token.len() <= Sealer::MAX_LENGTH);
    assert_eq!(sealer.open_at(token, 0).unwrap().content.len(), longest);
    let error = sealer.seal_at(vec![b'x'; longest + 1], 0, 0).unwrap_err();
    assert!(matches!(error, SealError::TooLong { length, .. } if length > Sealer::MAX_LENGTH));
}

#[test]
fn a_content_inflates_to_no_more_than_allowed() {
    let key = SecretKey::new("a key for this test").unwrap();
    let sealer = Sealer::new(key, &Purpose::new("test")).compression(Compression::Auto);
    let token = sealer.seal_at(vec![b'x'; 10_000], 0, 0).unwrap();
    assert!(token.len() < 200);
    assert_eq!(
        sealer.open_at(&token, 0).unwrap().content,
        vec![b'x'; 10_000]
    );
    let plain = sealer.clone().compression(Compression::Never);
    let plain = plain.seal_at(vec![b'x'; 10_000], 0, 0).unwrap();
    let strict = sealer.max_size(9_999);
    for token in [token, plain] {
        assert_eq!(
            strict.open_at(&token, 0),
            Err(OpenError::Payload(PayloadError::TooLarge { limit: 9_999 }))
        );
    }
}
