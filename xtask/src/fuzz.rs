//! Running the fuzz targets for a while, from seeds out of the test vectors and what earlier runs found worth keeping.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::repository;
use crate::shell::{self, Failure, cargo};

/// A target and where its seeds are: the vector files, and the fields whose text is such input, or whose
/// hexadecimal digits are.
struct Target {
    name: &'static str,
    files: &'static [&'static str],
    fields: &'static [&'static str],
    hexadecimal: bool,
}

const TARGETS: [Target; 8] = [
    Target {
        name: "cookie_header",
        files: &["werkzeug_cookie.json", "flask_flows.json"],
        fields: &["header", "joined", "cookie_header"],
        hexadecimal: false,
    },
    Target {
        name: "encrypted_token",
        files: &["encrypted.json"],
        fields: &["token"],
        hexadecimal: false,
    },
    Target {
        name: "message_pack",
        files: &["flask_session_serialization.json"],
        fields: &["hex"],
        hexadecimal: true,
    },
    Target {
        name: "pickle",
        files: &["pickle.json", "flask_session_serialization.json"],
        fields: &["hex"],
        hexadecimal: true,
    },
    Target {
        name: "record",
        files: &["flask_session_serialization.json"],
        fields: &["hex"],
        hexadecimal: true,
    },
    Target {
        name: "session_file",
        files: &["cachelib_file.json", "cachelib_file_legacy.json"],
        fields: &["file_hex"],
        hexadecimal: true,
    },
    Target {
        name: "tagged_json",
        files: &["tagged_json.json"],
        fields: &["json", "text"],
        hexadecimal: false,
    },
    Target {
        name: "token",
        files: &[
            "flask_cookie.json",
            "itsdangerous_serializer.json",
            "itsdangerous_signer.json",
            "itsdangerous_timestamp.json",
        ],
        fields: &["cookie", "token"],
        hexadecimal: false,
    },
];

/// Runs each target, or the named ones, for so many seconds from the seeds and what earlier runs found.
/// With `keep`, what covers anything that nothing else does goes into `fuzz/corpus`.
pub(crate) fn run(seconds: u32, keep: bool, chosen: &[&str]) -> Result<(), Failure> {
    if let Some(unknown) = chosen
        .iter()
        .find(|name| !TARGETS.iter().any(|target| target.name == **name))
    {
        return Err(Failure::usage(format!(
            "`{unknown}` is not a fuzz target: there are {}",
            TARGETS.map(|target| target.name).join(", ")
        )));
    }
    if shell::output(&mut cargo(["fuzz", "--version"])).is_err() {
        return Err(Failure::new(
            "cargo-fuzz is missing: `cargo install cargo-fuzz`, then run this again",
        ));
    }
    for target in TARGETS
        .iter()
        .filter(|target| chosen.is_empty() || chosen.contains(&target.name))
    {
        println!("\n── {}: {seconds} s", target.name);
        fuzz(target, seconds, keep)?;
    }
    Ok(())
}

fn fuzz(target: &Target, seconds: u32, keep: bool) -> Result<(), Failure> {
    let folder = repository::target().join("fuzz");
    let seeds = folder.join("seeds").join(target.name);
    write_seeds(target, &seeds)?;
    // libFuzzer writes what it finds into the first folder and only reads the second.
    let found = folder.join("corpus").join(target.name);
    make(&found)?;
    let mut command = libfuzzer(target, &folder, &[&found, &seeds]);
    command.arg(format!("-max_total_time={seconds}")).args([
        "-print_final_stats=1",
        "-timeout=10",
        "-max_len=16384",
    ]);
    shell::run(&mut command)?;
    if keep {
        let kept = folder.join("kept").join(target.name);
        if kept.exists() {
            fs::remove_dir_all(&kept).map_err(|error| failure(&kept, "removed", &error))?;
        }
        make(&kept)?;
        shell::run(libfuzzer(target, &folder, &[&kept, &seeds, &found]).arg("-merge=1"))?;
        write_corpus(target, &kept)?;
    }
    Ok(())
}

/// A run of the target with these folders of inputs.
fn libfuzzer(target: &Target, folder: &Path, inputs: &[&Path]) -> Command {
    let mut command = cargo(["fuzz", "run", target.name]);
    command
        .args(inputs)
        .args(["--", "-rss_limit_mb=2048"])
        .env("CARGO_TARGET_DIR", folder)
        // The instrumentation switches are unstable; this lets the stable compiler take them.
        .env("RUSTC_BOOTSTRAP", "1");
    command
}

/// Inputs that are longer stay out of the repository, and so do more than these: the shortest are kept.
const LONGEST: usize = 512;
const MOST: usize = 300;

/// One line of hexadecimal digits for each input of the folder.
fn write_corpus(target: &Target, kept: &Path) -> Result<(), Failure> {
    let mut inputs: Vec<Vec<u8>> = fs::read_dir(kept)
        .map_err(|error| failure(kept, "read", &error))?
        .filter_map(|entry| fs::read(entry.ok()?.path()).ok())
        .filter(|input| !input.is_empty() && input.len() <= LONGEST)
        .collect();
    inputs.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    inputs.truncate(MOST);
    let lines: String = inputs.iter().map(|input| hex(input) + "\n").collect();
    let file = corpus(target);
    fs::write(&file, lines).map_err(|error| failure(&file, "written", &error))?;
    println!("   {} inputs in {}", inputs.len(), file.display());
    Ok(())
}

/// What earlier runs found worth keeping.
fn corpus(target: &Target) -> PathBuf {
    let name = format!("fuzz/corpus/{}.hex", target.name);
    repository::root().join(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn failure(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} can't be {what}: {error}", path.display()))
}

/// One file for each text that the vectors hold in the target's fields, and for each line of the corpus.
fn write_seeds(target: &Target, folder: &Path) -> Result<(), Failure> {
    make(folder)?;
    let vectors = repository::root().join("crates/cloakroom/tests/vectors");
    let mut seeds: Vec<String> = Vec::new();
    for name in target.files {
        let file = vectors.join(name);
        let rows = fs::read(&file)
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()))
            .map_err(|error| Failure::new(format!("{} can't be read: {error}", file.display())))?;
        collect(&rows, target.fields, &mut seeds);
    }
    let mut seeds: Vec<Vec<u8>> = seeds
        .into_iter()
        .map(|seed| match target.hexadecimal {
            true => unhex(&seed),
            false => seed.into_bytes(),
        })
        .collect();
    let file = corpus(target);
    if file.exists() {
        let kept = fs::read_to_string(&file).map_err(|error| failure(&file, "read", &error))?;
        seeds.extend(kept.lines().map(unhex));
    }
    for (number, seed) in seeds.iter().enumerate() {
        let file = folder.join(format!("{number:04}"));
        fs::write(&file, seed).map_err(|error| failure(&file, "written", &error))?;
    }
    Ok(())
}

/// The bytes that pairs of hexadecimal digits stand for.
fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .filter_map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// The texts in these fields, however deep.
fn collect(rows: &Value, fields: &[&str], seeds: &mut Vec<String>) {
    match rows {
        Value::Array(items) => {
            for item in items {
                collect(item, fields, seeds);
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                match entry {
                    Value::String(text) if fields.contains(&key.as_str()) => {
                        seeds.push(text.clone());
                    }
                    other => collect(other, fields, seeds),
                }
            }
        }
        _ => {}
    }
}

fn make(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)
        .map_err(|error| Failure::new(format!("{} can't be made: {error}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_source_file_and_seeds() {
        for target in &TARGETS {
            let source = format!("fuzz/fuzz_targets/{}.rs", target.name);
            assert!(repository::root().join(source).is_file(), "{}", target.name);
            let folder = repository::target().join("xtask-test").join(target.name);
            write_seeds(target, &folder).unwrap();
            let seeds = fs::read_dir(folder).unwrap().count();
            assert!(seeds > 20, "{} has {seeds} seeds", target.name);
        }
    }
}
