use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Method, StatusCode};

use super::side::{Salt, Side, cut};
use crate::{Clock, Event, EventKind, Handle};

/// What was seen lately: so much and no more.
pub(super) struct Book {
    pub(super) salt: Salt,
    pub(super) clock: Clock,
    seen: Mutex<Seen>,
}

/// What was seen, the latest last.
#[derive(Clone, Default)]
pub(super) struct Seen {
    pub(super) requests: VecDeque<Arc<Request>>,
    pub(super) events: VecDeque<Arc<Happened>>,
    /// The latest hour.
    pub(super) minutes: VecDeque<Minute>,
    /// Requests in all.
    pub(super) count: u64,
}

/// A request with its session before and after.
pub(super) struct Request {
    pub(super) number: u64,
    /// In unix seconds.
    pub(super) at: u64,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) status: StatusCode,
    pub(super) microseconds: u128,
    pub(super) before: Arc<Side>,
    pub(super) after: Arc<Side>,
    /// Whether anybody opened the session.
    pub(super) opened: bool,
    pub(super) sent: Sent,
}

/// What the response did to the browser's cookie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Nothing,
    /// With the bytes of the whole header.
    Set(usize),
    Deleted,
}

/// An event as it is kept: without the request's headers.
pub(super) struct Happened {
    pub(super) at: u64,
    pub(super) name: &'static str,
    pub(super) detail: Option<String>,
    pub(super) session: Option<Handle>,
    pub(super) subject: Option<String>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Minute {
    /// How many there were since 1970.
    pub(super) number: u64,
    pub(super) requests: u32,
    /// Sessions that began.
    pub(super) begun: u32,
    /// Sessions that were ended.
    pub(super) ended: u32,
}

/// No more requests are kept.
pub(super) const MOST_REQUESTS: usize = 200;

/// No more events are kept.
pub(super) const MOST_EVENTS: usize = 500;

/// An hour of charts.
pub(super) const MINUTES: usize = 60;

impl Book {
    pub(super) fn new(clock: Clock) -> Result<Self, getrandom::Error> {
        Ok(Self {
            salt: Salt::generate()?,
            clock,
            seen: Mutex::default(),
        })
    }

    pub(super) fn note_request(&self, mut request: Request) {
        request.path = cut(&request.path);
        let mut seen = self.lock();
        seen.count += 1;
        request.number = seen.count;
        seen.minute(request.at).requests += 1;
        if seen.requests.len() == MOST_REQUESTS {
            seen.requests.pop_front();
        }
        seen.requests.push_back(Arc::new(request));
    }

    pub(super) fn note_event(&self, event: &Event<'_>) {
        let at = self.clock.unix_seconds();
        let detail = match event.kind {
            EventKind::Revoked { count } => Some(format!("{count}")),
            EventKind::OldKey { key_index } => Some(format!("fallback {key_index}")),
            EventKind::StoreFailed(kind) => Some(kind.name().to_owned()),
            kind => kind.reason().map(str::to_owned),
        };
        let happened = Happened {
            at,
            name: event.kind.name(),
            detail,
            session: event.session,
            subject: event.subject.map(cut),
        };
        let mut seen = self.lock();
        let minute = seen.minute(at);
        match event.kind {
            EventKind::Created | EventKind::LoggedIn => minute.begun += 1,
            EventKind::Destroyed => minute.ended += 1,
            EventKind::Revoked { count } => {
                minute.ended += u32::try_from(count).unwrap_or(u32::MAX);
            }
            _ => {}
        }
        if seen.events.len() == MOST_EVENTS {
            seen.events.pop_front();
        }
        seen.events.push_back(Arc::new(happened));
    }

    /// What was seen so far.
    pub(super) fn read(&self) -> Seen {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn minute(&mut self, at: u64) -> &mut Minute {
        let minute = at / 60;
        // A clock that is set back counts where it is.
        let found = self.minutes.iter().position(|one| one.number == minute);
        let index = found.unwrap_or_else(|| {
            if self.minutes.len() == MINUTES {
                self.minutes.pop_front();
            }
            self.minutes.push_back(Minute {
                number: minute,
                ..Minute::default()
            });
            self.minutes.len() - 1
        });
        &mut self.minutes[index]
    }
}
