//! `cloakroom keys status`.

use std::fs;
use std::path::{Path, PathBuf};

use cloakroom::{KeyUsage, ScheduledKey};
use serde_json::{Map, Value, json};

use super::{
    StatusArguments, time,
    timeline::{Standing, Timeline},
    when,
};
use crate::input;
use crate::output::{Answer, Failure, Span};

pub(super) fn run(arguments: StatusArguments) -> Result<Answer, Failure> {
    let (file, now) = arguments.file.read()?;
    let usage = usage(&arguments.evidence.usage)?;
    let timeline = Timeline::new(file.keys(), now, arguments.evidence.lifetime, &usage)?;
    let mut rows = vec![
        [
            "KEY",
            "FINGERPRINT",
            "STATE",
            "SIGNS FROM",
            "AGE",
            "OPENED",
            "WHAT TO KNOW",
        ]
        .map(str::to_owned),
    ];
    let mut keys = Vec::new();
    for (key, standing) in timeline.keys() {
        let counted = Counted::of(key, &usage);
        rows.push([
            key.id().to_owned(),
            key.fingerprint(),
            standing.word().to_owned(),
            began(key).map_or("always".to_owned(), time),
            began(key)
                .and_then(|from| now.checked_sub(from))
                .map_or("-".to_owned(), |age| Span(age).to_string()),
            counted
                .as_ref()
                .map_or("-".to_owned(), |counted| counted.shown(now)),
            standing.reason(now),
        ]);
        keys.push(as_json(key, standing, counted.as_ref()));
    }
    Ok(Answer {
        text: table(&rows),
        json: Map::from_iter([("keys".to_owned(), Value::from(keys))]),
        session: None,
        notes: match usage.is_empty() {
            true => vec![format!(
                "by the times in the file, for sessions that live {} at most without activity (--lifetime)",
                Span(arguments.evidence.lifetime.as_secs())
            )],
            false => Vec::new(),
        },
    })
}

fn began(key: &ScheduledKey) -> Option<u64> {
    key.signs_from().filter(|from| *from > 0)
}

fn as_json(key: &ScheduledKey, standing: Standing, counted: Option<&Counted>) -> Value {
    json!({
        "id": key.id(),
        "fingerprint": key.fingerprint(),
        "state": standing.word(),
        "signs_from": began(key),
        "ends": key.ends(),
        "safe_to_drop": standing.is_safe(),
        "safe_from": standing.safe_from(),
        "verified": counted.map(|counted| counted.verified),
        "last_verified": counted.and_then(|counted| counted.last),
    })
}

/// What all servers together opened with a key.
struct Counted {
    verified: u64,
    last: Option<u64>,
}

impl Counted {
    fn of(key: &ScheduledKey, usage: &[KeyUsage]) -> Option<Self> {
        let of_key = || usage.iter().filter(|usage| usage.id == key.id());
        of_key().next()?;
        Some(Self {
            verified: of_key().fold(0, |sum, usage| sum.saturating_add(usage.verified)),
            last: of_key().filter_map(|usage| usage.last_verified).max(),
        })
    }

    fn shown(&self, now: u64) -> String {
        match self.last {
            Some(last) => format!("{}, last {}", self.verified, when(last, now)),
            None => self.verified.to_string(),
        }
    }
}

/// What servers say, each in a file.
pub(super) fn usage(files: &[PathBuf]) -> Result<Vec<KeyUsage>, Failure> {
    let mut all = Vec::new();
    for file in files {
        let usage: Vec<KeyUsage> = serde_json::from_str(&text_of(file)?).map_err(|error| {
            Failure::Misuse(format!(
                "{} is not what SessionManager::key_usage says, as JSON: {error}",
                file.display()
            ))
        })?;
        all.extend(usage);
    }
    Ok(all)
}

fn text_of(file: &Path) -> Result<String, Failure> {
    if file.as_os_str() == "-" {
        return input::standard_input("what a server says of its keys");
    }
    fs::read_to_string(file)
        .map_err(|error| Failure::Misuse(format!("{} can't be read: {error}", file.display())))
}

/// In columns; the last one ends where it ends.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let cells: Vec<String> = cells.collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
