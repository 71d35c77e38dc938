//! What comes in: the cookie from the argument or standard input, and the time.

use std::io::{self, IsTerminal, Read};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::output::Failure;

/// The most that is read from standard input: far over any cookie a browser sends.
const MAX_INPUT: u64 = 1 << 20;

/// The cookie in the argument; from standard input where it is absent or `-`.
pub(crate) fn cookie(argument: Option<String>) -> Result<String, Failure> {
    match argument {
        Some(cookie) if cookie != "-" => Ok(cookie),
        _ => standard_input("the cookie's value"),
    }
}

/// All of standard input without the line end after it.
pub(crate) fn standard_input(what: &str) -> Result<String, Failure> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        eprintln!("Reading {what} from standard input; end it with Ctrl-D.");
    }
    let mut bytes = Vec::new();
    input
        .by_ref()
        .take(MAX_INPUT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Misuse(format!("standard input can't be read: {error}")))?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(Failure::Refused {
            code: "too_large",
            reason: format!("{what} is longer than {MAX_INPUT} bytes"),
        });
    }
    let mut text = String::from_utf8(bytes).map_err(|_| Failure::Refused {
        code: "bad_text",
        reason: format!("{what} is not UTF-8"),
    })?;
    let content = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(content);
    Ok(text)
}

/// The second that `--now` names, or the clock's.
pub(crate) fn now(argument: Option<u64>) -> u64 {
    argument.unwrap_or_else(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    })
}
