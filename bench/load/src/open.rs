//! How long an answer takes at a fixed rate.

use std::time::Duration;

use plan::{Scenario, Shuffle};

use crate::client::{Crowd, Tally};
use crate::field::Field;
use crate::results::Latency;
use crate::script::script;
use crate::statistics::{Summary, quantile};
use crate::subject::Subject;
use crate::turns::in_turn;

/// A rate that leaves the server idle most of the time, and the connections it comes on.
struct Rate {
    per_second: u32,
    connections: usize,
}

impl Rate {
    fn of(subject: &Subject) -> Self {
        match subject.python {
            false => Self {
                per_second: 4_000,
                connections: 16,
            },
            true => Self {
                per_second: 100,
                connections: 4,
            },
        }
    }
}

/// Half and nearly all of the answers of a window came in so many microseconds.
struct Sample {
    tally: Tally,
    p50: f64,
    p99: f64,
}

/// All subjects in turn, round by round.
pub(crate) fn run(
    field: &mut Field<'_>,
    shuffle: &mut Shuffle,
    scenario: Scenario,
    rounds: usize,
    window: Duration,
) -> Vec<Latency> {
    let subjects = field.running();
    let samples = in_turn(rounds, subjects.len(), shuffle, |place| {
        let subject = &subjects[place];
        let sample = measure(field, subject, scenario, window);
        let right = sample.as_ref().map_err(Clone::clone);
        if let Err(what) = right.and_then(|sample| sample.tally.all_right()) {
            field.trouble(subject, &at(scenario), &what);
        }
        sample.ok()
    });
    let lines = subjects.iter().zip(&samples);
    lines
        .filter_map(|(subject, samples)| {
            let total =
                |count: fn(&Tally) -> u64| samples.iter().map(|sample| count(&sample.tally)).sum();
            Some(Latency {
                subject: subject.name.clone(),
                scenario: scenario.name().to_owned(),
                per_second: Rate::of(subject).per_second,
                requests: total(|tally| tally.answered + tally.failed),
                failed: total(|tally| tally.failed),
                p50_microseconds: Summary::of(samples.iter().map(|sample| sample.p50))?,
                p99_microseconds: Summary::of(samples.iter().map(|sample| sample.p99))?,
            })
        })
        .collect()
}

fn at(scenario: Scenario) -> String {
    format!("{} at a fixed rate", scenario.name())
}

fn measure(
    field: &Field<'_>,
    subject: &Subject,
    scenario: Scenario,
    window: Duration,
) -> Result<Sample, String> {
    let said = |error: std::io::Error| error.to_string();
    let rate = Rate::of(subject);
    let script = script(scenario, subject.has_sessions());
    let mut crowd = Crowd::connect(field.address(subject)?, rate.connections).map_err(said)?;
    for ask in &script.prepare {
        crowd.each(ask).map_err(said)?.all_right()?;
    }
    crowd.each(&script.measured).map_err(said)?.all_right()?;
    let (tally, mut nanoseconds) = crowd
        .open_loop(&script.measured, rate.per_second, window)
        .map_err(said)?;
    nanoseconds.sort_unstable();
    let microseconds: Vec<f64> = nanoseconds
        .iter()
        .map(|taken| *taken as f64 / 1000.0)
        .collect();
    let part = |part| quantile(&microseconds, part).ok_or("no answers");
    Ok(Sample {
        p50: part(0.5)?,
        p99: part(0.99)?,
        tally,
    })
}
