//! What clears up when the test process can't.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

/// A shell that reads which process is running, one line each, and that ends the last of them and removes
/// the folder when no more lines can come: because this was dropped, or because this process is dead.
pub(crate) struct Watchdog {
    shell: Child,
    lines: Option<ChildStdin>,
}

const SCRIPT: &str = r#"
trap '' INT TERM HUP
pid=0
while read -r line; do pid=$line; done
if [ "$pid" != 0 ]; then
    kill -CONT "$pid"; kill -s "$1" "$pid"
    tries=0
    while kill -0 "$pid" && [ $tries -lt 30 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -KILL "$pid"
fi
rm -rf -- "$2"
"#;

impl Watchdog {
    /// `signal` asks the server to end without delay.
    pub(crate) fn start(folder: &Path, signal: &str) -> io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "watchdog", signal])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Outside the terminal's group, so that it outlives Ctrl-C.
            .process_group(0)
            .spawn()?;
        let lines = shell.stdin.take();
        Ok(Self { shell, lines })
    }

    /// The process to end, or none any more.
    pub(crate) fn watch(&mut self, process: Option<u32>) -> io::Result<()> {
        match &mut self.lines {
            Some(lines) => writeln!(lines, "{}", process.unwrap_or(0)),
            None => Ok(()),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.lines = None;
        // An error means that the shell is gone.
        let _ = self.shell.wait();
    }
}
