//! Starts the subjects of the bench, puts load on them, and writes down what they took: `results.json`, and from it
//! `RESULTS.md` and the charts. `cargo xtask bench` builds everything and runs it.

mod application;
mod client;
mod closed;
mod contention;
mod cores;
mod field;
mod machine;
mod open;
mod options;
mod processes;
mod progress;
mod proxy;
mod results;
mod run;
mod scenario;
mod server;
mod shuffle;
mod statistics;
mod stores;
mod subject;
mod trips;

use std::path::Path;
use std::process::ExitCode;

use options::{Options, USAGE};

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let done = Options::parse(std::env::args().skip(1)).and_then(|options| measure(&options));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("load: {what}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bench = here.parent().unwrap_or(here);
    let results = run::run(options, bench)?;
    println!(
        "{}",
        serde_json::to_string_pretty(&results).map_err(|error| error.to_string())?
    );
    Ok(())
}
