use std::{
    array,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore, time::timeout};

use super::{
    request::Request,
    target::Target,
    wire::{self, Broken, Reply},
};
use crate::store::StoreError;

/// The most connections at a time; more callers wait for one.
const CONNECTIONS: usize = 32;
/// What memcached adds to the value of an item, generously: the key, a header, the version.
const OVERHEAD: usize = 512;
/// Memcached's `-I` where it does not tell.
const LARGEST_ITEM: usize = 1024 * 1024;

/// The connections to a server.
///
/// A call has a connection to itself and gives it back when it has read all its answers. One that fails, or is
/// given up half-way, takes its connection with it: so nobody ever reads another's answer.
pub(super) struct Pool {
    target: Target,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
    /// Bytes that an item may have in all.
    largest_item: usize,
}

/// Why a request has no answers.
pub(super) enum Failure {
    /// The connection broke.
    Disconnected,
    /// Anything else.
    Other(StoreError),
}

impl Failure {
    /// An answer that does not belong to what was asked.
    pub(super) fn out_of_step() -> Self {
        Self::Other(nonsense())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Disconnected => Self::unreachable("memcached: the connection broke"),
            Failure::Other(error) => error,
        }
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Connection => Self::Disconnected,
            Broken::Refusal(error) => Self::Other(error),
            Broken::Nonsense => Self::Other(nonsense()),
        }
    }
}

fn nonsense() -> StoreError {
    StoreError::refused("memcached: the answer was not one that memcached gives; is it memcached?")
}

impl Pool {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            idle: Mutex::new(Vec::new()),
            turns: Semaphore::new(CONNECTIONS),
        }
    }

    /// Connects once, to see that it can be done.
    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        let connection = self.connect().await?;
        self.idle().push(connection);
        Ok(())
    }

    /// As [`ask`](Self::ask), for commands that only read. Asking those again is safe, and most requests begin with
    /// one: so a connection that broke while nobody used it costs nobody an error.
    pub(super) async fn read<const N: usize>(
        &self,
        request: Request,
    ) -> Result<[Reply; N], Failure> {
        match self.ask(&request).await {
            Err(Failure::Disconnected) => self.ask(&request).await,
            answer => answer,
        }
    }

    /// Sends commands and reads as many answers.
    pub(super) async fn ask<const N: usize>(
        &self,
        request: &Request,
    ) -> Result<[Reply; N], Failure> {
        debug_assert_eq!(request.commands(), N);
        let limit = self.target.command_timeout;
        let turn = within(limit, self.turns.acquire()).await?;
        // The semaphore is never closed.
        let _turn = turn.map_err(|_| StoreError::unreachable("memcached: closed"))?;
        let mut connection = match self.usable() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // Memcached answers an item that is too large with an error, and removes the one that is there.
        if request.largest() + OVERHEAD > connection.largest_item {
            self.idle().push(connection);
            return Err(wire::too_large().into());
        }
        let answers = within(limit, connection.exchange(request)).await;
        match answers {
            Ok(Ok(answers)) => {
                self.idle().push(connection);
                Ok(answers)
            }
            Ok(Err(broken)) => {
                if matches!(broken, Broken::Connection) {
                    // Whatever broke this one has likely broken those that wait.
                    self.idle().clear();
                }
                Err(broken.into())
            }
            Err(late) => Err(late.into()),
        }
    }

    /// A connection that waits, unless the server has closed it or said something unasked.
    fn usable(&self) -> Option<Connection> {
        loop {
            let connection = self.idle().pop()?;
            let silent = connection.stream.try_read(&mut [0; 1]);
            if silent.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock) {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Result<Connection, StoreError> {
        let Target { host, port, .. } = &self.target;
        let connecting = async {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            Connection::introduce(stream).await
        };
        match within(self.target.connect_timeout, connecting).await? {
            Ok(connection) => Ok(connection),
            Err(Broken::Connection) => Err(StoreError::unreachable("memcached: no connection")),
            Err(broken) => Err(Failure::from(broken).into()),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Nothing panics while it holds the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Asks whether it is a memcached that speaks the meta protocol, and how large an item may be there.
    async fn introduce(mut stream: TcpStream) -> Result<Self, Broken> {
        stream.write_all(b"mn\r\nstats settings\r\n").await?;
        let mut buffer = BytesMut::new();
        if wire::line(&mut stream, &mut buffer).await? != "MN" {
            return Err(Broken::Refusal(StoreError::refused(
                "memcached: the server does not speak the meta protocol; it takes memcached 1.6 or later",
            )));
        }
        let mut largest_item = LARGEST_ITEM;
        loop {
            let line = wire::line(&mut stream, &mut buffer).await?;
            if let Some(size) = line.strip_prefix(b"STAT item_size_max ") {
                largest_item = wire::parse(size).unwrap_or(LARGEST_ITEM);
            } else if !line.starts_with(b"STAT ") {
                // `END`, or an error of one that does not tell.
                return Ok(Self {
                    stream,
                    buffer,
                    largest_item,
                });
            }
        }
    }

    async fn exchange<const N: usize>(&mut self, request: &Request) -> Result<[Reply; N], Broken> {
        self.stream.write_all(request.bytes()).await?;
        let mut replies = array::from_fn(|_| Reply::Missing);
        for reply in &mut replies {
            *reply = wire::reply(&mut self.stream, &mut self.buffer).await?;
        }
        if self.buffer.is_empty() {
            Ok(replies)
        } else {
            Err(Broken::Nonsense)
        }
    }
}

async fn within<T>(limit: Duration, call: impl Future<Output = T>) -> Result<T, StoreError> {
    timeout(limit, call)
        .await
        .map_err(|_| StoreError::timed_out("memcached"))
}
