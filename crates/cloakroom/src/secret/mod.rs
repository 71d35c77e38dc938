//! Secret keys: where they come from, which of them are too well known to protect anything, and how they are replaced
//! while visitors stay logged in.

mod error;
mod file;
mod key;
mod keys;
mod prepared;
mod published;
mod ring;
mod schedule;
mod usage;
mod watch;

pub use error::KeysError;
pub use key::{SecretKey, SecretKeyError};
pub use keys::{Keys, Reloaded};
pub(crate) use prepared::Prepared;
pub use ring::KeyRing;
pub use schedule::ScheduledKey;
pub use usage::{KeyState, KeyUsage};
pub use watch::KeyWatcher;
