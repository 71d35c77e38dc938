use std::collections::BTreeMap;

use super::aims::Verdict;
use super::*;
use crate::results::{Beside, Cell, Contention, InProcess, InProcessLine, Micro, RoundTrips};
use crate::statistics::Summary;
use crate::subject::{Family, Kind, Subject};

fn subject(name: &str, family: Family, kind: Kind, store: Option<&str>) -> Subject {
    Subject {
        name: name.to_owned(),
        reference: "axum".to_owned(),
        kind,
        store: store.map(str::to_owned),
        family,
        version: "1.2.3".to_owned(),
        python: false,
    }
}

fn summary(median: f64) -> Summary {
    Summary {
        median,
        spread: 0.01,
        rounds: 5,
    }
}

fn measured(subject: &str, scenario: &str, added: f64, share: f64) -> Cell {
    Cell {
        subject: subject.to_owned(),
        scenario: scenario.to_owned(),
        requests: 1000,
        failed: 0,
        requests_per_second: summary(100_000.0),
        cpu_microseconds: summary(7.5 + added),
        store_cpu_microseconds: None,
        set_cookie_bytes: 80.0,
        body_bytes: 2.0,
        beside_reference: Some(Beside {
            requests_per_second_ratio: summary(share),
            cpu_ratio: summary(1.0 + added / 7.5),
            cpu_added_microseconds: summary(added),
        }),
    }
}

fn in_process(subject: &str, scenario: &str, over: f64, allocations: f64) -> InProcessLine {
    InProcessLine {
        subject: subject.to_owned(),
        scenario: scenario.to_owned(),
        ns: 900.0 + over,
        over_reference_ns: Some(over),
        over_reference_allocations: Some(allocations),
        ..InProcessLine::default()
    }
}

fn results() -> Results {
    let trips = |name: &str, read, write| RoundTrips {
        subject: name.to_owned(),
        store: "redis".to_owned(),
        scenarios: BTreeMap::from([
            ("untouched".to_owned(), 0.0),
            ("read".to_owned(), read),
            ("write".to_owned(), write),
        ]),
    };
    let contention = |name: &str, lost| Contention {
        subject: name.to_owned(),
        connections: 64,
        answered: 6400,
        refused: 0,
        first_refusal: None,
        lost,
        requests_per_second: summary(20_000.0),
    };
    let mut weights = BTreeMap::new();
    weights.insert("cloakroom memory".to_owned(), 260.0);
    Results {
        subjects: vec![
            subject("layer", Family::Floor, Kind::None, None),
            subject("floor cookie", Family::Floor, Kind::Cookie, None),
            subject("cloakroom signed", Family::Cloakroom, Kind::Cookie, None),
            subject("axum-extra signed", Family::Peer, Kind::Cookie, None),
            subject(
                "cloakroom redis",
                Family::Cloakroom,
                Kind::Store,
                Some("redis"),
            ),
            subject(
                "tower-sessions redis",
                Family::Peer,
                Kind::Store,
                Some("redis"),
            ),
            subject(
                "axum_session redis",
                Family::Peer,
                Kind::Store,
                Some("redis"),
            ),
        ],
        requests: vec![
            measured("floor cookie", "read", 0.8, 0.9),
            measured("cloakroom signed", "read", 1.1, 0.9),
            measured("axum-extra signed", "read", 3.2, 0.7),
            measured("floor cookie", "write", 1.4, 0.9),
            measured("cloakroom signed", "write", 5.1, 0.9),
            measured("axum-extra signed", "write", 4.8, 0.7),
        ],
        drivers: vec![
            measured("cloakroom redis", "read", 7.0, 0.97),
            measured("cloakroom redis", "write", 9.0, 0.9),
        ],
        round_trips: vec![
            trips("cloakroom redis", 1.0, 2.0),
            trips("tower-sessions redis", 1.0, 3.0),
            trips("axum_session redis", 0.0, 1.0),
        ],
        contention: vec![
            contention("cloakroom redis", 0),
            contention("tower-sessions redis", 5_120),
        ],
        micro: vec![micro("open", 300.0, 200.0), micro("save", 301.0, 200.0)],
        in_process: Some(InProcess {
            rounds: 41,
            results: vec![
                in_process("layer", "untouched", 120.0, 2.0),
                in_process("cloakroom signed", "untouched", 230.0, 4.0),
                in_process("floor cookie", "read", 700.0, 4.0),
                in_process("cloakroom signed", "read", 1_400.0, 9.0),
            ],
            bytes_per_session: weights,
        }),
        ..Results::default()
    }
}

fn micro(operation: &str, cloakroom: f64, floor: f64) -> Micro {
    Micro {
        session: "small".to_owned(),
        operation: operation.to_owned(),
        nanoseconds: [("cloakroom", cloakroom), ("floor", floor)]
            .map(|(contestant, time)| (contestant.to_owned(), time))
            .into(),
    }
}

/// The verdict of the one aim whose text holds all of these.
fn verdict(results: &Results, words: &[&str]) -> Verdict {
    let aims = aims::all(results);
    let mut found = aims
        .iter()
        .filter(|aim| words.iter().all(|word| aim.says.contains(word)));
    let aim = found.next().unwrap();
    assert!(found.next().is_none(), "{words:?} is more than one aim");
    aim.verdict
}

#[test]
fn aims_are_judged_by_the_figures_and_only_by_them() {
    let results = results();
    let of = |words: &[&str]| verdict(&results, words);
    assert_eq!(of(&["2 allocations"]), Verdict::Met);
    assert_eq!(of(&["0.15 µs"]), Verdict::Met);
    assert_eq!(of(&["no call of the store"]), Verdict::Met);
    // 1,400 ns to 700 ns is twice the floor.
    assert_eq!(
        of(&["Signed cookie, reading one key", "whole request"]),
        Verdict::NotMet
    );
    assert_eq!(
        of(&["Signed cookie, reading and writing", "whole request"]),
        Verdict::NotMeasured
    );
    assert_eq!(
        of(&["in the cookie, reading one key", "any peer"]),
        Verdict::Met
    );
    assert_eq!(
        of(&["in the cookie, reading and writing", "any peer"]),
        Verdict::NotMet
    );
    assert_eq!(of(&["250 bytes"]), Verdict::NotMet);
    assert_eq!(of(&["Redis, reading:", "95 %"]), Verdict::Met);
    assert_eq!(
        of(&["Redis, reading and writing:", "95 %"]),
        Verdict::NotMet
    );
    assert_eq!(of(&["PostgreSQL, reading:", "95 %"]), Verdict::NotMeasured);
    assert_eq!(of(&["Redis", "round trips"]), Verdict::Met);
    assert_eq!(of(&["small signed cookie, opening"]), Verdict::Met);
    assert_eq!(of(&["small signed cookie, saving"]), Verdict::NotMet);
    assert_eq!(of(&["itsdangerous"]), Verdict::NotMeasured);
    assert_eq!(of(&["nothing is lost"]), Verdict::Met);
}

#[test]
fn a_lost_count_or_a_trip_too_many_is_an_aim_not_met() {
    let mut results = results();
    results.contention[0].lost = 1;
    results.round_trips[0]
        .scenarios
        .insert("read".to_owned(), 2.0);
    assert_eq!(verdict(&results, &["nothing is lost"]), Verdict::NotMet);
    assert_eq!(
        verdict(&results, &["Redis", "round trips"]),
        Verdict::NotMet
    );
}

#[test]
fn of_nothing_nothing_is_claimed() {
    let aims = aims::all(&Results::default());
    assert!(aims.iter().all(|aim| aim.verdict == Verdict::NotMeasured));
    let page = page(&Results::default(), &[]);
    assert!(page.contains(&format!("Of {} aims 0 are met, 0 are not", aims.len())));
    assert!(!page.contains("## Requests per second"));
    assert!(charts::all(&Results::default()).is_empty());
}

#[test]
fn the_page_has_the_sentences_the_aims_and_the_tables() {
    let mut results = results();
    results.troubles.push(crate::results::Trouble {
        subject: "axum-extra signed".to_owned(),
        at: "large".to_owned(),
        what: "n/a: the session does not fit a cookie".to_owned(),
    });
    let page = page(&results, &[("cookie", "Sessions in the cookie")]);
    for part in [
        "of the peers axum-extra signed adds least, 3.20 µs",
        "Cloakroom lost nothing in 1 stores; 1 of 1 peers lost counts, up to 80 %.",
        "![Sessions in the cookie](charts/cookie.svg)",
        "+1.10 ± 0.01 (1.15×)",
        "97 % ± 1 %",
        "**not met**",
        "does not fit a cookie",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
}

#[test]
fn charts_are_drawn_of_what_was_measured() {
    let names: Vec<&str> = charts::all(&results())
        .iter()
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(names, ["cookie", "in-process", "redis"]);
}

#[test]
fn results_that_are_written_and_read_again_give_the_same_page() {
    let mut results = results();
    results.requests[0].requests_per_second = summary(123_456.789);
    let text = results.text().unwrap();
    assert!(
        text.contains("123460.0") && text.lines().count() > 20,
        "{text}"
    );
    let again: Results = serde_json::from_str(&text).unwrap();
    assert_eq!(page(&again, &[]), page(&results, &[]));
}
