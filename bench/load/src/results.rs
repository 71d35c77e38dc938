//! What was measured: the content of `results.json`, from which everything else is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::statistics::Summary;
use crate::subject::{Family, Subject};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Results {
    pub(crate) run: Run,
    pub(crate) subjects: Vec<Subject>,
    /// Beside the bare framework, one scenario after the other.
    pub(crate) requests: Vec<Cell>,
    /// The stores at 64 connections, beside the raw driver.
    pub(crate) drivers: Vec<Cell>,
    /// The tour and its Flask twin; the scenario is the page.
    pub(crate) application: Vec<Cell>,
    pub(crate) latency: Vec<Latency>,
    pub(crate) contention: Vec<Contention>,
    pub(crate) round_trips: Vec<RoundTrips>,
    pub(crate) in_process: Option<InProcess>,
    pub(crate) micro: Vec<Micro>,
    pub(crate) builds: Vec<Build>,
    pub(crate) troubles: Vec<Trouble>,
}

/// How and where it was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Run {
    pub(crate) date: String,
    pub(crate) seconds: u64,
    pub(crate) quick: bool,
    /// Not everything was asked for.
    pub(crate) narrowed: bool,
    pub(crate) seed: u64,
    pub(crate) rounds: usize,
    pub(crate) window_milliseconds: u64,
    pub(crate) connections: usize,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// Of the compiler, the servers and Python, by name.
    pub(crate) versions: BTreeMap<String, String>,
}

/// One subject in one scenario, in a closed loop.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) subject: String,
    pub(crate) scenario: String,
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) requests_per_second: Summary,
    /// Of the server.
    pub(crate) cpu_microseconds: Summary,
    pub(crate) store_cpu_microseconds: Option<Summary>,
    pub(crate) set_cookie_bytes: f64,
    pub(crate) body_bytes: f64,
    /// To the reference in the same round; none for the reference itself.
    pub(crate) beside_reference: Option<Beside>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Beside {
    pub(crate) requests_per_second_ratio: Summary,
    pub(crate) cpu_ratio: Summary,
    pub(crate) cpu_added_microseconds: Summary,
}

/// One subject in one scenario, at a fixed rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) subject: String,
    pub(crate) scenario: String,
    pub(crate) per_second: u32,
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) p50_microseconds: Summary,
    pub(crate) p99_microseconds: Summary,
}

/// Many connections count in one session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contention {
    pub(crate) subject: String,
    pub(crate) connections: usize,
    /// Successes of all rounds.
    pub(crate) answered: u64,
    /// Answers of all rounds that were no success.
    pub(crate) refused: u64,
    pub(crate) first_refusal: Option<String>,
    /// Counts of all rounds that were answered and are not in the session; below 0, there are more than were answered.
    pub(crate) lost: i64,
    pub(crate) requests_per_second: Summary,
}

impl Contention {
    /// The part of the counts that is lost.
    pub(crate) fn share_lost(&self) -> f64 {
        self.lost as f64 / self.answered.max(1) as f64
    }
}

/// Round trips to the store for one request, by scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RoundTrips {
    pub(crate) subject: String,
    pub(crate) store: String,
    pub(crate) scenarios: BTreeMap<String, f64>,
}

/// What the program `in-process` prints.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct InProcess {
    pub(crate) rounds: u64,
    pub(crate) results: Vec<InProcessLine>,
    #[serde(default)]
    pub(crate) bytes_per_session: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct InProcessLine {
    pub(crate) subject: String,
    pub(crate) scenario: String,
    pub(crate) ns: f64,
    pub(crate) ns_low: f64,
    pub(crate) ns_high: f64,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
    pub(crate) over_reference_ns: Option<f64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) over_reference_allocations: Option<f64>,
}

/// A cookie alone, without a request: nanoseconds by contestant (`cloakroom`, `floor`, `itsdangerous`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Micro {
    pub(crate) session: String,
    pub(crate) operation: String,
    pub(crate) nanoseconds: BTreeMap<String, f64>,
}

/// A program of one page with sessions: what `hello/build_cost.py` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Build {
    pub(crate) name: String,
    /// Of the library.
    pub(crate) version: String,
    pub(crate) crates: u64,
    pub(crate) seconds: f64,
    pub(crate) bytes: u64,
}

/// What could not be measured, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    pub(crate) subject: String,
    /// What was being measured.
    pub(crate) at: String,
    pub(crate) what: String,
}

impl Results {
    /// As JSON of one line for each thing measured, with five digits of each figure: what changes from run to run can be
    /// seen, and is not longer than it has to be.
    pub(crate) fn text(&self) -> serde_json::Result<String> {
        let Value::Object(parts) = serde_json::to_value(self)? else {
            return Ok(String::new());
        };
        let parts = parts.into_iter().map(|(name, part)| {
            let part = match part {
                Value::Array(lines) if !lines.is_empty() => {
                    let lines: Vec<String> = lines
                        .into_iter()
                        .map(|line| rounded(line).to_string())
                        .collect();
                    format!("[\n{}\n]", lines.join(",\n"))
                }
                Value::Object(mut report) if report.contains_key("results") => {
                    // What `in-process` printed, whose lines are one level deeper.
                    let lines = report.remove("results").unwrap_or_default();
                    let lines: Vec<String> = lines
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|line| rounded(line.clone()).to_string())
                        .collect();
                    let rest = rounded(Value::Object(report)).to_string();
                    let rest = rest.strip_suffix('}').unwrap_or_default();
                    format!("{rest},\"results\":[\n{}\n]}}", lines.join(",\n"))
                }
                part => rounded(part).to_string(),
            };
            format!("{}: {part}", Value::from(name))
        });
        let parts: Vec<String> = parts.collect();
        Ok(format!("{{\n{}\n}}\n", parts.join(",\n")))
    }

    pub(crate) fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    pub(crate) fn family(&self, name: &str) -> Option<Family> {
        Some(self.subject(name)?.family)
    }

    pub(crate) fn in_process(&self, subject: &str, scenario: &str) -> Option<&InProcessLine> {
        let results = &self.in_process.as_ref()?.results;
        results
            .iter()
            .find(|line| line.subject == subject && line.scenario == scenario)
    }
}

/// The same with five digits of each number that is not whole.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let exact = number.as_f64().unwrap_or_default();
            let digits = format!("{exact:.4e}");
            digits
                .parse()
                .map_or(Value::Number(number), |short: f64| Value::from(short))
        }
        Value::Array(values) => values.into_iter().map(rounded).collect(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(name, value)| (name, rounded(value)))
            .collect(),
        other => other,
    }
}

/// The cell of a subject in a scenario.
pub(crate) fn cell<'a>(cells: &'a [Cell], subject: &str, scenario: &str) -> Option<&'a Cell> {
    cells
        .iter()
        .find(|cell| cell.subject == subject && cell.scenario == scenario)
}
