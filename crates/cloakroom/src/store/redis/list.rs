use std::{collections::BTreeSet, sync::Arc, time::Duration};

use redis::{Cmd, RedisResult, Value, cmd};

use super::{
    connection::Connection,
    failure::{self, Failure},
    keys,
    link::Link,
};
use crate::store::{Cursor, Listed, Page, StoreError};

/// The most keys that one step looks at.
const MOST: usize = 10_000;

/// One step of a `SCAN`. In a cluster the masters are scanned one after the other, in the order of their addresses, and
/// the cursor names the one it is at.
pub(super) async fn page(
    link: &Arc<Link>,
    prefix: &str,
    from: Option<Cursor>,
    limit: usize,
) -> Result<Page, StoreError> {
    let (mut node, cursor) = match from {
        None => (None, 0),
        Some(Cursor(text)) => place(&text, link.is_cluster())?,
    };
    let mut nodes = BTreeSet::new();
    if link.is_cluster() {
        nodes = masters(link.send(cmd("CLUSTER").arg("SLOTS")).await?)?;
        node = match node {
            None => nodes.first().cloned(),
            Some(node) if nodes.contains(&node) => Some(node),
            Some(_) => {
                return Err(StoreError::refused(
                    "redis: the cluster has another master by now; begin the listing again",
                ));
            }
        };
    }
    let (cursor, entries) = link
        .within(async |connection| scan(connection, node.as_deref(), prefix, cursor, limit).await)
        .await?;
    let after = |node: String| nodes.into_iter().find(|other| *other > node);
    let next = match (cursor, node) {
        (0, None) => None,
        (0, Some(node)) => after(node).map(|node| format!("0@{node}")),
        (cursor, None) => Some(cursor.to_string()),
        (cursor, Some(node)) => Some(format!("{cursor}@{node}")),
    };
    Ok(Page {
        entries,
        next: next.map(Cursor),
    })
}

/// What a cursor says: the node of a cluster, and the server's cursor.
fn place(text: &str, cluster: bool) -> Result<(Option<String>, u64), StoreError> {
    let parsed = match text.split_once('@') {
        Some((cursor, node)) if cluster => cursor
            .parse()
            .ok()
            .map(|cursor| (Some(node.to_owned()), cursor)),
        None if !cluster => text.parse().ok().map(|cursor| (None, cursor)),
        _ => None,
    };
    parsed.ok_or_else(|| StoreError::refused("redis: this is not a cursor of this store"))
}

async fn scan(
    connection: &mut Connection,
    node: Option<&str>,
    prefix: &str,
    cursor: u64,
    limit: usize,
) -> RedisResult<(u64, Vec<Listed>)> {
    let mut scan = cmd("SCAN");
    scan.arg(cursor).arg("MATCH").arg(keys::pattern(prefix));
    scan.arg("COUNT").arg(limit.clamp(1, MOST));
    let (cursor, found): (u64, Vec<Vec<u8>>) =
        redis::from_redis_value(connection.send_to(node, &scan).await?)?;
    // Keys that are no text are none of ours.
    let found = found.into_iter().filter_map(|key| {
        let key = String::from_utf8(key).ok()?;
        let tombstone = keys::Keys::of(&key, false).ok()?.tombstone;
        Some((key, tombstone))
    });
    let found: Vec<(String, String)> = found.collect();
    if found.is_empty() {
        return Ok((cursor, Vec::new()));
    }
    let mut questions = redis::pipe();
    for (key, tombstone) in &found {
        questions.add_command(Cmd::strlen(key));
        questions.add_command(Cmd::pttl(key));
        questions.add_command(Cmd::exists(tombstone));
    }
    let answers = connection
        .send_all_to(node, &questions, found.len() * 3)
        .await?;
    let (answers, _) = answers.as_chunks::<3>();
    let listed = found.into_iter().zip(answers);
    // Entries that went meanwhile, are of another type or have moved to another node are left out.
    let listed = listed.filter_map(|((key, _), answers)| match answers {
        [Value::Int(size), Value::Int(left), Value::Int(0)] if *left != -2 => {
            let expires_in = u64::try_from(*left).ok().map(Duration::from_millis);
            Some(Listed::new(key, usize::try_from(*size).ok()?, expires_in))
        }
        _ => None,
    });
    Ok((cursor, listed.collect()))
}

/// The masters of a cluster as `HOST:PORT`, of `CLUSTER SLOTS`: rows of first slot, last slot, master, replicas.
fn masters(answer: Value) -> Result<BTreeSet<String>, StoreError> {
    let mut masters = BTreeSet::new();
    let Value::Array(rows) = answer else {
        return Err(failure::unexpected());
    };
    for row in rows {
        let Value::Array(row) = row else {
            return Err(failure::unexpected());
        };
        let Some(Value::Array(master)) = row.into_iter().nth(2) else {
            return Err(failure::unexpected());
        };
        match master.as_slice() {
            [Value::BulkString(host), Value::Int(port), ..] => {
                masters.insert(format!("{}:{port}", String::from_utf8_lossy(host)));
            }
            _ => return Err(failure::unexpected()),
        }
    }
    Ok(masters)
}

impl From<redis::ParsingError> for Failure {
    fn from(_: redis::ParsingError) -> Self {
        Self::Other(failure::unexpected())
    }
}
