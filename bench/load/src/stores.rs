//! Where sessions live: private database servers, and a folder for files.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;
use std::{fs, io, process};

use tempfile::TempDir;

use crate::cores::Cores;
use crate::processes;
use crate::subject::{Database, Subject};

/// All that there is; ended and removed when it is dropped.
pub(crate) struct Stores {
    databases: Vec<Running>,
    folder: TempDir,
}

struct Running {
    database: Database,
    server: Result<servers::Server, String>,
    /// Its process, which its own children belong to.
    process: Option<u32>,
}

impl Stores {
    /// Starts the databases that are asked for; one that does not start is missed only by those who need it.
    pub(crate) fn start(wanted: &[Database], cores: Cores, below: &Path) -> io::Result<Self> {
        let databases = wanted
            .iter()
            .map(|database| {
                let (start, program): (fn() -> io::Result<servers::Server>, _) = match database {
                    Database::Redis => (servers::redis::start, "redis-server"),
                    Database::Postgres => (servers::postgres::start, "postgres"),
                };
                let before = processes::children_named(process::id(), program);
                let server = cores
                    .on(cores.stores, start)?
                    .map_err(|error| error.to_string());
                let process = processes::children_named(process::id(), program)
                    .into_iter()
                    .find(|process| !before.contains(process));
                if let (Database::Redis, Ok(server)) = (database, &server) {
                    // As most have it for sessions: a log of all writes would be rewritten in the middle of a window.
                    ask_redis(server.port(), "CONFIG SET appendonly no")?;
                }
                Ok(Running {
                    database: *database,
                    server,
                    process,
                })
            })
            .collect::<io::Result<Vec<Running>>>()?;
        fs::create_dir_all(below)?;
        Ok(Self {
            databases,
            folder: tempfile::Builder::new()
                .prefix("stores-")
                .tempdir_in(below)?,
        })
    }

    /// The URL that a subject gets, if it needs one.
    pub(crate) fn url(&self, subject: &Subject) -> Result<Option<String>, String> {
        if let Some(database) = subject.database() {
            return Ok(Some(self.server(database)?.url().to_owned()));
        }
        let name = subject
            .name
            .replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let place = self.folder.path().join(name);
        Ok(match subject.store.as_deref() {
            None | Some("memory") => None,
            Some("sqlite") => Some(format!("sqlite:{}.sqlite", place.display())),
            Some(kind) => {
                fs::create_dir_all(&place).map_err(|error| error.to_string())?;
                // Python's subject takes a folder, not a URL.
                let scheme = if kind == "file" { "file:" } else { "" };
                Some(format!("{scheme}{}", place.display()))
            }
        })
    }

    /// The same database through another port.
    pub(crate) fn url_through(&self, database: Database, port: u16) -> Result<String, String> {
        Ok(self.server(database)?.url_through(port))
    }

    pub(crate) fn port(&self, database: Database) -> Result<u16, String> {
        Ok(self.server(database)?.port())
    }

    /// The time that the subject's database has had on a core.
    pub(crate) fn cpu_nanoseconds(&self, subject: &Subject) -> Option<u64> {
        let running = self.running(subject.database()?)?;
        running.process.map(processes::cpu_nanoseconds)
    }

    /// Empties what would grow from scenario to scenario.
    pub(crate) fn empty_redis(&self) -> io::Result<()> {
        match self.server(Database::Redis) {
            Ok(server) => ask_redis(server.port(), "FLUSHALL"),
            Err(_) => Ok(()),
        }
    }

    /// A place for what is written during the run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn server(&self, database: Database) -> Result<&servers::Server, String> {
        match self.running(database).map(|running| &running.server) {
            Some(Ok(server)) => Ok(server),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("{} is not part of this run", database.title())),
        }
    }

    fn running(&self, database: Database) -> Option<&Running> {
        self.databases
            .iter()
            .find(|running| running.database == database)
    }
}

/// A command whose answer is OK.
fn ask_redis(port: u16, command: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    match answer.starts_with("+OK") {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "redis: {command}: {}",
            answer.trim()
        ))),
    }
}
