//! How the register writes what it knows: MessagePack arrays, each beginning with the version of its layout.
//!
//! A user is `[1, sessions, ending, all_ended]`: `sessions` of `[handle, locator, former, created, seen, expires,
//! level, agent, address]` with `former` an array of locators; `ending` of `[locator, until]`; `all_ended` nil
//! or `[at, until]`. What has no value is nil, times are unix seconds. The end of all sessions of everyone is
//! `[1, at]`.
//!
//! A session takes about 95 bytes in a store, 40 in a cookie, and what it says of agent and address, usually 130
//! and at most 512.

use bytes::Bytes;

use super::entry::{AllEnded, Ending, LAST_SECOND, SessionEntry, SubjectEntry};
use crate::{
    format::Serialization,
    session::{HANDLE_BYTES, Handle},
    value::Value,
};

/// The largest entry that is written if leaving out agents can help it: DynamoDB takes no item beyond 400 KiB.
pub(super) const MOST_BYTES: usize = 384 * 1024;
/// Nothing larger is read.
const MOST_READ: usize = 1024 * 1024;
const VERSION: u64 = 1;

/// The bytes are not those of an entry, or of one that this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

pub(super) fn write(entry: &SubjectEntry) -> Result<Bytes, Unreadable> {
    let bytes = write_all(entry)?;
    if bytes.len() <= MOST_BYTES {
        return Ok(bytes);
    }
    let mut entry = entry.clone();
    entry.shorten(bytes.len() - MOST_BYTES);
    write_all(&entry)
}

fn write_all(entry: &SubjectEntry) -> Result<Bytes, Unreadable> {
    let sessions = entry.sessions.iter().map(session_value).collect();
    let ending = entry.ending.iter().map(|ending| {
        let Ending { locator, until } = ending;
        Value::List(vec![locator.as_str().into(), (*until).into()])
    });
    let all_ended = entry
        .all_ended
        .map(|AllEnded { at, until }| Value::List(vec![at.into(), until.into()]));
    to_bytes(Value::List(vec![
        VERSION.into(),
        Value::List(sessions),
        Value::List(ending.collect()),
        all_ended.unwrap_or(Value::None),
    ]))
}

fn session_value(session: &SessionEntry) -> Value {
    let former = session.former.iter().map(|former| former.as_str().into());
    Value::List(vec![
        handle_value(&session.handle),
        text_value(session.locator.as_ref()),
        Value::List(former.collect()),
        session.created.into(),
        session.seen.into(),
        session.expires.into(),
        session.level.map_or(Value::None, Value::from),
        text_value(session.agent.as_ref()),
        text_value(session.address.as_ref()),
    ])
}

fn handle_value(handle: &Handle) -> Value {
    Value::Bytes(handle.as_bytes().to_vec())
}

fn text_value(text: Option<&String>) -> Value {
    text.map_or(Value::None, |text| text.as_str().into())
}

/// No value here is one that MessagePack does not have.
fn to_bytes(value: Value) -> Result<Bytes, Unreadable> {
    Serialization::MessagePack
        .to_bytes(&value)
        .map(Bytes::from)
        .map_err(|_| Unreadable)
}

pub(super) fn read(bytes: &[u8]) -> Result<SubjectEntry, Unreadable> {
    let [version, sessions, ending, all_ended] = array(from_bytes(bytes)?)?;
    known(&version)?;
    Ok(SubjectEntry {
        sessions: list(sessions)?
            .into_iter()
            .map(read_session)
            .collect::<Result<_, _>>()?,
        ending: list(ending)?
            .into_iter()
            .map(|ending| {
                let [locator, until] = array(ending)?;
                Ok(Ending {
                    locator: text(locator)?.ok_or(Unreadable)?,
                    until: time(&until)?,
                })
            })
            .collect::<Result<_, _>>()?,
        all_ended: optional(all_ended)
            .map(|value| {
                let [at, until] = array(value)?;
                Ok(AllEnded {
                    at: time(&at)?,
                    until: time(&until)?,
                })
            })
            .transpose()?,
    })
}

fn read_session(value: Value) -> Result<SessionEntry, Unreadable> {
    let [
        handle,
        locator,
        former,
        created,
        seen,
        expires,
        level,
        agent,
        address,
    ] = array(value)?;
    let former = list(former)?
        .into_iter()
        .map(|locator| text(locator)?.ok_or(Unreadable));
    let level = optional(level)
        .map(|level| u8::try_from(number(&level)?).map_err(|_| Unreadable))
        .transpose()?;
    Ok(SessionEntry {
        handle: read_handle(&handle)?,
        locator: text(locator)?,
        former: former.collect::<Result<_, _>>()?,
        created: time(&created)?,
        seen: time(&seen)?,
        expires: time(&expires)?,
        level,
        agent: text(agent)?,
        address: text(address)?,
    })
}

/// When all sessions of everyone were ended.
pub(super) fn write_moment(at: u64) -> Result<Bytes, Unreadable> {
    to_bytes(Value::List(vec![VERSION.into(), at.into()]))
}

pub(super) fn read_moment(bytes: &[u8]) -> Result<u64, Unreadable> {
    let [version, at] = array(from_bytes(bytes)?)?;
    known(&version)?;
    time(&at)
}

fn from_bytes(bytes: &[u8]) -> Result<Value, Unreadable> {
    if bytes.len() > MOST_READ {
        return Err(Unreadable);
    }
    Serialization::MessagePack
        .read(bytes)
        .map_err(|_| Unreadable)
}

fn known(version: &Value) -> Result<(), Unreadable> {
    if number(version)? == VERSION {
        Ok(())
    } else {
        Err(Unreadable)
    }
}

fn list(value: Value) -> Result<Vec<Value>, Unreadable> {
    match value {
        Value::List(items) => Ok(items),
        _ => Err(Unreadable),
    }
}

fn array<const N: usize>(value: Value) -> Result<[Value; N], Unreadable> {
    list(value)?.try_into().map_err(|_| Unreadable)
}

fn optional(value: Value) -> Option<Value> {
    match value {
        Value::None => None,
        value => Some(value),
    }
}

fn text(value: Value) -> Result<Option<String>, Unreadable> {
    match &value {
        Value::None => Ok(None),
        value => value
            .as_str()
            .map(|text| Some(text.to_owned()))
            .ok_or(Unreadable),
    }
}

fn number(value: &Value) -> Result<u64, Unreadable> {
    value
        .as_i64()
        .and_then(|number| u64::try_from(number).ok())
        .ok_or(Unreadable)
}

fn time(value: &Value) -> Result<u64, Unreadable> {
    number(value).and_then(|seconds| match seconds {
        0..=LAST_SECOND => Ok(seconds),
        _ => Err(Unreadable),
    })
}

fn read_handle(value: &Value) -> Result<Handle, Unreadable> {
    match value {
        Value::Bytes(bytes) => <[u8; HANDLE_BYTES]>::try_from(bytes.as_slice())
            .map(Handle::from_bytes)
            .map_err(|_| Unreadable),
        _ => Err(Unreadable),
    }
}
