use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;

use super::{
    StoredSessions,
    codec::Draft,
    plan::{Mark, Plan, Step},
};
use crate::{
    Error,
    at_once::at_once,
    manager::{expires, register::Standing, turns::jitter, unsendable},
    metrics,
    session::{Backend, Entries, Entry, EventKind, Home, Refusal, Session, SessionId, State},
    store::{CreateError, DeleteError, Record, ReplaceError, TouchError},
};

/// With so many ids taken in a row, the random numbers are none.
const MOST_COLLISIONS: usize = 4;

/// What came of one try.
pub(super) enum Outcome {
    Unchanged,
    /// Only its time should have moved on.
    NotRenewed,
    /// With what the next comparison needs, unless the session has it already.
    Written(Mark, Option<Record>),
    Ended,
    Gone,
    /// The entry of this id is this by now.
    Missed(SessionId, Record),
}

impl StoredSessions {
    /// Does what the plan says, within the time there is for it.
    pub(super) async fn save(
        &self,
        session: &Session,
        plan: Option<Plan>,
    ) -> Result<Option<HeaderValue>, Error> {
        let deadline = Instant::now() + self.config.stored.commit_deadline;
        let saved = tokio::time::timeout_at(deadline, self.try_save(session, plan)).await;
        // The time was up between two tries: each try is atomic, and none of ours has been answered with yes.
        let header = saved.unwrap_or_else(|_| {
            Err(Error::Contended {
                retry_after: self.config.stored.retry_after,
            })
        })?;
        Ok(session.with_state(|state| remember(state, header)))
    }

    /// As [`save`](Self::save) where nothing has to be waited for, so that it needs neither a timer nor memory of
    /// its own. None if others were in the way: nothing has been written then.
    pub(super) fn save_now(
        &self,
        session: &Session,
        plan: Plan,
    ) -> Option<Result<Option<HeaderValue>, Error>> {
        let saved = at_once(self.try_save(session, Some(plan)))?;
        Some(saved.map(|header| session.with_state(|state| remember(state, header))))
    }

    /// Carries out what is planned; on a miss, does the request's changes again on what is there by now.
    async fn try_save(
        &self,
        session: &Session,
        mut planned: Option<Plan>,
    ) -> Result<Option<HeaderValue>, Error> {
        let mut turn = None;
        let mut misses = 0;
        loop {
            let plan = match planned.take() {
                Some(plan) => plan,
                None => session.with_state(|state| self.plan(state))?,
            };
            if self.codec.has_both_layouts() && !matches!(plan.step, Step::Nothing) {
                Box::pin(self.clear_arrival(session)).await?;
            }
            match self.carry_out(&plan, session).await? {
                Outcome::Unchanged => {
                    return session.with_state(|state| self.unchanged(&plan, state));
                }
                Outcome::NotRenewed => return Ok(None),
                Outcome::Written(mark, record) => {
                    metrics::saved(self.place(), "written");
                    session.with_state(|state| self.committed(mark, state, record));
                    self.listed(&plan, session).await;
                    if let Some(happened) = happened(&plan.step, session) {
                        session.tell(happened);
                    }
                    return session.with_state(|state| self.header(&plan, state));
                }
                Outcome::Ended => {
                    metrics::saved(self.place(), "ended");
                    if let Step::Delete(..) = plan.step {
                        session.tell(EventKind::Destroyed);
                    }
                    self.listed(&plan, session).await;
                    session.with_state(State::ended);
                    return self.cookie.delete_header().map(Some).map_err(unsendable);
                }
                Outcome::Gone => {
                    session.tell(EventKind::Gone);
                    session.with_state(State::gone);
                    // The browser's cookie is left alone: by now it may hold the id of a new login.
                    return Ok(None);
                }
                Outcome::Missed(id, current) => {
                    misses += 1;
                    session.tell(EventKind::Conflict);
                    let Some(entries) = self.reread(&id, &current)? else {
                        session.with_state(State::gone);
                        return Ok(None);
                    };
                    session.rebase(entries, id.clone(), current)?;
                    if turn.is_none() {
                        turn = Some(self.turns.wait(id.key()).await);
                    } else if misses > 3 {
                        tokio::time::sleep(jitter(misses)).await;
                    }
                }
            }
        }
    }

    async fn carry_out(&self, plan: &Plan, session: &Session) -> Result<Outcome, Error> {
        let ttl = plan.ttl;
        match &plan.step {
            Step::Nothing => Ok(Outcome::Unchanged),
            Step::Forget => Ok(Outcome::Ended),
            Step::Touch(id) => match self.store.touch(id.key(), ttl).await {
                Ok(()) => {
                    self.renewed(id);
                    metrics::saved(self.place(), "renewed");
                    self.listed(plan, session).await;
                    session.tell(EventKind::Renewed);
                    Ok(Outcome::Unchanged)
                }
                Err(TouchError::NotFound) => self.changed(id, None).await,
                // The answer is none the worse for it, and the next request tries again.
                Err(TouchError::Failed(error)) => {
                    tracing::warn!(%error, "a session was not renewed");
                    Ok(Outcome::NotRenewed)
                }
            },
            Step::Create(draft) => {
                let Some((id, base)) = self.create(session, draft, ttl).await? else {
                    return Ok(Outcome::Gone);
                };
                session.with_state(|state| state.enter(id, base));
                Ok(Outcome::Written(plan.mark, None))
            }
            Step::Replace(id, base, value) => {
                let replaced = self.store.replace(id.key(), base, value.clone(), ttl);
                match replaced.await {
                    Ok(record) => {
                        self.written(id, &record);
                        Ok(Outcome::Written(plan.mark, Some(record)))
                    }
                    Err(ReplaceError::Changed(current)) => self.changed(id, Some(current)).await,
                    Err(ReplaceError::NotFound) => self.changed(id, None).await,
                    Err(ReplaceError::Failed(error)) => Err(self.failed(error)),
                }
            }
            Step::Move(id, base, draft) => self.relocate(plan, session, id, base, draft).await,
            Step::Delete(id, expected) => {
                if expected.is_none()
                    && let Some(twin) = self.codec.twin(id)
                {
                    // It may be on its way there.
                    Box::pin(self.bury(&twin)).await?;
                }
                let tombstone = self.config.stored.tombstone;
                let deleted = self.store.delete(id.key(), expected.as_ref(), tombstone);
                match deleted.await {
                    Ok(()) => Ok(Outcome::Ended),
                    // Somebody else has ended it: the browser's cookie may be a new login's by now.
                    Err(DeleteError::NotFound) => self.changed(id, None).await,
                    Err(DeleteError::Changed(current)) => self.changed(id, Some(current)).await,
                    Err(DeleteError::Failed(error)) => Err(self.failed(error)),
                }
            }
        }
    }

    /// Somebody was faster. What is there now, as far as the store has said; none if nothing is there.
    async fn changed(&self, id: &SessionId, current: Option<Record>) -> Result<Outcome, Error> {
        let found = Box::pin(self.follow(id, current)).await?;
        Ok(found.map_or(Outcome::Gone, |(id, current)| Outcome::Missed(id, current)))
    }

    /// An entry under a new id; none if the session was ended from elsewhere.
    pub(super) async fn create(
        &self,
        session: &Session,
        draft: &Draft,
        ttl: Duration,
    ) -> Result<Option<(SessionId, Record)>, Error> {
        for _ in 0..MOST_COLLISIONS {
            let id = self.codec.generate()?;
            let value = self.codec.encode(&id, draft)?;
            if let Some(registration) = &self.registration {
                let format = self.codec.format();
                let entered = registration.enter(session, format, Some(id.key()), ttl);
                if Box::pin(entered).await? == Standing::Ended {
                    return Ok(None);
                }
            }
            match self.store.create(id.key(), value, ttl).await {
                Ok(record) => {
                    self.written(&id, &record);
                    return Ok(Some((id, record)));
                }
                Err(CreateError::Exists) => {}
                Err(CreateError::Failed(error)) => return Err(self.failed(error)),
            }
        }
        Err(Error::Random(
            "several new ids in a row were taken".to_owned(),
        ))
    }

    /// The store has what the plan was: the list of the user's sessions follows. It is corrected by what is done
    /// next if this fails.
    async fn listed(&self, plan: &Plan, session: &Session) {
        let Some(registration) = &self.registration else {
            return;
        };
        // Boxed, as is all that few sites do: it makes no future larger.
        let followed = Box::pin(async {
            let renewed = match plan.step {
                Step::Touch(_) | Step::Replace(..) => registration.renew(session, plan.ttl).await,
                _ => Ok(Standing::Good),
            };
            let left = registration.leave(session, self.codec.format()).await;
            renewed.and(left)
        });
        if let Err(error) = followed.await {
            tracing::warn!(%error, "the list of a user's sessions is behind");
        }
    }

    /// What the session's entry holds by now; none if it is the session's no more.
    pub(super) fn reread(
        &self,
        id: &SessionId,
        current: &Record,
    ) -> Result<Option<Entries>, Error> {
        match self.codec.decode(id, current) {
            Ok(entries) => Ok(entries),
            Err(Refusal::LifetimeOver | Refusal::WrongSecret) => Ok(None),
            Err(refusal) => Err(Error::Refused(refusal)),
        }
    }

    /// Where the store tells how long an entry lives, nobody else has to remember.
    pub(super) fn written(&self, id: &SessionId, record: &Record) {
        metrics::entry(self.place(), "write", record.value.len());
        if record.expires_in.is_none() {
            self.renewed(id);
        }
    }

    fn renewed(&self, id: &SessionId) {
        let now = self.config.clock.unix_seconds();
        self.renewals.note(id.key(), now);
    }

    /// Done with, even so: done again later, it would undo what others do meanwhile.
    pub(super) fn unchanged(
        &self,
        plan: &Plan,
        state: &mut State,
    ) -> Result<Option<HeaderValue>, Error> {
        self.committed(plan.mark, state, None);
        self.header(plan, state)
    }

    fn committed(&self, mark: Mark, state: &mut State, record: Option<Record>) {
        // The store has it already.
        if matches!(&state.home, Home::Store(stored) if stored.committed == mark.version) {
            return;
        }
        let permanent = state.permanent(self.codec.format());
        state.regenerated = false;
        if let Home::Store(stored) = &mut state.home {
            stored.commit(mark.version, mark.operations, record, permanent);
        }
    }

    pub(super) fn header(&self, plan: &Plan, state: &State) -> Result<Option<HeaderValue>, Error> {
        if !plan.cookie {
            return Ok(None);
        }
        let permanent = state.permanent(self.codec.format());
        let Home::Store(stored) = &state.home else {
            return Ok(None);
        };
        let Entry::Live { id, .. } = &stored.entry else {
            return Ok(None);
        };
        let expires = permanent.then(|| expires(&self.config, plan.ttl));
        self.cookie
            .set_header(self.cookie_value(id).as_bytes(), expires)
            .map(Some)
            .map_err(unsendable)
    }
}

/// What the response has to set, by this save or by one before.
pub(super) fn remember(state: &mut State, header: Option<HeaderValue>) -> Option<HeaderValue> {
    if header.is_some() {
        state.set_saved(header);
    }
    state.saved_header()
}

/// What it means that this was written.
fn happened(step: &Step, session: &Session) -> Option<EventKind> {
    let login = session.with_state(|state| state.login.take());
    match step {
        Step::Create(_) | Step::Move(..) if login.is_some() => Some(EventKind::LoggedIn),
        Step::Create(_) => Some(EventKind::Created),
        Step::Move(..) => Some(EventKind::Regenerated),
        _ => None,
    }
}
