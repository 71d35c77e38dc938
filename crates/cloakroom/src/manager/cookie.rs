use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::HeaderValue;

use super::{expires, unsendable};
use crate::{
    ConfigError, Error,
    config::{CookieLimit, Profile, Refresh, SessionConfig},
    cookie::{PreparedCookie, Rules},
    format::Format,
    json::JsonError,
    secret::KeyRing,
    session::{
        Activity, Backend, Change, Commit, CookieCommit, Entries, Home, Refusal, Session, State,
        Status, decide_cookie,
    },
    token::{
        payload::{self, PayloadError},
        signed::{SignerOptions, TimestampSigner, TokenError, TokenErrorReason},
    },
};

/// Sessions that the browser keeps, in a signed cookie.
pub(super) struct CookieSessions {
    pub(super) cookie: PreparedCookie,
    pub(super) config: SessionConfig,
    signer: TimestampSigner,
    format: Format,
    /// How old a cookie may be before a request that only reads renews it; none: it never does.
    renew_after: Option<u64>,
}

impl CookieSessions {
    pub(super) fn new(
        keys: impl Into<KeyRing>,
        config: SessionConfig,
    ) -> Result<Self, ConfigError> {
        // The rules are checked here; the size is checked with the largest keys at hand, when saving.
        config.cookie.clone().rules(Rules::Strict).prepare()?;
        let cookie = config.cookie.clone().rules(Rules::Werkzeug).prepare()?;
        let options = SignerOptions::flask()
            .digest(config.digest)
            .leniency(config.leniency);
        let signer = TimestampSigner::with_options(keys, &config.salt, &options)
            .leeway(config.leeway)
            .legacy_epoch(config.legacy_epoch);
        let renew_after = match config.refresh {
            Refresh::After(after) => Some(after.min(config.lifetime / 10).as_secs()),
            Refresh::EachRequest | Refresh::OnChange => None,
        };
        Ok(Self {
            cookie,
            signer,
            format: Format::Tagged(config.format.clone()),
            config,
            renew_after,
        })
    }

    pub(super) fn open(self: &Arc<Self>, token: &[u8]) -> Result<Session, Refusal> {
        let now = self.config.clock.unix_seconds();
        let unsigned =
            self.signer
                .unsign_parts(token, now, Some(self.config.longest_idle().as_secs()))?;
        let document = payload::decode(
            unsigned.value,
            self.config.leniency,
            self.config.max_inflated_size,
        )?;
        let document = String::from_utf8(document).map_err(|_| Refusal::BadPayload)?;
        let entries = Entries::open(&self.config.format, document)?;
        let signed_at = UNIX_EPOCH.checked_add(Duration::from_secs(unsigned.signed_at));
        let status = Status::Loaded {
            signed_at: signed_at.unwrap_or(UNIX_EPOCH),
            key_index: unsigned.key_index,
        };
        let state = State::new(entries, status, Home::Cookie);
        if now.saturating_sub(unsigned.signed_at) > self.config.idle(&state, &self.format).as_secs()
        {
            return Err(Refusal::Expired);
        }
        if self.config.lifetime_is_over(&state, &self.format) {
            return Err(Refusal::LifetimeOver);
        }
        Ok(Session::new(state, self.clone()))
    }

    pub(super) fn session(self: &Arc<Self>, entries: Entries, status: Status) -> Session {
        Session::new(State::new(entries, status, Home::Cookie), self.clone())
    }

    pub(super) fn seal(&self, document: &[u8]) -> Vec<u8> {
        let mut token = Vec::with_capacity(document.len() * 4 / 3 + 128);
        payload::encode_into(&mut token, document, self.config.compression);
        self.signer
            .sign_into(&mut token, 0, self.config.clock.unix_seconds());
        token
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
        let document = state.entries.to_bytes(&self.format)?;
        let value = self.seal(&document);
        let size = self.cookie.name().len() + value.len();
        if let CookieLimit::Error(limit) = self.config.cookie_limit
            && size > limit
        {
            return Err(Error::CookieTooLarge {
                size,
                limit,
                largest: state.entries.largest(3),
            });
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

    fn commit<'a>(&'a self, session: &'a Session) -> Commit<'a> {
        Commit::Done(session.with_state(|state| {
            let renewable =
                matches!(state.status, Status::Loaded { .. }) && state.activity == Activity::Counts;
            if (state.modified || renewable) && self.config.lacks_beginning(state, &self.format) {
                state.stamp(&self.format, self.config.clock.unix_seconds());
            }
            match decide_cookie(state.is_empty(), self.change(state)) {
                CookieCommit::Nothing => Ok(None),
                CookieCommit::Set => self.set(state).map(Some),
                CookieCommit::Delete => self.cookie.delete_header().map(Some).map_err(unsendable),
            }
        }))
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error.reason() {
            TokenErrorReason::TimestampMissing | TokenErrorReason::TimestampMalformed => {
                Self::BadTimestamp
            }
            TokenErrorReason::TooOld => Self::Expired,
            TokenErrorReason::FromTheFuture => Self::FromTheFuture,
            _ => Self::BadSignature,
        }
    }
}

impl From<PayloadError> for Refusal {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::TooLarge { .. } => Self::TooLarge,
            _ => Self::BadPayload,
        }
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
