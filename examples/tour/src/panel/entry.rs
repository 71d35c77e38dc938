//! A session in a store, for the eye: the id that the browser has, and the entry that the store has.

use std::fmt::Write;
use std::time::Duration;

use cloakroom::Status;
use cloakroom::format::RecordHeader;
use cloakroom::store::Record;
use minijinja::{Value, context};

/// More of an entry is not shown.
const MOST_BYTES: usize = 512;
const LINE: usize = 8;

/// The cookie of a session in a store.
pub(super) fn describe_id(name: &str, value: &str, status: &Status) -> Value {
    let verdict = match status {
        Status::Refused(_) => "refused",
        _ => "accepted",
    };
    context! { name, id => shortened(value), length => value.len(), verdict }
}

/// What the store has under a key.
pub(super) fn describe(store: &str, key: &str, record: &Record) -> Value {
    let key = match key.split_once(':') {
        Some((prefix, id)) => format!("{prefix}:{}", shortened(id)),
        None => shortened(key),
    };
    context! {
        store, key,
        layout => layout(&record.value),
        format => format_name(&record.value),
        size => record.value.len(),
        expires => record.expires_in.map(time_left),
        bytes => dump(&record.value),
    }
}

/// Its beginning and its end: whoever has all of an id has the session, and screens are looked at by others too.
pub(crate) fn shortened(id: &str) -> String {
    let characters: Vec<char> = id.chars().collect();
    match characters.len() {
        0..=12 => id.to_owned(),
        length => {
            let (start, end) = (&characters[..6], &characters[length - 4..]);
            format!(
                "{}…{}",
                start.iter().collect::<String>(),
                end.iter().collect::<String>()
            )
        }
    }
}

/// Whose way of writing entries it is.
fn layout(bytes: &[u8]) -> &'static str {
    match RecordHeader::from_slice(bytes) {
        Ok(_) => "sealed: encrypted under a key that only your ticket has",
        Err(_) => "Flask-Session’s",
    }
}

/// A dictionary says by its first byte which format it is in; a native record is an array.
fn format_name(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'{', ..] => "JSON",
        [0x80, 2..=5, ..] => "pickle",
        _ => "MessagePack",
    }
}

fn time_left(left: Duration) -> String {
    // A clock that ticked since is no reason to say 6 days and 23 hours.
    let seconds = left.as_secs() + 1;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Hexadecimal on the left, what can be read on the right.
pub(crate) fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes[..bytes.len().min(MOST_BYTES)].chunks(LINE) {
        let mut hex = String::new();
        for byte in line {
            // Writing into a String cannot fail.
            let _ = write!(hex, "{byte:02x} ");
        }
        let readable = line.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '·',
        });
        let _ = writeln!(
            text,
            "{hex:<width$}{}",
            readable.collect::<String>(),
            width = LINE * 3 + 1
        );
    }
    if bytes.len() > MOST_BYTES {
        let _ = writeln!(text, "… and {} more", bytes.len() - MOST_BYTES);
    }
    text
}
