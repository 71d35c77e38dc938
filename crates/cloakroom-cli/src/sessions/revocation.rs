//! Ending sessions: in the store, with a tombstone, and on the lists of users.

use std::time::Duration;

use cloakroom::store::{DeleteError, Listed, StoreErrorKind};
use cloakroom::{Handle, SessionConfig, SessionManager, UserSessions};

use super::failed_for;
use super::filter::Identity;
use super::scan::{LISTS, Scan, Sight};
use crate::output::Failure;
use crate::runtime::each;
use crate::store::failed;

/// So many entries are deleted at a time.
const AT_ONCE: usize = 16;

/// Sessions of a store that end, or would.
pub(crate) struct Revocation {
    pub(crate) scan: Scan,
    /// Keeps the lists of users' sessions right; where there are none it changes nothing.
    manager: SessionManager,
    prefix: String,
    identity: Identity,
    /// For how long no slow request can bring an ended session back.
    tombstone: Duration,
    /// Whether nothing really ends.
    dry_run: bool,
    pub(crate) notes: Vec<String>,
}

impl Revocation {
    pub(crate) fn new(
        scan: Scan,
        prefix: &str,
        identity: &Identity,
        tombstone: Duration,
    ) -> Result<Self, Failure> {
        let config = SessionConfig::default()
            .key_prefix(prefix)
            .tombstone(tombstone)
            .user_sessions(UserSessions::new());
        let manager = SessionManager::stored(scan.store().clone(), config)
            .map_err(|error| Failure::Misuse(error.to_string()))?;
        Ok(Self {
            scan,
            manager,
            prefix: prefix.to_owned(),
            identity: identity.clone(),
            tombstone,
            dry_run: false,
            notes: Vec::new(),
        })
    }

    /// Only counts.
    pub(crate) fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Those of the handles, and how many of them are none's.
    pub(crate) async fn end_named(
        &mut self,
        mut wanted: Vec<Handle>,
    ) -> Result<(u64, usize), Failure> {
        wanted.sort_unstable();
        wanted.dedup();
        let mut ended = 0;
        while !wanted.is_empty()
            && let Some(page) = self.scan.page().await?
        {
            let named = |listed: &Listed| wanted.contains(&Handle::of_key(&listed.key));
            let page: Vec<Listed> = page.into_iter().filter(named).collect();
            for handle in self.end_listed(page).await? {
                wanted.retain(|wanted| *wanted != handle);
                ended += 1;
            }
        }
        Ok((ended, wanted.len()))
    }

    /// Those of these entries that are there and are sessions.
    pub(crate) async fn end_listed(&self, listed: Vec<Listed>) -> Result<Vec<Handle>, Failure> {
        let mut found = Vec::new();
        self.scan
            .load(listed, |listed, record| {
                let of_user = match Sight::of(&record) {
                    Sight::NoSession => return true,
                    Sight::Unreadable => None,
                    Sight::Session(entry) => entry.subject().zip(entry.listed_as()),
                };
                found.push((listed.key, of_user));
                true
            })
            .await?;
        let handles = found.iter().map(|(key, _)| Handle::of_key(key)).collect();
        if !self.dry_run {
            for (_, of_user) in &found {
                if let Some((subject, listed_as)) = of_user {
                    let listed = self.manager.end_session_of(subject, listed_as).await;
                    listed.map_err(failed_for)?;
                }
            }
            self.delete(found.into_iter().map(|(key, _)| key)).await?;
        }
        Ok(handles)
    }

    /// What is on the user's list, and what else says that it is the user's.
    pub(crate) async fn end_subject(&mut self, subject: &str) -> Result<u64, Failure> {
        let mut ended = 0;
        if !self.dry_run {
            let listed = self.manager.end_sessions_of(subject).await;
            ended += listed.map_err(failed_for)? as u64;
            if self.scan.store().name() == "memcached" {
                self.notes.push(
                    "memcached has no list of what it holds: what is not on the user's own list lives on"
                        .to_owned(),
                );
                return Ok(ended);
            }
        }
        while let Some(page) = self.scan.page().await? {
            let mut found = Vec::new();
            self.scan
                .load(page, |listed, record| {
                    if let Sight::Session(entry) = Sight::of(&record)
                        && self.identity.subject(&entry).as_deref() == Some(subject)
                    {
                        found.push(listed.key);
                    }
                    true
                })
                .await?;
            ended += found.len() as u64;
            if !self.dry_run {
                self.delete(found).await?;
            }
        }
        Ok(ended)
    }

    /// Everybody's, once somebody has agreed to so many.
    pub(crate) async fn end_all(
        &mut self,
        agree: impl FnOnce(u64) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let count = self.count().await?;
        if self.dry_run || count == 0 && !self.keeps_lists().await? {
            return Ok(count);
        }
        agree(count)?;
        if self.keeps_lists().await? {
            let ended = self.manager.end_everything().await;
            ended.map_err(failed_for)?;
        }
        // Also what began while the others were ended.
        self.scan.rewind();
        while let Some(page) = self.scan.page_of_sessions().await? {
            self.delete(page.into_iter().map(|listed| listed.key))
                .await?;
        }
        Ok(count)
    }

    async fn count(&mut self) -> Result<u64, Failure> {
        let mut count = 0;
        while let Some(page) = self.scan.page_of_sessions().await? {
            count += page.len() as u64;
        }
        Ok(count)
    }

    /// Whether the application keeps lists of its users' sessions in this store: then it is also noted that all
    /// that began before have ended.
    async fn keeps_lists(&self) -> Result<bool, Failure> {
        let prefix = [LISTS, &self.prefix].concat();
        let mut from = None;
        loop {
            let page = match self.scan.store().list(&prefix, from, 1000).await {
                Ok(page) => page,
                // Nobody can say, and there is no harm in a note that nobody reads.
                Err(error) if error.kind() == StoreErrorKind::Refused => return Ok(true),
                Err(error) => return Err(failed(error)),
            };
            from = page.next;
            if !page.entries.is_empty() || from.is_none() {
                return Ok(!page.entries.is_empty());
            }
        }
    }

    /// Deletes entries and leaves tombstones.
    async fn delete(&self, keys: impl IntoIterator<Item = String>) -> Result<(), Failure> {
        let deleted = each(keys, AT_ONCE, |key| {
            let (store, tombstone) = (self.scan.store().clone(), self.tombstone);
            async move {
                match store.delete(&key, None, tombstone).await {
                    Err(DeleteError::Failed(error)) => Err(failed(error)),
                    // Nothing was expected there, so nothing else can be wrong.
                    _ => Ok(()),
                }
            }
        });
        deleted.await.map(drop)
    }
}
