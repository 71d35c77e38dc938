//! P2: one request on sessions in a store sends the headers that Flask-Session sends, and leaves in the store
//! what Flask-Session leaves there.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom::{
    Clock, ConfigError, FlaskSettings, KeyRing, SecretKey, SessionConfig, SessionLayer, Value,
    format::Serialization,
    store::{Driver, MemoryStore},
    token::signed::{Signer, SignerOptions},
};
use flow::{Outcome, differs, ops, session_cookies};
use recording::{Call, Recording};
use serde_json::{Value as Json, json};
use support::{
    differences::{Differences, Rule},
    python_value, rows, text, unhex,
};

#[path = "support/flow.rs"]
mod flow;
#[path = "support/recording.rs"]
mod recording;
mod support;

/// Rows that go another way than in Flask-Session, and why.
const DIFFERENT: [Rule; 25] = [
    flow::NESTED_CHANGE.rows(&["nested change is not noticed"]),
    flow::FORCED_UNMODIFIED.rows(&["modified forced to False after a set"]),
    flow::NO_SUCH_SAME_SITE.rows(&["samesite invalid"]),
    flow::FILTER_IS_TEXT.rows(&["TRAP: a string filter matches substrings"]),
    flow::FILTER_OF_NO_TEXT.rows(&[]),
    flow::SEVERAL_COOKIES.rows(&[]),
    flow::VARY_AS_WRITTEN.rows(&[]),
    flow::CONTRADICTION.rows(&[]),
    flow::EMPTY_UPDATE.rows(&["update with nothing marks modified"]),
    flow::NO_FLASH.rows(&[]),
    flow::PERMANENT_IS_A_TRUTH.rows(&[]),
    Rule::sometimes(
        "P6: a request that leaves its session alone asks nothing of the store, unless sessions are refreshed",
        |row| !touches(row) && row["config"]["SESSION_REFRESH_EACH_REQUEST"] == false,
        &[
            "permanent session, untouched, no refresh",
            "SESSION_PERMANENT False, no refresh: untouched",
        ],
    ),
    Rule::sometimes(
        "P3: what nobody touched keeps its bytes: an entry in another format is written in the \
         configured one when it changes, not when it is read",
        in_another_format,
        &["json format, session stored as msgpack is converted"],
    ),
    Rule::sometimes(
        "an id that no version of Flask-Session makes never reaches the store",
        |row| session_cookies(row).iter().any(|cookie| !is_id(cookie)),
        &["unknown sid: a new sid is made, the sent one is not reused"],
    ),
    Rule::always(
        "SESSION_COOKIE_PARTITIONED is honoured; Flask-Session does not know it",
        |row| {
            row["config"]["SESSION_COOKIE_PARTITIONED"] == true
                && !row["expect"]["set_cookie"][0]
                    .as_str()
                    .unwrap_or("Max-Age=0")
                    .contains("Max-Age=0")
        },
        &["all cookie attributes, set", "partitioned implies secure"],
    ),
    Rule::sometimes(
        "fallback keys verify ids as well, so that a key can be rotated; Flask-Session logs everybody out",
        |row| !row["config"]["SECRET_KEY_FALLBACKS"].is_null(),
        &["signer ignores SECRET_KEY_FALLBACKS"],
    ),
    Rule::always(
        "signed ids need a key at start, not with the first request",
        |row| signs(row) && row["secret_key"].as_str().is_none_or(str::is_empty),
        &["signer: no secret key: 500"],
    ),
    Rule::sometimes(
        "what the format has no place for is refused where it is put in, or left out where that cannot \
         fail; Flask-Session fails when the response is on its way",
        |row| row["expect"]["status"] == 500 && !ops(row).any(|op| op[0] == "raise"),
        &["flash of Markup fails to serialise: 500"],
    ),
    Rule::always(
        "an id has 16 to 128 random bytes: fewer could be guessed, more do not fit the keys of every store",
        |row| {
            let length = row["config"]["SESSION_ID_LENGTH"].as_u64();
            length.is_some_and(|length| !(16..=128).contains(&length))
        },
        &[],
    )
    .rows(&[]),
    Rule::always(
        "a lifetime is at least a second: a session that no store would keep is refused at start",
        |row| {
            let lifetime = row["config"]["PERMANENT_SESSION_LIFETIME"].as_f64();
            lifetime.is_some_and(|lifetime| lifetime < 1.0)
        },
        &[],
    )
    .rows(&[]),
    Rule::elsewhere(
        "an entry that cannot be read is left alone, and the visitor has an empty session with a reason",
        |row| row["expect"]["status"] == 500 && row["expect"]["session_after"].is_null(),
    ),
    Rule::elsewhere(
        "`regenerate` gives what follows a new id and ends an entry that holds nothing; Flask-Session keeps \
         the id of an empty session",
        |row| ops(row).any(|op| op[0] == "regenerate") && holds_nothing(row),
    ),
    Rule::elsewhere(
        "a dataclass here is what Flask's JSON makes of it; Flask-Session writes its fields",
        |row| row["ops"].to_string().contains("\"$dataclass\""),
    ),
    Rule::elsewhere(
        "Markup has no place in these formats",
        |row| row["ops"].to_string().contains("\"$markup\""),
    ),
    Rule::elsewhere(
        "a prefix that leaves no room for an id in the keys of every store is refused at start",
        |row| {
            let prefix = row["config"]["SESSION_KEY_PREFIX"].as_str();
            prefix.is_some_and(|prefix| prefix.len() > 190)
        },
    ),
];

fn signs(row: &Json) -> bool {
    row["config"]["SESSION_USE_SIGNER"] == true
}

/// Whether the view looks at the session at all.
fn touches(row: &Json) -> bool {
    ops(row).any(|op| op[0] != "noop" && op[0] != "raise")
}

/// Whether a cookie, or the id in a signed one, is what Flask-Session makes.
fn is_id(cookie: &str) -> bool {
    let id = cookie.split('.').next().unwrap_or_default();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (22..=171).contains(&id.len()) && id.bytes().all(legal)
}

/// Whether an entry is stored in a format that is not the configured one, and nothing changes it.
fn in_another_format(row: &Json) -> bool {
    let json = row["config"]["SESSION_SERIALIZATION_FORMAT"] == "json";
    let mut values = row["store_before"].as_object().unwrap().values();
    values.any(|value| {
        let bytes = unhex(value.as_str().unwrap());
        !bytes.is_empty() && (bytes[0] == b'{') != json
    })
}

/// Whether an entry holds nothing, or only whether it is permanent.
fn holds_nothing(row: &Json) -> bool {
    let mut values = row["store_before"].as_object().unwrap().values();
    values.any(|value| {
        let bytes = unhex(value.as_str().unwrap());
        let entry = Serialization::MessagePack.from_slice(&bytes);
        let keys = entry.as_ref().ok().and_then(|entry| entry.as_dict());
        keys.is_some_and(|dict| {
            dict.iter()
                .all(|(key, _)| key.as_str() == Some("_permanent"))
        })
    })
}

/// Settings as Flask reads them, and the keys for ids.
fn config(row: &Json) -> Result<SessionConfig, ConfigError> {
    let given = &row["config"];
    let flask = given.as_object().unwrap().iter();
    let flask = flask.filter(|(name, _)| {
        let ours = [
            "PERMANENT",
            "USE_SIGNER",
            "KEY_PREFIX",
            "ID_LENGTH",
            "SERIALIZATION_FORMAT",
        ];
        *name != "SECRET_KEY_FALLBACKS"
            && !ours.iter().any(|ours| **name == format!("SESSION_{ours}"))
    });
    let flask = flask.map(|(name, value)| (name.as_str(), python_value(value)));
    let mut config = FlaskSettings::from_map(flask).session()?;
    if let Some(permanent) = given["SESSION_PERMANENT"].as_bool() {
        config = config.permanent_by_default(permanent);
    }
    if let Some(prefix) = given["SESSION_KEY_PREFIX"].as_str() {
        config = config.key_prefix(prefix);
    }
    if let Some(length) = given["SESSION_ID_LENGTH"].as_u64() {
        config = config.id_length(usize::try_from(length).unwrap());
    }
    match given["SESSION_SERIALIZATION_FORMAT"].as_str() {
        None | Some("msgpack") => {}
        Some("json") => config = config.serialization(Serialization::Json),
        Some(other) => panic!("{other} is no format"),
    }
    if signs(row) {
        config = config.sign_ids(keys(row)?);
    }
    Ok(config.clock(Clock::manual(seconds(row))))
}

fn keys(row: &Json) -> Result<KeyRing, ConfigError> {
    let key = |text: &str| SecretKey::insecure_for_development(text).unwrap();
    let signing = row["secret_key"].as_str().filter(|text| !text.is_empty());
    let ring = KeyRing::new(key(signing.ok_or(ConfigError::MissingKey)?));
    let fallbacks = row["config"]["SECRET_KEY_FALLBACKS"].as_array();
    Ok(fallbacks
        .into_iter()
        .flatten()
        .fold(ring, |ring, old| ring.fallback(key(old.as_str().unwrap()))))
}

fn lifetime(row: &Json) -> Duration {
    let seconds = row["config"]["PERMANENT_SESSION_LIFETIME"].as_u64();
    Duration::from_secs(seconds.unwrap_or(31 * 24 * 60 * 60))
}

fn prefix(row: &Json) -> &str {
    row["config"]["SESSION_KEY_PREFIX"]
        .as_str()
        .unwrap_or("session:")
}

/// What a request did to the store, in words that fit both libraries.
#[derive(Debug, PartialEq, Eq)]
enum Deed {
    Looked(String),
    Made(String, Bytes, u64),
    Renewed(String, u64),
    Changed(String, Bytes, u64),
    Removed(String),
}

/// The name that an id has in a comparison: random ones are all called the same.
fn named(row: &Json, key: &str) -> String {
    match row["store_before"].get(key) {
        Some(_) => key.to_owned(),
        None if session_cookies(row)
            .iter()
            .any(|id| key == [prefix(row), id].concat()) =>
        {
            key.to_owned()
        }
        None => format!("{}NEW", prefix(row)),
    }
}

/// What Flask-Session's commands mean.
fn deeds_of_flask(row: &Json) -> Vec<Deed> {
    let mut deeds: Vec<Deed> = Vec::new();
    for command in row["expect"]["store_commands"].as_array().unwrap() {
        let key = command[1].as_str().unwrap();
        let (name, before) = (named(row, key), row["store_before"].get(key));
        let ttl = || command[4].as_u64().unwrap();
        deeds.push(match command[0].as_str().unwrap() {
            "GET" => Deed::Looked(name),
            // Rewriting what is there already renews it.
            "SET" if before == command[2].get("hex") => Deed::Renewed(name, ttl()),
            "SET" => {
                let value = Bytes::from(unhex(text(&command[2], "hex")));
                match before {
                    Some(_) => Deed::Changed(name, value, ttl()),
                    None => Deed::Made(name, value, ttl()),
                }
            }
            "DEL" if before.is_some() => Deed::Removed(name),
            // What was never stored need not be removed.
            "DEL" => continue,
            other => panic!("{other} is no command"),
        });
    }
    // Here the new entry is made before the old one goes.
    if let Some(removed) = deeds
        .iter()
        .position(|deed| matches!(deed, Deed::Removed(_)))
        && matches!(deeds.get(removed + 1), Some(Deed::Made(..)))
    {
        deeds.swap(removed, removed + 1);
    }
    deeds
}

fn deeds_of_ours(row: &Json, calls: Vec<Call>) -> Vec<Deed> {
    calls
        .into_iter()
        .map(|call| match call {
            Call::Load(key) => Deed::Looked(named(row, &key)),
            Call::Create(key, value, ttl) => Deed::Made(named(row, &key), value, ttl.as_secs()),
            Call::Replace(key, value, ttl) => Deed::Changed(named(row, &key), value, ttl.as_secs()),
            Call::Touch(key, ttl) => Deed::Renewed(named(row, &key), ttl.as_secs()),
            Call::Delete(key, _) => Deed::Removed(named(row, &key)),
        })
        .collect()
}

/// Set-Cookie with a fresh id called NEW; a wrong signature stays as it is.
fn renamed(row: &Json, header: &str) -> String {
    let (head, rest) = header.split_once(';').unwrap_or((header, ""));
    let (name, value) = head.split_once('=').unwrap();
    let id = match signs(row) {
        true => keys(row).ok().and_then(|keys| {
            let signer = Signer::with_options(keys, "flask-session", &SignerOptions::flask());
            let id = signer.unsign(value.as_bytes()).ok()?.to_vec();
            String::from_utf8(id).ok()
        }),
        false => Some(value.to_owned()),
    };
    let known = id.as_ref().is_none_or(|id| {
        let known = row["store_before"]
            .get([prefix(row), id].concat())
            .is_some();
        id.is_empty() || known || session_cookies(row).contains(id)
    });
    match known {
        true => header.to_owned(),
        false => {
            let length = id.unwrap().len();
            format!("{name}=NEW of {length};{rest}")
        }
    }
}

/// What the store holds, fresh ids called NEW.
async fn contents(row: &Json, store: &MemoryStore) -> BTreeMap<String, Bytes> {
    let mut contents = BTreeMap::new();
    for listed in store.list("", None, 1000).await.unwrap().entries {
        let record = store.load(&listed.key).await.unwrap().unwrap();
        contents.insert(named(row, &listed.key), record.value);
    }
    contents
}

/// Carries out a row, and says what is different.
async fn difference(row: &Json) -> Option<String> {
    if ops(row).any(|op| op[0] == "append" || op[0] == "modified") {
        return Some("it cannot be tried".to_owned());
    }
    let config = match config(row) {
        Ok(config) => config,
        Err(refused) => return Some(refused.to_string()),
    };
    let store = Arc::new(MemoryStore::new().clock(Clock::manual(seconds(row))));
    for (key, value) in row["store_before"].as_object().unwrap() {
        let value = Bytes::from(unhex(value.as_str().unwrap()));
        // Half its life is over, so that a renewal is due.
        store.create(key, value, lifetime(row) / 2).await.unwrap();
    }
    let (recording, calls) = Recording::new(store.clone());
    let layer = match SessionLayer::stored_with(recording, config) {
        Ok(layer) => layer,
        Err(refused) => return Some(refused.to_string()),
    };
    let outcome = flow::request(layer, row).await;
    let (ours, flask) = (deeds_of_ours(row, calls.take()), deeds_of_flask(row));
    let different = differs(&expected(row), &comparable(row, outcome));
    if different.is_some() {
        return different;
    }
    if ours != flask {
        return Some(format!("the store is asked {ours:?} and not {flask:?}"));
    }
    let after = contents(row, &store).await;
    let expected = row["expect"]["store_after"].as_object().unwrap().iter();
    let expected: BTreeMap<String, Bytes> = expected
        .map(|(key, value)| (named(row, key), unhex(value.as_str().unwrap()).into()))
        .collect();
    (after != expected).then(|| format!("the store holds {after:?}"))
}

/// The row with fresh ids called NEW, and with the pairs that stores make of tuples.
fn expected(row: &Json) -> Json {
    let mut expected = row.clone();
    for header in expected["expect"]["set_cookie"].as_array_mut().unwrap() {
        *header = json!(renamed(row, header.as_str().unwrap()));
    }
    for (place, op) in ops(row).enumerate() {
        if op[0] == "get_flashed"
            && let Some(result) = expected["expect"]["op_results"].get_mut(place)
        {
            without_tuples(result);
        }
    }
    expected
}

fn comparable(row: &Json, mut outcome: Outcome) -> Outcome {
    for header in &mut outcome.set_cookie {
        *header = without_protection(renamed(row, header));
    }
    for (result, op) in outcome.results.iter_mut().zip(ops(row)) {
        if op[0] == "get_flashed"
            && let Ok(Value::List(flashes)) = result
        {
            for flash in flashes {
                if let Value::Tuple(pair) = flash {
                    *flash = Value::List(std::mem::take(pair));
                }
            }
        }
    }
    outcome
}

/// A cookie is removed with the attributes it was set with; Flask-Session leaves out those that protect it.
fn without_protection(header: String) -> String {
    if !header.contains("; Max-Age=0;") {
        return header;
    }
    let protects = |part: &&str| {
        matches!(*part, "Secure" | "HttpOnly" | "Partitioned") || part.starts_with("SameSite=")
    };
    let parts = header.split("; ").filter(|part| !protects(part));
    parts.collect::<Vec<_>>().join("; ")
}

/// A list in the place of each tuple.
fn without_tuples(json: &mut Json) {
    if let Some(items) = json.get_mut("$tuple") {
        *json = items.take();
    }
    match json {
        Json::Array(items) => items.iter_mut().for_each(without_tuples),
        Json::Object(object) => object.values_mut().for_each(without_tuples),
        _ => {}
    }
}

#[tokio::test]
async fn p2_flask_session_flows_leave_the_same_behind() {
    let mut differences = Differences::new(DIFFERENT);
    for row in rows("flask_session_flows", "flows") {
        differences.check(text(&row, "note"), &row, difference(&row).await);
    }
    differences.finish();
}

/// The row's time; a part of a second makes no difference here.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn seconds(row: &Json) -> u64 {
    row["now"].as_f64().unwrap() as u64
}
