use super::{Registration, Room, SessionManager};
use crate::{
    Error,
    session::{Devices, Event, EventKind, Handle, SessionInfo},
};

/// The sessions of users, for operators. All of these need the setting
/// [`user_sessions`](crate::SessionConfig::user_sessions); [`Session`](crate::Session) has the same for the user
/// who is logged in.
impl SessionManager {
    /// The sessions of a user, the newest login first.
    ///
    /// # Errors
    ///
    /// [`Error::NotTracked`] without the setting; [`Error::StoreUnavailable`] and its like.
    pub async fn sessions_of(&self, subject: &str) -> Result<Vec<SessionInfo>, Error> {
        self.tracked()?.list(subject, None).await
    }

    /// Ends one session of a user, and says whether there was one of this handle.
    ///
    /// # Errors
    ///
    /// As [`sessions_of`](Self::sessions_of). If the store fails in between, call it again.
    pub async fn end_session_of(&self, subject: &str, handle: &Handle) -> Result<bool, Error> {
        let count = self.tracked()?.end(subject, handle).await?;
        self.tell_revoked(subject, count);
        Ok(count > 0)
    }

    /// Ends all sessions of a user, and says how many: logs them out everywhere.
    ///
    /// A request that is under way in one of them cannot bring it back. A login that Flask made is on no list:
    /// in a store it lives on, in a cookie it ends if it was signed before.
    ///
    /// # Errors
    ///
    /// As [`sessions_of`](Self::sessions_of). On an error some may live on: call it again.
    pub async fn end_sessions_of(&self, subject: &str) -> Result<usize, Error> {
        let count = self.tracked()?.end_all(subject, None).await?;
        self.tell_revoked(subject, count);
        Ok(count)
    }

    /// Ends all sessions of everyone that began before now, or within this second: after a leak, say.
    ///
    /// Other servers know it after the [lag](crate::UserSessions::lag). Entries in a store are deleted too, as
    /// far as the store can list them; those of a store that cannot are refused all the same if they say when
    /// they began, as all do that were made with the setting.
    ///
    /// # Errors
    ///
    /// As [`sessions_of`](Self::sessions_of). On an error some may live on: call it again.
    pub async fn end_everything(&self) -> Result<(), Error> {
        self.tracked()?.end_everything().await?;
        if let Room::Store(sessions) = &self.room {
            sessions.delete_all().await?;
        }
        Ok(())
    }

    fn tracked(&self) -> Result<&Registration, Error> {
        self.registration().ok_or(Error::NotTracked)
    }

    fn tell_revoked(&self, subject: &str, count: usize) {
        if count > 0 {
            self.config().observer.tell(&Event {
                kind: EventKind::Revoked { count },
                session: None,
                subject: Some(subject),
                headers: None,
            });
        }
    }
}
