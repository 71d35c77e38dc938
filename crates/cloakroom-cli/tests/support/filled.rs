//! Stores with sessions in all layouts: what the library makes, and what real Flask-Session made.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared by several test crates, each of which uses its part"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloakroom::format::Serialization;
use cloakroom::store::Store;
use cloakroom::{Clock, Handle, Layout, Session, SessionConfig, SessionManager, UserSessions};
use tempfile::TempDir;

use crate::support::{Outcome, cloakroom, vectors};

pub(crate) const DAY: u64 = 24 * 3600;
/// What the sessions of the bytes of real Flask-Session live: Flask's default.
const FLASK_LIFETIME: Duration = Duration::from_secs(31 * DAY);

/// A store with these sessions:
///
/// | whose | layout | holds |
/// | --- | --- | --- |
/// | alice | Flask's, MessagePack | a cart; began 3 days ago; permanent |
/// | 4711, under `user_id` | Flask's, JSON | a note of 5000 letters |
/// | dave, under `username` | Flask's, pickle or MessagePack | |
/// | bob, twice | native, on bob's list | began 20 days ago, and 3 hours ago |
/// | carol | sealed, on carol's list | |
/// | nobody, three times | what real Flask-Session made, one of each format | |
///
/// In cachelib's folders all are pickles: alice, 4711, dave, bob twice on bob's list, and three of real Flask-Session's.
///
/// And beside them a tombstone, an expired entry and, where that can be, one that nobody can read.
pub(crate) struct Filled {
    pub(crate) url: String,
    pub(crate) prefix: String,
    pub(crate) store: Store,
    /// What nobody may see who did not ask: ids, keys and values.
    pub(crate) secrets: Vec<String>,
    pub(crate) alice: Handle,
    pub(crate) bobs: Vec<Handle>,
    pub(crate) carol: Option<Handle>,
    folder: Option<TempDir>,
}

/// How many of them there are, in each kind of store.
pub(crate) const SESSIONS: usize = 9;
pub(crate) const CACHELIB_SESSIONS: usize = 8;

impl Filled {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/app.db", folder.path().display());
        let store = Store::from_url(&url).await.unwrap();
        store.prepare().await.unwrap();
        Self::fill(url, "session:".to_owned(), store, Some(folder)).await
    }

    pub(crate) async fn files() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file:{}/sessions", folder.path().display());
        let store = Store::from_url(&url).await.unwrap();
        Self::fill(url, "session:".to_owned(), store, Some(folder)).await
    }

    pub(crate) async fn cachelib() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flask_session");
        let url = format!("cachelib:{}", path.display());
        let store = Store::from_url(&url).await.unwrap();
        Self::fill(url, "session:".to_owned(), store, Some(folder)).await
    }

    /// In the shared server, under a prefix of its own.
    pub(crate) async fn redis() -> Self {
        let url = servers::redis::shared().to_owned();
        let store = Store::from_url(&url).await.unwrap();
        let prefix = format!("{}:", servers::unique("cli"));
        Self::fill(url, prefix, store, None).await
    }

    pub(crate) async fn all() -> Vec<Self> {
        vec![
            Self::sqlite().await,
            Self::files().await,
            Self::cachelib().await,
            Self::redis().await,
        ]
    }

    /// Runs `cloakroom sessions …` on it.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Outcome {
        let mut all = vec!["sessions", command];
        if !matches!(command, "purge" | "prepare") {
            all.extend(["--prefix", &self.prefix]);
        }
        all.extend(arguments);
        cloakroom(&all, &[("SESSION_STORE", &self.url)], b"")
    }

    pub(crate) fn is_cachelib(&self) -> bool {
        self.url.starts_with("cachelib:")
    }

    pub(crate) fn sessions(&self) -> usize {
        match self.is_cachelib() {
            true => CACHELIB_SESSIONS,
            false => SESSIONS,
        }
    }

    /// The application, as its servers have it.
    pub(crate) fn manager(&self, layout: Layout) -> SessionManager {
        manager(&self.store, self.config(layout))
    }

    fn config(&self, layout: Layout) -> SessionConfig {
        SessionConfig::default()
            .key_prefix(&self.prefix)
            .layout(layout)
            .user_sessions(UserSessions::new())
    }

    /// What the command calls a session.
    fn handle(&self, manager: &SessionManager, session: &Session) -> Handle {
        let key = manager.store_key(session).unwrap();
        match self.is_cachelib() {
            true => Handle::of_key(&format!("sha256:{}", sha256(&key))),
            false => Handle::of_key(&key),
        }
    }

    async fn fill(url: String, prefix: String, store: Store, folder: Option<TempDir>) -> Self {
        let mut filled = Self {
            url,
            prefix,
            store,
            secrets: Vec::new(),
            alice: "AAECAwQFBgcICQoLDA0ODw".parse().unwrap(),
            bobs: Vec::new(),
            carol: None,
            folder,
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let ago = |hours: u64| Clock::manual(now - hours * 3600);
        let cachelib = filled.is_cachelib();

        // Alice, who is on no list, as if Flask had let her in.
        let config = SessionConfig::default().key_prefix(&filled.prefix);
        let alice = manager(&filled.store, config.clone().clock(ago(3 * 24)));
        let session = alice.new_session();
        session.login("alice@example.org").unwrap();
        session
            .insert("cart", vec!["blue-teapot", "red-lamp"])
            .unwrap();
        session.set_permanent(true);
        filled
            .keep(&alice, &session, &["alice@example.org", "blue-teapot"])
            .await;
        filled.alice = filled.handle(&alice, &session);

        let json = match cachelib {
            true => config.clone(),
            false => config.clone().serialization(Serialization::Json),
        };
        let tutorial = manager(&filled.store, json);
        let session = tutorial.new_session();
        session.insert("user_id", 471_100_815).unwrap();
        session.insert("note", "xyzzy-note".repeat(500)).unwrap();
        filled
            .keep(&tutorial, &session, &["471100815", "xyzzy-note"])
            .await;

        let session = alice.new_session();
        session.insert("username", "dave-the-diver").unwrap();
        filled.keep(&alice, &session, &["dave-the-diver"]).await;

        let native = if cachelib {
            Layout::Flask
        } else {
            Layout::Native
        };
        for hours in [20 * 24, 3] {
            let bob = manager(&filled.store, filled.config(native).clock(ago(hours)));
            let session = bob.new_session();
            session.login("bob-the-builder").unwrap();
            session.insert("tool", "yellow-spade").unwrap();
            filled
                .keep(&bob, &session, &["bob-the-builder", "yellow-spade"])
                .await;
            filled.bobs.push(filled.handle(&bob, &session));
        }
        if cachelib {
            filled.add_files_of_flask(now);
        } else {
            let carol = manager(&filled.store, filled.config(Layout::Sealed).clock(ago(3)));
            let session = carol.new_session();
            session.login("carol-of-the-bells").unwrap();
            filled.keep(&carol, &session, &["carol-of-the-bells"]).await;
            filled.carol = Some(filled.handle(&carol, &session));
            filled.add_entries_of_flask().await;
            let key = filled.key("nobody-can-read-me");
            filled
                .store
                .create(&key, b"\xff\xff".as_slice().into(), FLASK_LIFETIME)
                .await
                .unwrap();
        }
        let (gone, late) = (filled.key("a-tombstone"), filled.key("it-is-over"));
        filled
            .store
            .delete(&gone, None, Duration::from_secs(600))
            .await
            .unwrap();
        let second = Duration::from_secs(1);
        if filled.store.name() == "sqlite" {
            let past = cloakroom::store::SqliteStore::connect(&filled.url)
                .await
                .unwrap();
            let past = Store::from(past.clock(ago(1)));
            past.create(&late, b"\x80".as_slice().into(), second)
                .await
                .unwrap();
        }
        filled
    }

    fn key(&self, id: &str) -> String {
        [&self.prefix, id].concat()
    }

    /// Saves a session, and notes what nobody may see of it.
    async fn keep(&mut self, manager: &SessionManager, session: &Session, values: &[&str]) {
        session.save().await.unwrap();
        let key = manager.store_key(session).unwrap();
        let cookie = manager.cookie_value(session).unwrap();
        self.secrets.extend(cookie.split('.').map(str::to_owned));
        self.secrets.push(sha256(&key));
        // Nor the beginning of a word, as a narrow column would show it.
        let words = values
            .iter()
            .filter(|value| value.starts_with(char::is_alphabetic));
        self.secrets.extend(words.map(|word| word[..4].to_owned()));
        self.secrets
            .extend(values.iter().map(|value| (*value).to_owned()));
        self.secrets.push(key);
    }

    /// The bytes that real Flask-Session stored: one of each format.
    async fn add_entries_of_flask(&mut self) {
        let rows = vectors("flask_session_serialization", "decode");
        for (format, part) in [
            ("msgpack", "a161d6ff65937d25"),
            ("json", "2024-01-02"),
            ("pickle", "5f666c61"),
        ] {
            let part = match format {
                "json" => hex(part.as_bytes()),
                _ => part.to_owned(),
            };
            let row = rows.iter().find(|row| {
                row["decoded_by"] == format && row["hex"].as_str().unwrap().contains(&part)
            });
            let value = bytes(row.unwrap()["hex"].as_str().unwrap());
            let id = format!("{}{}", servers::unique(format), "x".repeat(43));
            let key = self.key(&id);
            self.store
                .create(&key, value.into(), FLASK_LIFETIME)
                .await
                .unwrap();
            self.secrets.extend([id, key]);
        }
    }

    /// The files that real cachelib wrote, as if it had done so today.
    fn add_files_of_flask(&mut self, now: u64) {
        let folder = self.url.strip_prefix("cachelib:").unwrap();
        for (note, hours) in [("flask-session dict", 24), ("flashes", 48), ("uuid", 0)] {
            let rows = vectors("cachelib_file", "files");
            let row = rows.iter().find(|row| row["note"] == note).unwrap();
            let mut file = bytes(
                row["header_hex"]
                    .as_str()
                    .or(row["file_hex"].as_str())
                    .unwrap(),
            );
            let expiry = match hours {
                0 => 0,
                hours => u32::try_from(now + hours * 3600 + 60).unwrap(),
            };
            file[..4].copy_from_slice(&expiry.to_le_bytes());
            let name = sha256(&format!("session:{}", servers::unique("flask")));
            fs::write(Path::new(folder).join(&name), file).unwrap();
            self.secrets.push(name);
        }
    }
}

fn manager(store: &Store, config: SessionConfig) -> SessionManager {
    SessionManager::stored(store.clone(), config).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|start| u8::from_str_radix(&hex[start..start + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// The name of cachelib's file for a key.
fn sha256(key: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(key);
    hex(&digest)
}

/// The handles that a list with `--json` shows.
pub(crate) fn handles(outcome: &Outcome) -> Vec<Handle> {
    let lines = objects(outcome);
    let handles = lines
        .iter()
        .map(|line| line["handle"].as_str().unwrap().parse());
    handles.collect::<Result<_, _>>().unwrap()
}

/// One object for each line.
#[track_caller]
pub(crate) fn objects(outcome: &Outcome) -> Vec<serde_json::Value> {
    assert_eq!(outcome.code, 0, "stderr: {}", outcome.stderr);
    let lines = outcome.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
