use std::pin::Pin;

use super::{EventKind, Handle, Session, SessionInfo};
use crate::Error;

/// Where it is kept who has which sessions.
pub(crate) trait Devices: Send + Sync {
    fn list<'a>(
        &'a self,
        subject: &'a str,
        current: Option<&'a Handle>,
    ) -> Answer<'a, Vec<SessionInfo>>;

    /// How many ended: one or none.
    fn end<'a>(&'a self, subject: &'a str, handle: &'a Handle) -> Answer<'a, usize>;

    /// How many ended.
    fn end_all<'a>(&'a self, subject: &'a str, except: Option<&'a Handle>) -> Answer<'a, usize>;
}

/// What a [`Devices`] answers when its store has.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The sessions of the user who is logged in. All of these need the setting
/// [`user_sessions`](crate::SessionConfig::user_sessions).
impl Session {
    /// What this session is called in lists, events and logs; none before it is stored. It is no credential.
    pub fn handle(&self) -> Option<Handle> {
        self.with_state(|state| state.handle(self.format()))
    }

    /// The sessions of this user, the newest login first: where they are logged in. Empty if nobody is.
    ///
    /// ```
    /// use cloakroom::{Error, User};
    ///
    /// async fn devices(user: User) -> Result<String, Error> {
    ///     let sessions = user.user_sessions().await?;
    ///     let line = |device: &cloakroom::SessionInfo| {
    ///         let agent = device.agent.as_deref().unwrap_or("unknown");
    ///         format!("{agent}{}\n", if device.current { " (this one)" } else { "" })
    ///     };
    ///     Ok(sessions.iter().map(line).collect())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotTracked`] without the setting; [`Error::StoreUnavailable`] and its like.
    pub async fn user_sessions(&self) -> Result<Vec<SessionInfo>, Error> {
        let devices = self.devices()?;
        match self.subject() {
            Some(subject) => devices.list(&subject, self.handle().as_ref()).await,
            None => Ok(Vec::new()),
        }
    }

    /// Ends one of this user's sessions, and says whether there was one of this handle. Requests that are under
    /// way in it cannot bring it back.
    ///
    /// To end this very session, call [`logout`](Self::logout), which removes the cookie too.
    ///
    /// # Errors
    ///
    /// As [`user_sessions`](Self::user_sessions). If the store fails in between, call it again.
    pub async fn end_session(&self, handle: &Handle) -> Result<bool, Error> {
        let devices = self.devices()?;
        let Some(subject) = self.subject() else {
            return Ok(false);
        };
        let count = devices.end(&subject, handle).await?;
        self.tell_revoked(count);
        Ok(count > 0)
    }

    /// Ends all sessions of this user but this one, and says how many: after a change of the password, say.
    ///
    /// # Errors
    ///
    /// As [`user_sessions`](Self::user_sessions). On an error some may live on: call it again.
    pub async fn end_other_sessions(&self) -> Result<usize, Error> {
        let devices = self.devices()?;
        let Some(subject) = self.subject() else {
            return Ok(0);
        };
        let count = devices.end_all(&subject, self.handle().as_ref()).await?;
        self.tell_revoked(count);
        Ok(count)
    }

    fn devices(&self) -> Result<&dyn Devices, Error> {
        self.inner.backend.devices().ok_or(Error::NotTracked)
    }

    fn tell_revoked(&self, count: usize) {
        if count > 0 {
            self.tell(EventKind::Revoked { count });
        }
    }
}
