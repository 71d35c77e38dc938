use std::time::Duration;

use super::{
    StoredSessions,
    codec::Draft,
    plan::{Mark, Plan},
    save::Outcome,
};
use crate::{
    Error,
    session::{Session, SessionId},
    store::{DeleteError, Record, ReplaceError},
};

/// Both entries after the old one was changed meanwhile.
struct CaughtUp {
    /// Under which the old one is now.
    old_id: SessionId,
    base: Record,
    record: Record,
    mark: Mark,
}

impl StoredSessions {
    /// The new entry first, then the old one goes: whatever fails in between, one of the two is there, and
    /// the browser has its id.
    pub(super) async fn relocate(
        &self,
        plan: &Plan,
        session: &Session,
        old_id: &SessionId,
        base: &Record,
        draft: &Draft,
    ) -> Result<Outcome, Error> {
        let mut old_id = old_id.clone();
        let Some((id, mut record)) = self.create(session, draft, plan.ttl).await? else {
            return Ok(Outcome::Gone);
        };
        let mut base = base.clone();
        let mut mark = plan.mark;
        loop {
            // From here to the answer nobody knows whether the old entry is gone, so the browser is to get
            // the new id even if no answer comes.
            let old = session.with_state(|state| {
                let old = state.enter(id.clone(), record.clone());
                let old = (old, state.saved_header());
                let header = self.header(plan, state)?;
                state.set_saved(header);
                Ok::<_, Error>(old)
            })?;
            let tombstone = self.config.stored.tombstone;
            let current = match self
                .store
                .delete(old_id.key(), Some(&base), tombstone)
                .await
            {
                Ok(()) => return Ok(Outcome::Written(mark, None)),
                Err(DeleteError::Failed(error)) => return Err(self.failed(error)),
                Err(DeleteError::Changed(current)) => Some(current),
                Err(DeleteError::NotFound) => None,
            };
            session.with_state(|state| state.back_to(old));
            let caught_up = self.catch_up(session, [&old_id, &id], &record, current, plan.ttl);
            match Box::pin(caught_up).await {
                // Others have emptied it meanwhile: an end, and no session under a new id.
                Ok(Some(caught_up)) if session.with_state(|state| state.is_bare()) => {
                    self.discard(id.key()).await;
                    return Ok(Outcome::Missed(caught_up.old_id, caught_up.base));
                }
                Ok(Some(caught_up)) => {
                    CaughtUp {
                        old_id,
                        base,
                        record,
                        mark,
                    } = caught_up;
                }
                // Somebody ended the session, or it is none any more: its content must not live on.
                Ok(None) => {
                    self.discard(id.key()).await;
                    return Ok(Outcome::Gone);
                }
                Err(error) => {
                    self.discard(id.key()).await;
                    return Err(error);
                }
            }
        }
    }

    /// Does the request's changes again on what the old entry holds by now, and writes that into the new
    /// one. None if the old one is gone.
    async fn catch_up(
        &self,
        session: &Session,
        [old_id, new_id]: [&SessionId; 2],
        record: &Record,
        current: Option<Record>,
        ttl: Duration,
    ) -> Result<Option<CaughtUp>, Error> {
        let Some((old_id, base)) = self.follow(old_id, current).await? else {
            return Ok(None);
        };
        let Some(entries) = self.reread(&old_id, &base)? else {
            return Ok(None);
        };
        session.rebase(entries, old_id.clone(), base.clone())?;
        let (value, mark) = session.with_state(|state| {
            let draft = self.codec.draft(state)?;
            let value = self.codec.encode(new_id, &draft)?;
            Ok::<_, Error>((value, Mark::of(state)))
        })?;
        let replaced = self.store.replace(new_id.key(), record, value, ttl);
        match replaced.await {
            Ok(record) => Ok(Some(CaughtUp {
                old_id,
                base,
                record,
                mark,
            })),
            Err(ReplaceError::Failed(error)) => Err(self.failed(error)),
            // Nobody knows the new id yet, so only an operator can have touched it.
            Err(ReplaceError::Changed(_) | ReplaceError::NotFound) => Ok(None),
        }
    }

    /// Takes back an entry whose id nobody has. If that fails too, it is left to expire.
    async fn discard(&self, key: &str) {
        if let Err(error) = self.store.delete(key, None, Duration::ZERO).await {
            tracing::warn!(%error, "an entry that nobody has the id of is left to expire");
        }
    }
}
