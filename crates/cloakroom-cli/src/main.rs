//! `cloakroom`: what is in a session cookie, is it genuine, and why was it refused? And what is in a store of sessions,
//! who is to be logged out, and what the store needs now and then.
//!
//! Results go to standard output, everything else to standard error. The exit code is 0 for a good
//! answer, 1 for a refusal, 2 for wrong use.

mod confirm;
mod decode;
#[cfg(feature = "doctor")]
mod doctor;
#[cfg(test)]
mod documented;
mod input;
#[cfg(feature = "inspect")]
mod inspect;
mod key_file;
mod keygen;
mod keys;
mod manual;
mod migrate;
mod output;
mod runtime;
mod schema;
mod sessions;
mod sign;
mod store;
mod table;
mod terminal;
mod units;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use output::{Answer, Failure};

/// Look into, check and make session cookies, the same as Flask's, and look after stores of sessions.
#[derive(Parser)]
#[command(name = "cloakroom", version)]
struct Arguments {
    /// Answer with one JSON object on standard output, or one per line where there are many
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a secret key: 32 random bytes in hexadecimal, as Python's `secrets.token_hex()` does
    Keygen,
    /// Look after the file of keys that servers watch
    #[command(subcommand)]
    Keys(key_file::Command),
    /// Decode, verify or sign a session cookie
    #[command(subcommand)]
    Cookie(CookieCommand),
    /// Say what browsers, caches and attackers will do with a site's cookies, and why: a running site, or settings
    #[cfg(feature = "doctor")]
    Doctor(doctor::Arguments),
    /// Look after the sessions in a store
    #[command(subcommand)]
    Sessions(SessionsCommand),
    // Its help has more to say than a line.
    #[cfg(feature = "inspect")]
    Inspect(inspect::Arguments),
    /// Print the SQL that makes the table of sessions, as `sessions prepare` does
    Schema(schema::Arguments),
    /// Print the script that completes this command's words in a shell
    Completions(manual::CompletionsArguments),
    /// Print the page of the manual
    Man(manual::ManArguments),
}

#[derive(Subcommand)]
enum CookieCommand {
    /// Show what a cookie holds; needs no key and checks no signature
    Decode(decode::Arguments),
    /// Check a cookie and print its session as tagged JSON
    Verify(verify::Arguments),
    /// Sign the tagged JSON on standard input and print the cookie's value
    Sign(sign::Arguments),
}

#[derive(Subcommand)]
enum SessionsCommand {
    /// List the sessions that are there; `--json` gives one object per line
    List(sessions::ListArguments),
    /// Show sessions key by key
    Show(sessions::ShowArguments),
    /// Count sessions by size, age and end, and name the largest keys
    Stats(sessions::StatsArguments),
    /// End sessions: some, a user's or everybody's
    Revoke(sessions::RevokeArguments),
    Convert(sessions::ConvertArguments),
    /// Remove expired sessions, for stores that do not do so by themselves: SQL, files
    Purge(sessions::PurgeArguments),
    /// Count sessions again and again
    Watch(sessions::WatchArguments),
    /// Make the table that the store needs, if it needs one and it is missing: SQL, DynamoDB
    Prepare(sessions::PrepareArguments),
    /// Copy the sessions of one store to another, while both are in use
    Migrate(Box<migrate::Arguments>),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse_from(std::env::args_os().map(sessions::mark_handle));
    match run(arguments.command, arguments.json) {
        Ok(answer) => answer.print(arguments.json),
        Err(failure) => failure.print(arguments.json),
    }
}

fn run(command: Command, json: bool) -> Result<Answer, Failure> {
    match command {
        Command::Keygen => keygen::run(),
        Command::Keys(command) => key_file::run(command),
        Command::Cookie(CookieCommand::Decode(arguments)) => decode::run(arguments),
        Command::Cookie(CookieCommand::Verify(arguments)) => verify::run(arguments),
        Command::Cookie(CookieCommand::Sign(arguments)) => sign::run(&arguments),
        #[cfg(feature = "doctor")]
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Sessions(SessionsCommand::List(arguments)) => sessions::list(arguments, json),
        Command::Sessions(SessionsCommand::Show(arguments)) => sessions::show(arguments, json),
        Command::Sessions(SessionsCommand::Stats(arguments)) => sessions::stats(arguments, json),
        Command::Sessions(SessionsCommand::Revoke(arguments)) => sessions::revoke(arguments),
        Command::Sessions(SessionsCommand::Convert(arguments)) => sessions::convert(arguments),
        Command::Sessions(SessionsCommand::Purge(arguments)) => sessions::purge(arguments),
        Command::Sessions(SessionsCommand::Watch(arguments)) => sessions::watch(arguments, json),
        Command::Sessions(SessionsCommand::Prepare(arguments)) => sessions::prepare(arguments),
        Command::Sessions(SessionsCommand::Migrate(arguments)) => migrate::run(&arguments),
        #[cfg(feature = "inspect")]
        Command::Inspect(arguments) => inspect::run(arguments, json),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Completions(arguments) => {
            Ok(manual::completions(&arguments, Arguments::command()))
        }
        Command::Man(arguments) => manual::man(arguments, Arguments::command()),
    }
}
