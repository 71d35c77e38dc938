//! MariaDB, in a time zone that is not UTC.

use std::{fs, io, path::Path, process::Command};

use crate::{
    Server, place,
    server::{Probe, Recipe},
    shared::{Kind, Shared},
    template,
};

/// The user of each server, who may do everything.
pub const USER: &str = "cloakroom";
/// The user's password.
pub const PASSWORD: &str = "wardrobe";
/// The time zone of each server, an hour that nobody takes for UTC.
pub const TIME_ZONE: &str = "+05:45";

/// Starts a server of one's own, with an empty database `cloakroom`. Killed and started again, it still has
/// every commit that it acknowledged.
///
/// # Errors
///
/// It is not installed, or could not be started.
pub fn start() -> io::Result<Server> {
    let program = place::program("mariadbd", "mariadb-server")?;
    Server::start("mariadb", None, |port, folder| {
        let data = folder.join("data");
        template::copy("template-mariadb", None, &data, make_template)?;
        let users = folder.join("users.sql");
        fs::write(
            &users,
            format!(
                "CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
                 GRANT ALL ON *.* TO '{USER}'@'127.0.0.1' WITH GRANT OPTION;\n\
                 CREATE DATABASE IF NOT EXISTS cloakroom CHARACTER SET utf8mb4;\n"
            ),
        )?;
        let mut arguments = common(&data)?;
        arguments.extend([
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            // Relative to the data folder: the whole path could be too long.
            "--socket=socket".to_owned(),
            "--pid-file=pid".to_owned(),
            format!("--init-file={}", users.display()),
            format!("--default-time-zone={TIME_ZONE}"),
            "--skip-name-resolve".to_owned(),
            "--max-connections=200".to_owned(),
            "--innodb-buffer-pool-size=32M".to_owned(),
            "--key-buffer-size=1M".to_owned(),
            // A commit outlives the process; to outlive the machine is not asked for.
            "--innodb-flush-log-at-trx-commit=2".to_owned(),
            "--performance-schema=off".to_owned(),
        ]);
        Ok(Recipe {
            name: "mariadb",
            program: program.clone(),
            arguments,
            user: None,
            url: format!("mysql://{USER}:{PASSWORD}@127.0.0.1:{port}/cloakroom"),
            probe: GREETING,
            stop: ["TERM", "KILL"],
        })
    })
}

/// The URL of the server that all tests share: `CLOAKROOM_TEST_MARIADB_URL`, or one started on first use.
///
/// # Panics
///
/// If it can't be started.
pub fn shared() -> &'static str {
    static SHARED: Shared = Shared::new();
    SHARED.url(&KIND)
}

pub(crate) const KIND: Kind = Kind {
    name: "mariadb",
    variable: "CLOAKROOM_TEST_MARIADB_URL",
    start,
};

/// The server speaks first: length, number 0, protocol 10.
const GREETING: Probe = Probe {
    question: b"",
    is_answer: |answer| answer.get(3..5) == Some(&[0, 10]),
};

/// What the making of the data folder and the server have to agree on.
fn common(data: &Path) -> io::Result<Vec<String>> {
    let mut arguments = vec![
        // First, by its own rule: nothing of /etc/mysql.
        "--no-defaults".to_owned(),
        format!("--datadir={}", data.display()),
        "--innodb-log-file-size=8M".to_owned(),
    ];
    if place::is_root()? {
        arguments.push("--user=root".to_owned());
    }
    Ok(arguments)
}

fn make_template(data: &Path) -> io::Result<()> {
    fs::create_dir(data)?;
    template::run(
        Command::new(place::program("mariadb-install-db", "mariadb-server")?)
            .args(common(data)?)
            .args(["--skip-test-db", "--auth-root-authentication-method=normal"]),
    )
}
