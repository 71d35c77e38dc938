//! `cloakroom sessions show`.

use clap::Args;
use cloakroom::StoredEntry;
use cloakroom::format::TaggedJson;
use cloakroom::store::{Listed, Record};
use cloakroom::value::{DateTime, Dict, Value};
use serde_json::{Value as Json, json};

use super::PlaceArguments;
use super::filter::Identity;
use super::found::Found;
use super::scan::{Scan, Sight, handles};
use crate::input;
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
use crate::terminal::{FAINT, Lines, TITLE, fit, plain, styled};
use crate::units::{Count, Short};

#[derive(Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    place: PlaceArguments,

    #[command(flatten)]
    identity: Identity,

    /// The handles of the sessions, as `sessions list` shows them
    #[arg(
        value_name = "HANDLE",
        required_unless_present = "subject",
        conflicts_with = "subject"
    )]
    handles: Vec<String>,

    /// All sessions of this user
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,

    /// Show users, values, and the keys of the entries: in Flask's layout, whoever has such a key has the session
    #[arg(long)]
    reveal: bool,
}

pub(crate) fn show(arguments: ShowArguments, as_json: bool) -> Result<Answer, Failure> {
    wait_for(async {
        let mut wanted = handles(&arguments.handles)?;
        let mut scan = Scan::open(&arguments.place).await?;
        let mut lines = Lines::new();
        let mut shown = 0_u64;
        while let Some(page) = scan.page().await? {
            let named = |listed: &Listed| {
                arguments.subject.is_some()
                    || wanted.contains(&cloakroom::Handle::of_key(&listed.key))
            };
            let page: Vec<Listed> = page.into_iter().filter(named).collect();
            let now = input::now(None);
            let goes_on = scan
                .load(page, |listed, record| {
                    let sight = Sight::of(&record);
                    let found = Found::loaded(listed, &record, &sight, &arguments.identity, now);
                    let Some(found) =
                        found.filter(|found| is_of(found, arguments.subject.as_ref()))
                    else {
                        return true;
                    };
                    wanted.retain(|handle| *handle != found.handle);
                    shown += 1;
                    let entry = match &sight {
                        Sight::Session(entry) => Some(entry),
                        Sight::Unreadable | Sight::NoSession => None,
                    };
                    let told = Told {
                        found: &found,
                        entry,
                        record: &record,
                        reveal: arguments.reveal,
                        now,
                    };
                    match as_json {
                        true => lines.line(&told.json().to_string()),
                        false => {
                            let gap = shown == 1 || lines.line("");
                            gap && told.lines().iter().all(|line| lines.line(line))
                        }
                    }
                })
                .await?;
            lines.flush();
            if !goes_on || (arguments.subject.is_none() && wanted.is_empty()) {
                break;
            }
        }
        match (shown, wanted.len()) {
            (0, _) | (_, 1..) => Err(missing(&arguments.handles, wanted.len())),
            _ => Ok(Answer::said()),
        }
    })
}

fn is_of(found: &Found, subject: Option<&String>) -> bool {
    let theirs = found
        .inside
        .as_ref()
        .and_then(|inside| inside.subject.as_ref());
    subject.is_none() || theirs == subject
}

/// Neither the handles nor the name are quoted: somebody may take an id for one.
pub(super) fn missing(handles: &[String], count: usize) -> Failure {
    let reason = match (handles.len(), count) {
        (0, _) => "this user has no session here whose content can be read".to_owned(),
        (1, _) => {
            "there is no session of this handle: it has ended, or `--prefix` is another".to_owned()
        }
        (all, count) => format!("{count} of these {all} sessions are not there, or no more"),
    };
    Failure::Refused {
        code: "no_such_session",
        reason,
    }
}

/// One session, told in full.
struct Told<'a> {
    found: &'a Found,
    /// None if it can't be read.
    entry: Option<&'a StoredEntry<'a>>,
    record: &'a Record,
    reveal: bool,
    now: u64,
}

impl Told<'_> {
    fn content(&self) -> Option<Dict> {
        self.entry.and_then(|entry| entry.to_dict().ok().flatten())
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![styled(TITLE, &self.found.handle.to_string())];
        let mut tell =
            |name: &str, text: String| lines.push(format!("  {}  {text}", fit(name, 9, false)));
        let inside = self.found.inside.as_ref();
        if self.reveal {
            tell("store key", plain(&self.found.key));
        }
        let layout = inside.and_then(|inside| inside.layout.clone());
        tell(
            "layout",
            layout.unwrap_or_else(|| "none that is known: it can't be read".to_owned()),
        );
        tell("bytes", Count(self.record.value.len() as u64).to_string());
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
        lines.extend(self.key_lines());
        lines
    }

    /// A line for each key: its name, type and size, and its value if it is asked for.
    fn key_lines(&self) -> Vec<String> {
        let (Some(entry), Some(content)) = (self.entry, self.content()) else {
            return Vec::new();
        };
        let keys: Vec<_> = entry.keys().collect();
        let longest = keys
            .iter()
            .map(|key| plain(&key.name).chars().count())
            .max();
        let width = longest.unwrap_or(0).clamp(3, 32);
        let mut lines = vec![styled(
            FAINT,
            &format!(
                "  {}  {}  BYTES",
                fit("KEY", width, false),
                fit("TYPE", 16, false)
            ),
        )];
        for (key, (_, value)) in keys.iter().zip(content.iter()) {
            let mut line = format!(
                "  {}  {}  {:>5}",
                fit(&plain(&key.name), width, false),
                fit(&described(value), 16, false),
                key.size
            );
            if self.reveal {
                line.push_str("  ");
                line.push_str(&plain(&revealed(value)));
            }
            lines.push(line);
        }
        lines
    }

    fn json(&self) -> Json {
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
        let date = i64::try_from(seconds).ok();
        let date = date.and_then(|seconds| DateTime::from_unix(seconds).ok());
        let date = date.map_or_else(
            || "after the year 9999".to_owned(),
            |date| date.to_string().replace("+00:00", "Z"),
        );
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
