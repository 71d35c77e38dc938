//! `cloakroom cookie decode`: what a cookie holds, for everyone who has it.

use clap::Args;
use cloakroom::format::TaggedJson;
use cloakroom::token::{Leniency, base64, payload};
use cloakroom::value::Value;
use serde_json::{Map, json};

use crate::input;
use crate::output::{Answer, Failure, Span};
use crate::units::utc;

/// What a browser keeps of a cookie, name and value together (RFC 6265bis, section 5.7).
pub(crate) const BROWSER_LIMIT: usize = 4096;

/// Flask's name for the session cookie, which counts towards the limit.
pub(crate) const USUAL_NAME: &str = "session";

#[derive(Args)]
pub(crate) struct Arguments {
    /// The cookie's value; standard input when absent or `-`
    cookie: Option<String>,

    /// Tell the age as of this Unix time instead of now
    #[arg(long, value_name = "UNIX")]
    now: Option<u64>,
}

pub(crate) fn run(arguments: Arguments) -> Result<Answer, Failure> {
    let cookie = input::cookie(arguments.cookie)?;
    let parts = Parts::of(&cookie)?;
    let json_text = payload::decode(
        parts.payload.as_bytes(),
        Leniency::Strict,
        payload::DEFAULT_MAX_SIZE,
    )
    .map_err(|error| bad_payload(&error))?;
    let format = TaggedJson::new();
    let value = format
        .from_slice(&json_text)
        .map_err(|error| bad_payload(&error))?;
    let session = text_of(&format, &value)?;

    let age = i128::from(input::now(arguments.now)) - i128::from(parts.signed_at);
    let compressed = parts.payload.starts_with('.');
    let mut lines = vec![
        session.clone(),
        format!("signed     {}", time_and_age(parts.signed_at, age)),
        format!(
            "size       {} bytes; {} of the {BROWSER_LIMIT} that browsers keep, with the name `{USUAL_NAME}`",
            cookie.len(),
            cookie.len() + USUAL_NAME.len(),
        ),
        if compressed {
            format!(
                "payload    {} bytes of JSON, compressed with zlib",
                json_text.len()
            )
        } else {
            format!(
                "payload    {} bytes of JSON, not compressed",
                json_text.len()
            )
        },
        format!(
            "signature  {} characters{}; not checked, that takes the key",
            parts.signature.len(),
            hash_by_length(parts.signature.len())
                .map_or_else(String::new, |hash| format!(", as many as with {hash}")),
        ),
    ];
    let mut entries = Map::new();
    for (key, entry) in value.as_dict().into_iter().flatten() {
        let name = text_of(&format, key)?;
        let size = name.len() + 1 + text_of(&format, entry)?.len();
        lines.push(format!(
            "entry      {name}: {}, {size} bytes",
            described(entry)
        ));
        let name = key.as_str().map_or(name.clone(), ToOwned::to_owned);
        entries.insert(name, json!({ "type": described(entry), "bytes": size }));
    }
    Ok(Answer {
        text: lines.join("\n"),
        json: Map::from_iter([
            ("signed_at".to_owned(), parts.signed_at.into()),
            ("age".to_owned(), json!(i64::try_from(age).ok())),
            ("cookie_bytes".to_owned(), cookie.len().into()),
            ("json_bytes".to_owned(), json_text.len().into()),
            ("compressed".to_owned(), compressed.into()),
            ("signature_checked".to_owned(), false.into()),
            ("entries".to_owned(), entries.into()),
        ]),
        session: Some(session),
        notes: Vec::new(),
    })
}

/// The three parts of a signed and dated token.
struct Parts<'a> {
    payload: &'a str,
    signed_at: u64,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(cookie: &'a str) -> Result<Self, Failure> {
        let malformed = |what: &str| Failure::Refused {
            code: "malformed",
            reason: format!("{what}; a session cookie is payload.time.signature"),
        };
        let mut parts = cookie.rsplitn(3, '.');
        let (Some(signature), Some(time), Some(payload)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("there are fewer than three parts"));
        };
        let seconds = base64::decode(time.as_bytes(), Leniency::Strict)
            .ok()
            .filter(|bytes| bytes.len() <= 8)
            .ok_or_else(|| malformed("the time can't be read"))?;
        let signed_at = seconds
            .iter()
            .fold(0, |total, byte| total << 8 | u64::from(*byte));
        Ok(Self {
            payload,
            signed_at,
            signature,
        })
    }
}

/// When a cookie says it was signed, if it says so.
pub(crate) fn signed_at(cookie: &str) -> Option<u64> {
    Parts::of(cookie).ok().map(|parts| parts.signed_at)
}

/// The moment of signing and how long ago it was.
pub(crate) fn time_and_age(signed_at: u64, age: i128) -> String {
    let date = utc(signed_at).unwrap_or_else(|| "after the year 9999".to_owned());
    let span = Span(u64::try_from(age.unsigned_abs()).unwrap_or(u64::MAX));
    let when = if age < 0 {
        format!("{span} in the future")
    } else {
        format!("{span} ago")
    };
    format!("{date} ({signed_at}), {when}")
}

/// Python's name of a value's type; for a container also how many of what are inside.
fn described(value: &Value) -> String {
    let name = value.type_name();
    let inside: Vec<&Value> = match value {
        Value::List(items) | Value::Tuple(items) => items.iter().collect(),
        Value::Dict(entries) => entries.iter().map(|(_, entry)| entry).collect(),
        _ => return name.to_owned(),
    };
    let mut types: Vec<&str> = inside.iter().map(|item| item.type_name()).collect();
    let count = types.len();
    types.sort_unstable();
    types.dedup();
    if types.is_empty() {
        format!("empty {name}")
    } else {
        format!("{name} of {count} ({})", types.join(", "))
    }
}

/// Base64 text is as long as the hash makes it.
fn hash_by_length(characters: usize) -> Option<&'static str> {
    match characters {
        27 => Some("SHA-1"),
        43 => Some("SHA-256"),
        64 => Some("SHA-384"),
        86 => Some("SHA-512"),
        _ => None,
    }
}

/// Only printable ASCII: a cookie is somebody else's text, and this goes to a terminal.
pub(crate) fn text_of(format: &TaggedJson, value: &Value) -> Result<String, Failure> {
    let bytes = format
        .to_bytes(value)
        .map_err(|error| bad_payload(&error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn bad_payload(error: &dyn std::fmt::Display) -> Failure {
    Failure::Refused {
        code: "bad_payload",
        reason: error.to_string(),
    }
}
