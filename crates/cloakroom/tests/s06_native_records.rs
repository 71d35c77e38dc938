//! The native layouts: what the browser holds, what the store holds, and that neither is worth anything without the other.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom::{
    Clock, ConfigError, Error, Layout, Refusal, SecretKey, Session, SessionConfig, SessionManager,
    Status, Value,
    format::{FormatError, RecordHeader, Serialization},
    store::{Driver, MemoryStore, Record, Store},
    token::base64,
    value::Dict,
};
use http::{HeaderMap, header};
use recording::{Call, Calls, Recording};

#[path = "support/recording.rs"]
mod recording;

const NOW: u64 = 1_800_000_000;
const HOUR: Duration = Duration::from_secs(3600);
const NATIVE: [Layout; 2] = [Layout::Native, Layout::Sealed];

/// A store in memory, sessions in it, and what the store is asked.
struct Room {
    clock: Clock,
    store: Arc<MemoryStore>,
    calls: Calls,
    manager: SessionManager,
}

impl Room {
    fn new(config: SessionConfig) -> Self {
        let clock = Clock::manual(NOW);
        let store = Arc::new(MemoryStore::new().clock(clock.clone()));
        let (recording, calls) = Recording::new(store.clone());
        let manager = SessionManager::stored(recording, config.clock(clock.clone())).unwrap();
        Self {
            clock,
            store,
            calls,
            manager,
        }
    }

    fn of(layout: Layout) -> Self {
        Self::new(SessionConfig::default().layout(layout))
    }

    /// Other settings for the same store.
    fn beside(&self, config: SessionConfig) -> SessionManager {
        let (recording, _) = Recording::new(self.store.clone());
        SessionManager::stored(recording, config.clock(self.clock.clone())).unwrap()
    }

    /// The cookie of a new session in which alice is logged in.
    async fn login(&self) -> String {
        login(&self.manager).await
    }

    async fn refusal(&self, cookie: impl AsRef<[u8]>) -> Option<Refusal> {
        refusal(&self.manager, cookie).await
    }

    /// The one entry there is.
    async fn entry(&self) -> (String, Record) {
        let page = self.store.list("", None, 10).await.unwrap();
        let [listed] = &page.entries[..] else {
            panic!("{} entries", page.entries.len())
        };
        let record = self.store.load(&listed.key).await.unwrap().unwrap();
        (listed.key.clone(), record)
    }

    /// Puts these bytes in the place of the one entry.
    async fn forge(&self, value: impl Into<Bytes>) {
        let (key, record) = self.entry().await;
        let replaced = self.store.replace(&key, &record, value.into(), HOUR).await;
        replaced.unwrap();
    }

    async fn header(&self) -> RecordHeader {
        RecordHeader::from_slice(&self.entry().await.1.value).unwrap()
    }
}

async fn login(manager: &SessionManager) -> String {
    let session = manager.new_session();
    session.login("alice").unwrap();
    session.insert("card", "4111 1111 1111 1111").unwrap();
    session.save().await.unwrap();
    manager.cookie_value(&session).unwrap()
}

async fn refusal(manager: &SessionManager, cookie: impl AsRef<[u8]>) -> Option<Refusal> {
    match manager.open_value(cookie).await {
        Ok(_) => None,
        Err(Error::Refused(refusal)) => Some(refusal),
        Err(error) => panic!("{error}"),
    }
}

/// Changes a session in a request of its own.
async fn change(manager: &SessionManager, cookie: &str, with: impl FnOnce(&Session)) -> String {
    let session = manager.open_value(cookie).await.unwrap();
    with(&session);
    session.save().await.unwrap();
    manager.cookie_value(&session).unwrap()
}

fn halves(ticket: &str) -> (&str, &str) {
    ticket.split_once('.').unwrap()
}

fn raw(half: &str) -> Vec<u8> {
    base64::decode(half, cloakroom::token::Leniency::Strict).unwrap()
}

fn holds(all: &[u8], part: impl AsRef<[u8]>) -> bool {
    let part = part.as_ref();
    all.windows(part.len()).any(|window| window == part)
}

// What the browser holds.

#[tokio::test]
async fn s03_s06_the_browser_holds_two_halves_and_the_store_is_told_one() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let cookie = room.login().await;
        let (public, secret) = halves(&cookie);
        assert_eq!((public.len(), secret.len(), cookie.len()), (22, 43, 66));
        let (key, _) = room.entry().await;
        assert_eq!(key, format!("session:session:{public}"));
        let session = room.manager.open_value(&cookie).await.unwrap();
        assert_eq!(session.subject().as_deref(), Some("alice"));
        assert_eq!(room.manager.store_key(&session).unwrap(), key);
    }
}

#[tokio::test]
async fn s01_each_session_has_a_ticket_of_its_own() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..500 {
            let cookie = room.login().await;
            let (public, secret) = halves(&cookie);
            assert!(seen.insert(public.to_owned()) && seen.insert(secret.to_owned()));
            assert_eq!((raw(public).len(), raw(secret).len()), (16, 32));
        }
    }
}

#[tokio::test]
async fn s05_what_is_no_ticket_never_reaches_the_store() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let good = room.login().await;
        room.calls.take();
        let (public, secret) = halves(&good);
        let mut malformed: Vec<Vec<u8>> = [
            "short",
            public,
            secret,
            &format!("{public}."),
            &format!(".{secret}"),
            &format!("{public}{secret}"),
            &format!("{public}..{secret}"),
            &format!("{public}.{secret}."),
            &format!("{public}.{secret}="),
            &format!("{secret}.{public}"),
            &format!("session:session:{good}"),
            &"a".repeat(43),
            "../../../../../../etc/passwd.and-some-more-of-it-so-that-it-is-long",
            &format!("{}.{}", "a".repeat(1 << 19), "a".repeat(1 << 19)),
        ]
        .map(|text| text.as_bytes().to_vec())
        .into();
        // Every byte that is none of a ticket's, in some of its places.
        for byte in 0..=255_u8 {
            let legal = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            for place in [0, 21, 23, 65] {
                let mut ticket = good.clone().into_bytes();
                ticket[place] = byte;
                if !legal {
                    malformed.push(ticket);
                }
            }
            let mut ticket = good.clone().into_bytes();
            ticket[22] = byte;
            if byte != b'.' {
                malformed.push(ticket);
            }
        }
        for ticket in malformed {
            let refused = room.refusal(&ticket).await;
            assert_eq!(refused, Some(Refusal::MalformedId), "{ticket:?}");
            assert!(room.calls.take().is_empty(), "{ticket:?}");
        }
        // An id of Flask's kind is none here, and a ticket is none there.
        let flask = Room::of(Layout::Flask);
        let id = flask.login().await;
        assert_eq!(room.refusal(&id).await, Some(Refusal::MalformedId));
        assert_eq!(flask.refusal(&good).await, Some(Refusal::MalformedId));
        assert_eq!(room.refusal(&good).await, None);
    }
}

#[tokio::test]
async fn s51_a_ticket_with_any_bit_flipped_is_refused() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let good = room.login().await;
        let mut codes = BTreeMap::<_, u32>::new();
        for bit in 0..good.len() * 8 {
            let mut ticket = good.clone().into_bytes();
            ticket[bit / 8] ^= 1 << (bit % 8);
            let refused = room.refusal(&ticket).await;
            *codes.entry(refused.map(Refusal::code)).or_default() += 1;
        }
        let refused: Vec<_> = codes.keys().copied().collect();
        let expected = ["malformed_id", "unknown_id", "wrong_secret"];
        assert_eq!(refused, expected.map(Some), "{codes:?}");
    }
}

#[tokio::test]
async fn s04_a_right_public_id_with_a_wrong_secret_changes_nothing() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let cookie = room.login().await;
        let before = room.entry().await;
        room.calls.take();
        let (public, _) = halves(&cookie);
        let guess = format!("{public}.{}", base64::encode([7; 32]));
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("session={guess}").parse().unwrap());
        let session = room.manager.open(&headers).await.unwrap();
        assert_eq!(session.status(), Status::Refused(Refusal::WrongSecret));
        assert_eq!(Refusal::WrongSecret.code(), "wrong_secret");
        assert!(session.is_empty());
        let mut answer = HeaderMap::new();
        room.manager.close(&session, &mut answer).await.unwrap();
        assert!(!answer.contains_key(header::SET_COOKIE));
        assert_eq!(room.calls.kinds(), ["load"]);
        assert_eq!(room.entry().await, before);

        // What the visitor does is kept under a new id, and a logout ends nobody's session.
        let session = room.manager.open(&headers).await.unwrap();
        session.insert("cart", 1).unwrap();
        session.save().await.unwrap();
        let issued = room.manager.cookie_value(&session).unwrap();
        assert_ne!(halves(&issued).0, public);
        let session = room.manager.open(&headers).await.unwrap();
        session.clear();
        let mut answer = HeaderMap::new();
        room.manager.close(&session, &mut answer).await.unwrap();
        let left = room.store.load(&before.0).await.unwrap();
        assert_eq!(left, Some(before.1));
    }
}

/// Fails if a session is kept under an id that the request brought.
#[tokio::test]
async fn cve_2018_1000519_cve_2024_38513_a_ticket_that_was_never_issued_is_not_adopted() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let planted = format!("{}.{}", base64::encode([1; 16]), base64::encode([2; 32]));
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            format!("session={planted}").parse().unwrap(),
        );
        let session = room.manager.open(&headers).await.unwrap();
        assert_eq!(session.status(), Status::Refused(Refusal::UnknownId));
        session.login("alice").unwrap();
        let mut answer = HeaderMap::new();
        room.manager.close(&session, &mut answer).await.unwrap();
        assert_eq!(room.calls.kinds(), ["load", "create"]);
        let issued = room.manager.cookie_value(&session).unwrap();
        let (key, _) = room.entry().await;
        assert_ne!(halves(&issued).0, halves(&planted).0);
        assert_ne!(halves(&issued).1, halves(&planted).1);
        assert!(key.ends_with(halves(&issued).0));
        assert_eq!(room.refusal(&planted).await, Some(Refusal::UnknownId));
    }
}

#[tokio::test]
async fn s11_a_login_has_two_new_halves_and_the_old_ticket_is_dead() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let session = room.manager.new_session();
        session.insert("cart", 1).unwrap();
        session.save().await.unwrap();
        let old = room.manager.cookie_value(&session).unwrap();
        let new = change(&room.manager, &old, |session| {
            session.login("alice").unwrap();
        })
        .await;
        let ((old_public, old_secret), (public, secret)) = (halves(&old), halves(&new));
        assert!(old_public != public && old_secret != secret);
        assert_eq!(room.refusal(&old).await, Some(Refusal::UnknownId));
        for (mixed, refused) in [
            (format!("{old_public}.{secret}"), Refusal::UnknownId),
            (format!("{public}.{old_secret}"), Refusal::WrongSecret),
        ] {
            assert_eq!(room.refusal(&mixed).await, Some(refused));
        }
        let session = room.manager.open_value(&new).await.unwrap();
        assert_eq!(session.get::<u32>("cart").unwrap(), Some(1));
        assert_eq!(room.header().await.created, NOW);
    }
}

// What the store holds.

/// Fails if the store, or an index in it, is asked for anything that logs in: how long it takes to compare would tell.
#[tokio::test]
async fn s07_cve_2019_16782_cve_2019_25025_the_store_is_asked_for_the_public_half_alone() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let first = room.login().await;
        let second = change(&room.manager, &first, Session::regenerate).await;
        change(&room.manager, &second, |session| {
            session.insert("n", 1).unwrap();
        })
        .await;
        room.clock.advance(2 * HOUR);
        change(&room.manager, &second, |_| {}).await;
        let session = room.manager.open_value(&second).await.unwrap();
        session.clear();
        let mut answer = HeaderMap::new();
        room.manager.close(&session, &mut answer).await.unwrap();
        let calls = room.calls.take();
        let kinds: Vec<_> = calls.iter().map(Call::kind).collect();
        let expected = "create load create delete load replace load touch load delete";
        assert_eq!(kinds.join(" "), expected);
        for call in calls {
            let (key, value) = match call {
                Call::Load(key) | Call::Touch(key, _) | Call::Delete(key, _) => (key, Bytes::new()),
                Call::Create(key, value, _) | Call::Replace(key, value, _) => (key, value),
            };
            let id = key.strip_prefix("session:session:").unwrap();
            assert!([halves(&first).0, halves(&second).0].contains(&id));
            for ticket in [&first, &second] {
                let (_, secret) = halves(ticket);
                assert!(!holds(&value, secret) && !holds(&value, raw(secret)));
            }
        }
    }
}

/// Everything that a thief of the store has: names and contents.
struct Stolen {
    bytes: Vec<u8>,
    records: Vec<(String, Bytes)>,
}

async fn listed(store: &Store) -> Vec<(String, Bytes)> {
    let mut records = Vec::new();
    for entry in store.list("", None, 1000).await.unwrap().entries {
        let record = store.load(&entry.key).await.unwrap().unwrap();
        records.push((entry.key, record.value));
    }
    records
}

fn files(folder: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend_from_slice(path.to_str().unwrap().as_bytes());
        if path.is_dir() {
            bytes.extend(files(&path));
        } else {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    bytes
}

async fn logs_nobody_in(store: Store, layout: Layout, steal: impl AsyncFnOnce(&Store) -> Stolen) {
    let config = SessionConfig::default().layout(layout);
    let manager = SessionManager::stored(store.clone(), config).unwrap();
    let mut cookies = Vec::new();
    for _ in 0..3 {
        let before = login(&manager).await;
        cookies.push(
            change(&manager, &before, |session| {
                session.regenerate();
                session.insert("street", "Lime Street").unwrap();
            })
            .await,
        );
    }
    let stolen = steal(&store).await;
    assert_eq!(stolen.records.len(), 3);
    for cookie in &cookies {
        let (public, secret) = halves(cookie);
        // What was stolen is really there, and this is not in it.
        assert!(stolen.records.iter().any(|(key, _)| key.ends_with(public)));
        assert!(!holds(&stolen.bytes, cookie));
        assert!(!holds(&stolen.bytes, secret) && !holds(&stolen.bytes, raw(secret)));
        assert!(!holds(&stolen.bytes, base64::encode_standard(raw(secret))));
    }
    for content in ["alice", "4111 1111", "Lime Street", "card", "_user_id"] {
        let readable = layout == Layout::Native;
        assert_eq!(holds(&stolen.bytes, content), readable, "{content}");
    }
    // None of it is a cookie: not a key, not a part of one, and no 32 bytes of a record are the secret of its id.
    let mut tried = 0;
    for (key, value) in &stolen.records {
        let public = key.rsplit(':').next().unwrap();
        let texts = [key.as_str(), public, &key[8..]].map(str::to_owned);
        let whole = [
            base64::encode(value),
            String::from_utf8_lossy(value).into_owned(),
        ];
        let parts = value.windows(32).map(base64::encode);
        let texts = texts.into_iter().chain(whole).chain(parts);
        for text in texts.flat_map(|text| [format!("{public}.{text}"), text]) {
            assert!(refusal(&manager, &text).await.is_some());
            tried += 1;
        }
    }
    assert!(tried > 3 * 200, "{tried} parts tried");
    for cookie in &cookies {
        assert_eq!(refusal(&manager, cookie).await, None);
    }
}

/// Fails if a login can be made of what is in a store (tokens in clear there were CVE-2026-53603).
#[tokio::test]
async fn s06_cve_2026_53603_a_stolen_store_logs_nobody_in() {
    for layout in NATIVE {
        logs_nobody_in(MemoryStore::new().into(), layout, async |store| {
            let records = listed(store).await;
            let bytes = records.iter();
            let bytes = bytes.flat_map(|(key, value)| [key.as_bytes(), value].concat());
            Stolen {
                bytes: bytes.collect(),
                records,
            }
        })
        .await;
    }
}

#[cfg(feature = "file")]
#[tokio::test]
async fn s06_a_stolen_folder_logs_nobody_in() {
    use cloakroom::store::FileStore;

    for layout in NATIVE {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path()).unwrap();
        logs_nobody_in(store.into(), layout, async |store| Stolen {
            bytes: files(folder.path()),
            records: listed(store).await,
        })
        .await;
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn s06_a_stolen_database_logs_nobody_in() {
    use cloakroom::store::SqliteStore;

    for layout in NATIVE {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/sessions.db?mode=rwc", folder.path().display());
        let store = SqliteStore::connect(&url).await.unwrap();
        store.migrate().await.unwrap();
        // The file, and what the database has not yet moved into it.
        logs_nobody_in(store.into(), layout, async |store| Stolen {
            bytes: files(folder.path()),
            records: listed(store).await,
        })
        .await;
    }
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s06_a_stolen_redis_logs_nobody_in() {
    use cloakroom::store::RedisStore;

    // A server of its own: all that is in it is ours.
    let server = servers::redis::start().unwrap();
    for layout in NATIVE {
        let client = redis::Client::open(server.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let () = redis::cmd("FLUSHALL")
            .query_async(&mut connection)
            .await
            .unwrap();
        let store = RedisStore::connect(server.url()).await.unwrap();
        logs_nobody_in(store.into(), layout, async |store| {
            let keys: Vec<Vec<u8>> = redis::cmd("KEYS")
                .arg("*")
                .query_async(&mut connection)
                .await
                .unwrap();
            let mut bytes = Vec::new();
            for key in keys {
                let value: Vec<u8> = redis::cmd("GET")
                    .arg(&key)
                    .query_async(&mut connection)
                    .await
                    .unwrap();
                bytes.extend([key, value].concat());
            }
            Stolen {
                bytes,
                records: listed(store).await,
            }
        })
        .await;
    }
}

/// Flask's layout is exempt, and its documentation says so: the key is the id.
#[tokio::test]
async fn s06_in_flasks_layout_a_key_logs_in() {
    let room = Room::of(Layout::Flask);
    room.login().await;
    let (key, _) = room.entry().await;
    let session = room
        .manager
        .open_value(key.strip_prefix("session:").unwrap())
        .await;
    assert_eq!(session.unwrap().subject().as_deref(), Some("alice"));
}

/// Fails if two cookies share what is kept for either.
#[tokio::test]
async fn cve_2022_46170_sessions_under_two_cookie_names_never_meet() {
    for layout in NATIVE {
        let room = Room::new(SessionConfig::default().layout(layout).cookie_name("shop"));
        let others = [
            ("admin", "session:"),
            ("sho", "session:"),
            ("shop2", "session:"),
            ("shop", "session:2:"),
            ("shop", ""),
        ];
        let cookie = room.login().await;
        for (name, prefix) in others {
            let config = SessionConfig::default().layout(layout).cookie_name(name);
            let other = room.beside(config.key_prefix(prefix));
            assert_eq!(
                refusal(&other, &cookie).await,
                Some(Refusal::UnknownId),
                "{name}"
            );
        }
        // Not even somebody who moves the entry over gets a sealed session opened there.
        let admin = room.beside(SessionConfig::default().layout(layout).cookie_name("admin"));
        let (key, record) = room.entry().await;
        let moved = key.replace("shop", "admin");
        room.store.create(&moved, record.value, HOUR).await.unwrap();
        let refused = refusal(&admin, &cookie).await;
        let sealed = (layout == Layout::Sealed).then_some(Refusal::BadPayload);
        assert_eq!(refused, sealed);
    }
}

#[tokio::test]
async fn s51_s58_a_sealed_record_with_any_bit_flipped_is_refused() {
    let config = SessionConfig::default().absolute_lifetime(24 * HOUR);
    let room = Room::new(config.layout(Layout::Sealed));
    let cookie = room.login().await;
    let (_, good) = room.entry().await;
    assert!(good.value.len() > 150);
    let mut codes = BTreeMap::<_, u32>::new();
    for bit in 0..good.value.len() * 8 {
        let mut record = good.value.to_vec();
        record[bit / 8] ^= 1 << (bit % 8);
        room.forge(record).await;
        let refused = room.refusal(&cookie).await;
        assert!(refused.is_some(), "bit {bit}");
        *codes.entry(refused.map(Refusal::code)).or_default() += 1;
    }
    let refused: Vec<_> = codes.keys().flatten().copied().collect();
    assert_eq!(refused, ["bad_payload", "wrong_secret"], "{codes:?}");
    for length in 0..good.value.len() {
        room.forge(good.value.slice(..length)).await;
        assert!(room.refusal(&cookie).await.is_some(), "{length} bytes");
    }
    room.forge([&good.value[..], b"\0"].concat()).await;
    assert_eq!(room.refusal(&cookie).await, Some(Refusal::BadPayload));
    room.forge(good.value).await;
    assert_eq!(room.refusal(&cookie).await, None);
}

#[tokio::test]
async fn s54_a_record_is_its_own_tickets_alone() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let alice = room.login().await;
        let (alices_key, alices) = room.entry().await;
        let bob = room.login().await;
        let bobs_key = alices_key.replace(halves(&alice).0, halves(&bob).0);
        let bobs = room.store.load(&bobs_key).await.unwrap().unwrap();
        let swapped = room.store.replace(&bobs_key, &bobs, alices.value, HOUR);
        swapped.await.unwrap();
        assert_eq!(room.refusal(&bob).await, Some(Refusal::WrongSecret));
    }
}

#[tokio::test]
async fn s52_no_layout_is_taken_for_another() {
    let layouts = [Layout::Flask, Layout::Native, Layout::Sealed];
    for written in layouts {
        let there = Room::of(written);
        there.login().await;
        let (_, record) = there.entry().await;
        for expected in layouts.into_iter().filter(|layout| *layout != written) {
            let here = Room::of(expected);
            let cookie = here.login().await;
            here.forge(record.value.clone()).await;
            let before = here.entry().await;
            let refused = here.refusal(&cookie).await;
            let native = written != Layout::Flask && expected != Layout::Flask;
            // Between the native ones, the secret is looked at first.
            let why = match native {
                true => Refusal::WrongSecret,
                false => Refusal::BadPayload,
            };
            assert_eq!(refused, Some(why), "{written:?} for {expected:?}");
            assert_eq!(here.entry().await, before);
        }
    }
    // Readable where sealed ones are asked for, and the other way round, under one key and with the right secret.
    for (written, expected) in [
        (Layout::Native, Layout::Sealed),
        (Layout::Sealed, Layout::Native),
    ] {
        let room = Room::of(written);
        let cookie = room.login().await;
        let other = room.beside(SessionConfig::default().layout(expected));
        assert_eq!(refusal(&other, &cookie).await, Some(Refusal::BadPayload));
    }
}

// What the header says.

#[tokio::test]
async fn the_header_says_when_and_whose() {
    let config = SessionConfig::default().layout(Layout::Native);
    let room = Room::new(config.absolute_lifetime(12 * HOUR));
    let cookie = room.login().await;
    let header = room.header().await;
    assert_eq!((header.created, header.written), (NOW, NOW));
    assert_eq!(header.deadline, Some(NOW + 12 * 3600));
    assert_eq!(header.subject.as_deref(), Some("alice"));
    assert!(header.metadata.is_empty());

    room.clock.advance(HOUR);
    let metadata = Dict::from_iter([("device", "Firefox on Linux"), ("place", "Lisbon")]);
    change(&room.manager, &cookie, |session| {
        session.insert("_metadata", metadata.clone()).unwrap();
    })
    .await;
    let header = room.header().await;
    assert_eq!((header.created, header.written), (NOW, NOW + 3600));
    assert_eq!(header.deadline, Some(NOW + 12 * 3600));
    let shown: Vec<_> = header.metadata.iter().collect();
    assert_eq!(
        shown[0],
        (&"device".to_owned(), &"Firefox on Linux".to_owned())
    );
    assert_eq!(shown.len(), 2);
    // Whose it is and where from are not for logs.
    let debug = format!("{header:?}");
    assert!(
        !debug.contains("alice") && !debug.contains("Lisbon"),
        "{debug}"
    );

    // Too long to show, and no loss to the session.
    let long = "x".repeat(1000);
    change(&room.manager, &cookie, |session| {
        session.insert("_user_id", long.as_str()).unwrap();
        session
            .insert(
                "_metadata",
                Dict::from_iter([("a", long.as_str()), ("b", "c")]),
            )
            .unwrap();
    })
    .await;
    let header = room.header().await;
    assert_eq!((header.subject, header.metadata.len()), (None, 1));
    let session = room.manager.open_value(&cookie).await.unwrap();
    assert_eq!(session.subject(), Some(long));
}

#[tokio::test]
async fn the_header_of_a_sealed_record_says_when_and_nothing_else() {
    let room = Room::of(Layout::Sealed);
    let cookie = room.login().await;
    change(&room.manager, &cookie, |session| {
        session
            .insert("_metadata", Dict::from_iter([("device", "Firefox")]))
            .unwrap();
    })
    .await;
    let header = room.header().await;
    assert_eq!(
        (header.created, header.written, header.deadline),
        (NOW, NOW, None)
    );
    assert_eq!(header.subject, None);
    assert!(header.metadata.is_empty());
    let session = room.manager.open_value(&cookie).await.unwrap();
    assert!(session.contains_key("_metadata"));
}

#[tokio::test]
async fn p7_a_reader_leaves_the_record_alone_and_is_seen_all_the_same() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let cookie = room.login().await;
        let (key, before) = room.entry().await;
        room.clock.advance(5 * HOUR);
        change(&room.manager, &cookie, |session| {
            assert_eq!(session.len(), 5);
        })
        .await;
        let after = room.store.load(&key).await.unwrap().unwrap();
        assert_eq!(after.value, before.value);
        let header = RecordHeader::from_slice(&after.value).unwrap();
        assert_eq!(header.written, NOW);
        let month = Duration::from_secs(31 * 24 * 3600);
        let seen = |expires_in| header.last_seen(expires_in, month, NOW + 6 * 3600);
        room.clock.advance(HOUR);
        let now = room.store.load(&key).await.unwrap().unwrap();
        assert_eq!(seen(now.expires_in), NOW + 5 * 3600);
        assert_eq!(seen(None), NOW);
    }
}

#[tokio::test]
async fn s15_the_deadline_in_the_record_counts_whatever_the_store_says() {
    for layout in NATIVE {
        let config = SessionConfig::default().layout(layout);
        let room = Room::new(config.clone().absolute_lifetime(HOUR));
        let cookie = room.login().await;
        // Settings that know no limit, and a store that would keep it for longer.
        let (key, before) = room.entry().await;
        room.store.touch(&key, 100 * HOUR).await.unwrap();
        let unlimited = room.beside(config);
        room.clock.advance(Duration::from_secs(3599));
        assert_eq!(refusal(&unlimited, &cookie).await, None);
        room.clock.advance(Duration::from_secs(1));
        assert_eq!(
            refusal(&unlimited, &cookie).await,
            Some(Refusal::LifetimeOver)
        );
        assert_eq!(room.refusal(&cookie).await, Some(Refusal::LifetimeOver));
        assert_eq!(room.entry().await.1.value, before.value);
    }
}

#[tokio::test]
async fn s15_a_session_that_ends_while_a_request_is_under_way_stays_ended() {
    for layout in NATIVE {
        let config = SessionConfig::default().layout(layout);
        let room = Room::new(config.absolute_lifetime(HOUR));
        let cookie = room.login().await;
        let slow = room.manager.open_value(&cookie).await.unwrap();
        change(&room.manager, &cookie, |session| {
            session.insert("n", 1).unwrap();
        })
        .await;
        let (key, _) = room.entry().await;
        room.store.touch(&key, 100 * HOUR).await.unwrap();
        room.clock.advance(2 * HOUR);
        let before = room.entry().await.1.value;
        // It has to read again what others wrote, and that is past its end.
        slow.insert("m", 1).unwrap();
        slow.save().await.unwrap();
        assert_eq!(room.entry().await.1.value, before);
        assert_eq!(room.refusal(&cookie).await, Some(Refusal::LifetimeOver));
    }
}

#[tokio::test]
async fn p3_what_a_request_does_not_change_keeps_its_bytes_in_a_record() {
    let room = Room::of(Layout::Native);
    let session = room.manager.new_session();
    session.insert("a", 1).unwrap();
    session.save().await.unwrap();
    let cookie = room.manager.cookie_value(&session).unwrap();
    // A content that nobody here would write so: a long form of a text and of a number.
    let (_, record) = room.entry().await;
    let plain = Serialization::MessagePack.to_bytes(&Value::Dict(Dict::from_iter([("a", 1)])));
    let head = &record.value[..record.value.len() - plain.unwrap().len() - 2];
    let odd = b"\x82\xd9\x01b\xcd\x00\x07\xa1a\x01";
    room.forge([head, &[0xc4, 10], odd].concat()).await;
    change(&room.manager, &cookie, |session| {
        session.insert("c", 3).unwrap();
    })
    .await;
    let (_, record) = room.entry().await;
    let content = &record.value[record.value.len() - 12..];
    assert_eq!(content, b"\x83\xa1b\xcd\x00\x07\xa1a\x01\xa1c\x03");
}

#[tokio::test]
async fn a_record_of_a_later_version_is_left_alone() {
    for layout in NATIVE {
        let room = Room::of(layout);
        let cookie = room.login().await;
        let (_, record) = room.entry().await;
        let mut later = record.value.to_vec();
        assert_eq!(later[11], 1);
        later[11] = 2;
        assert_eq!(
            RecordHeader::from_slice(&later),
            Err(FormatError::RecordVersion(2))
        );
        room.forge(later.clone()).await;
        assert_eq!(room.refusal(&cookie).await, Some(Refusal::BadPayload));
        assert_eq!(room.entry().await.1.value, later);
    }
}

#[test]
fn settings_that_contradict_a_native_layout_are_refused() {
    for layout in NATIVE {
        let config = || SessionConfig::default().layout(layout);
        let stored = |config| SessionManager::stored(MemoryStore::new(), config);
        assert!(stored(config()).is_ok());
        assert!(stored(config().key_prefix("")).is_ok());
        assert!(stored(config().cookie_name("__Host-session")).is_ok());
        let key = SecretKey::new("a key of this test alone").unwrap();
        for refused in [
            config().key_prefix("app_"),
            config().key_prefix(format!("{}:", "x".repeat(212))),
            config().sign_ids(key),
        ] {
            let error = stored(refused).unwrap_err();
            assert!(error.to_string().starts_with("SESSION_"), "{error}");
        }
        // 250 bytes of key hold the prefix, the cookie's name, a colon, 22 characters and the store's own 8.
        assert!(stored(config().key_prefix(format!("{}:", "x".repeat(211)))).is_ok());
    }
}

#[cfg(feature = "file")]
#[test]
fn a_folder_that_cachelib_reads_has_no_native_layout() {
    let folder = tempfile::tempdir().unwrap();
    for layout in NATIVE {
        let store = cloakroom::store::FileStore::cachelib(folder.path()).unwrap();
        let error = SessionManager::stored(store, SessionConfig::default().layout(layout));
        assert!(matches!(error, Err(ConfigError::Conflict { name, .. }) if name == "layout"));
    }
}
