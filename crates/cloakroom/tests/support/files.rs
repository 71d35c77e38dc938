//! The two layouts of the file store, and what is in their folders.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{Driver, FileStore, StoreError},
};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) type Open = fn(&Path) -> Result<FileStore, StoreError>;
pub(crate) const LAYOUTS: [Open; 2] = [native, cachelib];

pub(crate) fn native(folder: &Path) -> Result<FileStore, StoreError> {
    FileStore::open(folder)
}

pub(crate) fn cachelib(folder: &Path) -> Result<FileStore, StoreError> {
    FileStore::cachelib(folder)
}

/// All files below a folder that are entries or tombstones.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    files(folder)
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.len() >= 32 && name.as_bytes()[..32].iter().all(u8::is_ascii_hexdigit)
        })
        .collect()
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// What a program does that knows nothing of locks: it makes the file elsewhere and renames it.
pub(crate) async fn write_blindly(
    open: Open,
    folder: &Path,
    clock: Option<&Clock>,
    key: &str,
    value: Bytes,
) {
    let aside = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
    let mut store = open(aside.path()).unwrap();
    if let Some(clock) = clock {
        store = store.clock(clock.clone());
    }
    store.create(key, value, HOUR).await.unwrap();
    let [file] = &entries(aside.path())[..] else {
        panic!("one entry is one file")
    };
    let place = folder.join(file.strip_prefix(aside.path()).unwrap());
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::rename(file, place).unwrap();
}
