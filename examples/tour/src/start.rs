//! What happens before the first request: arguments, the secret key, the database, the port.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use cloakroom::format::Serialization;
use cloakroom::store::{Prepared, Store, StoreError, Sweeper};
use cloakroom::{KeyRing, SecretKey, SecretKeyError};
use tokio::net::TcpListener;

use crate::Todos;

/// Pages to use and to read, for everything that Flask's sessions and cookies do.
///
/// The key that signs the sessions is read from `SECRET_KEY`, older keys that still verify from
/// `SECRET_KEY_FALLBACKS`, separated by commas. Without them a development key is made and kept in the data folder.
#[derive(Debug, Parser)]
#[command(name = "tour", version)]
pub struct Settings {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 5000)]
    pub port: u16,

    /// The folder for the to-do list and the development key
    #[arg(long, env = "DATA_DIR", value_name = "DIR", default_value = "data")]
    pub data: PathBuf,

    /// Where sessions are kept; in the cookie unless set. `memory:`, `file:FOLDER`, `sqlite:FILE` or
    /// `redis://HOST`, and with `cargo run --release --features NAME` (dynamodb, memcached, mysql, postgres,
    /// redis-tls) also `dynamodb://…`, `memcached://…`, `mysql://…`, `postgres://…`, `rediss://…`
    #[arg(
        long,
        env = "SESSION_STORE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub sessions: Option<String>,
}

/// The store that keeps the sessions, ready for use.
#[derive(Debug)]
pub struct Kept {
    /// The store.
    pub store: Store,
    /// How its entries are written.
    pub format: Serialization,
    prepared: Prepared,
    /// Removes what has expired as long as this lives.
    _sweeper: Sweeper,
}

impl fmt::Display for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Sessions are kept in a store ({}), the browser has an id.",
            self.store.name()
        )?;
        match self.prepared {
            Prepared::Ready => write!(formatter, " Its table was made if it was missing."),
            Prepared::NothingNeeded => Ok(()),
        }
    }
}

/// The keys of this run, and where they came from.
#[derive(Debug)]
pub struct Keys {
    /// The keys.
    pub ring: KeyRing,
    /// Where they came from, to be told to whoever started the tour.
    pub origin: KeysOrigin,
}

/// Where the signing key came from.
#[derive(Debug)]
pub enum KeysOrigin {
    /// `SECRET_KEY` in the environment.
    Environment,
    /// The development key in this file.
    File(PathBuf),
    /// The development key in this file, made just now.
    NewFile(PathBuf),
}

impl fmt::Display for KeysOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => write!(formatter, "Sessions are signed with SECRET_KEY."),
            Self::File(path) => write!(
                formatter,
                "Sessions are signed with the development key in {}; set SECRET_KEY to use another.",
                path.display()
            ),
            Self::NewFile(path) => write!(
                formatter,
                "No SECRET_KEY is set: a development key was made and is kept in {}.",
                path.display()
            ),
        }
    }
}

/// Why the tour does not start. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Nothing can be written in the data folder.
    #[error("cannot write in the data folder {}: {source}; choose another with --data DIR", path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another program has the port.
    #[error("port {0} is taken; choose another with --port, or 0 for a free one")]
    PortTaken(u16),
    /// The port cannot be opened.
    #[error("cannot listen on port {port}: {source}")]
    Port {
        /// The port.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
    /// The secret key is missing or weak.
    #[error(transparent)]
    Key(#[from] SecretKeyError),
    /// A fallback key is unusable.
    #[error("SECRET_KEY_FALLBACKS: {0}")]
    Fallback(SecretKeyError),
    /// The to-do database cannot be opened.
    #[error("cannot open the to-do list {}: {source}", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What `SQLite` said.
        source: sqlx::Error,
    },
    /// The store for the sessions cannot be used.
    #[error("--sessions: {source}{}", hint(source))]
    Store {
        /// Why.
        #[from]
        source: StoreError,
    },
    /// The session settings contradict each other.
    #[error(transparent)]
    Session(#[from] cloakroom::ConfigError),
    /// A template does not parse.
    #[error("template: {0}")]
    Template(#[from] minijinja::Error),
    /// The server stopped.
    #[error("the server stopped: {0}")]
    Serve(#[from] io::Error),
}

/// The keys: from the environment, else the development key in the data folder, made when there is none.
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
    Ok(Keys { ring, origin })
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

fn unwritable(data: &Path, source: io::Error) -> StartError {
    StartError::Data {
        path: data.to_owned(),
        source,
    }
}

/// How to get the stores that were not compiled in.
fn hint(error: &StoreError) -> &'static str {
    match error.to_string().contains("cargo feature") {
        true => "; start the tour with `cargo run --release --features NAME`",
        false => "",
    }
}

/// How often what has expired is removed.
const SWEEP: Duration = Duration::from_mins(10);

/// The store at this URL, with its table made: this is a demonstration, a service leaves that to its operators.
///
/// # Errors
///
/// [`StartError::Store`] if it cannot be used. The URL, which may hold a password, is not in its text.
pub async fn store(url: &str) -> Result<Kept, StartError> {
    let store = Store::from_url(url).await?;
    let prepared = store.prepare().await?;
    let format = match url.starts_with("cachelib:") {
        true => Serialization::Pickle,
        false => Serialization::MessagePack,
    };
    Ok(Kept {
        format,
        prepared,
        _sweeper: store.sweep_every(SWEEP),
        store,
    })
}

/// The to-do list in the data folder.
///
/// # Errors
///
/// [`StartError::Data`] if the folder cannot be made, [`StartError::Database`] if `SQLite` cannot use the file.
pub async fn todos(data: &Path) -> Result<Todos, StartError> {
    fs::create_dir_all(data).map_err(|source| unwritable(data, source))?;
    let path = data.join("todo.sqlite");
    Todos::open(&path)
        .await
        .map_err(|source| StartError::Database { path, source })
}

/// Opens the port, on this machine only.
///
/// # Errors
///
/// [`StartError::PortTaken`] or [`StartError::Port`].
pub async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => StartError::PortTaken(port),
            _ => StartError::Port { port, source },
        })
}

/// Waits until somebody stops the program: Ctrl-C, or the signal that process managers send.
pub async fn stopped() {
    let interrupt = async {
        // Without a handler there is nothing to wait for but the other signal.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! { () = interrupt => {}, () = terminate => {} }
}
