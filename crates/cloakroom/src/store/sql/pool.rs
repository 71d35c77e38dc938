use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::Connection;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::dialect::{Dialect, Failure};
use crate::store::StoreError;

/// Connections that are used again and again, at most so many at a time.
///
/// A connection goes back only after a statement that ended: one that broke, or whose call was given up half
/// way, is closed. So none needs asking whether it is still good, which would cost each call a round trip, but
/// those that nobody has used for a while and that are to write: reading is done again if the connection broke.
pub(super) struct Pool<D: Dialect> {
    dialect: D,
    size: usize,
    timeout: Duration,
    permits: Semaphore,
    writers: Option<Semaphore>,
    /// The one used last is used next.
    idle: Mutex<Vec<Live<D>>>,
}

struct Live<D: Dialect> {
    connection: D::Connection,
    since: Instant,
    used: Instant,
}

/// Whether a call writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// One call's connection, closed when dropped unless [given back](Self::give_back).
pub(super) struct Lease<'a, D: Dialect> {
    live: Live<D>,
    pool: &'a Pool<D>,
    _permits: (Option<SemaphorePermit<'a>>, SemaphorePermit<'a>),
}

/// A connection unused for so long is asked whether it is still there before it writes.
const DOUBTFUL: Duration = Duration::from_secs(1);
/// One this old is closed, so that servers behind a name or balancer can change.
const OLD: Duration = Duration::from_secs(30 * 60);

impl<D: Dialect> Pool<D> {
    pub(super) fn new(dialect: D, size: usize, timeout: Duration) -> Self {
        let size = size.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            dialect,
            size,
            timeout,
            permits: Semaphore::new(size),
            writers: D::WRITERS.map(Semaphore::new),
            idle: Mutex::default(),
        }
    }

    /// The same with other settings, and no connection yet.
    pub(super) fn with(self, size: usize, timeout: Duration) -> Self {
        Self::new(self.dialect, size, timeout)
    }

    pub(super) fn dialect(&self) -> &D {
        &self.dialect
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A connection, in its turn.
    pub(super) async fn lease(&self, access: Access) -> Result<Lease<'_, D>, Failure> {
        // Writers queue before they take a connection, so that readers find some left.
        let writer = match (access, &self.writers) {
            (Access::Write, Some(writers)) => Some(writers.acquire().await.map_err(closed)?),
            (Access::Write, None) | (Access::Read, _) => None,
        };
        let permit = self.permits.acquire().await.map_err(closed)?;
        let live = match self.rested(access).await {
            Some(live) => live,
            // Rare and large: boxed, so that a call is no larger for it.
            None => Box::pin(self.connected()).await?,
        };
        Ok(Lease {
            live,
            pool: self,
            _permits: (writer, permit),
        })
    }

    /// An idle connection that is good enough.
    async fn rested(&self, access: Access) -> Option<Live<D>> {
        loop {
            let mut live = self.idle().pop()?;
            let now = Instant::now();
            if now.duration_since(live.since) > OLD {
                continue;
            }
            let doubtful = access == Access::Write && now.duration_since(live.used) > DOUBTFUL;
            if !doubtful || Box::pin(live.connection.ping()).await.is_ok() {
                return Some(live);
            }
        }
    }

    async fn connected(&self) -> Result<Live<D>, Failure> {
        let connecting = self.dialect.connect(self.timeout);
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(Ok(connection)) => Ok(Live {
                connection,
                since: Instant::now(),
                used: Instant::now(),
            }),
            Ok(Err(error)) => Err(Failure::of::<D>(error)),
            Err(_) => Err(Failure::Lost(StoreError::unreachable(format!(
                "{}: no connection within {:?}",
                D::NAME,
                self.timeout
            )))),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Live<D>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Never happens: the semaphores are not closed.
fn closed(_: tokio::sync::AcquireError) -> Failure {
    Failure::Lost(StoreError::unreachable("the pool is closed"))
}

impl<D: Dialect> Lease<'_, D> {
    pub(super) fn connection(&mut self) -> &mut D::Connection {
        &mut self.live.connection
    }

    /// What a single statement came to; gives the connection back if it is good.
    pub(super) fn settle<T>(self, result: Result<T, sqlx::Error>) -> Result<T, Failure> {
        match result {
            Ok(value) => {
                self.give_back();
                Ok(value)
            }
            Err(error) => {
                let failure = Failure::of::<D>(error);
                match failure {
                    // The others broke most likely with it, when the server went away.
                    Failure::Lost(_) => self.pool.idle().clear(),
                    Failure::Duplicate | Failure::Undone | Failure::Failed(_) => self.give_back(),
                }
                Err(failure)
            }
        }
    }

    /// Back into the pool: nothing is under way on it.
    pub(super) fn give_back(self) {
        let Self {
            mut live,
            pool,
            _permits: permits,
        } = self;
        live.used = Instant::now();
        pool.idle().push(live);
        // Only now: whoever waits finds it.
        drop(permits);
    }
}

/// Shows no URL: it holds a password.
impl<D: Dialect> fmt::Debug for Pool<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pool")
            .field("size", &self.size)
            .field("timeout", &self.timeout)
            .field("idle", &self.idle().len())
            .finish_non_exhaustive()
    }
}
