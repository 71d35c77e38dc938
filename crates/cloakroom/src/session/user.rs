use std::{fmt, ops::Deref, time::SystemTime};

use super::Session;
use crate::Error;

/// Somebody who is logged in: an extractor for handlers that are for users only.
///
/// A visitor who is not logged in gets 401 ([`Error::LoginRequired`]); take `Option<User>` to send them to
/// the login page instead. A visitor who has only given the password, where a second proof is due, is a
/// [`PendingUser`] and no `User`. It derefs to the session.
///
/// ```
/// use cloakroom::{Error, User};
///
/// async fn account(user: User) -> Result<String, Error> {
///     let visits = user.get::<u64>("visits")?.unwrap_or_default();
///     Ok(format!("{} was here {visits} times", user.id()))
/// }
/// ```
#[doc(alias = "login_required")]
#[doc(alias = "current_user")]
#[derive(Clone)]
pub struct User {
    id: String,
    session: Session,
}

impl User {
    /// The user of a session.
    ///
    /// # Errors
    ///
    /// [`Error::LoginRequired`] if nobody is logged in; [`Error::StoreUnavailable`] if nobody knows
    /// ([`Session::is_unknown`]).
    pub fn of(session: Session) -> Result<Self, Error> {
        let session = session.known()?;
        let id = session.subject().ok_or(Error::LoginRequired)?;
        Ok(Self { id, session })
    }

    /// What the login called them.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Their session.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl Deref for User {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

/// Somebody who has given the password and owes a second proof: an extractor for the handlers of that step.
///
/// ```
/// use cloakroom::{Error, Login, PendingUser};
///
/// async fn second_step(pending: PendingUser) -> Result<&'static str, Error> {
///     // … once the code is right:
///     pending.session().login(Login::new(pending.id()).level(2))?;
///     Ok("Welcome")
/// }
/// ```
#[derive(Clone)]
pub struct PendingUser {
    id: String,
    since: SystemTime,
    session: Session,
}

impl PendingUser {
    /// The user whose login a session has begun.
    ///
    /// # Errors
    ///
    /// [`Error::NoLoginBegun`] if there is none; [`Error::StoreUnavailable`] if nobody knows
    /// ([`Session::is_unknown`]).
    pub fn of(session: Session) -> Result<Self, Error> {
        let session = session.known()?;
        let (id, since) = session.pending_subject().ok_or(Error::NoLoginBegun)?;
        Ok(Self { id, since, session })
    }

    /// What [`Session::begin_login`] called them.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When they gave the password. Refuse one that is older than a few minutes.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// Their session.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// Shows the session, never who it is.
impl fmt::Debug for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("User").field(&self.session).finish()
    }
}

/// Shows the session, never who it is.
impl fmt::Debug for PendingUser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("PendingUser")
            .field(&self.session)
            .finish()
    }
}
