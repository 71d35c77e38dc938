//! Running the fuzz targets for a while.

use std::fs;

use crate::repository;
use crate::shell::{self, Failure, cargo};

/// Runs each target, or the named ones, for so many seconds from the seeds and what earlier runs found.
pub(crate) fn run(seconds: u32, chosen: &[&str]) -> Result<(), Failure> {
    let targets = targets()?;
    if let Some(unknown) = chosen
        .iter()
        .find(|name| !targets.iter().any(|target| target == *name))
    {
        return Err(Failure::usage(format!(
            "`{unknown}` is not a fuzz target: there are {}",
            targets.join(", ")
        )));
    }
    if shell::output(&mut cargo(["fuzz", "--version"])).is_err() {
        return Err(Failure::new(
            "cargo-fuzz is missing: `cargo install cargo-fuzz`, then run this again",
        ));
    }
    for target in targets
        .iter()
        .filter(|target| chosen.is_empty() || chosen.contains(&target.as_str()))
    {
        println!("\n── {target}: {seconds} s");
        fuzz(target, seconds)?;
    }
    Ok(())
}

fn fuzz(target: &str, seconds: u32) -> Result<(), Failure> {
    let root = repository::root();
    // libFuzzer writes what it finds into the first folder and only reads the second.
    let found = root.join("fuzz/corpus").join(target);
    fs::create_dir_all(&found)
        .map_err(|error| Failure::new(format!("{} can't be made: {error}", found.display())))?;
    let mut command = cargo(["fuzz", "run", target]);
    command
        .arg(&found)
        .arg(root.join("fuzz/seeds").join(target))
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .args(["-print_final_stats=1", "-timeout=10", "-rss_limit_mb=2048"])
        // The instrumentation switches are unstable; this lets the stable compiler take them.
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("CARGO_TARGET_DIR");
    shell::run(&mut command)
}

/// The names of the files in `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = repository::root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder)
        .map_err(|error| Failure::new(format!("{} can't be read: {error}", folder.display())))?;
    let mut names: Vec<String> = files
        .filter_map(Result::ok)
        .filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}
