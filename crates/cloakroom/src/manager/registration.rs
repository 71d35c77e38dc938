use std::time::Duration;

use super::register::{NewSession, Register, RegisterSettings, Standing};
use crate::{
    ConfigError, Error,
    config::{Refresh, SessionConfig},
    format::Format,
    session::{Answer, Devices, Handle, Refusal, Session, SessionInfo, State},
    store::Store,
};

/// Puts the logins of a room into the register, and takes their ends out.
pub(super) struct Registration {
    register: Register,
    kept: Kept,
    /// How long a session may live that the register does not know.
    longest: Duration,
    now: crate::Clock,
}

/// Where the sessions are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    InCookie,
    InStore,
}

impl Registration {
    /// None if nobody wants to keep track.
    pub(super) fn new(
        kept: Kept,
        sessions: Option<&Store>,
        config: &SessionConfig,
    ) -> Result<Option<Self>, ConfigError> {
        let Some(wanted) = &config.user_sessions else {
            return Ok(None);
        };
        let conflict = |reason: &str| ConfigError::Conflict {
            name: "user_sessions".to_owned(),
            reason: reason.to_owned(),
        };
        let store = match (sessions, &wanted.store) {
            (Some(store), None) | (None, Some(store)) => store.clone(),
            (Some(_), Some(_)) => {
                return Err(conflict(
                    "sessions in a store are listed there: use UserSessions::new",
                ));
            }
            (None, None) => {
                return Err(conflict(
                    "sessions in a cookie need a store for the list: use UserSessions::in_store",
                ));
            }
        };
        let renew_after = match config.refresh {
            Refresh::After(after) => after.min(config.lifetime / 10),
            Refresh::EachRequest | Refresh::OnChange => config.lifetime / 20,
        };
        let settings = RegisterSettings {
            key_prefix: config.stored.key_prefix.clone(),
            lag: wanted.lag,
            renew_after,
            max_sessions: wanted.max_sessions,
            tombstone: config.stored.tombstone,
            deadline: config.stored.commit_deadline,
            retry_after: config.stored.retry_after,
            clock: config.clock.clone(),
        };
        Ok(Some(Self {
            register: Register::new(store, settings)?,
            kept,
            longest: config.longest_idle() + config.leeway,
            now: config.clock.clone(),
        }))
    }

    /// Why an opened session is none any more, if it has been ended from elsewhere. `began` is when it began, as
    /// far as it says so.
    pub(super) async fn check(
        &self,
        session: &Session,
        began: Option<u64>,
    ) -> Result<Option<Refusal>, Error> {
        let register = &self.register;
        if let Some(began) = began
            && register.standing_of_everyone(began).await? == Standing::Ended
        {
            return Ok(Some(Refusal::Revoked));
        }
        let standing = match (self.kept, session.subject(), session.listed_as()) {
            // The store has no entry of a session that has ended.
            (Kept::InStore, ..) | (_, None, _) => Standing::Good,
            (Kept::InCookie, Some(subject), Some(handle)) => {
                register.standing(&subject, &handle).await?
            }
            (Kept::InCookie, Some(subject), None) => {
                let began = began.unwrap_or_default();
                register.standing_of_unlisted(&subject, began).await?
            }
        };
        Ok((standing == Standing::Ended).then_some(Refusal::Revoked))
    }

    /// Before a session gets its place: enters a login, or tells the new place of one that is listed.
    pub(super) async fn enter(
        &self,
        session: &Session,
        format: &Format,
        locator: Option<&str>,
        ttl: Duration,
    ) -> Result<Standing, Error> {
        let expires = self.expires(ttl);
        let entering = session.with_state(|state| {
            let subject = state.subject(format)?;
            let new = NewSession {
                handle: state.listed_as(format)?,
                locator: locator.map(str::to_owned),
                expires,
                level: state.login.as_ref().and_then(|login| login.level),
                agent: state.login.as_ref().and_then(|login| {
                    let noted = || state.agent.as_deref().map(str::to_owned);
                    login.agent.clone().or_else(noted)
                }),
                address: state.login.as_ref().and_then(|login| login.address.clone()),
            };
            let before = state.left.as_ref().filter(|left| left.subject == subject);
            let before = before.and_then(|left| left.handle);
            Some((subject, new, before, state.login.is_some()))
        });
        match entering {
            None => Ok(Standing::Good),
            Some((subject, new, before, true)) => {
                let ended = self.register.enter(&subject, &new, before.as_ref()).await?;
                if !ended.is_empty() {
                    let count = ended.len();
                    session.tell(crate::EventKind::Revoked { count });
                }
                Ok(Standing::Good)
            }
            Some((subject, new, _, false)) => {
                let handle = new.handle;
                self.register.replace(&subject, &handle, &new).await
            }
        }
    }

    /// Before the entry of a listed session gets another place.
    pub(super) async fn moved(
        &self,
        subject: &str,
        handle: Handle,
        locator: &str,
        ttl: Duration,
    ) -> Result<Standing, Error> {
        let new = NewSession {
            handle,
            locator: Some(locator.to_owned()),
            expires: self.expires(ttl),
            level: None,
            agent: None,
            address: None,
        };
        self.register.replace(subject, &handle, &new).await
    }

    /// After a session has got a new expiry.
    pub(super) async fn renew(&self, session: &Session, ttl: Duration) -> Result<Standing, Error> {
        let (Some(subject), Some(handle)) = (session.subject(), session.listed_as()) else {
            return Ok(Standing::Good);
        };
        self.register
            .renew(&subject, &handle, self.expires(ttl))
            .await
    }

    /// Takes whoever the request has logged out off the list.
    pub(super) async fn leave(&self, session: &Session, format: &Format) -> Result<(), Error> {
        let left = session.with_state(|state: &mut State| {
            let here = state.subject(format);
            state
                .left
                .clone()
                .filter(|left| here.as_ref() != Some(&left.subject))
        });
        if let Some(left) = left
            && let Some(handle) = left.handle
        {
            self.register.leave(&left.subject, &handle).await?;
        }
        session.with_state(|state| state.left = None);
        Ok(())
    }

    pub(super) async fn end_everything(&self) -> Result<(), Error> {
        self.register.end_everything().await.map(drop)
    }

    fn expires(&self, ttl: Duration) -> u64 {
        self.now.unix_seconds().saturating_add(ttl.as_secs())
    }
}

impl Devices for Registration {
    fn list<'a>(
        &'a self,
        subject: &'a str,
        current: Option<&'a Handle>,
    ) -> Answer<'a, Vec<SessionInfo>> {
        Box::pin(async move {
            let sessions = self.register.list(subject).await?;
            let info = sessions.iter().map(|session| session.info(current));
            Ok(info.collect())
        })
    }

    fn end<'a>(&'a self, subject: &'a str, handle: &'a Handle) -> Answer<'a, usize> {
        Box::pin(async move {
            let ended = self.register.end(subject, handle).await?;
            Ok(usize::from(ended.is_some()))
        })
    }

    fn end_all<'a>(&'a self, subject: &'a str, except: Option<&'a Handle>) -> Answer<'a, usize> {
        Box::pin(async move {
            // The store has all of its sessions; of cookies nobody has a list.
            let unlisted_until = match self.kept {
                Kept::InStore => None,
                Kept::InCookie => Some(self.expires(self.longest)),
            };
            let ended = self
                .register
                .end_all(subject, except, unlisted_until)
                .await?;
            Ok(ended.len())
        })
    }
}
