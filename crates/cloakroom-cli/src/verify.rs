//! `cloakroom cookie verify`: is a cookie genuine, whose key signed it, and what does it hold?

use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use cloakroom::format::TaggedJson;
use cloakroom::{Clock, Error, KeyRing, Refusal, SessionConfig, SessionManager, Status, testing};
use serde_json::{Map, json};

use crate::decode::{bad_payload, signed_at, text_of, time_and_age};
use crate::input;
use crate::keys::{KeyArguments, NamedKey};
use crate::output::{Answer, Failure};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    keys: KeyArguments,

    /// Refuse a cookie that is older, or from the future; without it the age is only told
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,

    /// Judge the age as of this Unix time instead of now
    #[arg(long, value_name = "UNIX")]
    now: Option<u64>,

    /// The cookie's value; standard input when absent or `-`
    cookie: Option<String>,
}

pub(crate) fn run(arguments: Arguments) -> Result<Answer, Failure> {
    let keys = arguments.keys.verifying()?;
    let cookie = input::cookie(arguments.cookie)?;
    let now = input::now(arguments.now);
    let manager =
        SessionManager::signed(ring(&keys), config(&arguments.keys, arguments.max_age, now))
            .map_err(|error| Failure::Misuse(error.to_string()))?;
    let opened = testing::now(manager.open_value(&cookie));
    let session = match opened {
        Some(Ok(session)) => session,
        Some(Err(Error::Refused(refusal))) => return Err(refused(refusal, &cookie, now)),
        // A cookie asks no store, so nothing waits and nothing else fails.
        Some(Err(_)) | None => return Err(refused(Refusal::BadPayload, &cookie, now)),
    };
    let Status::Loaded {
        signed_at,
        key_index,
        ..
    } = session.status()
    else {
        return Err(refused(Refusal::BadPayload, &cookie, now));
    };

    // Read and written again: an entry that nobody changed would keep the spelling of whoever signed it.
    let format = TaggedJson::new();
    let value = format
        .from_slice(session.to_tagged_json().as_bytes())
        .map_err(|error| bad_payload(&error))?;
    let text = text_of(&format, &value)?;
    let signed_at = signed_at
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let age = i128::from(now) - i128::from(signed_at);
    let key = keys.get(key_index).map_or("", |key| key.place.as_str());
    Ok(Answer {
        json: Map::from_iter([
            ("key".to_owned(), key.into()),
            ("key_index".to_owned(), key_index.into()),
            ("signed_at".to_owned(), signed_at.into()),
            ("age".to_owned(), json!(i64::try_from(age).ok())),
        ]),
        notes: vec![
            format!(
                "key: {key}{}",
                if key_index == 0 { "" } else { " (fallback)" }
            ),
            format!("signed: {}", time_and_age(signed_at, age)),
        ],
        session: Some(text.clone()),
        text,
    })
}

/// The keys as given, the first signing, the others from the newest fallback to the oldest.
fn ring(keys: &[NamedKey]) -> KeyRing {
    let signing = KeyRing::new(keys[0].key.clone());
    keys[1..].iter().rev().fold(signing, |ring, fallback| {
        ring.fallback(fallback.key.clone())
    })
}

/// Flask's rules for a cookie's age, or, without a limit, no rules at all.
fn config(keys: &KeyArguments, max_age: Option<u64>, now: u64) -> SessionConfig {
    let config = SessionConfig::flask()
        .salt(keys.salt.as_bytes())
        .digest(keys.digest.into())
        .clock(Clock::manual(now));
    match max_age {
        Some(seconds) => config.lifetime(Duration::from_secs(seconds)),
        None => config.lifetime(Duration::MAX).leeway(Duration::MAX),
    }
}

fn refused(refusal: Refusal, cookie: &str, now: u64) -> Failure {
    let when = match refusal {
        // Only behind a good signature is the time worth telling.
        Refusal::Expired | Refusal::FromTheFuture => {
            signed_at(cookie).map_or_else(String::new, |signed_at| {
                let age = i128::from(now) - i128::from(signed_at);
                format!("; signed {}", time_and_age(signed_at, age))
            })
        }
        _ => String::new(),
    };
    Failure::Refused {
        code: refusal.code(),
        reason: format!("{refusal}{when}"),
    }
}
