//! Sessions in Redis or Valkey, where Flask-Session keeps them.

mod connection;
mod failure;
mod keys;
mod link;
mod list;
mod script;
mod target;
#[cfg_attr(not(feature = "redis-tls"), path = "no_tls.rs")]
mod tls;
mod url;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use redis::{Cmd, Value};

use self::{
    failure::Failure,
    keys::Keys,
    link::Link,
    script::{BURY, CREATE, DELETE, REPLACE, Script, TOUCH},
    target::Target,
};
use super::{
    CreateError, Cursor, DeleteError, Driver, Page, Record, ReplaceError, StoreError, TouchError,
};

/// Sessions in Redis or Valkey: one server, a master that Sentinel knows, or a cluster.
///
/// The layout is Flask-Session's (`SESSION_TYPE = "redis"`): the key as it is, the bytes as they are, and
/// the server's own expiry. A tombstone is an entry beside it, `{KEY}:gone` (`KEY:gone` for a key that has a
/// cluster hash tag of its own), which lies in the same slot of a cluster. Entries are compared by their
/// bytes, in one Lua script each, so a write of Flask's is noticed like one of ours. All calls share one
/// connection (per node), which is replaced when it breaks.
///
/// ```no_run
/// # async fn example() -> Result<(), cloakroom::store::StoreError> {
/// use cloakroom::store::{RedisStore, Store};
///
/// let store = Store::new(RedisStore::connect("redis://127.0.0.1:6379/0").await?);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "RedisSessionInterface")]
#[doc(alias = "SESSION_REDIS")]
#[derive(Clone)]
pub struct RedisStore {
    link: Arc<Link>,
}

impl RedisStore {
    /// Connects, and stays connected: a broken connection is replaced by the next call.
    ///
    /// | URL | |
    /// | --- | --- |
    /// | `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` | one server; also `redis+unix:///PATH` |
    /// | `redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER_NAME[/DATABASE]` | the master that the Sentinels name, asked again after a failover |
    /// | `redis+cluster://[USER:PASSWORD@]HOST[:PORT],…` | a cluster, found through any of these nodes |
    ///
    /// `rediss` in the place of `redis` is TLS (feature `redis-tls`), with the certificates that the system trusts
    /// or those in the PEM file `?ssl_ca_certs=`; `valkey` and `valkeys` are the same as `redis` and `rediss`. User and password, percent-encoded, are the servers'; those of the Sentinels
    /// are `?sentinel_username=…&sentinel_password=…`. `?socket_connect_timeout=` (seconds, 2 unless set) is
    /// how long connecting may take and `?socket_timeout=` (1.5) how long one command may.
    ///
    /// # Errors
    ///
    /// [`Refused`](super::StoreErrorKind::Refused) for a URL that says none of this or a server that denies
    /// the login, otherwise as the server cannot be reached.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let link = Arc::new(Link::new(Target::parse(url)?));
        link.ready().await?;
        Ok(Self { link })
    }

    fn keys<'a>(&self, key: &'a str) -> Result<Keys<'a>, StoreError> {
        Keys::of(key, self.link.is_cluster())
    }

    /// One script over an entry and its tombstone.
    async fn run(
        &self,
        script: &Script,
        key: &str,
        arguments: &[&[u8]],
    ) -> Result<Answer, StoreError> {
        let keys = self.keys(key)?;
        let (entry, tombstone) = (keys.entry.as_bytes(), keys.tombstone.as_bytes());
        let known = self
            .link
            .send(&script.by_hash(entry, tombstone, arguments))
            .await;
        let value = match known {
            // A server that has restarted, or a script cache that was flushed. The script did not run.
            Err(Failure::NoScript) => {
                let command = script.in_full(entry, tombstone, arguments);
                Box::pin(self.link.send(&command)).await
            }
            answer => answer,
        }?;
        Answer::read(value)
    }
}

/// What the scripts answer.
enum Answer {
    /// 0: there is nothing, or, for `CREATE`, something.
    No,
    /// 1: done.
    Done,
    /// Bytes: this is there now.
    Changed(Record),
}

impl Answer {
    fn read(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Int(0) => Ok(Self::No),
            Value::Int(1) => Ok(Self::Done),
            Value::BulkString(bytes) => Ok(Self::Changed(Record::new(bytes))),
            _ => Err(failure::unexpected()),
        }
    }
}

impl Driver for RedisStore {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let keys = self.keys(key)?;
        let mut command = Cmd::with_capacity(3, keys.entry.len() + keys.tombstone.len() + 4);
        command
            .arg("MGET")
            .arg(keys.entry)
            .arg(keys.tombstone.as_str());
        let answer = match self.link.send(&command).await {
            // Reading again is safe, and most requests begin with it: so a connection that the server or a
            // balancer closed for idling costs nobody an error.
            Err(Failure::Disconnected) => Box::pin(self.link.send(&command)).await,
            answer => answer,
        }?;
        let Value::Array(values) = answer else {
            return Err(failure::unexpected());
        };
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(Value::BulkString(bytes)), Some(Value::Nil)) => Ok(Some(Record::new(bytes))),
            (Some(Value::Nil), Some(_)) => Ok(None),
            (Some(_), Some(Value::BulkString(_))) => {
                // A neighbour's late write: it must not come to light when the tombstone goes.
                Box::pin(self.run(&BURY, key, &[])).await?;
                Ok(None)
            }
            _ => Err(failure::unexpected()),
        }
    }

    async fn expires_in(&self, key: &str) -> Result<Option<Duration>, StoreError> {
        let keys = self.keys(key)?;
        match self.link.send(&Cmd::pttl(keys.entry)).await? {
            Value::Int(-1) => Ok(None),
            Value::Int(left) => {
                let left = u64::try_from(left).unwrap_or(0);
                Ok(Some(Duration::from_millis(left)))
            }
            _ => Err(failure::unexpected()),
        }
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        let ttl = milliseconds(ttl);
        match self.run(&CREATE, key, &[&value, ttl.as_bytes()]).await? {
            Answer::Done => Ok(Record::new(value)),
            Answer::No | Answer::Changed(_) => Err(CreateError::Exists),
        }
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        let ttl = milliseconds(ttl);
        let arguments: [&[u8]; 3] = [&base.value, &value, ttl.as_bytes()];
        match self.run(&REPLACE, key, &arguments).await? {
            Answer::Done => Ok(Record::new(value)),
            Answer::No => Err(ReplaceError::NotFound),
            Answer::Changed(there) => Err(ReplaceError::Changed(there)),
        }
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        match self
            .run(&TOUCH, key, &[milliseconds(ttl).as_bytes()])
            .await?
        {
            Answer::Done => Ok(()),
            Answer::No | Answer::Changed(_) => Err(TouchError::NotFound),
        }
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        let tombstone = match tombstone {
            Duration::ZERO => "0".to_owned(),
            tombstone => milliseconds(tombstone),
        };
        let answer = match expected {
            None => self.run(&DELETE, key, &[tombstone.as_bytes()]).await?,
            Some(expected) => {
                self.run(&DELETE, key, &[tombstone.as_bytes(), &expected.value])
                    .await?
            }
        };
        match answer {
            Answer::Done => Ok(()),
            Answer::No => Err(DeleteError::NotFound),
            Answer::Changed(there) => Err(DeleteError::Changed(there)),
        }
    }

    /// Always 0: the server removes what has expired.
    async fn delete_expired(&self, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        list::page(&self.link, prefix, from, limit).await
    }
}

/// Shows how it is connected, never where or as whom.
impl fmt::Debug for RedisStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisStore")
            .field("to", &self.link.kind())
            .finish_non_exhaustive()
    }
}

/// A time to live as the server takes it: whole milliseconds, rounded up, and no more than the server can add
/// to its clock.
fn milliseconds(ttl: Duration) -> String {
    const MOST: u128 = 1_000_000_000_000_000;
    let rounded = ttl.as_nanos().div_ceil(1_000_000);
    rounded.clamp(1, MOST).to_string()
}
