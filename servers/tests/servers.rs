//! Each server does what tests of stores need from it.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use servers::{Server, proxy::Proxy};

fn connect(port: u16) -> io::Result<TcpStream> {
    let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(connection)
}

/// Sends one line and reads one line: enough for Redis and memcached.
fn ask_on(mut connection: &TcpStream, question: &str) -> io::Result<String> {
    connection.write_all(format!("{question}\r\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(connection).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer.trim_end().to_owned())
}

fn ask(port: u16, question: &str) -> io::Result<String> {
    ask_on(&connect(port)?, question)
}

fn printed_by(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn psql(server: &Server, statement: &str) -> String {
    printed_by(
        Command::new("psql")
            .args(["--no-psqlrc", "-qtA", "-c", statement])
            .arg(server.url()),
    )
}

fn mariadb(server: &Server, statement: &str) -> String {
    printed_by(
        Command::new("mariadb")
            .args(["--no-defaults", "--host=127.0.0.1", "-N", "-e", statement])
            .arg(format!("--port={}", server.port()))
            .arg(format!("--user={}", servers::mariadb::USER))
            .env("MYSQL_PWD", servers::mariadb::PASSWORD)
            .arg("cloakroom"),
    )
}

#[test]
fn a_killed_redis_keeps_what_it_acknowledged() {
    let redis = servers::redis::start().unwrap();
    for round in 0..20 {
        let set = format!("SET key{round} value{round}");
        assert_eq!(ask(redis.port(), &set).unwrap(), "+OK");
        if round % 5 == 0 {
            redis.kill().unwrap();
            assert!(ask(redis.port(), "PING").is_err());
            redis.start_again().unwrap();
        }
    }
    redis.kill().unwrap();
    redis.start_again().unwrap();
    assert_eq!(ask(redis.port(), "DBSIZE").unwrap(), ":20");
    redis.stop().unwrap();
    redis.start_again().unwrap();
    assert_eq!(ask(redis.port(), "DBSIZE").unwrap(), ":20");
}

#[test]
fn a_paused_server_takes_connections_and_answers_when_it_goes_on() {
    let redis = servers::redis::start().unwrap();
    redis.pause().unwrap();
    let mut connection = connect(redis.port()).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    connection.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 7];
    assert_eq!(
        connection.read(&mut answer).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    redis.resume().unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
    // A paused server can be ended.
    redis.pause().unwrap();
    redis.stop().unwrap();
}

#[test]
fn a_dropped_server_leaves_nothing() {
    let redis = servers::redis::start().unwrap();
    let (port, folder) = (redis.port(), redis.folder().to_owned());
    assert!(folder.is_dir());
    drop(redis);
    assert!(!folder.exists());
    assert!(connect(port).is_err());
}

#[test]
fn a_password_is_asked_for() {
    let redis = servers::redis::start_with_password("wardrobe").unwrap();
    assert!(redis.url().starts_with("redis://:wardrobe@127.0.0.1:"));
    let connection = connect(redis.port()).unwrap();
    assert!(ask_on(&connection, "GET a").unwrap().starts_with("-NOAUTH"));
    assert_eq!(ask_on(&connection, "AUTH wardrobe").unwrap(), "+OK");
    assert_eq!(ask_on(&connection, "GET a").unwrap(), "$-1");
}

#[test]
fn a_cluster_shares_the_keys() {
    let cluster = servers::redis::start_cluster().unwrap();
    let answers = cluster
        .nodes()
        .each_ref()
        .map(|node| ask(node.port(), "SET key value").unwrap());
    let moved = answers.iter().filter(|answer| answer.starts_with("-MOVED"));
    assert_eq!(moved.count(), 2, "{answers:?}");
    // A node that was down takes part again.
    let [first, ..] = cluster.nodes();
    first.kill().unwrap();
    first.start_again().unwrap();
}

#[test]
fn the_sentinel_makes_the_replica_the_master() {
    let sentinel = servers::redis::start_sentinel().unwrap();
    let (master, replica) = (sentinel.master(), sentinel.replica());
    assert_eq!(ask(master.port(), "SET key value").unwrap(), "+OK");
    assert!(
        ask(replica.port(), "SET key other")
            .unwrap()
            .starts_with("-READONLY")
    );
    master.kill().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while ask(replica.port(), "SET key other").unwrap() != "+OK" {
        assert!(Instant::now() < deadline, "no failover");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn memcached_forgets_when_it_is_killed() {
    let memcached = servers::memcached::start().unwrap();
    assert_eq!(
        ask(memcached.port(), "set key 0 0 1\r\na").unwrap(),
        "STORED"
    );
    assert_eq!(ask(memcached.port(), "get key").unwrap(), "VALUE key 0 1");
    memcached.kill().unwrap();
    memcached.start_again().unwrap();
    assert_eq!(ask(memcached.port(), "get key").unwrap(), "END");
}

#[test]
fn a_killed_postgres_keeps_what_it_committed_and_its_hour_is_not_utc() {
    let postgres = servers::postgres::start().unwrap();
    psql(&postgres, "CREATE TABLE t (a integer)");
    psql(&postgres, "INSERT INTO t VALUES (7)");
    postgres.kill().unwrap();
    postgres.start_again().unwrap();
    assert_eq!(psql(&postgres, "SELECT a FROM t"), "7");
    assert_eq!(
        psql(&postgres, "SHOW TimeZone"),
        servers::postgres::TIME_ZONE
    );
    postgres.stop().unwrap();
    postgres.start_again().unwrap();
    assert_eq!(psql(&postgres, "SELECT a FROM t"), "7");
}

#[test]
fn a_paused_postgres_answers_nobody() {
    let postgres = servers::postgres::start().unwrap();
    let query = Command::new("psql")
        .args([
            "-qtA",
            "-c",
            "SELECT pg_sleep(0.5)",
            "-c",
            "SELECT 1",
            postgres.url(),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(300));
    postgres.pause().unwrap();
    let mut query = query;
    thread::sleep(Duration::from_millis(800));
    assert!(
        query.try_wait().unwrap().is_none(),
        "its connection answered"
    );
    postgres.resume().unwrap();
    assert!(query.wait().unwrap().success());
}

#[test]
fn a_killed_mariadb_keeps_what_it_committed_and_its_hour_is_not_utc() {
    let server = servers::mariadb::start().unwrap();
    mariadb(&server, "CREATE TABLE t (a integer)");
    mariadb(&server, "INSERT INTO t VALUES (7)");
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(mariadb(&server, "SELECT a FROM t"), "7");
    assert_eq!(
        mariadb(&server, "SELECT @@time_zone"),
        servers::mariadb::TIME_ZONE
    );
}

#[test]
fn dynamodb_answers() {
    let server = servers::dynamodb::start().unwrap();
    let mut connection = connect(server.port()).unwrap();
    let request = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n\
         Content-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-west-2/dynamodb/aws4_request\r\n\r\n{}";
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(r#"{"TableNames": []}"#), "{answer}");
}

#[test]
fn all_tests_of_a_process_share_a_server() {
    let first = servers::redis::shared();
    assert_eq!(first, servers::redis::shared());
    let port = first.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(ask(port, "PING").unwrap(), "+PONG");
}

/// What the next test kills. Alone, it shows that a server can be started twice.
#[test]
fn victim() {
    let redis = servers::redis::start().unwrap();
    let other = servers::redis::start().unwrap();
    assert_ne!(redis.port(), other.port());
    if let Ok(file) = std::env::var("SERVERS_TEST_VICTIM") {
        fs::write(
            file,
            format!("{} {}", redis.port(), redis.folder().display()),
        )
        .unwrap();
        thread::sleep(Duration::from_secs(60));
    }
}

#[test]
fn a_killed_test_process_leaves_nothing() {
    let told = tempfile::NamedTempFile::new().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim"])
        .env("SERVERS_TEST_VICTIM", told.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let eventually = |what: &str, is_so: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_so() {
            assert!(Instant::now() < deadline, "not {what}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    let read = || fs::read_to_string(told.path()).unwrap();
    eventually("started", &|| !read().is_empty());
    let told = read();
    let (port, folder) = told.split_once(' ').unwrap();
    let port = port.parse().unwrap();
    assert_eq!(ask(port, "PING").unwrap(), "+PONG");
    victim.kill().unwrap(); // SIGKILL
    victim.wait().unwrap();
    eventually("ended", &|| connect(port).is_err());
    eventually("removed", &|| !Path::new(folder).exists());
}

#[test]
fn a_proxy_fails_as_it_is_told() {
    let redis = servers::redis::start().unwrap();
    let proxy = Proxy::start(redis.port()).unwrap();
    let connection = connect(proxy.port()).unwrap();
    assert_eq!(ask_on(&connection, "SET key a").unwrap(), "+OK");

    // Cut in the middle of a command: it never happens, and the next connection works.
    proxy.cut_request_after(6);
    assert!(ask_on(&connection, "SET key b").is_err());
    let connection = connect(proxy.port()).unwrap();
    assert_eq!(ask_on(&connection, "STRLEN key").unwrap(), ":1");
    assert_eq!(ask(redis.port(), "GETRANGE key 0 0").unwrap(), "$1");

    // Cut before the answer: it happened, and nobody was told.
    proxy.cut_response_after(0);
    assert!(ask_on(&connection, "SET key long").is_err());
    assert_eq!(ask(redis.port(), "STRLEN key").unwrap(), ":4");

    // Half an answer.
    let connection = connect(proxy.port()).unwrap();
    proxy.cut_response_after(3);
    assert_eq!(
        ask_on(&connection, "SET key long").unwrap(),
        "+OK"[..3].trim_end()
    );

    proxy.refuse();
    assert_eq!(
        connect(proxy.port()).unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );
    proxy.normal().unwrap();
    let connection = connect(proxy.port()).unwrap();
    assert_eq!(ask_on(&connection, "PING").unwrap(), "+PONG");

    proxy.black_hole().unwrap();
    connection
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert_eq!(
        ask_on(&connection, "PING").unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    let silent = connect(proxy.port()).unwrap();
    silent
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert_eq!(
        ask_on(&silent, "PING").unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    proxy.normal().unwrap();
    assert!(ask_on(&connection, "PING").is_err());
    assert_eq!(ask(proxy.port(), "PING").unwrap(), "+PONG");

    proxy.cut();
    assert_eq!(
        redis.url_through(proxy.port()),
        format!("redis://127.0.0.1:{}", proxy.port())
    );
    drop(proxy);
    assert_eq!(ask(redis.port(), "PING").unwrap(), "+PONG");
}
