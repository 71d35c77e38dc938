//! Everything secret that a test has used, and the forms in which it might show.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose};
use tracing::{
    Event, Id, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record},
};

/// Secrets by what they are. Clones are the same list.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    secrets: HashSet<String>,
    /// Every form of every secret, by its first bytes: a text is then searched for all of them in one go.
    forms: HashMap<[u8; BEGIN], Vec<Form>>,
}

struct Form {
    secret: String,
    about: &'static str,
    bytes: Vec<u8>,
}

const BEGIN: usize = 8;

impl Secrets {
    /// Remembers one, and gives it back.
    pub(crate) fn add<T: AsRef<str>>(&self, what: &str, secret: T) -> T {
        let text = secret.as_ref();
        assert!(text.len() >= 8, "{what} is too short to be looked for");
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.secrets.insert(text.to_owned()) {
            for (about, form) in forms(text) {
                let bytes = form.into_bytes();
                let begin = *bytes.first_chunk().unwrap();
                known.forms.entry(begin).or_default().push(Form {
                    secret: what.to_owned(),
                    about,
                    bytes,
                });
            }
        }
        drop(known);
        secret
    }

    /// What of it stands in a text, in whatever form: never the secret itself, so that a failing test tells none.
    pub(crate) fn found_in(&self, text: &str) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = text.as_bytes();
        let mut found = BTreeSet::new();
        for place in 0..text.len() {
            let Some(begin) = text[place..].first_chunk::<BEGIN>() else {
                break;
            };
            for form in known.forms.get(begin).into_iter().flatten() {
                if text[place..].starts_with(&form.bytes) {
                    found.insert(format!("{} ({})", form.secret, form.about));
                }
            }
        }
        found.into_iter().collect()
    }
}

/// A secret as it is, and as careless code might write it.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let bytes = secret.as_bytes();
    let hex = |upper: bool| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = match upper {
                true => write!(text, "{byte:02X}"),
                false => write!(text, "{byte:02x}"),
            };
            text
        })
    };
    let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let json = serde_json::to_string(secret).unwrap();
    let mut forms = vec![
        ("as it is", secret.to_owned()),
        ("hexadecimal", hex(false)),
        ("hexadecimal", hex(true)),
        ("a list of bytes", list.join(", ")),
        ("escaped", secret.escape_default().to_string()),
        ("JSON", json[1..json.len() - 1].to_owned()),
        // The first half of it is half of a secret.
        (
            "cut in half",
            secret[..secret.len().div_ceil(2).max(8)].to_owned(),
        ),
    ];
    // Base64 of it alone and in the midst of something else, which shifts it by one or two bytes.
    for shift in 0..3 {
        let shifted = [&vec![b' '; shift], bytes].concat();
        for engine in [
            general_purpose::STANDARD_NO_PAD,
            general_purpose::URL_SAFE_NO_PAD,
        ] {
            let text = engine.encode(&shifted);
            let begin = (shift * 8).div_ceil(6);
            let end = text.len() - usize::from(shifted.len() % 3 != 0);
            forms.push(("base64", text[begin..end].to_owned()));
        }
    }
    forms.dedup();
    forms
}

/// Everything that was written: logs, and what tests add. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<String>>);

impl Output {
    pub(crate) fn add(&self, text: &str) {
        // A test that fails elsewhere must not hide what was written.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_str(text);
        all.push('\n');
    }

    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Writes every event and every span of every crate down, at every level.
impl Subscriber for Output {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut line = Line::new(attributes.metadata());
        attributes.record(&mut line);
        self.add(&line.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.add(&line.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::new(event.metadata());
        event.record(&mut line);
        self.add(&line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Line {
    fn new(metadata: &Metadata<'_>) -> Self {
        let (level, target) = (metadata.level(), metadata.target());
        Self(format!("{level} {target} {}", metadata.name()))
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut error = Some(value);
        while let Some(one) = error {
            let _ = write!(self.0, " {}={one} {one:?}", field.name());
            error = one.source();
        }
    }
}
