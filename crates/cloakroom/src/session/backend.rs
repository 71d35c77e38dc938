use std::{pin::Pin, sync::Arc};

use http::HeaderValue;

use super::{Devices, Session};
use crate::{Error, SessionConfig, format::Format};

/// What a session needs from the room that opened it.
pub(crate) trait Backend: Send + Sync {
    fn format(&self) -> &Format;

    fn config(&self) -> &SessionConfig;

    /// Where sessions live, in a word: the cookie's protection, or what the store is called.
    fn place(&self) -> &'static str;

    /// Where it is kept who has which sessions, if it is.
    fn devices(&self) -> Option<&dyn Devices>;

    /// Makes what the session holds now last, and says what the response has to set.
    fn commit(self: Arc<Self>, session: &Session) -> Commit;
}

/// The Set-Cookie header that a commit calls for, if any: at once, or when a store has answered.
pub(crate) enum Commit {
    Done(Result<Option<HeaderValue>, Error>),
    Pending(Pin<Box<dyn Future<Output = Result<Option<HeaderValue>, Error>> + Send>>),
}

impl Commit {
    pub(crate) async fn finish(self) -> Result<Option<HeaderValue>, Error> {
        match self {
            Self::Done(result) => result,
            Self::Pending(future) => future.await,
        }
    }
}
