use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use super::{Client, FlaskLogin, Remember, SessionProtection, entry};
use crate::{
    Error, Login, Session,
    cookie::{CookieError, RequestCookies, SetCookie},
    value::Value,
};

/// So many cookies of one name are looked at.
const MOST_COOKIES: usize = 8;

/// Who sends a request, and what the response has to do about `remember_token`.
///
/// Return it with the response, as in `(visitor, Redirect::to("/"))`, or use [`set_cookie`](Self::set_cookie).
#[must_use = "the browser learns of a remembered login only if the visitor goes with the response"]
#[doc(alias = "current_user")]
pub struct Visitor {
    login: FlaskLogin,
    session: Session,
    identifier: String,
    restored: bool,
    has_cookie: bool,
    answer: Answer,
}

/// What becomes of the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Leave,
    Set,
    Remove,
}

impl Visitor {
    pub(super) fn load(
        login: FlaskLogin,
        session: Session,
        cookies: &RequestCookies,
        client: &Client,
    ) -> Result<Self, Error> {
        let name = login.0.cookie.name();
        let has_cookie = cookies.get(name).is_some();
        let remembered = cookies
            .get_all(name)
            .take(MOST_COOKIES)
            .find_map(|token| login.user_of(token))
            .map(str::to_owned);
        let mut visitor = Self {
            login,
            session,
            identifier: client.identifier(),
            restored: false,
            has_cookie,
            answer: Answer::Leave,
        };
        visitor.finish_what_flask_left();
        visitor.protect()?;
        if visitor.user_id().is_none()
            && let Some(user_id) = remembered
            && !visitor.forgotten()
        {
            visitor.restore(&user_id)?;
        }
        if visitor.login.0.refresh_each_request
            && has_cookie
            && visitor.user_id().is_some()
            && visitor.answer == Answer::Leave
        {
            visitor.answer = Answer::Set;
        }
        Ok(visitor)
    }

    /// Flask-Login notes in the session what its response has to do, and takes the note out again; a note that
    /// is still there belongs to a response that never left.
    fn finish_what_flask_left(&mut self) {
        match self.text(entry::REMEMBER).as_deref() {
            Some("clear") => self.answer = Answer::Remove,
            Some("set") if self.user_id().is_some() => self.answer = Answer::Set,
            _ => {}
        }
        if self.session.contains_key(entry::REMEMBER) {
            self.session.remove(entry::REMEMBER);
        }
    }

    fn protect(&mut self) -> Result<(), Error> {
        let protection = self.login.0.protection;
        if protection == SessionProtection::None
            || self.session.is_empty()
            || self.text(entry::CLIENT).as_ref() == Some(&self.identifier)
        {
            return Ok(());
        }
        if protection == SessionProtection::Strong && !self.session.permanent() {
            // Flask-Login takes a session without its mark for another browser's, also an anonymous one.
            if self.user_id().is_some() {
                self.session.logout();
            }
            self.forget();
        } else if self.user_id().is_some() && self.fresh_entry() != Some(false) {
            // Nobody is logged in: nothing to mark, and a page that only reads writes nothing.
            self.session.insert(entry::FRESH, false)?;
        }
        Ok(())
    }

    fn restore(&mut self, user_id: &str) -> Result<(), Error> {
        self.session.login(user_id)?;
        // Nobody proved anything now.
        self.session.insert(entry::FRESH, false)?;
        self.session.remove(entry::AUTHENTICATED_AT);
        if self.login.0.protection == SessionProtection::Strong {
            // Flask-Login leaves it out, and then ends the login with the next request.
            self.session
                .insert(entry::CLIENT, self.identifier.as_str())?;
        }
        self.restored = true;
        Ok(())
    }

    /// Who is logged in: the id that the login was given.
    #[doc(alias = "current_user")]
    pub fn user_id(&self) -> Option<String> {
        match self.session.get::<Value>(entry::USER).ok().flatten()? {
            Value::Text(text) => text.as_str().map(str::to_owned),
            Value::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Whether somebody is logged in who gave the password in this session, and not another browser or an old
    /// `remember_token`. Ask for this before anything important.
    #[doc(alias = "login_fresh")]
    pub fn is_fresh(&self) -> bool {
        self.user_id().is_some() && self.fresh_entry() == Some(true)
    }

    /// Whether this very request made the login out of a `remember_token`. If users can end their remembered
    /// logins, look now whether this one did, and call [`logout`](Self::logout) if so.
    #[doc(alias = "user_loaded_from_cookie")]
    pub fn is_restored(&self) -> bool {
        self.restored
    }

    /// Logs a user in, for whom the application has checked the password: as [`Session::login`], and bound to this
    /// browser and address.
    ///
    /// # Errors
    ///
    /// As [`Session::insert`].
    #[doc(alias = "login_user")]
    pub fn login(&mut self, login: impl Into<Login>, remember: Remember) -> Result<(), Error> {
        self.session.login(login)?;
        self.bind()?;
        match remember {
            Remember::For(duration) => self
                .session
                .insert(entry::REMEMBER_SECONDS, duration.as_secs_f64())?,
            Remember::No | Remember::Yes => drop(self.session.remove(entry::REMEMBER_SECONDS)),
        }
        self.restored = false;
        match remember {
            Remember::Yes | Remember::For(_) => self.answer = Answer::Set,
            Remember::No if self.has_cookie => self.forget(),
            Remember::No => self.answer = Answer::Leave,
        }
        Ok(())
    }

    /// The user has given the password again: the login is fresh, under a new session id.
    ///
    /// # Errors
    ///
    /// As [`Session::insert`].
    #[doc(alias = "confirm_login")]
    pub fn confirm(&mut self) -> Result<(), Error> {
        match self.user_id() {
            Some(user_id) => {
                self.session.login(user_id)?;
                self.bind()
            }
            None => Ok(()),
        }
    }

    /// Logs out: ends the session as [`Session::logout`] does, and the browser forgets its `remember_token`.
    /// (Flask-Login leaves what else is in the session to whoever comes next.)
    #[doc(alias = "logout_user")]
    pub fn logout(&mut self) {
        self.session.logout();
        self.restored = false;
        self.forget();
    }

    /// Notes in the session which page the visitor wanted when sent to log in: Flask-Login's
    /// `USE_SESSION_FOR_NEXT`. The path with its query, as in `/cart?page=2`.
    ///
    /// # Errors
    ///
    /// As [`Session::insert`].
    #[doc(alias = "USE_SESSION_FOR_NEXT")]
    pub fn keep_next(&self, path: &str) -> Result<(), Error> {
        self.session.insert(entry::NEXT, path)?;
        self.bind()
    }

    /// The page that the visitor wanted before the login, noted here or by Flask-Login; taken out of the session.
    /// None if it is not a path of this site: a redirect there could lead anywhere.
    pub fn take_next(&self) -> Option<String> {
        let next = self.text(entry::NEXT)?;
        self.session.remove(entry::NEXT);
        Some(next).filter(|next| is_path_of_this_site(next))
    }

    /// What the response has to set or remove, if anything.
    ///
    /// # Errors
    ///
    /// [`CookieError`] if no browser would keep the cookie.
    pub fn set_cookie(&self) -> Result<Option<SetCookie>, CookieError> {
        let settings = &*self.login.0;
        match (self.answer, self.user_id()) {
            (Answer::Leave, _) | (Answer::Set, None) => Ok(None),
            (Answer::Remove, _) => settings.cookie.delete().map(Some),
            (Answer::Set, Some(user_id)) => {
                let seconds = settings.clock.unix_seconds();
                let now = UNIX_EPOCH + Duration::from_secs(seconds);
                let cookie = match now.checked_add(self.duration()) {
                    Some(expires) => settings.cookie.clone().expires(expires),
                    None => settings.cookie.clone(),
                };
                cookie
                    .set_at(settings.tokens.sign(&user_id, seconds), now)
                    .map(Some)
            }
        }
    }

    fn bind(&self) -> Result<(), Error> {
        self.session.insert(entry::CLIENT, self.identifier.as_str())
    }

    /// The browser's token counts no more, also if this request asks again.
    fn forget(&mut self) {
        self.answer = match self.has_cookie {
            true => Answer::Remove,
            false => Answer::Leave,
        };
        self.session
            .with_state(|state| state.remembered_login_ended = true);
    }

    fn forgotten(&self) -> bool {
        self.answer == Answer::Remove
            || self
                .session
                .with_state(|state| state.remembered_login_ended)
    }

    /// That of the login, in whole seconds, else that of the settings.
    fn duration(&self) -> Duration {
        let entry = self.session.get::<f64>(entry::REMEMBER_SECONDS);
        let seconds = entry.ok().flatten();
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or(self.login.0.duration)
    }

    fn fresh_entry(&self) -> Option<bool> {
        let value = self.session.get::<Value>(entry::FRESH).ok().flatten();
        value.map(|value| value.is_truthy())
    }

    fn text(&self, key: &str) -> Option<String> {
        self.session.get::<String>(key).ok().flatten()
    }
}

/// Browsers take a backslash for a slash, leave out tabs and line ends, and two slashes begin a host.
fn is_path_of_this_site(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && !path
            .bytes()
            .any(|byte| byte == b'\\' || byte.is_ascii_control())
}

/// Never shows who it is.
impl fmt::Debug for Visitor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Visitor")
            .field("logged_in", &self.user_id().is_some())
            .field("fresh", &self.is_fresh())
            .field("restored", &self.restored)
            .finish_non_exhaustive()
    }
}
