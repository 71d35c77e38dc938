use std::{
    cell::RefCell,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{HeaderMap, HeaderValue, header::COOKIE};
use tokio::sync::OnceCell;

use crate::{Error, OutagePolicy, Session, SessionManager, session::Commit};

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
    session: OnceCell<Result<Session, Failed>>,
    /// The request's cookies, kept only where an untouched session may have to be refreshed.
    cookies: Option<HeaderMap>,
    /// Whether one of the layers says that the request is no activity.
    ignored: AtomicBool,
}

/// A session that could not be opened: for handlers that need it, and for those that do not.
#[derive(Debug)]
struct Failed {
    error: Error,
    unknown: Session,
}

/// What a layer says of the routes below it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Routes {
    /// None: as the layer around it or the settings say.
    pub(super) on_outage: Option<OutagePolicy>,
    pub(super) without_activity: bool,
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
    pub(super) fn new(manager: &SessionManager, routes: Routes, headers: &HeaderMap) -> Self {
        let on_outage = routes
            .on_outage
            .unwrap_or(manager.config().stored.on_outage);
        let cookies = (manager.refreshes_untouched() && !routes.without_activity).then(|| {
            let values = headers.get_all(COOKIE).iter();
            values.map(|value| (COOKIE, value.clone())).collect()
        });
        let inner = Inner {
            manager: Some(manager.clone()),
            session: OnceCell::new(),
            cookies,
            ignored: routes.without_activity.into(),
        };
        let spare = SPARE
            .try_with(|spare| spare.borrow_mut().pop())
            .ok()
            .flatten();
        if let Some(mut slot) = spare
            && let Some(place) = Arc::get_mut(&mut slot.inner)
        {
            *place = inner;
            slot.on_outage = on_outage;
            return slot;
        }
        Self {
            inner: Arc::new(inner),
            on_outage,
        }
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
    pub(super) async fn open(&self, headers: &HeaderMap) -> Result<Session, Error> {
        let manager = self.inner.manager.as_ref().ok_or(Error::MissingLayer)?;
        let find = async || {
            let found = manager.find(headers).await;
            found.map_err(|error| Failed {
                unknown: manager.unknown(error.clone()),
                error,
            })
        };
        match self.inner.session.get_or_init(find).await {
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
        let Some(manager) = self.inner.manager.clone() else {
            return Closing::Now(Closed::Untouched);
        };
        match self.inner.session.get() {
            Some(Ok(session)) => return close(manager, self.limit(session)),
            // Nothing was opened, so nothing is saved; what the handler answers all the same is not for caches.
            Some(Err(failed)) => return close(manager, failed.unknown.clone()),
            None => {}
        }
        let cookies = self.inner.cookies.as_ref();
        let ignored = self.inner.ignored.load(Ordering::Relaxed);
        if !ignored && cookies.is_some_and(|cookies| !cookies.is_empty()) {
            return Closing::Later(Box::pin(self.refresh(manager)));
        }
        self.give_back();
        Closing::Now(Closed::Untouched)
    }

    /// Does what Flask does with a session that nobody looked at: if it is permanent, its cookie and its
    /// expiry are renewed.
    async fn refresh(self, manager: SessionManager) -> Closed {
        let Some(cookies) = &self.inner.cookies else {
            return Closed::Untouched;
        };
        let Ok(session) = manager.find(cookies).await else {
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
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
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
