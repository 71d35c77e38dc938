//! Contestants in turns, so that the machine's moods meet all of them, and a line of the table for each.

use std::{fs, future::Future, hint::black_box, pin::Pin, time::Instant};

use bytes::Bytes;
use cloakroom::store::{Record, Store};
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
        "{:<10} {:<8} {:>10} {:>10}  {:<42} {:>13} {:>9} {:>9}",
        "store", "call", "ours, 1/s", "raw, 1/s", "raw is", "ours/raw", "ours, µs", "raw, µs"
    );
}

/// What one turn of a contestant came to.
#[derive(Clone, Copy, Default)]
struct Turn {
    /// Calls per second of all tasks together.
    rate: f64,
    /// Microseconds of this process's CPU for each, where the system tells: other programs do not disturb it.
    cpu: f64,
}

impl Contest {
    /// Prints for each of the others the medians of both, and of the ratios of calls per second within a round, with
    /// half the distance between their quartiles.
    pub(crate) async fn run(self) {
        let contestants: Vec<&Task> = std::iter::once(&self.ours)
            .chain(self.others.iter().map(|(_, task)| task))
            .collect();
        for contestant in &contestants {
            turn(contestant, self.calls.div_ceil(4)).await;
        }
        let mut rounds = Vec::new();
        for round in 0..self.rounds {
            let mut turns = vec![Turn::default(); contestants.len()];
            for place in 0..contestants.len() {
                let contestant = (round + place) % contestants.len();
                turns[contestant] = turn(contestants[contestant], self.calls).await;
            }
            rounds.push(turns);
        }
        let of = |contestant: usize, what: fn(&Turn) -> f64| {
            median(rounds.iter().map(|turns| what(&turns[contestant])))
        };
        for (index, (name, _)) in self.others.iter().enumerate() {
            let other = index + 1;
            let ratios = rounds.iter().map(|turns| turns[0].rate / turns[other].rate);
            let mut ratios: Vec<f64> = ratios.collect();
            ratios.sort_by(f64::total_cmp);
            let quartile = |quarters: usize| ratios[(ratios.len() - 1) * quarters / 4];
            println!(
                "{:<10} {:<8} {:>10.0} {:>10.0}  {name:<42} {:>6.3} ±{:.3} {:>9.2} {:>9.2}",
                self.store,
                self.call,
                of(0, |turn| turn.rate),
                of(other, |turn| turn.rate),
                quartile(2),
                (quartile(3) - quartile(1)) / 2.0,
                of(0, |turn| turn.cpu),
                of(other, |turn| turn.cpu),
            );
        }
    }
}

async fn turn(contestant: &Task, calls: usize) -> Turn {
    let (began, used) = (Instant::now(), cpu());
    let mut tasks: JoinSet<()> = (0..TASKS).map(|number| contestant(number, calls)).collect();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let calls = (TASKS * calls) as f64;
    Turn {
        rate: calls / began.elapsed().as_secs_f64(),
        cpu: (cpu() - used) / calls,
    }
}

/// Microseconds that the threads of this process have run, where Linux tells.
fn cpu() -> f64 {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    let times = threads.filter_map(|thread| {
        let times = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        times.split(' ').next()?.parse::<f64>().ok()
    });
    times.sum::<f64>() / 1000.0
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
pub(crate) async fn fill(store: &'static Store, sessions: usize) {
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

pub(crate) fn load(store: &'static Store) -> Task {
    task(move |number, calls| async move {
        let key = key(number);
        for _ in 0..calls {
            black_box(store.load(&key).await.unwrap().unwrap());
        }
    })
}

pub(crate) fn replace(store: &'static Store) -> Task {
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
