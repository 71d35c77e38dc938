use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
};

use http::{HeaderMap, header::COOKIE};

use crate::{Error, Session, SessionManager};

/// A request's session that nobody has opened yet. It travels in the request's extensions, and the
/// response looks into it when it leaves.
#[derive(Clone, Debug)]
pub(super) struct Slot(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// None only while the slot waits for its next request.
    manager: Option<SessionManager>,
    session: OnceLock<Session>,
    /// The request's cookies, kept only where an untouched session may have to be refreshed.
    cookies: Option<HeaderMap>,
}

thread_local! {
    /// Empty slots of requests that left their session alone, for the next requests: most do, and so
    /// cost no allocation here. A slot that was opened never comes back.
    static SPARE: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
}

/// Spare slots that a thread keeps; more requests than that hardly end at once.
const MOST_SPARE: usize = 64;

impl Slot {
    pub(super) fn new(manager: &SessionManager, headers: &HeaderMap) -> Self {
        let manager = manager.clone();
        let cookies = manager.refreshes_untouched().then(|| {
            let values = headers.get_all(COOKIE).iter();
            values.map(|value| (COOKIE, value.clone())).collect()
        });
        let inner = Inner {
            manager: Some(manager),
            session: OnceLock::new(),
            cookies,
        };
        let spare = SPARE
            .try_with(|spare| spare.borrow_mut().pop())
            .ok()
            .flatten();
        if let Some(mut slot) = spare
            && let Some(place) = Arc::get_mut(&mut slot.0)
        {
            *place = inner;
            return slot;
        }
        Self(Arc::new(inner))
    }

    /// The session, opened from these headers the first time.
    pub(super) fn open(&self, headers: &HeaderMap) -> Result<Session, Error> {
        let manager = self.0.manager.as_ref().ok_or(Error::MissingLayer)?;
        Ok(self.0.session.get_or_init(|| manager.open(headers)).clone())
    }

    /// Puts what became of the session into the headers of the response.
    pub(super) fn close(mut self, headers: &mut HeaderMap) -> Result<(), Error> {
        let Some(manager) = &self.0.manager else {
            return Ok(());
        };
        if let Some(session) = self.0.session.get() {
            return manager.close(session, headers);
        }
        if let Some(cookies) = self
            .0
            .cookies
            .as_ref()
            .filter(|cookies| !cookies.is_empty())
        {
            let session = manager.open(cookies);
            if session.permanent() {
                manager.close(&session, headers)?;
            }
        }
        // The request is gone if nobody else has the slot: emptied, it serves another one.
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            *inner = Inner::default();
            let _ = SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < MOST_SPARE {
                    spare.push(self);
                }
            });
        }
        Ok(())
    }
}
