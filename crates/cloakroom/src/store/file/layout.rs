use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{cachelib, native};
use crate::store::{StoreError, hashed::HASHED};

/// Which files hold which keys, and what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Ours: a subfolder for each first byte of the hash, and a header that can be checked.
    Native,
    /// cachelib's: one flat folder, and a header of four bytes.
    Cachelib,
}

/// What a file holds.
pub(super) struct Entry {
    /// The second from which it is missing; none is never.
    pub(super) expiry: Option<u64>,
    /// The bytes behind the header.
    pub(super) value: Bytes,
}

impl Entry {
    pub(super) fn is_live(&self, now: u64) -> bool {
        self.expiry.is_none_or(|expiry| now < expiry)
    }
}

/// Why a file is not an entry, for the log.
pub(super) type Broken = &'static str;

/// Where the files of one key are.
pub(super) struct Names {
    /// The entry.
    pub(super) entry: PathBuf,
    /// Where an older release of the neighbour kept it.
    pub(super) old: Option<PathBuf>,
    /// The tombstone; none where it can only stand in the entry's own place.
    pub(super) tombstone: Option<PathBuf>,
    /// Which lock the key is under.
    pub(super) shard: u8,
}

/// What a key begins with that stands for the one with this MD5: names of files were those before cachelib 0.16.
pub(super) const HASHED_BEFORE: &str = "md5:";

/// What follows the name of an entry in the name of its tombstone, or the key in the key.
const GONE: &str = "gone";

impl Layout {
    pub(super) fn names(self, root: &Path, key: &str) -> Names {
        if let Some(hash) = self.hash_in(key) {
            return Names {
                entry: root.join(hash),
                old: None,
                // Its name is made of the key as well.
                tombstone: None,
                shard: first_byte(hash),
            };
        }
        let hash = Sha256::digest(key.as_bytes());
        let shard = hash[0];
        match self {
            Self::Native => {
                let name = hex(&hash);
                let folder = root.join(&name[..2]);
                Names {
                    tombstone: Some(folder.join(format!("{name}.{GONE}"))),
                    entry: folder.join(name),
                    old: None,
                    shard,
                }
            }
            Self::Cachelib => Names {
                entry: root.join(hex(&hash)),
                old: Some(root.join(hex(&md5::Md5::digest(key.as_bytes())))),
                tombstone: Some(root.join(hex(&Sha256::digest(format!("{key}:{GONE}"))))),
                shard,
            },
        }
    }

    /// The name of the file, where it stands in the place of a key that nobody knows.
    fn hash_in(self, key: &str) -> Option<&str> {
        match self {
            Self::Native => None,
            Self::Cachelib => {
                let now = key.strip_prefix(HASHED).filter(|name| is_hex(name, 64));
                let before = || {
                    key.strip_prefix(HASHED_BEFORE)
                        .filter(|name| is_hex(name, 32))
                };
                now.or_else(before)
            }
        }
    }

    /// Whether a key can be told from the tombstone of another.
    pub(super) fn takes(self, key: &str) -> bool {
        match self {
            Self::Native => true,
            Self::Cachelib => {
                let tombstone = key.strip_suffix(GONE).is_some_and(|key| key.ends_with(':'));
                let count =
                    key == cachelib::COUNT_KEY || self.hash_in(key).is_some_and(cachelib::is_count);
                !tombstone && !count
            }
        }
    }

    /// The file for an entry.
    pub(super) fn encode(
        self,
        key: &str,
        expiry: u64,
        value: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Native => Ok(native::encode(key, expiry, value)),
            Self::Cachelib => cachelib::encode(expiry, value),
        }
    }

    /// The entry in a file that was found under the name of `key`.
    pub(super) fn decode(self, key: &str, file: Bytes) -> Result<Entry, Broken> {
        match self {
            Self::Native => native::decode(key, file),
            Self::Cachelib => cachelib::decode(file).map(|entry| {
                // A tombstone in the entry's place: as good as expired.
                let gone = entry.value == self.tombstone() && self.hash_in(key).is_some();
                let expiry = if gone { Some(0) } else { entry.expiry };
                Entry { expiry, ..entry }
            }),
        }
    }

    /// The value of a tombstone: what a program that knows nothing of tombstones reads as no session.
    pub(super) fn tombstone(self) -> &'static [u8] {
        match self {
            Self::Native => b"\xC0",
            // None, as Python's pickle writes it.
            Self::Cachelib => b"\x80\x05N.",
        }
    }

    /// The expiry in the first [`HEAD`] bytes of a file; none if that is not a file of ours, or never.
    pub(super) fn expiry(self, head: &[u8]) -> Option<u64> {
        match self {
            Self::Native => native::expiry(head),
            Self::Cachelib => cachelib::expiry(head),
        }
    }

    /// Whether a file of this name can be an entry or a tombstone. Others are left alone.
    pub(super) fn is_entry(self, name: &str) -> bool {
        match self {
            Self::Native => {
                let tombstone = name
                    .strip_suffix(GONE)
                    .and_then(|name| name.strip_suffix('.'));
                is_hex(tombstone.unwrap_or(name), 64)
            }
            Self::Cachelib => (is_hex(name, 64) || is_hex(name, 32)) && !cachelib::is_count(name),
        }
    }

    /// How names of files that are being written end.
    pub(super) fn temporary(self) -> &'static str {
        match self {
            Self::Native => ".tmp",
            Self::Cachelib => ".__wz_cache",
        }
    }

    /// The folder of the lock files. cachelib neither counts nor removes what ends like its temporary files.
    pub(super) fn locks(self) -> &'static str {
        match self {
            Self::Native => "locks",
            Self::Cachelib => "cloakroom-locks.__wz_cache",
        }
    }
}

/// Enough of a file for [`Layout::expiry`].
pub(super) const HEAD: usize = 64;

/// The first byte of a hash that is written in hexadecimal.
pub(super) fn first_byte(name: &str) -> u8 {
    let digits = name.get(..2).unwrap_or_default();
    u8::from_str_radix(digits, 16).unwrap_or(0)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

fn is_hex(name: &str, length: usize) -> bool {
    name.len() == length
        && name
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
