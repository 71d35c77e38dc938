use std::{
    fmt, fs,
    fs::File,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    place::{self, User},
    watchdog::Watchdog,
};

/// A server of one's own, up to its drop; it can be made to fail in each way that servers do.
pub struct Server {
    recipe: Recipe,
    port: u16,
    // Dropped in this order: the process, then the folder.
    running: Mutex<Running>,
    folder: TempDir,
}

/// How one kind of server is run.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Who runs it, if not the user of this process.
    pub(crate) user: Option<User>,
    pub(crate) url: String,
    pub(crate) probe: Probe,
    /// The signals that end it properly, and that end it without delay.
    pub(crate) stop: [&'static str; 2],
}

/// How to find out that a server answers.
pub(crate) struct Probe {
    pub(crate) question: &'static [u8],
    pub(crate) is_answer: fn(&[u8]) -> bool,
}

struct Running {
    process: Option<Child>,
    watchdog: Watchdog,
}

/// Long, because many tests may start servers on a small machine at the same time.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);

impl Server {
    /// Starts a server in a new folder, with the recipe for that port and folder.
    pub(crate) fn start(
        name: &str,
        user: Option<User>,
        recipe: impl Fn(u16, &Path) -> io::Result<Recipe>,
    ) -> io::Result<Self> {
        let mut tries = 3;
        loop {
            tries -= 1;
            let folder = place::folder(name, user)?;
            let port = place::free_port()?;
            let recipe = recipe(port, folder.path())?;
            let [_, quickly] = recipe.stop;
            let running = Mutex::new(Running {
                process: None,
                watchdog: Watchdog::start(folder.path(), quickly)?,
            });
            let server = Self {
                recipe,
                port,
                running,
                folder,
            };
            match server.start_again() {
                Ok(()) => return Ok(server),
                // Another process was quicker to take the port.
                Err(_) if tries > 0 && !place::is_free(port) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where clients connect, such as `redis://127.0.0.1:12345`.
    pub fn url(&self) -> &str {
        &self.recipe.url
    }

    /// The port of 127.0.0.1 that it listens on, also after it was started again.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same address through another port, for a [`Proxy`](crate::proxy::Proxy) in front of it.
    #[must_use]
    pub fn url_through(&self, port: u16) -> String {
        self.recipe.url.replacen(
            &format!("127.0.0.1:{}", self.port),
            &format!("127.0.0.1:{port}"),
            1,
        )
    }

    /// The folder with its data and its log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it in the middle of whatever it is doing (SIGKILL). Does nothing if it is not running.
    ///
    /// # Errors
    ///
    /// No signal could be sent.
    pub fn kill(&self) -> io::Result<()> {
        self.end("KILL")
    }

    /// Ends it properly (SIGTERM or what the server has instead). Does nothing if it is not running.
    ///
    /// # Errors
    ///
    /// No signal could be sent, or it did not end in 20 seconds.
    pub fn stop(&self) -> io::Result<()> {
        self.end(self.recipe.stop[0])
    }

    /// Makes it hang: connections stay open and new ones are taken by the system, but nothing is answered
    /// (SIGSTOP).
    ///
    /// # Errors
    ///
    /// It is not running, or no signal could be sent.
    pub fn pause(&self) -> io::Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn resume(&self) -> io::Result<()> {
        self.signal("CONT")
    }

    /// Starts it after [`kill`](Self::kill) or [`stop`](Self::stop), on the same port and with the same
    /// folder, and waits until it answers. Does nothing if it is running.
    ///
    /// # Errors
    ///
    /// It could not be started or did not answer in a minute; the end of its log is in the error.
    pub fn start_again(&self) -> io::Result<()> {
        let mut running = self.running();
        if running.process.is_some() {
            return Ok(());
        }
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(&self.recipe.program);
        command
            .args(&self.recipe.arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the tests; the watchdog sees their end.
            .process_group(0);
        if let Some(user) = self.recipe.user {
            command.uid(user.uid).gid(user.gid);
        }
        let process = command.spawn()?;
        running.watchdog.watch(Some(process.id()))?;
        let process = running.process.insert(process);
        let failure = self.wait_for_answer(process).err();
        drop(running);
        match failure {
            None => Ok(()),
            Some(failure) => {
                self.kill()?;
                Err(failure)
            }
        }
    }

    fn wait_for_answer(&self, process: &mut Child) -> io::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = process.try_wait()? {
                return Err(self.failed(&format!("ended with {status}")));
            }
            if self.recipe.probe.succeeds(self.port) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(self.failed("does not answer"));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What went wrong, with the last lines of the log.
    fn failed(&self, what: &str) -> io::Error {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n");
        io::Error::other(format!("{} {what}; it said:\n{last}", self.recipe.name))
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        match &self.running().process {
            Some(process) => send(signal, process.id()),
            None => Err(io::Error::other(format!(
                "{} is not running",
                self.recipe.name
            ))),
        }
    }

    fn end(&self, signal: &str) -> io::Result<()> {
        let mut running = self.running();
        let Some(process) = &mut running.process else {
            return Ok(());
        };
        if process.try_wait()?.is_none() {
            if signal != "KILL" {
                send("CONT", process.id())?;
            }
            send(signal, process.id())?;
            let deadline = Instant::now() + STOP;
            while process.try_wait()?.is_none() {
                if Instant::now() > deadline {
                    return Err(self.failed("does not stop"));
                }
                thread::sleep(Duration::from_millis(2));
            }
        }
        running.process = None;
        running.watchdog.watch(None)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let [_, quickly] = self.recipe.stop;
        if self.end(quickly).is_err() {
            // Nothing is left to try after this.
            let _ = self.kill();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Server")
            .field("name", &self.recipe.name)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Probe {
    fn succeeds(&self, port: u16) -> bool {
        let ask = || -> io::Result<bool> {
            let mut connection = TcpStream::connect_timeout(
                &SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                Duration::from_secs(1),
            )?;
            connection.set_read_timeout(Some(Duration::from_secs(2)))?;
            connection.write_all(self.question)?;
            let mut answer = [0; 64];
            let length = connection.read(&mut answer)?;
            Ok((self.is_answer)(&answer[..length]))
        };
        ask().unwrap_or(false)
    }
}

/// Sends a signal to a process and, where it stops or kills, to all that it has started.
fn send(signal: &str, process: u32) -> io::Result<()> {
    let mut processes = vec![process];
    if matches!(signal, "KILL" | "STOP" | "CONT") {
        processes.extend(descendants(process));
    }
    // The shell's own `kill`: slim systems have no other.
    let script = "signal=$1; shift; kill -s \"$signal\" \"$1\" || exit 1; shift; \
                  for process; do kill -s \"$signal\" \"$process\" 2>/dev/null; done; exit 0";
    let status = Command::new("sh")
        .args(["-c", script, "kill", signal])
        .args(processes.iter().map(u32::to_string))
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("could not send SIG{signal}")))
    }
}

/// The processes that a process has started, and theirs: PostgreSQL has one for each connection.
fn descendants(process: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // `id (name) state parent …`, and a name may hold anything.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
            Some((id, parent.parse().ok()?))
        })
        .collect();
    let mut found = vec![process];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(id, _)| *id),
        );
        next += 1;
    }
    found.split_off(1)
}
