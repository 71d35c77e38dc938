use std::{
    fmt, mem,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::Standing;
use crate::session::{Handle, SessionInfo};

/// More sessions than this no user has; beyond it the oldest ends.
pub(super) const MOST_SESSIONS: usize = 1000;
/// The last second of the year 9999.
pub(super) const LAST_SECOND: u64 = 253_402_300_799;
/// The most bytes that are kept of what a browser calls itself and of where it came from.
const MOST_TEXT: usize = 256;
/// So many former keys of a session are kept. What a fifth change pushes out was deleted four changes ago, if not
/// all of them failed.
const MOST_FORMER: usize = 4;

/// What the register knows of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SubjectEntry {
    /// All sessions that live, and no others: a session in a cookie that is not here has ended.
    pub(super) sessions: Vec<SessionEntry>,
    /// Ended, and not yet known to be deleted from the store.
    pub(super) ending: Vec<Ending>,
    pub(super) all_ended: Option<AllEnded>,
}

/// One session in the register. Times are unix seconds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionEntry {
    pub(crate) handle: Handle,
    /// The store's key for it; none of a session in a cookie. Whoever has it has the session.
    pub(crate) locator: Option<String>,
    /// Its keys before its id changed, the latest last: after a change that failed half-way the store holds it under
    /// one of them, and nobody here knows which.
    pub(crate) former: Vec<String>,
    pub(crate) created: u64,
    pub(crate) seen: u64,
    pub(crate) expires: u64,
    pub(crate) level: Option<u8>,
    pub(crate) agent: Option<String>,
    pub(crate) address: Option<String>,
}

/// A session of the store that has ended in the register.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) locator: String,
    /// When it expires by itself.
    pub(super) until: u64,
}

/// Until when all sessions that the register does not list have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AllEnded {
    pub(super) at: u64,
    /// When none of them can be good any more.
    pub(super) until: u64,
}

/// A login, as it is entered.
#[derive(Clone)]
pub(crate) struct NewSession {
    pub(crate) handle: Handle,
    /// The store's key for it; none of a session in a cookie.
    pub(crate) locator: Option<String>,
    /// When the session expires if it is not used, in unix seconds.
    pub(crate) expires: u64,
    pub(crate) level: Option<u8>,
    pub(crate) agent: Option<String>,
    pub(crate) address: Option<String>,
}

impl SubjectEntry {
    /// Leaves out what has expired.
    pub(super) fn prune(&mut self, now: u64) {
        self.sessions.retain(|session| now < session.expires);
        self.ending.retain(|ending| now < ending.until);
        self.all_ended = self.all_ended.filter(|ended| now < ended.until);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.ending.is_empty() && self.all_ended.is_none()
    }

    /// How long there is anything to know.
    pub(super) fn time_to_live(&self, now: u64) -> Duration {
        let sessions = self.sessions.iter().map(|session| session.expires);
        let ending = self.ending.iter().map(|ending| ending.until);
        let all_ended = self.all_ended.iter().map(|ended| ended.until);
        let last = sessions.chain(ending).chain(all_ended).max().unwrap_or(0);
        Duration::from_secs(last.saturating_sub(now).max(1))
    }

    pub(super) fn find(&self, handle: &Handle) -> Option<&SessionEntry> {
        self.sessions
            .iter()
            .find(|session| session.handle == *handle)
    }

    pub(super) fn find_mut(&mut self, handle: &Handle) -> Option<&mut SessionEntry> {
        self.sessions
            .iter_mut()
            .find(|session| session.handle == *handle)
    }

    /// Takes a session off the list.
    pub(super) fn remove(&mut self, handle: &Handle) -> Option<SessionEntry> {
        let sessions = &self.sessions;
        let place = sessions
            .iter()
            .position(|session| session.handle == *handle)?;
        Some(self.sessions.remove(place))
    }

    /// Puts a session in the place of an old one, which may still be in the store.
    pub(super) fn succeed(&mut self, mut session: SessionEntry, old: SessionEntry) {
        session.former.extend(old.former);
        session.former.extend(old.locator);
        session
            .former
            .retain(|former| Some(former) != session.locator.as_ref());
        while session.former.len() > MOST_FORMER {
            let oldest = session.former.remove(0);
            self.delete(oldest, session.expires);
        }
        self.sessions.push(session);
    }

    /// Notes that the store has to delete something that expires by itself at that time.
    fn delete(&mut self, locator: String, until: u64) {
        self.ending.push(Ending { locator, until });
    }

    /// Takes sessions off the list and notes what the store has to delete.
    pub(super) fn end(&mut self, ends: impl Fn(&SessionEntry) -> bool) -> Vec<SessionEntry> {
        let (ended, live): (Vec<_>, Vec<_>) = mem::take(&mut self.sessions)
            .into_iter()
            .partition(|session| ends(session));
        self.sessions = live;
        for session in &ended {
            self.ending.extend(session.locators().map(|locator| Ending {
                locator: locator.to_owned(),
                until: session.expires,
            }));
        }
        ended
    }

    /// Ends the sessions whose logins are longest ago until no more than `most` are left.
    pub(super) fn end_oldest(&mut self, most: usize) -> Vec<SessionEntry> {
        let Some(too_many) = self.sessions.len().checked_sub(most).filter(|n| *n > 0) else {
            return Vec::new();
        };
        let mut ages: Vec<(u64, Handle)> = self
            .sessions
            .iter()
            .map(|session| (session.created, session.handle))
            .collect();
        // Of logins in the same second, the one that was entered first.
        ages.sort_by_key(|(created, _)| *created);
        ages.truncate(too_many);
        self.end(|session| ages.iter().any(|(_, handle)| session.handle == *handle))
    }

    /// Forgets what the sessions call themselves, the oldest first, until about `excess` bytes are saved.
    pub(super) fn shorten(&mut self, mut excess: usize) {
        self.sessions.sort_by_key(|session| session.created);
        for session in &mut self.sessions {
            if excess == 0 {
                break;
            }
            for text in [&mut session.agent, &mut session.address] {
                excess = excess.saturating_sub(text.take().map_or(0, |text| text.len()));
            }
        }
    }
}

impl NewSession {
    /// As the register keeps it. `slack` is how much later than now its expiry may be moved without a write.
    pub(super) fn enter(&self, now: u64, slack: u64) -> SessionEntry {
        SessionEntry {
            handle: self.handle,
            locator: self.locator.clone(),
            former: Vec::new(),
            created: now,
            seen: now,
            expires: self.expires.saturating_add(slack).min(LAST_SECOND),
            level: self.level,
            agent: self.agent.as_deref().map(shortened),
            address: self.address.as_deref().map(shortened),
        }
    }
}

/// The beginning of a text, cut between characters.
fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(MOST_TEXT)].to_owned()
}

impl SessionEntry {
    /// All keys under which the store may hold it.
    pub(super) fn locators(&self) -> impl Iterator<Item = &str> {
        let former = self.former.iter().map(String::as_str);
        former.chain(self.locator.as_deref())
    }

    /// As the rest of the world may see it. `current` is the handle of the session that asks.
    pub(crate) fn info(&self, current: Option<&Handle>) -> SessionInfo {
        let moment = |unix: u64| -> SystemTime {
            // No time in the register is after the year 9999, which every system can tell.
            UNIX_EPOCH + Duration::from_secs(unix.min(LAST_SECOND))
        };
        SessionInfo {
            handle: self.handle,
            created: moment(self.created),
            last_seen: moment(self.seen),
            expires: moment(self.expires),
            level: self.level,
            agent: self.agent.clone(),
            address: self.address.clone(),
            current: current == Some(&self.handle),
        }
    }

    pub(super) fn standing(&self, now: u64) -> Standing {
        if now < self.expires {
            Standing::Good
        } else {
            Standing::Ended
        }
    }
}

/// Shows no locator: whoever has one has the session.
impl fmt::Debug for SessionEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionEntry")
            .field("handle", &self.handle)
            .field("created", &self.created)
            .field("seen", &self.seen)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Shows no locator either.
impl fmt::Debug for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Ending")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
