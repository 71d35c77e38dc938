//! A session cookie taken apart for the eye: payload, time, signature.

use std::time::{SystemTime, UNIX_EPOCH};

use cloakroom::Status;
use cloakroom::token::{Leniency, base64};
use cloakroom::value::DateTime;
use minijinja::{Value, context};

/// The three parts of a cookie, torn at its last two dots.
pub(super) struct Ticket<'a> {
    name: &'a str,
    size: usize,
    payload: &'a str,
    time: &'a str,
    signature: &'a str,
}

impl<'a> Ticket<'a> {
    /// Any text has three parts, if only empty ones: what was altered is shown as well.
    pub(super) fn read(name: &'a str, value: &'a str) -> Self {
        let (rest, signature) = value.rsplit_once('.').unwrap_or((value, ""));
        let (payload, time) = rest.rsplit_once('.').unwrap_or((rest, ""));
        Self {
            name,
            size: name.len() + value.len(),
            payload,
            time,
            signature,
        }
    }

    pub(super) fn describe(&self, status: &Status) -> Value {
        let signed = self.signed_at().and_then(|unix| {
            let date = DateTime::from_unix(i64::try_from(unix).ok()?).ok()?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
            let age = now.saturating_sub(unix);
            Some(context! {
                iso => date.to_string(), text => date.to_http_date(), age => age_text(age), unix
            })
        });
        let (verdict, key) = match status {
            Status::Refused(_) => ("refused", None),
            Status::Loaded { key_index: 0, .. } => ("accepted", Some("the current key")),
            _ => ("accepted", Some("an older key, kept as a fallback")),
        };
        context! {
            name => self.name,
            size => self.size,
            compressed => self.payload.starts_with('.'),
            payload => self.payload,
            time => self.time,
            signature => self.signature,
            signed, verdict, key,
            bar => context! {
                payload => self.name.len() + self.payload.len() + 1,
                time => self.time.len() + 1,
                signature => self.signature.len(),
            },
        }
    }

    /// The time in it, whether or not the signature is good: big-endian seconds in base64.
    fn signed_at(&self) -> Option<u64> {
        let bytes = base64::decode(self.time, Leniency::Strict).ok()?;
        let mut seconds = [0; 8];
        seconds
            .get_mut(8usize.checked_sub(bytes.len())?..)?
            .copy_from_slice(&bytes);
        Some(u64::from_be_bytes(seconds))
    }
}

/// How old, in the one unit that says it best.
fn age_text(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} old", if count == 1 { "" } else { "s" })
}
