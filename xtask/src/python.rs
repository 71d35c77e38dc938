//! Python environments with pinned packages, made once and again when the pins change.

use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;
use crate::shell::{self, Failure, find, program};

/// An environment below the build folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Environment {
    folder: &'static str,
    requirements: &'static str,
}

/// Flask, Flask-Session and what the tests need.
pub(crate) const INTEROP: Environment = Environment {
    folder: "interop-venv",
    requirements: "interop/requirements.txt",
};

/// Flask and Flask-Session behind a server for production.
pub(crate) const BENCH: Environment = Environment {
    folder: "bench-venv",
    requirements: "bench/flask/requirements.txt",
};

/// The interpreter of the tests.
pub(crate) fn interpreter() -> PathBuf {
    INTEROP.interpreter()
}

/// Makes the environment of the tests.
pub(crate) fn prepare() -> Result<(), Failure> {
    INTEROP.prepare()
}

impl Environment {
    pub(crate) fn interpreter(self) -> PathBuf {
        self.folder().join("bin").join("python")
    }

    fn folder(self) -> PathBuf {
        repository::target().join(self.folder)
    }

    /// Makes the environment unless it already holds exactly what the requirements pin.
    pub(crate) fn prepare(self) -> Result<(), Failure> {
        let file = self.requirements;
        let pins = fs::read_to_string(repository::root().join(file))
            .map_err(|error| Failure::new(format!("{file} can't be read: {error}")))?;
        let folder = self.folder();
        // Written last, so an interrupted installation does not count.
        let stamp = folder.join("requirements.stamp");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
            println!("   {} is up to date", folder.display());
            return Ok(());
        }
        make(&folder)?;
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            file,
        ];
        shell::run(&mut program(self.interpreter(), pip)).map_err(|failure| {
            Failure::new(format!(
                "{failure}: the packages of {file} could not be installed; check that PyPI can be reached"
            ))
        })?;
        fs::write(&stamp, pins)
            .map_err(|error| Failure::new(format!("{} can't be written: {error}", stamp.display())))
    }
}

fn make(folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| {
            Failure::new(format!("{} can't be removed: {error}", folder.display()))
        })?;
    }
    if find("python3").is_none() {
        shell::install_debian_packages(&["python3", "python3-venv"], "the interop test")?;
    }
    let make = || shell::run(program("python3", ["-m", "venv"]).arg(folder));
    // Debian's python3 has no `ensurepip` until this package brings it.
    make().or_else(|_| {
        shell::install_debian_packages(&["python3-venv"], "the interop test")?;
        make()
    })
}
