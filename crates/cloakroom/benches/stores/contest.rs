//! Contestants in turns, so that the machine's moods meet all of them, and a line of the table for each.

use std::{future::Future, hint::black_box, pin::Pin, time::Instant};

use bytes::Bytes;
use cloakroom::store::{Driver, Record};
use tokio::task::JoinSet;

use crate::HOUR;

/// How many call at the same time, each for a session of its own.
pub(crate) const TASKS: usize = 64;

/// Makes one of the tasks: which one, and how many calls it is to make.
pub(crate) type Task = Box<dyn Fn(usize, usize) -> Pin<Box<dyn Future<Output = ()> + Send>>>;

pub(crate) fn task<F: Future<Output = ()> + Send + 'static>(
    make: impl Fn(usize, usize) -> F + 'static,
) -> Task {
    Box::new(move |number, calls| Box::pin(make(number, calls)))
}

/// One call of one store, and what it is compared with.
pub(crate) struct Contest {
    pub(crate) store: &'static str,
    pub(crate) call: &'static str,
    pub(crate) calls: usize,
    pub(crate) rounds: usize,
    pub(crate) ours: Task,
    pub(crate) others: Vec<(&'static str, Task)>,
}

pub(crate) fn head() {
    println!(
        "{:<10} {:<8} {:>12} {:>12}  {:<42} {:>6}",
        "store", "call", "ours, 1/s", "raw, 1/s", "raw is", "ratio"
    );
}

impl Contest {
    /// Prints for each of the others the median of both, and of the ratios within a round.
    pub(crate) async fn run(self) {
        let contestants: Vec<&Task> = std::iter::once(&self.ours)
            .chain(self.others.iter().map(|(_, task)| task))
            .collect();
        for contestant in &contestants {
            rate(contestant, self.calls.div_ceil(4)).await;
        }
        let mut rounds = Vec::new();
        for round in 0..self.rounds {
            let mut rates = vec![0.0; contestants.len()];
            for turn in 0..contestants.len() {
                let contestant = (round + turn) % contestants.len();
                rates[contestant] = rate(contestants[contestant], self.calls).await;
            }
            rounds.push(rates);
        }
        let of = |contestant: usize| median(rounds.iter().map(|rates| rates[contestant]));
        for (index, (name, _)) in self.others.iter().enumerate() {
            let ratio = median(rounds.iter().map(|rates| rates[0] / rates[index + 1]));
            println!(
                "{:<10} {:<8} {:>12.0} {:>12.0}  {name:<42} {ratio:>6.2}",
                self.store,
                self.call,
                of(0),
                of(index + 1),
            );
        }
    }
}

/// Calls per second of all tasks together.
async fn rate(contestant: &Task, calls: usize) -> f64 {
    let began = Instant::now();
    let mut tasks: JoinSet<()> = (0..TASKS).map(|number| contestant(number, calls)).collect();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    (TASKS * calls) as f64 / began.elapsed().as_secs_f64()
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// For as long as the process runs, so that tasks can share it.
pub(crate) fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

pub(crate) fn key(task: usize) -> String {
    format!("session:bench-{task:05}-bench-bench-bench-bench-be")
}

/// A session of the usual size, as different every time as a counter makes it.
pub(crate) fn value(count: usize) -> Bytes {
    let mut value = vec![b'v'; 300];
    value.extend(count.to_string().bytes());
    value.into()
}

/// So many sessions, those of the tasks first.
pub(crate) async fn fill(store: &'static impl Driver, sessions: usize) {
    let mut tasks: JoinSet<()> = (0..TASKS)
        .map(|task| async move {
            for number in (task..sessions).step_by(TASKS) {
                store.create(&key(number), value(0), HOUR).await.unwrap();
            }
        })
        .collect();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

pub(crate) fn load(store: &'static impl Driver) -> Task {
    task(move |number, calls| async move {
        let key = key(number);
        for _ in 0..calls {
            black_box(store.load(&key).await.unwrap().unwrap());
        }
    })
}

pub(crate) fn replace(store: &'static impl Driver) -> Task {
    task(move |number, calls| async move {
        let key = key(number);
        let mut base: Record = store.load(&key).await.unwrap().unwrap();
        for count in 0..calls {
            base = store
                .replace(&key, &base, value(count), HOUR)
                .await
                .unwrap();
        }
    })
}
