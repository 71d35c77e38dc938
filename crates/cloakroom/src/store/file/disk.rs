//! What the file system is asked for: reading whole files, and putting whole files in place.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{MAX_VALUE, layout::hex, platform};
use crate::store::StoreError;

/// What is under a name.
pub(super) enum Content {
    /// Nothing.
    Missing,
    /// No file that anybody here wrote: a folder, a symbolic link, a file without end.
    Foreign,
    /// A file.
    File(Bytes),
}

/// All of a file.
pub(super) fn read(path: &Path) -> io::Result<Content> {
    read_up_to(path, MAX_VALUE + 1024).map(|content| match content {
        Content::File(bytes) if bytes.len() > MAX_VALUE + 1024 => Content::Foreign,
        content => content,
    })
}

/// The beginning of a file: `limit` bytes, and one more if there are more.
pub(super) fn read_up_to(path: &Path, limit: usize) -> io::Result<Content> {
    let mut options = OpenOptions::new();
    options.read(true);
    platform::follow_nothing(&mut options);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if is_missing(&error) => return Ok(Content::Missing),
        Err(error) if platform::is_link(&error) => return Ok(Content::Foreign),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Content::Foreign);
    }
    let length = usize::try_from(metadata.len())
        .unwrap_or(usize::MAX)
        .min(limit);
    let mut bytes = Vec::with_capacity(length + 1);
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Content::File(bytes.into()))
}

/// A file of ours that is not in place yet; dropped, it is removed.
pub(super) struct Temporary(PathBuf);

impl Temporary {
    /// A name in `folder` that nothing has.
    pub(super) fn reserve(folder: &Path, suffix: &str) -> io::Result<Self> {
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
        Ok(Self(folder.join(format!("new-{}{suffix}", hex(&random)))))
    }

    /// Such a file, written.
    pub(super) fn write(folder: &Path, suffix: &str, bytes: &[u8], sync: bool) -> io::Result<Self> {
        let temporary = Self::reserve(folder, suffix)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        platform::private(&mut options);
        let mut file = match options.open(&temporary.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_folder(folder)?;
                if let Some(parent) = folder.parent().filter(|_| sync) {
                    sync_folder(parent)?;
                }
                options.open(&temporary.0)?
            }
            opened => opened?,
        };
        file.write_all(bytes)?;
        if sync {
            file.sync_all()?;
        }
        Ok(temporary)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Where it has been put in place there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}

/// What became of an [`exchange`].
pub(super) enum Exchange {
    /// The two have changed places.
    Done,
    /// The new file is in place; what was there is gone, as this file system cannot exchange.
    Blind,
    /// There was nothing to exchange with.
    Missing,
}

/// Changes the places of two files, atomically.
pub(super) fn exchange(new: &Path, place: &Path) -> io::Result<Exchange> {
    match platform::exchange(new, place) {
        Ok(()) => Ok(Exchange::Done),
        Err(error) if is_missing(&error) => Ok(Exchange::Missing),
        Err(error) if is_unsupported(&error) => fs::rename(new, place).map(|()| Exchange::Blind),
        Err(error) => Err(error),
    }
}

/// Puts a file where none is; false if there is one.
pub(super) fn publish(new: &Path, place: &Path) -> io::Result<bool> {
    let published = match platform::rename_to_nothing(new, place) {
        Err(error) if is_unsupported(&error) => {
            fs::hard_link(new, place).and_then(|()| fs::remove_file(new))
        }
        result => result,
    };
    match published {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a file; false if there is none.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Moves a file away; false if there is none.
pub(super) fn take(place: &Path, aside: &Path) -> io::Result<bool> {
    match fs::rename(place, aside) {
        Ok(()) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes what happened to a folder's names last through a loss of power.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened.
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// The names in a folder, sorted; none if there is no folder.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is not Unicode is none of ours.
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

/// A folder that nobody else may enter, if there is none yet.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| *parent != OsStr::new("")) {
        fs::create_dir_all(parent)?;
    }
    let mut builder = DirBuilder::new();
    platform::private_folder(&mut builder);
    match builder.create(path) {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result,
    }
}

/// The file of a lock, opened for it.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    platform::private(&mut options);
    platform::follow_nothing(&mut options);
    options.open(path)
}

/// What an error of the file system means for a store. Its text names no file.
pub(super) fn store_error(doing: &'static str, error: &io::Error) -> StoreError {
    let reason = format!("{doing}: {}", error.kind());
    match error.kind() {
        ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::FileTooLarge
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::PermissionDenied => StoreError::refused(reason),
        ErrorKind::TimedOut => StoreError::timed_out(reason),
        _ => StoreError::unreachable(reason),
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

/// Whether it is this file system, not this file, that cannot.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unsupported | ErrorKind::InvalidInput
    )
}
