//! What happens before the first request: arguments, the database, the port.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Parser;
use cloakroom::store::StoreError;
use cloakroom::{KeysError, SecretKeyError};
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

    /// The folder for the to-do list, the list of devices and the development key
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

    /// The store that the sessions have been in so far: each one moves at its first request. `hashed` for what
    /// `cloakroom sessions migrate` has copied out of a cachelib folder into the store of --sessions
    #[arg(
        long,
        env = "SESSION_STORE_FROM",
        value_name = "URL",
        hide_env_values = true,
        requires = "sessions"
    )]
    pub sessions_from: Option<String>,

    /// Encrypts the sessions, in the cookie or in the store: nobody but this server reads them, so no Flask app either
    #[arg(long)]
    pub encrypted: bool,

    /// Shows what each page does to its session at `/_sessions`, while it does it
    #[arg(long)]
    pub inspector: bool,

    /// A file of keys with their times, in place of `SECRET_KEY`; made when it is missing, and read again every few
    /// seconds, so that keys can be replaced while the tour runs
    #[arg(long, env = "KEY_FILE", value_name = "FILE")]
    pub keys: Option<PathBuf>,
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
    /// The key file is missing or says something wrong.
    #[error("--keys: {0}")]
    KeyFile(#[from] KeysError),
    /// The key file cannot be made.
    #[error("--keys: cannot make {}: {source}", path.display())]
    NewKeyFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
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
        source: StoreError,
    },
    /// The list of devices cannot be kept.
    #[error("cannot open the list of devices {}: {source}", path.display())]
    Devices {
        /// The database file.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// The session settings contradict each other.
    #[error(transparent)]
    Session(#[from] cloakroom::ConfigError),
    /// The inspector refuses where the tour listens.
    #[error("--inspector: {0}")]
    Inspector(#[from] cloakroom::inspector::InspectorError),
    /// A template does not parse.
    #[error("template: {0}")]
    Template(#[from] minijinja::Error),
    /// The server stopped.
    #[error("the server stopped: {0}")]
    Serve(#[from] io::Error),
}

pub(crate) fn unwritable(data: &Path, source: io::Error) -> StartError {
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
