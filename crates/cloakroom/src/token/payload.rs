//! The payload of URL-safe tokens: JSON text, compressed where that saves something, as base64.
//!
//! This is what stands before the first separator in Flask's session cookie. A leading `.` says that the text was
//! compressed.

use super::{
    base64::{self, Leniency},
    compress::{self, InflateError},
    deflate_bound,
};

/// The default of the largest JSON text, in bytes, that a payload may hold: 1 MiB. A cookie holds 4 KiB, but zlib makes a
/// thousandfold out of it for whoever has the key.
pub const DEFAULT_MAX_SIZE: usize = 1024 * 1024;

/// Whether payloads are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// When it saves more than one byte of JSON text: the rule of itsdangerous 2.2.0.
    #[default]
    Auto,
    /// Never. Every reader takes that as well. Compression shows the length of what it compresses together, so this is
    /// for sessions that hold a secret next to text a visitor chose.
    Never,
}

/// Why a payload cannot be read. No variant holds any part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The payload is not base64.
    #[error("the payload is not valid base64")]
    Base64,
    /// The payload says it is compressed, but is no complete zlib stream.
    #[error("the payload is marked as compressed but is not a complete zlib stream")]
    Compression,
    /// The JSON text is larger than the reader allows.
    #[error("the payload is larger than {limit} bytes; raise the limit if this is expected")]
    TooLarge {
        /// The most bytes of JSON text that were allowed.
        limit: usize,
    },
}

/// Appends the payload of a JSON text: itsdangerous' `URLSafeSerializer.dump_payload`.
///
/// Nothing is allocated but room in `out`.
///
/// ```
/// use cloakroom::token::payload::{self, Compression};
///
/// let mut token = Vec::new();
/// payload::encode_into(&mut token, br#"{"id":42}"#, Compression::Auto);
/// assert_eq!(token, b"eyJpZCI6NDJ9");
/// ```
#[doc(alias = "dump_payload")]
pub fn encode_into(out: &mut Vec<u8>, json: &[u8], compression: Compression) {
    let compressed = match (compression, most_worth_it(json)) {
        (Compression::Auto, Some(limit)) if !deflate_bound::is_longer(json, limit) => {
            compress::deflate_within(json, limit, |stream| {
                out.push(b'.');
                base64::encode_into(out, stream);
            })
        }
        _ => None,
    };
    if compressed.is_none() {
        base64::encode_into(out, json);
    }
}

/// The JSON text of a payload: itsdangerous' `URLSafeSerializer.load_payload` before it parses.
///
/// Verify the signature first. The text is not checked to be JSON.
///
/// # Errors
///
/// [`PayloadError`], also for more than `max_size` bytes of text.
///
/// ```
/// use cloakroom::token::{Leniency, payload};
///
/// let json = payload::decode(b"eyJpZCI6NDJ9", Leniency::Strict, payload::DEFAULT_MAX_SIZE)?;
/// assert_eq!(json, br#"{"id":42}"#);
/// # Ok::<(), payload::PayloadError>(())
/// ```
#[doc(alias = "load_payload")]
pub fn decode(
    payload: &[u8],
    leniency: Leniency,
    max_size: usize,
) -> Result<Vec<u8>, PayloadError> {
    let (compressed, text) = match payload.strip_prefix(b".") {
        Some(text) => (true, text),
        None => (false, payload),
    };
    let bytes = base64::decode(text, leniency).map_err(|_| PayloadError::Base64)?;
    let too_large = PayloadError::TooLarge { limit: max_size };
    if compressed {
        compress::inflate(&bytes, max_size).map_err(|error| match error {
            InflateError::Broken => PayloadError::Compression,
            InflateError::TooLarge => too_large,
        })
    } else if bytes.len() > max_size {
        Err(too_large)
    } else {
        Ok(bytes)
    }
}

/// The most bytes a zlib stream may have to be used: fewer than the text has, less the marker.
fn most_worth_it(json: &[u8]) -> Option<usize> {
    json.len().checked_sub(2)
}
