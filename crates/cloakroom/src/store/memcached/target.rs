use std::time::Duration;

use crate::store::StoreError;

/// What a URL says: where the server is, and how long things may take.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) connect_timeout: Duration,
    pub(super) command_timeout: Duration,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let not_a_url = || {
            StoreError::refused(
                "the URL of memcached is not memcached://HOST[:PORT], perhaps with \
                 ?socket_connect_timeout= and socket_timeout=",
            )
        };
        let rest = url.strip_prefix("memcached://").ok_or_else(not_a_url)?;
        if rest
            .split(['/', '?'])
            .next()
            .is_some_and(|hosts| hosts.contains(','))
        {
            return Err(StoreError::refused(
                "memcached: one server only, because clients do not agree on which of several has a key",
            ));
        }
        let url = url::Url::parse(url).map_err(|_| not_a_url())?;
        let host = match url.host() {
            Some(url::Host::Domain(host)) => host.to_owned(),
            Some(url::Host::Ipv4(address)) => address.to_string(),
            Some(url::Host::Ipv6(address)) => address.to_string(),
            None => return Err(not_a_url()),
        };
        if host.is_empty() || !url.username().is_empty() || url.password().is_some() {
            return Err(not_a_url());
        }
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(not_a_url());
        }
        let mut target = Self {
            host,
            port: url.port().unwrap_or(11211),
            connect_timeout: Duration::from_secs(2),
            command_timeout: Duration::from_millis(1500),
        };
        for (name, value) in url.query_pairs() {
            let seconds = value.parse::<f64>().ok();
            let seconds = seconds.filter(|seconds| *seconds > 0.0 && *seconds <= 3600.0);
            let time = seconds.map(Duration::from_secs_f64).ok_or_else(not_a_url)?;
            match &*name {
                "socket_connect_timeout" => target.connect_timeout = time,
                "socket_timeout" => target.command_timeout = time,
                _ => return Err(not_a_url()),
            }
        }
        Ok(target)
    }
}
