//! Requests per second and CPU per request, in a closed loop, beside a reference in the same round.

use std::time::Duration;

use plan::Shuffle;

use crate::client::{Crowd, Tally, Until};
use crate::field::Field;
use crate::results::{Beside, Cell};
use crate::script::Script;
use crate::statistics::Summary;
use crate::subject::Subject;
use crate::turns::Turns;

/// Subjects and what they are measured beside.
pub(crate) struct Contest<'a> {
    pub(crate) scenario: &'a str,
    pub(crate) reference: &'a Subject,
    pub(crate) others: &'a [Subject],
    /// The same for all, but for what a server without sessions answers.
    pub(crate) script: &'a dyn Fn(&Subject) -> Script,
    pub(crate) load: Load,
}

/// How much load, how often and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// After so many others the reference has another turn, so that no two are compared that lie seconds apart.
const TURNS: usize = 4;

/// One window.
#[derive(Clone, Debug)]
struct Sample {
    tally: Tally,
    requests_per_second: f64,
    cpu_microseconds: f64,
    store_cpu_microseconds: Option<f64>,
}

impl Contest<'_> {
    /// All rounds. Who fails is noted in the field and has fewer rounds, or none.
    pub(crate) fn run(&self, field: &mut Field<'_>, shuffle: &mut Shuffle) -> Vec<Cell> {
        let mut references = Vec::new();
        let mut samples: Vec<Vec<(Sample, Sample)>> = vec![Vec::new(); self.others.len()];
        let mut turns = Turns::of(self.others.len());
        for _ in 0..self.load.rounds {
            let order = turns.next(shuffle);
            let mut before = self.measure(field, self.reference);
            references.extend(before.clone());
            for some in order.chunks(TURNS) {
                let windows: Vec<_> = some
                    .iter()
                    .map(|place| (*place, self.measure(field, &self.others[*place])))
                    .collect();
                let after = self.measure(field, self.reference);
                references.extend(after.clone());
                for (place, window) in windows {
                    match (window, between(before.as_ref(), after.as_ref())) {
                        (Some(window), Some(reference)) => samples[place].push((window, reference)),
                        (None, _) => turns.leave_out(place),
                        (Some(_), None) => {}
                    }
                }
                before = after;
            }
        }
        let others = self.others.iter().zip(&samples);
        let cells = others.filter_map(|(subject, pairs)| {
            let windows: Vec<&Sample> = pairs.iter().map(|(window, _)| window).collect();
            let mut cell = self.cell(subject, &windows)?;
            cell.beside_reference = beside(pairs);
            Some(cell)
        });
        let references: Vec<&Sample> = references.iter().collect();
        self.cell(self.reference, &references)
            .into_iter()
            .chain(cells)
            .collect()
    }

    /// A window of one subject; none if something was wrong, which is then noted.
    fn measure(&self, field: &mut Field<'_>, subject: &Subject) -> Option<Sample> {
        match self.try_measure(field, subject) {
            Ok(sample) => {
                if let Err(what) = sample.tally.all_right() {
                    field.trouble(subject, self.scenario, &what);
                }
                Some(sample)
            }
            Err(what) => {
                field.trouble(subject, self.scenario, &what);
                None
            }
        }
    }

    fn try_measure(&self, field: &Field<'_>, subject: &Subject) -> Result<Sample, String> {
        let said = |error: std::io::Error| error.to_string();
        let script = (self.script)(subject);
        let mut crowd =
            Crowd::connect(field.address(subject)?, self.load.connections).map_err(said)?;
        for ask in &script.prepare {
            let tally = crowd.each(ask).map_err(said)?;
            tally
                .all_right()
                .map_err(|what| prepared(ask.request.path, &what))?;
        }
        let warm_up = Until::Time(self.load.warm_up);
        let warm_up = crowd.closed_loop(&script.measured, warm_up).map_err(said)?;
        let (server, store) = field.cpu_nanoseconds(subject)?;
        let window = crowd
            .closed_loop(&script.measured, Until::Time(self.load.window))
            .map_err(said)?;
        let (server_after, store_after) = field.cpu_nanoseconds(subject)?;
        let mut tally = window.tally;
        let requests = (tally.answered + tally.failed) as f64;
        tally.note_failures(&warm_up.tally);
        if tally.answered == 0 {
            return Err(tally
                .first_failure
                .unwrap_or_else(|| "no answers".to_owned()));
        }
        let each =
            |before: u64, after: u64| after.saturating_sub(before) as f64 / 1000.0 / requests;
        Ok(Sample {
            requests_per_second: tally.answered as f64 / window.elapsed.as_secs_f64(),
            cpu_microseconds: each(server, server_after),
            store_cpu_microseconds: store
                .zip(store_after)
                .map(|(before, after)| each(before, after)),
            tally,
        })
    }

    fn cell(&self, subject: &Subject, windows: &[&Sample]) -> Option<Cell> {
        let summary =
            |figure: fn(&Sample) -> f64| Summary::of(windows.iter().map(|window| figure(window)));
        let total = |count: fn(&Tally) -> u64| {
            windows
                .iter()
                .map(|window| count(&window.tally))
                .sum::<u64>()
        };
        let requests = total(|tally| tally.answered + tally.failed);
        Some(Cell {
            subject: subject.name.clone(),
            scenario: self.scenario.to_owned(),
            requests,
            failed: total(|tally| tally.failed),
            requests_per_second: summary(|window| window.requests_per_second)?,
            cpu_microseconds: summary(|window| window.cpu_microseconds)?,
            store_cpu_microseconds: Summary::of(
                windows
                    .iter()
                    .filter_map(|window| window.store_cpu_microseconds),
            ),
            set_cookie_bytes: total(|tally| tally.set_cookie_bytes) as f64 / requests as f64,
            body_bytes: total(|tally| tally.body_bytes) as f64 / requests as f64,
            beside_reference: None,
        })
    }
}

/// What the preparation said; a session that a cookie can't hold is no failure of the bench.
fn prepared(path: &str, what: &str) -> String {
    match what.contains("status 507") {
        true => "n/a: the session does not fit a cookie".to_owned(),
        false => format!("{path}: {what}"),
    }
}

/// The reference as it was while others had their turn: the mean of before and after.
fn between(before: Option<&Sample>, after: Option<&Sample>) -> Option<Sample> {
    let (Some(before), Some(after)) = (before, after) else {
        return before.or(after).cloned();
    };
    let mean = |figure: fn(&Sample) -> f64| f64::midpoint(figure(before), figure(after));
    Some(Sample {
        tally: before.tally.clone(),
        requests_per_second: mean(|sample| sample.requests_per_second),
        cpu_microseconds: mean(|sample| sample.cpu_microseconds),
        store_cpu_microseconds: None,
    })
}

fn beside(pairs: &[(Sample, Sample)]) -> Option<Beside> {
    let summary = |compare: fn(&Sample, &Sample) -> f64| {
        Summary::of(pairs.iter().map(|(own, reference)| compare(own, reference)))
    };
    Some(Beside {
        requests_per_second_ratio: summary(|own, reference| {
            own.requests_per_second / reference.requests_per_second
        })?,
        cpu_ratio: summary(|own, reference| own.cpu_microseconds / reference.cpu_microseconds)?,
        cpu_added_microseconds: summary(|own, reference| {
            own.cpu_microseconds - reference.cpu_microseconds
        })?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(requests_per_second: f64, cpu_microseconds: f64) -> Sample {
        Sample {
            tally: Tally::default(),
            requests_per_second,
            cpu_microseconds,
            store_cpu_microseconds: None,
        }
    }

    #[test]
    fn each_window_is_compared_with_the_reference_around_it() {
        // The machine became half as fast between the rounds: the ratios do not show it.
        let pairs = [
            (sample(50.0, 20.0), sample(100.0, 10.0)),
            (sample(25.0, 40.0), sample(50.0, 20.0)),
        ];
        let beside = beside(&pairs).unwrap();
        assert!((beside.requests_per_second_ratio.median - 0.5).abs() < 1e-9);
        assert!((beside.cpu_ratio.median - 2.0).abs() < 1e-9);
        assert!((beside.cpu_added_microseconds.median - 15.0).abs() < 1e-9);
        assert!(super::beside(&[]).is_none());
    }

    #[test]
    fn the_reference_is_the_mean_of_before_and_after_or_the_one_there_is() {
        let (before, after) = (sample(100.0, 10.0), sample(80.0, 12.0));
        let mean = between(Some(&before), Some(&after)).unwrap();
        assert!((mean.requests_per_second - 90.0).abs() < 1e-9);
        assert!((mean.cpu_microseconds - 11.0).abs() < 1e-9);
        let only = between(None, Some(&after)).unwrap();
        assert!((only.requests_per_second - 80.0).abs() < 1e-9);
        assert!(between(None, None).is_none());
    }

    #[test]
    fn a_session_that_does_not_fit_is_said_so() {
        let what = "32 of 32 answers wrong, the first: status 507";
        assert!(prepared("/fill/large", what).starts_with("n/a"));
        assert!(prepared("/fill/large", "status 500").contains("/fill/large"));
    }
}
