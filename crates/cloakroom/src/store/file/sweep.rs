//! Going through all files: the clean-up and the listing.

use std::{
    fs, io,
    path::Path,
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::{
    FileStore, cachelib,
    disk::{self, Content},
    layout::{HASHED_BEFORE, HEAD, Layout, first_byte},
    lock::For,
    native, platform,
    swap::Swap,
};
use crate::store::{Cursor, Listed, MAX_KEY, Page, StoreError, hashed::HASHED};

/// How long one call looks at files, so that it ends within the time a store's calls have.
const BUDGET: Duration = Duration::from_secs(1);
/// What has been lying there unfinished for so long was left by a process that died.
const LEFT_OVER: u64 = 60 * 60;

impl FileStore {
    pub(super) fn delete_expired_now(&self, limit: usize) -> Result<usize, StoreError> {
        let folder = &self.folder;
        folder.check()?;
        if limit == 0 {
            return Ok(0);
        }
        let mut removed = 0;
        let begin = folder
            .swept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let end = self.walk(begin.as_deref(), |path, name| {
            if name.ends_with(folder.layout.temporary()) {
                self.remove_left_over(path)?;
            } else if folder.layout.is_entry(name) && self.remove_expired(path, name)? {
                removed += 1;
            }
            Ok(removed < limit)
        })?;
        *folder.swept.lock().unwrap_or_else(PoisonError::into_inner) = end;
        Ok(removed)
    }

    pub(super) fn list_now(
        &self,
        prefix: &str,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let by_hash = prefix.starts_with(HASHED) || prefix.starts_with(HASHED_BEFORE);
        if self.folder.layout == Layout::Cachelib && !by_hash {
            return Err(StoreError::refused(
                "cachelib's files hold no keys, only their hashes: keys cannot be listed",
            ));
        }
        self.folder.check()?;
        let mut entries = Vec::new();
        let begin = from.map(|Cursor(place)| place.as_str());
        let next = self.walk(begin, |path, name| {
            if self.folder.layout.is_entry(name)
                && let Some(listed) = match self.folder.layout {
                    Layout::Native => self.listed(path)?,
                    Layout::Cachelib => self.listed_by_hash(path, name)?,
                }
                && listed.key.starts_with(prefix)
            {
                entries.push(listed);
            }
            Ok(entries.len() < limit.max(1))
        })?;
        let next = next.map(Cursor);
        Ok(Page { entries, next })
    }

    /// Visits every file behind the place `after`, until a visit says to stop or the time is up; then hands
    /// back where it stopped.
    fn walk(
        &self,
        after: Option<&str>,
        mut visit: impl FnMut(&Path, &str) -> Result<bool, StoreError>,
    ) -> Result<Option<String>, StoreError> {
        let deadline = Instant::now() + BUDGET;
        let root = &self.folder.root;
        let folders = match self.folder.layout {
            Layout::Native => {
                let mut names = disk::names(root).map_err(listing)?;
                names.retain(|name| {
                    name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
                });
                names
            }
            Layout::Cachelib => vec![String::new()],
        };
        for folder in folders {
            if after.is_some_and(|after| after.split('/').next() > Some(&folder)) {
                continue;
            }
            for name in disk::names(&root.join(&folder)).map_err(listing)? {
                let place = format!("{folder}/{name}");
                if after.is_some_and(|after| place.as_str() <= after) {
                    continue;
                }
                if !visit(&root.join(&folder).join(&name), &name)? || Instant::now() >= deadline {
                    return Ok(Some(place));
                }
            }
        }
        Ok(None)
    }

    /// What a listing says of a file; nothing unless it is a live entry.
    fn listed(&self, path: &Path) -> Result<Option<Listed>, StoreError> {
        let Content::File(head) = disk::read_up_to(path, HEAD + MAX_KEY).map_err(listing)? else {
            return Ok(None);
        };
        let now = self.clock.unix_seconds();
        let (Ok((key, value)), Some(expiry)) = (native::open(&head), native::expiry(&head)) else {
            return Ok(None);
        };
        let (Ok(key), Ok(metadata)) = (std::str::from_utf8(key), fs::metadata(path)) else {
            return Ok(None);
        };
        if expiry <= now || self.is_buried(&self.names(key), key)? {
            return Ok(None);
        }
        let size = usize::try_from(metadata.len())
            .unwrap_or(usize::MAX)
            .saturating_sub(value);
        Ok(Some(Listed::new(
            key,
            size,
            Some(Duration::from_secs(expiry - now)),
        )))
    }

    /// As [`listed`](Self::listed), of a file of cachelib, whose name stands for its key.
    fn listed_by_hash(&self, path: &Path, name: &str) -> Result<Option<Listed>, StoreError> {
        let Content::File(head) = disk::read_up_to(path, HEAD).map_err(listing)? else {
            return Ok(None);
        };
        let Some((expiry, header)) = cachelib::header(&head) else {
            return Ok(None);
        };
        let now = self.clock.unix_seconds();
        let expires_in = (expiry != 0).then(|| Duration::from_secs(expiry.saturating_sub(now)));
        if expires_in == Some(Duration::ZERO) || head[header..] == *Layout::Cachelib.tombstone() {
            return Ok(None);
        }
        let Ok(metadata) = fs::metadata(path) else {
            return Ok(None);
        };
        let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        let size = size.saturating_sub(header);
        let hash = if name.len() == 64 {
            HASHED
        } else {
            HASHED_BEFORE
        };
        Ok(Some(Listed::new(format!("{hash}{name}"), size, expires_in)))
    }

    fn remove_expired(&self, path: &Path, name: &str) -> Result<bool, StoreError> {
        let now = self.clock.unix_seconds();
        let layout = self.folder.layout;
        let is_expired = |file: &[u8]| layout.expiry(file).is_some_and(|expiry| expiry <= now);
        match disk::read_up_to(path, HEAD).map_err(listing)? {
            Content::File(head) if is_expired(&head) => {}
            _ => return Ok(false),
        }
        let deadline = Instant::now() + BUDGET;
        let _lock = self.folder.lock(For::Shard(first_byte(name)), deadline)?;
        // Somebody may have renewed it: then it is put back.
        let taken = self.take_out(path, |file| is_expired(file), deadline)?;
        Ok(matches!(taken, Swap::Done))
    }

    fn remove_left_over(&self, path: &Path) -> Result<(), StoreError> {
        // Gone already, or a folder, as that of the locks.
        let Some(metadata) = fs::symlink_metadata(path)
            .ok()
            .filter(fs::Metadata::is_file)
        else {
            return Ok(());
        };
        let age = self
            .clock
            .unix_seconds()
            .saturating_sub(platform::changed_at(&metadata));
        if age > LEFT_OVER {
            disk::remove(path).map_err(listing)?;
        }
        Ok(())
    }
}

fn listing(error: io::Error) -> StoreError {
    disk::store_error("going through the folder", &error)
}
