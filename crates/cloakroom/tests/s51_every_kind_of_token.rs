//! Every bit of every kind of token counts: what is left after flipping one is refused, under each key that verifies.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use cloakroom::{
    KeyRing, SecretKey, SessionConfig, SessionManager,
    csrf::CsrfTokens,
    flask_login::FlaskLogin,
    store::{MemoryStore, Store},
    testing,
    token::signed::{Digest, Signer, SignerOptions, TimestampSigner},
};

/// A key, the ring in which it signs, and the ring in which it only verifies.
fn rings() -> [(KeyRing, KeyRing); 2] {
    let key = |text: &str| SecretKey::new(text).unwrap();
    let signs = KeyRing::new(key("the key that signs"));
    let verifies = KeyRing::new(key("a newer key")).fallback(key("the key that signs"));
    [(signs.clone(), signs.clone()), (signs, verifies)]
}

/// All texts that differ from a token in one bit.
fn flips(token: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..token.len() * 8).map(|bit| {
        let mut flipped = token.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// Fails unless the token itself is accepted and nothing that differs from it in a bit.
fn each_bit_counts(what: &str, token: &[u8], accepted: impl Fn(&[u8]) -> bool) {
    assert!(accepted(token), "{what}: the token itself");
    for flipped in flips(token) {
        assert!(!accepted(&flipped), "{what}: {flipped:?}");
    }
}

#[test]
fn s51_signed_values_of_each_hash() {
    for (signing, verifying) in rings() {
        for digest in [Digest::Sha1, Digest::Sha256, Digest::Sha512] {
            let options = SignerOptions::default().digest(digest);
            let signer = |keys: &KeyRing| Signer::with_options(keys.clone(), "salt", &options);
            let token = signer(&signing).sign("a value");
            let reader = signer(&verifying);
            each_bit_counts("signed", &token, |token| reader.unsign(token).is_ok());
            let signer =
                |keys: &KeyRing| TimestampSigner::with_options(keys.clone(), "salt", &options);
            let token = signer(&signing).sign_at("a value", 1_800_000_000);
            let reader = signer(&verifying);
            each_bit_counts("dated", &token, |token| {
                reader.unsign_parts(token, 1_800_000_000, None).is_ok()
            });
        }
    }
}

#[tokio::test]
async fn s51_ids_plain_and_signed() {
    for (signing, verifying) in rings() {
        for signed in [false, true] {
            let store = Store::new(MemoryStore::new());
            let manager = |keys: &KeyRing| {
                let config = SessionConfig::default();
                let config = match signed {
                    true => config.sign_ids(keys.clone()),
                    false => config,
                };
                SessionManager::stored(store.clone(), config).unwrap()
            };
            let writer = manager(&signing);
            let session = writer.new_session();
            session.insert("a", 1).unwrap();
            session.save().await.unwrap();
            let token = writer.cookie_value(&session).unwrap();
            let reader = manager(&verifying);
            each_bit_counts("an id", token.as_bytes(), |token| {
                testing::now(reader.open_value(token)).unwrap().is_ok()
            });
        }
    }
}

#[test]
fn s51_tokens_of_forms() {
    for (signing, verifying) in rings() {
        let key = SecretKey::new("the key of the session").unwrap();
        let manager = SessionManager::signed(key, SessionConfig::default()).unwrap();
        let session = manager.new_session();
        let token = CsrfTokens::new(signing).token(&session).unwrap();
        let tokens = CsrfTokens::new(verifying);
        each_bit_counts("a form's token", token.as_bytes(), |token| {
            let text = std::str::from_utf8(token);
            text.is_ok_and(|text| tokens.verify(&session, text).is_ok())
        });
    }
}

#[test]
fn s51_tokens_of_remembered_logins() {
    for (signing, verifying) in rings() {
        let token = FlaskLogin::new(signing).remember_token("alice");
        let login = FlaskLogin::new(verifying);
        each_bit_counts("a remembered login", token.as_bytes(), |token| {
            let text = std::str::from_utf8(token);
            text.is_ok_and(|text| login.user_of(text).is_some())
        });
    }
}
