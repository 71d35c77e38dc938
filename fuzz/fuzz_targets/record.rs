//! Any bytes can stand in a store under a session's key: as a record and, to reach what reads its content, as the content of
//! one that is good in all else.
#![no_main]

use std::sync::LazyLock;

use cloakroom::format::RecordHeader;
use cloakroom::store::{MemoryStore, Store};
use cloakroom::{Clock, Error, Layout, Session, SessionConfig, SessionManager};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

struct Room {
    manager: SessionManager,
    store: Store,
    cookie: String,
    key: String,
    /// A record of one byte of content, up to that byte and its length.
    head: Vec<u8>,
}

impl Room {
    fn new(layout: Layout) -> Self {
        let clock = Clock::manual(1_700_000_000);
        let store = Store::from(MemoryStore::new().clock(clock.clone()));
        let config = SessionConfig::default().layout(layout).clock(clock);
        let manager =
            SessionManager::stored(store.clone(), config).expect("the settings fit together");
        let session = manager.new_session();
        session.insert("a", 1).expect("a number can be stored");
        now(session.save()).expect("memory takes it");
        let cookie = manager.cookie_value(&session).expect("it was saved");
        let key = manager.store_key(&session).expect("it was saved");
        let mut head = now(store.load(&key))
            .expect("memory answers")
            .expect("it was saved")
            .value
            .to_vec();
        // A map of one pair has four bytes, with their length before them.
        head.truncate(head.len() - 6);
        Self {
            manager,
            store,
            cookie,
            key,
            head,
        }
    }

    /// What is made of these bytes in the place of the record.
    fn open(&self, record: Vec<u8>) -> Result<Session, Error> {
        let base = now(self.store.load(&self.key))
            .expect("memory answers")
            .expect("it stays there");
        let day = std::time::Duration::from_secs(24 * 60 * 60);
        now(self.store.replace(&self.key, &base, record.into(), day))
            .expect("nobody else is there");
        now(self.manager.open_value(&self.cookie))
    }
}

static NATIVE: LazyLock<Room> = LazyLock::new(|| Room::new(Layout::Native));
static SEALED: LazyLock<Room> = LazyLock::new(|| Room::new(Layout::Sealed));

fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = RecordHeader::from_slice(bytes) {
        let _ = header.last_seen(None, std::time::Duration::MAX, u64::MAX);
        let _ = format!("{header:?}");
    }
    assert!(
        SEALED.open(bytes.to_vec()).is_err(),
        "nobody can seal without the ticket"
    );
    let _ = NATIVE.open(bytes.to_vec());
    let Ok(length) = u16::try_from(bytes.len()) else {
        return;
    };
    let [high, low] = length.to_be_bytes();
    let length: &[u8] = match high {
        0 => &[0xc4, low],
        _ => &[0xc5, high, low],
    };
    let Ok(session) = NATIVE.open([&NATIVE.head, length, bytes].concat()) else {
        return;
    };
    let keys = session.keys();
    session
        .insert("fuzzed", true)
        .expect("a truth value can be stored");
    // Content may come as JSON or a pickle, and MessagePack has no form for some of what is in it, or another one.
    match now(session.save()) {
        Err(Error::Write { .. } | Error::Unwritable(_)) => return,
        saved => saved.expect("what was opened can be stored"),
    }
    let again = now(NATIVE.manager.open_value(&NATIVE.cookie)).expect("what was stored opens");
    assert!(keys.iter().all(|key| again.keys().contains(key)));
    // From then on a change leaves all else as it is.
    let before = again.to_tagged_json();
    again
        .insert("fuzzed", false)
        .expect("a truth value can be stored");
    now(again.save()).expect("what was stored can be stored again");
    let last = now(NATIVE.manager.open_value(&NATIVE.cookie)).expect("what was stored opens");
    last.insert("fuzzed", true)
        .expect("a truth value can be stored");
    assert_eq!(last.to_tagged_json(), before);
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_time().build().expect("a thread has a timer")
});

fn now<R>(future: impl Future<Output = R>) -> R {
    RUNTIME.block_on(future)
}
