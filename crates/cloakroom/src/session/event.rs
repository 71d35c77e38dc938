#[cfg(feature = "inspector")]
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{fmt, sync::Arc};

use http::HeaderMap;

use super::{Handle, Refusal};
use crate::{metrics, store::StoreErrorKind};

/// Something that happened to a session: for an audit log, for counts, for limits on guessing.
///
/// [`SessionConfig::on_event`](crate::SessionConfig::on_event) hands them over as they happen, and each is a
/// `tracing` event of the target `cloakroom::session` as well, with the fields `event`, `session` and `reason`.
/// Neither shows an id, a cookie or what a session holds; the traces leave out the user too.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Event<'a> {
    /// What happened.
    pub kind: EventKind,
    /// Which session it was, if it has a name yet. The same through renewals, another one after a login.
    pub session: Option<Handle>,
    /// Who is logged in there.
    pub subject: Option<&'a str>,
    /// The request's headers, where a session was opened: enough to tell where a burst of refused cookies
    /// comes from.
    pub headers: Option<&'a HeaderMap>,
}

/// Shows what happened, never to whom.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Event")
            .field("kind", &self.kind)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// What happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A new visitor's session was stored for the first time.
    Created,
    /// A user has logged in; the session has a new id.
    LoggedIn,
    /// It got a new id without a login.
    Regenerated,
    /// It was only read, and lives longer from now on.
    Renewed,
    /// The request ended it, as a logout does.
    Destroyed,
    /// A request that changed it found it ended meanwhile; what that request did is dropped.
    Gone,
    /// Another request had changed it meanwhile; what this one did is done again on that.
    Conflict,
    /// A cookie was refused: it is expired, altered, unknown, or something else is wrong with it.
    Refused(Refusal),
    /// Sessions of a user were ended from elsewhere: a list of devices, a password change, an operator.
    Revoked {
        /// How many.
        count: usize,
    },
    /// The cookie was made with a key that only verifies: 1 is the newest of those.
    OldKey {
        /// Which one.
        key_index: usize,
    },
    /// The store could not be asked.
    StoreFailed(StoreErrorKind),
}

impl EventKind {
    /// A short name for logs and counters, such as `logged_in`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::LoggedIn => "logged_in",
            Self::Regenerated => "regenerated",
            Self::Renewed => "renewed",
            Self::Destroyed => "destroyed",
            Self::Gone => "gone",
            Self::Conflict => "conflict",
            Self::Refused(_) => "refused",
            Self::Revoked { .. } => "revoked",
            Self::OldKey { .. } => "old_key",
            Self::StoreFailed(_) => "store_failed",
        }
    }

    /// Why, where there is a reason: the code of the refusal.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Refused(refusal) => Some(refusal.code()),
            _ => None,
        }
    }

    /// Logins, ends and what looks like an attack are; the rest is for whoever looks closer.
    fn is_worth_a_line(self) -> bool {
        matches!(
            self,
            Self::LoggedIn
                | Self::Destroyed
                | Self::Revoked { .. }
                | Self::Refused(Refusal::BadSignature | Refusal::MalformedId)
        )
    }
}

/// Who is told what happens.
#[derive(Clone, Default)]
pub(crate) struct Observer {
    application: Option<Arc<Hook>>,
    /// Beside the application: inspectors. Nobody, as a rule, which costs one load to know.
    #[cfg(feature = "inspector")]
    watchers: Arc<OnceLock<Watchers>>,
}

type Hook = dyn Fn(&Event<'_>) + Send + Sync;

#[cfg(feature = "inspector")]
type Watchers = Mutex<Vec<Arc<Hook>>>;

impl Observer {
    pub(crate) fn new(observer: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Self {
            application: Some(Arc::new(observer)),
            #[cfg(feature = "inspector")]
            watchers: Arc::default(),
        }
    }

    /// The same for another manager, which nobody watches yet.
    #[cfg(feature = "inspector")]
    pub(crate) fn unwatched(&self) -> Self {
        Self {
            application: self.application.clone(),
            watchers: Arc::default(),
        }
    }

    /// Tells somebody else as well, from now on.
    #[cfg(feature = "inspector")]
    pub(crate) fn watch(&self, watcher: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        let watchers = self.watchers.get_or_init(Watchers::default);
        let mut watchers = watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.push(Arc::new(watcher));
    }

    #[cfg(feature = "inspector")]
    fn tell_watchers(&self, event: &Event<'_>) {
        let Some(watchers) = self.watchers.get() else {
            return;
        };
        // No lock is held while they hear it.
        let watchers = watchers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for watcher in watchers {
            watcher(event);
        }
    }

    fn is_heard(&self) -> bool {
        #[cfg(feature = "inspector")]
        if self.watchers.get().is_some() {
            return true;
        }
        self.application.is_some()
    }

    /// Whether anyone would notice: if not, nobody need find out which session it is.
    pub(crate) fn listens_to(&self, kind: EventKind) -> bool {
        self.is_heard()
            || cfg!(feature = "metrics")
            || match kind.is_worth_a_line() {
                true => tracing::enabled!(target: TARGET, tracing::Level::INFO),
                false => tracing::enabled!(target: TARGET, tracing::Level::DEBUG),
            }
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        metrics::event(event.kind.name(), event.kind.reason());
        trace(event);
        if let Some(observer) = &self.application {
            observer(event);
        }
        #[cfg(feature = "inspector")]
        self.tell_watchers(event);
    }
}

/// What the traces are filtered by.
const TARGET: &str = "cloakroom::session";

fn trace(event: &Event<'_>) {
    macro_rules! emit {
        ($level:ident) => {
            tracing::$level!(
                target: TARGET,
                event = event.kind.name(),
                session = event.session.map(tracing::field::display),
                reason = event.kind.reason(),
                "session event"
            )
        };
    }
    match event.kind.is_worth_a_line() {
        true => emit!(info),
        false => emit!(debug),
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = if self.application.is_some() {
            "set"
        } else {
            "none"
        };
        write!(formatter, "Observer({there})")
    }
}
