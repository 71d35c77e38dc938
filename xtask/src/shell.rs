//! Running programs, and saying in one line what went wrong.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fmt, fs, io};

use crate::repository;

/// Why a command of this tool did not succeed: one line that says what is wrong and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    exit_code: u8,
}

impl Failure {
    /// A check that failed, or something that is missing.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            exit_code: 1,
        }
    }

    /// The tool was called wrongly.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            exit_code: 2,
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A cargo command in the repository, with the cargo that started this tool.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = program(cargo, arguments);
    // One folder for all, wherever this tool was built.
    command.env("CARGO_TARGET_DIR", repository::target());
    command
}

/// Any other program, started in the repository.
pub(crate) fn program<'a>(
    name: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(repository::root());
    command
}

/// Runs to the end with the output shown; anything but success is a failure that names the command.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::new(format!("could not start `{}`: {error}", shown(command))))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("`{}`: {status}", shown(command))))
    }
}

/// Runs to the end and hands back what it printed on standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new(format!("could not start `{}`: {error}", shown(command))))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Failure::new(format!(
            "`{}`: {}",
            shown(command),
            output.status
        )))
    }
}

/// Where a program of this name is on the `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Installs Debian packages, or says in one line what the reader has to install.
pub(crate) fn install_debian_packages(packages: &[&str], wanted_for: &str) -> Result<(), Failure> {
    let names = packages.join(" ");
    let missing = |what: &str| {
        Failure::new(format!(
            "{wanted_for} needs {names}: {what}; install them (on Debian: `sudo apt-get install {names}`) and run this again"
        ))
    };
    let Some(apt_get) = find("apt-get") else {
        return Err(missing("this machine has no apt-get"));
    };
    if output(&mut program("id", ["-u"]))?.trim() != "0" {
        return Err(missing("only root can install packages"));
    }
    println!("   installing {names} with apt-get");
    let _services_stay_off = NoServices::begin(Path::new("/usr/sbin/policy-rc.d"))
        .map_err(|error| missing(&format!("/usr/sbin/policy-rc.d can't be written: {error}")))?;
    let apt = |arguments: &[&str]| {
        let mut command = program(&apt_get, arguments.iter().copied());
        command.env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command)
    };
    apt(&["-qq", "update"]).map_err(|failure| missing(&format!("{failure}")))?;
    let mut install = vec![
        "-qq",
        "-o",
        "DPkg::Lock::Timeout=300",
        "install",
        "--yes",
        "--no-install-recommends",
    ];
    install.extend(packages);
    apt(&install).map_err(|failure| missing(&format!("{failure}")))
}

/// While this lives, Debian does not start the services that it installs: nothing here uses them.
struct NoServices<'a> {
    /// None where the machine has a policy of its own, which stays.
    policy: Option<&'a Path>,
}

impl<'a> NoServices<'a> {
    fn begin(policy: &'a Path) -> io::Result<Self> {
        if policy.exists() {
            return Ok(Self { policy: None });
        }
        fs::write(
            policy,
            "#!/bin/sh\n# Left by an interrupted installation of test tools: remove it.\nexit 101\n",
        )?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            policy: Some(policy),
        })
    }
}

impl Drop for NoServices<'_> {
    fn drop(&mut self) {
        if let Some(policy) = self.policy {
            // The file says what to do if this fails.
            let _ = fs::remove_file(policy);
        }
    }
}

/// The command as one would type it in the repository.
fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program());
    let name = name.file_name().unwrap_or(name.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_named_with_its_exit_status() {
        let failure = run(&mut program("sh", ["-c", "exit 3"])).unwrap_err();
        assert_eq!(failure.to_string(), "`sh -c exit 3`: exit status: 3");
        let failure = run(&mut program("no-such-program", [])).unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with("could not start `no-such-program`"),
            "{failure}"
        );
    }

    #[test]
    fn output_is_what_the_program_printed() {
        assert_eq!(output(&mut program("echo", ["hi"])).unwrap(), "hi\n");
    }

    #[test]
    fn services_stay_off_while_packages_are_installed_and_no_longer() {
        let name = format!("policy-rc.d-{}", std::process::id());
        let policy = std::env::temp_dir().join(name);
        let answer = |path: &Path| Command::new(path).status().unwrap().code();
        {
            let _off = NoServices::begin(&policy).unwrap();
            assert_eq!(answer(&policy), Some(101));
            // The machine's own policy is kept.
            drop(NoServices::begin(&policy).unwrap());
            assert!(policy.exists());
        }
        assert!(!policy.exists());
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program").is_none());
    }
}
