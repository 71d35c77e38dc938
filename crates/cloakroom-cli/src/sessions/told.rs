//! One session, told in full.

use cloakroom::StoredEntry;
use cloakroom::format::TaggedJson;
use cloakroom::value::{Dict, Value};
use serde_json::{Value as Json, json};

use super::found::Found;
use crate::terminal::plain;
use crate::units::{Count, Short, utc};

/// A session, and whoever asks.
pub(crate) struct Told<'a> {
    pub(crate) found: &'a Found,
    /// None if it can't be read.
    pub(crate) entry: Option<&'a StoredEntry<'a>>,
    /// Whether users, values and the entry's key are told.
    pub(crate) reveal: bool,
    pub(crate) now: u64,
}

/// One key of a session.
pub(crate) struct ToldKey {
    pub(crate) name: String,
    /// Python's name of the value's type and, of what has one, the length.
    pub(crate) kind: String,
    pub(crate) bytes: usize,
    /// Told to those who ask for it only.
    pub(crate) value: Option<String>,
}

impl Told<'_> {
    fn content(&self) -> Option<Dict> {
        self.entry.and_then(|entry| entry.to_dict().ok().flatten())
    }

    /// What is known of it besides its keys: names and texts.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        let mut tell = |name, text| facts.push((name, text));
        let inside = self.found.inside.as_ref();
        if self.reveal {
            tell("store key", plain(&self.found.key));
        }
        let layout = inside.and_then(|inside| inside.layout.clone());
        tell(
            "layout",
            layout.unwrap_or_else(|| "none that is known: it can't be read".to_owned()),
        );
        tell("bytes", Count(self.found.size as u64).to_string());
        match inside.and_then(|inside| inside.subject.as_ref()) {
            None => tell("user", "-".to_owned()),
            Some(subject) if self.reveal => tell("user", plain(subject)),
            Some(_) => tell("user", "yes".to_owned()),
        }
        if let Some(entry) = self.entry {
            if let Some(began) = entry.created() {
                tell("began", self.moment(began));
            }
            if let Some(header) = entry.header() {
                tell("written", self.moment(header.written));
                if let Some(deadline) = header.deadline {
                    tell("deadline", self.moment(deadline));
                }
                if !header.metadata.is_empty() {
                    let metadata = header
                        .metadata
                        .iter()
                        .map(|(key, value)| match self.reveal {
                            true => format!("{}={}", plain(key), plain(value)),
                            false => plain(key),
                        });
                    tell("metadata", metadata.collect::<Vec<_>>().join(", "));
                }
            }
            if entry.len().is_some() {
                let permanent = if entry.is_permanent() { "yes" } else { "no" };
                tell("permanent", permanent.to_owned());
            }
        }
        let left = self.found.expires_in.map(|left| Short(left).to_string());
        tell("ends in", left.unwrap_or_else(|| "-".to_owned()));
        facts
    }

    /// Its keys in the order in which they stand there; none of a session that can't be read.
    pub(crate) fn keys(&self) -> Vec<ToldKey> {
        let (Some(entry), Some(content)) = (self.entry, self.content()) else {
            return Vec::new();
        };
        let keys = entry.keys().zip(content.iter());
        let keys = keys.map(|(key, (_, value))| ToldKey {
            name: plain(&key.name),
            kind: described(value),
            bytes: key.size,
            value: self.reveal.then(|| plain(&revealed(value))),
        });
        keys.collect()
    }

    pub(crate) fn json(&self) -> Json {
        let mut json = self.found.json(self.reveal);
        let Json::Object(fields) = &mut json else {
            return json;
        };
        if let Some(entry) = self.entry {
            fields.insert("began".into(), entry.created().into());
            if let Some(header) = entry.header() {
                fields.insert("written".into(), header.written.into());
                fields.insert("deadline".into(), header.deadline.into());
                if self.reveal {
                    fields.insert("metadata".into(), json!(header.metadata));
                }
            }
        }
        if let (Some(entry), Some(content)) = (self.entry, self.content()) {
            let keys = entry.keys().zip(content.iter()).map(|(key, (_, value))| {
                json!({ "name": key.name, "type": value.type_name(), "length": length(value), "bytes": key.size })
            });
            fields.insert("content".into(), keys.collect());
            if self.reveal {
                let text = TaggedJson::new().to_bytes(&Value::Dict(content)).ok();
                let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
                let session = text.as_deref().map(serde_json::from_str::<Json>);
                fields.insert("session".into(), session.and_then(Result::ok).into());
                fields.insert("tagged_json".into(), text.into());
            }
        }
        json
    }

    fn moment(&self, seconds: u64) -> String {
        let date = utc(seconds).unwrap_or_else(|| "after the year 9999".to_owned());
        let span = |seconds| Short(std::time::Duration::from_secs(seconds));
        match self.now.checked_sub(seconds) {
            Some(ago) => format!("{date}, {} ago", span(ago)),
            None => format!("{date}, in {}", span(seconds - self.now)),
        }
    }
}

/// Python's name of the type and, of what has one, the length.
fn described(value: &Value) -> String {
    match length(value) {
        Some(length) => format!("{} of {length}", value.type_name()),
        None => value.type_name().to_owned(),
    }
}

/// What Python's `len()` says.
fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Text(text) => text.as_str().map(|text| text.chars().count()),
        Value::Markup(_) => value.as_str().map(|text| text.chars().count()),
        Value::Bytes(bytes) => Some(bytes.len()),
        Value::Dict(dict) => Some(dict.len()),
        _ => value.as_items().map(<[Value]>::len),
    }
}

/// A value as tagged JSON, which keeps the types apart, or as Python would print it.
fn revealed(value: &Value) -> String {
    TaggedJson::new().to_bytes(value).map_or_else(
        |_| value.to_string(),
        |text| String::from_utf8_lossy(&text).into_owned(),
    )
}
