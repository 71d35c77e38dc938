//! Secret keys: where they come from, which of them are too well known to protect anything, and how they are replaced
//! while visitors stay logged in.

mod error;
mod file;
mod key;
mod key_file;
mod keys;
mod prepared;
pub(crate) mod published;
mod ring;
mod schedule;
mod usage;
mod watch;

pub use error::KeysError;
pub use key::{SecretKey, SecretKeyError};
pub use key_file::KeyFile;
pub use keys::{Keys, Reloaded};
pub(crate) use prepared::Prepared;
pub use ring::KeyRing;
pub use schedule::ScheduledKey;
pub use usage::{KeyState, KeyUsage};
pub use watch::KeyWatcher;
