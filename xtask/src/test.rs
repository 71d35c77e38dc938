//! `cargo xtask test`: every check there is, cheapest first, stopping at the first that fails.

use std::time::{Duration, Instant};

use crate::databases::{self, Databases};
use crate::shell::{self, Failure, cargo};
use crate::{browser, counts, deny, documents, guide, interop, output, python};

/// One check: what `--only` calls it, what it shows, the steps it needs done before, how it is done.
struct Step {
    name: &'static str,
    about: &'static str,
    needs: &'static [&'static str],
    check: fn() -> Result<(), Failure>,
}

/// Each cargo step builds the workspace with the same profile and features, so what one builds the next uses.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        about: "the code is formatted, the fuzz targets and the bench too",
        needs: &[],
        check: format,
    },
    Step {
        name: "documents",
        about: "the tests and files that the documents name exist",
        needs: &[],
        check: documents::check,
    },
    Step {
        name: "deny",
        about: "no dependency has an unfit licence, a second version or a known vulnerability",
        needs: &[],
        check: deny::check,
    },
    Step {
        name: "guide",
        about: "the guide builds, and every link in it leads somewhere",
        needs: &[],
        check: guide::check,
    },
    Step {
        name: "clippy",
        about: "no lint complains: every target, all features, the fuzz targets too",
        needs: &[],
        check: clippy,
    },
    Step {
        name: "features",
        about: "the library compiles alone with no features and with its default ones, and its lock file in the bench is up to date",
        needs: &[],
        check: features,
    },
    Step {
        name: "docs",
        about: "the documentation builds without a warning",
        needs: &[],
        check: docs,
    },
    Step {
        name: "build",
        about: "the tour, the interop peer, the command and all tests build",
        needs: &[],
        check: build,
    },
    Step {
        name: "python",
        about: "a Python environment with the pinned Flask, Flask-Session and DynamoDB emulator",
        needs: &[],
        check: python::prepare,
    },
    Step {
        name: "servers",
        about: "private Redis, memcached, PostgreSQL, MariaDB and DynamoDB start",
        needs: &["python"],
        check: databases::prepare,
    },
    Step {
        name: "test",
        about: "unit, vector, property and integration tests, with private database servers, and nothing secret in what they log",
        needs: &["build", "python", "servers"],
        check: test,
    },
    Step {
        name: "doctest",
        about: "the examples in the documentation run",
        needs: &["build"],
        check: doctest,
    },
    Step {
        name: "counts",
        about: "no instruction or allocation count got worse by more than 5 %",
        needs: &[],
        check: counts::check,
    },
    Step {
        name: "browser",
        about: "Chromium and its driver",
        needs: &[],
        check: browser::prepare,
    },
    Step {
        name: "interop",
        about: "beside a real Flask app: shared cookies, random sessions both ways, a browser clicking through the tour",
        needs: &["build", "python", "servers", "browser"],
        check: interop::test,
    },
];

/// Runs the named steps and what they need, or every step when none is named.
pub(crate) fn run(chosen: &[&str]) -> Result<(), Failure> {
    let steps = plan(chosen)?;
    let started = Instant::now();
    for (number, step) in steps.iter().enumerate() {
        let step_started = Instant::now();
        println!(
            "\n── {}/{} {}: {}",
            number + 1,
            steps.len(),
            step.name,
            step.about
        );
        (step.check)().map_err(|failure| {
            Failure::new(format!(
                "{} failed: {failure} (again with `cargo xtask test --only {}`)",
                step.name, step.name
            ))
        })?;
        println!("   {} took {}", step.name, shown(step_started.elapsed()));
    }
    println!(
        "\n── {} of {} steps passed in {}",
        steps.len(),
        STEPS.len(),
        shown(started.elapsed())
    );
    Ok(())
}

/// Prints the steps, one a line.
pub(crate) fn list() {
    for step in STEPS {
        println!("{:<10} {}", step.name, step.about);
    }
}

/// The named steps with what they need, in the order of `STEPS`.
fn plan(chosen: &[&str]) -> Result<Vec<&'static Step>, Failure> {
    let mut wanted: Vec<&str> = Vec::new();
    for name in chosen {
        let step = STEPS
            .iter()
            .find(|step| step.name == *name)
            .ok_or_else(|| {
                Failure::usage(format!(
                    "`{name}` is not a step: `cargo xtask --list` names them"
                ))
            })?;
        wanted.push(step.name);
        wanted.extend(step.needs);
    }
    Ok(STEPS
        .iter()
        .filter(|step| chosen.is_empty() || wanted.contains(&step.name))
        .collect())
}

fn format() -> Result<(), Failure> {
    shell::run(&mut cargo(["fmt", "--all", "--check"]))?;
    shell::run(&mut cargo(["fmt", FUZZ, "--check"]))?;
    shell::run(&mut cargo(["fmt", "--all", BENCH, "--check"]))
}

fn clippy() -> Result<(), Failure> {
    let deny = ["--", "-D", "warnings"];
    let workspace = ["clippy", "--workspace", "--all-targets", "--all-features"];
    shell::run(&mut cargo(workspace.into_iter().chain(deny)))?;
    // Without its default feature libFuzzer is not built, which takes longer than everything else in it.
    let fuzz = ["clippy", FUZZ, "--no-default-features"];
    shell::run(&mut cargo(fuzz.into_iter().chain(deny)))?;
    let load = ["clippy", BENCH, PLAN, LOAD, "--all-targets"];
    shell::run(&mut cargo(load.into_iter().chain(deny)))
}

/// The fuzz targets are a workspace of their own.
const FUZZ: &str = "--manifest-path=fuzz/Cargo.toml";

/// What the library is measured with is another one. Of that only the runner is checked, which draws conclusions from
/// numbers: building the peers would take longer than everything else here.
const BENCH: &str = "--manifest-path=bench/Cargo.toml";
const PLAN: &str = "--package=plan";
const LOAD: &str = "--package=load";

fn features() -> Result<(), Failure> {
    for features in ["--no-default-features", "--features=default"] {
        shell::run(&mut cargo([
            "clippy",
            "--package=cloakroom",
            "--lib",
            features,
            "--",
            "-D",
            "warnings",
        ]))?;
    }
    // What a user's own project locks is a file of its own, which only measuring builds would miss.
    shell::run(&mut cargo([
        "update",
        "--workspace",
        "--locked",
        "--quiet",
        HELLO,
    ]))
}

/// The program of one page whose building is timed.
const HELLO: &str = "--manifest-path=bench/hello/cloakroom/Cargo.toml";

fn docs() -> Result<(), Failure> {
    shell::run(
        cargo(["doc", "--workspace", "--all-features", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// The switches that every build of tests and binaries shares.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

fn build() -> Result<(), Failure> {
    let targets = ["--lib", "--bins", "--examples", "--tests"];
    shell::run(&mut cargo(
        ["build"].into_iter().chain(EVERYTHING).chain(targets),
    ))
}

fn test() -> Result<(), Failure> {
    // The examples are programs that `build` made: as tests of their own they would be empty.
    let targets = ["--lib", "--bins", "--tests"];
    let mut command = cargo(
        ["test", "--no-fail-fast"]
            .into_iter()
            .chain(EVERYTHING)
            .chain(targets),
    );
    let databases = Databases::start()?;
    output::run_and_search(databases.export(&mut command))?;
    shell::run(&mut cargo(["test", BENCH, PLAN, LOAD]))
}

fn doctest() -> Result<(), Failure> {
    shell::run(&mut cargo(["test", "--doc"].into_iter().chain(EVERYTHING)))
}

/// Seconds with one decimal, and minutes from the first one on.
fn shown(duration: Duration) -> String {
    if duration < Duration::from_secs(60) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!(
            "{} min {} s",
            duration.as_secs() / 60,
            duration.as_secs() % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(chosen: &[&str]) -> Vec<&'static str> {
        plan(chosen).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn a_chosen_step_brings_what_it_needs_in_order() {
        assert_eq!(names(&["format"]), ["format"]);
        assert_eq!(
            names(&["interop"]),
            ["build", "python", "servers", "browser", "interop"]
        );
        assert_eq!(
            names(&["doctest", "clippy"]),
            ["clippy", "build", "doctest"]
        );
        assert_eq!(names(&[]).len(), STEPS.len());
    }

    #[test]
    fn every_need_is_a_step_that_comes_before() {
        for (position, step) in STEPS.iter().enumerate() {
            for need in step.needs {
                assert!(
                    STEPS[..position]
                        .iter()
                        .any(|earlier| earlier.name == *need),
                    "{} needs {need}",
                    step.name
                );
            }
        }
    }

    #[test]
    fn an_unknown_step_is_wrong_use() {
        assert_eq!(plan(&["formatt"]).err().unwrap().exit_code(), 2);
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(shown(Duration::from_millis(1240)), "1.2 s");
        assert_eq!(shown(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(shown(Duration::from_millis(179_600)), "2 min 59 s");
    }
}
