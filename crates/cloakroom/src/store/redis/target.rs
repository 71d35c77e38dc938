use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisResult,
    ServerErrorKind, TlsMode, Value,
    aio::MultiplexedConnection,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    cluster_routing::{RoutingInfo, SingleNodeRoutingInfo},
    io::tcp::TcpSettings,
    sentinel::{Sentinel, SentinelNodeConnectionInfo},
};
use tokio::time::timeout;

use super::failure;
use crate::store::StoreError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const COMMAND_TIMEOUT: Duration = Duration::from_millis(1500);

/// How many commands may wait to be written; more callers than that wait for their turn.
const QUEUE: usize = 1024;

/// What a URL says: where to connect, and how long things may take.
pub(super) struct Target {
    topology: Topology,
    connect_timeout: Duration,
    command_timeout: Duration,
}

enum Topology {
    One(Client),
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        master: String,
        servers: SentinelNodeConnectionInfo,
    },
    Cluster(ClusterClient),
}

/// A connection that many calls share.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let url = Url::split(url)?;
        let topology = match url.kind {
            "" | "unix" => Topology::One(
                Client::open(url.server(url.hosts, url.path)?)
                    .map_err(|error| not_a_url(&error))?,
            ),
            "sentinel" => url.sentinel()?,
            "cluster" => url.cluster()?,
            _ => {
                return Err(StoreError::refused(
                    "the URL begins with none of redis://, redis+unix://, redis+sentinel:// and redis+cluster://",
                ));
            }
        };
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

/// How often a command follows a slot that moves.
const REDIRECTIONS: usize = 4;

impl Connection {
    /// One command. It is sent again only if a node of a cluster answered that it did not run it.
    pub(super) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        let connection = match self {
            Self::One(connection) => return command.query_async(connection).await,
            Self::Cluster(connection) => connection,
        };
        for _ in 1..REDIRECTIONS {
            match command.query_async(connection).await {
                Err(error) if is(&error, ServerErrorKind::Moved) => {
                    // The connection asks for the new map before it sends the next command.
                }
                Err(error) if is(&error, ServerErrorKind::Ask) => {
                    let Some(node) = error.redirect_node().and_then(|(node, _)| address(node))
                    else {
                        return Err(error);
                    };
                    let mut asking = redis::pipe();
                    asking.cmd("ASKING").add_command(command.clone());
                    let mut answers = connection.route_pipeline(asking, 1, 1, node).await?;
                    let answer = answers.pop().unwrap_or_default();
                    return answer.extract_error();
                }
                answer => return answer,
            }
        }
        command.query_async(connection).await
    }

    /// One command to one node of a cluster, whatever keys it names.
    pub(super) async fn send_to(
        &mut self,
        node: Option<&str>,
        command: &Cmd,
    ) -> RedisResult<Value> {
        match (self, node.and_then(address)) {
            (Self::Cluster(connection), Some(node)) => connection
                .route_command(command.clone(), RoutingInfo::SingleNode(node))
                .await?
                .extract_error(),
            (connection, _) => connection.send(command).await,
        }
    }

    /// Several commands to one node. Each answer may be an error of its own.
    pub(super) async fn send_all_to(
        &mut self,
        node: Option<&str>,
        commands: &redis::Pipeline,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        match (self, node.and_then(address)) {
            (Self::Cluster(connection), Some(node)) => {
                connection
                    .route_pipeline(commands.clone(), 0, count, node)
                    .await
            }
            (Self::Cluster(_), None) => Ok(Vec::new()),
            (Self::One(connection), _) => connection.send_packed_commands(commands, 0, count).await,
        }
    }
}

fn is(error: &redis::RedisError, kind: ServerErrorKind) -> bool {
    error.kind() == ErrorKind::Server(kind)
}

/// Where `HOST:PORT` is, which may be an IPv6 address without brackets.
fn address(node: &str) -> Option<SingleNodeRoutingInfo> {
    let (host, port) = node.rsplit_once(':')?;
    Some(SingleNodeRoutingInfo::ByAddress {
        host: host.to_owned(),
        port: port.parse().ok()?,
    })
}

/// A URL in its parts, because a list of hosts is none that a URL parser takes.
struct Url<'a> {
    tls: bool,
    kind: &'a str,
    /// With the `@`.
    login: &'a str,
    hosts: &'a str,
    /// With the `/`.
    path: &'a str,
    options: Options,
}

struct Options {
    connect_timeout: Duration,
    command_timeout: Duration,
    sentinel_username: Option<String>,
    sentinel_password: Option<String>,
    /// What the client itself understands.
    protocol: Option<String>,
}

impl<'a> Url<'a> {
    fn split(url: &'a str) -> Result<Self, StoreError> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| StoreError::refused("the URL of Redis has no ://"))?;
        let (scheme, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" if cfg!(feature = "redis-tls") => true,
            "rediss" | "valkeys" => {
                return Err(StoreError::refused(
                    "TLS to Redis needs the cargo feature redis-tls",
                ));
            }
            _ => return Err(StoreError::refused("the URL is not one of Redis")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Ok(Self {
            tls,
            kind,
            login,
            hosts,
            path,
            options: Options::parse(query)?,
        })
    }

    /// One of the hosts, with the login, as the client takes it.
    fn server(&self, host: &str, path: &str) -> Result<ConnectionInfo, StoreError> {
        let scheme = match (self.kind, self.tls) {
            ("unix", _) => "redis+unix",
            (_, true) => "rediss",
            (_, false) => "redis",
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
        if self.tls {
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
        let client = ClusterClientBuilder::new(nodes)
            // A command whose answer was lost may have run. Sent again, an update would be done twice, or would find its
            // own writing and take it for another's.
            .retries(0)
            .connection_timeout(self.options.connect_timeout)
            .response_timeout(self.options.command_timeout)
            .tcp_settings(tcp());
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
            protocol: None,
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "socket_connect_timeout" => options.connect_timeout = seconds(&value)?,
                "socket_timeout" => options.command_timeout = seconds(&value)?,
                "sentinel_username" => options.sentinel_username = Some(value.into_owned()),
                "sentinel_password" => options.sentinel_password = Some(value.into_owned()),
                "protocol" if matches!(&*value, "2" | "3") => {
                    options.protocol = Some(value.into_owned());
                }
                _ => {
                    return Err(StoreError::refused(
                        "the URL of Redis may end in ?socket_connect_timeout=, socket_timeout=, protocol= (2 or 3), \
                         sentinel_username= and sentinel_password= only",
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
