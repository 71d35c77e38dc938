//! `cargo xtask bench --micro`: one table of what opening and saving a session and the whole response cost
//! here, and how opening and saving compare with their floor (the same hash, base64 and JSON bytes with
//! nothing around them) and with itsdangerous. `cargo xtask bench --stores`: what loading and replacing a
//! session cost in each store, beside the plain call of its client.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::shell::{self, Failure, cargo, program};
use crate::{python, repository};

/// A session of what size, and what was done with it: `("1 KB compressed", "open")`.
type Case = (String, String);

/// Nanoseconds by contestant (`cloakroom`, `floor`, `itsdangerous`).
type Times = BTreeMap<String, f64>;

/// Runs both benches on this machine, one after the other, and prints the table.
pub(crate) fn run() -> Result<(), Failure> {
    print!("\n{}", table(&measure(&[])?));
    Ok(())
}

/// Runs both for a shorter time and leaves the times in a file, as JSON.
pub(super) fn write(file: &Path) -> Result<(), Failure> {
    let cases = measure(&["--warm-up-time=1", "--measurement-time=2"])?;
    print!("\n{}", table(&cases));
    let cases: Vec<Value> = cases
        .into_iter()
        .map(|((session, operation), nanoseconds)| {
            json!({ "session": session, "operation": operation, "nanoseconds": nanoseconds })
        })
        .collect();
    fs::write(file, Value::from(cases).to_string())
        .map_err(|error| Failure::new(format!("{} can't be written: {error}", file.display())))
}

/// `criterion` is told how long.
fn measure(criterion: &[&str]) -> Result<BTreeMap<Case, Times>, Failure> {
    let started = SystemTime::now();
    // Nothing of the stores is built for it.
    let bench = [
        "bench",
        "--package=cloakroom",
        "--no-default-features",
        "--features=encrypted",
        "--bench=cookie_session",
        "--bench=logins",
        "--",
    ];
    shell::run(&mut cargo(
        bench.into_iter().chain(criterion.iter().copied()),
    ))?;
    python::prepare()?;
    let timed = shell::output(&mut program(
        python::interpreter(),
        ["interop/bench_itsdangerous.py"],
    ))?;

    let mut cases: BTreeMap<Case, Times> = BTreeMap::new();
    for (case, contestant, nanoseconds) in
        measured_here(&repository::target().join("criterion"), started)?
            .into_iter()
            .chain(measured_in_python(&timed)?)
    {
        cases
            .entry(case)
            .or_default()
            .insert(contestant, nanoseconds);
    }
    Ok(cases)
}

/// Runs the bench of all stores, or of those named, on servers of its own; it prints its table itself.
pub(crate) fn stores(names: &[&str]) -> Result<(), Failure> {
    if let Some(name) = names.iter().find(|name| !STORES.contains(name)) {
        return Err(Failure::usage(format!(
            "`bench --stores` knows no store `{name}`, only {}",
            STORES.join(", ")
        )));
    }
    if names.is_empty() || names.contains(&"dynamodb") {
        // Its emulator is one of the packages there.
        python::prepare()?;
    }
    let features = "--features=dynamodb,file,memcached,mysql,postgres,redis,sqlite";
    let bench = ["bench", "--package=cloakroom", "--no-default-features"];
    let arguments = bench.into_iter().chain([features, "--bench=stores", "--"]);
    shell::run(&mut cargo(arguments.chain(names.iter().copied())))
}

const STORES: [&str; 9] = [
    "round-trips",
    "memory",
    "file",
    "redis",
    "memcached",
    "sqlite",
    "postgres",
    "mysql",
    "dynamodb",
];

/// Reads the estimates that criterion left, those of this run only.
fn measured_here(folder: &Path, started: SystemTime) -> Result<Vec<(Case, String, f64)>, Failure> {
    let mut found = Vec::new();
    for estimates in files_named("estimates.json", folder) {
        let is_new = estimates
            .parent()
            .is_some_and(|parent| parent.ends_with("new"));
        let written = fs::metadata(&estimates).and_then(|metadata| metadata.modified());
        if !is_new || written.is_ok_and(|written| written < started) {
            continue;
        }
        let name = read_json(&estimates.with_file_name("benchmark.json"))?;
        let estimate = read_json(&estimates)?;
        if let (Some(group), Some(function), Some(nanoseconds)) = (
            name["group_id"].as_str(),
            name["function_id"].as_str(),
            estimate["median"]["point_estimate"].as_f64(),
        ) {
            let (case, contestant) = named(group, function);
            found.push((case, contestant.to_owned(), nanoseconds));
        }
    }
    if found.is_empty() {
        return Err(Failure::new(format!(
            "the bench left no estimates in {}",
            folder.display()
        )));
    }
    Ok(found)
}

/// The bench says `small (33 bytes of JSON)` and `open floor`.
fn named(group: &str, function: &str) -> (Case, &'static str) {
    let size = group.split(" (").next().unwrap_or(group);
    let (operation, contestant) = match function.strip_suffix(" floor") {
        Some(operation) => (operation, "floor"),
        None => (function, "cloakroom"),
    };
    ((size.to_owned(), operation.to_owned()), contestant)
}

/// Reads the script's object: for each size the nanoseconds of each operation, `{"small": {"open_ns": 22000, …}, …}`.
fn measured_in_python(printed: &str) -> Result<Vec<(Case, String, f64)>, Failure> {
    let sizes: BTreeMap<String, BTreeMap<String, f64>> =
        serde_json::from_str(printed).map_err(|error| {
            Failure::new(format!(
                "interop/bench_itsdangerous.py printed no measurements: {error}"
            ))
        })?;
    let mut found = Vec::new();
    for (size, measurements) in sizes {
        for (name, nanoseconds) in measurements {
            // The rest are sizes.
            if let Some(operation) = name.strip_suffix("_ns") {
                let case = (size.clone(), operation.to_owned());
                found.push((case, "itsdangerous".to_owned(), nanoseconds));
            }
        }
    }
    Ok(found)
}

/// One line a case; a contestant that did not take part is a dash.
fn table(cases: &BTreeMap<Case, Times>) -> String {
    let mut lines = vec![format!(
        "{:<18} {:<7} {:>11} {:>11} {:>13} {:>9} {:>18}",
        "session", "", "cloakroom", "floor", "itsdangerous", "to floor", "to itsdangerous"
    )];
    for ((size, operation), times) in cases {
        let time = |contestant: &str| times.get(contestant).copied();
        let ratio = |over: Option<f64>, under: Option<f64>| Some(over? / under?);
        lines.push(format!(
            "{size:<18} {operation:<7} {:>11} {:>11} {:>13} {:>9} {:>18}",
            shown(time("cloakroom"), microseconds),
            shown(time("floor"), microseconds),
            shown(time("itsdangerous"), microseconds),
            shown(ratio(time("cloakroom"), time("floor")), |times| format!(
                "{times:.2}×"
            )),
            shown(ratio(time("itsdangerous"), time("cloakroom")), |times| {
                format!("{times:.1}× faster")
            }),
        ));
    }
    lines.join("\n") + "\n"
}

fn shown(number: Option<f64>, text: impl Fn(f64) -> String) -> String {
    number.map_or_else(|| "–".to_owned(), text)
}

fn microseconds(nanoseconds: f64) -> String {
    format!("{:.2} µs", nanoseconds / 1000.0)
}

/// Every file of this name below the folder.
fn files_named(name: &str, folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .flat_map(|path| {
            if path.is_dir() {
                files_named(name, &path)
            } else if path.ends_with(name) {
                vec![path]
            } else {
                Vec::new()
            }
        })
        .collect()
}

fn read_json(path: &Path) -> Result<Value, Failure> {
    let unreadable = |error: &dyn std::error::Error| {
        Failure::new(format!("{} can't be read: {error}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    serde_json::from_str(&text).map_err(|error| unreadable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_both_ratios_and_a_dash_for_who_is_absent() {
        let case = |size: &str, operation: &str| (size.to_owned(), operation.to_owned());
        let times = |pairs: &[(&str, f64)]| {
            pairs
                .iter()
                .map(|(name, time)| ((*name).to_owned(), *time))
                .collect()
        };
        let cases = BTreeMap::from([
            (
                case("small", "open"),
                times(&[
                    ("cloakroom", 900.0),
                    ("floor", 600.0),
                    ("itsdangerous", 22_500.0),
                ]),
            ),
            (case("small", "save"), times(&[("cloakroom", 1000.0)])),
        ]);
        let table = table(&cases);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>().join(" "),
            "small open 0.90 µs 0.60 µs 22.50 µs 1.50× 25.0× faster"
        );
        assert_eq!(
            lines[2].split_whitespace().collect::<Vec<_>>().join(" "),
            "small save 1.00 µs – – – –"
        );
    }

    #[test]
    fn the_scripts_times_are_read_and_its_sizes_are_not() {
        let printed = r#"{"small": {"open_ns": 22000, "save_ns": 26000, "cookie_bytes": 83}}"#;
        let found = measured_in_python(printed).unwrap();
        assert_eq!(found.len(), 2);
        let open = ("small".to_owned(), "open".to_owned());
        assert_eq!(found[0], (open, "itsdangerous".to_owned(), 22000.0));
        assert!(measured_in_python("Traceback").is_err());
    }

    #[test]
    fn a_store_that_there_is_not_is_wrong_use() {
        assert_eq!(stores(&["oracle"]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn the_benchs_names_are_taken_apart() {
        let case = |size: &str, operation: &str| (size.to_owned(), operation.to_owned());
        assert_eq!(
            named("1 KB compressed (1023 bytes of JSON)", "open floor"),
            (case("1 KB compressed", "open"), "floor")
        );
        assert_eq!(
            named("small (33 bytes of JSON)", "save"),
            (case("small", "save"), "cloakroom")
        );
    }
}
