//! Promise P1 for signatures: base64, keys and signers are itsdangerous 2.2.0's, byte for byte.

#![allow(
    clippy::unwrap_used,
    reason = "a vector that cannot be read fails the test"
)]

mod itsdangerous_support;

use std::{collections::HashSet, time::Duration};

use cloakroom::{
    KeyRing, SecretKey,
    token::{
        Leniency, base64,
        signed::{
            KeyDerivation, Separator, Signer, SignerOptions, TimestampSigner, TokenErrorKind,
            TokenErrorReason,
        },
    },
};
use itsdangerous_support::{
    BOTH, derivation, digest, hex, keys, needs_leniency, same_error, text, token, vectors,
};
use serde_json::Value as Json;

/// Rows that are answered differently on purpose: a label and why. Each must be met, and must differ.
struct Differences {
    rows: &'static [(&'static str, &'static str)],
    met: HashSet<String>,
}

impl Differences {
    fn new(rows: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            rows,
            met: HashSet::new(),
        }
    }

    /// Fails unless the answer is Python's, or, for a listed row, not Python's.
    fn check(&mut self, label: &str, same: bool, row: &Json) {
        if let Some((label, reason)) = self.rows.iter().find(|(listed, _)| *listed == label) {
            assert!(
                !same,
                "this row is answered as in Python now, although {reason}: {row}"
            );
            self.met.insert((*label).to_owned());
        } else {
            assert!(same, "{row}");
        }
    }

    fn finish(self) {
        for (label, _) in self.rows {
            assert!(self.met.contains(*label), "no vector is called {label:?}");
        }
    }
}

const MD5: &str = "MD5 is not offered: nothing written by default needs it";

#[test]
fn p1_base64_is_written_as_in_python() {
    for row in vectors("itsdangerous_encoding", "base64_encode") {
        assert_eq!(
            base64::encode(hex(&row["hex"])),
            text(&row["text"]),
            "{row}"
        );
    }
}

#[test]
fn p1_base64_is_read_as_in_python_when_lenient_and_only_canonical_when_strict() {
    for row in vectors("itsdangerous_encoding", "base64_decode") {
        let decode = |leniency| match row["input_str"].as_str() {
            Some(text) => base64::decode_text(text, leniency),
            None => base64::decode(hex(&row["input_hex"]), leniency),
        };
        let python = row["hex"].is_string().then(|| hex(&row["hex"]));
        assert_eq!(decode(Leniency::Lenient).ok(), python, "{row}");
        let canonical = python.filter(|_| row["canonical"] == true);
        assert_eq!(decode(Leniency::Strict).ok(), canonical, "{row}");
    }
}

#[test]
fn p1_standard_base64_is_read_as_python_reads_it() {
    // base64.b64decode of CPython 3.11.
    for (text, python, canonical) in [
        ("", Some(&b""[..]), true),
        ("YQ==", Some(b"a"), true),
        ("YWI=", Some(b"ab"), true),
        ("+/+/", Some(b"\xfb\xff\xbf"), true),
        ("YQ=", None, false),
        ("YQ", None, false),
        ("YR==", Some(b"a"), false),
        ("YQ==YQ==", Some(b"a"), false),
        ("Y Q = =", Some(b"a"), false),
        ("-_-_", Some(b""), false),
        ("YWJj\n", Some(b"abc"), false),
        ("=", Some(b""), false),
        ("A", None, false),
        ("AA=AAAA=", None, false),
        ("AA=AAAA==", Some(b"\0\0\0\0"), false),
    ] {
        assert_eq!(
            base64::decode_standard(text, Leniency::Lenient)
                .ok()
                .as_deref(),
            python,
            "{text:?}"
        );
        let strict = base64::decode_standard(text, Leniency::Strict).ok();
        assert_eq!(strict.as_deref(), python.filter(|_| canonical), "{text:?}");
        if let Some(bytes) = strict {
            assert_eq!(base64::encode_standard(bytes), text);
        }
    }
}

#[test]
fn p1_times_are_written_as_in_python() {
    let signer = TimestampSigner::new(SecretKey::new("k").unwrap(), "s");
    for row in vectors("itsdangerous_encoding", "int_to_bytes") {
        match text(&row["int"]).parse::<u64>() {
            Ok(now) => {
                let token = String::from_utf8(signer.sign_at("", now)).unwrap();
                assert_eq!(token.split('.').nth(1), row["base64"].as_str(), "{row}");
            }
            // What Python refuses cannot even be asked for here.
            Err(_) => assert!(row["error"].is_string(), "{row}"),
        }
    }
}

#[test]
fn p1_times_are_read_as_in_python() {
    let mut differences = Differences::new(&[
        (
            "ffffffffffffffff",
            "a year after 9999 is no date, in Python neither",
        ),
        (
            "0102030405060708",
            "a year after 9999 is no date, in Python neither",
        ),
    ]);
    let key = SecretKey::new("k").unwrap();
    let (plain, timed) = (
        Signer::new(key.clone(), "s"),
        TimestampSigner::new(key, "s"),
    );
    for row in vectors("itsdangerous_encoding", "bytes_to_int") {
        let token = plain.sign(format!("value.{}", base64::encode(hex(&row["hex"]))));
        let read = timed.unsign(&token, None);
        let same = match &read {
            Ok(unsigned) => {
                row["int"].as_str().and_then(|int| int.parse().ok()) == Some(unsigned.signed_at)
            }
            Err(error) => {
                assert_eq!(error.reason(), &TokenErrorReason::TimestampMalformed);
                row["error"].is_string()
            }
        };
        differences.check(text(&row["hex"]), same, &row);
    }
    differences.finish();
}

#[test]
fn p1_keys_are_derived_as_in_python() {
    const EMPTY: &str = "an empty key is refused, as Flask does";
    let mut refused = (0, 0);
    for row in vectors("itsdangerous_signer", "derive_key") {
        let Some(digest) = digest(&row) else {
            assert_eq!(row["digest"], "md5", "{MD5}");
            refused.0 += 1;
            continue;
        };
        let Ok(key) = SecretKey::new(hex(&row["secret_hex"])) else {
            assert_eq!(row["secret_hex"], "", "{EMPTY}");
            refused.1 += 1;
            continue;
        };
        let options = SignerOptions::default().digest(digest);
        let salted = options.clone().key_derivation(derivation(&row));
        let signer = Signer::with_options(key, hex(&row["salt_hex"]), &salted);
        let derived = SecretKey::new(hex(&row["derived_hex"])).unwrap();
        let expected =
            Signer::with_options(derived, "", &options.key_derivation(KeyDerivation::None));
        assert_eq!(
            signer.signature("value"),
            expected.signature("value"),
            "{row}"
        );
    }
    assert!(refused.0 > 0 && refused.1 > 0);
}

fn separator(row: &Json) -> Separator {
    Separator::new(String::from_utf8(hex(&row["sep_hex"])).unwrap()).unwrap()
}

#[test]
fn p1_separators_are_those_python_allows() {
    for row in vectors("itsdangerous_signer", "separator") {
        let separator = Separator::new(String::from_utf8(hex(&row["sep_hex"])).unwrap());
        assert_eq!(separator.is_ok(), row["ok"] == true, "{row}");
    }
    assert_eq!(Separator::new("."), Ok(Separator::default()));
}

#[test]
fn p1_values_are_signed_as_in_python() {
    let mut differences = Differences::new(&[
        ("django-concat/md5", MD5),
        ("concat/md5", MD5),
        ("hmac/md5", MD5),
        (
            "no signature algorithm",
            "a token without a signature protects nothing, so the algorithm `none` is not offered",
        ),
    ]);
    for row in vectors("itsdangerous_signer", "sign") {
        let same = digest(&row).is_some_and(|digest| {
            let options = SignerOptions::default()
                .digest(digest)
                .key_derivation(derivation(&row))
                .separator(separator(&row));
            let signer = Signer::with_options(
                keys(&row["secrets_hex"]).unwrap(),
                hex(&row["salt_hex"]),
                &options,
            );
            let value = hex(&row["value_hex"]);
            let produced = signer.sign(&value);
            assert_eq!(signer.unsign(&produced).unwrap(), value);
            produced == token(&row["token"]) && row["signature"] == signer.signature(&value)
        });
        differences.check(text(&row["note"]), same, &row);
    }
    differences.finish();
}

#[test]
fn p1_tokens_are_verified_as_in_python() {
    for leniency in BOTH {
        for row in vectors("itsdangerous_signer", "unsign") {
            let options = SignerOptions::default()
                .digest(digest(&row).unwrap())
                .key_derivation(derivation(&row))
                .separator(separator(&row))
                .leniency(leniency);
            let signer = Signer::with_options(
                keys(&row["secrets_hex"]).unwrap(),
                hex(&row["salt_hex"]),
                &options,
            );
            let token = token(&row["token"]);
            let unsigned = signer.unsign(&token);
            assert_eq!(signer.validate(&token), unsigned.is_ok());
            let same = match &unsigned {
                Ok(value) => row["value_hex"].is_string() && *value == hex(&row["value_hex"]),
                Err(error) => row["error"].is_string() && same_error(error, &row),
            };
            // One spelling per signature is the strict rule; Python takes several.
            assert_eq!(
                same,
                leniency == Leniency::Lenient || !needs_leniency(&row),
                "{row}"
            );
            assert_eq!(unsigned.is_ok(), row["validate"] == true && same, "{row}");
        }
    }
}

fn timestamp_signer(row: &Json, leniency: Leniency) -> TimestampSigner {
    let options = SignerOptions::default()
        .digest(digest(row).unwrap())
        .key_derivation(derivation(row))
        .leniency(leniency);
    TimestampSigner::with_options(
        keys(&row["secrets_hex"]).unwrap(),
        hex(&row["salt_hex"]),
        &options,
    )
}

#[test]
fn p1_values_are_signed_with_the_time_as_in_python() {
    for row in vectors("itsdangerous_timestamp", "sign") {
        let produced = timestamp_signer(&row, Leniency::Strict)
            .sign_at(hex(&row["value_hex"]), row["timestamp"].as_u64().unwrap());
        assert_eq!(produced, token(&row["token"]), "{row}");
    }
}

#[test]
fn p1_times_are_verified_as_in_python() {
    for leniency in BOTH {
        let mut differences = Differences::new(&[
            (
                "max_age negative",
                "a Duration is not negative; the row is read as an age of 0",
            ),
            (
                "good signature, timestamp after year 9999, with max_age: raw ValueError escapes",
                "a malformed time is BadTimeSignature with or without a good signature",
            ),
        ]);
        for row in vectors("itsdangerous_timestamp", "unsign") {
            let signer = timestamp_signer(&row, leniency);
            let token = token(&row["token"]);
            let max_age = row["max_age"]
                .as_i64()
                .map(|age| age.try_into().unwrap_or(0));
            let unsigned = signer.unsign_parts(&token, row["now"].as_u64().unwrap(), max_age);
            let same = match &unsigned {
                Ok(unsigned) => {
                    row["value_hex"].is_string()
                        && unsigned.value == hex(&row["value_hex"])
                        && row["signed_at"] == unsigned.signed_at
                }
                Err(error) => {
                    row["error"].is_string()
                        && same_error(error, &row)
                        && row["date_signed"].as_u64() == error.date_signed()
                }
            };
            if leniency == Leniency::Strict && needs_leniency(&row) {
                assert_eq!(
                    unsigned.unwrap_err().reason(),
                    &TokenErrorReason::TimestampMalformed,
                    "{row}"
                );
            } else {
                differences.check(text(&row["note"]), same, &row);
            }
        }
        differences.finish();
    }
}

#[test]
fn p1_flask_signs_its_cookie_so() {
    let key = SecretKey::new("secret-key").unwrap();
    let signer = TimestampSigner::with_options(key, "cookie-session", &SignerOptions::flask());
    let cookie = "eyJhIjoxfQ.ZVPxAA.kLN1Gx0L6rY_ztgI9I8kkga4vjo";
    assert_eq!(
        signer.sign_at("eyJhIjoxfQ", 1_700_000_000),
        cookie.as_bytes()
    );
    // In place, after what the buffer holds already.
    let mut header = b"session=eyJhIjoxfQ".to_vec();
    signer.sign_into(&mut header, 8, 1_700_000_000);
    assert_eq!(header, format!("session={cookie}").as_bytes());
}

#[test]
fn s54_tokens_for_another_purpose_are_refused() {
    let key = SecretKey::new("secret-key").unwrap();
    for derivation in [
        KeyDerivation::DjangoConcat,
        KeyDerivation::Concat,
        KeyDerivation::Hmac,
    ] {
        let options = SignerOptions::default().key_derivation(derivation);
        let signer = |salt: &str| Signer::with_options(key.clone(), salt, &options);
        assert!(signer("confirm").validate(signer("confirm").sign("42")));
        assert!(!signer("reset").validate(signer("confirm").sign("42")));
    }
}

#[test]
fn the_key_that_signed_is_told() {
    let key = |text: &str| SecretKey::new(text).unwrap();
    let ring = KeyRing::new(key("now"))
        .fallback(key("oldest"))
        .fallback(key("old"));
    let verifier = TimestampSigner::new(ring, "s");
    for (index, text) in ["now", "old", "oldest"].into_iter().enumerate() {
        let token = TimestampSigner::new(key(text), "s").sign_at("value", 5);
        let unsigned = verifier.unsign_parts(&token, 5, Some(0)).unwrap();
        assert_eq!(
            (unsigned.value, unsigned.signed_at, unsigned.key_index),
            (&b"value"[..], 5, index)
        );
    }
    assert!(
        verifier
            .unsign(&TimestampSigner::new(key("other"), "s").sign("value"), None)
            .is_err()
    );
}

#[test]
fn a_token_may_be_from_the_future_within_the_leeway_only() {
    let signer = TimestampSigner::new(SecretKey::new("k").unwrap(), "s");
    let lenient = signer.clone().leeway(Duration::from_secs(5));
    let token = signer.sign_at("value", 1_000);
    let outcome = |signer: &TimestampSigner, now, max_age| {
        signer
            .unsign_parts(&token, now, max_age)
            .map(|_| ())
            .map_err(|error| {
                assert_eq!(error.kind(), TokenErrorKind::SignatureExpired);
                error.reason().clone()
            })
    };
    assert_eq!(
        outcome(&signer, 999, Some(60)),
        Err(TokenErrorReason::FromTheFuture)
    );
    assert_eq!(outcome(&signer, 999, None), Ok(()));
    assert_eq!(outcome(&lenient, 995, Some(60)), Ok(()));
    assert_eq!(
        outcome(&lenient, 994, Some(60)),
        Err(TokenErrorReason::FromTheFuture)
    );
    // The age itself is not stretched.
    assert_eq!(outcome(&lenient, 1_060, Some(60)), Ok(()));
    assert_eq!(
        outcome(&lenient, 1_061, Some(60)),
        Err(TokenErrorReason::TooOld)
    );
    assert_eq!(outcome(&lenient, u64::MAX, Some(u64::MAX)), Ok(()));
}

#[test]
fn times_counted_from_2011_can_be_read() {
    // The vector of an itsdangerous 0.24 token; see "0.24-era token".
    let token = "value.GDWCgA.winrH3TUYV28jKWRe5-QMVtgceg";
    let signer = TimestampSigner::new(SecretKey::new("secret-key").unwrap(), Signer::DEFAULT_SALT);
    assert_eq!(signer.unsign(token, None).unwrap().signed_at, 406_160_000);
    let legacy = signer.clone().legacy_epoch(true);
    assert_eq!(
        legacy
            .unsign_parts(token.as_bytes(), 1_700_000_005, Some(5))
            .unwrap()
            .signed_at,
        1_700_000_000
    );
    // Times of today are not shifted.
    let today = signer.sign_at("value", 1_700_000_000);
    assert_eq!(
        legacy.unsign(&today, None).unwrap().signed_at,
        1_700_000_000
    );
}

#[test]
fn current_times_are_used_by_default() {
    let signer = TimestampSigner::new(SecretKey::new("k").unwrap(), "s");
    let token = signer.sign("value");
    assert!(signer.validate(&token, Duration::from_mins(1)));
    assert!(!signer.validate(signer.sign_at("value", 1_000), Duration::from_mins(1)));
    assert!(signer.validate(signer.sign_at("value", 1_000), None));
}

#[test]
fn s09_errors_and_debug_show_nothing_of_a_token() {
    let signer = TimestampSigner::new(SecretKey::new("hunter2").unwrap(), "s");
    let token = signer.sign_at("topsecretvalue", 1_000);
    let unsigned = signer.unsign(&token, None).unwrap();
    let expired = signer.unsign(&token, Duration::ZERO).unwrap_err();
    assert_eq!(expired.payload(), Some(&b"topsecretvalue"[..]));
    let forged = signer.unsign("topsecretvalue.AQ.xyz", None).unwrap_err();
    for shown in [
        format!("{signer:?} {unsigned:?}"),
        format!("{expired} {expired:?}"),
        format!("{forged} {forged:?}"),
    ] {
        let bytes = format!("{:?}", b"topsecretvalue");
        assert!(
            !shown.contains("topsecret")
                && !shown.contains("hunter2")
                && !shown.contains(&bytes[1..20]),
            "{shown}"
        );
    }
}
