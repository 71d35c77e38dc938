//! The keys of this run: from a file, from the environment, or made for development.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloakroom::{KeyRing, KeyWatcher, SecretKey, SecretKeyError};

use crate::StartError;
use crate::start::unwritable;

/// The keys of this run, and where they came from.
#[derive(Debug)]
pub struct Keys {
    /// The keys.
    pub keys: cloakroom::Keys,
    /// Where they came from, to be told to whoever started the tour.
    pub origin: KeysOrigin,
    /// Reads the key file again as long as this lives.
    _watcher: Option<KeyWatcher>,
}

/// Where the keys came from.
#[derive(Debug)]
pub enum KeysOrigin {
    /// `SECRET_KEY` in the environment.
    Environment,
    /// The development key in this file.
    File(PathBuf),
    /// The development key in this file, made just now.
    NewFile(PathBuf),
    /// This file of keys.
    KeyFile(PathBuf),
    /// This file of keys, made just now.
    NewKeyFile(PathBuf),
}

impl fmt::Display for KeysOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => write!(formatter, "The key is SECRET_KEY."),
            Self::File(path) => write!(
                formatter,
                "The key is the development key in {}; set SECRET_KEY to use another.",
                path.display()
            ),
            Self::NewFile(path) => write!(
                formatter,
                "No SECRET_KEY is set: a development key was made and is kept in {}.",
                path.display()
            ),
            Self::KeyFile(path) => write!(
                formatter,
                "The keys are in {}; change them there, and they are in use within seconds.",
                path.display()
            ),
            Self::NewKeyFile(path) => write!(
                formatter,
                "A key was made and is kept in {}; add others there, and they are in use within seconds.",
                path.display()
            ),
        }
    }
}

/// The keys from the environment, else the development key in the data folder, made when there is none.
///
/// # Errors
///
/// [`StartError::Key`] and [`StartError::Fallback`] for a key that can be guessed, [`StartError::Data`] if the
/// development key cannot be kept.
pub fn keys(data: &Path) -> Result<Keys, StartError> {
    let (signing, origin) = match SecretKey::from_env("SECRET_KEY") {
        Err(SecretKeyError::Unset { .. }) => development_key(data)?,
        from_environment => (from_environment?, KeysOrigin::Environment),
    };
    let fallbacks = std::env::var("SECRET_KEY_FALLBACKS").unwrap_or_default();
    let ring = fallbacks
        .split(',')
        .filter(|key| !key.is_empty())
        .try_fold(KeyRing::new(signing), |ring, key| {
            SecretKey::checked(key).map(|key| ring.fallback(key))
        })
        .map_err(StartError::Fallback)?;
    Ok(Keys {
        keys: ring.into(),
        origin,
        _watcher: None,
    })
}

/// How often the key file is read again.
const WATCH: Duration = Duration::from_secs(5);

/// The keys in this file, made with one key when it is missing. Inside a tokio runtime, which watches it.
///
/// # Errors
///
/// [`StartError::KeyFile`] for what is wrong in it, [`StartError::NewKeyFile`] if it cannot be made.
pub fn keys_in(file: &Path) -> Result<Keys, StartError> {
    let path = file.to_owned();
    let origin = match path.exists() {
        true => KeysOrigin::KeyFile(path),
        false => {
            make_key_file(file)?;
            KeysOrigin::NewKeyFile(path)
        }
    };
    let keys = cloakroom::Keys::from_file(file)?;
    let watcher = keys.watch(WATCH);
    Ok(Keys {
        keys,
        origin,
        _watcher: Some(watcher),
    })
}

fn make_key_file(file: &Path) -> Result<(), StartError> {
    let key = SecretKey::generate()?;
    let write = || {
        let mut out = new_private_file(file)?;
        out.write_all(b"{\"keys\": [\n  {\"id\": \"first\", \"secret\": \"")?;
        out.write_all(key.expose_secret())?;
        out.write_all(b"\"}\n]}\n")
    };
    write().map_err(|source| StartError::NewKeyFile {
        path: file.to_owned(),
        source,
    })
}

fn development_key(data: &Path) -> Result<(SecretKey, KeysOrigin), StartError> {
    let path = data.join("secret_key");
    if path.exists() {
        return Ok((SecretKey::from_file(&path)?, KeysOrigin::File(path)));
    }
    let key = SecretKey::generate()?;
    fs::create_dir_all(data)
        .and_then(|()| new_private_file(&path)?.write_all(key.expose_secret()))
        .map_err(|source| unwritable(data, source))?;
    Ok((key, KeysOrigin::NewFile(path)))
}

/// A file that did not exist before and that only its owner can read.
fn new_private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
