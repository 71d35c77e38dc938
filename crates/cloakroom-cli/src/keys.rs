//! Where keys come from: the environment, a file or a hidden prompt, never an argument that a process list shows.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use cloakroom::token::signed::Digest;
use cloakroom::{SecretKey, SecretKeyError};
use zeroize::Zeroizing;

use crate::output::{Failure, warn};

/// The variable that Flask tutorials and deployments use.
const USUAL_VARIABLE: &str = "SECRET_KEY";

#[derive(Args)]
pub(crate) struct KeyArguments {
    /// The environment variable with the secret key [default: `SECRET_KEY` where it is set, else a prompt]
    #[arg(long, value_name = "NAME", conflicts_with = "secret_file")]
    secret_env: Option<String>,

    /// The file with the secret key
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,

    /// An environment variable with an older key, oldest first; may be given several times
    #[arg(long, value_name = "NAME")]
    fallback_env: Vec<String>,

    /// What the signature is for
    #[arg(long, default_value = "cookie-session")]
    pub(crate) salt: String,

    /// The hash of the signature
    #[arg(long, value_enum, default_value_t = Hash::Sha1)]
    pub(crate) digest: Hash,
}

/// The hashes a signature may use; Flask's is SHA-1.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl From<Hash> for Digest {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Sha1 => Self::Sha1,
            Hash::Sha256 => Self::Sha256,
            Hash::Sha384 => Self::Sha384,
            Hash::Sha512 => Self::Sha512,
        }
    }
}

/// A key and where it came from, to be able to say which one matched.
pub(crate) struct NamedKey {
    pub(crate) key: SecretKey,
    pub(crate) place: String,
}

impl KeyArguments {
    /// The key that signs.
    pub(crate) fn signing(&self) -> Result<NamedKey, Failure> {
        match (&self.secret_env, &self.secret_file) {
            (Some(name), _) => from_env(name),
            (None, Some(path)) => from_file(path),
            (None, None) if env::var_os(USUAL_VARIABLE).is_some() => from_env(USUAL_VARIABLE),
            (None, None) => from_prompt(),
        }
    }

    /// All keys in the order in which they are tried: the signing key, then the newest fallback first.
    pub(crate) fn verifying(&self) -> Result<Vec<NamedKey>, Failure> {
        let mut keys = vec![self.signing()?];
        for name in self.fallback_env.iter().rev() {
            keys.push(from_env(name)?);
        }
        Ok(keys)
    }
}

fn from_env(name: &str) -> Result<NamedKey, Failure> {
    let place = format!("environment variable {name}");
    match env::var_os(name) {
        Some(value) => named(&Zeroizing::new(value.into_encoded_bytes()), place),
        None => Err(Failure::Misuse(format!("{place} is not set"))),
    }
}

fn from_file(path: &Path) -> Result<NamedKey, Failure> {
    let place = format!("file {}", path.display());
    let mut bytes = Zeroizing::new(Vec::with_capacity(SecretKey::MAX_FILE_LENGTH + 1));
    File::open(path)
        .and_then(|file| {
            file.take(SecretKey::MAX_FILE_LENGTH as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(|error| Failure::Misuse(format!("{place} can't be read: {error}")))?;
    if bytes.len() > SecretKey::MAX_FILE_LENGTH {
        return Err(Failure::Misuse(format!(
            "{place} is too long for a secret key"
        )));
    }
    // As `SecretKey::from_file` does: the line end that editors and `echo` leave does not count.
    let key = match bytes.strip_suffix(b"\n") {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        None => &bytes,
    };
    named(key, place)
}

fn from_prompt() -> Result<NamedKey, Failure> {
    let missing = Failure::Misuse(format!(
        "no secret key: set {USUAL_VARIABLE}, or name a variable with --secret-env or a file with --secret-file"
    ));
    // A script gets an error instead of a question that nobody answers.
    if !io::stderr().is_terminal() {
        return Err(missing);
    }
    let typed = rpassword::prompt_password("Secret key: ").map_err(|_| missing)?;
    named(Zeroizing::new(typed).as_bytes(), "prompt".to_owned())
}

/// A key that can be guessed is used all the same: an operator has to be able to look into what is there.
fn named(bytes: &[u8], place: String) -> Result<NamedKey, Failure> {
    let refused = |error: SecretKeyError| Failure::Misuse(format!("{place}: {error}"));
    let key = match SecretKey::checked(bytes) {
        Err(error @ (SecretKeyError::TooShort | SecretKeyError::Published)) => {
            warn(&format!("{place}: {error}"));
            SecretKey::new(bytes).map_err(refused)?
        }
        other => other.map_err(refused)?,
    };
    Ok(NamedKey { key, place })
}
