use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, RedisResult,
    cluster::ClusterClient,
    sentinel::{Sentinel, SentinelNodeConnectionInfo},
};
use tokio::time::timeout;

use super::{connection::Connection, failure, url::Url};
use crate::store::StoreError;

/// How many commands may wait to be written; more callers than that wait for their turn.
const QUEUE: usize = 1024;

/// What a URL says: where to connect, and how long things may take.
pub(super) struct Target {
    topology: Topology,
    connect_timeout: Duration,
    command_timeout: Duration,
}

#[allow(clippy::large_enum_variant, reason = "a store has one")]
pub(super) enum Topology {
    One(Client),
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        master: String,
        servers: SentinelNodeConnectionInfo,
    },
    Cluster(ClusterClient),
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let url = Url::split(url)?;
        let topology = url.topology()?;
        Ok(Self {
            topology,
            connect_timeout: url.options.connect_timeout,
            command_timeout: url.options.command_timeout,
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.topology {
            Topology::One(_) => "one server",
            Topology::Sentinel { .. } => "a master behind Sentinel",
            Topology::Cluster(_) => "a cluster",
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster(_))
    }

    pub(super) fn command_timeout(&self) -> Duration {
        self.command_timeout
    }

    pub(super) async fn connect(&self) -> Result<Connection, StoreError> {
        // Sentinel and cluster ask around first.
        let limit = match self.topology {
            Topology::One(_) => self.connect_timeout,
            Topology::Sentinel { .. } | Topology::Cluster(_) => self.connect_timeout * 2,
        };
        match timeout(limit, self.connect_now()).await {
            Ok(outcome) => outcome.map_err(|error| failure::told(&error)),
            Err(_) => Err(StoreError::timed_out("redis: connecting")),
        }
    }

    async fn connect_now(&self) -> RedisResult<Connection> {
        // Each command's time is limited by its caller, who also lets go of a connection that hangs.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let client = match &self.topology {
            Topology::Cluster(client) => {
                return Ok(Connection::Cluster(client.get_async_connection().await?));
            }
            Topology::One(client) => client,
            Topology::Sentinel {
                sentinels,
                master,
                servers,
            } => {
                &Sentinel::build(sentinels.clone())?
                    .async_master_for(master, Some(servers))
                    .await?
            }
        };
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        Ok(Connection::One(connection))
    }
}
