//! A file of cachelib 0.17: four bytes of expiry, little-endian, 0 for never, and a pickle. Before 0.7 the
//! expiry was a pickled number.

use bytes::Bytes;

use super::layout::{Broken, Entry};
use crate::store::StoreError;

/// The key of the file in which cachelib counts its files.
pub(super) const COUNT_KEY: &str = "__wz_cache_count";

/// The SHA-256 of [`COUNT_KEY`], which is the file's name.
pub(super) const COUNT_NAME: &str =
    "79bc207ee04a581ab2348ca1f3494e64cd0ec36128735b8c6bc85ddd8fe1938c";
/// The MD5, which was its name before cachelib 0.16.
const OLD_COUNT_NAME: &str = "2029240f6d1128be89ddc32729463129";

pub(super) fn is_count(name: &str) -> bool {
    name == COUNT_NAME || name == OLD_COUNT_NAME
}

pub(super) fn encode(expiry: u64, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    let expiry = u32::try_from(expiry).map_err(|_| {
        StoreError::refused("cachelib's files hold no expiry after 2106: use a shorter lifetime")
    })?;
    Ok([&expiry.to_le_bytes(), value].concat())
}

pub(super) fn decode(file: Bytes) -> Result<Entry, Broken> {
    let (expiry, header) = header(&file).ok_or("it is cut off")?;
    Ok(Entry {
        expiry: (expiry != 0).then_some(expiry),
        value: file.slice(header..),
    })
}

pub(super) fn expiry(head: &[u8]) -> Option<u64> {
    header(head)
        .map(|(expiry, _)| expiry)
        .filter(|expiry| *expiry != 0)
}

/// The expiry at the beginning of a file and how many bytes it takes.
pub(super) fn header(file: &[u8]) -> Option<(u64, usize)> {
    if let Some((expiry, length)) = pickled_number(file) {
        // Four bytes of time could look like a pickled number; but then no pickle follows it.
        if matches!(file[length..], [0x80, 2..=5, ..]) {
            return Some((u64::try_from(expiry).unwrap_or(0), length));
        }
    }
    let expiry = file.first_chunk()?;
    Some((u64::from(u32::from_le_bytes(*expiry)), expiry.len()))
}

/// A whole number (or the whole part of a float) that any protocol of Python's pickle wrote at the
/// beginning of `bytes`, and how many bytes it takes.
fn pickled_number(bytes: &[u8]) -> Option<(i64, usize)> {
    let mut rest = bytes;
    if let [0x80, 0..=5, tail @ ..] = rest {
        rest = tail;
    }
    if let [0x95, _, _, _, _, _, _, _, _, tail @ ..] = rest {
        rest = tail;
    }
    let (number, rest) = match rest {
        [0x4B, a, tail @ ..] => (i64::from(*a), tail),
        [0x4D, a, b, tail @ ..] => (i64::from(u16::from_le_bytes([*a, *b])), tail),
        [0x4A, a, b, c, d, tail @ ..] => (i64::from(i32::from_le_bytes([*a, *b, *c, *d])), tail),
        [0x47, tail @ ..] => {
            let (float, tail) = tail.split_first_chunk()?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the whole part is meant, and `as` saturates"
            )]
            (f64::from_be_bytes(*float) as i64, tail)
        }
        [0x8A, length @ 0..=8, tail @ ..] => {
            let (digits, tail) = tail.split_at_checked(usize::from(*length))?;
            let sign = digits
                .last()
                .map_or(0, |last| if *last > 127 { 0xFF } else { 0 });
            let mut number = [sign; 8];
            number[..digits.len()].copy_from_slice(digits);
            (i64::from_le_bytes(number), tail)
        }
        [0x49 | 0x4C, tail @ ..] => {
            let end = tail.iter().take(24).position(|byte| *byte == b'\n')?;
            let digits = tail[..end].strip_suffix(b"L").unwrap_or(&tail[..end]);
            (
                std::str::from_utf8(digits).ok()?.parse().ok()?,
                &tail[end + 1..],
            )
        }
        _ => return None,
    };
    let rest = rest.strip_prefix(b".")?;
    Some((number, bytes.len() - rest.len()))
}

/// The number in a count file.
pub(super) fn decode_count(file: &[u8]) -> Option<u64> {
    let (_, pickle) = file.split_at_checked(4)?;
    let (count, length) = pickled_number(pickle)?;
    (length == pickle.len()).then_some(count)?.try_into().ok()
}

/// A count file, as protocol 5 of Python's pickle writes it.
pub(super) fn encode_count(count: u64) -> Vec<u8> {
    let mut number = match (
        u8::try_from(count),
        u16::try_from(count),
        i32::try_from(count),
    ) {
        (Ok(count), _, _) => vec![0x4B, count],
        (_, Ok(count), _) => [&[0x4D], &count.to_le_bytes()[..]].concat(),
        (_, _, Ok(count)) => [&[0x4A], &count.to_le_bytes()[..]].concat(),
        // Nobody has so many files; what cachelib cannot read it counts anew.
        _ => vec![0x4B, 0],
    };
    number.push(b'.');
    let mut file = vec![0, 0, 0, 0, 0x80, 0x05];
    // Python frames what has four bytes or more.
    if number.len() >= 4 {
        file.push(0x95);
        file.extend_from_slice(&(number.len() as u64).to_le_bytes());
    }
    file.extend_from_slice(&number);
    file
}
