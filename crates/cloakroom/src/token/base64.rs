//! Base64 as itsdangerous 2.2.0 and Python's `base64` module write and read it.
//!
//! Writing has one answer. Reading has two: [`Leniency::Strict`] takes only what writing makes, so that each text has one
//! spelling; [`Leniency::Lenient`] takes all that Python takes, which skips foreign characters, ignores unused bits and
//! stops at padding. Nothing that Python writes needs the leniency.

use ::base64::{Engine, engine::general_purpose};

const URL_SAFE: general_purpose::GeneralPurpose = general_purpose::URL_SAFE_NO_PAD;
const STANDARD: general_purpose::GeneralPurpose = general_purpose::STANDARD;

/// How much of Python's tolerance a reader has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leniency {
    /// Only the one spelling that an encoder writes.
    #[default]
    Strict,
    /// Everything that Python's decoder takes.
    Lenient,
}

/// The text is not base64: itsdangerous' `BadData`, Python's `binascii.Error`.
#[doc(alias = "BadData")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not valid base64")]
pub struct Base64Error;

/// Writes bytes in the URL-safe alphabet (`-`, `_`) without padding: itsdangerous' `base64_encode`.
///
/// ```
/// use cloakroom::token::base64;
///
/// assert_eq!(base64::encode(b"\xfb\xff\xfe!"), "-__-IQ");
/// ```
#[doc(alias = "base64_encode")]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE.encode(bytes)
}

/// Reads the URL-safe alphabet without padding: itsdangerous' `base64_decode` of bytes.
///
/// # Errors
///
/// [`Base64Error`] if the text is not base64; when [strict](Leniency::Strict), also if [`encode`] would write the bytes
/// differently.
///
/// ```
/// use cloakroom::token::{Leniency, base64};
///
/// assert_eq!(base64::decode("-__-IQ", Leniency::Strict)?, b"\xfb\xff\xfe!");
/// assert!(base64::decode("+//+IQ==", Leniency::Strict).is_err());
/// assert_eq!(base64::decode("+//+IQ==", Leniency::Lenient)?, b"\xfb\xff\xfe!");
/// # Ok::<(), base64::Base64Error>(())
/// ```
#[doc(alias = "base64_decode")]
pub fn decode(text: impl AsRef<[u8]>, leniency: Leniency) -> Result<Vec<u8>, Base64Error> {
    let text = text.as_ref();
    match leniency {
        Leniency::Strict => URL_SAFE.decode(text).map_err(|_| Base64Error),
        Leniency::Lenient => lenient_vec(text, url_safe_sextet, missing_padding(text)),
    }
}

/// Reads text as itsdangerous' `base64_decode` reads a `str`: when lenient, characters outside ASCII are dropped before
/// anything is counted.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_text(text: &str, leniency: Leniency) -> Result<Vec<u8>, Base64Error> {
    match leniency {
        Leniency::Lenient if !text.is_ascii() => decode(
            text.bytes().filter(u8::is_ascii).collect::<Vec<_>>(),
            leniency,
        ),
        _ => decode(text, leniency),
    }
}

/// Writes bytes in the standard alphabet (`+`, `/`) with padding: Python's `base64.b64encode`.
#[doc(alias = "b64encode")]
pub fn encode_standard(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Reads the standard alphabet with padding: Python's `base64.b64decode`.
///
/// # Errors
///
/// [`Base64Error`] if the text is not base64; when [strict](Leniency::Strict), also if [`encode_standard`] would write
/// the bytes differently. Lenient reading skips `-` and `_` like any other foreign character, and adds no padding.
#[doc(alias = "b64decode")]
pub fn decode_standard(text: impl AsRef<[u8]>, leniency: Leniency) -> Result<Vec<u8>, Base64Error> {
    let text = text.as_ref();
    match leniency {
        Leniency::Strict => STANDARD.decode(text).map_err(|_| Base64Error),
        Leniency::Lenient => lenient_vec(text, standard_sextet, 0),
    }
}

/// Appends the URL-safe text of the bytes.
pub(crate) fn encode_into(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    let length = (bytes.len() / 3 * 4) + [0, 2, 3][bytes.len() % 3];
    out.resize(start + length, 0);
    let written = URL_SAFE.encode_slice(bytes, &mut out[start..]);
    debug_assert_eq!(written, Ok(length));
}

/// The bytes that [`decode_small`] can hand out, plus what the decoder rounds its estimate up by.
pub(crate) const SMALL: usize = 66;

/// Decodes at most 64 bytes without allocating; `None` if it is more or not base64.
pub(crate) fn decode_small<'b>(
    text: &[u8],
    leniency: Leniency,
    buffer: &'b mut [u8; SMALL],
) -> Option<&'b [u8]> {
    let length = match leniency {
        Leniency::Strict => URL_SAFE.decode_slice(text, buffer).ok()?,
        Leniency::Lenient => {
            let mut length = 0;
            let decoded = lenient(text, url_safe_sextet, missing_padding(text), |byte| {
                let slot = buffer.get_mut(length)?;
                *slot = byte;
                length += 1;
                Some(())
            });
            decoded.map(|()| length)?
        }
    };
    buffer.get(..length.min(64)).filter(|_| length <= 64)
}

/// The number that at most 8 bytes are, the first one the highest; `None` if it is more or not base64.
pub(crate) fn decode_number(text: &[u8], leniency: Leniency) -> Option<u64> {
    if leniency == Leniency::Lenient {
        let mut buffer = [0; SMALL];
        let bytes = decode_small(text, leniency, &mut buffer)?;
        let number = |number, &byte: &u8| number << 8 | u64::from(byte);
        return (bytes.len() <= 8).then(|| bytes.iter().fold(0, number));
    }
    // Bits that no byte takes have to be zero, and one character alone makes no byte.
    let unused = [0, 6, 4, 2][text.len() % 4];
    if text.len() > 11 || unused == 6 {
        return None;
    }
    let bits = text
        .iter()
        .try_fold(0_u128, |bits, &character| match character {
            b'+' | b'/' => None,
            _ => Some(bits << 6 | u128::from(url_safe_sextet(character)?)),
        })?;
    let number = u64::try_from(bits >> unused).ok()?;
    (u128::from(number) << unused == bits).then_some(number)
}

/// How many `=` itsdangerous appends, counting foreign characters as well.
fn missing_padding(text: &[u8]) -> usize {
    text.len().wrapping_neg() % 4
}

fn lenient_vec(
    text: &[u8],
    sextet: fn(u8) -> Option<u8>,
    padding: usize,
) -> Result<Vec<u8>, Base64Error> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    lenient(text, sextet, padding, |byte| {
        bytes.push(byte);
        Some(())
    })
    .ok_or(Base64Error)?;
    Ok(bytes)
}

/// `binascii.a2b_base64` in its default mode; `None` if it would raise, or if `emit` has no room.
fn lenient(
    text: &[u8],
    sextet: fn(u8) -> Option<u8>,
    padding: usize,
    mut emit: impl FnMut(u8) -> Option<()>,
) -> Option<()> {
    // Where in a group of four we are, the bits kept from the character before, and the `=` seen in a row.
    let (mut position, mut kept, mut pads) = (0_u8, 0_u8, 0_u8);
    for &character in text.iter().chain(&b"==="[..padding]) {
        if character == b'=' {
            if position >= 2 {
                pads += 1;
                if position + pads >= 4 {
                    return Some(());
                }
            }
            continue;
        }
        let Some(bits) = sextet(character) else {
            continue;
        };
        pads = 0;
        match position {
            0 => kept = bits,
            1 => {
                emit(kept << 2 | bits >> 4)?;
                kept = bits & 0x0f;
            }
            2 => {
                emit(kept << 4 | bits >> 2)?;
                kept = bits & 0x03;
            }
            _ => emit(kept << 6 | bits)?,
        }
        position = (position + 1) % 4;
    }
    (position == 0).then_some(())
}

fn standard_sextet(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn url_safe_sextet(character: u8) -> Option<u8> {
    match character {
        b'-' => Some(62),
        b'_' => Some(63),
        other => standard_sextet(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    proptest! {
        /// A strict reader refuses what another one would read as the same number.
        #[test]
        fn numbers_are_what_the_bytes_are(text in vec(select(b"AAABCZ_-z09=+/ ".to_vec()), 0..14)) {
            for leniency in [Leniency::Strict, Leniency::Lenient] {
                let bytes = decode(&text, leniency).ok().filter(|bytes| bytes.len() <= 8);
                let number = bytes.map(|bytes| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)));
                prop_assert_eq!(decode_number(&text, leniency), number);
            }
        }
    }
}
