use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redis::{Cmd, Value};
use tokio::{sync::watch, time::timeout};

use super::{
    connection::Connection,
    failure::{self, Failure},
    target::Target,
};
use crate::store::StoreError;

/// The connection that all calls share, replaced when it breaks.
///
/// A call that finds the connection broken gets an error, and the next one connects anew. Connecting is a task
/// of its own: whoever comes meanwhile waits for the same attempt and shares its outcome, and a caller that gives up
/// leaves it running for the others.
pub(super) struct Link {
    target: Target,
    state: Mutex<State>,
}

enum State {
    Idle,
    Connecting(watch::Receiver<Attempt>),
    Connected(Live),
}

type Attempt = Option<Result<Live, StoreError>>;

/// A connection, and which of all that there were it is.
#[derive(Clone)]
struct Live {
    connection: Connection,
    identity: Arc<()>,
}

impl Link {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            state: Mutex::new(State::Idle),
        }
    }

    /// Connects if there is no connection.
    pub(super) async fn ready(self: &Arc<Self>) -> Result<(), StoreError> {
        self.live().await.map(|_| ())
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.target.is_cluster()
    }

    pub(super) fn kind(&self) -> &'static str {
        self.target.kind()
    }

    /// One command and its answer.
    pub(super) async fn send(self: &Arc<Self>, command: &Cmd) -> Result<Value, Failure> {
        self.within(async |connection| connection.send(command).await)
            .await
    }

    /// Something to do with the connection, within the time that a command may take.
    pub(super) async fn within<T>(
        self: &Arc<Self>,
        call: impl AsyncFnOnce(&mut Connection) -> redis::RedisResult<T>,
    ) -> Result<T, Failure> {
        let mut live = self.live().await?;
        match timeout(self.target.command_timeout(), call(&mut live.connection)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                if failure::wears_out(&error, self.is_cluster()) {
                    self.discard(&live);
                }
                Err(error.into())
            }
            Err(_) => {
                // Perhaps the server is slow, perhaps there is nobody at the other end any more. A new connection tells.
                // Calls that wait on the old one may still get their answers. In a cluster it is one node of many.
                if !self.is_cluster() {
                    self.discard(&live);
                }
                Err(StoreError::timed_out("redis").into())
            }
        }
    }

    async fn live(self: &Arc<Self>) -> Result<Live, StoreError> {
        let attempt = {
            let mut state = self.state();
            match &*state {
                State::Connected(live) => return Ok(live.clone()),
                // Closed without an outcome: the runtime that was connecting is gone.
                State::Connecting(attempt) if attempt.has_changed().is_ok() => attempt.clone(),
                State::Connecting(_) | State::Idle => {
                    let attempt = self.connect();
                    *state = State::Connecting(attempt.clone());
                    attempt
                }
            }
        };
        // Rare, and boxed so that a call is no larger for it.
        Box::pin(outcome(attempt)).await
    }

    fn connect(self: &Arc<Self>) -> watch::Receiver<Attempt> {
        let (told, attempt) = watch::channel(None);
        let link = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = link.target.connect().await.map(|connection| Live {
                connection,
                identity: Arc::new(()),
            });
            *link.state() = match &outcome {
                Ok(live) => State::Connected(live.clone()),
                Err(_) => State::Idle,
            };
            told.send_replace(Some(outcome));
        });
        attempt
    }

    /// Lets go of a connection, unless another one has taken its place already.
    fn discard(&self, live: &Live) {
        let mut state = self.state();
        if matches!(&*state, State::Connected(current) if Arc::ptr_eq(&current.identity, &live.identity))
        {
            drop(mem::replace(&mut *state, State::Idle));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and each state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn outcome(mut attempt: watch::Receiver<Attempt>) -> Result<Live, StoreError> {
    let outcome = attempt.wait_for(Option::is_some).await;
    match outcome.as_deref() {
        Ok(Some(outcome)) => outcome.clone(),
        Ok(None) | Err(_) => Err(StoreError::unreachable("redis: connecting was broken off")),
    }
}
