//! Changing a file that others, who know nothing of our locks, may change at the same time.

use std::{io, path::Path};

use bytes::Bytes;

use super::disk::{self, Content, Exchange, Temporary};

/// What became of a change.
pub(super) enum Swap {
    /// It is made.
    Done,
    /// Somebody has written this meanwhile, and it is in place.
    Conflict(Bytes),
    /// Somebody has removed the file meanwhile.
    Gone,
}

/// Puts `new`, which holds `ours`, in the place of a file that `accepts`.
///
/// Where the file system can exchange files, nothing is lost that somebody wrote between our reading and
/// our writing: it comes out by the exchange and is put back.
pub(super) fn swap(
    new: &Temporary,
    ours: Bytes,
    place: &Path,
    accepts: impl Fn(&Bytes) -> bool,
) -> io::Result<Swap> {
    match disk::exchange(new.path(), place)? {
        Exchange::Done => {}
        Exchange::Blind => return Ok(Swap::Done),
        Exchange::Missing => return Ok(Swap::Gone),
    }
    let mut came_out = match read(new.path()) {
        Ok(bytes) if accepts(&bytes) => return Ok(Swap::Done),
        Ok(bytes) => bytes,
        Err(error) => {
            disk::exchange(new.path(), place)?;
            return Err(error);
        }
    };
    let mut placed = ours;
    loop {
        match disk::exchange(new.path(), place)? {
            Exchange::Done => {}
            Exchange::Blind => return Ok(Swap::Conflict(came_out)),
            Exchange::Missing => return Ok(Swap::Gone),
        }
        let next = read(new.path())?;
        if next == placed {
            return Ok(Swap::Conflict(came_out));
        }
        // Once more somebody was faster, and this is the newest.
        placed = std::mem::replace(&mut came_out, next);
    }
}

/// Removes a file that `accepts`; another that somebody wrote meanwhile is put back.
pub(super) fn take_out(
    place: &Path,
    suffix: &str,
    accepts: impl Fn(&Bytes) -> bool,
) -> io::Result<Swap> {
    let folder = place.parent().unwrap_or(place);
    let aside = Temporary::reserve(folder, suffix)?;
    if !disk::take(place, aside.path())? {
        return Ok(Swap::Gone);
    }
    let came_out = read(aside.path());
    if let Ok(bytes) = &came_out
        && accepts(bytes)
    {
        return Ok(Swap::Done);
    }
    // If there is a file again, it is newer than this one.
    disk::publish(aside.path(), place)?;
    came_out.map(Swap::Conflict)
}

/// A file, or no bytes for what is none.
pub(super) fn read(path: &Path) -> io::Result<Bytes> {
    Ok(match disk::read(path)? {
        Content::File(bytes) => bytes,
        Content::Missing | Content::Foreign => Bytes::new(),
    })
}
