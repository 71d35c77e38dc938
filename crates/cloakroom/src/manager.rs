//! Opening and closing sessions: how a cookie, a token, a format and a store make one.

mod cookie;
#[cfg(feature = "inspector")]
mod glance;
mod look;
mod outage;
mod register;
mod registration;
mod renewals;
mod report;
mod seal;
mod stored;
mod turns;
mod users;

#[cfg(feature = "encrypted")]
use std::time::SystemTime;
use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header::USER_AGENT};
use tracing::{Instrument, Level, debug_span, field::Empty, span_enabled};

#[cfg(feature = "inspector")]
pub(crate) use self::glance::{Glance, Left};
pub use self::report::SessionReport;
pub use self::stored::Conversion;
use self::{
    cookie::CookieSessions, look::Look, registration::Registration, stored::StoredSessions,
};
use crate::{
    ConfigError, Error, caches,
    config::{FlaskSettings, Profile, Refresh, SessionConfig},
    cookie::{CookieError, PreparedCookie, Rules, find_all, insert_set_cookie},
    doctor, metrics,
    secret::{KeyUsage, Keys},
    session::{Backend, Entries, Event, EventKind, Protection, Refusal, Session, Status},
    store::Store,
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
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = SessionManager::signed(SecretKey::generate()?, SessionConfig::default())?;
/// let session = manager.open(&HeaderMap::new()).await?;
/// session.insert("username", "alice")?;
///
/// let mut response_headers = HeaderMap::new();
/// manager.close(&session, &mut response_headers).await?;
/// assert!(response_headers.contains_key("set-cookie"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[doc(alias = "SecureCookieSessionInterface")]
#[doc(alias = "ServerSideSessionInterface")]
pub struct SessionManager {
    room: Room,
}

/// Where sessions are kept.
#[derive(Clone)]
enum Room {
    Cookie(Arc<CookieSessions>),
    Store(Arc<StoredSessions>),
}

impl SessionManager {
    /// Sessions in a signed cookie, which the browser can read and not change: Flask's own.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the cookie's attributes contradict each other or no browser would keep it, or if
    /// the settings are those of a Flask application that keeps its sessions in a store.
    pub fn signed(keys: impl Into<Keys>, config: SessionConfig) -> Result<Self, ConfigError> {
        Self::in_cookie(Protection::Signed, keys.into(), config)
    }

    /// Sessions in an encrypted cookie, which the browser can neither read nor change:
    /// [`token::encrypted`](crate::token::encrypted), for the purpose that is the
    /// [`salt`](SessionConfig::salt), the name that is the cookie's, and the
    /// [`tenant`](SessionConfig::tenant). [`SessionConfig::native`] is made for them.
    ///
    /// The signing key of the ring encrypts, all its keys decrypt. No other kind of cookie is read, unless
    /// [`accept_signed`](SessionConfig::accept_signed) says so and until when.
    ///
    /// ```
    /// use cloakroom::{SecretKey, SessionConfig, SessionManager};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = SessionManager::encrypted(SecretKey::generate()?, SessionConfig::native())?;
    /// let session = manager.new_session();
    /// session.insert("username", "alice")?;
    ///
    /// let cookie = manager.cookie_value(&session).unwrap_or_default();
    /// assert!(cookie.starts_with("v1."));
    /// assert_eq!(manager.open_value(&cookie).await?.get("username")?, Some("alice".to_owned()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`signed`](Self::signed).
    #[cfg(feature = "encrypted")]
    pub fn encrypted(keys: impl Into<Keys>, config: SessionConfig) -> Result<Self, ConfigError> {
        Self::in_cookie(Protection::Encrypted, keys.into(), config)
    }

    fn in_cookie(
        protection: Protection,
        keys: Keys,
        config: SessionConfig,
    ) -> Result<Self, ConfigError> {
        if config.stored.demanded {
            return Err(ConfigError::Conflict {
                name: "SESSION_TYPE".to_owned(),
                reason: "it asks for sessions in a store and these live in the cookie: use from_flask, or remove it"
                    .to_owned(),
            });
        }
        #[cfg(feature = "encrypted")]
        if protection == Protection::Signed {
            config.encrypted.refuse_unheeded()?;
        }
        #[cfg(feature = "inspector")]
        let config = config.unwatched();
        let sessions = CookieSessions::new(protection, keys, config)?;
        Ok(Self::looked_over(Room::Cookie(Arc::new(sessions))))
    }

    /// Sessions in a store: the browser has an id, the store the rest. Flask-Session's own entries or, with
    /// [`SessionConfig::native`] or [`SessionConfig::layout`], entries that nobody can log in with.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the settings contradict each other or no browser would keep the cookie.
    #[doc(alias = "Flask-Session")]
    pub fn stored(store: impl Into<Store>, config: SessionConfig) -> Result<Self, ConfigError> {
        #[cfg(feature = "encrypted")]
        config.encrypted.refuse_unheeded()?;
        #[cfg(feature = "inspector")]
        let config = config.unwatched();
        let sessions = StoredSessions::new(store.into(), config)?;
        Ok(Self::looked_over(Room::Store(Arc::new(sessions))))
    }

    fn looked_over(room: Room) -> Self {
        let manager = Self { room };
        doctor::at_start(&manager);
        manager
    }

    /// Sessions where Flask's settings say: with `SESSION_TYPE` in that store, else in a signed cookie.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the setting, as [`FlaskSettings::keys`], [`FlaskSettings::session`] and
    /// [`FlaskSettings::store`].
    #[doc(alias = "Flask-Session")]
    pub async fn from_flask(settings: &FlaskSettings) -> Result<Self, ConfigError> {
        let config = settings.session()?;
        match settings.store().await? {
            Some(store) => Self::stored(store, config),
            None => Self::signed(settings.keys()?, config),
        }
    }

    /// The session of a request, from its headers; an empty one if there is none or it is refused.
    ///
    /// Up to 8 cookies of the session's name are tried, and the first good one is taken. Nothing is
    /// inflated or parsed before its signature is verified, no malformed id reaches a store, and the reason
    /// for a refusal is [`Session::status`].
    ///
    /// # Errors
    ///
    /// Only with a store: [`Error::StoreUnavailable`] or [`Error::StoreRefused`] if it could not be asked.
    /// Nobody knows then whether the visitor has a session, so do not go on without one. Under
    /// [`OutagePolicy::Degrade`](crate::OutagePolicy::Degrade) a store that is down gives a session that
    /// [knows nothing](Session::is_unknown) instead.
    #[doc(alias = "open_session")]
    pub async fn open(&self, headers: &HeaderMap) -> Result<Session, Error> {
        let opened = self.find(headers).await;
        opened.or_else(|error| self.degrade(self.config().stored.on_outage, error))
    }

    /// As [`open`](Self::open), whatever the settings say about a store that is down.
    pub(crate) async fn find(&self, headers: &HeaderMap) -> Result<Session, Error> {
        if cfg!(feature = "metrics") || span_enabled!(target: "cloakroom", Level::DEBUG) {
            // Boxed, so that a request which nobody watches carries no room for it.
            Box::pin(self.look_watched(headers)).await
        } else {
            self.look(headers).await
        }
    }

    async fn look_watched(&self, headers: &HeaderMap) -> Result<Session, Error> {
        let place = self.place();
        let span = debug_span!(target: "cloakroom", "cloakroom.open", place, outcome = Empty);
        let found = self.look(headers).instrument(span.clone()).await;
        let outcome = match &found {
            Ok(session) => session.status().outcome(),
            Err(_) => "failed",
        };
        metrics::opened(place, outcome);
        span.record("outcome", outcome);
        found
    }

    async fn look(&self, headers: &HeaderMap) -> Result<Session, Error> {
        if self.config().refuses_transport(headers) {
            return Ok(self.over_plain_http(headers));
        }
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
            let opened = self.try_open(candidate, Look::Counted).await;
            match opened.inspect_err(|error| self.tell_failure(error, headers))? {
                Ok(session) => {
                    if let Status::Loaded { key_index, .. } = session.status()
                        && key_index > 0
                    {
                        session.tell(EventKind::OldKey { key_index });
                    }
                    self.note_agent(&session, headers);
                    return Ok(session);
                }
                // Of several, the reason that came furthest says most.
                Err(refusal) => refused = refused.max(Some(refusal)),
            }
        }
        if let Some(refusal) = refused {
            self.tell(EventKind::Refused(refusal), headers);
        }
        let session = self.empty_session(refused.map_or(Status::New, Status::Refused));
        self.note_agent(&session, headers);
        Ok(session)
    }

    /// Saves a session and puts what became of it into the headers of the response: at most one Set-Cookie
    /// of our name, `Vary: Cookie`, and with a cookie a Cache-Control that keeps shared caches from storing
    /// it. Changes to the session are refused from now on.
    ///
    /// # Errors
    ///
    /// As [`Session::save`]. The headers are then as before but for `Vary`, and for a new id's cookie if
    /// the old one may be gone; answer with [`Error::status`].
    #[doc(alias = "save_session")]
    pub async fn close(&self, session: &Session, headers: &mut HeaderMap) -> Result<(), Error> {
        let result = session.close().finish().await;
        self.finish(session, result, headers)
    }

    /// Puts the outcome of a commit into the headers of the response.
    pub(crate) fn finish(
        &self,
        session: &Session,
        result: Result<Option<HeaderValue>, Error>,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
        caches::vary_by_cookie(headers);
        if session.is_unknown() {
            caches::never_store(headers);
        }
        let (cookie, result) = match result {
            Ok(cookie) => (cookie, Ok(())),
            Err(error) => {
                metrics::saved(self.place(), "failed");
                (session.saved_header(), Err(error))
            }
        };
        if let Some(cookie) = cookie {
            if insert_set_cookie(headers, cookie).is_err() {
                tracing::error!("the response has too many headers for the session cookie");
            }
            if self.config().profile == Profile::Careful {
                caches::keep_private(headers);
            }
        }
        result
    }

    /// Whether a request that leaves its session alone has to be opened all the same, because Flask
    /// would refresh its cookie.
    pub(crate) fn refreshes_untouched(&self) -> bool {
        self.config().refresh == Refresh::EachRequest
    }

    /// Whether a session is opened without waiting for anything.
    pub(crate) fn opens_at_once(&self) -> bool {
        match &self.room {
            Room::Cookie(sessions) => sessions.registration.is_none(),
            Room::Store(sessions) => sessions.waits_for_nothing(),
        }
    }

    /// The name of the cookie.
    pub fn cookie_name(&self) -> &str {
        self.cookie().name()
    }

    /// The settings.
    pub fn config(&self) -> &SessionConfig {
        match &self.room {
            Room::Cookie(sessions) => &sessions.config,
            Room::Store(sessions) => &sessions.config,
        }
    }

    /// The store; none if sessions live in the cookie.
    pub fn store(&self) -> Option<&Store> {
        match &self.room {
            Room::Cookie(_) => None,
            Room::Store(sessions) => Some(&sessions.store),
        }
    }

    /// Until when signed cookies are read although new ones are encrypted, for a page that shows the health
    /// of a site: the setting [`accept_signed`](SessionConfig::accept_signed). None if only one kind of
    /// cookie is read. The moment may have passed; then they are refused already and the setting can go.
    #[cfg(feature = "encrypted")]
    pub fn accepts_signed_until(&self) -> Option<SystemTime> {
        match &self.room {
            Room::Cookie(sessions) => sessions.accepts_signed_until(),
            Room::Store(_) => None,
        }
    }

    /// Each key, what it does now and how many sessions this process has opened with it so far; nothing for
    /// sessions in a store whose ids are not signed.
    ///
    /// After a rotation this says when the old key can go: when no server has opened a session with it for
    /// a session lifetime. [`Keys`] says how to rotate.
    pub fn key_usage(&self) -> Vec<KeyUsage> {
        let now = self.config().clock.unix_seconds();
        let usage = self.keys().map(|keys| keys.usage_at(now));
        usage.unwrap_or_default()
    }

    /// The session of a cookie value: for tests, tools and inspectors.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the reason; with a store as [`open`](Self::open).
    pub async fn open_value(&self, value: impl AsRef<[u8]>) -> Result<Session, Error> {
        let opened = self.try_open(value.as_ref(), Look::Counted).await?;
        opened.map_err(Error::Refused)
    }

    /// An empty session that belongs to no request.
    pub fn new_session(&self) -> Session {
        self.empty_session(Status::New)
    }

    /// The cookie value for a session, whether or not it changed: what it holds now or, with a store, its
    /// id, which it has once it is saved. Whoever has it has the session.
    pub fn cookie_value(&self, session: &Session) -> Option<String> {
        match &self.room {
            // Base64 and dots are ASCII, so nothing is lost.
            Room::Cookie(sessions) => session
                .with_state(|state| sessions.seal(state))
                .ok()
                .and_then(|token| String::from_utf8(token).ok()),
            Room::Store(sessions) => session
                .id()
                .map(|id| sessions.cookie_value(&id).into_owned()),
        }
    }

    /// The key under which the store has a session; none before it is saved, and for sessions in the
    /// cookie. In Flask's layout whoever has it has the session; in a native one it logs nobody in.
    pub fn store_key(&self, session: &Session) -> Option<String> {
        match &self.room {
            Room::Cookie(_) => None,
            Room::Store(_) => session.id().map(|id| id.key().to_owned()),
        }
    }

    /// Moves the entry under this key of the store from Flask's layout to the native one, if both are in use; see
    /// [`SessionConfig::accept_layout`]. For tools that move what nobody uses just now: a visitor's own request does it
    /// by itself. It may be called while others use the session.
    ///
    /// # Errors
    ///
    /// [`Error::StoreUnavailable`] and its like; what is done so far is good, and a next call completes it.
    pub async fn convert(&self, key: &str) -> Result<Conversion, Error> {
        match &self.room {
            Room::Cookie(_) => Ok(Conversion::NotNeeded),
            Room::Store(sessions) => sessions.convert(key).await,
        }
    }

    /// What a list of devices calls the browser.
    fn note_agent(&self, session: &Session, headers: &HeaderMap) {
        if self.registration().is_some()
            && let Some(agent) = headers.get(USER_AGENT)
        {
            let agent = String::from_utf8_lossy(agent.as_bytes()).into();
            session.with_state(|state| state.agent = Some(agent));
        }
    }

    fn registration(&self) -> Option<&Registration> {
        match &self.room {
            Room::Cookie(sessions) => sessions.registration.as_ref(),
            Room::Store(sessions) => sessions.registration.as_ref(),
        }
    }

    fn tell_failure(&self, error: &Error, headers: &HeaderMap) {
        if let Error::StoreUnavailable { source, .. } | Error::StoreRefused(source) = error {
            self.tell(EventKind::StoreFailed(source.kind()), headers);
        }
    }

    /// Of a request that has no session yet.
    fn tell(&self, kind: EventKind, headers: &HeaderMap) {
        self.config().observer.tell(&Event {
            kind,
            session: None,
            subject: None,
            headers: Some(headers),
        });
    }

    async fn try_open(&self, value: &[u8], look: Look) -> Result<Result<Session, Refusal>, Error> {
        match &self.room {
            Room::Cookie(sessions) => match sessions.open(value, look) {
                Ok(session) => Ok(match sessions.check(&session).await? {
                    None => Ok(session),
                    Some(refusal) => Err(refusal),
                }),
                refused => Ok(refused),
            },
            Room::Store(sessions) => sessions.open(value, look).await,
        }
    }

    fn empty_session(&self, status: Status) -> Session {
        match &self.room {
            Room::Cookie(sessions) => sessions.session(Entries::empty(), status),
            Room::Store(sessions) => sessions.session(status),
        }
    }

    pub(crate) fn place(&self) -> &'static str {
        match &self.room {
            Room::Cookie(sessions) => sessions.place(),
            Room::Store(sessions) => sessions.place(),
        }
    }

    /// The keys that sign or encrypt, where there are any.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        match &self.room {
            Room::Cookie(sessions) => Some(sessions.keys()),
            Room::Store(sessions) => sessions.keys(),
        }
    }

    /// How the session in the cookie is protected; none if it is in a store.
    pub(crate) fn protection(&self) -> Option<Protection> {
        match &self.room {
            Room::Cookie(sessions) => Some(sessions.protection),
            Room::Store(_) => None,
        }
    }

    /// The cookie's attributes but for its expiry, as the header has them.
    pub(crate) fn cookie_attributes(&self) -> String {
        self.cookie().attributes()
    }

    fn cookie(&self) -> &PreparedCookie {
        match &self.room {
            Room::Cookie(sessions) => &sessions.cookie,
            Room::Store(sessions) => &sessions.cookie,
        }
    }
}

/// When a cookie that is set now and lives so long expires, in unix seconds.
fn expires(config: &SessionConfig, ttl: Duration) -> i64 {
    /// The last second of the year 9999, beyond which no header can tell a date.
    const LAST: i64 = 253_402_300_799;
    let now = i64::try_from(config.clock.unix_seconds()).unwrap_or(LAST);
    let expires = now.saturating_add_unsigned(ttl.as_secs()).min(LAST);
    match config.profile {
        Profile::Careful => Rules::Strict.clamp_expires(expires, now),
        Profile::Flask => expires,
    }
}

fn unsendable(error: CookieError) -> Error {
    Error::Unsendable(error.to_string())
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionManager")
            .field("cookie", &self.cookie_name())
            .field("store", &self.store())
            .finish_non_exhaustive()
    }
}
