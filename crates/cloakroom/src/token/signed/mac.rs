//! The keyed hash: from a secret key and a salt to a signature.

use hmac::{EagerHash, Hmac, KeyInit, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroize;

use crate::secret::SecretKey;

/// The hash that signatures and derived keys are made with: itsdangerous' `digest_method`.
///
/// MD5, which Python would accept as well, is not offered.
#[doc(alias = "digest_method")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Digest {
    /// SHA-1, the default of itsdangerous and of Flask. In an HMAC it is not broken.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How the key that signs is made of the secret key and the salt: itsdangerous' `key_derivation`.
#[doc(alias = "key_derivation")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyDerivation {
    /// `django-concat`, the default of itsdangerous: the hash of salt, `signer` and key.
    #[default]
    DjangoConcat,
    /// `concat`: the hash of salt and key.
    Concat,
    /// `hmac`, what Flask uses: the HMAC of the salt under the key.
    Hmac,
    /// `none`: the key itself. The salt has no effect then, so tokens for one purpose are good for every other.
    None,
}

/// One derived key, kept as the two hash states that HMAC starts from. It cannot be printed.
#[derive(Clone)]
pub(super) enum Mac {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

/// Runs the expression for the hash at hand, which is known only at run time.
macro_rules! with_hmac {
    ($mac:expr, $hmac:ident => $body:expr) => {
        match $mac {
            Mac::Sha1($hmac) => $body,
            Mac::Sha256($hmac) => $body,
            Mac::Sha384($hmac) => $body,
            Mac::Sha512($hmac) => $body,
        }
    };
}

impl Mac {
    pub(super) fn new(
        key: &SecretKey,
        salt: &[u8],
        derivation: KeyDerivation,
        digest: Digest,
    ) -> Self {
        let key = key.expose_secret();
        match digest {
            Digest::Sha1 => Self::Sha1(keyed(derivation, key, salt)),
            Digest::Sha256 => Self::Sha256(keyed(derivation, key, salt)),
            Digest::Sha384 => Self::Sha384(keyed(derivation, key, salt)),
            Digest::Sha512 => Self::Sha512(keyed(derivation, key, salt)),
        }
    }

    /// Gives the signature of the message to `use_signature`.
    pub(super) fn sign(&self, message: &[u8], use_signature: impl FnOnce(&[u8])) {
        with_hmac!(self, hmac => use_signature(&hmac.clone().chain_update(message).finalize().into_bytes()));
    }

    /// Whether this is the signature of the message. Takes the same time for every wrong one.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        with_hmac!(self, hmac => hmac.clone().chain_update(message).verify_slice(signature).is_ok())
    }
}

fn keyed<H: EagerHash + sha2::Digest>(
    derivation: KeyDerivation,
    key: &[u8],
    salt: &[u8],
) -> Hmac<H> {
    let keyed_by = |derived: &mut [u8]| {
        let hmac = hmac(derived);
        derived.zeroize();
        hmac
    };
    match derivation {
        KeyDerivation::DjangoConcat => keyed_by(
            H::new()
                .chain_update(salt)
                .chain_update(b"signer")
                .chain_update(key)
                .finalize()
                .as_mut(),
        ),
        KeyDerivation::Concat => keyed_by(
            H::new()
                .chain_update(salt)
                .chain_update(key)
                .finalize()
                .as_mut(),
        ),
        KeyDerivation::Hmac => keyed_by(
            hmac::<H>(key)
                .chain_update(salt)
                .finalize()
                .into_bytes()
                .as_mut(),
        ),
        KeyDerivation::None => hmac(key),
    }
}

#[expect(
    clippy::expect_used,
    reason = "RFC 2104: HMAC takes keys of any length"
)]
fn hmac<H: EagerHash>(key: &[u8]) -> Hmac<H> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}
