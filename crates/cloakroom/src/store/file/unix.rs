//! What only Unix has: modes, owners, symbolic links; and the renames that only Linux has.

use std::{
    fs::{DirBuilder, Metadata, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

/// No symbolic link, and no waiting for whoever is at the other end of a pipe.
pub(super) fn follow_nothing(options: &mut OpenOptions) {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
}

pub(super) fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
        // A socket in its place.
        || error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
}

pub(super) fn private(options: &mut OpenOptions) {
    options.mode(0o600);
}

pub(super) fn private_folder(builder: &mut DirBuilder) {
    builder.mode(0o700);
}

pub(super) fn device(metadata: &Metadata) -> u64 {
    metadata.dev()
}

pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

pub(super) fn anyone_writes(metadata: &Metadata) -> bool {
    metadata.mode() & 0o002 != 0
}

/// When it was written or moved last, in Unix seconds.
pub(super) fn changed_at(metadata: &Metadata) -> u64 {
    u64::try_from(metadata.mtime().max(metadata.ctime())).unwrap_or(0)
}

#[cfg(target_os = "linux")]
pub(super) fn exchange(new: &Path, place: &Path) -> io::Result<()> {
    rename_with(new, place, rustix::fs::RenameFlags::EXCHANGE)
}

#[cfg(target_os = "linux")]
pub(super) fn rename_to_nothing(new: &Path, place: &Path) -> io::Result<()> {
    rename_with(new, place, rustix::fs::RenameFlags::NOREPLACE)
}

#[cfg(target_os = "linux")]
fn rename_with(new: &Path, place: &Path, flags: rustix::fs::RenameFlags) -> io::Result<()> {
    use rustix::fs::{CWD, renameat_with};
    Ok(renameat_with(CWD, new, CWD, place, flags)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn rename_to_nothing(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
