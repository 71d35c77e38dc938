//! In the place of `tls` without the feature `redis-tls`.

use std::convert::Infallible;

use redis::{Client, ConnectionInfo, RedisResult, cluster::ClusterClientBuilder};

use crate::store::StoreError;

/// There are none.
pub(super) struct Authorities(Infallible);

impl Authorities {
    pub(super) fn new(_: Option<&str>) -> Result<Self, StoreError> {
        Err(StoreError::refused(
            "TLS to Redis needs the cargo feature redis-tls",
        ))
    }

    pub(super) fn client(&self, _: ConnectionInfo) -> RedisResult<Client> {
        match self.0 {}
    }

    pub(super) fn cluster(&self, _: ClusterClientBuilder) -> ClusterClientBuilder {
        match self.0 {}
    }
}
