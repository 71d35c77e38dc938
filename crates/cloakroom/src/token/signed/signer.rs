//! Signatures without a time.

use std::{borrow::Cow, fmt};

use super::{
    error::{TokenError, TokenErrorKind, TokenErrorReason},
    mac::{Digest, KeyDerivation, Mac},
};
use crate::{
    secret::KeyRing,
    token::base64::{self, Leniency},
};

/// Signs values and verifies them: itsdangerous' `Signer`.
///
/// Keys are derived once, when it is made. Verifying allocates nothing unless it fails, and takes the same time for
/// every wrong signature.
///
/// ```
/// use cloakroom::{SecretKey, token::signed::Signer};
///
/// let signer = Signer::new(SecretKey::generate()?, "unsubscribe");
/// let token = signer.sign("alice@example.com");
/// assert_eq!(signer.unsign(&token)?, b"alice@example.com");
/// assert!(signer.unsign(b"bob@example.com.badsignature").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Signer {
    /// In the order in which they are tried; the first one signs.
    macs: Vec<Mac>,
    separator: Separator,
    leniency: Leniency,
}

impl Signer {
    /// The salt that itsdangerous' own `Signer` has unless told otherwise. Name your purpose instead.
    pub const DEFAULT_SALT: &str = "itsdangerous.Signer";

    /// A signer for the purpose named by the salt, with the defaults of itsdangerous.
    pub fn new(keys: impl Into<KeyRing>, salt: impl AsRef<[u8]>) -> Self {
        Self::with_options(keys, salt, &SignerOptions::default())
    }

    /// A signer for the purpose named by the salt.
    pub fn with_options(
        keys: impl Into<KeyRing>,
        salt: impl AsRef<[u8]>,
        options: &SignerOptions,
    ) -> Self {
        let salt = salt.as_ref();
        Self {
            macs: keys
                .into()
                .verifying()
                .map(|key| Mac::new(key, salt, options.key_derivation, options.digest))
                .collect(),
            separator: options.separator.clone(),
            leniency: options.leniency,
        }
    }

    /// The value, the separator and the signature.
    pub fn sign(&self, value: impl AsRef<[u8]>) -> Vec<u8> {
        let value = value.as_ref();
        let mut token = Vec::with_capacity(value.len() + self.added_length());
        token.extend_from_slice(value);
        self.sign_into(&mut token, 0);
        token
    }

    /// Appends the separator and the signature of the value `out[start..]`. Nothing is allocated but room in `out`.
    pub fn sign_into(&self, out: &mut Vec<u8>, start: usize) {
        let value = out.get(start..).unwrap_or_default();
        // A ring is never empty, so there is always a first key.
        let Some(mac) = self.macs.first() else { return };
        let mut signature = [0; 64];
        let mut length = 0;
        mac.sign(value, |bytes| {
            signature[..bytes.len()].copy_from_slice(bytes);
            length = bytes.len();
        });
        out.extend_from_slice(self.separator.as_bytes());
        base64::encode_into(out, &signature[..length]);
    }

    /// The signature alone, as text: itsdangerous' `get_signature`.
    #[doc(alias = "get_signature")]
    pub fn signature(&self, value: impl AsRef<[u8]>) -> String {
        let mut signature = String::new();
        if let Some(mac) = self.macs.first() {
            mac.sign(value.as_ref(), |bytes| signature = base64::encode(bytes));
        }
        signature
    }

    /// The value of a token that one of the keys signed.
    ///
    /// # Errors
    ///
    /// [`TokenErrorKind::BadSignature`].
    pub fn unsign<'t>(
        &self,
        token: &'t (impl AsRef<[u8]> + ?Sized),
    ) -> Result<&'t [u8], TokenError> {
        self.unsign_with_key(token.as_ref()).map(|(value, _)| value)
    }

    /// The value of a token, and the index, in the order of [`KeyRing::verifying`], of the key that signed it.
    pub(crate) fn unsign_with_key<'t>(
        &self,
        token: &'t [u8],
    ) -> Result<(&'t [u8], usize), TokenError> {
        let (value, signature) = self.split(token)?;
        match self.verifying_key(value, signature) {
            Some(index) => Ok((value, index)),
            None => Err(TokenError::new(
                TokenErrorKind::BadSignature,
                TokenErrorReason::SignatureMismatch,
            )
            .with_payload(value)),
        }
    }

    /// Whether [`unsign`](Self::unsign) would succeed.
    pub fn validate(&self, token: impl AsRef<[u8]>) -> bool {
        self.split(token.as_ref())
            .is_ok_and(|(value, signature)| self.verifying_key(value, signature).is_some())
    }

    /// The value and the signature on both sides of the last separator.
    pub(super) fn split<'t>(&self, token: &'t [u8]) -> Result<(&'t [u8], &'t [u8]), TokenError> {
        self.separator.split_last(token).ok_or_else(|| {
            TokenError::new(
                TokenErrorKind::BadSignature,
                TokenErrorReason::SignatureMissing,
            )
        })
    }

    /// The index, in the order of [`KeyRing::verifying`], of the key that made the signature.
    pub(super) fn verifying_key(&self, value: &[u8], signature: &[u8]) -> Option<usize> {
        let mut buffer = [0; base64::SMALL];
        let signature = base64::decode_small(signature, self.leniency, &mut buffer)?;
        self.macs
            .iter()
            .position(|mac| mac.verify(value, signature))
    }

    pub(super) fn separator(&self) -> &Separator {
        &self.separator
    }

    pub(super) fn leniency(&self) -> Leniency {
        self.leniency
    }

    /// The most bytes that signing adds, with room for a timestamp.
    pub(super) fn added_length(&self) -> usize {
        2 * self.separator.as_bytes().len() + 11 + 86
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Signer")
            .field("keys", &self.macs.len())
            .field("separator", &self.separator)
            .field("leniency", &self.leniency)
            .finish_non_exhaustive()
    }
}

/// How a signer signs: what itsdangerous calls `signer_kwargs`. The default is the default of itsdangerous.
#[doc(alias = "signer_kwargs")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignerOptions {
    separator: Separator,
    key_derivation: KeyDerivation,
    digest: Digest,
    leniency: Leniency,
}

impl SignerOptions {
    /// How Flask signs its session cookie: key derivation [`Hmac`](KeyDerivation::Hmac) and SHA-1. The salt is
    /// `cookie-session`.
    pub fn flask() -> Self {
        Self::default().key_derivation(KeyDerivation::Hmac)
    }

    /// What stands before the signature; `.` by default.
    #[must_use]
    pub fn separator(mut self, separator: Separator) -> Self {
        self.separator = separator;
        self
    }

    /// How the signing key is derived.
    #[must_use]
    pub fn key_derivation(mut self, key_derivation: KeyDerivation) -> Self {
        self.key_derivation = key_derivation;
        self
    }

    /// The hash function.
    #[must_use]
    pub fn digest(mut self, digest: Digest) -> Self {
        self.digest = digest;
        self
    }

    /// Whether base64 is read as tolerantly as Python reads it; [strict](Leniency::Strict) by default.
    #[must_use]
    pub fn leniency(mut self, leniency: Leniency) -> Self {
        self.leniency = leniency;
        self
    }
}

/// What stands between the value and its signature: itsdangerous' `sep`.
#[doc(alias = "sep")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Separator(Cow<'static, str>);

impl Separator {
    /// A separator of at least one character that cannot be part of a signature.
    ///
    /// # Errors
    ///
    /// [`SeparatorError`], by the rule of itsdangerous: the text must not be part of the base64 alphabet written in
    /// order (`a` to `z`, `A` to `Z`, `0` to `9`, `-`, `_`, `=`).
    pub fn new(text: impl Into<String>) -> Result<Self, SeparatorError> {
        const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=";
        let text = text.into();
        if ALPHABET.contains(&text) {
            Err(SeparatorError)
        } else {
            Ok(Self(Cow::Owned(text)))
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// What stands before and after the last separator.
    pub(super) fn split_last<'t>(&self, text: &'t [u8]) -> Option<(&'t [u8], &'t [u8])> {
        let separator = self.as_bytes();
        let place = match separator {
            [byte] => memchr::memrchr(*byte, text),
            _ => text
                .windows(separator.len())
                .rposition(|window| window == separator),
        }?;
        Some((text.get(..place)?, text.get(place + separator.len()..)?))
    }
}

impl Default for Separator {
    fn default() -> Self {
        Self(Cow::Borrowed("."))
    }
}

/// The separator is empty or could be part of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the separator could be part of a signature; use a character outside of a-z, A-Z, 0-9, `-`, `_` and `=`"
)]
pub struct SeparatorError;
