//! `cargo xtask guide --follow`: does what "Start in five minutes" says, as somebody does who copies every block: in an
//! empty folder, with nothing in cargo's home, from a clone of what is committed here. It takes minutes and the network.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::repository;
use crate::shell::{self, Failure};

const PAGE: &str = "docs/src/start.md";

/// How long a program may take until it listens: cargo compiles it first.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Follows the page to its end; a command that fails, or answers something else than the page says, is a failure.
pub(crate) fn run() -> Result<(), Failure> {
    let page = fs::read_to_string(repository::root().join(PAGE))
        .map_err(|error| Failure::new(format!("{PAGE} can't be read: {error}")))?;
    let mut reader = Reader::new()?;
    for (language, block) in blocks(&page) {
        match language {
            "sh" => {
                reader.said.clear();
                block.lines().try_for_each(|line| reader.type_in(line))?;
            }
            "text" if reader.said.trim() == block.trim() => println!("{}", block.trim()),
            "text" => {
                return Err(Failure::new(format!(
                    "{PAGE} promises `{}`, and the answer is `{}`",
                    block.trim(),
                    reader.said.trim()
                )));
            }
            "python" => reader.write("app.py", block)?,
            rust if rust.starts_with("rust") => reader.write("src/main.rs", block)?,
            _ => {}
        }
    }
    println!("   {PAGE} can be followed to its end");
    Ok(())
}

/// The fenced blocks of a page, with their language.
fn blocks(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
}

/// Somebody at a terminal.
struct Reader {
    folder: PathBuf,
    home: PathBuf,
    variables: BTreeMap<String, String>,
    /// What the commands of this block answered.
    said: String,
    servers: Vec<Child>,
}

impl Reader {
    fn new() -> Result<Self, Failure> {
        // Not in here: cargo would take what is made there for a part of this workspace.
        let folder = std::env::temp_dir().join("cloakroom-follow");
        let cannot = |error| Failure::new(format!("{} can't be made: {error}", folder.display()));
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(cannot)?;
        }
        fs::create_dir_all(&folder).map_err(cannot)?;
        Ok(Self {
            home: folder.join("cargo-home"),
            folder,
            variables: BTreeMap::new(),
            said: String::new(),
            servers: Vec::new(),
        })
    }

    fn type_in(&mut self, line: &str) -> Result<(), Failure> {
        let started = Instant::now();
        println!("$ {line}");
        if line.contains("sh.rustup.rs") || line.starts_with(". ") {
            println!("   (not done: Rust is here)");
        } else if let Some(folder) = line.strip_prefix("cd ") {
            self.folder.push(folder);
        } else if let Some((name, value)) = assignment(line) {
            // One terminal plays both, so the second need not be told the key of the first.
            if value.starts_with('$') {
                let value = shell::output(&mut self.command(&format!("echo {value}")))?;
                self.variables
                    .insert(name.to_owned(), value.trim().to_owned());
            }
        } else if line.starts_with("git clone ") {
            let root = repository::root().display();
            shell::run(&mut self.command(&format!("git clone --quiet '{root}' cloakroom")))?;
        } else if let Some(port) = port_of(line) {
            self.serve(line, port)?;
        } else {
            self.said += &shell::output(&mut self.command(line))?;
        }
        if started.elapsed() > Duration::from_secs(1) {
            println!("   took {:.0} s", started.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// Starts a program and waits until it listens.
    fn serve(&mut self, line: &str, port: u16) -> Result<(), Failure> {
        let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        if listens() {
            return Err(Failure::new(format!(
                "something else listens on port {port}, which {PAGE} uses: stop it, then run this again"
            )));
        }
        let log = self.folder.join("log");
        let cannot = |error| Failure::new(format!("`{line}` can't be started: {error}"));
        let output = File::create(&log).map_err(cannot)?;
        let mut command = self.command(&format!("exec {line}"));
        command.stdout(Stdio::null()).stderr(output);
        let mut child = command.spawn().map_err(cannot)?;
        let started = Instant::now();
        while !listens() {
            let ended = child.try_wait().map_err(cannot)?;
            if ended.is_some() || started.elapsed() > PATIENCE {
                self.servers.push(child);
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(Failure::new(format!("`{line}` does not listen: {said}")));
            }
            thread::sleep(Duration::from_millis(100));
        }
        self.servers.push(child);
        Ok(())
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(&self.folder);
        for ours in ["CARGO_TARGET_DIR", "SECRET_KEY", "PORT"] {
            command.env_remove(ours);
        }
        command.env("CARGO_HOME", &self.home).envs(&self.variables);
        command
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let file = self.folder.join(name);
        fs::write(&file, text)
            .map_err(|error| Failure::new(format!("{} can't be written: {error}", file.display())))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// The name and the value of `export NAME=VALUE`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("export ")?.split_once('=')
}

/// The port of a command that goes on until it is stopped.
fn port_of(line: &str) -> Option<u16> {
    match line {
        "cargo run" => Some(3000),
        _ => line.split_once("flask run --port ")?.1.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_taken_apart_into_what_is_typed_and_what_is_answered() {
        let page = "# Page\n\n```sh\nls\npwd\n```\n\nIt says:\n\n```text\nhi\n```\n";
        let found: Vec<_> = blocks(page).collect();
        assert_eq!(found, [("sh", "ls\npwd"), ("text", "hi")]);
    }

    #[test]
    fn commands_that_go_on_have_a_port_and_assignments_a_name() {
        assert_eq!(port_of("cargo run"), Some(3000));
        assert_eq!(port_of("venv/bin/flask run --port 3001"), Some(3001));
        assert_eq!(port_of("cargo add axum"), None);
        assert_eq!(
            assignment("export KEY=$(echo a=b)"),
            Some(("KEY", "$(echo a=b)"))
        );
    }
}
