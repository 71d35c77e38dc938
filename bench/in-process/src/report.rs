use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::measure::Case;

/// What is printed.
#[derive(Serialize)]
pub(crate) struct Report {
    rounds: u32,
    results: Vec<Line>,
    bytes_per_session: BTreeMap<&'static str, f64>,
}

/// One case: medians over the rounds.
#[derive(Serialize)]
struct Line {
    subject: &'static str,
    scenario: &'static str,
    ns: f64,
    ns_low: f64,
    ns_high: f64,
    allocations: f64,
    bytes: f64,
    /// The median of the differences to the reference's time in the same round, if that was measured.
    over_reference_ns: Option<f64>,
    /// The median of the ratios to it.
    ratio: Option<f64>,
    over_reference_allocations: Option<f64>,
}

impl Report {
    pub(crate) fn new(
        rounds: u32,
        cases: &[Case<'_>],
        bytes_per_session: BTreeMap<&'static str, f64>,
    ) -> Self {
        Self {
            rounds,
            results: cases.iter().map(|case| line(case, cases)).collect(),
            bytes_per_session,
        }
    }
}

/// For people, where the JSON is for programs.
impl fmt::Display for Report {
    fn fmt(&self, table: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            table,
            "{:<28} {:<19} {:>9} {:>9} {:>7} {:>6} {:>8}",
            "subject", "scenario", "ns", "over ns", "allocs", "over", "bytes"
        )?;
        for line in &self.results {
            let [over, more] = [line.over_reference_ns, line.over_reference_allocations]
                .map(|value| value.map_or(String::new(), |value| format!("{value:.1}")));
            let (subject, scenario) = (line.subject, &line.scenario);
            write!(
                table,
                "{subject:<28} {scenario:<19} {:>9.0} {over:>9} ",
                line.ns
            )?;
            writeln!(
                table,
                "{:>7.1} {more:>6} {:>8.0}",
                line.allocations, line.bytes
            )?;
        }
        for (subject, bytes) in &self.bytes_per_session {
            writeln!(table, "{subject:<28} {bytes:.0} bytes for a small session")?;
        }
        Ok(())
    }
}

fn line(case: &Case<'_>, cases: &[Case<'_>]) -> Line {
    let reference = cases.iter().find(|other| {
        other.subject.name == case.subject.reference && other.scenario == case.scenario
    });
    let paired = |compare: fn(f64, f64) -> f64| {
        let reference = reference?;
        let pairs = case.nanoseconds.iter().zip(&reference.nanoseconds);
        quantile(
            pairs.map(|(own, other)| compare(*own, *other)).collect(),
            0.5,
        )
    };
    let of_times = |part| quantile(case.nanoseconds.clone(), part).unwrap_or_default();
    Line {
        subject: case.subject.name,
        scenario: case.scenario.name(),
        ns: of_times(0.5),
        ns_low: of_times(0.25),
        ns_high: of_times(0.75),
        allocations: case.allocations,
        bytes: case.bytes,
        over_reference_ns: paired(|own, other| own - other),
        ratio: paired(|own, other| own / other),
        over_reference_allocations: reference
            .map(|reference| case.allocations - reference.allocations),
    }
}

/// The value below which this part of them lies, between two neighbours in proportion.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn quantile(mut values: Vec<f64>, part: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let place = part * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    Some(values[below] + (values[above] - values[below]) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let values = vec![4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(values.clone(), 0.5), Some(2.5));
        assert_eq!(quantile(values.clone(), 0.25), Some(1.75));
        assert_eq!(quantile(values, 1.0), Some(4.0));
        assert_eq!(quantile(Vec::new(), 0.5), None);
    }
}
