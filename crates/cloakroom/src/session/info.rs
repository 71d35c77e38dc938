use std::time::SystemTime;

use super::Handle;

/// One session of a user, as a list of devices shows it.
///
/// Nothing in it gets anybody into the session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// What to end it by.
    pub handle: Handle,
    /// When the user logged in.
    pub created: SystemTime,
    /// When it was last seen, to the interval in which sessions are renewed.
    pub last_seen: SystemTime,
    /// When it ends at the latest if it is not used any more.
    pub expires: SystemTime,
    /// How strongly the user was authenticated, if the login said so.
    pub level: Option<u8>,
    /// What the browser calls itself, if the login said so. The browser chooses it: escape it in a page.
    pub agent: Option<String>,
    /// Where the login came from, if it said so.
    pub address: Option<String>,
    /// Whether this is the session of the request that asks.
    pub current: bool,
}
