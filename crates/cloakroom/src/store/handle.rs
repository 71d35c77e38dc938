use std::{
    any::Any,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Sleep;
use tracing::{Span, field::Empty};

use super::{
    Breaker, CreateError, Cursor, DeleteError, Driver, ExpiryIndex, MemoryStore, Page, Prepared,
    Record, ReplaceError, StoreError, TouchError,
    breaker::{Circuit, Pass},
    error::Answer,
};
use crate::metrics::{self, StoreCall};

/// A store of any kind, chosen at run time. Clones are the same store.
///
/// Every call has a time limit, two seconds unless set otherwise: a store that hangs costs a request that
/// much and no more. After three such calls in a row nobody waits any more until the store is back: see
/// [`Breaker`].
#[derive(Clone)]
pub struct Store {
    place: Place,
    timeout: Duration,
    circuit: Option<Arc<Circuit>>,
}

const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone)]
enum Place {
    /// Answers at once and never fails for want of a connection, so it needs no timer and no breaker.
    Memory(Arc<MemoryStore>),
    Elsewhere(Arc<dyn Erased>),
}

impl Store {
    /// The store that a driver drives.
    pub fn new(driver: impl Driver) -> Self {
        let circuit = Circuit::new(driver.name(), Breaker::default());
        metrics::available(driver.name(), true);
        let driver = Arc::new(driver);
        let any: Arc<dyn Any + Send + Sync> = driver.clone();
        Self {
            place: match any.downcast() {
                Ok(memory) => Place::Memory(memory),
                Err(_) => Place::Elsewhere(driver),
            },
            timeout: TIMEOUT,
            circuit: Some(Arc::new(circuit)),
        }
    }

    /// How long any one call may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// When a store that fails is left alone, and for how long. Clones made from now on share it.
    #[must_use]
    pub fn breaker(mut self, breaker: Breaker) -> Self {
        self.circuit = Some(Arc::new(Circuit::new(self.name(), breaker)));
        self
    }

    /// Asks the store for every call, however often it has failed.
    #[must_use]
    pub fn without_breaker(mut self) -> Self {
        self.circuit = None;
        self
    }

    /// Whether calls go to the store now: false from the moment when its [`Breaker`] opens to the store's next
    /// answer. Costs nothing, so it does for a health check.
    pub fn is_available(&self) -> bool {
        let closed = |circuit: &Arc<Circuit>| circuit.is_closed();
        self.circuit.as_ref().is_none_or(closed) && self.driver().is_available()
    }

    pub(super) fn time_limit(&self) -> Duration {
        self.timeout
    }

    /// What the store is called in messages.
    pub fn name(&self) -> &'static str {
        self.driver().name()
    }

    /// As [`Driver::shares_pickles`].
    pub fn shares_pickles(&self) -> bool {
        self.driver().shares_pickles()
    }

    /// Whether no call ever waits for anything.
    pub(crate) fn answers_at_once(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }

    /// As [`Driver::load`].
    ///
    /// # Errors
    ///
    /// As there, and a time-out.
    pub async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        match &self.place {
            Place::Memory(memory) => Driver::load(&**memory, key).await,
            Place::Elsewhere(driver) => self.within("load", driver.load(key))?.await,
        }
    }

    /// As [`Driver::expires_in`], and [`delete_expired`](Self::delete_expired) for the [`Breaker`].
    ///
    /// # Errors
    ///
    /// As there, and a time-out.
    pub async fn expires_in(&self, key: &str) -> Result<Option<Duration>, StoreError> {
        self.limited("expires_in", self.driver().expires_in(key))
            .await
    }

    /// As [`load`](Self::load) for somebody who only watches: it is neither measured nor counted by the
    /// [`Breaker`], and a store that is down is not asked.
    #[cfg(feature = "inspector")]
    pub(crate) async fn glance(&self, key: &str) -> Result<Option<Record>, StoreError> {
        match &self.place {
            Place::Memory(memory) => Driver::load(&**memory, key).await,
            Place::Elsewhere(_) if !self.is_available() => {
                Err(StoreError::unreachable("the store is left alone for now"))
            }
            Place::Elsewhere(driver) => tokio::time::timeout(self.timeout, driver.load(key))
                .await
                .unwrap_or_else(|_| Err(StoreError::timed_out(self.name()))),
        }
    }

    /// As [`expires_in`](Self::expires_in) for the same; none if nobody knows.
    #[cfg(feature = "inspector")]
    pub(crate) async fn glance_expiry(&self, key: &str) -> Option<Duration> {
        if !self.is_available() {
            return None;
        }
        let asked = self.driver().expires_in(key);
        tokio::time::timeout(self.timeout, asked).await.ok()?.ok()?
    }

    /// As [`Driver::create`].
    ///
    /// # Errors
    ///
    /// As there, and a time-out.
    pub async fn create(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, CreateError> {
        match &self.place {
            Place::Memory(memory) => Driver::create(&**memory, key, value, ttl).await,
            Place::Elsewhere(driver) => {
                self.within("create", driver.create(key, value, ttl))?.await
            }
        }
    }

    /// As [`Driver::replace`].
    ///
    /// # Errors
    ///
    /// As there, and a time-out.
    pub async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        match &self.place {
            Place::Memory(memory) => Driver::replace(&**memory, key, base, value, ttl).await,
            Place::Elsewhere(driver) => {
                self.within("replace", driver.replace(key, base, value, ttl))?
                    .await
            }
        }
    }

    /// As [`Driver::touch`].
    ///
    /// # Errors
    ///
    /// As there, and a time-out.
    pub async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        match &self.place {
            Place::Memory(memory) => Driver::touch(&**memory, key, ttl).await,
            Place::Elsewhere(driver) => self.within("touch", driver.touch(key, ttl))?.await,
        }
    }

    /// As [`Driver::delete`].
    ///
    /// # Errors
    ///
    /// As there, and a time-out.
    pub async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        match &self.place {
            Place::Memory(memory) => Driver::delete(&**memory, key, expected, tombstone).await,
            Place::Elsewhere(driver) => {
                self.within("delete", driver.delete(key, expected, tombstone))?
                    .await
            }
        }
    }

    /// As [`Driver::delete_expired`]. As no visitor waits for it, it neither counts for the [`Breaker`] nor is
    /// it skipped.
    ///
    /// # Errors
    ///
    /// As there, and a time-out.
    pub async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.limited("delete_expired", self.driver().delete_expired(limit))
            .await
    }

    /// As [`Driver::list`], and [`delete_expired`](Self::delete_expired) for the [`Breaker`].
    ///
    /// # Errors
    ///
    /// As there, and a time-out.
    pub async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.limited("list", self.driver().list(prefix, from, limit))
            .await
    }

    /// As [`Driver::prepare`], without a time limit: making a table takes the seconds it takes.
    ///
    /// # Errors
    ///
    /// As there.
    #[doc(alias = "migrate")]
    pub async fn prepare(&self) -> Result<Prepared, StoreError> {
        self.driver().prepare().await
    }

    /// As [`Driver::expiry_index`].
    ///
    /// # Errors
    ///
    /// As there, and a time-out.
    pub async fn expiry_index(&self) -> Result<ExpiryIndex, StoreError> {
        self.limited("expiry_index", self.driver().expiry_index())
            .await
    }

    /// For what no request does, so that it need not be known which one it is.
    fn driver(&self) -> &dyn Erased {
        match &self.place {
            Place::Memory(memory) => &**memory,
            Place::Elsewhere(driver) => &**driver,
        }
    }

    /// A call that counts for the breaker.
    fn within<'a, T, E: Answer>(
        &'a self,
        operation: &'static str,
        answer: Boxed<'a, Result<T, E>>,
    ) -> Result<Call<'a, T, E>, StoreError> {
        let pass = self.circuit.as_ref().map(|circuit| circuit.admit());
        Ok(Call {
            pass: pass.transpose()?,
            ..self.limited(operation, answer)
        })
    }

    fn limited<'a, T, E>(
        &'a self,
        operation: &'static str,
        answer: Boxed<'a, Result<T, E>>,
    ) -> Call<'a, T, E> {
        let store = self.name();
        Call {
            store: self,
            pass: None,
            answer,
            timer: None,
            measured: StoreCall::begin(store, operation),
            span: tracing::debug_span!(target: "cloakroom", "cloakroom.store", store, operation, outcome = Empty),
        }
    }
}

/// A call with its time limit. Every request carries room for one, and this is a third of what two `async` functions
/// and a `Timeout` in each other take.
struct Call<'a, T, E> {
    store: &'a Store,
    pass: Option<Pass<'a>>,
    answer: Boxed<'a, Result<T, E>>,
    /// What is answered at once needs none.
    timer: Option<Pin<Box<Sleep>>>,
    measured: StoreCall,
    span: Span,
}

impl<T, E: Answer> Future for Call<'_, T, E> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T, E>> {
        let call = self.get_mut();
        let inside = call.span.enter();
        let result = match call.answer.as_mut().poll(context) {
            Poll::Ready(result) => result,
            Poll::Pending => {
                let timer = call
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(call.store.timeout)));
                ready!(timer.as_mut().poll(context));
                Err(StoreError::timed_out(call.store.name()).into())
            }
        };
        drop(inside);
        let answered = result.as_ref().map_or_else(E::outcome, |_| Ok("ok"));
        let outcome = answered.unwrap_or_else(|failure| failure.kind().name());
        call.measured.end(outcome);
        call.span.record("outcome", outcome);
        if let Some(pass) = call.pass.take() {
            pass.settle(answered.err());
        }
        Poll::Ready(result)
    }
}

impl<D: Driver> From<D> for Store {
    fn from(driver: D) -> Self {
        Self::new(driver)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Store")
            .field("name", &self.name())
            .field("timeout", &self.timeout)
            .field("circuit", &self.circuit)
            .finish_non_exhaustive()
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`Driver`] with its futures boxed, so that any driver is one type.
trait Erased: Send + Sync {
    fn name(&self) -> &'static str;
    fn shares_pickles(&self) -> bool;
    fn is_available(&self) -> bool;
    fn load<'a>(&'a self, key: &'a str) -> Boxed<'a, Result<Option<Record>, StoreError>>;
    fn expires_in<'a>(&'a self, key: &'a str) -> Boxed<'a, Result<Option<Duration>, StoreError>>;
    fn create<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        ttl: Duration,
    ) -> Boxed<'a, Result<Record, CreateError>>;
    fn replace<'a>(
        &'a self,
        key: &'a str,
        base: &'a Record,
        value: Bytes,
        ttl: Duration,
    ) -> Boxed<'a, Result<Record, ReplaceError>>;
    fn touch<'a>(&'a self, key: &'a str, ttl: Duration) -> Boxed<'a, Result<(), TouchError>>;
    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a Record>,
        tombstone: Duration,
    ) -> Boxed<'a, Result<(), DeleteError>>;
    fn delete_expired(&self, limit: usize) -> Boxed<'_, Result<usize, StoreError>>;
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Boxed<'a, Result<Page, StoreError>>;
    fn prepare(&self) -> Boxed<'_, Result<Prepared, StoreError>>;
    fn expiry_index(&self) -> Boxed<'_, Result<ExpiryIndex, StoreError>>;
}

impl<D: Driver> Erased for D {
    fn name(&self) -> &'static str {
        Driver::name(self)
    }

    fn shares_pickles(&self) -> bool {
        Driver::shares_pickles(self)
    }

    fn is_available(&self) -> bool {
        Driver::is_available(self)
    }

    fn load<'a>(&'a self, key: &'a str) -> Boxed<'a, Result<Option<Record>, StoreError>> {
        Box::pin(Driver::load(self, key))
    }

    fn expires_in<'a>(&'a self, key: &'a str) -> Boxed<'a, Result<Option<Duration>, StoreError>> {
        Box::pin(Driver::expires_in(self, key))
    }

    fn create<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        ttl: Duration,
    ) -> Boxed<'a, Result<Record, CreateError>> {
        Box::pin(Driver::create(self, key, value, ttl))
    }

    fn replace<'a>(
        &'a self,
        key: &'a str,
        base: &'a Record,
        value: Bytes,
        ttl: Duration,
    ) -> Boxed<'a, Result<Record, ReplaceError>> {
        Box::pin(Driver::replace(self, key, base, value, ttl))
    }

    fn touch<'a>(&'a self, key: &'a str, ttl: Duration) -> Boxed<'a, Result<(), TouchError>> {
        Box::pin(Driver::touch(self, key, ttl))
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a Record>,
        tombstone: Duration,
    ) -> Boxed<'a, Result<(), DeleteError>> {
        Box::pin(Driver::delete(self, key, expected, tombstone))
    }

    fn delete_expired(&self, limit: usize) -> Boxed<'_, Result<usize, StoreError>> {
        Box::pin(Driver::delete_expired(self, limit))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Boxed<'a, Result<Page, StoreError>> {
        Box::pin(Driver::list(self, prefix, from, limit))
    }

    fn prepare(&self) -> Boxed<'_, Result<Prepared, StoreError>> {
        Box::pin(Driver::prepare(self))
    }

    fn expiry_index(&self) -> Boxed<'_, Result<ExpiryIndex, StoreError>> {
        Box::pin(Driver::expiry_index(self))
    }
}
