use redis::{
    Cmd, ErrorKind, RedisResult, ServerErrorKind, Value,
    aio::MultiplexedConnection,
    cluster_async::ClusterConnection,
    cluster_routing::{RoutingInfo, SingleNodeRoutingInfo},
};

/// A connection that many calls share.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// How often a command follows a slot that moves.
const REDIRECTIONS: usize = 4;

impl Connection {
    /// One command and its answer.
    pub(super) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            // As `query_async`, but without its box.
            Self::One(connection) => connection
                .send_packed_command(command)
                .await?
                .extract_error(),
            // Boxed, so that a call to one server is no larger for it.
            Self::Cluster(connection) => Box::pin(follow(connection, command)).await,
        }
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

/// One command to a cluster. It is sent again only if a node answered that it did not run it.
async fn follow(connection: &mut ClusterConnection, command: &Cmd) -> RedisResult<Value> {
    for _ in 1..REDIRECTIONS {
        match command.query_async(connection).await {
            Err(error) if is(&error, ServerErrorKind::Moved) => {
                // The connection asks for the new map before it sends the next command.
            }
            Err(error) if is(&error, ServerErrorKind::Ask) => {
                let Some(node) = error.redirect_node().and_then(|(node, _)| address(node)) else {
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
