//! Tools that cargo installs.

use std::path::PathBuf;

use crate::repository;
use crate::shell::{self, Failure, cargo};

/// A program of crates.io.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// Of the crate and of the program.
    pub(crate) name: &'static str,
    /// The release that is installed where there is none.
    pub(crate) version: &'static str,
    /// What `cargo install` is told of its features.
    pub(crate) features: &'static [&'static str],
}

impl Tool {
    /// The tool on the `PATH`, or in the build folder from an earlier run, or now.
    pub(crate) fn find_or_install(self) -> Result<PathBuf, Failure> {
        let Self { name, version, .. } = self;
        if let Some(tool) = shell::find(name) {
            return Ok(tool);
        }
        let root = repository::target().join("tools");
        let tool = root.join("bin").join(name);
        if tool.is_file() {
            return Ok(tool);
        }
        println!("   installing {name} {version} into {}", root.display());
        // Unoptimised: compiling it is most of the work, running it takes a second.
        let install = [
            "install",
            name,
            "--version",
            version,
            "--locked",
            "--debug",
            "--quiet",
        ];
        let install = install.into_iter().chain(self.features.iter().copied());
        shell::run(cargo(install).arg("--root").arg(&root)).map_err(|failure| {
            Failure::new(format!(
                "{failure}: {name} is missing; `cargo install {name}`, then run this again"
            ))
        })?;
        Ok(tool)
    }
}
