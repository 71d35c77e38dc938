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
mod report;
mod results;
mod run;
mod script;
mod server;
mod statistics;
mod stores;
mod subject;
mod trips;
mod turns;

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use options::{Options, USAGE};
use results::Results;

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
    let out = options.out.as_deref().unwrap_or(bench);
    let file = out.join("results.json");
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| format!("{path}: {error}")
    };
    let results = match options.report {
        true => read(&file).map_err(at(&file))?,
        false => run::run(options, bench)?,
    };
    if !options.report {
        fs::create_dir_all(out).map_err(at(out))?;
        let text = results.text().map_err(|error| error.to_string())?;
        fs::write(&file, text).map_err(at(&file))?;
    }
    report::write(&results, out).map_err(at(out))?;
    println!("{}", out.join("RESULTS.md").display());
    Ok(())
}

fn read(file: &Path) -> io::Result<Results> {
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}
