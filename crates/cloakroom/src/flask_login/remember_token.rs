use std::{fmt, sync::Arc};

use crate::{
    hexadecimal::hexadecimal,
    secret::{KeyRing, Keys, Prepared},
    token::{
        Leniency, base64,
        signed::{Digest, KeyDerivation, Signer, SignerOptions},
    },
};

/// Signs user ids as Flask-Login's `remember_token`: `id|digest`, with the HMAC-SHA512 in hexadecimal digits.
#[derive(Clone)]
pub(super) struct RememberTokens(Arc<Prepared<Signer>>);

/// The characters of a SHA-512 in hexadecimal digits.
const DIGITS: usize = 128;

impl RememberTokens {
    pub(super) fn new(keys: Keys, now: u64) -> Self {
        Self(Arc::new(Prepared::new(keys, now, signer)))
    }

    pub(super) fn sign(&self, user_id: &str, now: u64) -> String {
        let signature = self.0.at(now).value.signature(user_id);
        // It was encoded a moment ago.
        let digest = base64::decode(signature.as_bytes(), Leniency::Strict).unwrap_or_default();
        format!("{user_id}|{}", hexadecimal(&digest))
    }

    /// The user id, if one of the keys signed it. An id may hold a `|`, a digest never does.
    pub(super) fn verify<'t>(&self, token: &'t str, now: u64) -> Option<&'t str> {
        let (user_id, signed) = as_signed(token)?;
        // The signer compares in constant time.
        let signer = self.0.at(now);
        let (_, key_index) = signer.value.unsign_with_key(signed.as_bytes()).ok()?;
        signer.verified(key_index, now);
        Some(user_id)
    }
}

impl fmt::Debug for RememberTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RememberTokens")
    }
}

/// The key itself signs: Flask-Login derives none.
pub(crate) fn signer(ring: &KeyRing) -> Signer {
    let options = SignerOptions::default()
        .digest(Digest::Sha512)
        .key_derivation(KeyDerivation::None);
    Signer::with_options(ring.clone(), "", &options)
}

/// The user id, and the token as a [`Signer`] writes it.
pub(crate) fn as_signed(token: &str) -> Option<(&str, String)> {
    let (user_id, digest) = token.rsplit_once('|')?;
    let signature = base64::encode(&digest_bytes(digest)?);
    Some((user_id, format!("{user_id}.{signature}")))
}

/// Python compares text, so capitals are another digest.
fn digest_bytes(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if digits.len() != DIGITS {
        return None;
    }
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(value(*high)? << 4 | value(*low)?),
            _ => None,
        })
        .collect()
}
