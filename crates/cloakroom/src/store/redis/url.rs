use std::time::Duration;

use redis::{
    Client, ConnectionInfo, IntoConnectionInfo, TlsMode, cluster::ClusterClientBuilder,
    io::tcp::TcpSettings, sentinel::SentinelNodeConnectionInfo,
};

use super::{target::Topology, tls::Authorities};
use crate::store::StoreError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const COMMAND_TIMEOUT: Duration = Duration::from_millis(1500);

/// A URL in its parts, because a list of hosts is none that a URL parser takes.
pub(super) struct Url<'a> {
    tls: Option<Authorities>,
    kind: &'a str,
    /// With the `@`.
    login: &'a str,
    hosts: &'a str,
    /// With the `/`.
    path: &'a str,
    pub(super) options: Options,
}

pub(super) struct Options {
    pub(super) connect_timeout: Duration,
    pub(super) command_timeout: Duration,
    sentinel_username: Option<String>,
    sentinel_password: Option<String>,
    /// A file.
    authorities: Option<String>,
    /// What the client itself understands.
    protocol: Option<String>,
}

impl<'a> Url<'a> {
    pub(super) fn split(url: &'a str) -> Result<Self, StoreError> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| StoreError::refused("the URL of Redis has no ://"))?;
        let (scheme, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(StoreError::refused("the URL is not one of Redis")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let options = Options::parse(query)?;
        let authorities = options.authorities.as_deref();
        let tls = match (tls, kind, authorities) {
            (true, "sentinel", Some(_)) | (false, _, Some(_)) => {
                return Err(StoreError::refused(
                    "ssl_ca_certs goes with rediss:// and rediss+cluster:// only",
                ));
            }
            (true, ..) => Some(Authorities::new(authorities)?),
            (false, ..) => None,
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Ok(Self {
            tls,
            kind,
            login,
            hosts,
            path,
            options,
        })
    }

    /// One of the hosts, with the login, as the client takes it.
    fn server(&self, host: &str, path: &str) -> Result<ConnectionInfo, StoreError> {
        let scheme = match (self.kind, &self.tls) {
            ("unix", _) => "redis+unix",
            (_, Some(_)) => "rediss",
            (_, None) => "redis",
        };
        let protocol = self.options.protocol.as_deref().unwrap_or("2");
        let login = self.login;
        let info = format!("{scheme}://{login}{host}{path}?protocol={protocol}")
            .into_connection_info()
            .map_err(|error| not_a_url(&error))?;
        Ok(info.set_tcp_settings(tcp()))
    }

    fn servers(&self, path: &str) -> Result<Vec<ConnectionInfo>, StoreError> {
        self.hosts
            .split(',')
            .map(|host| self.server(host, path))
            .collect()
    }

    /// What it says of where to connect.
    pub(super) fn topology(&self) -> Result<Topology, StoreError> {
        match self.kind {
            "" | "unix" => self.one(),
            "sentinel" => self.sentinel(),
            "cluster" => self.cluster(),
            _ => Err(StoreError::refused(
                "the URL begins with none of redis://, redis+unix://, redis+sentinel:// and redis+cluster://",
            )),
        }
    }

    fn one(&self) -> Result<Topology, StoreError> {
        let server = self.server(self.hosts, self.path)?;
        let client = match &self.tls {
            Some(authorities) => authorities.client(server),
            None => Client::open(server),
        };
        Ok(Topology::One(client.map_err(|error| not_a_url(&error))?))
    }

    fn sentinel(&self) -> Result<Topology, StoreError> {
        let path = self.path.trim_start_matches('/');
        let (master, database) = path.split_once('/').unwrap_or((path, ""));
        if master.is_empty() {
            return Err(StoreError::refused(
                "the URL of a Sentinel ends in the master's name: redis+sentinel://HOST:26379/MASTER_NAME",
            ));
        }
        let servers = self.servers(&format!("/{database}"))?;
        let [first, ..] = servers.as_slice() else {
            return Err(no_host());
        };
        let mut nodes = SentinelNodeConnectionInfo::default()
            .set_tcp_settings(tcp())
            .set_redis_connection_info(first.redis_settings().clone());
        if self.tls.is_some() {
            nodes = nodes.set_tls_mode(TlsMode::Secure);
        }
        let sentinels = self.hosts.split(',').map(|host| {
            let host = if host
                .rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
            {
                host.to_owned()
            } else {
                format!("{host}:26379")
            };
            let info = self.server(&host, "")?;
            let mut settings = redis::RedisConnectionInfo::default();
            if let Some(username) = &self.options.sentinel_username {
                settings = settings.set_username(username);
            }
            if let Some(password) = &self.options.sentinel_password {
                settings = settings.set_password(password);
            }
            Ok(info.set_redis_settings(settings))
        });
        Ok(Topology::Sentinel {
            sentinels: sentinels.collect::<Result<_, StoreError>>()?,
            master: master.to_owned(),
            servers: nodes,
        })
    }

    fn cluster(&self) -> Result<Topology, StoreError> {
        let nodes = self.servers(self.path)?;
        let mut client = ClusterClientBuilder::new(nodes)
            // A command whose answer was lost may have run. Sent again, an update would be done twice, or would find its
            // own writing and take it for another's.
            .retries(0)
            .connection_timeout(self.options.connect_timeout)
            .response_timeout(self.options.command_timeout)
            .tcp_settings(tcp());
        if let Some(authorities) = &self.tls {
            client = authorities.cluster(client);
        }
        let client = client.build().map_err(|error| not_a_url(&error))?;
        Ok(Topology::Cluster(client))
    }
}

impl Options {
    fn parse(query: &str) -> Result<Self, StoreError> {
        let mut options = Self {
            connect_timeout: CONNECT_TIMEOUT,
            command_timeout: COMMAND_TIMEOUT,
            sentinel_username: None,
            sentinel_password: None,
            authorities: None,
            protocol: None,
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "socket_connect_timeout" => options.connect_timeout = seconds(&value)?,
                "socket_timeout" => options.command_timeout = seconds(&value)?,
                "sentinel_username" => options.sentinel_username = Some(value.into_owned()),
                "sentinel_password" => options.sentinel_password = Some(value.into_owned()),
                "ssl_ca_certs" => options.authorities = Some(value.into_owned()),
                "protocol" if matches!(&*value, "2" | "3") => {
                    options.protocol = Some(value.into_owned());
                }
                _ => {
                    return Err(StoreError::refused(
                        "the URL of Redis may end in ?socket_connect_timeout=, socket_timeout=, protocol= (2 or 3), \
                         ssl_ca_certs=, sentinel_username= and sentinel_password= only",
                    ));
                }
            }
        }
        Ok(options)
    }
}

fn seconds(value: &str) -> Result<Duration, StoreError> {
    value
        .parse::<f64>()
        .ok()
        .filter(|seconds| *seconds > 0.0 && *seconds <= 3600.0)
        .map(Duration::from_secs_f64)
        .ok_or_else(|| {
            StoreError::refused(
                "a time-out in the URL of Redis is not a number of seconds up to an hour",
            )
        })
}

/// Small commands leave at once, and a host that is gone is noticed: a cluster's connections are not ours to replace.
fn tcp() -> TcpSettings {
    let keepalive = redis::io::tcp::socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10));
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(Duration::from_secs(5));
    settings
}

fn no_host() -> StoreError {
    StoreError::refused("the URL of Redis names no host")
}

/// The client's own words may quote the URL.
fn not_a_url(_: &redis::RedisError) -> StoreError {
    StoreError::refused(
        "the URL of Redis is not redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE] or one of its kind",
    )
}
