//! Which charts there are.

use crate::results::{Cell, InProcessLine, Results, cell};
use crate::subject::{Family, Kind, Subject};

use super::chart::{Bar, Chart, Group};
use super::numbers::{number, percent, rounded};

/// Those that there are figures for, by the name of their file.
pub(super) fn all(results: &Results) -> Vec<(&'static str, Chart)> {
    let cookie = |subject: &Subject| subject.kind == Kind::Cookie;
    let memory = |subject: &Subject| subject.kind == Kind::Memory;
    let redis = |subject: &Subject| subject.store.as_deref() == Some("redis");
    let charts = [
        (
            "cookie",
            added_cpu(results, "Sessions in the cookie", cookie),
        ),
        ("memory", added_cpu(results, "Sessions in memory", memory)),
        ("redis-cpu", added_cpu(results, "Sessions in Redis", redis)),
        ("in-process", in_process(results)),
        ("redis", drivers(results, "redis", "Redis")),
        ("postgres", drivers(results, "postgres", "PostgreSQL")),
        ("application", application(results)),
    ];
    charts
        .into_iter()
        .filter_map(|(name, chart)| Some((name, chart?)))
        .collect()
}

const READ_AND_WRITE: [(&str, &str); 2] =
    [("read", "reads one key"), ("write", "reads and writes")];

/// What a request costs more than in the bare framework.
fn added_cpu(results: &Results, title: &str, who: impl Fn(&Subject) -> bool) -> Option<Chart> {
    chart(
        format!("{title}: CPU added to a request"),
        "Microseconds of the server over the bare framework beside it. Shorter is better."
            .to_owned(),
        Better::Shorter,
        &READ_AND_WRITE,
        |scenario| {
            let bars = results
                .subjects
                .iter()
                .filter(|subject| who(subject) && !subject.python);
            bars.filter_map(|subject| {
                let cell = cell(&results.requests, &subject.name, scenario)?;
                let added = cell.beside_reference?.cpu_added_microseconds.median;
                Some(bar(subject, added, format!("{} µs", number(added))))
            })
            .collect()
        },
    )
}

fn in_process(results: &Results) -> Option<Chart> {
    chart(
        "In process: what the session adds to a request".to_owned(),
        "Microseconds over the bare framework, without a network. Shorter is better.".to_owned(),
        Better::Shorter,
        &[
            ("untouched", "leaves the session alone"),
            READ_AND_WRITE[0],
            READ_AND_WRITE[1],
        ],
        |scenario| {
            let subjects = results.subjects.iter();
            let subjects = subjects.filter(|subject| {
                matches!(subject.kind, Kind::Cookie | Kind::Memory) || subject.name == "layer"
            });
            subjects
                .filter_map(|subject| {
                    let line: &InProcessLine = results.in_process(&subject.name, scenario)?;
                    let added = line.over_reference_ns? / 1000.0;
                    Some(bar(subject, added, format!("{} µs", number(added))))
                })
                .collect()
        },
    )
}

fn drivers(results: &Results, store: &str, title: &str) -> Option<Chart> {
    chart(
        format!("{title}: requests per second beside the raw driver"),
        "64 connections; in brackets the share of the hand-written handler's. Longer is better."
            .to_owned(),
        Better::Longer,
        &[
            READ_AND_WRITE[0],
            READ_AND_WRITE[1],
            ("login", "logs in: a new id"),
        ],
        |scenario| {
            let subjects = results.subjects.iter();
            subjects
                .filter(|subject| subject.store.as_deref() == Some(store))
                .filter_map(|subject| {
                    let cell = cell(&results.drivers, &subject.name, scenario)?;
                    Some(throughput(subject, cell))
                })
                .collect()
        },
    )
}

fn throughput(subject: &Subject, cell: &Cell) -> Bar {
    let value = cell.requests_per_second.median;
    let share = cell
        .beside_reference
        .map(|beside| beside.requests_per_second_ratio.median);
    let text = match share {
        Some(share) => format!("{} ({})", rounded(value), percent(share)),
        None => rounded(value),
    };
    bar(subject, value, text)
}

fn application(results: &Results) -> Option<Chart> {
    let mut groups: Vec<Group> = Vec::new();
    for cell in &results.application {
        let value = cell.requests_per_second.median;
        let times = cell
            .beside_reference
            .map(|beside| beside.requests_per_second_ratio.median);
        let bar = Bar {
            label: cell.subject.clone(),
            value,
            text: match times {
                Some(times) => format!("{} ({} ×)", rounded(value), number(times)),
                None => rounded(value),
            },
            family: match times {
                Some(_) => Family::Cloakroom,
                None => Family::Peer,
            },
        };
        match groups.iter_mut().find(|group| group.title == cell.scenario) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group {
                title: cell.scenario.clone(),
                bars: vec![bar],
            }),
        }
    }
    (!groups.is_empty()).then(|| Chart {
        title: "The same pages: the tour beside Flask".to_owned(),
        about:
            "Requests per second on one core; in brackets the ratio to Flask's. Longer is better."
                .to_owned(),
        groups,
    })
}

/// Which end of the bars is good.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    Shorter,
    Longer,
}

/// A chart with the best bar of each group first, if there are figures and ours are among them.
fn chart(
    title: String,
    about: String,
    better: Better,
    scenarios: &[(&str, &str)],
    bars: impl Fn(&str) -> Vec<Bar>,
) -> Option<Chart> {
    let groups: Vec<Group> = scenarios
        .iter()
        .map(|(scenario, words)| {
            let mut bars = bars(scenario);
            bars.sort_by(|one, other| one.value.total_cmp(&other.value));
            if better == Better::Longer {
                bars.reverse();
            }
            Group {
                title: (*words).to_owned(),
                bars,
            }
        })
        .filter(|group| !group.bars.is_empty())
        .collect();
    let ours = |bar: &Bar| bar.family == Family::Cloakroom;
    let any = groups.iter().any(|group| group.bars.iter().any(ours));
    any.then_some(Chart {
        title,
        about,
        groups,
    })
}

fn bar(subject: &Subject, value: f64, text: String) -> Bar {
    Bar {
        label: subject.name.clone(),
        value,
        text,
        family: subject.family,
    }
}
