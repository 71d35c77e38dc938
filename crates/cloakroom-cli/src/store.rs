//! Which store: a URL that may hold a password, so it comes from the environment or a file. An argument would
//! show in the list of processes, so there only a URL without one will do.

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use cloakroom::store::{Store, StoreError, StoreErrorKind};
use zeroize::Zeroizing;

use crate::output::Failure;

/// What stands for keys in the folders of cachelib, whose files do not hold them: the names of files.
pub(crate) const SHA256: &str = "sha256:";
/// The same of files of releases before 0.16.
pub(crate) const MD5: &str = "md5:";

const USUAL_VARIABLE: &str = "SESSION_STORE";
/// Far over any URL.
const MAX_FILE: u64 = 64 * 1024;

#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct StoreArguments {
    /// The environment variable with the store's URL [default: `SESSION_STORE`]
    #[arg(long, value_name = "NAME")]
    store_env: Option<String>,

    /// The file with the store's URL
    #[arg(long, value_name = "PATH")]
    store_file: Option<PathBuf>,

    /// The store's URL, if it has no password: `file:sessions`, `sqlite:app.db`, `redis://localhost`
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

impl StoreArguments {
    /// Whether an option names a store; the usual variable does not count.
    #[cfg(feature = "doctor")]
    pub(crate) fn is_given(&self) -> bool {
        self.store.is_some() || self.store_env.is_some() || self.store_file.is_some()
    }

    /// The store, connected.
    pub(crate) async fn open(&self) -> Result<Store, Failure> {
        let url = self.url()?;
        // Each process has its own, and this one's is about to end.
        if url.starts_with("memory:") {
            return Err(Failure::Misuse(
                "sessions in memory: are only in the process that serves them".to_owned(),
            ));
        }
        Store::from_url(&url).await.map_err(failed)
    }

    fn url(&self) -> Result<Zeroizing<String>, Failure> {
        let source = Source {
            option: "store",
            usual: USUAL_VARIABLE,
            env: self.store_env.as_deref(),
            file: self.store_file.as_deref(),
            url: self.store.as_deref(),
        };
        source.url()
    }
}

/// Where a store's URL comes from: the options `--NAME`, `--NAME-env` and `--NAME-file`, or the usual variable.
pub(crate) struct Source<'a> {
    pub(crate) option: &'a str,
    pub(crate) usual: &'a str,
    pub(crate) env: Option<&'a str>,
    pub(crate) file: Option<&'a Path>,
    pub(crate) url: Option<&'a str>,
}

impl Source<'_> {
    pub(crate) fn url(&self) -> Result<Zeroizing<String>, Failure> {
        let (option, usual) = (self.option, self.usual);
        match (self.env, self.file, self.url) {
            (_, _, Some(url)) if has_password(url) => Err(Failure::Misuse(format!(
                "the URL of --{option} holds a password, which the list of processes shows to everyone: \
                 put it into {usual}, another variable (--{option}-env) or a file (--{option}-file)"
            ))),
            (_, _, Some(url)) => Ok(Zeroizing::new(url.to_owned())),
            (_, Some(path), _) => from_file(path),
            (Some(name), ..) => from_env(name)?.ok_or_else(|| {
                Failure::Misuse(format!("environment variable {name} is not set"))
            }),
            (None, None, None) => from_env(usual)?.ok_or_else(|| {
                Failure::Misuse(format!(
                    "no store: set {usual} to its URL, or name a variable with --{option}-env or a file with --{option}-file"
                ))
            }),
        }
    }
}

/// A store that could not be opened or asked.
pub(crate) fn failed(error: StoreError) -> Failure {
    Failure::Refused {
        code: match error.kind() {
            StoreErrorKind::Unreachable => "store_unreachable",
            StoreErrorKind::TimedOut => "store_timed_out",
            _ => "store_refused",
        },
        reason: error.to_string(),
    }
}

/// Whether a URL holds a password: a colon before an at sign, or an option of that name.
fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let login = rest.rsplit_once('@').map(|(login, _)| login);
    login.is_some_and(|login| login.contains(':'))
        || rest.to_ascii_lowercase().contains("password=")
}

fn from_env(name: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    match env::var_os(name).map(std::ffi::OsString::into_string) {
        None => Ok(None),
        Some(Ok(url)) => Ok(Some(Zeroizing::new(url))),
        Some(Err(_)) => Err(Failure::Misuse(format!(
            "environment variable {name} is not UTF-8"
        ))),
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |reason: String| Failure::Misuse(format!("file {} {reason}", path.display()));
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
        .map_err(|error| unreadable(format!("can't be read: {error}")))?;
    if text.len() as u64 > MAX_FILE {
        return Err(unreadable("is too long for a URL".to_owned()));
    }
    Ok(Zeroizing::new(
        text.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_seen_wherever_it_hides() {
        for url in [
            "redis://:pass@localhost",
            "postgres://app:pass@localhost/app",
            "postgres://app:pa/ss?x@localhost/app",
            "postgres://localhost/app?password=pass",
            "redis+sentinel://a,b/m?sentinel_password=pass",
            "dynamodb://key:secret@us-west-2/Sessions",
        ] {
            assert!(has_password(url), "{url}");
        }
        for url in [
            "redis://localhost:6379/0",
            "postgres://app@localhost:5432/app?sslmode=require",
            "sqlite:///var/lib/app.db",
            "file:sessions",
            "dynamodb://us-west-2/Sessions?endpoint=http://localhost:8000",
        ] {
            assert!(!has_password(url), "{url}");
        }
    }
}
