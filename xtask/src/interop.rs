//! The tests beside a real Flask app.

use std::fs;
use std::process::Command;

use crate::databases::Databases;
use crate::repository;
use crate::shell::{self, Failure, cargo, program};
use crate::{browser, python};

/// Runs all of `interop/tests` with the binaries of the `build` step.
pub(crate) fn test() -> Result<(), Failure> {
    let databases = Databases::start()?;
    shell::run(databases.export(&mut pytest(&["interop/tests"])))
}

/// Photographs each page of the tour, of its inspector and of the inspector of a store, desktop and phone, light and dark.
pub(crate) fn screenshots() -> Result<(), Failure> {
    python::prepare()?;
    browser::prepare()?;
    shell::run(&mut cargo([
        "build",
        "--workspace",
        "--all-features",
        "--bins",
    ]))?;
    let folder = repository::target().join("screenshots");
    fs::create_dir_all(&folder)
        .map_err(|error| Failure::new(format!("{} can't be made: {error}", folder.display())))?;
    shell::run(&mut pytest(&[
        "interop/tests/test_browser.py",
        "interop/tests/test_inspector.py",
        "interop/tests/test_inspect.py",
        "-k",
        "fits_wide",
        &format!("--screenshots={}", folder.display()),
    ]))?;
    println!("   the pictures are in {}", folder.display());
    Ok(())
}

/// Every program is named, so that none left over from another build is taken.
fn pytest(arguments: &[&str]) -> Command {
    let mut command = program(python::interpreter(), ["-m", "pytest"]);
    for name in ["tour", "peer", "site", "neighbour", "cloakroom"] {
        command
            .arg(format!("--{name}"))
            .arg(repository::binary(name));
    }
    command.args(arguments);
    command
}
