use std::{cell::RefCell, pin::Pin, sync::Arc};

use http::{HeaderMap, HeaderValue, header::COOKIE};
use tokio::sync::OnceCell;

use crate::{Error, Session, SessionManager, session::Commit};

/// A request's session that nobody has opened yet. It travels in the request's extensions, and the
/// response looks into it when it leaves.
#[derive(Clone, Debug)]
pub(super) struct Slot(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// None only while the slot waits for its next request.
    manager: Option<SessionManager>,
    /// A store that could not be asked is not asked again by the same request.
    session: OnceCell<Result<Session, Error>>,
    /// The request's cookies, kept only where an untouched session may have to be refreshed.
    cookies: Option<HeaderMap>,
}

/// What a response has to know of its session: at once, or when a store has answered.
pub(super) enum Closing {
    Now(Closed),
    Later(Pin<Box<dyn Future<Output = Closed> + Send>>),
}

pub(super) enum Closed {
    /// Nobody opened it.
    Untouched,
    /// What the session's commit gave.
    Committed {
        manager: SessionManager,
        session: Session,
        result: Result<Option<HeaderValue>, Error>,
    },
    /// Nobody opened it, and refreshing it failed: the response is none the worse.
    Failed,
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
            session: OnceCell::new(),
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
    pub(super) async fn open(&self, headers: &HeaderMap) -> Result<Session, Error> {
        let manager = self.0.manager.as_ref().ok_or(Error::MissingLayer)?;
        let opened = self.0.session.get_or_init(|| manager.open(headers)).await;
        opened.clone()
    }

    /// Saves the session, if there is one to save.
    pub(super) fn close(self) -> Closing {
        let Some(manager) = self.0.manager.clone() else {
            return Closing::Now(Closed::Untouched);
        };
        match self.0.session.get() {
            Some(Ok(session)) => return close(manager, session.clone()),
            // The handler has had the error; nothing was opened, so nothing is saved.
            Some(Err(_)) => return Closing::Now(Closed::Untouched),
            None => {}
        }
        let cookies = self.0.cookies.as_ref();
        if cookies.is_some_and(|cookies| !cookies.is_empty()) {
            return Closing::Later(Box::pin(self.refresh(manager)));
        }
        self.give_back();
        Closing::Now(Closed::Untouched)
    }

    /// Does what Flask does with a session that nobody looked at: if it is permanent, its cookie and its
    /// expiry are renewed.
    async fn refresh(self, manager: SessionManager) -> Closed {
        let Some(cookies) = &self.0.cookies else {
            return Closed::Untouched;
        };
        let Ok(session) = manager.open(cookies).await else {
            return Closed::Failed;
        };
        if manager.store().is_none() && !session.permanent() {
            return Closed::Untouched;
        }
        let result = session.close().finish().await;
        match result {
            Ok(None) => Closed::Untouched,
            Err(_) => Closed::Failed,
            result => Closed::Committed {
                manager,
                session,
                result,
            },
        }
    }

    /// The request is gone if nobody else has the slot: emptied, it serves another one.
    fn give_back(mut self) {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            *inner = Inner::default();
            let _ = SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < MOST_SPARE {
                    spare.push(self);
                }
            });
        }
    }
}

fn close(manager: SessionManager, session: Session) -> Closing {
    if manager.closes_later() {
        return Closing::Later(Box::pin(async move {
            let result = session.close().finish().await;
            Closed::Committed {
                manager,
                session,
                result,
            }
        }));
    }
    // A cookie is made at once.
    let result = match session.close() {
        Commit::Done(result) => result,
        Commit::Pending(_) => Ok(None),
    };
    Closing::Now(Closed::Committed {
        manager,
        session,
        result,
    })
}
