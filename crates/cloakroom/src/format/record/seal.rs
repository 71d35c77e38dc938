use super::{Envelope, Kind, RecordHeader, write_head};
use crate::{
    format::FormatError,
    token::derive::{derive, info},
};
use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit};

/// What seals the content of one record: AES-256-GCM-SIV (RFC 8452) under a key of its own, which is derived from the
/// ticket's secret half. The store has neither; the browser has what both are made of.
///
/// Everything before the content is sealed along with it, so that no time in the header can be altered unnoticed.
pub(crate) struct SealKey(Aes256GcmSiv);

const NONCE: usize = 12;
const TAG: usize = 16;

impl SealKey {
    /// Derives the key (HKDF-SHA256, RFC 5869) for one entry at one place: no other entry has the same one.
    pub(crate) fn derive(secret: &[u8; 32], place: [&str; 3]) -> Self {
        let place = info(b"cloakroom record v1", place.into_iter().map(str::as_bytes));
        Self(Aes256GcmSiv::new((&*derive(secret, &place)).into()))
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
