//! `cloakroom keys`: the file of keys that servers watch. No key is ever shown, only ids and fingerprints.

mod status;
mod timeline;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use cloakroom::value::DateTime;
use cloakroom::{KeyFile, KeysError, ScheduledKey, SecretKey};
use serde_json::{Map, Value};

use self::timeline::{Standing, Timeline};
use crate::input;
use crate::keygen;
use crate::output::{Answer, Failure, Span};
use crate::units;

/// How long servers may take to read the file again, also as the option is written.
const READ: &str = "10m";
const READ_SECONDS: u64 = 600;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a new key file with one key; without a file, print a key as `cloakroom keygen` does
    Generate(GenerateArguments),
    /// Add a new key, which verifies at once and signs from a time when all servers have read the file
    Add(AddArguments),
    /// Let a key sign from now on
    Promote(PromoteArguments),
    /// Take a key out when nothing that it signed is good any more, say when that will be, or revoke it at once
    Retire(RetireArguments),
    /// Say what each key does, and when it is safe to drop it
    Status(StatusArguments),
}

#[derive(Args)]
struct FileArguments {
    /// The key file
    #[arg(long, short, env = "KEY_FILE", value_name = "PATH")]
    file: Option<PathBuf>,

    /// Go by this Unix time instead of now
    #[arg(long, value_name = "UNIX", hide = true)]
    now: Option<u64>,
}

#[derive(Args)]
pub(crate) struct GenerateArguments {
    /// The key file to make; refused if it is there already
    #[arg(long, short, value_name = "PATH")]
    file: Option<PathBuf>,

    /// What the key is called in logs and here; today's date unless given
    #[arg(long, requires = "file")]
    id: Option<String>,
}

#[derive(Args)]
#[command(group = ArgGroup::new("when"))]
pub(crate) struct AddArguments {
    #[command(flatten)]
    file: FileArguments,

    /// What the key is called in logs and here; the date from which it signs unless given
    #[arg(long)]
    id: Option<String>,

    /// How long from now on it only verifies: longer than the servers take to read the file
    #[arg(long, value_name = "SPAN", value_parser = units::duration, default_value = READ, group = "when")]
    signs_in: Duration,

    /// From when it signs: RFC 3339 with an offset, or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = moment, group = "when")]
    signs_from: Option<u64>,
}

#[derive(Args)]
pub(crate) struct PromoteArguments {
    #[command(flatten)]
    file: FileArguments,

    /// The key; may be left out if exactly one is waiting
    id: Option<String>,
}

#[derive(Args)]
#[command(group = ArgGroup::new("how"))]
pub(crate) struct RetireArguments {
    #[command(flatten)]
    file: FileArguments,

    /// The key
    id: String,

    #[command(flatten)]
    evidence: Evidence,

    /// Keep it until it is safe, and let it end by itself then
    #[arg(long, group = "how")]
    when_safe: bool,

    /// Take it out now; whoever has a session under it and nothing newer is logged out
    #[arg(long, group = "how")]
    force: bool,

    /// Never accept it again, from the servers' next look at the file: for a key that others know
    #[arg(long, group = "how")]
    revoke: bool,
}

#[derive(Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    file: FileArguments,

    #[command(flatten)]
    evidence: Evidence,
}

/// What tells when a key is no longer needed.
#[derive(Args)]
struct Evidence {
    /// The longest time that a session lives without activity: `SessionConfig::lifetime`, `remember_lifetime`, Flask's
    /// `PERMANENT_SESSION_LIFETIME`
    #[arg(long, value_name = "SPAN", value_parser = units::duration, default_value = "31d")]
    lifetime: Duration,

    /// A file with what a server's `SessionManager::key_usage` says, as JSON; `-` for standard input; one for each server
    #[arg(long, value_name = "FILE")]
    usage: Vec<PathBuf>,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Generate(arguments) => generate(arguments),
        Command::Add(arguments) => add(arguments),
        Command::Promote(arguments) => promote(arguments),
        Command::Retire(arguments) => retire(arguments),
        Command::Status(arguments) => status::run(arguments),
    }
}

fn generate(arguments: GenerateArguments) -> Result<Answer, Failure> {
    let Some(path) = arguments.file else {
        return keygen::run();
    };
    let id = arguments.id.unwrap_or_else(|| date(input::now(None)));
    let key = ScheduledKey::new(&id, new_secret()?);
    let text = format!("made {} with the key {}", path.display(), shown(&key));
    let answer = answer(text, &key);
    KeyFile::new(path).save(vec![key]).map_err(refused)?;
    Ok(answer)
}

fn add(arguments: AddArguments) -> Result<Answer, Failure> {
    let (mut file, now) = arguments.file.read()?;
    let mut keys = file.keys().to_vec();
    let from = arguments
        .signs_from
        .unwrap_or_else(|| now.saturating_add(arguments.signs_in.as_secs()));
    let id = arguments.id.unwrap_or_else(|| free_id(&keys, from));
    let key = ScheduledKey::new(id, new_secret()?).not_before(from);
    let begins = match from > now {
        true => format!("signs from {}", time(from)),
        false => "signs unless a newer one does".to_owned(),
    };
    let mut answer = answer(
        format!(
            "added key {}: it verifies at once and {begins}",
            shown(&key)
        ),
        &key,
    );
    if from < now.saturating_add(READ_SECONDS) {
        answer.notes.push(
            "servers that have not read the file by then refuse what it signs, and nobody is logged in there".to_owned(),
        );
    }
    keys.push(key);
    file.save(keys).map_err(refused)?;
    Ok(answer)
}

fn promote(arguments: PromoteArguments) -> Result<Answer, Failure> {
    let (mut file, now) = arguments.file.read()?;
    let timeline = Timeline::new(file.keys(), now, Duration::ZERO, &[])?;
    let waiting = || {
        let mut waiting = timeline
            .keys()
            .filter(|(_, standing)| matches!(standing, Standing::Waits { .. }));
        match (waiting.next(), waiting.next()) {
            (Some((key, _)), None) => Ok(key.id().to_owned()),
            _ => Err(Failure::Misuse(
                "not exactly one key is waiting to sign: name the one that is meant".to_owned(),
            )),
        }
    };
    let id = arguments.id.map_or_else(waiting, Ok)?;
    let index = position(file.keys(), &id)?;
    if timeline.signs(&id) {
        return Err(Failure::Refused {
            code: "signs_already",
            reason: format!("key `{id}` signs already"),
        });
    }
    let mut keys = file.keys().to_vec();
    if keys[index].is_revoked() {
        return Err(Failure::Refused {
            code: "revoked",
            reason: format!("key `{id}` is revoked; add another one"),
        });
    }
    // Two keys never begin in one second, and the later one signs.
    let mut from = now;
    while keys.iter().any(|key| key.signs_from() == Some(from)) {
        from += 1;
    }
    keys[index] = keys[index].clone().not_before(from);
    let key = keys[index].clone();
    let later = keys
        .iter()
        .filter(|other| other.signs_from() > Some(from) && !other.is_revoked())
        .min_by_key(|other| other.signs_from());
    let mut answer = answer(format!("key {} signs from now on", shown(&key)), &key);
    answer.notes.push(
        "servers that had not read the file when it was added refuse what it signs until they have"
            .to_owned(),
    );
    if let Some(later) = later {
        let at = later.signs_from().map_or_else(String::new, time);
        answer
            .notes
            .push(format!("key `{}` takes over at {at}", later.id()));
    }
    file.save(keys).map_err(refused)?;
    Ok(answer)
}

fn retire(arguments: RetireArguments) -> Result<Answer, Failure> {
    let (mut file, now) = arguments.file.read()?;
    let usage = status::usage(&arguments.evidence.usage)?;
    let lifetime = arguments.evidence.lifetime;
    let timeline = Timeline::new(file.keys(), now, lifetime, &usage)?;
    let index = position(file.keys(), &arguments.id)?;
    let mut keys = file.keys().to_vec();
    let key = keys[index].clone();
    let standing = timeline.standing(index);
    let named = shown(&key);
    let text = if arguments.revoke {
        keys[index] = key.clone().revoked();
        format!(
            "revoked key {named}: servers refuse what it signed as soon as they have read the file"
        )
    } else if arguments.force || standing.is_safe() {
        drop(keys.remove(index));
        format!("took key {named} out of the file")
    } else if let (true, Some(safe)) = (arguments.when_safe, standing.safe_from()) {
        keys[index] = key.clone().not_after(safe);
        format!(
            "key {named} ends at {}, when nothing that it signed is good any more",
            time(safe)
        )
    } else {
        return Err(Failure::Refused {
            code: "still_needed",
            reason: format!(
                "key `{}` {}; --when-safe lets it end by itself, --force takes it out now, --revoke is for a key that \
                 others know",
                key.id(),
                standing.reason(now)
            ),
        });
    };
    let answer = answer(text, &key);
    file.save(keys).map_err(refused)?;
    Ok(answer)
}

impl FileArguments {
    fn read(&self) -> Result<(KeyFile, u64), Failure> {
        let path = self.file.as_ref().ok_or_else(|| {
            Failure::Misuse("no key file: set KEY_FILE, or name it with --file".to_owned())
        })?;
        let file = KeyFile::read(path).map_err(refused)?;
        Ok((file, input::now(self.now)))
    }
}

fn new_secret() -> Result<SecretKey, Failure> {
    SecretKey::generate().map_err(|error| Failure::Misuse(error.to_string()))
}

fn position(keys: &[ScheduledKey], id: &str) -> Result<usize, Failure> {
    keys.iter().position(|key| key.id() == id).ok_or_else(|| {
        let ids: Vec<&str> = keys.iter().map(ScheduledKey::id).collect();
        Failure::Misuse(format!("no key has this id; there are {}", ids.join(", ")))
    })
}

fn answer(text: String, key: &ScheduledKey) -> Answer {
    Answer {
        text,
        json: Map::from_iter([
            ("id".to_owned(), key.id().into()),
            ("fingerprint".to_owned(), key.fingerprint().into()),
            (
                "signs_from".to_owned(),
                key.signs_from().map_or(Value::Null, Value::from),
            ),
        ]),
        session: None,
        notes: Vec::new(),
    }
}

fn shown(key: &ScheduledKey) -> String {
    format!("`{}` ({})", key.id(), key.fingerprint())
}

/// The date from which a key signs, with a number behind it if that is taken.
fn free_id(keys: &[ScheduledKey], from: u64) -> String {
    let date = date(from);
    let taken = |id: &str| keys.iter().any(|key| key.id() == id);
    let numbered = (2..).map(|number| format!("{date}-{number}"));
    std::iter::once(date.clone())
        .chain(numbered)
        .find(|id| !taken(id))
        .unwrap_or(date)
}

fn date(unix_seconds: u64) -> String {
    time(unix_seconds).chars().take(10).collect()
}

/// RFC 3339 in UTC, or the seconds where that ends.
fn time(unix_seconds: u64) -> String {
    units::utc(unix_seconds).unwrap_or_else(|| unix_seconds.to_string())
}

/// How long ago, or in how long.
fn when(unix_seconds: u64, now: u64) -> String {
    match now.checked_sub(unix_seconds) {
        Some(past) => format!("{} ago", Span(past)),
        None => format!("in {}", Span(unix_seconds - now)),
    }
}

fn moment(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    text.parse::<DateTime>()
        .ok()
        .filter(|time| time.offset().is_some())
        .and_then(|time| u64::try_from(time.unix_seconds()).ok())
        .ok_or_else(|| {
            "a time is written 2026-11-21T00:00:00Z, or as the seconds since 1970".to_owned()
        })
}

fn refused(error: KeysError) -> Failure {
    let source =
        std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
    match error {
        KeysError::Unreadable { .. } | KeysError::Exists { .. } | KeysError::Unwritable { .. } => {
            Failure::Misuse(format!("{error}{source}"))
        }
        KeysError::ChangedMeanwhile { .. } => Failure::Refused {
            code: "changed_meanwhile",
            reason: error.to_string(),
        },
        other => Failure::Refused {
            code: "keys_refused",
            reason: other.to_string(),
        },
    }
}
