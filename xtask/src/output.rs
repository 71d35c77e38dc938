//! Looks through what the tests write for anything secret: by the form that ids, cookies and keys have, since each
//! test makes its own, and for the keys that all tests share.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::repository;
use crate::shell::Failure;

/// Keys that are written in the tests.
const SHARED: [&str; 2] = [
    "a key for the tests of sessions",
    "the secret of these tests, and of nothing else",
];

/// Runs the tests with their output shown, and fails if it, or what they log meanwhile, holds a secret.
pub(crate) fn run_and_search(command: &mut Command) -> Result<(), Failure> {
    let log = log_file()?;
    let mut child = command
        .env("CLOAKROOM_TEST_OUTPUT", &log)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::new(format!("the tests could not be started: {error}")))?;
    let mut found = Vec::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{line}");
            found.extend(secret_in(&line).map(|what| format!("standard output shows {what}")));
        }
    }
    let status = child
        .wait()
        .map_err(|error| Failure::new(format!("the tests could not be waited for: {error}")))?;
    if !status.success() {
        return Err(Failure::new(format!("the tests: {status}")));
    }
    let lines = search(&log, &mut found)?;
    if lines == 0 {
        return Err(Failure::new(
            "no test has logged anything, so nothing was searched",
        ));
    }
    found.dedup();
    match found.is_empty() {
        true => {
            println!("   nothing secret in {lines} lines of the tests' log");
            Ok(())
        }
        false => Err(Failure::new(found.join("; "))),
    }
}

/// An empty file for what the tests log.
fn log_file() -> Result<PathBuf, Failure> {
    let file = repository::target().join("test-output.log");
    fs::write(&file, "")
        .map_err(|error| Failure::new(format!("{} can't be written: {error}", file.display())))?;
    Ok(file)
}

/// How many lines there were; what was found says where, and never what.
fn search(file: &Path, found: &mut Vec<String>) -> Result<usize, Failure> {
    let unreadable = |error| Failure::new(format!("{} can't be read: {error}", file.display()));
    let mut count = 0;
    for line in BufReader::new(File::open(file).map_err(unreadable)?).split(b'\n') {
        let line = line.map_err(unreadable)?;
        count += 1;
        if let Some(what) = secret_in(&String::from_utf8_lossy(&line)) {
            found.push(format!("line {count} of {} shows {what}", file.display()));
        }
    }
    Ok(count)
}

/// What kind of secret stands in a line, if one does.
fn secret_in(line: &str) -> Option<&'static str> {
    if SHARED.iter().any(|key| line.contains(key)) {
        return Some("a key");
    }
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    line.split(|c| !inside(c)).find_map(secret_word)
}

/// A word of the characters that base64 and dots have.
fn secret_word(word: &str) -> Option<&'static str> {
    let parts: Vec<&str> = word.split('.').collect();
    if let ["v1", sealed] = parts[..]
        && sealed.len() > 60
    {
        return Some("an encrypted cookie");
    }
    // Payload, time, signature of SHA-1, SHA-256 or SHA-512; a compressed payload begins with a dot.
    if let [.., payload, time, signature] = parts[..]
        && !payload.is_empty()
        && time.len() == 6
        && matches!(signature.len(), 27 | 43 | 86)
        && random(signature)
    {
        return Some("a signed cookie");
    }
    // 32 bytes of an id or of the secret half of a ticket.
    if parts.iter().any(|part| part.len() == 43 && random(part)) {
        return Some("an id");
    }
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (word.len() == 64 && word.bytes().all(hexadecimal)).then_some("a key")
}

/// Whether a text has what random base64 has and names have not: letters of both cases and digits.
fn random(text: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| text.as_bytes().iter().filter(|byte| kind(byte)).count() > 2;
    has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cookies_and_keys_are_known_by_their_form() {
        for (line, what) in [
            (
                "DEBUG cloakroom loading key=session:kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDA",
                "an id",
            ),
            (
                "ticket=\"8sX3kLq0Vb2Nn5TtYw1ZcA.kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDA\"",
                "an id",
            ),
            (
                "cookie eyJ1c2VyIjoiYWxpY2UifQ.ZVPxAA.kF8s1Zp0Qw3rT5yU7iO9aSdFgHj",
                "a signed cookie",
            ),
            (
                "key 192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf.",
                "a key",
            ),
            ("signed with a key for the tests of sessions", "a key"),
        ] {
            assert_eq!(secret_in(line.trim_end_matches('.')), Some(what), "{line}");
        }
        let sealed = format!("session=v1.{}", "Ab3_".repeat(20));
        assert_eq!(secret_in(&sealed), Some("an encrypted cookie"));
    }

    #[test]
    fn names_handles_and_paths_are_no_secrets() {
        for line in [
            "test s20_a_request_older_than_the_logout_cannot_revive_the_session ... ok",
            "DEBUG cloakroom::session event=\"logged_in\" session=8sX3kLq0Vb2Nn5TtYw1ZcA",
            "Running tests/session.rs (/target/debug/deps/session-0a981b5ffe8adff5)",
            "test result: ok. 44 passed; 0 failed; finished in 2.03s",
        ] {
            assert_eq!(secret_in(line), None, "{line}");
        }
    }
}
