use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Instant,
};

use super::{
    cachelib, disk,
    disk::{Content, Temporary},
    layout::Layout,
    lock::{For, Lock, Locks},
    platform,
};
use crate::store::StoreError;

/// The folder that a store keeps its files in.
pub(super) struct Folder {
    pub(super) root: PathBuf,
    pub(super) layout: Layout,
    /// Where the last clean-up ran out of time.
    pub(super) swept: Mutex<Option<String>>,
    /// The file system that the folder was on when it was opened.
    device: u64,
    locks: Locks,
}

impl Folder {
    /// The folder at `path`, made if there is none, if nobody else can write to it.
    pub(super) fn open(path: &Path, layout: Layout) -> Result<Self, StoreError> {
        let failed = |error: io::Error| disk::store_error("opening the folder", &error);
        disk::make_folder(path).map_err(failed)?;
        let root = path.canonicalize().map_err(failed)?;
        let metadata = fs::metadata(&root).map_err(failed)?;
        if platform::anyone_writes(&metadata) {
            return Err(StoreError::refused(
                "every user of this machine can write to the folder, and so make sessions: \
                 take that away (chmod o-w), or use a folder of your own",
            ));
        }
        let locks = root.join(layout.locks());
        disk::make_folder(&locks).map_err(failed)?;
        Ok(Self {
            device: platform::device(&metadata),
            locks: Locks::new(locks),
            swept: Mutex::new(None),
            root,
            layout,
        })
    }

    /// Tells a missing entry from a missing folder: an empty mount point is no store without sessions.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let metadata = fs::metadata(&self.root)
            .map_err(|error| disk::store_error("looking for the folder", &error))?;
        if platform::device(&metadata) == self.device || self.locks.exist() {
            Ok(())
        } else {
            Err(StoreError::unreachable("the folder's disk is not mounted"))
        }
    }

    pub(super) fn lock(&self, what: For, deadline: Instant) -> Result<Lock<'_>, StoreError> {
        self.locks.take(what, deadline, || self.check())
    }

    /// Notes in cachelib's count file that there is one file more or less, as cachelib does, which decides by
    /// it when to remove files. Where there is no such file nobody counts. A count is not worth a failure.
    pub(super) fn count(&self, added: i64, deadline: Instant) {
        if self.layout == Layout::Cachelib
            && added != 0
            && let Err(error) = self.try_count(added, deadline)
        {
            tracing::warn!(store = super::NAME, %error, "files not counted");
        }
    }

    fn try_count(&self, added: i64, deadline: Instant) -> Result<(), StoreError> {
        let failed = |error: io::Error| disk::store_error("counting", &error);
        let path = self.root.join(cachelib::COUNT_NAME);
        let _lock = self.lock(For::Count, deadline)?;
        let count = match disk::read(&path).map_err(failed)? {
            Content::Missing | Content::Foreign => return Ok(()),
            Content::File(file) => cachelib::decode_count(&file),
        };
        let count = match count {
            Some(count) => count.saturating_add_signed(added),
            None => {
                let names = disk::names(&self.root).map_err(failed)?;
                let files = names.iter().filter(|name| {
                    !cachelib::is_count(name) && !name.ends_with(self.layout.temporary())
                });
                files.count() as u64
            }
        };
        let bytes = cachelib::encode_count(count);
        let new = Temporary::write(&self.root, self.layout.temporary(), &bytes, false);
        fs::rename(new.map_err(failed)?.path(), &path).map_err(failed)
    }
}
