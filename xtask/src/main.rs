//! The developer's commands: `cargo xtask test` checks everything there is, on a machine that has
//! only Rust; the rest measures, fuzzes and takes pictures.

mod bench;
mod browser;
mod counts;
mod databases;
mod deny;
mod documents;
mod follow;
mod fuzz;
mod guide;
mod interop;
mod output;
mod python;
mod repository;
mod shell;
mod test;
mod tool;

use std::process::ExitCode;

use shell::Failure;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test [--only STEP]…    run every check, or only the named steps and what they need
  bench [--quick] [--only NAME]… [--scenario NAME]… [--part NAME]… [--no-flask]
                         serve the same pages with Cloakroom, its peers and Flask, and put load on all of them;
                         all of it writes bench/RESULTS.md, less writes into the build folder
  bench --report         write bench/RESULTS.md and its charts again from bench/results.json
  bench --builds         build a program of one page with each library, from nothing
  bench --micro          time the library, its floor and itsdangerous; print one table with ratios
  bench --stores [STORE]…
                         time all stores, or the named ones, beside the plain calls of their clients
  counts [--accept]      count instructions and allocations and hold them against counts/numbers.json, or
                         write them there
  fuzz [--seconds N] [--keep] [TARGET]…
                         run each fuzz target, or the named ones, for N seconds (60 unless told), and
                         keep the inputs that reach what others do not in fuzz/corpus
  guide                  build the guide in docs into target/guide, and check its links
  guide --follow         do what its first page says, in an empty folder with nothing of cargo's at hand
  screenshots            photograph the tour into target/screenshots
  --list                 name the steps of `test`
  --help                 this text";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        ["test", rest @ ..] => test::run(&chosen_steps(rest)?),
        ["bench", "--micro"] => bench::micro::run(),
        ["bench", "--builds"] => bench::builds(),
        ["bench", "--stores", names @ ..] => bench::micro::stores(names),
        ["bench", rest @ ..] => bench::run(rest),
        ["counts"] => counts::check(),
        ["counts", "--accept"] => counts::accept(),
        ["fuzz", rest @ ..] => {
            let (seconds, keep, targets) = fuzz_arguments(rest)?;
            fuzz::run(seconds, keep, &targets)
        }
        ["guide"] => guide::build(),
        ["guide", "--follow"] => follow::run(),
        ["screenshots"] => interop::screenshots(),
        ["--list" | "list"] => {
            test::list();
            Ok(())
        }
        ["--help" | "-h" | "help"] => {
            println!("{USAGE}");
            Ok(())
        }
        [] => Err(Failure::usage(format!("which command?\n\n{USAGE}"))),
        _ => Err(Failure::usage(format!(
            "`{}` is not a command of this tool\n\n{USAGE}",
            arguments.join(" ")
        ))),
    }
}

/// The names after each `--only`; none means every step.
fn chosen_steps<'a>(mut arguments: &[&'a str]) -> Result<Vec<&'a str>, Failure> {
    let mut chosen = Vec::new();
    loop {
        arguments = match arguments {
            [] => return Ok(chosen),
            ["--only", step, rest @ ..] => {
                chosen.push(*step);
                rest
            }
            [other, ..] => {
                return Err(Failure::usage(format!(
                    "`test` does not know `{other}`: it takes `--only STEP`, and `cargo xtask --list` names the steps"
                )));
            }
        };
    }
}

/// How long each target runs, whether what it finds is kept, and which targets; none means all.
fn fuzz_arguments<'a>(mut arguments: &[&'a str]) -> Result<(u32, bool, Vec<&'a str>), Failure> {
    let (mut seconds, mut keep, mut targets) = (60, false, Vec::new());
    loop {
        arguments = match arguments {
            [] => return Ok((seconds, keep, targets)),
            ["--keep", rest @ ..] => {
                keep = true;
                rest
            }
            ["--seconds", number, rest @ ..] => {
                seconds = number.parse().map_err(|_| {
                    Failure::usage(format!("`--seconds {number}`: a whole number is needed"))
                })?;
                rest
            }
            [option, ..] if option.starts_with('-') => {
                return Err(Failure::usage(format!(
                    "`fuzz` does not know `{option}`: it takes `--seconds N`, `--keep` and names of targets"
                )));
            }
            [target, rest @ ..] => {
                targets.push(*target);
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_only_names_one_step_and_anything_else_is_refused() {
        assert_eq!(chosen_steps(&[]).unwrap(), Vec::<&str>::new());
        assert_eq!(
            chosen_steps(&["--only", "format", "--only", "clippy"]).unwrap(),
            ["format", "clippy"]
        );
        assert_eq!(chosen_steps(&["--only"]).unwrap_err().exit_code(), 2);
        assert_eq!(chosen_steps(&["format"]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn fuzz_takes_seconds_and_targets_in_any_order() {
        assert_eq!(fuzz_arguments(&[]).unwrap(), (60, false, vec![]));
        assert_eq!(
            fuzz_arguments(&["token", "--seconds", "5", "--keep", "cookie_header"]).unwrap(),
            (5, true, vec!["token", "cookie_header"])
        );
        assert_eq!(
            fuzz_arguments(&["--seconds", "soon"])
                .unwrap_err()
                .exit_code(),
            2
        );
        assert_eq!(fuzz_arguments(&["--minutes"]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn an_unknown_command_is_wrong_use() {
        assert_eq!(dispatch(&["tset"]).unwrap_err().exit_code(), 2);
        assert_eq!(dispatch(&[]).unwrap_err().exit_code(), 2);
    }
}
