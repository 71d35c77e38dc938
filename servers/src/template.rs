//! Data folders that take seconds to make are made once and copied.

use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

use crate::place::{self, User};

/// Copies the template `name` to `to`, and makes it first with `make` (which gets an empty folder's path)
/// if there is none yet.
pub(crate) fn copy(
    name: &str,
    user: Option<User>,
    to: &Path,
    make: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let template = place::parent(user)?.join(name);
    if !template.exists() {
        let folder = place::folder(name, user)?;
        let data = folder.path().join("data");
        make(&data)?;
        match fs::rename(&data, &template) {
            // Another process was quicker, and made the same.
            Err(_) if template.exists() => {}
            result => result?,
        }
    }
    run(Command::new("cp").arg("-a").arg(&template).arg(to))
}

/// Runs a program to its end; what it printed is in the error if it fails.
pub(crate) fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].concat();
    Err(io::Error::other(format!(
        "{} ended with {}; it said:\n{}",
        command.get_program().to_string_lossy(),
        output.status,
        String::from_utf8_lossy(&printed).trim()
    )))
}
