use redis::{Client, ConnectionInfo, RedisResult, TlsCertificates, cluster::ClusterClientBuilder};

use crate::store::StoreError;

/// Whom a server's certificate has to be signed by.
pub(super) struct Authorities(Option<TlsCertificates>);

impl Authorities {
    /// Those in a PEM file, or without one those that the system trusts.
    pub(super) fn new(file: Option<&str>) -> Result<Self, StoreError> {
        // The TLS library takes its cryptography from what the process has chosen, and panics where nobody did.
        // An error means that somebody did.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let Some(file) = file else {
            return Ok(Self(None));
        };
        let pem = std::fs::read(file).map_err(|_| {
            StoreError::refused(
                "the file that ssl_ca_certs names in the URL of Redis cannot be read",
            )
        })?;
        Ok(Self(Some(TlsCertificates {
            client_tls: None,
            root_cert: Some(pem),
        })))
    }

    pub(super) fn client(&self, server: ConnectionInfo) -> RedisResult<Client> {
        match &self.0 {
            Some(certificates) => Client::build_with_tls(server, certificates.clone()),
            None => Client::open(server),
        }
    }

    pub(super) fn cluster(&self, builder: ClusterClientBuilder) -> ClusterClientBuilder {
        match &self.0 {
            Some(certificates) => builder.certs(certificates.clone()),
            None => builder,
        }
    }
}
