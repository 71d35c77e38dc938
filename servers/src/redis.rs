//! Redis: one server, a cluster, or a master with its replica and a sentinel.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Server, place,
    server::{Probe, Recipe},
    shared::{Kind, Shared},
    template,
};

/// Starts a server of one's own. Killed and started again, it still has every write that it acknowledged.
///
/// # Errors
///
/// It is not installed, or could not be started.
pub fn start() -> io::Result<Server> {
    start_with(&[])
}

/// As [`start`], with a password, which its URL holds.
///
/// # Errors
///
/// As there.
pub fn start_with_password(password: &str) -> io::Result<Server> {
    start_with(&["--requirepass", password])
}

/// The URL of the server that all tests share: `CLOAKROOM_TEST_REDIS_URL`, or one started on first use.
///
/// # Panics
///
/// If it can't be started.
pub fn shared() -> &'static str {
    static SHARED: Shared = Shared::new();
    SHARED.url(&KIND)
}

pub(crate) const KIND: Kind = Kind {
    name: "redis",
    variable: "CLOAKROOM_TEST_REDIS_URL",
    start,
};

/// Three masters that share all slots.
#[derive(Debug)]
pub struct Cluster {
    nodes: [Server; 3],
}

/// Starts a cluster, and waits until all nodes agree that it is whole.
///
/// # Errors
///
/// As [`start`], and `redis-cli` is missing.
pub fn start_cluster() -> io::Result<Cluster> {
    let client = place::program("redis-cli", "redis-tools")?;
    let node = || {
        let bus = place::free_port()?.to_string();
        start_with(&[
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            &bus,
            "--cluster-node-timeout",
            "2000",
            // The slots of a node that is down fail, the others work.
            "--cluster-require-full-coverage",
            "no",
        ])
    };
    let cluster = Cluster {
        nodes: [node()?, node()?, node()?],
    };
    let addresses = cluster.nodes.each_ref().map(address);
    template::run(
        Command::new(client)
            .args(["--cluster", "create"])
            .args(addresses)
            .args(["--cluster-replicas", "0", "--cluster-yes"]),
    )?;
    for node in &cluster.nodes {
        wait_for(node, "CLUSTER INFO", |info| {
            info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
        })?;
    }
    Ok(cluster)
}

impl Cluster {
    /// The nodes, each to be killed or paused for itself.
    pub fn nodes(&self) -> &[Server; 3] {
        &self.nodes
    }

    /// All nodes: `redis+cluster://127.0.0.1:12345,127.0.0.1:12346,127.0.0.1:12347`.
    pub fn url(&self) -> String {
        let addresses = self.nodes.each_ref().map(address);
        format!("redis+cluster://{}", addresses.join(","))
    }
}

/// A master, its replica, and the sentinel that watches both and makes the replica the master when the
/// master has been down for half a second.
#[derive(Debug)]
pub struct Sentinel {
    watching: Server,
    master: Server,
    replica: Server,
}

/// What the sentinel calls the master.
pub const MASTER_NAME: &str = "mymaster";

/// Starts a master, a replica and a sentinel, and waits until they know each other.
///
/// # Errors
///
/// As [`start`].
pub fn start_sentinel() -> io::Result<Sentinel> {
    let master = start()?;
    let master_port = master.port().to_string();
    let replica = start_with(&["--replicaof", "127.0.0.1", &master_port])?;
    wait_for(&replica, "INFO replication", |info| {
        info.contains("master_link_status:up")
    })?;
    let program = place::program("redis-server", "redis-server")?;
    let sentinel = Server::start("sentinel", None, |port, folder| {
        // The sentinel writes what it learns into this file.
        let file = folder.join("sentinel.conf");
        fs::write(
            &file,
            format!(
                "port {port}\nbind 127.0.0.1\nprotected-mode no\n\
                 sentinel monitor {MASTER_NAME} 127.0.0.1 {master_port} 1\n\
                 sentinel down-after-milliseconds {MASTER_NAME} 500\n\
                 sentinel failover-timeout {MASTER_NAME} 3000\n"
            ),
        )?;
        Ok(Recipe {
            name: "redis-sentinel",
            program: program.clone(),
            arguments: vec![file.display().to_string(), "--sentinel".to_owned()],
            user: None,
            url: format!("redis://127.0.0.1:{port}"),
            probe: PING,
            stop: ["TERM", "KILL"],
        })
    })?;
    wait_for(&sentinel, "INFO sentinel", |info| {
        info.contains("status=ok") && info.contains("slaves=1")
    })?;
    Ok(Sentinel {
        watching: sentinel,
        master,
        replica,
    })
}

impl Sentinel {
    /// `redis+sentinel://127.0.0.1:12345/mymaster`: where the sentinel is, and what it calls the master.
    pub fn sentinel_url(&self) -> String {
        format!("redis+sentinel://{}/{MASTER_NAME}", address(&self.watching))
    }

    /// The sentinel itself.
    pub fn sentinel(&self) -> &Server {
        &self.watching
    }

    /// The server that began as the master.
    pub fn master(&self) -> &Server {
        &self.master
    }

    /// The server that began as the replica.
    pub fn replica(&self) -> &Server {
        &self.replica
    }
}

const PING: Probe = Probe {
    question: b"PING\r\n",
    // With a password, it asks for that.
    is_answer: |answer| answer.starts_with(b"+PONG") || answer.starts_with(b"-NOAUTH"),
};

fn start_with(more: &[&str]) -> io::Result<Server> {
    let program = place::program("redis-server", "redis-server")?;
    Server::start("redis", None, |port, _| {
        let port_text = port.to_string();
        // The log is written before the answer is sent, which outlives the process; only `everysec` may
        // put that off. To outlive the machine is not asked for.
        let durable = ["--appendonly", "yes", "--appendfsync", "no", "--save", ""];
        let listening = ["--bind", "127.0.0.1", "--port", &port_text];
        // A replica gets its first copy at once instead of after five seconds.
        let quick = ["--repl-diskless-sync-delay", "0"];
        let arguments = listening.iter().chain(&durable).chain(&quick).chain(more);
        let password = match more {
            ["--requirepass", password] => format!(":{password}@"),
            _ => String::new(),
        };
        Ok(Recipe {
            name: "redis",
            program: program.clone(),
            arguments: arguments.map(|argument| (*argument).to_owned()).collect(),
            user: None,
            url: format!("redis://{password}127.0.0.1:{port}"),
            probe: PING,
            stop: ["TERM", "KILL"],
        })
    })
}

fn address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port())
}

/// Asks until the answer is what it should be.
fn wait_for(server: &Server, question: &str, is_answer: fn(&str) -> bool) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = ask(server.port(), question)?;
        if is_answer(&answer) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(io::Error::other(format!(
                "redis: {question} still says:\n{answer}"
            )));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a command that is answered with a text: `$`, its length, and the text.
fn ask(port: u16, question: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    connection.write_all(format!("{question}\r\n").as_bytes())?;
    let mut reader = BufReader::new(connection);
    let mut length = String::new();
    reader.read_line(&mut length)?;
    let length = length
        .trim()
        .strip_prefix('$')
        .and_then(|length| length.parse().ok());
    let mut answer = String::new();
    reader
        .take(length.unwrap_or(0))
        .read_to_string(&mut answer)?;
    Ok(answer)
}
