//! `subjects NAME [--store URL]` serves one subject; `subjects --list` says which there are.

use std::process::ExitCode;

use clap::Parser;
use subjects::{Failure, all, find, serve::serve};

#[derive(Debug, Parser)]
#[command(about = "Serves one of the applications that are measured, until standard input closes")]
struct Arguments {
    /// The subject, such as "cloakroom signed".
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// The URL of the store that its sessions live in.
    #[arg(long, default_value = "", hide_default_value = true)]
    store: String,
    /// Prints all subjects, as JSON.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("subjects: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Some(name) = &arguments.name else {
        println!("{}", serde_json::to_string_pretty(&all())?);
        return Ok(());
    };
    let subject =
        find(name).ok_or_else(|| format!("there is no subject {name:?}; --list shows them"))?;
    serve(&subject, &arguments.store)
}
