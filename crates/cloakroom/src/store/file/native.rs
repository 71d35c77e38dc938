//! A file of the native layout:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `cloakrm` and the version of the layout, 1 |
//! | 8 | expiry in Unix seconds, little-endian |
//! | 8 | the first bytes of the SHA-256 of everything else |
//! | 2 | length of the key, little-endian |
//! | … | the key, then the value |

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::layout::{Broken, Entry};

const MAGIC: &[u8; 8] = b"cloakrm\x01";
const EXPIRY: usize = 8;
const CHECKSUM: usize = 16;
const LENGTH: usize = 24;
const KEY: usize = 26;

pub(super) fn encode(key: &str, expiry: u64, value: &[u8]) -> Vec<u8> {
    // The driver refuses keys over `MAX_KEY`.
    let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
    let mut file = Vec::with_capacity(KEY + key.len() + value.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&expiry.to_le_bytes());
    file.extend_from_slice(&[0; LENGTH - CHECKSUM]);
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(key.as_bytes());
    file.extend_from_slice(value);
    let checksum = checksum(&file);
    file[CHECKSUM..LENGTH].copy_from_slice(&checksum);
    file
}

pub(super) fn decode(key: &str, file: Bytes) -> Result<Entry, Broken> {
    let (found, value) = open(&file)?;
    if found != key.as_bytes() {
        return Err("it is the file of another key");
    }
    if file[CHECKSUM..LENGTH] != checksum(&file) {
        return Err("its checksum is wrong");
    }
    Ok(Entry {
        expiry: expiry(&file),
        value: file.slice(value..),
    })
}

pub(super) fn expiry(head: &[u8]) -> Option<u64> {
    let expiry = head.strip_prefix(MAGIC)?.first_chunk()?;
    Some(u64::from_le_bytes(*expiry))
}

/// The key in the beginning of a file, and where the value begins.
pub(super) fn open(head: &[u8]) -> Result<(&[u8], usize), Broken> {
    if !head.starts_with(MAGIC) {
        return Err("it is not a file of this layout");
    }
    let length = head.get(LENGTH..KEY).ok_or("it is cut off")?;
    let value = KEY + usize::from(u16::from_le_bytes([length[0], length[1]]));
    Ok((head.get(KEY..value).ok_or("it is cut off")?, value))
}

/// Of a file whose place for it is any bytes.
fn checksum(file: &[u8]) -> [u8; LENGTH - CHECKSUM] {
    let mut hash = Sha256::new();
    hash.update(&file[EXPIRY..CHECKSUM]);
    hash.update(&file[LENGTH..]);
    let mut checksum = [0; LENGTH - CHECKSUM];
    checksum.copy_from_slice(&hash.finalize()[..LENGTH - CHECKSUM]);
    checksum
}
