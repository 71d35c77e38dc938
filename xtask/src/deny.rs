//! What comes in with the dependencies: `deny.toml` says what may, `cargo deny` looks.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::shell::{self, Failure, program};
use crate::tool::Tool;

/// The release that `deny.toml` is written for.
const DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    features: &[],
};

/// How long the list of known vulnerabilities may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Licences, second versions and sources always; known vulnerabilities where their list can be had.
pub(crate) fn check() -> Result<(), Failure> {
    let tool = DENY.find_or_install()?;
    shell::run(&mut deny(&tool, &["check", "licenses", "bans", "sources"]))?;
    // The list is a git repository (RustSec's advisory-db); the one from last time serves as well.
    let fetched = within(PATIENCE, &mut deny(&tool, &["fetch", "db"]));
    let known = within(
        PATIENCE,
        &mut deny(&tool, &["--offline", "check", "advisories"]),
    );
    match (fetched, known) {
        (_, Ended::Well) => Ok(()),
        // With a list at hand, a failure is a finding.
        (Ended::Well, _) => shell::run(&mut deny(&tool, &["--offline", "check", "advisories"])),
        (fetched, _) => {
            println!(
                "   NOT CHECKED: known vulnerabilities. RustSec's list {}: github.com has to be reachable for it",
                match fetched {
                    Ended::TooLate => "did not come in a minute",
                    _ => "could not be fetched",
                }
            );
            Ok(())
        }
    }
}

fn deny(tool: &PathBuf, arguments: &[&str]) -> Command {
    // Called by its own name the tool takes the arguments as `cargo deny` does.
    let mut command = program(tool, ["--all-features"]);
    command.args(arguments);
    command
}

enum Ended {
    Well,
    Badly,
    TooLate,
}

/// Runs a command without showing what it prints, and no longer than this.
fn within(limit: Duration, command: &mut Command) -> Ended {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    let Ok(mut child) = command.stderr(Stdio::null()).spawn() else {
        return Ended::Badly;
    };
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ended::Well,
            Ok(Some(_)) | Err(_) => return Ended::Badly,
            Ok(None) if started.elapsed() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                return Ended::TooLate;
            }
            Ok(None) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_well_badly_or_too_late() {
        let soon = Duration::from_secs(20);
        assert!(matches!(
            within(soon, &mut Command::new("true")),
            Ended::Well
        ));
        assert!(matches!(
            within(soon, &mut Command::new("false")),
            Ended::Badly
        ));
        let mut sleep = Command::new("sleep");
        let late = within(Duration::from_millis(100), sleep.arg("30"));
        assert!(matches!(late, Ended::TooLate));
        let missing = within(soon, &mut Command::new("/no/such/program"));
        assert!(matches!(missing, Ended::Badly));
    }
}
