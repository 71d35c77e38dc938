//! P2: what Flask-Session's backends keep for a request is what the stores keep for the same one.
#![cfg(all(
    feature = "dynamodb",
    feature = "file",
    feature = "memcached",
    feature = "sqlite"
))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::fmt::Write as _;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    primitives::Blob,
    types::AttributeValue,
};
use bytes::Bytes;
use cloakroom::{
    Clock, ConfigError, KeyRing, SecretKey, SessionConfig, SessionLayer, SessionManager,
    format::Serialization,
    store::{Driver, DynamoDbStore, FileStore, MemcachedStore, MemoryStore, SqliteStore, Store},
    token::{
        base64,
        signed::{Signer, SignerOptions},
    },
};
use recording::{Call, Calls, Recording};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor, Row, SqliteConnection};
use support::{python_value, rows, text, unhex};

#[path = "support/flow.rs"]
#[allow(dead_code, reason = "the rules are for whole flows")]
mod flow;
#[path = "support/recording.rs"]
mod recording;
mod support;

const PREFIX: &str = "session:";
const MONTH: Duration = Duration::from_secs(31 * 24 * 60 * 60);

fn backends(name: &'static str) -> impl Iterator<Item = Json> {
    let rows = rows("flask_session_backends", "backends").into_iter();
    rows.filter(move |row| row["backend"] == name)
}

fn key(text: &str) -> SecretKey {
    SecretKey::insecure_for_development(text).unwrap()
}

/// The second in which a row happens: clocks here have no finer hands.
fn second(row: &Json) -> u64 {
    let now = row["now"].to_string();
    now.split('.').next().unwrap().parse().unwrap()
}

/// The lifetime that a row names in its note.
fn lifetime(row: &Json) -> Duration {
    let note = text(row, "note").split_once("lifetime ");
    note.map_or(MONTH, |(_, seconds)| {
        Duration::from_secs(seconds.parse().unwrap())
    })
}

/// The key that Flask-Session used: of the cookie it got or of the one it set.
fn flasks_key(row: &Json) -> String {
    let cookie = row["cookie_header"].as_str();
    let cookie = cookie.or_else(|| row["set_cookie"][0].as_str()).unwrap();
    let id = cookie.split(';').next().unwrap().strip_prefix("session=");
    [PREFIX, id.unwrap()].concat()
}

/// Sends a row's request, compares the answer and gives the session's key in the store.
async fn key_after(row: &Json, store: impl Into<Store>, config: SessionConfig) -> String {
    let config = config.lifetime(lifetime(row));
    let layer = SessionLayer::stored_with(store, config).unwrap();
    let mut row = row.clone();
    row["vary_before"] = json!([]);
    let outcome = flow::request(layer, &row).await;
    assert_eq!(row["status"], outcome.status, "{row}");
    let results = outcome
        .results
        .iter()
        .zip(row["op_results"].as_array().into_iter().flatten());
    for (result, expected) in results {
        assert_eq!(
            result.as_ref().unwrap(),
            &python_value(&expected["value"]),
            "{row}"
        );
    }
    let expected = row["set_cookie"].as_array().unwrap();
    assert_eq!(expected.len(), outcome.set_cookie.len(), "{row}");
    let Some(cookie) = outcome.set_cookie.first() else {
        return flasks_key(&row);
    };
    let (ours, flasks) = (
        value_and_rest(cookie),
        value_and_rest(expected[0].as_str().unwrap()),
    );
    if cookie.contains("Max-Age=0") {
        // The attributes that protect a cookie belong to its removal as well.
        assert_eq!(ours.1.replace(" HttpOnly;", ""), flasks.1, "{row}");
        return flasks_key(&row);
    }
    assert_eq!((ours.0.len(), ours.1), (flasks.0.len(), flasks.1), "{row}");
    [PREFIX, ours.0].concat()
}

fn value_and_rest(cookie: &str) -> (&str, &str) {
    let cookie = cookie.strip_prefix("session=").unwrap();
    cookie.split_once(';').unwrap()
}

/// The last command of a row but for the ones that Flask-Session begins with.
fn last_command(row: &Json) -> &Json {
    row["commands"].as_array().unwrap().last().unwrap()
}

#[test]
fn p2_an_id_is_signed_as_flask_session_signs_it() {
    for row in rows("flask_session_backends", "signed_sid") {
        let keys = || KeyRing::new(key(text(&row, "secret_key")));
        let signer = Signer::with_options(keys(), "flask-session", &SignerOptions::flask());
        let signed = text(&row, "signed");
        assert_eq!(signer.sign(text(&row, "sid")), signed.as_bytes(), "{row}");
        assert_eq!(
            signer.unsign(signed).unwrap(),
            text(&row, "sid").as_bytes(),
            "{row}"
        );
    }
}

#[tokio::test]
async fn p2_a_signed_id_opens_its_session_and_one_that_is_no_id_asks_nobody() {
    for row in rows("flask_session_backends", "signed_sid") {
        let (sid, signed) = (text(&row, "sid"), text(&row, "signed"));
        let (store, calls) = store_with(&[PREFIX, sid].concat()).await;
        let config = SessionConfig::flask().sign_ids(KeyRing::new(key(text(&row, "secret_key"))));
        let manager = SessionManager::stored(store, config).unwrap();
        match manager.open_value(signed).await {
            Ok(session) => {
                assert_eq!(session.get::<u8>("a").unwrap(), Some(1));
                assert_eq!(manager.cookie_value(&session).as_deref(), Some(signed));
                assert_eq!(calls.kinds(), ["load"]);
            }
            Err(_) => {
                // Nothing that Flask-Session makes: too short, or with a dot.
                assert!(sid.len() < 22 || sid.contains('.'), "{row}");
                assert_eq!(calls.take(), []);
            }
        }
    }
}

async fn store_with(key: &str) -> (Recording, Calls) {
    let store = Arc::new(MemoryStore::new());
    let value = Bytes::from_static(b"\x81\xa1a\x01");
    store.create(key, value, MONTH).await.unwrap();
    Recording::new(store)
}

#[tokio::test]
async fn p2_an_id_has_as_many_characters_of_the_same_alphabet() {
    for row in rows("flask_session_backends", "sid_generation") {
        assert_eq!(
            base64::encode(unhex(text(&row, "random_hex"))),
            text(&row, "sid")
        );
        let length = usize::try_from(row["SESSION_ID_LENGTH"].as_u64().unwrap()).unwrap();
        let (recording, calls) = Recording::new(Arc::new(MemoryStore::new()));
        let config = SessionConfig::flask().id_length(length);
        let manager = match SessionManager::stored(recording, config) {
            Ok(manager) => manager,
            Err(error) => {
                assert!(!(16..=128).contains(&length), "{row}: {error}");
                continue;
            }
        };
        let session = manager.new_session();
        session.insert("a", 1).unwrap();
        session.save().await.unwrap();
        let [Call::Create(key, ..)] = &calls.take()[..] else {
            panic!("one entry is made")
        };
        let id = key.strip_prefix(PREFIX).unwrap();
        assert_eq!(row["chars"], id.len());
        assert!(
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
    }
}

/// Columns and indexes as SQLite tells them.
async fn shape(connection: &mut SqliteConnection) -> Vec<String> {
    let columns = "SELECT name || ' ' || type || ' ' || \"notnull\" || ' ' || pk FROM pragma_table_info('sessions')";
    let unique = "SELECT 'unique ' || i.name FROM pragma_index_list('sessions') l, pragma_index_info(l.name) i
                  WHERE l.\"unique\"";
    let mut shape = Vec::new();
    for query in [columns, unique] {
        let rows = sqlx::query(query)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        shape.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    shape
}

async fn neighbour(path: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    SqliteConnection::connect(&url).await.unwrap()
}

async fn sqlite(path: &Path, now: u64) -> SqliteStore {
    let url = format!("sqlite://{}", path.display());
    let store = SqliteStore::connect(&url).await.unwrap();
    let store = store.clock(Clock::manual(now));
    store.migrate().await.unwrap();
    store
}

#[tokio::test]
async fn p2_the_table_in_sqlite_is_flask_sessions() {
    let path = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let vectors = Path::new(&path).join("tests/vectors/flask_session_backends.json");
    let file: Json = serde_json::from_slice(&std::fs::read(vectors).unwrap()).unwrap();
    let ddl = match &file["sql_ddl"] {
        Json::Array(rows) => rows[0]["sqlite"].clone(),
        ddl => ddl["sqlite"].clone(),
    };
    let folder = tempfile::tempdir().unwrap();
    let (ours, flasks) = (folder.path().join("ours"), folder.path().join("flasks"));
    sqlite(&ours, 0).await;
    let mut flask = neighbour(&flasks).await;
    let ddl = sqlx::AssertSqlSafe(ddl.as_str().unwrap().to_owned());
    flask.execute(ddl).await.unwrap();
    let expected = shape(&mut flask).await;
    assert_eq!(shape(&mut neighbour(&ours).await).await, expected);
    assert!(
        expected.contains(&"unique session_id".to_owned()),
        "{expected:?}"
    );
}

/// But for tombstones, and for a row without an expiry: it is missing here as there, but who only reads removes
/// nothing.
#[tokio::test]
async fn p2_rows_in_sqlite_are_flask_sessions() {
    for row in backends("sqlalchemy-sqlite") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let now = second(&row);
        let store = sqlite(&path, now).await;
        let mut file = neighbour(&path).await;
        for before in row["rows_before"].as_array().into_iter().flatten() {
            let insert = "INSERT INTO sessions (id, session_id, data, expiry) VALUES (?, ?, ?, ?)";
            let query = sqlx::query(insert)
                .bind(before[0].as_i64())
                .bind(before[1].as_str())
                .bind(unhex(before[2].as_str().unwrap()))
                .bind(before[3].as_str());
            query.execute(&mut file).await.unwrap();
        }
        let config = SessionConfig::flask().clock(Clock::manual(now));
        let key = key_after(&row, store, config).await;
        let found = sqlx::query(
            "SELECT id, session_id, hex(data), expiry, typeof(data), typeof(expiry) FROM sessions
             WHERE session_id NOT LIKE '%:gone' AND expiry IS NOT NULL",
        );
        let found = found.fetch_all(&mut file).await.unwrap();
        let found: Vec<Json> = found
            .iter()
            .map(|row| {
                let text = |column| row.get_unchecked::<String, usize>(column);
                json!([
                    row.get_unchecked::<i64, _>(0),
                    text(1),
                    text(2),
                    text(3),
                    text(4),
                    text(5)
                ])
            })
            .collect();
        let mut expected = row["rows_after"].clone();
        for row in expected.as_array_mut().unwrap() {
            row[1] = json!(key);
            // The clock has whole seconds.
            let expiry = row[3].as_str().unwrap().split('.').next().unwrap();
            row[3] = json!(format!("{expiry}.000000"));
        }
        assert_eq!(json!(found), expected, "{row}");
    }
}

#[tokio::test]
async fn p2_files_are_cachelibs() {
    for row in backends("cachelib").chain(backends("filesystem")) {
        let folder = tempfile::tempdir().unwrap();
        let now = second(&row);
        // Flask-Session has opened the folder, which makes the count; without one nobody counts here.
        std::fs::write(folder.path().join(COUNT), b"\0\0\0\0\x80\x05K\0.").unwrap();
        let store = FileStore::cachelib(folder.path()).unwrap();
        let store = store.clock(Clock::manual(now));
        let config = SessionConfig::flask()
            .serialization(Serialization::Pickle)
            .clock(Clock::manual(now));
        let key = key_after(&row, store, config).await;
        let (ours, flasks) = (file_name(&key), file_name(&flasks_key(&row)));
        for (name, content) in row["files_after"].as_object().unwrap() {
            let name = if *name == flasks { &ours } else { name };
            let found = std::fs::read(folder.path().join(name)).unwrap();
            let content = unhex(content.as_str().unwrap());
            // The time, and then the pickle.
            assert_eq!(found[..4], content[..4], "{row}");
            let value = |pickle: &[u8]| Serialization::Pickle.from_slice(&pickle[4..]).unwrap();
            assert_eq!(value(&found), value(&content), "{row}");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let path = folder.path().join(name);
                let mode = std::fs::metadata(path).unwrap().permissions().mode();
                if *name != COUNT {
                    assert_eq!(mode & 0o7777, 0o600, "{row}");
                }
            }
        }
    }
}

/// The file in which cachelib counts its files.
const COUNT: &str = "79bc207ee04a581ab2348ca1f3494e64cd0ec36128735b8c6bc85ddd8fe1938c";

/// SHA-256 in hexadecimal digits.
fn file_name(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().fold(String::new(), |mut name, byte| {
        write!(name, "{byte:02x}").unwrap();
        name
    })
}

#[tokio::test]
async fn p2_entries_in_memcached_are_flask_sessions() {
    let server = servers::memcached::start().unwrap();
    for row in backends("memcached") {
        let store = MemcachedStore::connect(server.url()).await.unwrap();
        if lifetime(&row).is_zero() {
            // Which memcached would keep for good.
            let config = SessionConfig::flask().lifetime(Duration::ZERO);
            let refused = SessionManager::stored(store, config);
            assert!(matches!(refused, Err(ConfigError::Value { .. })), "{row}");
            continue;
        }
        if row["cookie_header"].is_string() {
            let set = format!("set {} 0 60 4\r\n", flasks_key(&row));
            let set = [set.as_bytes(), b"\x81\xa1a\x01\r\n"].concat();
            assert_eq!(memcached(server.port(), &set).0, "STORED");
        }
        let config = SessionConfig::flask().clock(Clock::manual(second(&row)));
        let key = key_after(&row, store, config).await;
        let command = last_command(&row);
        let (head, value) = memcached(server.port(), format!("mg {key} v t f\r\n").as_bytes());
        if command[0] == "delete" {
            assert_eq!(head, "EN", "{row}");
            continue;
        }
        let words: Vec<&str> = head.split(' ').collect();
        let ["VA", _, left, "f0"] = words[..] else {
            panic!("{head}: {row}")
        };
        let left: i64 = left.strip_prefix('t').unwrap().parse().unwrap();
        // Later than in thirty days is a date.
        let expected = command[3].as_i64().unwrap();
        let expected = match expected > 30 * 24 * 60 * 60 {
            true => expected - row["now"].as_i64().unwrap(),
            false => expected,
        };
        assert!(
            (expected - 10..=expected + 3).contains(&left),
            "{left}: {row}"
        );
        assert_eq!(value, unhex(text(&command[2], "hex")), "{row}");
    }
}

/// The first line of an answer, and the value that it announces.
fn memcached(port: u16, command: &[u8]) -> (String, Vec<u8>) {
    let mut connection = BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
    connection.get_mut().write_all(command).unwrap();
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    let size = line.strip_prefix("VA ").map_or(0, |rest| {
        rest.split(' ').next().unwrap().parse::<usize>().unwrap()
    });
    let mut value = vec![0; size];
    connection.read_exact(&mut value).unwrap();
    (line.trim_end().to_owned(), value)
}

#[tokio::test]
async fn p2_items_in_dynamodb_are_flask_sessions() {
    let endpoint = servers::dynamodb::shared();
    let client = Client::from_conf(
        aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-west-2"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(endpoint)
            .build(),
    );
    for row in backends("dynamodb") {
        let table = servers::unique("Sessions");
        let now = second(&row);
        let url =
            format!("dynamodb://test:test@us-west-2/{table}?endpoint={endpoint}&read_timeout=20");
        let store = DynamoDbStore::connect(&url).await.unwrap();
        let store = store.clock(Clock::manual(now));
        store.create_table().await.unwrap();
        let id = |key: String| AttributeValue::S(key);
        if row["cookie_header"].is_string() {
            let put = client
                .put_item()
                .table_name(&table)
                .item("id", id(flasks_key(&row)))
                .item("val", AttributeValue::B(Blob::new(b"\x81\xa1a\x01")))
                .item("expiration", AttributeValue::N((now + 60).to_string()));
            put.send().await.unwrap();
        }
        let config = SessionConfig::flask().clock(Clock::manual(now));
        let store = Store::new(store).timeout(Duration::from_secs(30));
        let key = key_after(&row, store, config).await;
        let get = client
            .get_item()
            .table_name(&table)
            .key("id", id(key.clone()));
        let item = get.send().await.unwrap().item.unwrap();
        let expected = &last_command(&row)[3];
        let AttributeValue::B(value) = &item["val"] else {
            panic!("{item:?}")
        };
        // The value in the row is in base64 with padding, its time in whole seconds and in UTC wherever the server is.
        let bytes = base64::encode(value.as_ref());
        let expected = expected[":value"]["B"].as_str().unwrap();
        let expected = expected
            .trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_");
        assert_eq!(bytes, expected, "{row}");
        let expires = now + MONTH.as_secs();
        assert_eq!(
            item["expiration"],
            AttributeValue::N(expires.to_string()),
            "{row}"
        );
        assert_eq!(item["id"], id(key), "{row}");
        assert_eq!(item.len(), 3, "{row}");
    }
}
