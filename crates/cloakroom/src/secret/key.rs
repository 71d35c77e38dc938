use std::{
    env, fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::published;
use crate::hexadecimal::hexadecimal;

/// One secret key: Flask's `SECRET_KEY`.
///
/// Whoever knows it can write any session. It is wiped from memory when dropped, and neither `Debug` nor any error
/// shows it.
///
/// ```
/// use cloakroom::SecretKey;
///
/// let key = SecretKey::generate()?;
/// assert_eq!(key.expose_secret().len(), 64);
/// assert_eq!(format!("{key:?}"), "SecretKey(redacted)");
/// # Ok::<(), cloakroom::SecretKeyError>(())
/// ```
#[doc(alias = "SECRET_KEY")]
#[derive(Clone)]
pub struct SecretKey(Zeroizing<Vec<u8>>);

impl SecretKey {
    /// The shortest key, in bytes, that [`checked`](Self::checked), [`from_env`](Self::from_env) and
    /// [`from_file`](Self::from_file) accept: 128 bits.
    pub const MIN_LENGTH: usize = 16;

    /// The largest file, in bytes, that [`from_file`](Self::from_file) reads.
    pub const MAX_FILE_LENGTH: usize = 64 * 1024;

    /// The key with exactly these bytes. Text counts as its UTF-8 bytes, as in Python.
    ///
    /// For a key that is written down in a configuration prefer [`checked`](Self::checked), which also refuses keys
    /// that can be guessed.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Empty`] for no bytes at all.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, SecretKeyError> {
        Self::from_bytes(Zeroizing::new(bytes.as_ref().to_vec()))
    }

    /// The key with these bytes, if an attacker would not guess it.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Empty`], [`SecretKeyError::TooShort`] under [`MIN_LENGTH`](Self::MIN_LENGTH) bytes, or
    /// [`SecretKeyError::Published`] for a key out of a tutorial, a framework's documentation or a product's default
    /// configuration (CVE-2023-27524 and CVE-2020-17526 were that).
    pub fn checked(bytes: impl AsRef<[u8]>) -> Result<Self, SecretKeyError> {
        Self::new(bytes)?.refuse_weak()
    }

    /// The checked key in an environment variable.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Unset`], or what [`checked`](Self::checked) refuses; each names the variable.
    pub fn from_env(name: &str) -> Result<Self, SecretKeyError> {
        let value = env::var_os(name).ok_or_else(|| SecretKeyError::Unset {
            name: name.to_owned(),
        })?;
        Self::from_bytes(Zeroizing::new(value.into_encoded_bytes()))
            .and_then(Self::refuse_weak)
            .map_err(|error| error.found_in(format!("environment variable {name}")))
    }

    /// The checked key in a file, as container platforms mount their secrets. One line end after it does not count.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Unreadable`], [`SecretKeyError::TooLong`] over
    /// [`MAX_FILE_LENGTH`](Self::MAX_FILE_LENGTH) bytes, or what [`checked`](Self::checked) refuses; each names the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SecretKeyError> {
        let path = path.as_ref();
        let mut bytes = File::open(path)
            .and_then(|file| read_capped(file, Self::MAX_FILE_LENGTH))
            .map_err(|source| SecretKeyError::Unreadable {
                path: path.to_owned(),
                source,
            })?
            .ok_or_else(|| SecretKeyError::TooLong {
                path: path.to_owned(),
            })?;
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        Self::from_bytes(bytes)
            .and_then(Self::refuse_weak)
            .map_err(|error| error.found_in(format!("file {}", path.display())))
    }

    /// A new key: 32 random bytes from the operating system, written as 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::NoRandomness`] if the operating system has none to give. There is no weaker substitute.
    #[doc(alias = "token_hex")]
    pub fn generate() -> Result<Self, SecretKeyError> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(random.as_mut_slice()).map_err(|_| SecretKeyError::NoRandomness)?;
        let mut text = Zeroizing::new(Vec::with_capacity(2 * random.len()));
        for byte in random.iter() {
            text.push(DIGITS[usize::from(byte >> 4)]);
            text.push(DIGITS[usize::from(byte & 15)]);
        }
        Ok(Self(text))
    }

    /// A key that may be short and well known, for a developer's machine and for tests only. A warning is logged.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Empty`] for no bytes at all.
    pub fn insecure_for_development(bytes: impl AsRef<[u8]>) -> Result<Self, SecretKeyError> {
        let key = Self::new(bytes)?;
        tracing::warn!("an insecure secret key is in use; anybody may forge sessions");
        Ok(key)
    }

    /// The bytes of the key, to store a [generated](Self::generate) one. Do not log them.
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }

    /// Eight hexadecimal digits that differ between keys, to compare those of two servers by: the beginning of an
    /// HMAC-SHA256 under the key. It says nothing about a key that cannot be guessed.
    pub fn fingerprint(&self) -> String {
        // A key of any length will do for an HMAC.
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        let digest = mac.chain_update(b"cloakroom key fingerprint").finalize();
        hexadecimal(&digest.into_bytes()[..4])
    }

    fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Self, SecretKeyError> {
        if bytes.is_empty() {
            Err(SecretKeyError::Empty)
        } else {
            Ok(Self(bytes))
        }
    }

    /// A known key is called known even when it is short as well: that is the more useful message.
    fn refuse_weak(self) -> Result<Self, SecretKeyError> {
        if published::contains(&self.0) {
            Err(SecretKeyError::Published)
        } else if self.0.len() < Self::MIN_LENGTH {
            Err(SecretKeyError::TooShort)
        } else {
            Ok(self)
        }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretKey(redacted)")
    }
}

/// Why there is no secret key. No variant holds any part of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretKeyError {
    /// The key has no bytes.
    #[error(
        "the secret key is empty; make one with `python -c 'import secrets; print(secrets.token_hex())'`"
    )]
    Empty,
    /// The key has fewer than [`SecretKey::MIN_LENGTH`] bytes.
    #[error(
        "the secret key is shorter than 16 bytes; make one with `python -c 'import secrets; print(secrets.token_hex())'`"
    )]
    TooShort,
    /// The key is printed in a tutorial, a documentation or a product's default configuration.
    #[error(
        "the secret key is a published example that attackers try first; make one with `python -c 'import secrets; print(secrets.token_hex())'`"
    )]
    Published,
    /// The environment variable does not exist.
    #[error("environment variable {name} is not set; put the secret key there")]
    Unset {
        /// The variable's name.
        name: String,
    },
    /// The file could not be read.
    #[error("the secret key file {} could not be read", path.display())]
    Unreadable {
        /// The file's path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file holds more than [`SecretKey::MAX_FILE_LENGTH`] bytes.
    #[error("the file {} is too long for a secret key; is it the right one?", path.display())]
    TooLong {
        /// The file's path.
        path: PathBuf,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes; a key cannot be made safely")]
    NoRandomness,
    /// A key was found, but it is refused.
    #[error("{place}: {reason}")]
    Refused {
        /// Where the key was found.
        place: String,
        /// Why it is refused.
        reason: Box<SecretKeyError>,
    },
}

impl SecretKeyError {
    fn found_in(self, place: String) -> Self {
        Self::Refused {
            place,
            reason: Box::new(self),
        }
    }
}

/// The whole file, or `None` if it is longer than so many bytes.
pub(super) fn read_capped(file: File, cap: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Room for all of it from the start: a growing buffer would leave unwiped copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(cap + 1));
    file.take(cap as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= cap).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(result: Result<SecretKey, SecretKeyError>) -> SecretKeyError {
        match result.unwrap_err() {
            SecretKeyError::Refused { reason, .. } => *reason,
            error => error,
        }
    }

    fn file(name: &str, content: &[u8]) -> PathBuf {
        let path = env::temp_dir().join(format!("cloakroom-secret-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn s57_weak_keys_are_refused_where_keys_are_configured() {
        assert!(matches!(
            reason(SecretKey::checked("")),
            SecretKeyError::Empty
        ));
        assert!(matches!(
            reason(SecretKey::checked([7; 15])),
            SecretKeyError::TooShort
        ));
        assert_eq!(
            SecretKey::checked([7; 16]).unwrap().expose_secret(),
            [7; 16]
        );
        for known in [
            &b"dev"[..],
            b"Secret-Key",
            b"SUPERSECRETKEY",
            b"temporary_key",
            b"CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
            b"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
            b"_5#y2L\"F4Q8z\n\xec]/",
        ] {
            assert!(matches!(
                reason(SecretKey::checked(known)),
                SecretKeyError::Published
            ));
            assert_eq!(SecretKey::new(known).unwrap().expose_secret(), known);
            assert_eq!(
                SecretKey::insecure_for_development(known)
                    .unwrap()
                    .expose_secret(),
                known
            );
        }
        // One more or one other byte makes another key.
        assert!(SecretKey::checked("CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET.").is_ok());
        assert!(SecretKey::checked("CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRE-").is_ok());
    }

    #[test]
    fn empty_keys_are_refused_everywhere() {
        assert!(matches!(SecretKey::new([]), Err(SecretKeyError::Empty)));
        assert!(matches!(
            SecretKey::insecure_for_development(""),
            Err(SecretKeyError::Empty)
        ));
        let path = file("empty", b"\n");
        assert!(matches!(
            reason(SecretKey::from_file(&path)),
            SecretKeyError::Empty
        ));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn keys_come_from_the_environment() {
        // Cargo sets these for every test.
        assert_eq!(
            SecretKey::from_env("CARGO_MANIFEST_DIR")
                .unwrap()
                .expose_secret(),
            env::var("CARGO_MANIFEST_DIR").unwrap().as_bytes()
        );
        let error = SecretKey::from_env("CARGO_PKG_NAME").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("environment variable CARGO_PKG_NAME: the secret key is shorter")
        );
        assert!(matches!(reason(Err(error)), SecretKeyError::TooShort));
        for absent in ["CLOAKROOM_TEST_NO_SUCH_VARIABLE", "", "=", "nul\0"] {
            assert!(
                matches!(
                    SecretKey::from_env(absent),
                    Err(SecretKeyError::Unset { .. })
                ),
                "{absent:?}"
            );
        }
    }

    #[test]
    fn keys_come_from_files_without_their_line_end() {
        for (name, content, key) in [
            (
                "unix",
                &b"0123456789 abcdef\n"[..],
                &b"0123456789 abcdef"[..],
            ),
            ("dos", b"0123456789 abcdef\r\n", b"0123456789 abcdef"),
            ("bare", b"0123456789 abcdef", b"0123456789 abcdef"),
            ("two", b"0123456789 abcdef\n\n", b"0123456789 abcdef\n"),
            ("carriage", b"0123456789 abcdef\r", b"0123456789 abcdef\r"),
        ] {
            let path = file(name, content);
            assert_eq!(
                SecretKey::from_file(&path).unwrap().expose_secret(),
                key,
                "{name}"
            );
            std::fs::remove_file(path).unwrap();
        }
        let path = file("long", &vec![b'x'; SecretKey::MAX_FILE_LENGTH + 1]);
        assert!(matches!(
            SecretKey::from_file(&path),
            Err(SecretKeyError::TooLong { .. })
        ));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            SecretKey::from_file(&path),
            Err(SecretKeyError::Unreadable { .. })
        ));
    }

    #[test]
    fn generated_keys_are_what_token_hex_makes() {
        let [a, b] = [(); 2].map(|()| SecretKey::generate().unwrap());
        assert_eq!(a.expose_secret().len(), 64);
        assert!(
            a.expose_secret()
                .iter()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        );
        assert_ne!(a.expose_secret(), b.expose_secret());
        assert!(SecretKey::checked(a.expose_secret()).is_ok());
    }

    #[test]
    fn s09_debug_and_errors_do_not_show_keys() {
        let key = SecretKey::new("hunter2").unwrap();
        assert_eq!(format!("{key:?}"), "SecretKey(redacted)");
        for error in [
            SecretKey::checked("hunter2").unwrap_err(),
            SecretKey::checked("supersecretkey").unwrap_err(),
        ] {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("supersecretkey"));
        }
    }
}
