//! Promise P1 beyond the vectors: what holds for every token, payload and text.

#![allow(clippy::unwrap_used, reason = "what cannot be made fails the test")]

use std::io::Write as _;

use cloakroom::{
    KeyRing, SecretKey,
    token::{
        Leniency, base64,
        payload::{self, Compression},
        signed::{
            Digest, KeyDerivation, Serializer, SignerOptions, TimestampSigner, TokenErrorKind,
            UrlSafeSerializer, UrlSafeTimedSerializer,
        },
    },
    value::Value,
};
use proptest::{collection::vec, prelude::*, sample::select};

const NOW: u64 = 1_700_000_000;

fn key(text: &str) -> SecretKey {
    SecretKey::insecure_for_development(text).unwrap()
}

fn flask(leniency: Leniency) -> TimestampSigner {
    let options = SignerOptions::flask().leniency(leniency);
    TimestampSigner::with_options(key("secret-key"), "cookie-session", &options)
}

#[test]
fn p1_no_single_bit_of_a_token_can_be_changed() {
    for digest in [Digest::Sha1, Digest::Sha256, Digest::Sha384, Digest::Sha512] {
        let options = SignerOptions::flask().digest(digest);
        let keys = KeyRing::new(key("secret-key")).fallback(key("old-key"));
        let signer = TimestampSigner::with_options(keys, "cookie-session", &options);
        let token = signer.sign_at("eyJ1c2VyX2lkIjo0Mn0", NOW);
        assert!(signer.unsign_parts(&token, NOW, Some(0)).is_ok());
        for bit in 0..8 * token.len() {
            let mut flipped = token.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = signer.unsign_parts(&flipped, NOW, None).unwrap_err();
            assert!(
                error.is(TokenErrorKind::BadSignature),
                "bit {bit} of {token:?}"
            );
        }
        for length in 0..token.len() {
            assert!(signer.unsign_parts(&token[..length], NOW, None).is_err());
            assert!(
                signer
                    .unsign_parts(&token[token.len() - length..], NOW, None)
                    .is_err()
            );
        }
    }
}

/// What a reader of arbitrary input may meet: bytes, base64 text, tokens with something replaced.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let token = flask(Leniency::Strict).sign_at(".eJyrVspMUbIyMaoFAA2yAqo", NOW);
    prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(select(b"ABab01-_=+/.\n".to_vec()), 0..200),
        (any::<prop::sample::Index>(), any::<u8>(), 0..3_usize).prop_map(
            move |(at, byte, kind)| {
                let mut token = token.clone();
                let at = at.index(token.len());
                match kind {
                    0 => token[at] = byte,
                    1 => token.insert(at, byte),
                    _ => drop(token.remove(at)),
                }
                token
            }
        ),
    ]
}

/// Stock zlib's stream in one go, with all the room it wants.
fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn p1_what_is_signed_verifies_and_nothing_else_does(
        value in vec(any::<u8>(), 0..100),
        now in 0..253_402_300_800_u64,
        digest in select(vec![Digest::Sha1, Digest::Sha256, Digest::Sha384, Digest::Sha512]),
        derivation in select(vec![
            KeyDerivation::DjangoConcat, KeyDerivation::Concat, KeyDerivation::Hmac, KeyDerivation::None,
        ]),
        secret in vec(any::<u8>(), 1..200),
    ) {
        let options = SignerOptions::default().digest(digest).key_derivation(derivation);
        let signer = |secret: &[u8]| TimestampSigner::with_options(SecretKey::new(secret).unwrap(), "salt", &options);
        let token = signer(&secret).sign_at(&value, now);
        let unsigned = signer(&secret).unsign_parts(&token, now, Some(0)).unwrap();
        prop_assert_eq!((unsigned.value, unsigned.signed_at, unsigned.key_index), (&value[..], now, 0));
        let mut other = secret.clone();
        other[0] ^= 1;
        prop_assert!(signer(&other).unsign_parts(&token, now, None).is_err());
    }

    #[test]
    fn p1_hostile_tokens_are_refused_without_a_panic(token in hostile()) {
        let original = flask(Leniency::Strict).sign_at(".eJyrVspMUbIyMaoFAA2yAqo", NOW);
        let strict = flask(Leniency::Strict).unsign_parts(&token, NOW, Some(60)).is_ok();
        prop_assert_eq!(strict, token == original);
        // The lenient reader may take another spelling of the signature, but never other content.
        if let Ok(unsigned) = flask(Leniency::Lenient).unsign_parts(&token, NOW, Some(60)) {
            prop_assert_eq!(unsigned.value, &b".eJyrVspMUbIyMaoFAA2yAqo"[..]);
        }
        prop_assert!(UrlSafeSerializer::new(key("k"), "s").loads::<Value>(&token).is_err());
        prop_assert!(!UrlSafeSerializer::new(key("k"), "s").loads_unsafe::<Value>(&token).unwrap().verified);
        prop_assert!(UrlSafeTimedSerializer::new(key("k"), "s").loads::<Value>(&token, None).is_err());
        prop_assert!(<Serializer>::new(key("k"), "s").loads::<Value>(&token).is_err());
    }

    #[test]
    fn p1_hostile_payloads_are_refused_without_a_panic(payload in hostile(), limit in 0..300_usize) {
        for leniency in [Leniency::Strict, Leniency::Lenient] {
            if let Ok(json) = payload::decode(&payload, leniency, limit) {
                prop_assert!(json.len() <= limit);
            }
        }
    }

    #[test]
    fn p1_strict_base64_has_one_spelling(text in vec(select(b"ABQYabgw01-_=+/*\n".to_vec()), 0..12)) {
        if let Ok(bytes) = base64::decode(&text, Leniency::Strict) {
            prop_assert_eq!(base64::encode(&bytes).into_bytes(), &text[..]);
            prop_assert_eq!(base64::decode(&text, Leniency::Lenient), Ok(bytes));
        }
        if let Ok(bytes) = base64::decode_standard(&text, Leniency::Strict) {
            prop_assert_eq!(base64::encode_standard(&bytes).into_bytes(), &text[..]);
            prop_assert_eq!(base64::decode_standard(&text, Leniency::Lenient), Ok(bytes));
        }
    }

    #[test]
    fn p1_payloads_are_exactly_what_the_rule_says(
        parts in vec(select(vec!["\"username\":", "\"alice\",", "{\"id\":42}", "a", "abc", "\u{e9}", "0123456789abcdef"]), 0..60),
        noise in vec(any::<u8>(), 0..60),
    ) {
        let json = [parts.concat().into_bytes(), noise].concat();
        let stream = zlib(&json);
        let expected = if stream.len() + 1 < json.len() {
            format!(".{}", base64::encode(&stream))
        } else {
            base64::encode(&json)
        };
        let mut out = b"before".to_vec();
        payload::encode_into(&mut out, &json, Compression::Auto);
        prop_assert_eq!(&out[6..], expected.as_bytes());
        prop_assert_eq!(payload::decode(&out[6..], Leniency::Strict, json.len()), Ok(json));
    }

    #[test]
    fn p1_values_survive_the_round_trip(
        names in vec("\\PC{0,20}", 0..20),
        numbers in vec(any::<i64>(), 0..20),
    ) {
        let value = (names, numbers);
        let serializer = UrlSafeSerializer::new(key("k"), "s");
        let loaded: (Vec<String>, Vec<i64>) = serializer.loads(serializer.dumps(&value).unwrap()).unwrap();
        prop_assert_eq!(loaded, value);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn p1_compressed_payloads_of_any_size_are_read_whole(byte in any::<u8>(), length in 1..300_000_usize) {
        let json = vec![byte; length];
        let stream = zlib(&json);
        let decode = |stream: &[u8], limit| {
            payload::decode(format!(".{}", base64::encode(stream)).as_bytes(), Leniency::Strict, limit)
        };
        prop_assert!(decode(&stream, length - 1).is_err());
        // Cut anywhere it is an error; what follows it does not matter.
        for cut in 1..=8 {
            prop_assert!(decode(&stream[..stream.len() - cut], length).is_err());
        }
        prop_assert_eq!(decode(&[&stream[..], b"more"].concat(), length), Ok(json.clone()));
        prop_assert_eq!(decode(&stream, length), Ok(json));
    }
}
