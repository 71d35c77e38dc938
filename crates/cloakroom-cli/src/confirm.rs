//! Asking before something that cannot be taken back.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::output::Failure;

/// Goes on if `--yes` was said, or somebody types it at a terminal. `warning` is what programs hear, which nobody asks.
pub(crate) fn confirm(said: bool, question: &str, warning: &str) -> Result<(), Failure> {
    if said {
        return Ok(());
    }
    let refusal = |text: String| Err(Failure::Misuse(text));
    if !io::stdin().is_terminal() {
        return refusal(format!("{warning}: say --yes if it is meant"));
    }
    let mut stderr = io::stderr().lock();
    let asked = write!(stderr, "{question} Type yes to go on: ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    match asked.and_then(|()| io::stdin().lock().read_line(&mut answer)) {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => refusal("nothing has been done".to_owned()),
    }
}
