//! In the place of `unix.rs`: no modes that mean anything here, so the folder's own access list has to do.

use std::{
    fs::{DirBuilder, Metadata, OpenOptions},
    io,
    path::Path,
    time::UNIX_EPOCH,
};

pub(super) fn follow_nothing(_: &mut OpenOptions) {}

pub(super) fn is_link(_: &io::Error) -> bool {
    false
}

pub(super) fn private(_: &mut OpenOptions) {}

pub(super) fn private_folder(_: &mut DirBuilder) {}

pub(super) fn device(_: &Metadata) -> u64 {
    0
}

pub(super) fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

pub(super) fn anyone_writes(_: &Metadata) -> bool {
    false
}

pub(super) fn changed_at(metadata: &Metadata) -> u64 {
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    modified
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

pub(super) fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn rename_to_nothing(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
