//! The tables.

use plan::Scenario;

use crate::results::{Cell, InProcessLine, Results, cell};
use crate::statistics::Summary;
use crate::subject::Subject;

use super::markdown::{Table, section};
use super::numbers::{number, percent, rounded, signed, thousands, with_spread};

/// Those that there are figures for.
pub(super) fn sections(results: &Results) -> Vec<String> {
    vec![
        scenarios(),
        added_cpu(results),
        in_process(results),
        allocations(results),
        requests_per_second(results),
        cpu(results),
        drivers(results),
        round_trips(results),
        contention(results),
        latency(results),
        cookies(results),
        weights(results),
        application(results),
        micro(results),
        builds(results),
        subjects(results),
        troubles(results),
    ]
}

fn scenarios() -> String {
    let mut table = Table::new(2, ["request", "what the visitor does"]);
    for scenario in Scenario::ALL {
        table.row(vec![
            scenario.name().to_owned(),
            scenario.about().to_owned(),
        ]);
    }
    section("What is asked", "The columns of most tables below.", &table)
}

/// A row for each subject, a column for each scenario; a subject without any figure has no row.
fn by_scenario(results: &Results, figure: impl Fn(&Subject, &str) -> Option<String>) -> Table {
    let header = Scenario::ALL.map(Scenario::name);
    let mut table = Table::new(1, ["subject"].into_iter().chain(header));
    for subject in &results.subjects {
        let figures: Vec<Option<String>> =
            header.iter().map(|name| figure(subject, name)).collect();
        if figures.iter().any(Option::is_some) {
            let figures = figures.into_iter().map(Option::unwrap_or_default);
            table.row([subject.name.clone()].into_iter().chain(figures).collect());
        }
    }
    table
}

fn added_cpu(results: &Results) -> String {
    let table = by_scenario(results, |subject, scenario| {
        let beside = cell(&results.requests, &subject.name, scenario)?.beside_reference?;
        let added = with_spread(&beside.cpu_added_microseconds, signed);
        Some(format!("{added} ({}×)", number(beside.cpu_ratio.median)))
    });
    section(
        "CPU that sessions add to a request",
        "Microseconds of the server's CPU over the bare framework beside it (and the ratio to it), over HTTP, 32 connections.",
        &table,
    )
}

fn in_process(results: &Results) -> String {
    let table = by_scenario(results, |subject, scenario| {
        let line = results.in_process(&subject.name, scenario)?;
        Some(match line.over_reference_ns {
            Some(over) if line.subject != subject.reference => thousands(over),
            _ => format!("({})", thousands(line.ns)),
        })
    });
    section(
        "In process: nanoseconds that sessions add",
        "The framework's service called directly, without a network: nanoseconds over the bare framework; in brackets its own time.",
        &table,
    )
}

fn allocations(results: &Results) -> String {
    let table = by_scenario(results, |subject, scenario| {
        let line: &InProcessLine = results.in_process(&subject.name, scenario)?;
        Some(match line.over_reference_allocations {
            Some(over) if line.subject != subject.reference => format!("{over:+.0}"),
            _ => format!("({:.0})", line.allocations),
        })
    });
    section(
        "In process: allocations that sessions add",
        "Over the bare framework; in brackets its own.",
        &table,
    )
}

fn requests_per_second(results: &Results) -> String {
    let table = by_scenario(results, |subject, scenario| {
        let cell = cell(&results.requests, &subject.name, scenario)?;
        Some(rounded(cell.requests_per_second.median))
    });
    section(
        "Requests per second",
        "A closed loop of 32 connections; the server has one core.",
        &table,
    )
}

fn cpu(results: &Results) -> String {
    let table = by_scenario(results, |subject, scenario| {
        Some(both_cpus(cell(&results.requests, &subject.name, scenario)?))
    });
    section(
        "CPU of a request",
        "Microseconds of the server, and after the + those of its database.",
        &table,
    )
}

fn both_cpus(cell: &Cell) -> String {
    let server = number(cell.cpu_microseconds.median);
    match cell.store_cpu_microseconds {
        Some(store) => format!("{server} + {}", number(store.median)),
        None => server,
    }
}

fn drivers(results: &Results) -> String {
    let mut table = Table::new(
        2,
        [
            "subject",
            "request",
            "requests per second",
            "of the raw driver's",
            "CPU µs: server + database",
        ],
    );
    for cell in &results.drivers {
        let share = cell.beside_reference.map(|beside| {
            let share = beside.requests_per_second_ratio;
            format!("{} ± {}", percent(share.median), percent(share.spread))
        });
        table.row(vec![
            cell.subject.clone(),
            cell.scenario.clone(),
            rounded(cell.requests_per_second.median),
            share.unwrap_or_else(|| "100 %".to_owned()),
            both_cpus(cell),
        ]);
    }
    section(
        "Databases, beside the raw driver",
        "64 connections. \"floor\" is a hand-written handler that sends the same commands through the same client.",
        &table,
    )
}

fn round_trips(results: &Results) -> String {
    let mut names: Vec<&str> = Scenario::ALL
        .iter()
        .map(|scenario| scenario.name())
        .collect();
    names.retain(|name| {
        let mut lines = results.round_trips.iter();
        lines.any(|line| line.scenarios.contains_key(*name))
    });
    let mut table = Table::new(1, ["subject"].into_iter().chain(names.iter().copied()));
    for line in &results.round_trips {
        let counts = names.iter().map(|name| {
            let count = line.scenarios.get(*name);
            count.map_or_else(String::new, |count| format!("{count}"))
        });
        table.row([line.subject.clone()].into_iter().chain(counts).collect());
    }
    section(
        "Round trips to the store",
        "How often a request waits for the store: counted between both, one request at a time, median of 100.",
        &table,
    )
}

fn contention(results: &Results) -> String {
    let mut table = Table::new(
        1,
        [
            "subject",
            "counts",
            "lost",
            "refused",
            "requests per second",
        ],
    );
    for line in &results.contention {
        let refused = match &line.first_refusal {
            Some(what) => format!("{} ({what})", line.refused),
            None => line.refused.to_string(),
        };
        table.row(vec![
            line.subject.clone(),
            thousands(line.answered as f64),
            format!(
                "{} ({})",
                thousands(line.lost as f64),
                percent(line.share_lost())
            ),
            refused,
            with_spread(&line.requests_per_second, rounded),
        ]);
    }
    section(
        "Many connections, one session",
        "64 connections add one to the same number at once, in several rounds; lost is what was answered and is not in the session afterwards, \
         refused what was not answered with a success.",
        &table,
    )
}

fn latency(results: &Results) -> String {
    let mut table = Table::new(
        1,
        [
            "subject",
            "requests per second",
            "read: p50",
            "p99",
            "write: p50",
            "p99",
        ],
    );
    for subject in &results.subjects {
        let found = |scenario: &str| {
            let mut lines = results.latency.iter();
            lines.find(|line| line.subject == subject.name && line.scenario == scenario)
        };
        let (read, write) = (found("read"), found("write"));
        let Some(any) = read.or(write) else {
            continue;
        };
        let shown = |summary: Option<Summary>| {
            summary.map_or_else(String::new, |summary| thousands(summary.median))
        };
        table.row(vec![
            subject.name.clone(),
            thousands(f64::from(any.per_second)),
            shown(read.map(|line| line.p50_microseconds)),
            shown(read.map(|line| line.p99_microseconds)),
            shown(write.map(|line| line.p50_microseconds)),
            shown(write.map(|line| line.p99_microseconds)),
        ]);
    }
    section(
        "Time to the answer at a fixed rate",
        "Microseconds from when a request was to be sent, so that waiting counts.",
        &table,
    )
}

fn cookies(results: &Results) -> String {
    let table = by_scenario(results, |subject, scenario| {
        let bytes = cell(&results.requests, &subject.name, scenario)?.set_cookie_bytes;
        subject.has_sessions().then(|| format!("{bytes:.0}"))
    });
    section(
        "Bytes of Set-Cookie in a response",
        "Name, value and attributes.",
        &table,
    )
}

fn weights(results: &Results) -> String {
    let mut table = Table::new(1, ["subject", "bytes for a small session"]);
    for (subject, bytes) in results
        .in_process
        .iter()
        .flat_map(|report| &report.bytes_per_session)
    {
        table.row(vec![subject.clone(), format!("{bytes:.0}")]);
    }
    section(
        "Memory",
        "Bytes of heap for each of 100,000 sessions with one number.",
        &table,
    )
}

fn application(results: &Results) -> String {
    let mut table = Table::new(
        2,
        [
            "page",
            "application",
            "requests per second",
            "to Flask's",
            "CPU µs",
            "of Flask's",
            "bytes of HTML",
        ],
    );
    for cell in &results.application {
        let beside = cell.beside_reference;
        let times = beside.map(|beside| {
            format!(
                "{} ×",
                with_spread(&beside.requests_per_second_ratio, number)
            )
        });
        let share = beside.map(|beside| format!("1 / {}", number(1.0 / beside.cpu_ratio.median)));
        table.row(vec![
            cell.scenario.clone(),
            cell.subject.clone(),
            rounded(cell.requests_per_second.median),
            times.unwrap_or_default(),
            both_cpus(cell),
            share.unwrap_or_default(),
            thousands(cell.body_bytes),
        ]);
    }
    section(
        "A whole application",
        "The tour (`examples/tour`) beside the Flask app with the same pages (`interop/flask_app`): routing, sessions, templates. The tour's \
         pages are longer, because each also shows its own source and the visitor's cookie.",
        &table,
    )
}

fn micro(results: &Results) -> String {
    let mut table = Table::new(
        2,
        [
            "session",
            "operation",
            "cloakroom",
            "floor",
            "itsdangerous",
            "to the floor",
            "faster than itsdangerous",
        ],
    );
    for case in &results.micro {
        let of = |name: &str| case.nanoseconds.get(name).copied();
        let time =
            |name| of(name).map_or_else(String::new, |ns| format!("{} µs", number(ns / 1000.0)));
        let ratio = |over: Option<f64>, under: Option<f64>| {
            over.zip(under).map_or_else(String::new, |(over, under)| {
                format!("{} ×", number(over / under))
            })
        };
        table.row(vec![
            case.session.clone(),
            case.operation.clone(),
            time("cloakroom"),
            time("floor"),
            time("itsdangerous"),
            ratio(of("cloakroom"), of("floor")),
            ratio(of("itsdangerous"), of("cloakroom")),
        ]);
    }
    section(
        "A cookie alone",
        "Opening and saving without a request around it: the criterion bench of the library, `cargo xtask bench --micro`.",
        &table,
    )
}

fn builds(results: &Results) -> String {
    let mut table = Table::new(
        2,
        [
            "program",
            "version",
            "crates",
            "clean build, seconds",
            "program, MB",
        ],
    );
    for build in &results.builds {
        table.row(vec![
            build.name.clone(),
            build.version.clone(),
            build.crates.to_string(),
            format!("{:.0}", build.seconds),
            format!("{:.2}", build.bytes as f64 / 1_000_000.0),
        ]);
    }
    section(
        "Building a program of one page",
        "A counter of visits in the cookie or in memory, with the library's default features: a release build from nothing, of what is \
         already downloaded.",
        &table,
    )
}

fn subjects(results: &Results) -> String {
    let mut table = Table::new(3, ["subject", "version", "measured beside"]);
    for subject in &results.subjects {
        table.row(vec![
            subject.name.clone(),
            subject.version.clone(),
            subject.reference.clone(),
        ]);
    }
    section(
        "Versions",
        "Of the crate or package that holds the sessions.",
        &table,
    )
}

fn troubles(results: &Results) -> String {
    let mut table = Table::new(3, ["subject", "at", "what happened"]);
    for trouble in &results.troubles {
        table.row(vec![
            trouble.subject.clone(),
            trouble.at.clone(),
            trouble.what.clone(),
        ]);
    }
    section(
        "What could not be measured, or answered wrongly",
        "Every answer is checked; figures of a subject that is named here leave out its wrong answers.",
        &table,
    )
}
