#[cfg(feature = "encrypted")]
use std::time::SystemTime;
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::HeaderValue;

use super::{
    expires,
    look::Look,
    register::Standing,
    registration::{Kept, Registration},
    seal::Seal,
    unsendable,
};
use crate::{
    ConfigError, Error,
    config::{CookieLimit, Profile, Refresh, SessionConfig},
    cookie::{PreparedCookie, Rules},
    format::Format,
    json::JsonError,
    metrics,
    secret::{Keys, Prepared},
    session::{
        Activity, Backend, Change, Commit, CookieCommit, Devices, Entries, EventKind, Home,
        Protection, Refusal, Session, State, Status, decide_cookie,
    },
};

/// Sessions that the browser keeps, in a signed or an encrypted cookie.
pub(super) struct CookieSessions {
    pub(super) cookie: PreparedCookie,
    pub(super) config: SessionConfig,
    seal: Prepared<Seal>,
    pub(super) protection: Protection,
    format: Format,
    /// How old a cookie may be before a request that only reads renews it; none: it never does.
    renew_after: Option<u64>,
    pub(super) registration: Option<Registration>,
}

impl CookieSessions {
    pub(super) fn new(
        protection: Protection,
        keys: Keys,
        config: SessionConfig,
    ) -> Result<Self, ConfigError> {
        // The rules are checked here; the size is checked with the largest keys at hand, when saving.
        config.cookie.clone().rules(Rules::Strict).prepare()?;
        let cookie = config.cookie.clone().rules(Rules::Werkzeug).prepare()?;
        keys.serve(config.longest_idle());
        let now = config.clock.unix_seconds();
        let settings = config.clone();
        let seal = Prepared::new(keys, now, move |ring| {
            Seal::new(protection, ring, &settings)
        });
        let renew_after = match config.refresh {
            Refresh::After(after) => Some(after.min(config.lifetime / 10).as_secs()),
            Refresh::EachRequest | Refresh::OnChange => None,
        };
        Ok(Self {
            cookie,
            seal,
            protection,
            format: Format::Tagged(config.format.clone()),
            registration: Registration::new(Kept::InCookie, None, &config)?,
            config,
            renew_after,
        })
    }

    pub(super) fn open(self: &Arc<Self>, token: &[u8], look: Look) -> Result<Session, Refusal> {
        let now = self.config.clock.unix_seconds();
        let seal = self.seal.at(now);
        let unsealed = seal.value.open(token, now, &self.config, look)?;
        if unsealed.protection == self.protection && look == Look::Counted {
            seal.verified(unsealed.key_index, now);
        }
        let document = String::from_utf8(unsealed.document).map_err(|_| Refusal::BadPayload)?;
        let entries = Entries::open(&self.config.format, document)?;
        let signed_at = UNIX_EPOCH.checked_add(Duration::from_secs(unsealed.signed_at));
        let status = Status::Loaded {
            signed_at: signed_at.unwrap_or(UNIX_EPOCH),
            key_index: unsealed.key_index,
            protection: unsealed.protection,
        };
        let state = State::new(entries, status, Home::Cookie);
        if now.saturating_sub(unsealed.signed_at) > self.config.idle(&state, &self.format).as_secs()
        {
            return Err(Refusal::Expired);
        }
        if self.config.lifetime_is_over(&state, &self.format) {
            return Err(Refusal::LifetimeOver);
        }
        Ok(Session::new(state, self.clone()))
    }

    /// Why a session whose cookie was good is none any more, if it was ended from elsewhere.
    pub(super) async fn check(&self, session: &Session) -> Result<Option<Refusal>, Error> {
        let Some(registration) = &self.registration else {
            return Ok(None);
        };
        let began = session.with_state(|state| match &state.status {
            Status::Loaded { signed_at, .. } => state.created(&self.format).or_else(|| {
                let since = signed_at.duration_since(UNIX_EPOCH);
                since.ok().map(|since| since.as_secs())
            }),
            _ => None,
        });
        // Boxed, so that those who keep no list carry no room for the question.
        Box::pin(registration.check(session, began)).await
    }

    pub(super) fn session(self: &Arc<Self>, entries: Entries, status: Status) -> Session {
        Session::new(State::new(entries, status, Home::Cookie), self.clone())
    }

    /// The cookie's value for what the session holds now.
    pub(super) fn seal(&self, state: &State) -> Result<Vec<u8>, Error> {
        let document = state.entries.to_bytes(&self.format)?;
        let now = self.config.clock.unix_seconds();
        let ttl = self.config.time_to_live(state, &self.format);
        let seal = self.seal.at(now);
        seal.value.seal(&document, now, ttl, &self.config)
    }

    /// The keys that sign or encrypt.
    pub(super) fn keys(&self) -> &Keys {
        self.seal.keys()
    }

    /// The id of the key of this index.
    #[cfg(feature = "inspector")]
    pub(super) fn key_id(&self, key_index: usize) -> Option<String> {
        let now = self.config.clock.unix_seconds();
        self.seal.at(now).key_id(key_index).map(str::to_owned)
    }

    #[cfg(feature = "encrypted")]
    pub(super) fn accepts_signed_until(&self) -> Option<SystemTime> {
        let now = self.config.clock.unix_seconds();
        self.seal.at(now).value.accepts_signed_until()
    }

    fn change(&self, state: &State) -> Change {
        let changed = match self.config.profile {
            Profile::Flask => state.modified,
            // A refused cookie is in the browser still, so an emptied session has something to remove.
            Profile::Careful => {
                let refused = matches!(state.status, Status::Refused(_));
                state.modified && (refused || state.regenerated || state.entries.differ())
            }
        };
        if changed {
            return Change::Modified;
        }
        let due = match (
            state.activity.refresh(self.config.refresh),
            self.renew_after,
            &state.status,
        ) {
            // It was written the way that is being left.
            (Refresh::After(_) | Refresh::EachRequest, _, Status::Loaded { protection, .. })
                if *protection != self.protection =>
            {
                true
            }
            (Refresh::EachRequest, ..) => state.permanent(&self.format),
            (Refresh::After(_), Some(after), Status::Loaded { signed_at, .. }) => {
                let now = UNIX_EPOCH + Duration::from_secs(self.config.clock.unix_seconds());
                now.duration_since(*signed_at)
                    .is_ok_and(|age| age.as_secs() > after)
            }
            _ => false,
        };
        if due {
            Change::RenewalDue
        } else {
            Change::None
        }
    }

    fn set(&self, state: &State) -> Result<HeaderValue, Error> {
        let too_large = |size, limit| Error::CookieTooLarge {
            size,
            limit,
            largest: state.entries.largest(3),
        };
        let value = self.seal(state).map_err(|error| match error {
            Error::CookieTooLarge { size, limit, .. } => too_large(size, limit),
            other => other,
        })?;
        let size = self.cookie.name().len() + value.len();
        if let CookieLimit::Error(limit) = self.config.cookie_limit
            && size > limit
        {
            return Err(too_large(size, limit));
        }
        let expires = state.permanent(&self.format).then(|| {
            let ttl = self.config.time_to_live(state, &self.format);
            expires(&self.config, ttl)
        });
        let header = self
            .cookie
            .set_header(&value, expires)
            .map_err(unsendable)?;
        if let CookieLimit::Warn(limit) = self.config.cookie_limit
            && limit != 0
            && header.len() > limit
        {
            tracing::warn!(
                size = header.len(),
                limit,
                "browsers may drop the session cookie for its size"
            );
        }
        metrics::cookie(self.place(), header.len());
        Ok(header)
    }
}

impl Backend for CookieSessions {
    fn format(&self) -> &Format {
        &self.format
    }

    fn config(&self) -> &SessionConfig {
        &self.config
    }

    fn place(&self) -> &'static str {
        self.protection.name()
    }

    fn devices(&self) -> Option<&dyn Devices> {
        self.registration.as_ref().map(|it| it as &dyn Devices)
    }

    fn commit(self: Arc<Self>, session: &Session) -> Commit {
        if self.registration.is_none() {
            return Commit::Done(self.set_or_delete(session));
        }
        let session = session.clone();
        Commit::Pending(Box::pin(async move { self.save(&session).await }))
    }
}

impl CookieSessions {
    /// Tells the register what is about to become of the session, then makes the header.
    async fn save(&self, session: &Session) -> Result<Option<HeaderValue>, Error> {
        let Some(registration) = &self.registration else {
            return self.set_or_delete(session);
        };
        let (commit, login, ttl) = session.with_state(|state| {
            let (commit, _) = self.decide(state);
            let ttl = self.config.time_to_live(state, &self.format);
            (commit, state.login.is_some(), ttl)
        });
        match commit {
            CookieCommit::Set if login => {
                registration.enter(session, &self.format, None, ttl).await?;
            }
            CookieCommit::Set => match registration.renew(session, ttl).await {
                Ok(Standing::Good) => {}
                Ok(Standing::Ended) => {
                    session.tell(EventKind::Gone);
                    return Ok(None);
                }
                // Whether the session is good is asked again when the cookie comes back.
                Err(error) => tracing::warn!(%error, "a session was not renewed in the list"),
            },
            CookieCommit::Nothing | CookieCommit::Delete => {}
        }
        registration.leave(session, &self.format).await?;
        self.set_or_delete(session)
    }

    /// What the cookie needs.
    fn decide(&self, state: &mut State) -> (CookieCommit, Change) {
        let loaded = matches!(state.status, Status::Loaded { .. });
        let renewable = loaded && state.activity == Activity::Counts;
        if (state.modified || renewable) && self.config.lacks_beginning(state, &self.format) {
            state.stamp(&self.format, self.config.clock.unix_seconds());
        }
        let change = self.change(state);
        (decide_cookie(state.is_empty(), change), change)
    }

    fn set_or_delete(&self, session: &Session) -> Result<Option<HeaderValue>, Error> {
        let (header, happened) = session.with_state(|state| {
            let loaded = matches!(state.status, Status::Loaded { .. });
            let (commit, change) = self.decide(state);
            match commit {
                CookieCommit::Nothing => (Ok(None), None),
                CookieCommit::Set => {
                    let header = self.set(state).map(Some);
                    let happened = header.is_ok().then(|| happened(state, change));
                    let renewed = change == Change::RenewalDue;
                    metrics::saved(self.place(), if renewed { "renewed" } else { "written" });
                    (header, happened.flatten())
                }
                CookieCommit::Delete => {
                    metrics::saved(self.place(), "ended");
                    let header = self.cookie.delete_header().map(Some).map_err(unsendable);
                    (header, loaded.then_some(EventKind::Destroyed))
                }
            }
        });
        if let (Ok(_), Some(happened)) = (&header, happened) {
            session.tell(happened);
        }
        header
    }
}

/// What it means that the cookie is set.
fn happened(state: &mut State, change: Change) -> Option<EventKind> {
    let first = !std::mem::replace(&mut state.announced, true);
    match (change, &state.status) {
        (Change::RenewalDue, _) => Some(EventKind::Renewed),
        _ if state.login.take().is_some() => Some(EventKind::LoggedIn),
        _ if !first => None,
        (_, Status::Loaded { .. }) => state.regenerated.then_some(EventKind::Regenerated),
        _ => Some(EventKind::Created),
    }
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::TooDeep { .. } => Self::TooDeep,
            _ => Self::BadPayload,
        }
    }
}
