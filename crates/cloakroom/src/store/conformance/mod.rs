//! The checks that every store has to pass: run them against yours in one line.
//!
//! ```
//! use cloakroom::store::{MemoryStore, conformance::{Harness, assert_conforms}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // In a `#[tokio::test(flavor = "multi_thread")]`, so that the races are on several threads:
//! assert_conforms(Harness::new(async || MemoryStore::new())).await;
//! # }
//! ```
//!
//! The [`Harness`] says how to get your store, whose time it goes by, and what it declares it cannot do
//! ([`Limits`]); a [`Subject`] adds other ways to get at its entries. Every check has a name and keeps to
//! keys of its own, or asks for an empty store. [`assert_conforms`] panics with the whole list of what failed: which promise is broken, what
//! happened instead and what usually helps. [`run`] hands out the [`Report`] itself, in which nothing is
//! skipped silently: what your store cannot do is listed with the reason.
//!
//! With a manual clock a run takes a second or so. A store with a clock of its own, as servers have, is
//! waited for: all checks that wait do so at the same time, which takes about five seconds.

mod basics;
mod cancelling;
mod deletion;
mod expiry;
mod keys;
mod lifetimes;
mod listing;
mod neighbours;
mod races;
mod races_with_deletion;
mod report;
mod secrecy;
mod sweeping;
mod trial;
mod values;

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::Semaphore, task::JoinSet};

use self::trial::{Miss, Trial, Verdict};
use super::{Driver, Store};
use crate::Clock;

pub use report::{Checked, Outcome, Report};

/// Runs all checks and panics if one fails.
///
/// # Panics
///
/// With the list of all failures; see [`Report`].
pub async fn assert_conforms(harness: Harness) {
    let report = run(harness).await;
    assert!(report.conforms(), "{report}");
}

/// Runs all checks.
///
/// Each runs as a task of its own, so a driver that panics fails the check and not the run.
pub async fn run(harness: Harness) -> Report {
    let setting = Arc::new(Setting {
        turns: Arc::new(Semaphore::new(harness.at_a_time())),
        run: nonce(),
        shared: harness.subject().await,
        harness,
    });
    let mut tasks = JoinSet::new();
    let mut checked: Vec<Checked> = Vec::new();
    for (index, check) in all_checks().into_iter().enumerate() {
        checked.push(Checked {
            name: check.name.clone(),
            outcome: Outcome::Failed(PANICKED.to_owned()),
        });
        let trial = Trial::new(setting.clone(), &check.name);
        tasks.spawn(async move { (index, trial.conduct(&check).await) });
    }
    while let Some(done) = tasks.join_next().await {
        // A task that panicked says nothing, and its check stays failed.
        if let Ok((index, outcome)) = done {
            checked[index].outcome = outcome;
        }
    }
    Report::new(setting.shared.store.name(), checked)
}

const PANICKED: &str = "The check panicked, in the driver or in a hook of the harness. A driver answers \
    whatever it is asked with a result; the panic's message is above.";

/// Those first that may have to wait.
fn all_checks() -> Vec<Check> {
    let themes = [
        expiry::checks(),
        lifetimes::checks(),
        sweeping::checks(),
        listing::checks(),
        deletion::checks(),
        basics::checks(),
        neighbours::checks(),
        values::checks(),
        keys::checks(),
        races::checks(),
        races_with_deletion::checks(),
        cancelling::checks(),
        secrecy::checks(),
    ];
    themes.into_iter().flatten().collect()
}

/// What the checks need to know of a store.
///
/// ```
/// # use cloakroom::store::{MemoryStore, conformance::{Harness, Limits}};
/// let harness = Harness::new(async || MemoryStore::new()).limits(Limits { max_value: Some(65_535), ..Limits::default() });
/// ```
pub struct Harness {
    open: Box<dyn Fn() -> Boxed<Subject> + Send + Sync>,
    clock: Option<Clock>,
    limits: Limits,
    time_limit: Duration,
}

impl Harness {
    /// How to get the store: a driver, a [`Store`], or a [`Subject`] if there is more to say.
    ///
    /// It is called about fifteen times. Each call opens the store with a namespace of its own (another key
    /// prefix, table, folder), because some checks look at everything that is there.
    pub fn new<O, F, S>(open: O) -> Self
    where
        O: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = S> + Send + 'static,
        S: Into<Subject> + 'static,
    {
        Self {
            open: Box::new(move || {
                let opening = open();
                Box::pin(async move { opening.await.into() })
            }),
            clock: None,
            limits: Limits::default(),
            time_limit: Duration::from_secs(60),
        }
    }

    /// The manual clock that all the stores read. The checks move it, and can then tell the very second
    /// at which something expires. Without one they wait, and allow for a second more or less.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// What the store declares it cannot do.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a check may take before it counts as stuck: a minute unless set here. More is for servers that
    /// are slow without being at fault, such as an emulator on a busy machine.
    #[must_use]
    pub fn time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// With a manual clock one after the other, because its hands are everybody's.
    fn at_a_time(&self) -> usize {
        if self.clock.is_some() { 1 } else { 8 }
    }

    async fn subject(&self) -> Subject {
        (self.open)().await
    }
}

impl fmt::Debug for Harness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Harness")
            .field("clock", &self.clock)
            .field("limits", &self.limits)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

/// What a store declares it cannot do. The default is a store that can do all.
///
/// A limit that is declared is checked as well: a store that does not list must refuse to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Whether [`Driver::list`] lists; memcached cannot.
    pub lists: bool,
    /// The most bytes that a value may have, if that is less than a megabyte: a larger one is refused.
    pub max_value: Option<usize>,
    /// Whether [`Driver::delete_expired`] finds anything to do; not where the server removes what has
    /// expired by itself.
    pub deletes_expired: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lists: true,
            max_value: None,
            deletes_expired: true,
        }
    }
}

/// A store with a namespace of its own, and other ways to get at what is in it.
pub struct Subject {
    store: Store,
    twin: Option<Store>,
    foreign: Option<Foreign>,
}

type Foreign = Arc<dyn Fn(String, Bytes) -> Boxed<()> + Send + Sync>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Subject {
    /// A store alone.
    pub fn new(store: impl Into<Store>) -> Self {
        Self {
            store: patient(store.into()),
            twin: None,
            foreign: None,
        }
    }

    /// A second connection to the same namespace, as another process has: what one of them does the
    /// other sees at once.
    #[must_use]
    pub fn twin(mut self, store: impl Into<Store>) -> Self {
        self.twin = Some(patient(store.into()));
        self
    }

    /// How a program that knows nothing of tombstones or versions, such as stock Flask-Session, writes an
    /// entry for an hour: over whatever is there. The key is the one that the driver gets.
    #[must_use]
    pub fn foreign<W, F>(mut self, write: W) -> Self
    where
        W: Fn(String, Bytes) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.foreign = Some(Arc::new(move |key, value| Box::pin(write(key, value))));
        self
    }
}

/// A loaded test machine is no failure of the store.
fn patient(store: Store) -> Store {
    store.timeout(Duration::from_secs(20))
}

impl From<Store> for Subject {
    fn from(store: Store) -> Self {
        Self::new(store)
    }
}

impl<D: Driver> From<D> for Subject {
    fn from(driver: D) -> Self {
        Self::new(driver)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Subject")
            .field("store", &self.store)
            .field("twin", &self.twin.is_some())
            .field("foreign", &self.foreign.is_some())
            .finish()
    }
}

/// What all checks of a run share.
struct Setting {
    harness: Harness,
    /// The store of all checks that keep to keys of their own.
    shared: Subject,
    /// How many checks may be at work; one that waits for time to pass gives up its turn.
    turns: Arc<Semaphore>,
    /// Begins all keys, so that two runs never meet.
    run: String,
}

/// A named check.
struct Check {
    name: String,
    conduct: Box<dyn Fn(Arc<Trial>) -> Boxed<Verdict> + Send + Sync>,
}

impl Check {
    fn new<C, F>(name: String, conduct: C) -> Self
    where
        C: Fn(Arc<Trial>) -> F + Send + Sync + 'static,
        F: Future<Output = Verdict> + Send + 'static,
    {
        Self {
            name,
            conduct: Box::new(move |trial| Box::pin(conduct(trial))),
        }
    }
}

/// Names the checks after their functions. One that is not in the list is dead code to the compiler.
macro_rules! checks {
    ($list:ident $theme:literal: $($check:ident),+ $(,)?) => {
        pub(super) fn $list() -> Vec<super::Check> {
            vec![$(super::Check::new(
                concat!($theme, "/", stringify!($check)).to_owned(),
                |trial| async move { $check(&trial).await },
            )),+]
        }
    };
}
use checks;

/// Takes the answer that a promise asks for, or ends the check with the promise and the answer.
macro_rules! answers {
    ($answer:expr, $pattern:pat => $value:expr, $promise:expr) => {
        match $answer {
            $pattern => $value,
            other => return Err(super::Miss::broken($promise, format!("{other:?}"))),
        }
    };
    ($answer:expr, $pattern:pat, $promise:expr) => {
        super::answers!($answer, $pattern => (), $promise)
    };
}
use answers;

/// Eight random letters.
fn nonce() -> String {
    let mut bytes = [0; 8];
    // Without randomness two runs at the same time may meet, which a test survives.
    let _ = getrandom::fill(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}
