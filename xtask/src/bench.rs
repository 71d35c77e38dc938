//! `cargo xtask bench`: Cloakroom and its peers as servers, all in the same run; builds the programs in `bench/` and lets the runner
//! there write `bench/results.json`, `bench/RESULTS.md` and the charts.

pub(crate) mod micro;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, Failure, cargo, program};
use crate::{python, repository};

/// What the runner is told, and what it is given.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan<'a> {
    /// Nothing is measured, the page and the charts are made from the figures there are.
    report_only: bool,
    /// Not everything, or not for long: the figures do not replace those of the repository.
    is_partial: bool,
    no_flask: bool,
    /// For the runner.
    passed_on: Vec<&'a str>,
}

impl<'a> Plan<'a> {
    fn of(arguments: &[&'a str]) -> Result<Self, Failure> {
        let mut plan = Self {
            passed_on: arguments.to_vec(),
            ..Self::default()
        };
        let mut rest = arguments;
        loop {
            rest = match rest {
                [] => return Ok(plan),
                ["--report", rest @ ..] => {
                    plan.report_only = true;
                    rest
                }
                ["--no-flask", rest @ ..] => {
                    (plan.is_partial, plan.no_flask) = (true, true);
                    rest
                }
                ["--quick", rest @ ..] | ["--only" | "--scenario" | "--part", _, rest @ ..] => {
                    plan.is_partial = true;
                    rest
                }
                [other, ..] => {
                    return Err(Failure::usage(format!(
                        "`bench` does not know `{other}`: it takes `--quick`, `--only NAME`, `--scenario NAME`, `--part NAME`, \
                         `--no-flask`, `--report`, or one of `--micro`, `--stores` and `--builds`"
                    )));
                }
            };
        }
    }
}

/// Builds everything in release mode, measures and writes the results.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let plan = Plan::of(arguments)?;
    let folder = repository::root().join("bench");
    let mut command = Command::new(runner());
    command
        .args(&plan.passed_on)
        .current_dir(repository::root());
    if plan.report_only {
        build_runner()?;
        return shell::run(command.arg("--out").arg(folder));
    }
    build()?;
    if !plan.no_flask {
        python::BENCH.prepare()?;
        command.arg("--python").arg(python::BENCH.interpreter());
    }
    let tour = repository::target().join("release/tour");
    command.arg("--tour").arg(tour);
    if plan.is_partial {
        let elsewhere = built().join("results");
        return shell::run(command.arg("--out").arg(elsewhere));
    }
    // The servers are measured even if one of these fails, and its table is then missing.
    let (micro, builds) = (built().join("micro.json"), built().join("builds.json"));
    for (option, file, written) in [
        ("--micro", &micro, micro::write(&micro)),
        ("--builds", &builds, write_builds(&builds)),
    ] {
        match written {
            Ok(()) => {
                command.arg(option).arg(file);
            }
            Err(failure) => eprintln!("xtask: {failure}"),
        }
    }
    shell::run(command.arg("--out").arg(folder))
}

fn write_builds(file: &Path) -> Result<(), Failure> {
    fs::write(file, clean_builds()?)
        .map_err(|error| Failure::new(format!("{} can't be written: {error}", file.display())))
}

/// Builds a program of one page with each library from nothing, and prints what it took.
pub(crate) fn builds() -> Result<(), Failure> {
    print!("{}", clean_builds()?);
    Ok(())
}

/// What it took, as JSON.
fn clean_builds() -> Result<String, Failure> {
    python::BENCH.prepare()?;
    println!("   building a program of one page with each library, from nothing");
    let script = ["bench/hello/build_cost.py"];
    shell::output(&mut program(python::BENCH.interpreter(), script))
}

/// Where the programs of `bench/` are built: a workspace of its own.
fn built() -> PathBuf {
    repository::target().join("bench")
}

fn runner() -> PathBuf {
    built().join("release/load")
}

fn build() -> Result<(), Failure> {
    shell::run(&mut bench_cargo(["build", "--release", "--bins"]))?;
    shell::run(&mut cargo(["build", "--release", "--package=tour"]))
}

fn build_runner() -> Result<(), Failure> {
    shell::run(&mut bench_cargo(["build", "--release", "--package=load"]))
}

fn bench_cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = cargo(arguments);
    command
        .args(["--manifest-path", "bench/Cargo.toml"])
        .env("CARGO_TARGET_DIR", built());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_of_it_replaces_the_figures_of_the_repository() {
        assert!(!Plan::of(&[]).unwrap().is_partial);
        for less in [
            &["--quick"][..],
            &["--no-flask"],
            &["--only", "axum"],
            &["--scenario", "read", "--part", "requests"],
        ] {
            let plan = Plan::of(less).unwrap();
            assert!(plan.is_partial, "{less:?}");
            assert_eq!(plan.passed_on, less);
        }
        assert!(Plan::of(&["--report"]).unwrap().report_only);
    }

    #[test]
    fn what_the_runner_does_not_know_is_wrong_use_before_anything_is_built() {
        for wrong in [&["--fast"][..], &["--only"], &["read"]] {
            assert_eq!(Plan::of(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }
}
