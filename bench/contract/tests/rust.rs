//! Every subject in Rust does what all promise.

#![allow(clippy::unwrap_used)]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use contract::{Server, described, walk};

#[test]
fn every_subject_in_rust_does_what_all_promise() {
    let redis = servers::redis::start().unwrap();
    let postgres = servers::postgres::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects();
    let all = described(&mut Command::new(&subjects));
    for subject in &all {
        let name = subject["name"].as_str().unwrap();
        assert_ne!(subject["version"], "", "{name}");
        let is_reference = |other: &&serde_json::Value| other["name"] == subject["reference"];
        assert_eq!(all.iter().find(is_reference).unwrap()["kind"], "none");
        let own = folder.path().join(name.replace(' ', "-"));
        let store = match subject["store"].as_str() {
            Some("redis") => redis.url().to_owned(),
            Some("postgres") => postgres.url().to_owned(),
            Some("sqlite") => format!("sqlite:{}", own.display()),
            Some("file") => format!("file:{}", own.display()),
            Some("memory") | None => String::new(),
            Some(other) => panic!("{name} is in {other}"),
        };
        let server = Server::start(Command::new(&subjects).args([name, "--store", &store]));
        walk(subject, &server);
        server.end();
    }
}

/// The program, which cargo puts beside the folder that this test is in.
fn subjects() -> PathBuf {
    let test = env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap();
    let subjects = built.join("subjects");
    assert!(
        subjects.exists(),
        "there is no {}: build it first, in the same profile",
        subjects.display()
    );
    subjects
}
