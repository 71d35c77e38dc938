//! PostgreSQL, in a time zone that is not UTC.

use std::{
    fs, io, os::unix::fs::chown, os::unix::process::CommandExt, path::Path, process::Command,
};

use crate::{
    Server,
    place::{self, User},
    server::{Probe, Recipe},
    shared::{Kind, Shared},
    template,
};

/// The superuser of each server, and its password.
pub const USER: &str = "cloakroom";
/// The superuser's password.
pub const PASSWORD: &str = "wardrobe";
/// The time zone of each server, an hour that nobody takes for UTC.
pub const TIME_ZONE: &str = "Asia/Kathmandu";

/// Starts a server of one's own, with an empty database `postgres`. Killed and started again, it still has
/// every commit that it acknowledged.
///
/// # Errors
///
/// It is not installed, or could not be started.
pub fn start() -> io::Result<Server> {
    let program = place::program("postgres", "postgresql")?;
    let user = place::user_instead_of_root("postgres")?;
    Server::start("postgres", user, |port, folder| {
        let data = folder.join("data");
        template::copy("template-postgres", user, &data, |data| {
            make_template(data, user)
        })?;
        let settings = [
            "listen_addresses=127.0.0.1",
            &format!("port={port}"),
            // Their path could be too long.
            "unix_socket_directories=",
            &format!("TimeZone={TIME_ZONE}"),
            "max_connections=200",
            "shared_buffers=32MB",
            // A commit outlives the process; to outlive the machine is not asked for.
            "synchronous_commit=on",
            "fsync=off",
            "full_page_writes=off",
        ];
        let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
        arguments.extend(settings.map(|setting| format!("--{setting}")));
        Ok(Recipe {
            name: "postgres",
            program: program.clone(),
            arguments,
            user,
            url: format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"),
            probe: STARTUP,
            // "Fast" and "immediate" shutdown; "smart" would wait for the clients.
            stop: ["INT", "QUIT"],
        })
    })
}

/// The URL of the server that all tests share: `CLOAKROOM_TEST_POSTGRES_URL`, or one started on first use.
///
/// # Panics
///
/// If it can't be started.
pub fn shared() -> &'static str {
    static SHARED: Shared = Shared::new();
    SHARED.url(&KIND)
}

pub(crate) const KIND: Kind = Kind {
    name: "postgres",
    variable: "CLOAKROOM_TEST_POSTGRES_URL",
    start,
};

/// The first message of a client. While it is starting, the server answers with an error; then it asks for
/// the password.
const STARTUP: Probe = Probe {
    question: b"\0\0\0\x2a\0\x03\0\0user\0cloakroom\0database\0postgres\0\0",
    is_answer: |answer| answer.starts_with(b"R"),
};

fn make_template(data: &Path, user: Option<User>) -> io::Result<()> {
    let password = data.with_file_name("password");
    fs::write(&password, PASSWORD)?;
    let mut command = Command::new(place::program("initdb", "postgresql")?);
    command
        .arg("-D")
        .arg(data)
        .arg("--pwfile")
        .arg(&password)
        .args([
            "-U",
            USER,
            "--auth=scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
    if let Some(user) = user {
        chown(&password, Some(user.uid), Some(user.gid))?;
        command.uid(user.uid).gid(user.gid);
    }
    // Root's own folder is not open to that user.
    command.current_dir("/");
    template::run(&mut command)
}
