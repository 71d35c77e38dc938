//! What a request costs in each subject when no network is in between: time, beside the bare framework in the same round, and
//! allocations; and what a small session weighs in memory. Prints JSON, and a table for people to standard error.
//!
//! One case alone, for a profiler: `in-process --subject "cloakroom signed" --scenario read --iterations 200000`. Under valgrind,
//! `--tool=callgrind --collect-atstart=no --toggle-collect='*answer_all*'` leaves out everything but the requests.

mod footprint;
mod jar;
mod measure;
mod report;
mod service;

use std::{collections::BTreeMap, process::ExitCode};

use clap::Parser;
use plan::Scenario;
use subjects::{Failure, Kind, Subject};

use crate::{measure::Plan, report::Report};

#[derive(Debug, Parser)]
#[command(about = "Measures what a request costs in each subject, without a network")]
struct Arguments {
    /// Only this subject; may be given more than once. Its reference is measured with it.
    #[arg(long)]
    subject: Vec<String>,
    /// Only this scenario; may be given more than once.
    #[arg(long, value_parser = Scenario::named)]
    scenario: Vec<Scenario>,
    /// Few rounds, for a first look.
    #[arg(long)]
    quick: bool,
    /// Answers so many requests of the one subject and the one scenario that are named, and does nothing else.
    #[arg(long, requires_all = ["subject", "scenario"])]
    iterations: Option<u32>,
    /// The URL of a store, as `redis=redis://127.0.0.1:6379`; without it, subjects on that store are left out.
    #[arg(long, value_name = "STORE=URL", value_parser = store)]
    store: Vec<(String, String)>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("in-process: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    match arguments.iterations {
        Some(iterations) => one(arguments, iterations),
        None => all(arguments),
    }
}

fn one(arguments: &Arguments, iterations: u32) -> Result<(), Failure> {
    let ([name], [scenario]) = (&arguments.subject[..], &arguments.scenario[..]) else {
        return Err("--iterations is for one subject and one scenario".into());
    };
    let subject = subjects::find(name).ok_or_else(|| unknown(name))?;
    let store = arguments.store_of(&subject);
    match measure::time(&subject, *scenario, &store, iterations)? {
        Some(nanoseconds) => println!("{nanoseconds:.0} ns"),
        None => println!("n/a: the session does not fit into the cookie"),
    }
    Ok(())
}

fn all(arguments: &Arguments) -> Result<(), Failure> {
    let subjects = arguments.subjects()?;
    let scenarios = match &arguments.scenario[..] {
        [] => &Scenario::ALL,
        some => some,
    };
    let (rounds, requests) = match arguments.quick {
        true => (7, 500),
        false => (41, 2_000),
    };
    let plan = Plan {
        subjects: &subjects,
        scenarios,
        rounds,
        requests,
    };
    let cases = plan.run(|subject| arguments.store_of(subject))?;
    let mut weights = BTreeMap::new();
    if arguments.scenario.is_empty() {
        for subject in &subjects {
            let weight = footprint::bytes_per_session(subject)?;
            weights.extend(weight.map(|bytes| (subject.name, bytes)));
        }
    }
    let report = Report::new(rounds, &cases, weights);
    eprint!("{report}");
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

impl Arguments {
    /// Those that were asked for and can be had, and their references.
    fn subjects(&self) -> Result<Vec<Subject>, Failure> {
        let mut subjects = subjects::all();
        let is_known = |name: &&String| subjects.iter().any(|subject| subject.name == **name);
        if let Some(name) = self.subject.iter().find(|name| !is_known(name)) {
            return Err(unknown(name).into());
        }
        subjects.retain(|subject| {
            subject.kind != Kind::Store
                || subject.store.is_some_and(|store| self.url(store).is_some())
        });
        if !self.subject.is_empty() {
            let is_named = |name: &str| self.subject.iter().any(|wanted| wanted == name);
            let references: Vec<&str> = subjects
                .iter()
                .filter(|subject| is_named(subject.name))
                .map(|subject| subject.reference)
                .collect();
            subjects.retain(|subject| is_named(subject.name) || references.contains(&subject.name));
        }
        Ok(subjects)
    }

    fn store_of(&self, subject: &Subject) -> String {
        let url = subject.store.and_then(|store| self.url(store));
        url.unwrap_or_default().to_owned()
    }

    fn url(&self, store: &str) -> Option<&str> {
        let mut urls = self.store.iter();
        urls.find(|(name, _)| name == store)
            .map(|(_, url)| url.as_str())
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = subjects::all().iter().map(|subject| subject.name).collect();
    format!("there is no subject {name:?}, only {}", names.join(", "))
}

fn store(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("say which: STORE=URL")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}
