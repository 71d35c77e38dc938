mod codec;
mod everything;
mod exchange;
mod plan;
mod relocate;

use std::{borrow::Cow, sync::Arc, time::Duration};

use http::HeaderValue;
use tokio::time::Instant;

pub use self::exchange::Conversion;
use self::{
    codec::{Codec, Draft},
    exchange::Found,
    plan::{Mark, Plan, Step},
};
use super::{
    expires,
    look::Look,
    register::Standing,
    registration::{Kept, Registration},
    renewals::Renewals,
    turns::{Turns, jitter},
    unsendable,
};
use crate::{
    ConfigError, Error,
    at_once::at_once,
    config::{Profile, Refresh, SessionConfig},
    cookie::{PreparedCookie, Rules},
    format::Format,
    metrics,
    secret::{Keys, Prepared},
    session::{
        Backend, Commit, Devices, Entries, Entry, EventKind, Home, Refusal, Session, SessionId,
        State, Status, Stored,
    },
    store::{
        CreateError, DeleteError, Record, ReplaceError, Store, StoreError, StoreErrorKind,
        TouchError,
    },
    token::signed::{Signer, SignerOptions},
};

/// Sessions that a store keeps; the browser has their id.
pub(super) struct StoredSessions {
    pub(super) cookie: PreparedCookie,
    pub(super) config: SessionConfig,
    pub(super) store: Store,
    codec: Codec,
    signer: Option<Prepared<Signer>>,
    /// How old an entry's expiry may be, in seconds, before a request that only reads renews it; none: it
    /// never does.
    renew_after: Option<u64>,
    renewals: Renewals,
    turns: Turns,
    pub(super) registration: Option<Registration>,
}

/// Flask-Session's salt for signed ids.
const ID_SALT: &str = "flask-session";

/// Under Flask's habit of refreshing with each request, the store is spared this often: nobody can see it.
const EACH_REQUEST: Duration = Duration::from_secs(60);

/// With so many ids taken in a row, the random numbers are none.
const MOST_COLLISIONS: usize = 4;

impl StoredSessions {
    pub(super) fn new(store: Store, config: SessionConfig) -> Result<Self, ConfigError> {
        let codec = Codec::new(&store, &config)?;
        if config.lifetime < Duration::from_secs(1) {
            return Err(ConfigError::Value {
                name: "PERMANENT_SESSION_LIFETIME".to_owned(),
                expected: "at least one second for sessions in a store",
            });
        }
        config.cookie.clone().rules(Rules::Strict).prepare()?;
        let cookie = config.cookie.clone().rules(Rules::Werkzeug).prepare()?;
        let settings = &config.stored;
        let signer = settings.id_keys.clone().map(|keys| {
            keys.serve(config.longest_idle());
            Prepared::new(keys, config.clock.unix_seconds(), |ring| {
                Signer::with_options(ring.clone(), ID_SALT, &SignerOptions::flask())
            })
        });
        let renew_after = match config.refresh {
            Refresh::After(after) => Some(after.min(config.lifetime / 10)),
            Refresh::EachRequest => Some(EACH_REQUEST.min(config.lifetime / 20)),
            Refresh::OnChange => None,
        };
        Ok(Self {
            cookie,
            codec,
            signer,
            renew_after: renew_after.map(|after| after.as_secs()),
            renewals: Renewals::new(),
            turns: Turns::new(),
            registration: Registration::new(Kept::InStore, Some(&store), &config)?,
            store,
            config,
        })
    }

    /// The session that a cookie names, or why there is none. An error means that nobody knows.
    pub(super) async fn open(
        self: &Arc<Self>,
        cookie: &[u8],
        look: Look,
    ) -> Result<Result<Session, Refusal>, Error> {
        let (id, key_retired) = match self.parse(cookie, look) {
            Ok(parsed) => parsed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let found = match self.codec.twin(&id) {
            None => {
                let base = self.look_up(&id, look).await?;
                base.map(|base| Found::here(id, base))
                    .ok_or(Refusal::UnknownId)
            }
            Some(twin) => Box::pin(self.find_either(id, twin, look)).await?,
        };
        let loaded = found.and_then(|found| {
            if look == Look::Counted {
                metrics::entry(self.place(), "load", found.base.value.len());
            }
            self.loaded(found, key_retired)
        });
        let session = match loaded {
            Ok(session) => session,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(registration) = &self.registration {
            let began = session.with_state(|state| state.created(self.codec.format()));
            if let Some(refusal) = Box::pin(registration.check(&session, began)).await? {
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(session))
    }

    /// What the store has under an id.
    async fn look_up(&self, id: &SessionId, look: Look) -> Result<Option<Record>, Error> {
        let loaded = match look {
            Look::Counted => self.store.load(id.key()).await,
            #[cfg(feature = "inspector")]
            Look::Quiet => Box::pin(self.store.glance(id.key())).await,
        };
        loaded.map_err(|error| self.failed(error))
    }

    /// The session of an entry.
    fn loaded(self: &Arc<Self>, found: Found, key_retired: bool) -> Result<Session, Refusal> {
        let Found {
            id,
            base,
            renamed,
            arrived_as,
        } = found;
        let entries = self.codec.decode(&id, &base)?.ok_or(Refusal::UnknownId)?;
        let mut state = State::new(entries, Status::Stored, Home::Cookie);
        if self.config.lifetime_is_over(&state, self.codec.format()) {
            return Err(Refusal::LifetimeOver);
        }
        let permanent = state.permanent(self.codec.format());
        let mut stored = self.stored(Entry::Live { id, base }, permanent);
        stored.key_retired = key_retired || renamed;
        stored.arrived_as = arrived_as;
        state.home = Home::Store(Box::new(stored));
        Ok(Session::new(state, self.clone()))
    }

    /// A session that no entry holds yet.
    pub(super) fn session(self: &Arc<Self>, status: Status) -> Session {
        let home = Home::Store(Box::new(self.stored(Entry::None, false)));
        let mut state = State::new(Entries::empty(), status, home);
        if self.config.stored.permanent {
            state.start_permanent(self.codec.format());
        }
        Session::new(state, self.clone())
    }

    /// The cookie's value for an id.
    pub(super) fn cookie_value<'a>(&self, id: &'a SessionId) -> Cow<'a, str> {
        match (&self.signer, id.ticket()) {
            (None, _) | (_, Some(_)) => Cow::Borrowed(id.as_str()),
            // An id, a dot and base64 are ASCII.
            (Some(signer), None) => {
                let signer = signer.at(self.config.clock.unix_seconds());
                String::from_utf8_lossy(&signer.value.sign(id.as_str()))
                    .into_owned()
                    .into()
            }
        }
    }

    fn stored(&self, entry: Entry, permanent: bool) -> Stored {
        Stored::new(entry, permanent, self.config.profile == Profile::Flask)
    }

    /// The id in a cookie, and whether the key that signed it no longer signs.
    fn parse(&self, cookie: &[u8], look: Look) -> Result<(SessionId, bool), Refusal> {
        if let Some(id) = self.codec.parse_ticket(cookie) {
            return Ok((id, false));
        }
        let (id, key_index) = match &self.signer {
            None => (cookie, 0),
            Some(signer) => {
                let now = self.config.clock.unix_seconds();
                let signer = signer.at(now);
                let unsigned = signer.value.unsign_with_key(cookie);
                let (id, key_index) = unsigned.map_err(|_| Refusal::BadSignature)?;
                if look == Look::Counted {
                    signer.verified(key_index, now);
                }
                (id, key_index)
            }
        };
        let id = self.codec.parse_flask_id(id).ok_or(Refusal::MalformedId)?;
        Ok((id, key_index != 0))
    }

    /// The keys that sign ids, where they are signed.
    pub(super) fn keys(&self) -> Option<&Keys> {
        self.config.stored.id_keys.as_ref()
    }

    /// Which key signed the id in a cookie: its index and its id.
    #[cfg(feature = "inspector")]
    pub(super) fn key_of(&self, cookie: &[u8]) -> Option<(usize, String)> {
        let signer = self.signer.as_ref()?.at(self.config.clock.unix_seconds());
        let (_, key_index) = signer.value.unsign_with_key(cookie).ok()?;
        Some((key_index, signer.key_id(key_index)?.to_owned()))
    }

    /// Whether nothing keeps an opening waiting, and a save nothing but other requests.
    pub(super) fn waits_for_nothing(&self) -> bool {
        self.store.answers_at_once() && self.registration.is_none()
    }

    /// Does what the plan says, within the time there is for it.
    async fn save(
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
    fn save_now(
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
    async fn create(
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
    fn reread(&self, id: &SessionId, current: &Record) -> Result<Option<Entries>, Error> {
        match self.codec.decode(id, current) {
            Ok(entries) => Ok(entries),
            Err(Refusal::LifetimeOver | Refusal::WrongSecret) => Ok(None),
            Err(refusal) => Err(Error::Refused(refusal)),
        }
    }

    /// Where the store tells how long an entry lives, nobody else has to remember.
    fn written(&self, id: &SessionId, record: &Record) {
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
    fn unchanged(&self, plan: &Plan, state: &mut State) -> Result<Option<HeaderValue>, Error> {
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

    fn header(&self, plan: &Plan, state: &State) -> Result<Option<HeaderValue>, Error> {
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

    fn failed(&self, source: StoreError) -> Error {
        match source.kind() {
            StoreErrorKind::Refused => Error::StoreRefused(source),
            _ => Error::StoreUnavailable {
                source,
                retry_after: self.config.stored.retry_after,
            },
        }
    }
}

enum Outcome {
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

/// What the response has to set, by this save or by one before.
fn remember(state: &mut State, header: Option<HeaderValue>) -> Option<HeaderValue> {
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

impl Backend for StoredSessions {
    fn format(&self) -> &Format {
        self.codec.format()
    }

    fn config(&self) -> &SessionConfig {
        &self.config
    }

    fn place(&self) -> &'static str {
        self.store.name()
    }

    fn devices(&self) -> Option<&dyn Devices> {
        self.registration.as_ref().map(|it| it as &dyn Devices)
    }

    fn commit(self: Arc<Self>, session: &Session) -> Commit {
        let plan = match session.with_state(|state| self.plan(state)) {
            Ok(plan) => plan,
            Err(error) => return Commit::Done(Err(error)),
        };
        if let Step::Nothing = plan.step {
            return Commit::Done(session.with_state(|state| {
                let header = self.unchanged(&plan, state)?;
                Ok(remember(state, header))
            }));
        }
        let plan = match self.waits_for_nothing() {
            true => match self.save_now(session, plan) {
                Some(saved) => return Commit::Done(saved),
                None => None,
            },
            false => Some(plan),
        };
        let session = session.clone();
        Commit::Pending(Box::pin(async move { self.save(&session, plan).await }))
    }
}
