//! Every subject does what all of them promise, so that what is compared is the same work.

#![allow(missing_docs)]

mod support;

use std::process::Command;

use serde_json::Value;
use support::{Server, walk};

#[test]
fn every_subject_in_rust_does_what_all_promise() {
    let redis = servers::redis::start().unwrap();
    let postgres = servers::postgres::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let subjects = env!("CARGO_BIN_EXE_subjects");
    let listed = Command::new(subjects).arg("--list").output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    for subject in listed.as_array().unwrap() {
        let name = subject["name"].as_str().unwrap();
        let own = folder.path().join(name.replace(' ', "-"));
        let store = match subject["store"].as_str() {
            Some("redis") => redis.url().to_owned(),
            Some("postgres") => postgres.url().to_owned(),
            Some("sqlite") => format!("sqlite:{}?mode=rwc", own.display()),
            Some("file") => format!("file:{}", own.display()),
            Some("memory") | None => String::new(),
            Some(other) => panic!("{name} is in {other}"),
        };
        let server = Server::start(Command::new(subjects).args([name, "--store", &store]));
        walk(subject, &server);
        server.end();
    }
}

#[test]
fn every_subject_names_its_version_and_a_reference_that_is_there() {
    let all = subjects::all();
    for subject in &all {
        assert!(!subject.version.is_empty(), "{}", subject.name);
        let reference = subjects::find(subject.reference).unwrap();
        assert_eq!(reference.kind, subjects::Kind::None, "{}", subject.name);
    }
}
