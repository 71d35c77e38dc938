use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Handle, Login, Operation, Session, State};
use crate::{Error, format::Format, value::Value};

/// The key of the user's id: Flask-Login's own.
pub(crate) const SUBJECT: &str = "_user_id";
/// Whether the login was made by hand and not by a remembered cookie: Flask-Login's own.
pub(crate) const FRESH: &str = "_fresh";
/// When the user proved who it is, in unix seconds.
pub(crate) const AUTHENTICATED_AT: &str = "_auth_time";
/// How strong that proof was, if the application said so.
pub(crate) const LEVEL: &str = "_auth_level";
/// When the session began, in unix seconds: at the login, or when it was first stored.
pub(crate) const CREATED: &str = "_created";
/// What the session is called in the list of its user's sessions.
pub(crate) const HANDLE: &str = "_sid";
/// Who has given a password and owes a second proof.
const PENDING: &str = "_pending_user_id";
/// Since when.
const PENDING_SINCE: &str = "_pending_since";

/// Who the session belongs to.
impl Session {
    /// Logs a user in: a new id, the user's, and the time of the proof, in one commit.
    ///
    /// What an anonymous visitor had in the session (a cart) stays. What another user had goes first. In a
    /// store the old id is dead before the new cookie leaves; a session in a cookie is written anew. The
    /// session begins now, for the [idle](crate::SessionConfig::lifetime) and for the
    /// [absolute](crate::SessionConfig::absolute_lifetime) lifetime, so a second login of the same user (a
    /// password asked again) starts both.
    ///
    /// The user's id is kept under `_user_id`, where Flask-Login has it.
    ///
    /// # Errors
    ///
    /// [`Error::ResponseStarted`] if it is too late.
    #[doc(alias = "login_user")]
    pub fn login(&self, login: impl Into<Login>) -> Result<(), Error> {
        let login = login.into();
        let now = self.now();
        let format = self.format();
        let handle = match self.config().user_sessions {
            Some(_) => Some(Handle::generate().map_err(|error| Error::Random(error.to_string()))?),
            None => None,
        };
        let mut state = self.write_open()?;
        state.leave(format);
        if state
            .subject(format)
            .is_some_and(|other| other != login.subject)
        {
            state.clear(format);
        }
        if let Some(handle) = handle {
            state.insert(format, HANDLE, handle.to_string().into())?;
        }
        state.remove(format, PENDING);
        state.remove(format, PENDING_SINCE);
        state.insert(format, SUBJECT, login.subject.as_str().into())?;
        state.insert(format, FRESH, Value::Bool(true))?;
        state.insert(format, AUTHENTICATED_AT, now.into())?;
        state.insert(format, CREATED, now.into())?;
        match login.level {
            Some(level) => state.insert(format, LEVEL, u64::from(level).into())?,
            None => drop(state.remove(format, LEVEL)),
        }
        state.login = Some(Box::new(login));
        state.regenerated = true;
        Ok(())
    }

    /// The first half of a login that takes two proofs: remembers who gave the password, under a new id, and
    /// logs nobody in. [`login`](Self::login) completes it.
    ///
    /// Handlers of the second step name [`PendingUser`](crate::PendingUser) as an argument, all others
    /// [`User`](crate::User): the one is never the other, so a forgotten check does not compile.
    ///
    /// # Errors
    ///
    /// [`Error::ResponseStarted`] if it is too late.
    pub fn begin_login(&self, subject: impl Into<String>) -> Result<(), Error> {
        let subject = subject.into();
        let now = self.now();
        let format = self.format();
        let mut state = self.write_open()?;
        if state.subject(format).is_some_and(|other| other != subject) {
            state.clear(format);
        }
        for key in [SUBJECT, FRESH, AUTHENTICATED_AT, LEVEL] {
            state.remove(format, key);
        }
        state.insert(format, PENDING, subject.into())?;
        state.insert(format, PENDING_SINCE, now.into())?;
        state.regenerated = true;
        Ok(())
    }

    /// Logs out: ends the session as [`destroy`](Self::destroy) does.
    ///
    /// It takes effect with the response. If the store cannot do it, the response is a 503 whatever the handler
    /// answers, also where a route goes on without a store: nobody is told to be logged out who is not.
    #[doc(alias = "logout_user")]
    pub fn logout(&self) {
        self.destroy();
    }

    /// The user who is logged in, by this library or by Flask-Login.
    #[doc(alias = "current_user")]
    pub fn subject(&self) -> Option<String> {
        self.read().subject(self.format())
    }

    /// The user who has begun to log in and owes the second proof, and since when.
    pub fn pending_subject(&self) -> Option<(String, SystemTime)> {
        let state = self.read();
        let subject = state.text(self.format(), PENDING)?;
        let since = state.time(self.format(), PENDING_SINCE)?;
        Some((subject, moment(since)))
    }

    /// When the user proved who it is; none without a login of this library.
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        self.read()
            .time(self.format(), AUTHENTICATED_AT)
            .map(moment)
    }

    /// Whether the user proved who it is within this time: ask before a password change or a payment, and if
    /// not, ask for the password again.
    ///
    /// False for a login that was remembered by Flask-Login's cookie.
    #[doc(alias = "login_fresh")]
    #[doc(alias = "fresh_login_required")]
    pub fn authenticated_within(&self, time: Duration) -> bool {
        let now = self.now();
        let state = self.read();
        let fresh = state.entries.get(self.format(), FRESH);
        state.subject(self.format()).is_some()
            && fresh.is_some_and(|fresh| fresh.is_truthy())
            && state
                .time(self.format(), AUTHENTICATED_AT)
                .is_some_and(|at| now.saturating_sub(at) <= time.as_secs())
    }

    /// The level that the login was given, if any.
    pub fn auth_level(&self) -> Option<u8> {
        let level = self.read().time(self.format(), LEVEL)?;
        u8::try_from(level).ok()
    }

    /// When the session began: at its login or, with an absolute lifetime, when it was first stored.
    pub fn created_at(&self) -> Option<SystemTime> {
        self.read().created(self.format()).map(moment)
    }

    /// What the session is called in the list of its user's sessions, if it is there.
    pub(crate) fn listed_as(&self) -> Option<Handle> {
        self.with_state(|state| state.listed_as(self.format()))
    }

    fn now(&self) -> u64 {
        self.config().clock.unix_seconds()
    }
}

impl State {
    pub(crate) fn subject(&self, format: &Format) -> Option<String> {
        self.text(format, SUBJECT)
    }

    /// When the session began, in unix seconds, if it says so.
    pub(crate) fn created(&self, format: &Format) -> Option<u64> {
        self.time(format, CREATED)
    }

    /// A session whose lifetime is limited has to say when it began.
    pub(crate) fn stamp(&mut self, format: &Format, now: u64) {
        let value = Value::from(now);
        // A number can be written in every format.
        if self.entries.insert(format, CREATED, value.clone()).is_ok() {
            self.changed(|| Operation::SetIfMissing(CREATED.to_owned(), value));
        }
    }

    pub(crate) fn text(&self, format: &Format, key: &str) -> Option<String> {
        let value = self.entries.get(format, key)?;
        value.as_str().map(str::to_owned)
    }

    fn time(&self, format: &Format, key: &str) -> Option<u64> {
        let value = self.entries.get(format, key)?;
        crate::value::from_value(value).ok()
    }
}

fn moment(unix_seconds: u64) -> SystemTime {
    let since = Duration::from_secs(unix_seconds);
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}
