//! DynamoDB's API, as the emulator moto has it.

use std::io;

use crate::{
    Server, place,
    server::{Probe, Recipe},
    shared::{Kind, Shared},
};

/// Starts an emulator of one's own, for any region and credentials. It keeps everything in memory: killed
/// or stopped, it forgets everything.
///
/// # Errors
///
/// It is not installed, or could not be started.
pub fn start() -> io::Result<Server> {
    let python = place::python()?;
    Server::start("dynamodb", None, |port, _| {
        Ok(Recipe {
            name: "dynamodb",
            program: python.clone(),
            arguments: vec![
                "-c".to_owned(),
                include_str!("dynamodb.py").to_owned(),
                port.to_string(),
            ],
            user: None,
            url: format!("http://127.0.0.1:{port}"),
            probe: Probe {
                question:
                    b"GET /moto-api/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
                is_answer: |answer| answer.starts_with(b"HTTP/1.1 200"),
            },
            stop: ["TERM", "KILL"],
        })
    })
}

/// The endpoint of the emulator that all tests share: `CLOAKROOM_TEST_DYNAMODB_URL`, or one started on first
/// use. Tables need a name of their own.
///
/// # Panics
///
/// If it can't be started.
pub fn shared() -> &'static str {
    static SHARED: Shared = Shared::new();
    SHARED.url(&KIND)
}

pub(crate) const KIND: Kind = Kind {
    name: "dynamodb",
    variable: "CLOAKROOM_TEST_DYNAMODB_URL",
    start,
};
