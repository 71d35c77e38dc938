//! A server under test: started on its core, ended with its standard input.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::processes;

/// A running server.
pub(crate) struct Server {
    process: Child,
    input: Option<ChildStdin>,
    address: SocketAddr,
    log: PathBuf,
}

/// How long it may take until it listens.
const START: Duration = Duration::from_secs(30);
/// How long it may take to end by itself.
const STOP: Duration = Duration::from_secs(1);

impl Server {
    /// Starts a program that says on standard output where it listens; what it says else goes to the log.
    pub(crate) fn start(mut command: Command, cores: Cores, log: &Path) -> Result<Self, String> {
        let errors = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors);
        let mut process = cores
            .on(cores.server, || command.spawn())
            .and_then(|process| process)
            .map_err(|error| format!("could not be started: {error}"))?;
        let input = process.stdin.take();
        let (tell, told) = mpsc::channel();
        if let Some(output) = process.stdout.take() {
            // Reads to the end, so that the server never waits for its reader.
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if let Some(address) = listening(&line) {
                        // Nobody waits for a second one.
                        let _ = tell.send(address);
                    }
                }
            });
        }
        let mut server = Self {
            process,
            input,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            log: log.to_owned(),
        };
        server.address = told
            .recv_timeout(START)
            .map_err(|_| server.failed("did not say where it listens"))?;
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn cpu_nanoseconds(&self) -> u64 {
        processes::cpu_nanoseconds(self.process.id())
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// What went wrong, with the last of what the server said.
    pub(crate) fn failed(&self, what: &str) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        match lines.last() {
            Some(last) => format!("{what}; it said: {}", last.trim()),
            None => what.to_owned(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.input = None;
        let deadline = Instant::now() + STOP;
        while !self.has_ended() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
        // Errors mean that it is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address in `listening on 127.0.0.1:1234`, or in `Listening on http://127.0.0.1:1234`.
fn listening(line: &str) -> Option<SocketAddr> {
    let rest = line.to_ascii_lowercase();
    let rest = rest.strip_prefix("listening on ")?;
    rest.trim_start_matches("http://").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_ways_of_saying_where_are_understood() {
        let address = "127.0.0.1:1234".parse().ok();
        assert_eq!(listening("listening on 127.0.0.1:1234"), address);
        assert_eq!(listening("Listening on http://127.0.0.1:1234"), address);
        assert_eq!(listening("sessions are in redis://127.0.0.1:1234"), None);
    }

    #[test]
    fn a_server_ends_when_it_is_dropped_and_says_why_it_did_not_start() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let cores = Cores::available().unwrap();
        let server = Server::start(
            shell("echo listening on 127.0.0.1:9; read -r x"),
            cores,
            &log,
        )
        .unwrap();
        assert_eq!(server.address().port(), 9);
        let id = server.process.id();
        drop(server);
        assert!(!Path::new(&format!("/proc/{id}")).exists());

        let failure = Server::start(shell("echo no such store >&2; exit 1"), cores, &log);
        let failure = failure.err().unwrap();
        assert!(failure.ends_with("it said: no such store"), "{failure}");
    }
}
