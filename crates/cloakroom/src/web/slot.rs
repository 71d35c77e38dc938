use std::{
    cell::RefCell,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{HeaderMap, HeaderValue, header::COOKIE};
use tokio::sync::Mutex;

use crate::{Error, OutagePolicy, Session, SessionManager, at_once::at_once, session::Commit};

/// A request's session that nobody has opened yet. It travels in the request's extensions, and the
/// response looks into it when it leaves. Layers of the same manager share it, each with a handle of its own.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    inner: Arc<Inner>,
    on_outage: OutagePolicy,
}

#[derive(Debug, Default)]
struct Inner {
    /// None only while the slot waits for its next request.
    manager: Option<SessionManager>,
    /// A store that could not be asked is not asked again by the same request.
    session: OnceLock<Opened>,
    /// Held by whoever waits for a store to open the session.
    opening: Mutex<()>,
    /// The request's cookies, kept only where an untouched session may have to be refreshed.
    cookies: Option<Box<HeaderMap>>,
    /// Whether one of the layers says that the request is no activity.
    ignored: AtomicBool,
}

/// Boxed, so that what is opened as a rule is small.
type Opened = Result<Session, Box<Failed>>;

/// A session that could not be opened: for handlers that need it, and for those that do not.
#[derive(Debug)]
struct Failed {
    error: Error,
    unknown: Session,
}

/// What a request leaves behind.
pub(super) struct Ended {
    manager: Option<SessionManager>,
    /// If it was opened. Of one that could not be, nothing is saved; what the handler answers all the same is not for
    /// caches.
    session: Option<Session>,
    /// Where an untouched session may have to be refreshed.
    cookies: Option<Box<HeaderMap>>,
}

/// What a layer says of the routes below it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Routes {
    /// None: as the layer around it or the settings say.
    pub(super) on_outage: Option<OutagePolicy>,
    pub(super) without_activity: bool,
}

/// A session that is opened: at once, or when a store has answered.
pub(super) enum Opening<'a> {
    Now(Result<Session, Error>),
    Later(Pin<Box<dyn Future<Output = Result<Session, Error>> + Send + 'a>>),
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
    /// Slots of requests that have ended, emptied for the next ones, which cost no allocation here then.
    static SPARE: RefCell<Vec<Arc<Inner>>> = const { RefCell::new(Vec::new()) };
}

/// Spare slots that a thread keeps; more requests than that hardly end at once.
const MOST_SPARE: usize = 64;

impl Slot {
    pub(super) fn new(manager: &SessionManager, routes: Routes, headers: &HeaderMap) -> Self {
        let on_outage = routes
            .on_outage
            .unwrap_or(manager.config().stored.on_outage);
        let cookies = (manager.refreshes_untouched() && !routes.without_activity).then(|| {
            let values = headers.get_all(COOKIE).iter();
            Box::new(values.map(|value| (COOKIE, value.clone())).collect())
        });
        let spare = SPARE
            .try_with(|spare| spare.borrow_mut().pop())
            .ok()
            .flatten();
        let mut inner = spare.unwrap_or_default();
        // Nobody else has it yet.
        if let Some(inner) = Arc::get_mut(&mut inner) {
            inner.manager = Some(manager.clone());
            inner.cookies = cookies;
            inner.ignored = routes.without_activity.into();
        }
        Self { inner, on_outage }
    }

    /// The same slot for a layer inside of the one that made it; none if that is a layer of other sessions.
    pub(super) fn within(&self, manager: &SessionManager, routes: Routes) -> Option<Self> {
        if !self.inner.manager.as_ref()?.is(manager) {
            return None;
        }
        if routes.without_activity {
            self.inner.ignored.store(true, Ordering::Relaxed);
        }
        Some(Self {
            inner: self.inner.clone(),
            on_outage: routes.on_outage.unwrap_or(self.on_outage),
        })
    }

    /// The session, opened from these headers the first time.
    pub(super) fn open<'a>(&'a self, headers: &'a HeaderMap) -> Opening<'a> {
        if let Some(opened) = self.inner.session.get() {
            return Opening::Now(self.answer(opened));
        }
        let Some(manager) = &self.inner.manager else {
            return Opening::Now(Err(Error::MissingLayer));
        };
        if manager.opens_at_once()
            && let Some(found) = at_once(find(manager, headers))
        {
            return Opening::Now(self.answer(self.inner.session.get_or_init(|| found)));
        }
        Opening::Later(Box::pin(async move {
            let _turn = self.inner.opening.lock().await;
            if let Some(opened) = self.inner.session.get() {
                return self.answer(opened);
            }
            let found = find(manager, headers).await;
            self.answer(self.inner.session.get_or_init(|| found))
        }))
    }

    fn answer(&self, opened: &Opened) -> Result<Session, Error> {
        match opened {
            Ok(session) => Ok(self.limit(session)),
            Err(failed) if self.on_outage.bears(&failed.error) => Ok(failed.unknown.clone()),
            Err(failed) => Err(failed.error.clone()),
        }
    }

    /// The session, told whether the request is an activity.
    fn limit(&self, session: &Session) -> Session {
        if self.inner.ignored.load(Ordering::Relaxed) {
            session.without_activity();
        }
        session.clone()
    }

    /// Saves the session, if there is one to save.
    pub(super) fn close(self) -> Closing {
        let Ended {
            manager,
            session,
            cookies,
        } = self.end();
        match (manager, session, cookies) {
            (Some(manager), Some(session), _) => close(manager, session),
            (Some(manager), None, Some(cookies)) if !cookies.is_empty() => {
                Closing::Later(Box::pin(refresh(manager, cookies)))
            }
            _ => Closing::Now(Closed::Untouched),
        }
    }

    /// What the request leaves behind. The slot goes back to the spare ones if nobody else has it, which is so where
    /// the request is gone.
    pub(super) fn end(mut self) -> Ended {
        let mut ended = match Arc::get_mut(&mut self.inner) {
            Some(inner) => Ended {
                manager: inner.manager.take(),
                session: inner.session.take().map(|opened| match opened {
                    Ok(session) => session,
                    Err(failed) => failed.unknown,
                }),
                cookies: inner.cookies.take(),
            },
            None => Ended {
                manager: self.inner.manager.clone(),
                session: self.inner.session.get().map(|opened| match opened {
                    Ok(session) => session.clone(),
                    Err(failed) => failed.unknown.clone(),
                }),
                cookies: self.inner.cookies.clone(),
            },
        };
        if self.inner.ignored.load(Ordering::Relaxed) {
            ended.cookies = None;
            if let Some(session) = &ended.session {
                session.without_activity();
            }
        }
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST_SPARE && self.inner.manager.is_none() {
                spare.push(self.inner);
            }
        });
        ended
    }
}

/// Does what Flask does with a session that nobody looked at: if it is permanent, its cookie and its
/// expiry are renewed.
async fn refresh(manager: SessionManager, cookies: Box<HeaderMap>) -> Closed {
    let Ok(session) = manager.find(&cookies).await else {
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

async fn find(manager: &SessionManager, headers: &HeaderMap) -> Opened {
    let found = manager.find(headers).await;
    found.map_err(|error| {
        Box::new(Failed {
            unknown: manager.unknown(error.clone()),
            error,
        })
    })
}

fn close(manager: SessionManager, session: Session) -> Closing {
    match session.close() {
        Commit::Done(result) => Closing::Now(Closed::Committed {
            manager,
            session,
            result,
        }),
        Commit::Pending(commit) => Closing::Later(Box::pin(async move {
            Closed::Committed {
                manager,
                session,
                result: commit.await,
            }
        })),
    }
}
