//! What was copied, so that a later run goes on where this one was and catches up with what has changed since.
//!
//! A text file that only grows: `>` before an entry is written, `+` once it is, `-` when it is gone. It holds hashes
//! and times, no keys and no values.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::rule::{Copied, Hash, Known};
use crate::output::Failure;

/// What is known of each key.
pub(super) struct State {
    salt: Hash,
    known: HashMap<Hash, Known>,
    file: Option<File>,
    /// Lines that are not in the file yet.
    lines: String,
}

const TITLE: &str = "cloakroom migration 1";

impl State {
    /// Of a run that leaves nothing behind.
    pub(super) fn in_memory() -> Result<Self, Failure> {
        Ok(Self {
            salt: salt()?,
            known: HashMap::new(),
            file: None,
            lines: String::new(),
        })
    }

    /// The state in a file, which is made if there is none. `between` names both stores: a file belongs to them.
    pub(super) fn open(path: &Path, between: &str, dry: bool) -> Result<Self, Failure> {
        let failed =
            |reason: &str| Failure::Misuse(format!("the state file {} {reason}", path.display()));
        let broken = |error: std::io::Error| failed(&format!("can't be used: {error}"));
        if dry && !path.exists() {
            return Self::in_memory();
        }
        let mut file = for_its_owner()
            .read(true)
            .write(!dry)
            .create(!dry)
            .truncate(false)
            .open(path)
            .map_err(broken)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(failed("is in use by another run")),
            Err(TryLockError::Error(error)) => return Err(broken(error)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(broken)?;
        // The run was cut off in the middle of its last line.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        text.truncate(whole);
        let mut state = match text.split_once('\n') {
            None => Self {
                file: None,
                ..Self::in_memory()?
            },
            Some((first, lines)) => Self::read(first, lines, between).map_err(failed)?,
        };
        if dry {
            return Ok(state);
        }
        file.set_len(whole as u64).map_err(broken)?;
        file.seek(SeekFrom::End(0)).map_err(broken)?;
        state.file = Some(file);
        if whole == 0 {
            let ends = hexadecimal(&state.hash(between.as_bytes()));
            state.lines = format!("{TITLE} {} {ends}\n", hexadecimal(&state.salt));
            state.flush()?;
        }
        Ok(state)
    }

    fn read(first: &str, lines: &str, between: &str) -> Result<Self, &'static str> {
        const FOREIGN: &str = "is none that this command wrote: give another path";
        let (salt, ends) = first
            .strip_prefix(TITLE)
            .and_then(|rest| rest.trim_start().split_once(' '))
            .ok_or(FOREIGN)?;
        let mut state = Self {
            salt: unhex(salt).ok_or(FOREIGN)?,
            known: HashMap::new(),
            file: None,
            lines: String::new(),
        };
        if unhex(ends) != Some(state.hash(between.as_bytes())) {
            return Err("belongs to a migration between other stores: give another path");
        }
        for line in lines.lines() {
            state.read_line(line).ok_or(FOREIGN)?;
        }
        Ok(state)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let (sign, key) = (words.next()?, unhex(words.next()?)?);
        if sign == "-" {
            self.known.remove(&key);
            return Some(());
        }
        let copied = Copied {
            source: unhex(words.next()?)?,
            target: unhex(words.next()?)?,
            until: words.next()?.parse().ok()?,
        };
        match sign {
            ">" => self.known.entry(key).or_default().begun = Some(copied),
            "+" => self.known.insert(key, done(copied)).map_or((), drop),
            _ => return None,
        }
        Some(())
    }

    /// The hash that stands for a key or a value.
    pub(super) fn hash(&self, bytes: &[u8]) -> Hash {
        hash(self.salt, bytes)
    }

    /// For hashing elsewhere.
    pub(super) fn salt(&self) -> Hash {
        self.salt
    }

    pub(super) fn known(&self, key: Hash) -> Known {
        self.known.get(&key).copied().unwrap_or_default()
    }

    /// The keys of which something is known.
    pub(super) fn keys(&self) -> impl Iterator<Item = (Hash, Known)> {
        self.known.iter().map(|(key, known)| (*key, *known))
    }

    /// Whatever becomes of the write, a later run knows that it may have happened, once this is
    /// [flushed](Self::flush).
    pub(super) fn begin(&mut self, key: Hash, copied: Copied) {
        self.known.entry(key).or_default().begun = Some(copied);
        self.line('>', key, Some(copied));
    }

    pub(super) fn finish(&mut self, key: Hash, copied: Copied) {
        self.known.insert(key, done(copied));
        self.line('+', key, Some(copied));
    }

    pub(super) fn forget(&mut self, key: Hash) {
        self.known.remove(&key);
        self.line('-', key, None);
    }

    fn line(&mut self, sign: char, key: Hash, copied: Option<Copied>) {
        if self.file.is_none() {
            return;
        }
        self.lines.push(sign);
        self.lines.push(' ');
        self.lines.push_str(&hexadecimal(&key));
        if let Some(copied) = copied {
            let (source, target) = (hexadecimal(&copied.source), hexadecimal(&copied.target));
            let until = copied.until.to_string();
            for word in [&source, &target, &until] {
                self.lines.push(' ');
                self.lines.push_str(word);
            }
        }
        self.lines.push('\n');
    }

    /// Hands the lines to the system.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let written = match &mut self.file {
            Some(file) => file.write_all(self.lines.as_bytes()),
            None => Ok(()),
        };
        self.lines.clear();
        written
            .map_err(|error| Failure::Misuse(format!("the state file can't be written: {error}")))
    }
}

fn done(copied: Copied) -> Known {
    Known {
        done: Some(copied),
        begun: None,
    }
}

pub(super) fn hash(salt: Hash, bytes: &[u8]) -> Hash {
    let whole = Sha256::new().chain_update(salt).chain_update(bytes);
    let mut hash = Hash::default();
    hash.copy_from_slice(&whole.finalize()[..16]);
    hash
}

fn salt() -> Result<Hash, Failure> {
    let mut salt = Hash::default();
    getrandom::fill(&mut salt)
        .map_err(|_| Failure::Misuse("the system gives no random bytes".to_owned()))?;
    Ok(salt)
}

fn for_its_owner() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn hexadecimal(hash: &Hash) -> String {
    format!("{:032x}", u128::from_be_bytes(*hash))
}

fn unhex(digits: &str) -> Option<Hash> {
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(number: u8) -> Copied {
        Copied {
            source: [number; 16],
            target: [number + 1; 16],
            until: 7,
        }
    }

    #[test]
    fn a_later_run_knows_what_an_earlier_one_did_and_what_it_had_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let open = || State::open(&path, "a and b", false).unwrap();
        let mut state = open();
        let key = |name: &str| hash(state.salt, name.as_bytes());
        let keys = [key("done"), key("begun"), key("gone")];
        state.finish(keys[0], copied(1));
        state.finish(keys[1], copied(2));
        state.begin(keys[1], copied(3));
        state.finish(keys[2], copied(4));
        state.forget(keys[2]);
        state.flush().unwrap();
        drop(state);
        // Cut off in the middle of a line.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"+ 0011").unwrap();
        drop(file);
        let mut state = open();
        assert_eq!(state.hash(b"done"), keys[0]);
        assert_eq!(state.known(keys[0]), done(copied(1)));
        let begun = Known {
            begun: Some(copied(3)),
            ..done(copied(2))
        };
        assert_eq!(state.known(keys[1]), begun);
        assert_eq!(state.known(keys[2]), Known::default());
        assert_eq!(state.keys().count(), 2);
        state.finish(keys[1], copied(5));
        state.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("done") && text.ends_with(" 7\n"), "{text}");
        drop(state);
        assert_eq!(open().known(keys[1]), done(copied(5)));
    }

    #[test]
    fn only_one_run_has_the_file_and_only_for_its_own_stores() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let held = State::open(&path, "a and b", false).unwrap();
        let refused = |between| match State::open(&path, between, false) {
            Err(Failure::Misuse(text)) => text,
            _ => panic!("it is taken"),
        };
        assert!(refused("a and b").contains("another run"));
        drop(held);
        assert!(refused("a and c").contains("other stores"));
        std::fs::write(&path, "notes\nof mine\n").unwrap();
        assert!(refused("a and b").contains("none that this command wrote"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "notes\nof mine\n");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        drop(State::open(&path, "a and b", false).unwrap());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
