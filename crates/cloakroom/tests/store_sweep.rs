//! The sweeper removes what has expired, in batches, through failures, until its handle is dropped.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use cloakroom::{
    Clock,
    store::{
        CreateError, Cursor, DeleteError, Driver, MemoryStore, Page, Record, ReplaceError, Store,
        StoreError, TouchError,
    },
};
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);

/// Answers each sweep from a list, then zero, and notes when it was asked and for how many.
#[derive(Clone, Default)]
struct Scripted {
    answers: Arc<Mutex<Vec<Result<usize, StoreError>>>>,
    asked: Arc<Mutex<Vec<(Instant, usize)>>>,
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Result<usize, StoreError>>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self {
            answers: Arc::new(Mutex::new(answers)),
            asked: Arc::default(),
        }
    }

    /// Seconds between the calls.
    fn gaps(&self, since: Instant) -> Vec<f64> {
        let asked = self.asked.lock().unwrap();
        let times: Vec<_> = std::iter::once(since)
            .chain(asked.iter().map(|(time, _)| *time))
            .collect();
        times
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_secs_f64())
            .collect()
    }
}

impl Driver for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn load(&self, _: &str) -> Result<Option<Record>, StoreError> {
        unreachable!("a sweeper loads nothing")
    }

    async fn create(&self, _: &str, _: Bytes, _: Duration) -> Result<Record, CreateError> {
        unreachable!("a sweeper makes nothing")
    }

    async fn replace(
        &self,
        _: &str,
        _: &Record,
        _: Bytes,
        _: Duration,
    ) -> Result<Record, ReplaceError> {
        unreachable!("a sweeper replaces nothing")
    }

    async fn touch(&self, _: &str, _: Duration) -> Result<(), TouchError> {
        unreachable!("a sweeper touches nothing")
    }

    async fn delete(&self, _: &str, _: Option<&Record>, _: Duration) -> Result<(), DeleteError> {
        unreachable!("a sweeper deletes nothing that lives")
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.asked.lock().unwrap().push((Instant::now(), limit));
        self.answers.lock().unwrap().pop().unwrap_or(Ok(0))
    }

    async fn list(&self, _: &str, _: Option<Cursor>, _: usize) -> Result<Page, StoreError> {
        unreachable!("a sweeper lists nothing")
    }
}

#[tokio::test(start_paused = true)]
async fn sweeping_gives_back_what_has_expired_and_nothing_else() {
    let clock = Clock::manual(1_700_000_000);
    let store = Store::new(MemoryStore::new().clock(clock.clone()));
    let value = Bytes::from_static(b"value");
    for number in 0..2_500 {
        let key = format!("brief-{number}");
        store.create(&key, value.clone(), MINUTE).await.unwrap();
    }
    store.create("long", value, MINUTE * 600).await.unwrap();
    let sweeper = store.sweep_every(MINUTE * 10);
    sleep(MINUTE * 20).await;
    assert_eq!(sweeper.removed(), 0);
    clock.advance(MINUTE);
    sleep(MINUTE * 20).await;
    assert_eq!((sweeper.removed(), sweeper.failures()), (2_500, 0));
    assert!(store.load("long").await.unwrap().is_some());
    assert_eq!(
        format!("{sweeper:?}"),
        "Sweeper { removed: 2500, failures: 0, .. }"
    );
}

#[tokio::test(start_paused = true)]
async fn batches_follow_each_other_until_one_is_not_full() {
    let driver = Scripted::new([Ok(1000), Ok(1000), Ok(999), Ok(5)]);
    let start = Instant::now();
    let sweeper = Store::new(driver.clone()).sweep_every(MINUTE);
    sleep(MINUTE * 3).await;
    let gaps = driver.gaps(start);
    assert!((45.0..=75.1).contains(&gaps[0]), "{gaps:?}");
    // Two more batches at once, with a breath between them, and the next sweep after an interval.
    assert!(gaps[1] < 0.1 && gaps[1] > 0.0 && gaps[2] < 0.1, "{gaps:?}");
    assert!((45.0..=75.1).contains(&gaps[3]), "{gaps:?}");
    assert!(
        driver
            .asked
            .lock()
            .unwrap()
            .iter()
            .all(|(_, limit)| *limit == 1000)
    );
    assert_eq!(sweeper.removed(), 3_004);
}

#[tokio::test(start_paused = true)]
async fn intervals_are_jittered() {
    let driver = Scripted::default();
    let start = Instant::now();
    let _sweeper = Store::new(driver.clone()).sweep_every(MINUTE);
    sleep(MINUTE * 200).await;
    let gaps = driver.gaps(start);
    assert!(gaps.len() > 150, "{}", gaps.len());
    assert!(
        gaps.iter().all(|gap| (44.9..=75.1).contains(gap)),
        "{gaps:?}"
    );
    let (early, late) = (
        gaps.iter().filter(|gap| **gap < 55.0),
        gaps.iter().filter(|gap| **gap > 65.0),
    );
    assert!(early.count() > 10 && late.count() > 10, "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_asked_less_often_and_then_as_before() {
    let down = || Err(StoreError::unreachable("scripted"));
    let driver = Scripted::new([down(), down(), down(), down(), down(), down(), Ok(7)]);
    let start = Instant::now();
    let sweeper = Store::new(driver.clone()).sweep_every(MINUTE);
    sleep(MINUTE * 80).await;
    let gaps = driver.gaps(start);
    for (gap, intervals) in gaps.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]) {
        let ratio = gap / (60.0 * intervals);
        assert!((0.74..=1.26).contains(&ratio), "{gaps:?}");
    }
    assert_eq!(sweeper.failures(), 6);
    assert_eq!(sweeper.removed(), 7);
    sleep(MINUTE * 20).await;
    let gaps = driver.gaps(start);
    assert!(
        gaps[7..].iter().all(|gap| *gap < 76.0) && gaps.len() > 9,
        "{gaps:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_ends_it() {
    let driver = Scripted::default();
    let sweeper = Store::new(driver.clone()).sweep_every(MINUTE);
    sleep(MINUTE * 3).await;
    drop(sweeper);
    let asked = driver.asked.lock().unwrap().len();
    assert!(asked >= 2);
    sleep(MINUTE * 100).await;
    assert_eq!(driver.asked.lock().unwrap().len(), asked);
    // Nothing of the task is left: the driver is here and in `driver` alone.
    assert_eq!(Arc::strong_count(&driver.asked), 1);
}

#[test]
fn the_end_of_the_runtime_ends_it() {
    let driver = Scripted::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let sweeper = runtime.block_on(async { Store::new(driver.clone()).sweep_every(MINUTE) });
    drop(runtime);
    assert_eq!(Arc::strong_count(&driver.asked), 1);
    assert_eq!(sweeper.removed(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_interval_of_zero_is_a_second() {
    let driver = Scripted::default();
    let _sweeper = Store::new(driver.clone()).sweep_every(Duration::ZERO);
    sleep(MINUTE).await;
    let asked = driver.asked.lock().unwrap().len();
    assert!((40..=85).contains(&asked), "{asked}");
}
