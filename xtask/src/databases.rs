//! The database servers of the tests: private ones, never those that the machine itself may run.

use std::path::Path;
use std::process::Command;

use crate::shell::{self, Failure, find};

/// One server of each kind, for as long as this lives.
pub(crate) struct Databases(Vec<(&'static str, servers::Server)>);

/// A program that is needed, and the Debian package that has it.
const PROGRAMS: [(&str, &str); 7] = [
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("memcached", "memcached"),
    ("psql", "postgresql-client"),
    ("mariadbd", "mariadb-server"),
    ("mariadb-install-db", "mariadb-server"),
    ("mariadb", "mariadb-client"),
];

/// Installs what is missing, and starts each server once: the first start makes its data folder's template.
pub(crate) fn prepare() -> Result<(), Failure> {
    let missing = missing_packages();
    if !missing.is_empty() {
        shell::install_debian_packages(&missing, "the test of stores")?;
    }
    match missing_packages().as_slice() {
        [] => drop(Databases::start()?),
        missing => {
            return Err(Failure::new(format!(
                "the packages {} were installed and did not bring what the test of stores needs",
                missing.join(" ")
            )));
        }
    }
    Ok(())
}

impl Databases {
    /// Starts all of them on free ports.
    pub(crate) fn start() -> Result<Self, Failure> {
        let mut running = Vec::new();
        for kind in servers::KINDS {
            let server = (kind.start)().map_err(|error| {
                let error = error.to_string();
                // The first line says what happened; the rest is the end of the server's log.
                let (what, log) = error.split_once('\n').unwrap_or((&error, ""));
                eprintln!("{log}");
                Failure::new(format!("no {} for the tests: {what}", kind.name))
            })?;
            running.push((kind.variable, server));
        }
        Ok(Self(running))
    }

    /// Tells a program where they are.
    pub(crate) fn export<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(
            self.0
                .iter()
                .map(|(variable, server)| (variable, server.url())),
        )
    }
}

fn missing_packages() -> Vec<&'static str> {
    let mut missing: Vec<&str> = PROGRAMS
        .into_iter()
        .filter(|(program, _)| {
            find(program).is_none() && !Path::new("/usr/sbin").join(program).exists()
        })
        .map(|(_, package)| package)
        .collect();
    // Debian keeps the server itself off the PATH.
    if !Path::new("/usr/lib/postgresql").is_dir() && find("postgres").is_none() {
        missing.push("postgresql");
    }
    missing.dedup();
    missing
}
