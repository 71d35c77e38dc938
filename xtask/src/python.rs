//! A Python environment with the pinned Flask, made once and again when the pins change.

use std::fs;
use std::path::PathBuf;

use crate::repository;
use crate::shell::{self, Failure, find, program};

const REQUIREMENTS: &str = "interop/requirements.txt";

/// The environment's interpreter.
pub(crate) fn interpreter() -> PathBuf {
    folder().join("bin").join("python")
}

fn folder() -> PathBuf {
    repository::target().join("interop-venv")
}

/// Makes the environment unless it already holds exactly what the requirements file pins.
pub(crate) fn prepare() -> Result<(), Failure> {
    let pins = fs::read_to_string(repository::root().join(REQUIREMENTS))
        .map_err(|error| Failure::new(format!("{REQUIREMENTS} can't be read: {error}")))?;
    // Written last, so an interrupted installation does not count.
    let stamp = folder().join("requirements.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
        println!("   {} is up to date", folder().display());
        return Ok(());
    }
    make_environment()?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        REQUIREMENTS,
    ];
    shell::run(&mut program(interpreter(), pip)).map_err(|failure| {
        Failure::new(format!(
            "{failure}: the packages of {REQUIREMENTS} could not be installed; check that PyPI can be reached"
        ))
    })?;
    fs::write(&stamp, pins)
        .map_err(|error| Failure::new(format!("{} can't be written: {error}", stamp.display())))
}

fn make_environment() -> Result<(), Failure> {
    let folder = folder();
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| {
            Failure::new(format!("{} can't be removed: {error}", folder.display()))
        })?;
    }
    if find("python3").is_none() {
        shell::install_debian_packages(&["python3", "python3-venv"], "the interop test")?;
    }
    let make = || shell::run(program("python3", ["-m", "venv"]).arg(&folder));
    // Debian's python3 has no `ensurepip` until this package brings it.
    make().or_else(|_| {
        shell::install_debian_packages(&["python3-venv"], "the interop test")?;
        make()
    })
}
