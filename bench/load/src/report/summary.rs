//! The first sentences: what the figures say, as far as there are figures.

use crate::results::{Contention, Results, cell};
use crate::subject::{Database, Family, Kind};

use super::aims::{self, Verdict, added, added_cpu, cheapest_peer, over_layer};
use super::numbers::{number, percent};

/// A list, and how many aims are met.
pub(super) fn sentences(results: &Results) -> String {
    let said = [
        untouched(results),
        kept(
            results,
            Kind::Cookie,
            "cloakroom signed",
            "floor cookie",
            "a signed cookie",
        ),
        kept(
            results,
            Kind::Memory,
            "cloakroom memory",
            "floor memory",
            "memory",
        ),
        drivers(results),
        contention(results),
        application(results),
    ];
    let said: Vec<String> = said
        .into_iter()
        .flatten()
        .map(|sentence| format!("- {sentence}\n"))
        .collect();
    format!("{}\n{}\n{}", place(results), said.concat(), score(results))
}

fn place(results: &Results) -> String {
    let run = &results.run;
    let versions: Vec<String> = run
        .versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let caution = match (run.quick, run.narrowed) {
        (true, _) => " **A quick look: few short windows, so the figures are rough.**",
        (false, true) => " **Not everything was measured.**",
        (false, false) => "",
    };
    format!(
        "Measured on {} with {} cores of {}: {}; {} rounds, {} min {} s in all.{caution}\n",
        run.date,
        run.cores,
        run.cpu,
        versions.join(", "),
        run.rounds,
        run.seconds / 60,
        run.seconds % 60,
    )
}

fn untouched(results: &Results) -> Option<String> {
    let (_, time) = over_layer(results, |name| added(results, name, "untouched"))?;
    let (_, allocations) = over_layer(results, |name| {
        results
            .in_process(name, "untouched")?
            .over_reference_allocations
    })?;
    Some(format!(
        "A request that leaves its session alone costs at most {} µs and {allocations:.0} allocations more than one through a layer \
         that does nothing.",
        number(time.max(0.0))
    ))
}

fn kept(results: &Results, kind: Kind, own: &str, floor: &str, place: &str) -> Option<String> {
    let one = |scenario, words| {
        let own = added_cpu(results, own, scenario)?;
        let (peer, least) = cheapest_peer(results, kind, scenario)?;
        let floor = added_cpu(results, floor, scenario)?;
        Some(format!(
            "{words} adds {} µs of CPU to a request (the floor {} µs; of the peers {peer} adds least, {} µs)",
            number(own),
            number(floor),
            number(least)
        ))
    };
    let read = one("read", "reading")?;
    let write = one("write", "reading and writing")?;
    Some(format!("Sessions in {place}: {read}; {write}."))
}

fn drivers(results: &Results) -> Option<String> {
    let stores: Vec<String> = Database::ALL
        .into_iter()
        .filter_map(|database| {
            let own = format!("cloakroom {}", database.name());
            let share = |scenario| {
                let cell = cell(&results.drivers, &own, scenario)?;
                Some(percent(
                    cell.beside_reference?.requests_per_second_ratio.median,
                ))
            };
            Some(format!(
                "{}: {} when reading and {} when writing",
                database.title(),
                share("read")?,
                share("write")?
            ))
        })
        .collect();
    (!stores.is_empty()).then(|| {
        format!(
            "Share of the requests per second that a hand-written handler gets from the same driver at 64 connections: {}.",
            stores.join("; ")
        )
    })
}

fn contention(results: &Results) -> Option<String> {
    let lost = |family| {
        let lines = results.contention.iter();
        let lines = lines.filter(move |line| results.family(&line.subject) == Some(family));
        lines.map(Contention::share_lost)
    };
    let ours: Vec<f64> = lost(Family::Cloakroom).collect();
    let ours_most = ours.iter().copied().reduce(f64::max)?;
    let peers: Vec<f64> = lost(Family::Peer).collect();
    let losing = peers.iter().filter(|share| **share > 0.0).count();
    let own = match ours_most > 0.0 {
        true => format!("Cloakroom lost up to {}", percent(ours_most)),
        false => format!("Cloakroom lost nothing in {} stores", ours.len()),
    };
    let most = peers.iter().copied().reduce(f64::max).unwrap_or_default();
    let beside = match losing {
        0 => String::new(),
        _ => format!(
            "; {losing} of {} peers lost counts, up to {}",
            peers.len(),
            percent(most)
        ),
    };
    Some(format!(
        "64 connections that count in one session: {own}{beside}."
    ))
}

fn application(results: &Results) -> Option<String> {
    let ratios: Vec<f64> = results
        .application
        .iter()
        .filter_map(|cell| Some(cell.beside_reference?.requests_per_second_ratio.median))
        .collect();
    let least = ratios.iter().copied().reduce(f64::min)?;
    let most = ratios.iter().copied().reduce(f64::max)?;
    Some(format!(
        "The pages of the tour come {} to {} times as often a second as the same pages from Flask.",
        number(least),
        number(most)
    ))
}

fn score(results: &Results) -> String {
    let aims = aims::all(results);
    let count = |verdict| aims.iter().filter(|aim| aim.verdict == verdict).count();
    let (met, not_met, missing) = (
        count(Verdict::Met),
        count(Verdict::NotMet),
        count(Verdict::NotMeasured),
    );
    let missing = match missing {
        0 => String::new(),
        _ => format!(", {missing} were not measured"),
    };
    format!(
        "Of {} aims {met} are met, {not_met} are not{missing}.\n",
        aims.len()
    )
}
