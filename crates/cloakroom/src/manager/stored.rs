mod codec;
mod everything;
mod exchange;
mod plan;
mod relocate;
mod save;

use std::{borrow::Cow, sync::Arc, time::Duration};

pub use self::exchange::Conversion;
use self::{codec::Codec, exchange::Found, plan::Step, save::remember};
use super::{
    look::Look,
    registration::{Kept, Registration},
    renewals::Renewals,
    turns::Turns,
};
use crate::{
    ConfigError, Error,
    config::{Profile, Refresh, SessionConfig},
    cookie::{PreparedCookie, Rules},
    format::Format,
    metrics,
    secret::{Keys, Prepared},
    session::{
        Backend, Commit, Devices, Entries, Entry, Home, Refusal, Session, SessionId, State, Status,
        Stored,
    },
    store::{Record, Store, StoreError, StoreErrorKind},
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
