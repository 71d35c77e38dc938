use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Envelope, Kind, RecordHeader, write_head};
use crate::format::FormatError;

/// What seals the content of one record: AES-256-GCM-SIV (RFC 8452) under a key of its own, which is derived from the
/// ticket's secret half. The store has neither; the browser has what both are made of.
///
/// Everything before the content is sealed along with it, so that no time in the header can be altered unnoticed.
pub(crate) struct SealKey(Aes256GcmSiv);

const NONCE: usize = 12;
const TAG: usize = 16;

impl SealKey {
    /// Derives the key (HKDF-SHA256, RFC 5869). The places that it is for are told apart by their lengths, so no two
    /// lists of them give the same key.
    pub(crate) fn derive(secret: &[u8; 32], places: &[&str]) -> Self {
        let mut info = Vec::with_capacity(128);
        for place in [LABEL].iter().chain(places) {
            info.extend_from_slice(&(place.len() as u64).to_be_bytes());
            info.extend_from_slice(place.as_bytes());
        }
        let mut key = Zeroizing::new([0; 32]);
        #[allow(
            clippy::expect_used,
            reason = "HKDF gives up to 255 blocks, and this is one"
        )]
        Hkdf::<Sha256>::new(None, secret)
            .expand(&info, &mut *key)
            .expect("one block");
        Self(Aes256GcmSiv::new((&*key).into()))
    }

    /// A record with sealed content. The nonce is random; with GCM-SIV even a repeated one gives nothing away but that
    /// two contents are the same.
    pub(crate) fn write(
        &self,
        header: &RecordHeader,
        secret_hash: &[u8; 32],
        content: &[u8],
        nonce: [u8; NONCE],
    ) -> Result<Vec<u8>, FormatError> {
        let length = NONCE + content.len() + TAG;
        let mut record = write_head(header, secret_hash, Kind::Sealed, length)?;
        let mut sealed = content.to_vec();
        self.0
            .encrypt_in_place(&nonce.into(), &record, &mut sealed)
            .map_err(|_| FormatError::TooLarge("more than a seal can hold"))?;
        record.extend_from_slice(&nonce);
        record.extend_from_slice(&sealed);
        Ok(record)
    }

    /// The content of a sealed record.
    pub(crate) fn open(&self, envelope: &Envelope<'_>) -> Result<Vec<u8>, FormatError> {
        let (nonce, sealed) = envelope
            .content
            .split_first_chunk::<NONCE>()
            .ok_or(FormatError::RecordSeal)?;
        let mut content = sealed.to_vec();
        self.0
            .decrypt_in_place(&(*nonce).into(), envelope.head, &mut content)
            .map_err(|_| FormatError::RecordSeal)?;
        Ok(content)
    }
}

const LABEL: &str = "cloakroom record";
