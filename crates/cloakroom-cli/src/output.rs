//! What the command says: results on standard output, everything else on standard error.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// A good answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The lines for standard output.
    pub(crate) text: String,
    /// The same, and more, for `--json`.
    pub(crate) json: Map<String, Value>,
    /// Session content for `--json`, passed on as it is written.
    pub(crate) session: Option<String>,
    /// Lines for standard error.
    pub(crate) notes: Vec<String>,
}

/// No answer, and why.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The cookie, or the session to be signed, is refused: exit code 1.
    Refused {
        /// A word for scripts, such as `bad_signature`.
        code: &'static str,
        /// A sentence for people.
        reason: String,
    },
    /// Something is wrong, and is told as an answer is: exit code 1.
    #[cfg(feature = "doctor")]
    Found {
        /// The lines for standard output.
        text: String,
        /// The same for `--json`.
        json: Map<String, Value>,
    },
    /// The command can't be carried out as it was given: exit code 2.
    Misuse(String),
    /// It was carried out in part, and the answer says what is left: exit code 1.
    Incomplete(Box<Answer>),
}

impl Answer {
    /// An answer of many lines that have been said already.
    pub(crate) fn said() -> Self {
        Self {
            text: String::new(),
            json: Map::new(),
            session: None,
            notes: Vec::new(),
        }
    }

    /// Says it; the exit code is 0.
    pub(crate) fn print(self, as_json: bool) -> ExitCode {
        for note in &self.notes {
            note_line(note);
        }
        if self.text.is_empty() && self.json.is_empty() {
            // It has been said already.
        } else if as_json {
            result_line(&self.json_text());
        } else {
            result_line(&self.text);
        }
        ExitCode::SUCCESS
    }

    /// One object. The session's text goes in as it is where it is JSON for everyone, and as a string always: Python
    /// also writes `NaN` and `Infinity`, which few other readers take.
    fn json_text(mut self) -> String {
        let Some(session) = self.session else {
            return Value::Object(self.json).to_string();
        };
        self.json
            .insert("tagged_json".into(), session.as_str().into());
        let rest = Value::Object(self.json).to_string();
        let session = serde_json::from_str::<&RawValue>(&session).map_or("null", RawValue::get);
        format!(r#"{{"session":{session},{}"#, &rest[1..])
    }
}

impl Failure {
    /// A sentence for people.
    #[cfg(feature = "inspect")]
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Refused { reason, .. } => reason,
            Self::Misuse(text) => text,
            #[cfg(feature = "doctor")]
            Self::Found { text, .. } => text,
            Self::Incomplete(answer) => &answer.text,
        }
    }

    /// Says it; the exit code is 1 or 2.
    pub(crate) fn print(self, as_json: bool) -> ExitCode {
        match self {
            Self::Refused { code, reason } => {
                note_line(&format!("{code}: {reason}"));
                if as_json {
                    result_line(
                        &json!({ "refused": { "code": code, "reason": reason } }).to_string(),
                    );
                }
                ExitCode::from(1)
            }
            #[cfg(feature = "doctor")]
            Self::Found { text, json } => {
                match as_json {
                    true => result_line(&Value::Object(json).to_string()),
                    false => result_line(&text),
                }
                ExitCode::from(1)
            }
            Self::Misuse(text) => {
                note_line(&format!("error: {text}"));
                ExitCode::from(2)
            }
            Self::Incomplete(answer) => {
                answer.print(as_json);
                ExitCode::from(1)
            }
        }
    }
}

/// A duration in the two largest units that matter: `3 days 4 hours`.
pub(crate) struct Span(pub(crate) u64);

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (self.0 / 86_400, "day"),
            (self.0 / 3600 % 24, "hour"),
            (self.0 / 60 % 60, "minute"),
            (self.0 % 60, "second"),
        ];
        let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
        for (index, (count, unit)) in units.iter().enumerate().skip(first).take(2) {
            if index == first || *count > 0 {
                let gap = if index == first { "" } else { " " };
                let plural = if *count == 1 { "" } else { "s" };
                write!(formatter, "{gap}{count} {unit}{plural}")?;
            }
        }
        Ok(())
    }
}

/// Warns right away, before the answer.
pub(crate) fn warn(text: &str) {
    note_line(&format!("warning: {text}"));
}

fn note_line(text: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn result_line(text: &str) {
    // A reader that has gone away, as `head` does, is no reason to panic.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (61, "1 minute 1 second"),
            (3600, "1 hour"),
            (273_600, "3 days 4 hours"),
            (2 * 86_400 + 59, "2 days"),
        ] {
            assert_eq!(Span(seconds).to_string(), text);
        }
    }

    #[test]
    fn json_carries_the_session_as_it_is_written() {
        let answer = |session: &str| Answer {
            text: String::new(),
            json: Map::from_iter([("age".to_owned(), json!(3))]),
            session: Some(session.to_owned()),
            notes: Vec::new(),
        };
        assert_eq!(
            answer(r#"{"n":123456789012345678901234567890}"#).json_text(),
            r#"{"session":{"n":123456789012345678901234567890},"age":3,"tagged_json":"{\"n\":123456789012345678901234567890}"}"#
        );
        assert_eq!(
            answer(r#"{"n":NaN}"#).json_text(),
            r#"{"session":null,"age":3,"tagged_json":"{\"n\":NaN}"}"#
        );
    }
}
