//! A session cookie taken apart for the eye: payload, time, signature.

use std::time::{Duration, UNIX_EPOCH};

use cloakroom::Status;
use cloakroom::token::{Leniency, base64};
use minijinja::{Value, context};

use crate::age::moment;

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
        let signed = self
            .signed_at()
            .and_then(|unix| UNIX_EPOCH.checked_add(Duration::from_secs(unix)))
            .and_then(moment);
        let (verdict, key) = verdict(status);
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

/// An encrypted cookie: one piece, which says nothing to whoever has no key.
pub(super) fn describe_encrypted(name: &str, value: &str, status: &Status) -> Value {
    let made = match status {
        Status::Loaded { signed_at, .. } => moment(*signed_at),
        _ => None,
    };
    let (verdict, key) = verdict(status);
    let size = name.len() + value.len();
    context! { name, encrypted => value, size, made, verdict, key }
}

/// Whether the server takes it, and which of its keys made it.
fn verdict(status: &Status) -> (&'static str, Option<&'static str>) {
    match status {
        Status::Refused(_) => ("refused", None),
        Status::Loaded { key_index: 0, .. } => ("accepted", Some("the current key")),
        _ => ("accepted", Some("an older key, kept as a fallback")),
    }
}
