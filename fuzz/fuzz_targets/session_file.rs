//! Any bytes can stand in the file of a session: in a folder that cachelib shares, and in one of our own.
#![no_main]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use cloakroom::store::{FileStore, Store};
use cloakroom::{Clock, SessionConfig, SessionManager};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

struct Room {
    manager: SessionManager,
    store: Store,
    cookie: String,
    key: String,
    file: PathBuf,
}

impl Room {
    fn new(name: &str, open: impl FnOnce(&Path) -> FileStore) -> Self {
        let folder =
            std::env::temp_dir().join(format!("cloakroom-fuzz-{}-{name}", std::process::id()));
        let clock = Clock::manual(1_700_000_000);
        let store = Store::from(open(&folder).clock(clock.clone()));
        let manager = SessionManager::stored(store.clone(), SessionConfig::default().clock(clock))
            .expect("the settings fit together");
        let session = manager.new_session();
        session.insert("a", 1).expect("a number can be stored");
        now(session.save()).expect("the folder takes it");
        let cookie = manager.cookie_value(&session).expect("it was saved");
        let key = manager.store_key(&session).expect("it was saved");
        let file = largest(&folder).expect("it was saved");
        Self {
            manager,
            store,
            cookie,
            key,
            file,
        }
    }

    fn try_all(&self, bytes: &[u8]) {
        fs::write(&self.file, bytes).expect("the folder takes it");
        let loaded = now(self.store.load(&self.key));
        if let Ok(session) = now(self.manager.open_value(&self.cookie)) {
            assert!(matches!(loaded, Ok(Some(_))), "a session out of nothing");
            let _ = session.snapshot();
        }
        now(self.store.list("session:", None, 10)).ok();
        now(self.store.delete_expired(10)).ok();
    }
}

/// The session's file; beside it there may be a count or a lock.
fn largest(folder: &Path) -> Option<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => files.push((entry.metadata().ok()?.len(), path)),
            }
        }
    }
    files.into_iter().max().map(|(_, path)| path)
}

static CACHELIB: LazyLock<Room> = LazyLock::new(|| {
    Room::new("cachelib", |folder| {
        FileStore::cachelib(folder).expect("a folder can be made")
    })
});
static NATIVE: LazyLock<Room> = LazyLock::new(|| {
    Room::new("native", |folder| {
        FileStore::open(folder).expect("a folder can be made")
    })
});

fuzz_target!(|bytes: &[u8]| {
    CACHELIB.try_all(bytes);
    NATIVE.try_all(bytes);
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_time().build().expect("a thread has a timer")
});

fn now<R>(future: impl Future<Output = R>) -> R {
    RUNTIME.block_on(future)
}
