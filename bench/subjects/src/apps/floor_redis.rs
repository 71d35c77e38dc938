//! The floor of sessions in Redis: the redis crate on one connection, as Cloakroom has it.

use std::sync::LazyLock;

use axum::{Router, http::StatusCode};
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, Script, aio::MultiplexedConnection,
    io::tcp::TcpSettings,
};

use super::{
    floor::failed,
    floor_store::{self, Driver},
};
use crate::{Failure, content::LIFETIME};

/// Opens it.
///
/// # Errors
///
/// There is no server at this URL.
pub async fn open(url: &str) -> Result<Router, Failure> {
    let info = url.into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_pipeline_buffer_size(1024);
    let client = Client::open(info)?;
    let connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    Ok(floor_store::routes(Redis(connection)))
}

#[derive(Clone)]
struct Redis(MultiplexedConnection);

static CREATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end \
         if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end \
         return 0",
    )
});

static REPLACE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local there = redis.call('MGET', KEYS[1], KEYS[2]) \
         if not there[1] or there[2] then return 0 end \
         if there[1] ~= ARGV[1] then return 0 end \
         redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) \
         return 1",
    )
});

static DELETE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('DEL', KEYS[1]) \
         redis.call('SET', KEYS[2], '', 'PX', ARGV[1]) \
         return 1",
    )
});

impl Driver for Redis {
    async fn load(&self, id: &str) -> Result<Option<Vec<u8>>, StatusCode> {
        let (entry, tombstone) = keys(id);
        let mut call = redis::cmd("MGET");
        call.arg(entry).arg(tombstone);
        let mut connection = self.0.clone();
        let there: (Option<Vec<u8>>, Option<Vec<u8>>) =
            call.query_async(&mut connection).await.map_err(failed)?;
        Ok(there.0.filter(|_| there.1.is_none()))
    }

    async fn create(&self, id: &str, json: &[u8]) -> Result<(), StatusCode> {
        let (entry, tombstone) = keys(id);
        let mut call = CREATE.key(entry);
        call.key(tombstone).arg(json).arg(LIFETIME.as_secs() * 1000);
        let mut connection = self.0.clone();
        match call.invoke_async(&mut connection).await {
            Ok(1) => Ok(()),
            Ok(_) | Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    async fn replace(&self, id: &str, base: &[u8], json: &[u8]) -> Result<bool, StatusCode> {
        let (entry, tombstone) = keys(id);
        let mut call = REPLACE.key(entry);
        call.key(tombstone)
            .arg(base)
            .arg(json)
            .arg(LIFETIME.as_secs() * 1000);
        let mut connection = self.0.clone();
        call.invoke_async(&mut connection).await.map_err(failed)
    }

    async fn delete(&self, id: &str) -> Result<(), StatusCode> {
        let (entry, tombstone) = keys(id);
        let mut call = DELETE.key(entry);
        call.key(tombstone).arg(LIFETIME.as_secs() * 1000);
        let mut connection = self.0.clone();
        call.invoke_async(&mut connection).await.map_err(failed)
    }
}

/// Of a session, and of what says that it was ended.
fn keys(id: &str) -> (String, String) {
    (format!("session:{id}"), format!("{{session:{id}}}:gone"))
}
