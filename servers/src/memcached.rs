//! Memcached.

use std::io;

use crate::{
    Server, place,
    server::{Probe, Recipe},
    shared::{Kind, Shared},
};

/// Starts a server of one's own. It keeps everything in memory: killed or stopped, it forgets everything.
///
/// # Errors
///
/// It is not installed, or could not be started.
pub fn start() -> io::Result<Server> {
    let program = place::program("memcached", "memcached")?;
    Server::start("memcached", None, |port, _| {
        let port_text = port.to_string();
        // It runs as root only if told so, and ignores `-u` for anyone else.
        let arguments = [
            "-l",
            "127.0.0.1",
            "-p",
            &port_text,
            "-U",
            "0",
            "-u",
            "root",
            "-m",
            "64",
            "-c",
            "4096",
        ];
        Ok(Recipe {
            name: "memcached",
            program: program.clone(),
            arguments: arguments.map(str::to_owned).to_vec(),
            user: None,
            url: format!("memcached://127.0.0.1:{port}"),
            probe: Probe {
                question: b"version\r\n",
                is_answer: |answer| answer.starts_with(b"VERSION"),
            },
            stop: ["TERM", "KILL"],
        })
    })
}

/// The URL of the server that all tests share: `CLOAKROOM_TEST_MEMCACHED_URL`, or one started on first use.
///
/// # Panics
///
/// If it can't be started.
pub fn shared() -> &'static str {
    static SHARED: Shared = Shared::new();
    SHARED.url(&KIND)
}

pub(crate) const KIND: Kind = Kind {
    name: "memcached",
    variable: "CLOAKROOM_TEST_MEMCACHED_URL",
    start,
};
