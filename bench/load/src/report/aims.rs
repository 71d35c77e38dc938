//! What is aimed at, and whether the figures say that it is met.

use crate::results::{Micro, Results, RoundTrips, cell};
use crate::subject::{Database, Family, Kind};

use super::markdown::{self, Table};
use super::numbers::{number, percent, signed};

/// One aim, judged by the figures.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Aim {
    pub(super) says: String,
    pub(super) figure: String,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    NotMet,
    /// A figure that it needs is missing.
    NotMeasured,
}

impl Verdict {
    fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::NotMet }
    }
}

/// All aims in a table.
pub(super) fn section(results: &Results) -> String {
    let mut table = Table::new(3, ["aim", "figures", ""]);
    for aim in all(results) {
        let verdict = match aim.verdict {
            Verdict::Met => "met",
            Verdict::NotMet => "**not met**",
            Verdict::NotMeasured => "not measured",
        };
        table.row(vec![aim.says, aim.figure, verdict.to_owned()]);
    }
    markdown::section(
        "Aims",
        "Each is judged by the medians of this run. \"Floor\" is a hand-written handler with the same cryptography, map or driver call and \
         nothing around it; \"adds\" means over the bare framework beside it.",
        &table,
    )
}

pub(super) fn all(results: &Results) -> Vec<Aim> {
    let mut aims = vec![
        untouched_allocations(results),
        untouched_time(results),
        untouched_store(results),
    ];
    for (operation, words) in [
        (
            "open",
            "opening it and reading one key: at most 1.5 times its HMAC, base64 and one number taken out of the JSON",
        ),
        ("save", "saving it: at most 1.5 times its base64 and HMAC"),
    ] {
        aims.push(cookie_over_floor(results, operation, words));
    }
    for (scenario, words) in [
        ("read", "reading one key"),
        ("write", "reading and writing"),
    ] {
        aims.push(over_floor(
            results,
            &format!("Signed cookie, {words}, the whole request: at most 1.5 times what a hand-written handler adds"),
            ("cloakroom signed", "floor cookie"),
            scenario,
        ));
        aims.push(below_peers(
            results,
            Kind::Cookie,
            "cloakroom signed",
            scenario,
            words,
        ));
    }
    aims.push(itsdangerous(results));
    aims.push(large(results));
    for (scenario, words, most) in [
        ("read", "reading one key", 1_000.0),
        ("write", "reading and writing", 1_500.0),
    ] {
        aims.push(memory_time(results, scenario, words, most));
        aims.push(below_peers(
            results,
            Kind::Memory,
            "cloakroom memory",
            scenario,
            words,
        ));
    }
    aims.push(memory_weight(results));
    for database in Database::ALL {
        for (scenario, words) in [("read", "reading"), ("write", "reading and writing")] {
            aims.push(driver(results, database, scenario, words));
        }
        aims.push(round_trips(results, database));
    }
    aims.push(nothing_lost(results));
    aims
}

fn aim(says: impl Into<String>, judged: Option<(String, bool)>) -> Aim {
    let (figure, verdict) = match judged {
        Some((figure, met)) => (figure, Verdict::of(met)),
        None => (String::new(), Verdict::NotMeasured),
    };
    Aim {
        says: says.into(),
        figure,
        verdict,
    }
}

/// Microseconds that a subject adds in process.
pub(super) fn added(results: &Results, subject: &str, scenario: &str) -> Option<f64> {
    let nanoseconds = results.in_process(subject, scenario)?.over_reference_ns?;
    Some(nanoseconds / 1000.0)
}

/// Microseconds of CPU that a subject adds over HTTP.
pub(super) fn added_cpu(results: &Results, subject: &str, scenario: &str) -> Option<f64> {
    let beside = cell(&results.requests, subject, scenario)?.beside_reference?;
    Some(beside.cpu_added_microseconds.median)
}

/// Our subjects whose sessions are in the cookie or in memory: those that are measured in process.
fn ours_in_process(results: &Results) -> Vec<String> {
    let ours = results.subjects.iter().filter(|subject| {
        subject.family == Family::Cloakroom
            && results.in_process(&subject.name, "untouched").is_some()
    });
    ours.map(|subject| subject.name.clone()).collect()
}

/// The worst of our subjects over the layer that does nothing.
pub(super) fn over_layer(
    results: &Results,
    figure: impl Fn(&str) -> Option<f64>,
) -> Option<(String, f64)> {
    let layer = figure("layer")?;
    let over = ours_in_process(results)
        .into_iter()
        .filter_map(|name| figure(&name).map(|value| (name, value - layer)));
    over.max_by(|one, other| one.1.total_cmp(&other.1))
}

fn untouched_allocations(results: &Results) -> Aim {
    let worst = over_layer(results, |name| {
        results
            .in_process(name, "untouched")?
            .over_reference_allocations
    });
    aim(
        "A request that leaves the session alone: at most 2 allocations over a layer that does nothing",
        worst.map(|(name, most)| {
            let figure = format!("at most {most:.0} ({name})");
            (figure, most < 2.5)
        }),
    )
}

fn untouched_time(results: &Results) -> Aim {
    let figure = |name: &str| added(results, name, "untouched");
    // Whatever hands something to handlers pays for the place that it needs among axum's own.
    let pointer = figure("extension").zip(figure("layer"));
    let pointer = pointer.map_or_else(String::new, |(extension, layer)| {
        let most = signed(extension - layer);
        format!("; a layer that hands handlers one pointer and does nothing else {most} µs")
    });
    aim(
        "… and at most 0.15 µs",
        over_layer(results, figure).map(|(name, most)| {
            let figure = format!("{} µs ({name}){pointer}", signed(most));
            (figure, most <= 0.15)
        }),
    )
}

fn untouched_store(results: &Results) -> Aim {
    let counts: Vec<f64> = results
        .round_trips
        .iter()
        .filter(|line| results.family(&line.subject) == Some(Family::Cloakroom))
        .filter_map(|line| line.scenarios.get("untouched").copied())
        .collect();
    let most = counts.iter().copied().reduce(f64::max);
    aim(
        "… and no call of the store",
        most.map(|most| (format!("{most:.0} round trips"), most == 0.0)),
    )
}

/// From the criterion bench, which leaves the request around it out.
fn cookie_over_floor(results: &Results, operation: &str, words: &str) -> Aim {
    let nanoseconds = |contestant| small_cookie(results, operation, contestant);
    let judged = nanoseconds("cloakroom")
        .zip(nanoseconds("floor"))
        .map(|(own, floor)| {
            let times = own / floor;
            let figure = format!(
                "{own:.0} ns, the floor {floor:.0} ns: {} times",
                number(times)
            );
            (figure, times <= 1.5)
        });
    aim(format!("A small signed cookie, {words}"), judged)
}

fn small_cookie(results: &Results, operation: &str, contestant: &str) -> Option<f64> {
    let small = |case: &&Micro| case.session == "small" && case.operation == operation;
    let found = results.micro.iter().find(small)?;
    found.nanoseconds.get(contestant).copied()
}

fn over_floor(results: &Results, says: &str, (own, floor): (&str, &str), scenario: &str) -> Aim {
    let judged = added(results, own, scenario)
        .zip(added(results, floor, scenario))
        .map(|(own, floor)| {
            let times = own / floor;
            let figure = format!(
                "{} µs, the floor {} µs: {} times",
                number(own),
                number(floor),
                number(times)
            );
            (figure, times <= 1.5)
        });
    aim(says, judged)
}

/// Less added CPU over HTTP than each peer of the kind.
fn below_peers(results: &Results, kind: Kind, own: &str, scenario: &str, words: &str) -> Aim {
    let place = match kind {
        Kind::Cookie => "Session in the cookie",
        _ => "Session in memory",
    };
    let judged = added_cpu(results, own, scenario)
        .zip(cheapest_peer(results, kind, scenario))
        .map(|(own, (peer, least))| {
            let figure = format!("{} µs, {peer} {} µs", number(own), number(least));
            (figure, own < least)
        });
    aim(
        format!("{place}, {words}: adds less CPU over HTTP than any peer does to its framework"),
        judged,
    )
}

/// The peer that adds the least CPU.
pub(super) fn cheapest_peer(
    results: &Results,
    kind: Kind,
    scenario: &str,
) -> Option<(String, f64)> {
    let peers = results
        .subjects
        .iter()
        .filter(|subject| subject.family == Family::Peer && subject.kind == kind);
    peers
        .filter_map(|peer| Some((peer.name.clone(), added_cpu(results, &peer.name, scenario)?)))
        .min_by(|one, other| one.1.total_cmp(&other.1))
}

fn itsdangerous(results: &Results) -> Aim {
    let times = |operation: &str| {
        let nanoseconds = |contestant| small_cookie(results, operation, contestant);
        Some(nanoseconds("itsdangerous")? / nanoseconds("cloakroom")?)
    };
    let judged = times("open").zip(times("save")).map(|(open, save)| {
        let figure = format!("opening {open:.0}, saving {save:.0} times");
        (figure, open >= 25.0)
    });
    aim(
        "Opening a small signed cookie: 25 times faster than itsdangerous",
        judged,
    )
}

/// From a small session to one of 3.5 KB: the floor hashes and decodes the bytes, and we should do little else.
fn large(results: &Results) -> Aim {
    let growth = |subject| {
        let small = added(results, subject, "read")?;
        Some(added(results, subject, "large")? - small)
    };
    let judged = growth("cloakroom signed")
        .zip(growth("floor cookie"))
        .map(|(own, floor)| {
            let figure = format!(
                "{} µs more, the floor {} µs more",
                number(own),
                number(floor)
            );
            (figure, own <= 1.5 * floor)
        });
    aim(
        "Signed cookie, one of many keys of a 3.5 KB session: grows at most 1.5 times as much as the floor does",
        judged,
    )
}

fn memory_time(results: &Results, scenario: &str, words: &str, most: f64) -> Aim {
    let judged = added(results, "cloakroom memory", scenario).map(|own| {
        let peer = added(results, "tower-sessions memory", scenario);
        let beside = peer.map_or_else(String::new, |peer| {
            format!(", tower-sessions {} µs", number(peer))
        });
        let met = own <= most / 1000.0 && peer.is_none_or(|peer| own < peer);
        (format!("{} µs{beside}", number(own)), met)
    });
    aim(
        format!(
            "Session in memory, {words}: adds at most {} µs in process, and less than tower-sessions",
            most / 1000.0
        ),
        judged,
    )
}

fn memory_weight(results: &Results) -> Aim {
    let weight = |subject: &str| {
        let weights = &results.in_process.as_ref()?.bytes_per_session;
        weights.get(subject).copied()
    };
    let judged = weight("cloakroom memory").map(|own| {
        let peer = weight("tower-sessions memory");
        let beside = peer.map_or_else(String::new, |peer| format!(", tower-sessions {peer:.0}"));
        (format!("{own:.0} bytes{beside}"), own <= 250.0)
    });
    aim(
        "Session in memory: a small one takes at most 250 bytes",
        judged,
    )
}

fn driver(results: &Results, database: Database, scenario: &str, words: &str) -> Aim {
    let own = format!("cloakroom {}", database.name());
    let share = cell(&results.drivers, &own, scenario)
        .and_then(|cell| Some(cell.beside_reference?.requests_per_second_ratio));
    let judged = share.map(|share| {
        let figure = format!("{} ± {}", percent(share.median), percent(share.spread));
        (figure, share.median >= 0.95)
    });
    aim(
        format!(
            "{}, {words}: at least 95 % of the raw driver's requests per second at 64 connections",
            database.title()
        ),
        judged,
    )
}

/// No scenario takes more than the best peer's, and one takes fewer. A peer that reads without asking the store has no part in
/// it: it answers from its own memory, and does not see what another process wrote.
fn round_trips(results: &Results, database: Database) -> Aim {
    let on_it = |family| {
        let lines = results.round_trips.iter();
        lines.filter(move |line| {
            line.store == database.name() && results.family(&line.subject) == Some(family)
        })
    };
    let trips = |line: &RoundTrips, scenario: &str| line.scenarios.get(scenario).copied();
    let own = on_it(Family::Cloakroom).next();
    let (from_memory, peers): (Vec<_>, Vec<_>) =
        on_it(Family::Peer).partition(|peer| trips(peer, "read") == Some(0.0));
    let judged = own.filter(|_| !peers.is_empty()).map(|own| {
        let rows = ["read", "write", "first", "login"].into_iter();
        let rows = rows.filter_map(|scenario| {
            let counts = peers.iter().filter_map(|peer| trips(peer, scenario));
            Some((scenario, trips(own, scenario)?, counts.reduce(f64::min)?))
        });
        let rows: Vec<(&str, f64, f64)> = rows.collect();
        let figures: Vec<String> = rows
            .iter()
            .map(|(scenario, own, least)| format!("{scenario} {own:.0} and {least:.0}"))
            .collect();
        let met = rows.iter().all(|(_, own, least)| own <= least)
            && rows.iter().any(|(_, own, least)| own < least);
        let aside: Vec<String> = from_memory
            .iter()
            .map(|peer| format!("; {} reads from its own memory", peer.subject))
            .collect();
        (format!("{}{}", figures.join(", "), aside.concat()), met)
    });
    aim(
        format!(
            "{}: never more round trips than the peer with the fewest that asks the store, and fewer somewhere",
            database.title()
        ),
        judged,
    )
}

fn nothing_lost(results: &Results) -> Aim {
    let ours: Vec<_> = results
        .contention
        .iter()
        .filter(|line| results.family(&line.subject) == Some(Family::Cloakroom))
        .collect();
    let judged = (!ours.is_empty()).then(|| {
        let lost: i64 = ours.iter().map(|line| line.lost.abs()).sum();
        let refused: u64 = ours.iter().map(|line| line.refused).sum();
        let figure = format!("{} stores: {lost} lost, {refused} refused", ours.len());
        (figure, lost == 0)
    });
    aim(
        "64 connections count in one session: nothing is lost",
        judged,
    )
}
