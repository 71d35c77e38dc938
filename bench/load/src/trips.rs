//! Round trips to the store, counted between the server and the store.

use std::collections::BTreeMap;

use plan::Scenario;

use crate::client::Crowd;
use crate::field::Field;
use crate::proxy::Proxy;
use crate::results::RoundTrips;
use crate::script::script;
use crate::server::Server;
use crate::statistics::Summary;
use crate::subject::{Database, Subject};

/// The scenarios that differ in what they ask of a store.
const SCENARIOS: [Scenario; 7] = [
    Scenario::Untouched,
    Scenario::UntouchedNoCookie,
    Scenario::Read,
    Scenario::Write,
    Scenario::First,
    Scenario::Login,
    Scenario::Crawler,
];

/// Of each scenario.
const REQUESTS: usize = 100;

/// Each subject with a database, one request after the other.
pub(crate) fn run(field: &mut Field<'_>) -> Vec<RoundTrips> {
    let mut found = Vec::new();
    for subject in field.running() {
        let Some(database) = subject.database() else {
            continue;
        };
        match measure(field, &subject, database) {
            Ok(scenarios) => found.push(RoundTrips {
                subject: subject.name,
                store: database.name().to_owned(),
                scenarios,
            }),
            Err(what) => field.trouble(&subject, "round trips", &what),
        }
    }
    found
}

fn measure(
    field: &Field<'_>,
    subject: &Subject,
    database: Database,
) -> Result<BTreeMap<String, f64>, String> {
    let proxy = Proxy::start(field.stores.port(database)?).map_err(|error| error.to_string())?;
    let url = field.stores.url_through(database, proxy.port())?;
    let server = field.start_beside(subject, &url)?;
    let mut scenarios = BTreeMap::new();
    for scenario in SCENARIOS {
        let trips = count(&server, &proxy, scenario)
            .map_err(|what| format!("{}: {what}", scenario.name()))?;
        scenarios.insert(scenario.name().to_owned(), trips);
    }
    Ok(scenarios)
}

/// The median of single requests: what a pool does now and then beside them is not counted.
fn count(server: &Server, proxy: &Proxy, scenario: Scenario) -> Result<f64, String> {
    let said = |error: std::io::Error| error.to_string();
    let script = script(scenario, true);
    let mut crowd = Crowd::connect(server.address(), 1).map_err(said)?;
    for ask in &script.prepare {
        crowd.one(ask).map_err(said)?.all_right()?;
    }
    let mut trips = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let before = proxy.trips();
        crowd.one(&script.measured).map_err(said)?.all_right()?;
        trips.push((proxy.trips() - before) as f64);
    }
    Summary::of(trips)
        .map(|summary| summary.median)
        .ok_or_else(|| "no requests".to_owned())
}
