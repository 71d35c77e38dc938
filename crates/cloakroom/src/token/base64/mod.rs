//! Base64 as itsdangerous 2.2.0 and Python's `base64` module write and read it.
//!
//! Writing has one answer. Reading has two: [`Leniency::Strict`] takes only what writing makes, so that each text has one
//! spelling; [`Leniency::Lenient`] takes all that Python takes, which skips foreign characters, ignores unused bits and
//! stops at padding. Nothing that Python writes needs the leniency.

mod alphabet;

use self::alphabet::{Alphabet, STANDARD, URL_SAFE, decoded_length, encoded_length};

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
    text(&URL_SAFE, bytes.as_ref())
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
        Leniency::Strict => strict_vec(&URL_SAFE, text),
        Leniency::Lenient => lenient_vec(text, any_sextet, missing_padding(text)),
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
    let mut text = text(&STANDARD, bytes.as_ref());
    text.push_str(&"==="[..missing_padding(text.as_bytes())]);
    text
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
        Leniency::Strict if text.len() % 4 != 0 => Err(Base64Error),
        Leniency::Strict => {
            let padding = [&b"=="[..], b"="];
            let unpadded = padding
                .iter()
                .find_map(|padding| text.strip_suffix(*padding));
            strict_vec(&STANDARD, unpadded.unwrap_or(text))
        }
        Leniency::Lenient => lenient_vec(text, |character| STANDARD.sextet(character), 0),
    }
}

/// Appends the URL-safe text of the bytes.
pub(crate) fn encode_into(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + encoded_length(bytes.len()), 0);
    URL_SAFE.encode(bytes, &mut out[start..]);
}

/// The most bytes that [`decode_small`] can hand out.
pub(crate) const SMALL: usize = 64;

/// Decodes at most 64 bytes without allocating; `None` if it is more or not base64.
pub(crate) fn decode_small<'b>(
    text: &[u8],
    leniency: Leniency,
    buffer: &'b mut [u8; SMALL],
) -> Option<&'b [u8]> {
    let length = match leniency {
        Leniency::Strict => {
            let length = decoded_length(text.len());
            URL_SAFE.decode(text, buffer.get_mut(..length)?)?;
            length
        }
        Leniency::Lenient => {
            let mut length = 0;
            let decoded = lenient(text, any_sextet, missing_padding(text), |byte| {
                let slot = buffer.get_mut(length)?;
                *slot = byte;
                length += 1;
                Some(())
            });
            decoded.map(|()| length)?
        }
    };
    buffer.get(..length)
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
    let bits = text.iter().try_fold(0_u128, |bits, &character| {
        Some(bits << 6 | u128::from(URL_SAFE.sextet(character)?))
    })?;
    let number = u64::try_from(bits >> unused).ok()?;
    (u128::from(number) << unused == bits).then_some(number)
}

/// How many `=` itsdangerous appends, counting foreign characters as well.
fn missing_padding(text: &[u8]) -> usize {
    text.len().wrapping_neg() % 4
}

fn text(alphabet: &Alphabet, bytes: &[u8]) -> String {
    let mut text = vec![0; encoded_length(bytes.len())];
    alphabet.encode(bytes, &mut text);
    // All of them are ASCII.
    String::from_utf8(text).unwrap_or_default()
}

fn strict_vec(alphabet: &Alphabet, text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    let mut bytes = vec![0; decoded_length(text.len())];
    alphabet.decode(text, &mut bytes).ok_or(Base64Error)?;
    Ok(bytes)
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

/// Python takes the URL-safe characters for the standard ones, and those for themselves.
fn any_sextet(character: u8) -> Option<u8> {
    (URL_SAFE.sextet(character)).or_else(|| STANDARD.sextet(character))
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
