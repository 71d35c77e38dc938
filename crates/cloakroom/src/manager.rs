use std::{
    fmt,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderValue};

use crate::{
    ConfigError, Error, caches,
    config::{CookieLimit, Profile, Refresh, SessionConfig},
    cookie::{CookieError, PreparedCookie, Rules, find_all, insert_set_cookie},
    format::TaggedJson,
    json::JsonError,
    secret::KeyRing,
    session::{Backend, Change, Commit, Entries, Refusal, Session, State, Status, decide},
    token::{
        payload::{self, PayloadError},
        signed::{SignerOptions, TimestampSigner, TokenError, TokenErrorReason},
    },
};

/// No more cookies of one name are tried; a browser has no reason to send more.
const MAX_CANDIDATES: usize = 8;

/// Opens sessions from requests and closes them into responses. The doors to web frameworks are thin
/// wrappers around it; use it directly in a framework that has none.
///
/// Clones share everything.
///
/// ```
/// use cloakroom::{SecretKey, SessionConfig, SessionManager};
/// use http::HeaderMap;
///
/// let manager = SessionManager::signed(SecretKey::generate()?, SessionConfig::default())?;
/// let session = manager.open(&HeaderMap::new());
/// session.insert("username", "alice")?;
///
/// let mut response_headers = HeaderMap::new();
/// manager.close(&session, &mut response_headers)?;
/// assert!(response_headers.contains_key("set-cookie"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[doc(alias = "SecureCookieSessionInterface")]
pub struct SessionManager {
    inner: Arc<Inner>,
}

struct Inner {
    signer: TimestampSigner,
    cookie: PreparedCookie,
    config: SessionConfig,
    /// How old a cookie may be before a request that only reads renews it; none: it never does.
    renew_after: Option<u64>,
}

impl SessionManager {
    /// Sessions in a signed cookie, which the browser can read and not change: Flask's own.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the cookie's attributes contradict each other or no browser would keep it.
    pub fn signed(keys: impl Into<KeyRing>, config: SessionConfig) -> Result<Self, ConfigError> {
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
            inner: Arc::new(Inner {
                signer,
                cookie,
                config,
                renew_after,
            }),
        })
    }

    /// The session of a request, from its headers; an empty one if there is none or it is refused.
    ///
    /// Up to 8 cookies of the session's name are tried, and the first good one is taken. Nothing is
    /// inflated or parsed before its signature is verified, and nothing here fails: the reason for a
    /// refusal is [`Session::status`].
    #[doc(alias = "open_session")]
    pub fn open(&self, headers: &HeaderMap) -> Session {
        let mut refused: Option<Refusal> = None;
        let candidates = find_all(headers, self.cookie_name(), MAX_CANDIDATES);
        if candidates.len() > 1 {
            let (tried, left_out) = (candidates.len(), candidates.omitted());
            tracing::debug!(tried, left_out, "several cookies have the session's name");
        }
        for candidate in candidates.iter() {
            // An empty cookie is no cookie, as in Flask.
            if candidate.is_empty() {
                continue;
            }
            match self.inner.open(candidate) {
                Ok((entries, status)) => return self.session(entries, status),
                // Of several, the reason that came furthest says most.
                Err(refusal) => refused = refused.max(Some(refusal)),
            }
        }
        let status = refused.map_or(Status::New, Status::Refused);
        if let Some(refusal) = refused {
            tracing::debug!(code = refusal.code(), "session cookie refused");
        }
        self.session(Entries::empty(), status)
    }

    /// Puts what became of a session into the headers of the response: at most one Set-Cookie of our
    /// name, `Vary: Cookie`, and with a cookie a Cache-Control that keeps shared caches from storing
    /// it. Changes to the session are refused from now on.
    ///
    /// # Errors
    ///
    /// [`Error::CookieTooLarge`]; the headers are then as before but for `Vary`.
    #[doc(alias = "save_session")]
    pub fn close(&self, session: &Session, headers: &mut HeaderMap) -> Result<(), Error> {
        caches::vary_by_cookie(headers);
        let Some(cookie) = session.close()? else {
            return Ok(());
        };
        if insert_set_cookie(headers, cookie).is_err() {
            tracing::error!("the response has too many headers for the session cookie");
        }
        if self.inner.config.profile == Profile::Careful {
            caches::keep_private(headers);
        }
        Ok(())
    }

    /// Whether a request that leaves its session alone has to be opened all the same, because Flask
    /// would refresh its cookie.
    pub(crate) fn refreshes_untouched(&self) -> bool {
        self.inner.config.refresh == Refresh::EachRequest
    }

    /// The name of the cookie.
    pub fn cookie_name(&self) -> &str {
        self.inner.cookie.name()
    }

    /// The settings.
    pub fn config(&self) -> &SessionConfig {
        &self.inner.config
    }

    /// The session that a cookie value holds, or why it is refused: for tests, tools and inspectors.
    ///
    /// # Errors
    ///
    /// The [`Refusal`].
    pub fn open_value(&self, value: impl AsRef<[u8]>) -> Result<Session, Refusal> {
        let (entries, status) = self.inner.open(value.as_ref())?;
        Ok(self.session(entries, status))
    }

    /// An empty session that belongs to no request.
    pub fn new_session(&self) -> Session {
        self.session(Entries::empty(), Status::New)
    }

    /// The cookie value for what a session holds now, whether or not it changed.
    pub fn cookie_value(&self, session: &Session) -> String {
        // Base64 and dots are ASCII, so nothing is lost.
        String::from_utf8(self.inner.seal(&session.to_json())).unwrap_or_default()
    }

    fn session(&self, entries: Entries, status: Status) -> Session {
        Session::new(State::new(entries, status), self.inner.clone())
    }
}

impl Inner {
    fn open(&self, token: &[u8]) -> Result<(Entries, Status), Refusal> {
        let now = self.config.clock.unix_seconds();
        let unsigned =
            self.signer
                .unsign_parts(token, now, Some(self.config.lifetime.as_secs()))?;
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
        Ok((entries, status))
    }

    fn seal(&self, document: &[u8]) -> Vec<u8> {
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
        let due = match (self.config.refresh, self.renew_after, &state.status) {
            (Refresh::EachRequest, ..) => state.permanent(&self.config.format),
            (_, Some(after), Status::Loaded { signed_at, .. }) => {
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
        let document = state.entries.to_json(&self.config.format);
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
        let expires = state.permanent(&self.config.format).then(|| self.expires());
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

    fn expires(&self) -> i64 {
        /// The last second of the year 9999, beyond which no header can tell a date.
        const LAST: i64 = 253_402_300_799;
        let now = i64::try_from(self.config.clock.unix_seconds()).unwrap_or(LAST);
        let expires = now
            .saturating_add_unsigned(self.config.lifetime.as_secs())
            .min(LAST);
        match self.config.profile {
            Profile::Careful => Rules::Strict.clamp_expires(expires, now),
            Profile::Flask => expires,
        }
    }
}

impl Backend for Inner {
    fn format(&self) -> &TaggedJson {
        &self.config.format
    }

    fn commit(&self, state: &State) -> Result<Option<HeaderValue>, Error> {
        match decide(state.entries.is_empty(), self.change(state)) {
            Commit::Nothing => Ok(None),
            Commit::Set => self.set(state).map(Some),
            Commit::Delete => self.cookie.delete_header().map(Some).map_err(unsendable),
        }
    }
}

fn unsendable(error: CookieError) -> Error {
    Error::Unsendable(error.to_string())
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

impl fmt::Debug for SessionManager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionManager")
            .field("cookie", &self.cookie_name())
            .finish_non_exhaustive()
    }
}
