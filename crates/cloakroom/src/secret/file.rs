//! The file with an application's keys.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Keys, KeysError, ScheduledKey, SecretKey, key::read_capped, schedule::MAX_KEYS};
use crate::{
    json::{self, JsonError, RawText, Scanner, Token},
    value::DateTime,
};

/// A key file as it was read, which is not looked into yet.
pub(super) struct KeyText {
    path: PathBuf,
    text: Zeroizing<Vec<u8>>,
    readable_by_all: bool,
}

impl KeyText {
    pub(super) fn read(path: &Path) -> Result<Self, KeysError> {
        let path = path.to_owned();
        let read = File::open(&path).and_then(|file| {
            let others = rights_of_others(&file)?;
            Ok((others, read_capped(file, Keys::MAX_FILE_LENGTH)?))
        });
        match read {
            Err(source) => Err(KeysError::Unreadable { path, source }),
            Ok((Rights { write: true, .. }, _)) => Err(KeysError::WritableByAll { path }),
            Ok((_, None)) => Err(KeysError::TooLong { path }),
            Ok((others, Some(text))) => Ok(Self {
                path,
                text,
                readable_by_all: others.read,
            }),
        }
    }

    /// Tells one content from another.
    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.text).into()
    }

    pub(super) fn keys(&self) -> Result<Vec<ScheduledKey>, KeysError> {
        // Containers get their secrets in files like this, and have no other user to read them: no error.
        if self.readable_by_all {
            tracing::warn!(
                path = %self.path.display(),
                "every user of this machine may read the key file; take that away (chmod o-r) if there are any"
            );
        }
        parse(&self.text)
    }
}

/// What users who neither own the file nor are in its group may do with it.
#[derive(Clone, Copy)]
struct Rights {
    read: bool,
    write: bool,
}

#[cfg(unix)]
fn rights_of_others(file: &File) -> io::Result<Rights> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode();
    Ok(Rights {
        read: mode & 0o004 != 0,
        write: mode & 0o002 != 0,
    })
}

#[cfg(not(unix))]
fn rights_of_others(_: &File) -> io::Result<Rights> {
    Ok(Rights {
        read: false,
        write: false,
    })
}

/// The keys in the text of a key file. Read straight from the text, so that no copy of a secret stays in memory.
pub(super) fn parse(text: &[u8]) -> Result<Vec<ScheduledKey>, KeysError> {
    // The whole, its list, one key.
    let mut scanner = Scanner::new(json::utf8(text)?, 3);
    scanner.skip_space();
    let Token::Object = scanner.token()? else {
        return Ok(scanner.error("an object with the member `keys`")?);
    };
    match scanner.first_key()? {
        Some(name) if scanner.slice(name.range.clone()) == b"keys" => {}
        _ => return Ok(scanner.error("the member `keys` alone")?),
    }
    let keys = list(&mut scanner)?;
    if scanner.next_key()?.is_some() {
        return Ok(scanner.error("the member `keys` alone")?);
    }
    scanner.end()?;
    Ok(keys)
}

fn list(scanner: &mut Scanner<'_>) -> Result<Vec<ScheduledKey>, KeysError> {
    let Token::Array = scanner.token()? else {
        return Ok(scanner.error("a list of keys")?);
    };
    let mut keys = Vec::new();
    let mut more = scanner.first_item();
    while more {
        if keys.len() == MAX_KEYS {
            return Err(KeysError::TooMany);
        }
        keys.push(Members::read(scanner)?.key(keys.len() + 1)?);
        more = scanner.next_item()?;
    }
    Ok(keys)
}

/// The members of one key, in whatever order they stand there.
#[derive(Default)]
struct Members {
    id: Option<Zeroizing<String>>,
    secret: Option<Zeroizing<String>>,
    not_before: Option<Time>,
    not_after: Option<Time>,
    revoked: Option<bool>,
}

enum Time {
    Unlimited,
    At(u64),
    Malformed,
}

impl Members {
    fn read(scanner: &mut Scanner<'_>) -> Result<Self, JsonError> {
        let Token::Object = scanner.token()? else {
            return scanner.error("an object with `id` and `secret`");
        };
        let mut members = Self::default();
        let mut next = scanner.first_key()?;
        while let Some(name) = next {
            let repeated = match scanner.slice(name.range) {
                b"id" => members.id.replace(text(scanner)?).is_some(),
                b"secret" => members.secret.replace(text(scanner)?).is_some(),
                b"not_before" => members.not_before.replace(time(scanner)?).is_some(),
                b"not_after" => members.not_after.replace(time(scanner)?).is_some(),
                b"revoked" => members.revoked.replace(truth(scanner)?).is_some(),
                // What stands there is not shown: a misplaced quote makes a member of a secret.
                _ => {
                    return scanner
                        .error("`id`, `secret`, `not_before`, `not_after` or `revoked` before it");
                }
            };
            if repeated {
                return scanner.error("each member once");
            }
            next = scanner.next_key()?;
        }
        Ok(members)
    }

    fn key(self, number: usize) -> Result<ScheduledKey, KeysError> {
        let id = self.id.ok_or(KeysError::Id { number })?;
        // Checked here already, because the errors below show it.
        if !super::schedule::is_id(&id) {
            return Err(KeysError::Id { number });
        }
        let id = id.as_str();
        let named = || id.to_owned();
        let secret = self
            .secret
            .ok_or_else(|| KeysError::NoSecret { id: named() })?;
        let revoked = self.revoked.unwrap_or(false);
        // A revoked key may be as weak as it likes: that may be why.
        let secret = if revoked {
            SecretKey::new(secret.as_bytes())
        } else {
            SecretKey::checked(secret.as_bytes())
        }
        .map_err(|source| KeysError::Secret {
            id: named(),
            source,
        })?;
        let mut key = ScheduledKey::new(id, secret);
        let malformed = |member| KeysError::Time {
            id: named(),
            member,
        };
        match self.not_before {
            None | Some(Time::Unlimited) => {}
            Some(Time::At(time)) => key = key.not_before(time),
            Some(Time::Malformed) => return Err(malformed("not_before")),
        }
        match self.not_after {
            None | Some(Time::Unlimited) => {}
            Some(Time::At(time)) => key = key.not_after(time),
            Some(Time::Malformed) => return Err(malformed("not_after")),
        }
        Ok(if revoked { key.revoked() } else { key })
    }
}

fn text(scanner: &mut Scanner<'_>) -> Result<Zeroizing<String>, JsonError> {
    let raw = scanner.string()?;
    match raw.as_plain(scanner) {
        Some(plain) => Ok(Zeroizing::new(plain.to_owned())),
        None => match raw.to_text(scanner).into_string() {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(_) => scanner.error("text without lone surrogates"),
        },
    }
}

fn truth(scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    match scanner.token()? {
        Token::Bool(truth) => Ok(truth),
        _ => scanner.error("true or false"),
    }
}

/// RFC 3339 with an offset, whole Unix seconds, or null.
fn time(scanner: &mut Scanner<'_>) -> Result<Time, JsonError> {
    let start = scanner.position();
    let time = match scanner.token()? {
        Token::Null => return Ok(Time::Unlimited),
        Token::Int => ascii(scanner.slice(start..scanner.position())).parse().ok(),
        Token::Text { escaped } => {
            let range = start + 1..scanner.position() - 1;
            let text = RawText { range, escaped }.as_plain(scanner);
            text.and_then(|text| text.parse::<DateTime>().ok())
                .filter(|time| time.offset().is_some())
                .and_then(|time| u64::try_from(time.unix_seconds()).ok())
        }
        _ => None,
    };
    Ok(time.map_or(Time::Malformed, Time::At))
}

fn ascii(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}
