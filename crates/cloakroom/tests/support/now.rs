//! Cookie sessions without a runtime: nothing of theirs waits.

use cloakroom::{Error, Refusal, Session, SessionManager, testing, testing::Browser};
use http::HeaderMap;

pub(crate) trait Now {
    fn open_now(&self, headers: &HeaderMap) -> Session;
    fn open_value_now(&self, value: impl AsRef<[u8]>) -> Result<Session, Refusal>;
    fn close_now(&self, session: &Session, headers: &mut HeaderMap) -> Result<(), Error>;
}

impl Now for SessionManager {
    fn open_now(&self, headers: &HeaderMap) -> Session {
        testing::now(self.open(headers)).unwrap().unwrap()
    }

    fn open_value_now(&self, value: impl AsRef<[u8]>) -> Result<Session, Refusal> {
        match testing::now(self.open_value(value)).unwrap() {
            Ok(session) => Ok(session),
            Err(Error::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        }
    }

    fn close_now(&self, session: &Session, headers: &mut HeaderMap) -> Result<(), Error> {
        testing::now(self.close(session, headers)).unwrap()
    }
}

pub(crate) trait SaveNow {
    fn save_now(&self) -> Result<(), Error>;
}

impl SaveNow for Session {
    fn save_now(&self) -> Result<(), Error> {
        testing::now(self.save()).unwrap()
    }
}

pub(crate) trait SessionNow {
    fn session_now<R>(
        &mut self,
        manager: &SessionManager,
        with: impl FnOnce(&Session) -> R,
    ) -> Result<R, Refusal>;
}

impl SessionNow for Browser {
    fn session_now<R>(
        &mut self,
        manager: &SessionManager,
        with: impl FnOnce(&Session) -> R,
    ) -> Result<R, Refusal> {
        match testing::now(self.session(manager, with)).unwrap() {
            Ok(result) => Ok(result),
            Err(Error::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        }
    }
}
