//! Who has which sessions, on any store: for lists of devices, for ending sessions from elsewhere, and for
//! ending those whose cookie holds everything.
//!
//! There is one entry for each user. **What it lists lives, and nothing else.** So a session in a cookie is good as
//! long as it is listed, wherever its cookie was copied to; ending it takes it off the list, and nothing has to be
//! remembered of it. A register that lost its entries ends its sessions, as a store that lost them would, and brings
//! none back. For sessions in a store the register is an index: what has ended is deleted there too, and stays noted
//! until that is known to be done.
//!
//! A login is entered *before* its session is made. An entry without a session does no harm; a session
//! without an entry could escape an end of all.
//!
//! Sessions that the register never heard of, such as a login that Flask made, are not on the list. The end of all
//! sessions of a user notes when it was, and ends those of them that began up to then.

mod bulk;
mod entry;
mod everyone;
mod layout;
mod recent;
mod swap;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, time::Duration};

use sha2::{Digest, Sha256};

pub(super) use self::bulk::delete_sessions;
pub(crate) use self::entry::{NewSession, SessionEntry};
use self::{
    bulk::find_gone,
    entry::{AllEnded, LAST_SECOND, MOST_SESSIONS, SubjectEntry},
    everyone::Everyone,
    recent::{Known, Recent, Ticket},
    swap::Found,
};
use super::turns::Turns;
use crate::{
    Clock, ConfigError, Error,
    config::MaxSessions,
    session::Handle,
    store::{MAX_KEY, Store, StoreError},
    token::base64,
};

/// The register of sessions.
///
/// Every change is a compare-and-swap on the user's entry, tried again until it succeeds or the deadline has passed.
/// No subject reaches the store: its key is a hash.
pub(crate) struct Register {
    store: Store,
    settings: RegisterSettings,
    prefix: String,
    turns: Turns,
    recent: Recent,
    everyone: Everyone,
}

/// How a register behaves.
#[derive(Clone, Debug)]
pub(crate) struct RegisterSettings {
    /// What the keys of sessions begin with; those of users begin with `subject:` and this.
    pub(crate) key_prefix: String,
    /// How long, in whole seconds, this process may go on with a session that another process has ended. Zero
    /// asks the store at each request.
    pub(crate) lag: Duration,
    /// How old "last seen" may be, in whole seconds, before a use of the session renews it.
    pub(crate) renew_after: Duration,
    pub(crate) max_sessions: Option<MaxSessions>,
    pub(crate) tombstone: Duration,
    pub(crate) deadline: Duration,
    pub(crate) retry_after: Duration,
    pub(crate) clock: Clock,
}

/// Whether a session may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    /// It was ended, or it has expired.
    Ended,
}

/// Characters of a hash in base64, and those that a driver may add to a key.
const HASH_AND_TOMBSTONE: usize = 43 + 8;

impl Register {
    /// A register in this store; sessions with a locator are in it too.
    pub(crate) fn new(store: Store, settings: RegisterSettings) -> Result<Self, ConfigError> {
        let prefix = ["subject:", &settings.key_prefix].concat();
        if prefix.len() + HASH_AND_TOMBSTONE > MAX_KEY {
            return Err(ConfigError::Value {
                name: "SESSION_KEY_PREFIX".to_owned(),
                expected: "at most 191 bytes where sessions are registered",
            });
        }
        Ok(Self {
            store,
            settings,
            prefix,
            turns: Turns::new(),
            recent: Recent::new(),
            everyone: Everyone::default(),
        })
    }

    /// Enters a login, before its session is made, and ends what is one too many. `instead_of` is the user's own
    /// session that the login takes the place of, if there is one.
    ///
    /// A session in a store has to be created under exactly this locator. If that key is taken, the login was
    /// ended already: begin again with a new id and another entry.
    ///
    /// Hands back the sessions that were ended for it.
    pub(crate) async fn enter(
        &self,
        subject: &str,
        new: &NewSession,
        instead_of: Option<&Handle>,
    ) -> Result<Vec<SessionEntry>, Error> {
        let ticket = self.ticket(subject, &new.handle);
        let (most, refuses) = match self.settings.max_sessions {
            None => (MOST_SESSIONS, false),
            Some(MaxSessions::EndOldest(most)) => (most.clamp(1, MOST_SESSIONS), false),
            Some(MaxSessions::RefuseNewest(most)) => (most.clamp(1, MOST_SESSIONS), true),
        };
        let change = |entry: &mut SubjectEntry| {
            // Entered a second time if its key was taken, or it is not known whether the first time arrived.
            let again = entry.remove(&new.handle);
            let old = instead_of.and_then(|handle| entry.remove(handle));
            if refuses && entry.sessions.len() >= most {
                return Err(Error::TooManySessions { most });
            }
            if entry.ending.len() >= MOST_SESSIONS {
                return Err(self.failed(StoreError::refused(
                    "1000 ended sessions of one user could not be deleted yet",
                )));
            }
            let evicted = entry.end_oldest(most - 1);
            let session = new.enter(self.now(), self.slack());
            entry.sessions.push(session);
            for old in again.into_iter().chain(old) {
                if let Some(session) = entry.remove(&new.handle) {
                    entry.succeed(session, old);
                }
            }
            Ok(evicted)
        };
        let key = self.key(subject);
        let mut found = self.load(&key).await?;
        if found.entry.sessions.len() >= most {
            found = self.leave_out_gone(subject, found).await?;
        }
        let result = self.change_and_delete(subject, Some(found), change).await;
        if let Some(old) = instead_of {
            self.recent.forget(subject, Some(old));
        }
        let (evicted, found) = result?;
        self.note(ticket, &found, &new.handle);
        Ok(evicted)
    }

    /// Gives a login another key, and another name if that changes, in one write. [`Standing::Ended`] if it was ended
    /// meanwhile: it must not come back under another id, so nothing is written.
    ///
    /// Call it before anything is stored under the new id. The former keys stay noted, since nobody knows how far the
    /// change of the id comes: whatever is left under one of them ends with the session.
    pub(crate) async fn replace(
        &self,
        subject: &str,
        old: &Handle,
        new: &NewSession,
    ) -> Result<Standing, Error> {
        let ticket = self.ticket(subject, &new.handle);
        let mut standing = Standing::Ended;
        let change = |entry: &mut SubjectEntry| {
            let Some(old) = entry.remove(old) else {
                standing = Standing::Ended;
                return Ok(Vec::new());
            };
            let session = new.enter(self.now(), self.slack());
            let session = SessionEntry {
                created: old.created,
                level: session.level.or(old.level),
                agent: session.agent.or(old.agent.clone()),
                address: session.address.or(old.address.clone()),
                ..session
            };
            entry.succeed(session, old);
            standing = Standing::Good;
            Ok(Vec::new())
        };
        let result = self.change_and_delete(subject, None, change).await;
        self.recent.forget(subject, Some(old));
        let (_, found) = result?;
        if standing == Standing::Good {
            self.note(ticket, &found, &new.handle);
        }
        Ok(standing)
    }

    /// The session was used, and expires then if it is not used again. Asks the store only if what is known is
    /// older than the renewal interval; call it whenever the session's cookie or entry gets a new expiry.
    pub(crate) async fn renew(
        &self,
        subject: &str,
        handle: &Handle,
        expires: u64,
    ) -> Result<Standing, Error> {
        let (known, ticket) = self.look(subject, handle);
        if known.is_some_and(|known| !self.renewal_due(known.seen, known.expires, expires)) {
            return Ok(Standing::Good);
        }
        let change = |entry: &mut SubjectEntry| {
            let Some(session) = entry.find_mut(handle) else {
                return Ok(Standing::Ended);
            };
            // Another process may have done it.
            if self.renewal_due(session.seen, session.expires, expires) {
                let later = expires.saturating_add(self.slack()).min(LAST_SECOND);
                session.expires = session.expires.max(later);
                session.seen = session.seen.max(self.now());
            }
            Ok(Standing::Good)
        };
        let (standing, found) = self.change(&self.key(subject), None, change).await?;
        self.note(ticket, &found, handle);
        Ok(standing)
    }

    /// The session has ended by itself, as in a logout: it is listed no more. One in a store is to be deleted there
    /// first.
    pub(crate) async fn leave(&self, subject: &str, handle: &Handle) -> Result<(), Error> {
        let change = |entry: &mut SubjectEntry| {
            // What is under its former keys goes, in case that anything is.
            entry.end(|session| session.handle == *handle && !session.former.is_empty());
            entry.remove(handle);
            Ok(Vec::new())
        };
        let result = self.change_and_delete(subject, None, change).await;
        // Also if it is not known whether the change arrived.
        self.recent.forget(subject, Some(handle));
        result.map(drop)
    }

    /// The user's sessions, the newest login first.
    pub(crate) async fn list(&self, subject: &str) -> Result<Vec<SessionEntry>, Error> {
        let found = self.load(&self.key(subject)).await?;
        let found = self.leave_out_gone(subject, found).await?;
        let mut sessions = found.entry.sessions;
        sessions.reverse();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.created));
        Ok(sessions)
    }

    /// Ends one session of the user; none if it has ended already, or is another user's.
    pub(crate) async fn end(
        &self,
        subject: &str,
        handle: &Handle,
    ) -> Result<Option<SessionEntry>, Error> {
        let change = |entry: &mut SubjectEntry| Ok(entry.end(|session| session.handle == *handle));
        let result = self.change_and_delete(subject, None, change).await;
        self.recent.forget(subject, Some(handle));
        Ok(result?.0.pop())
    }

    /// Ends all sessions of the user but one, if one is named, and hands them back. The one that is kept needs
    /// nothing: it is listed.
    ///
    /// With `unlisted_until`, sessions that the register does not know end too if they began up to now; the time, in
    /// unix seconds, is when none of them can be good any more. An error means that some may live on: call it again.
    pub(crate) async fn end_all(
        &self,
        subject: &str,
        except: Option<&Handle>,
        unlisted_until: Option<u64>,
    ) -> Result<Vec<SessionEntry>, Error> {
        let change = |entry: &mut SubjectEntry| {
            if let Some(until) = unlisted_until {
                let before = entry.all_ended.unwrap_or(AllEnded { at: 0, until: 0 });
                entry.all_ended = Some(AllEnded {
                    at: before.at.max(self.now()),
                    until: before.until.max(until).min(LAST_SECOND),
                });
            }
            Ok(entry.end(|session| except != Some(&session.handle)))
        };
        let result = self.change_and_delete(subject, None, change).await;
        self.recent.forget(subject, None);
        result.map(|(ended, _)| ended)
    }

    /// Whether a listed session may go on, known to the settings' lag. A session that is not on the list has ended.
    ///
    /// Of sessions in a store the store knows better.
    pub(crate) async fn standing(&self, subject: &str, handle: &Handle) -> Result<Standing, Error> {
        let (known, ticket) = self.look(subject, handle);
        if known.is_some_and(|known| self.now() < known.expires) {
            return Ok(Standing::Good);
        }
        let found = self.load(&self.key(subject)).await?;
        self.note(ticket, &found, handle);
        let session = found.entry.find(handle);
        Ok(session.map_or(Standing::Ended, |session| session.standing(self.now())))
    }

    /// Whether a session of the user that was never entered may go on: it has ended if all of the user's were ended
    /// since it began, or in that very second.
    ///
    /// `began` is the time of the login if it is known, else that of the signature. Whoever signs the cookie again
    /// without the register, as Flask does, makes the latter newer; so enter such a session when it is first seen.
    pub(crate) async fn standing_of_unlisted(
        &self,
        subject: &str,
        began: u64,
    ) -> Result<Standing, Error> {
        let lag = self.settings.lag.as_secs();
        let (known, ticket) = self.recent.look(subject, None, self.now(), lag);
        let ended = match known {
            Some(known) => known.seen,
            None => {
                let found = self.load(&self.key(subject)).await?;
                // One more than the last second that is ended, so that 0 is none.
                let ended = found.entry.all_ended.map_or(0, |ended| ended.at + 1);
                let known = Known {
                    seen: ended,
                    expires: 0,
                };
                self.recent.note(ticket, known, self.now());
                ended
            }
        };
        Ok(if began < ended {
            Standing::Ended
        } else {
            Standing::Good
        })
    }

    /// Changes an entry, deletes from the store what the change has ended and what is still to be deleted from
    /// before, and notes that it is done. On an error the entry keeps what is not known to be deleted, for next time.
    async fn change_and_delete(
        &self,
        subject: &str,
        found: Option<Found>,
        change: impl FnMut(&mut SubjectEntry) -> Result<Vec<SessionEntry>, Error>,
    ) -> Result<(Vec<SessionEntry>, Found), Error> {
        let key = self.key(subject);
        let (ended, found) = self.change(&key, found, change).await?;
        for session in &ended {
            self.recent.forget(subject, Some(&session.handle));
        }
        let ending = &found.entry.ending;
        if ending.is_empty() {
            return Ok((ended, found));
        }
        let locators: HashSet<_> = ending.iter().map(|ending| ending.locator.clone()).collect();
        let deleted = delete_sessions(&self.store, locators, self.settings.tombstone).await;
        let done: HashSet<_> = deleted.done.iter().collect();
        let noted = self
            .change(&key, Some(found), |entry| {
                entry
                    .ending
                    .retain(|ending| !done.contains(&ending.locator));
                Ok(())
            })
            .await;
        match (deleted.failed, noted) {
            (Some(error), _) => Err(self.failed(error)),
            (None, Ok(((), found))) => Ok((ended, found)),
            (None, Err(error)) => Err(error),
        }
    }

    /// Asks the store which of its sessions are still there, and takes the others off the list: Flask ends sessions
    /// too, and knows of no register. One that was just entered may still have to be made.
    async fn leave_out_gone(&self, subject: &str, found: Found) -> Result<Found, Error> {
        let made_by = self.now().saturating_sub(self.settings.deadline.as_secs());
        let (handles, locators): (Vec<_>, Vec<Vec<_>>) = found
            .entry
            .sessions
            .iter()
            .filter(|session| session.locator.is_some() && session.seen < made_by)
            .map(|session| {
                let locators = session.locators().map(str::to_owned);
                (session.handle, locators.collect())
            })
            .unzip();
        let gone = find_gone(&self.store, locators).await;
        let gone = gone.map_err(|error| self.failed(error))?;
        if gone.is_empty() {
            return Ok(found);
        }
        let gone: HashSet<Handle> = gone.into_iter().map(|place| handles[place]).collect();
        let change = |entry: &mut SubjectEntry| {
            // Used meanwhile, it is there after all.
            entry
                .sessions
                .retain(|session| session.seen >= made_by || !gone.contains(&session.handle));
            Ok(())
        };
        let ((), found) = self.change(&self.key(subject), Some(found), change).await?;
        Ok(found)
    }

    fn look(&self, subject: &str, handle: &Handle) -> (Option<Known>, Ticket) {
        let lag = self.settings.lag.as_secs();
        self.recent.look(subject, Some(handle), self.now(), lag)
    }

    fn ticket(&self, subject: &str, handle: &Handle) -> Ticket {
        self.look(subject, handle).1
    }

    /// Only what is listed is noted: a login that another process has entered since then must be found.
    fn note(&self, ticket: Ticket, found: &Found, handle: &Handle) {
        if let Some(session) = found.entry.find(handle) {
            let known = Known {
                seen: session.seen,
                expires: session.expires,
            };
            self.recent.note(ticket, known, self.now());
        }
    }

    fn renewal_due(&self, seen: u64, known_expires: u64, expires: u64) -> bool {
        expires > known_expires || self.now().saturating_sub(seen) > self.slack()
    }

    /// The expiry in the register is later than the session's by so much, so that a session which is used all
    /// the time needs a write only once in that time.
    fn slack(&self) -> u64 {
        self.settings.renew_after.as_secs()
    }

    fn now(&self) -> u64 {
        self.settings.clock.unix_seconds()
    }

    fn key(&self, subject: &str) -> String {
        let hash = base64::encode(Sha256::digest(subject));
        [&self.prefix, hash.as_str()].concat()
    }
}
