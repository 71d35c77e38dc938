//! One pass over all entries of the source: what is new is copied, what has changed is copied again, what is gone is
//! removed.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloakroom::store::{
    CreateError, Cursor, DeleteError, Listed, Record, ReplaceError, Store, StoreError,
    StoreErrorKind, TouchError,
};

use super::ends::Ends;
use super::form::Form;
use super::rule::{self, Copied, Hash, Known, Step, Why};
use super::state::{self, State};
use super::summary::{Outcome, Summary};
use crate::input;
use crate::output::Failure;
use crate::runtime::each;
use crate::store::failed;

/// What all passes of a run have in common.
pub(super) struct Job {
    pub(super) ends: Ends,
    pub(super) prefixes: Vec<String>,
    pub(super) form: Form,
    pub(super) batch: usize,
    /// Whether nothing is written.
    pub(super) dry: bool,
    /// Whether any number of entries may be removed because the source has them no more.
    pub(super) remove_all: bool,
}

/// Entries under way at the same time: more would only wait for each other in a pool of ten connections.
pub(super) const AT_A_TIME: usize = 16;
/// What was deleted in the target stays so against requests that are under way.
const TOMBSTONE: Duration = Duration::from_secs(600);
/// What lives for ever, or nobody knows how long, gets Flask's lifetime.
const LIFETIME: Duration = Duration::from_secs(31 * 24 * 60 * 60);
const SHORTEST: Duration = Duration::from_secs(1);
/// Times that differ by less are the same.
pub(super) const SLACK: u64 = 5;
/// More than this part of all entries does not end between two passes unless something is wrong.
const MOST_GONE: usize = 10;
const FEW: usize = 100;

impl Job {
    /// Goes through the source once, unless `is_over` says that this pass will do nobody any good. `progress` hears of
    /// every page.
    pub(super) async fn pass(
        &self,
        state: &mut State,
        summary: &mut Summary,
        is_over: impl Fn() -> bool,
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<String>, Failure> {
        summary.begin_pass();
        let mut seen = HashSet::new();
        let mut written = Vec::new();
        for prefix in &self.prefixes {
            let mut from = None;
            loop {
                let listed_at = Instant::now();
                let page = list(&self.ends.from, prefix, from, self.batch).await?;
                // A listing may show an entry twice that moves about while it goes on.
                let entries: Vec<_> = page
                    .entries
                    .into_iter()
                    .filter(|listed| seen.insert(state.hash(listed.key.as_bytes())))
                    .collect();
                summary.listed(entries.len());
                progress(entries.len());
                written.extend(self.page(entries, listed_at, state, summary).await?);
                if is_over() {
                    return Ok(written);
                }
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
        }
        self.remove_what_is_gone(&seen, state, summary).await?;
        state.flush()?;
        Ok(written)
    }

    /// Hands back the keys of what was written.
    async fn page(
        &self,
        entries: Vec<Listed>,
        listed_at: Instant,
        state: &mut State,
        summary: &mut Summary,
    ) -> Result<Vec<String>, Failure> {
        let salt = state.salt();
        let load = |listed| self.load(listed, listed_at, salt);
        let loaded = each(entries, AT_A_TIME, load).await?;
        let mut work = Vec::new();
        for loaded in loaded {
            match loaded {
                Loaded::Entry(entry) => {
                    let known = state.known(entry.hash);
                    let unchanged = known.is_copied(entry.copied.source);
                    if unchanged && !is_renewed(known, &entry) {
                        summary.count(Outcome::Unchanged);
                        continue;
                    }
                    if !self.dry && !unchanged {
                        state.begin(entry.hash, entry.copied);
                    }
                    work.push((entry, known));
                }
                Loaded::Not(outcome) => summary.count(outcome),
            }
        }
        // Before anything is written, so that a later run knows what this one may have written.
        state.flush()?;
        let done = each(work, AT_A_TIME, async |(entry, known): (Entry, Known)| {
            let outcome = self.carry_out(&entry, known, salt).await?;
            Ok((entry, known, outcome))
        })
        .await?;
        let mut written = Vec::new();
        for (entry, known, outcome) in done {
            if !self.dry {
                note(state, &entry, known, &outcome);
            }
            if matches!(outcome, Outcome::Copied | Outcome::Updated) {
                written.push(entry.key);
            }
            summary.count(outcome);
        }
        state.flush()?;
        Ok(written)
    }

    async fn load(
        &self,
        listed: Listed,
        listed_at: Instant,
        salt: Hash,
    ) -> Result<Loaded, Failure> {
        let (from, key) = (&self.ends.from, listed.key);
        let asked_at = Instant::now();
        let Some(record) = persist(async || from.load(&key).await).await? else {
            return Ok(Loaded::Not(Outcome::Ended));
        };
        let wanted = match self.form.of(&record.value) {
            Ok(wanted) => Bytes::from(wanted),
            Err(reason) => return Ok(Loaded::Not(Outcome::Refused(reason))),
        };
        let (left, at) = match (record.expires_in, listed.expires_in) {
            (Some(left), _) => (Some(left), asked_at),
            (None, Some(left)) => (Some(left), listed_at),
            (None, None) => {
                let asked_at = Instant::now();
                let left = persist(async || from.expires_in(&key).await).await?;
                (left, asked_at)
            }
        };
        let ends = left.and_then(|left| at.checked_add(left));
        let copied = Copied {
            source: state::hash(salt, &record.value),
            target: state::hash(salt, &wanted),
            until: ends.map_or(0, |ends| {
                input::now(None) + (ends - Instant::now()).as_secs()
            }),
        };
        Ok(Loaded::Entry(Entry {
            hash: state::hash(salt, key.as_bytes()),
            key,
            wanted,
            ends,
            copied,
        }))
    }

    /// Compares the three and does what comes of it, again if the target changes meanwhile.
    async fn carry_out(
        &self,
        entry: &Entry,
        mut known: Known,
        salt: Hash,
    ) -> Result<Outcome, Failure> {
        let to = &self.ends.to;
        // What nothing is known of is most probably not there: that is found out by making it.
        let mut target = match self.dry || known != Known::default() {
            true => persist(async || to.load(&entry.key).await).await?,
            false => None,
        };
        loop {
            let there = target
                .as_ref()
                .map(|record| state::hash(salt, &record.value));
            let step = rule::copy(entry.copied.source, entry.copied.target, known, there);
            match (step, &target) {
                (Step::There, Some(record)) => {
                    return self.renew(entry, record, Outcome::AlreadyThere).await;
                }
                (Step::Nothing, Some(record))
                    if there.is_some_and(|there| known.is_ours(there)) =>
                {
                    return self.renew(entry, record, Outcome::Unchanged).await;
                }
                (Step::Create, _) if self.dry => return Ok(Outcome::Copied),
                (Step::Create, _) => {
                    let made = persist(async || {
                        to.create(&entry.key, entry.wanted.clone(), entry.ttl())
                            .await
                    });
                    match made.await {
                        Ok(_) => return Ok(Outcome::Copied),
                        Err(CreateError::Exists) => {}
                        Err(CreateError::Failed(error)) => return refused(error),
                    }
                    target = persist(async || to.load(&entry.key).await).await?;
                    if target.is_none() {
                        // A tombstone: somebody logged out there.
                        return Ok(Outcome::Left(Why::WasThere));
                    }
                }
                (Step::Replace, Some(_)) if self.dry => return Ok(Outcome::Updated),
                (Step::Replace, Some(base)) => {
                    let replaced = persist(async || {
                        to.replace(&entry.key, base, entry.wanted.clone(), entry.ttl())
                            .await
                    });
                    match replaced.await {
                        Ok(_) => return Ok(Outcome::Updated),
                        Err(ReplaceError::Changed(there)) => target = Some(there),
                        Err(ReplaceError::NotFound) => {
                            // It was there a moment ago, so it is not to be made again.
                            known.done = known.done.or(known.begun);
                            target = None;
                        }
                        Err(ReplaceError::Failed(error)) => return refused(error),
                    }
                }
                (Step::Leave(why), _) => return Ok(Outcome::Left(why)),
                _ => return Ok(Outcome::Unchanged),
            }
        }
    }

    /// The target has the same value; it is to live as long, unless it lives longer.
    async fn renew(
        &self,
        entry: &Entry,
        there: &Record,
        otherwise: Outcome,
    ) -> Result<Outcome, Failure> {
        let (to, slack) = (&self.ends.to, Duration::from_secs(SLACK));
        let left = match there.expires_in {
            None => persist(async || to.expires_in(&entry.key).await).await?,
            left => left,
        };
        let shorter = left.is_some_and(|left| left + slack < entry.ttl());
        if !shorter {
            return Ok(otherwise);
        }
        if self.dry {
            return Ok(Outcome::Renewed);
        }
        match persist(async || to.touch(&entry.key, entry.ttl()).await).await {
            Ok(()) => Ok(Outcome::Renewed),
            Err(TouchError::NotFound) => Ok(Outcome::Left(Why::EndedThere)),
            Err(TouchError::Failed(error)) => refused(error),
        }
    }

    /// Removes from the target what the source has no more. Its keys are in the target alone, so that is listed.
    async fn remove_what_is_gone(
        &self,
        seen: &HashSet<Hash>,
        state: &mut State,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        let now = input::now(None);
        let mut gone = HashSet::new();
        let mut ended = Vec::new();
        for (key, known) in state.keys().filter(|(key, _)| !seen.contains(key)) {
            let until = known.begun.or(known.done).map_or(0, |copied| copied.until);
            match until != 0 && until <= now {
                // So has the copy.
                true => ended.push(key),
                false => drop(gone.insert(key)),
            }
        }
        let all = seen.len() + gone.len();
        if gone.len() > FEW && gone.len() > all / MOST_GONE && !self.remove_all {
            return Err(Failure::Refused {
                code: "too_many_gone",
                reason: format!(
                    "{} of the {all} entries that were copied are no longer in the source, which is more than \
                     people log out: is it the right store, and is all of it there? Nothing was removed; with \
                     --remove-gone it is",
                    gone.len()
                ),
            });
        }
        if !self.dry {
            for key in ended {
                state.forget(key);
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        for prefix in &self.prefixes {
            let mut from = None;
            loop {
                let page = match self.ends.to.list(prefix, from, self.batch).await {
                    Err(error) if error.kind() == StoreErrorKind::Refused => return Ok(()),
                    page => page.map_err(failed)?,
                };
                let keys = page.entries.into_iter().map(|listed| listed.key);
                let keys = keys.filter_map(|key| {
                    let hash = state.hash(key.as_bytes());
                    gone.take(&hash).map(|hash| (key, hash, state.known(hash)))
                });
                let salt = state.salt();
                let keys: Vec<(String, Hash, Known)> = keys.collect();
                let remove = async |(key, hash, known): (String, Hash, Known)| {
                    Ok((hash, self.remove(&key, known, salt).await?))
                };
                for (hash, outcome) in each(keys, AT_A_TIME, remove).await? {
                    if !self.dry && outcome != Outcome::Unchanged {
                        state.forget(hash);
                    }
                    summary.count(outcome);
                }
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
        }
        // The target has these no more either.
        if !self.dry {
            for key in gone {
                state.forget(key);
            }
        }
        Ok(())
    }

    async fn remove(&self, key: &str, known: Known, salt: Hash) -> Result<Outcome, Failure> {
        // A listing may have missed it.
        if persist(async || self.ends.from.load(key).await)
            .await?
            .is_some()
        {
            return Ok(Outcome::Unchanged);
        }
        let to = &self.ends.to;
        let mut target = persist(async || to.load(key).await).await?;
        loop {
            let there = target
                .as_ref()
                .map(|record| state::hash(salt, &record.value));
            match (rule::remove(known, there), &target) {
                (Step::Remove, Some(_)) if self.dry => return Ok(Outcome::Removed),
                (Step::Remove, Some(base)) => {
                    match persist(async || to.delete(key, Some(base), TOMBSTONE).await).await {
                        Ok(()) => return Ok(Outcome::Removed),
                        Err(DeleteError::Changed(there)) => target = Some(there),
                        Err(DeleteError::NotFound) => return Ok(Outcome::Left(Why::EndedThere)),
                        Err(DeleteError::Failed(error)) => return refused(error),
                    }
                }
                (Step::Leave(why), _) => return Ok(Outcome::Left(why)),
                _ => return Ok(Outcome::Left(Why::EndedThere)),
            }
        }
    }
}

enum Loaded {
    Entry(Entry),
    Not(Outcome),
}

/// What the source has, as the target is to have it.
struct Entry {
    key: String,
    hash: Hash,
    wanted: Bytes,
    ends: Option<Instant>,
    copied: Copied,
}

impl Entry {
    /// How long it still has to live at this moment.
    fn ttl(&self) -> Duration {
        let left = |ends: Instant| ends.saturating_duration_since(Instant::now());
        self.ends.map_or(LIFETIME, left).max(SHORTEST)
    }
}

/// Whether the source's entry lives longer by now than its copy.
fn is_renewed(known: Known, entry: &Entry) -> bool {
    known
        .done
        .is_some_and(|done| entry.copied.until > done.until + SLACK && done.until != 0)
}

fn note(state: &mut State, entry: &Entry, known: Known, outcome: &Outcome) {
    let until = entry.copied.until;
    let copied = match outcome {
        // It may have been written, for all that is known.
        Outcome::Refused(_) => return,
        Outcome::Left(_) => entry.copied.left(),
        Outcome::Unchanged => known
            .done
            .map_or(entry.copied, |done| Copied { until, ..done }),
        _ => entry.copied,
    };
    state.finish(entry.hash, copied);
}

/// A store that says no to one entry says so for a reason; one that cannot be asked ends the run.
fn refused(error: StoreError) -> Result<Outcome, Failure> {
    match error.kind() {
        StoreErrorKind::Refused => Ok(Outcome::Refused(error.to_string())),
        _ => Err(failed(error)),
    }
}

pub(super) async fn list(
    store: &Store,
    prefix: &str,
    from: Option<Cursor>,
    limit: usize,
) -> Result<cloakroom::store::Page, Failure> {
    persist(async || store.list(prefix, from.clone(), limit).await)
        .await
        .map_err(failed)
}

/// Whether it may be worth while to ask again.
pub(super) trait Passing {
    fn is_passing(&self) -> bool;
}

impl Passing for StoreError {
    fn is_passing(&self) -> bool {
        self.kind() != StoreErrorKind::Refused
    }
}

macro_rules! passing {
    ($($error:ident)*) => {$(
        impl Passing for $error {
            fn is_passing(&self) -> bool {
                matches!(self, Self::Failed(error) if error.is_passing())
            }
        }
    )*};
}
passing!(CreateError ReplaceError TouchError DeleteError);

const ATTEMPTS: u32 = 5;

/// Asks again, a little later each time. A write that had been carried out is found so by the comparison.
pub(super) async fn persist<T, E: Passing>(call: impl AsyncFn() -> Result<T, E>) -> Result<T, E> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match call().await {
            Err(error) if error.is_passing() && attempt < ATTEMPTS => {
                tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            }
            result => return result,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        failed(error)
    }
}
