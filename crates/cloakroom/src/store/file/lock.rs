use std::{
    fs::File,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{disk, layout::hex, platform};
use crate::store::StoreError;

/// Advisory locks among the tasks and processes of ours: one for each first byte of a key's hash, one for
/// cachelib's count. The system releases those of a process that dies.
pub(super) struct Locks {
    folder: PathBuf,
    /// Tasks of this process wait here, so that they do not all poll the file.
    tasks: Vec<Mutex<()>>,
}

/// A lock that is held. Dropped, it is released: first the file, then the task's.
pub(super) struct Lock<'a> {
    _file: File,
    _task: MutexGuard<'a, ()>,
}

/// What a lock is for.
#[derive(Clone, Copy)]
pub(super) enum For {
    Shard(u8),
    Count,
}

const SHARDS: usize = 256;
/// Polls begin at the first and slow down to the second.
const PAUSES: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(4));

impl Locks {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            tasks: (0..=SHARDS).map(|_| Mutex::new(())).collect(),
        }
    }

    /// Whether the folder of the lock files is there.
    pub(super) fn exist(&self) -> bool {
        self.folder.is_dir()
    }

    /// Waits for a lock, until `deadline` at most; `check` says whether the store is there at all, before
    /// anything is made in it.
    pub(super) fn take(
        &self,
        what: For,
        deadline: Instant,
        check: impl Fn() -> Result<(), StoreError>,
    ) -> Result<Lock<'_>, StoreError> {
        let (place, name) = match what {
            For::Shard(shard) => (usize::from(shard), hex(&[shard])),
            For::Count => (SHARDS, "count".to_owned()),
        };
        let task = self.tasks[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(name);
        let failed = |error: std::io::Error| disk::store_error("locking", &error);
        let mut pause = PAUSES.0;
        loop {
            // Whoever asked has been told by then that the time was up: nothing may be done any more.
            if Instant::now() >= deadline {
                return Err(StoreError::timed_out("others hold the lock on the entry"));
            }
            let file = match disk::open_lock(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    check()?;
                    disk::make_folder(&self.folder).map_err(failed)?;
                    continue;
                }
                opened => opened.map_err(failed)?,
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(std::fs::TryLockError::WouldBlock) => {
                    thread::sleep(pause);
                    pause = PAUSES.1.min(pause * 2);
                    continue;
                }
                Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Somebody may have emptied the folder meanwhile, and others lock a new file of this name.
            let ours = file.metadata().map_err(failed)?;
            if std::fs::metadata(&path).is_ok_and(|there| platform::is_same(&there, &ours)) {
                return Ok(Lock {
                    _file: file,
                    _task: task,
                });
            }
        }
    }
}
