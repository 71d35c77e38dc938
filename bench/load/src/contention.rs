//! Many connections count in one session at once: what is lost, and how fast it goes.

use std::time::Duration;

use plan::Shuffle;

use crate::client::{Answer, Ask, Crowd, Request, Until, Visitor};
use crate::field::Field;
use crate::results::Contention;
use crate::statistics::Summary;
use crate::subject::{Kind, Subject};
use crate::turns::in_turn;

const CONNECTIONS: usize = 64;

/// Who needs longer counts less often.
const LONGEST: Duration = Duration::from_secs(2);

const COUNT: Ask = Ask {
    request: Request::get("/write"),
    visitor: Visitor::Returning,
    answer: Answer::Number,
};

struct Sample {
    answered: u64,
    lost: i64,
    refused: u64,
    first_refusal: Option<String>,
    requests_per_second: f64,
}

/// All subjects whose sessions are shared, in turn, round by round. A cookie is each browser's own copy.
pub(crate) fn run(field: &mut Field<'_>, shuffle: &mut Shuffle, rounds: usize) -> Vec<Contention> {
    let mut subjects = field.running();
    subjects.retain(|subject| matches!(subject.kind, Kind::Memory | Kind::Store));
    let samples = in_turn(rounds, subjects.len(), shuffle, |place| {
        let subject = &subjects[place];
        let sample = measure(field, subject);
        sample
            .inspect_err(|what| field.trouble(subject, "contention", what))
            .ok()
    });
    let lines = subjects.iter().zip(samples);
    lines
        .filter_map(|(subject, samples)| {
            Some(Contention {
                subject: subject.name.clone(),
                connections: CONNECTIONS,
                answered: samples.iter().map(|sample| sample.answered).sum(),
                refused: samples.iter().map(|sample| sample.refused).sum(),
                lost: samples.iter().map(|sample| sample.lost).sum(),
                requests_per_second: Summary::of(
                    samples.iter().map(|sample| sample.requests_per_second),
                )?,
                first_refusal: samples.into_iter().find_map(|sample| sample.first_refusal),
            })
        })
        .collect()
}

/// Python answers a fiftieth of them in the same time.
fn requests(subject: &Subject) -> u64 {
    if subject.python { 640 } else { 6_400 }
}

fn measure(field: &Field<'_>, subject: &Subject) -> Result<Sample, String> {
    let said = |error: std::io::Error| error.to_string();
    let mut crowd = Crowd::connect(field.address(subject)?, CONNECTIONS).map_err(said)?;
    crowd.one(&COUNT).map_err(said)?.all_right()?;
    crowd.share_first_jar();
    let first = crowd.seen_by_first();
    let storm = crowd
        .closed_loop(&COUNT, Until::RequestsWithin(requests(subject), LONGEST))
        .map_err(said)?;
    let read = Ask {
        request: Request::get("/read"),
        ..COUNT
    };
    crowd.one(&read).map_err(said)?.all_right()?;
    let counted = crowd.seen_by_first().saturating_sub(first);
    Ok(Sample {
        answered: storm.tally.answered,
        lost: storm.tally.answered.cast_signed() - counted.cast_signed(),
        refused: storm.tally.failed,
        first_refusal: storm.tally.first_failure,
        requests_per_second: storm.tally.answered as f64 / storm.elapsed.as_secs_f64(),
    })
}
