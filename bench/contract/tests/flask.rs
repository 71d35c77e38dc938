//! The Flask applications do what all subjects promise. They run in an environment with the packages of `bench/flask/requirements.txt`:
//! the one that `cargo xtask bench` makes, or another whose interpreter `BENCH_PYTHON` names.

use std::{env, path::Path, process::Command};

use contract::{Server, described, walk};

#[test]
fn every_subject_on_flask_does_what_all_promise() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = env::var_os("BENCH_PYTHON").map_or_else(
        || repository.join("target/bench-venv/bin/python"),
        Into::into,
    );
    assert!(
        python.exists(),
        "there is no {}: `cargo xtask bench` makes it, or BENCH_PYTHON names another",
        python.display()
    );
    let redis = servers::redis::start().unwrap();
    let serve = || {
        let mut command = Command::new(&python);
        command.arg(repository.join("bench/flask/serve.py"));
        command
    };
    for subject in &described(&mut serve()) {
        let name = subject["name"].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = match subject["store"].as_str() {
            Some("redis") => redis.url().to_owned(),
            _ => folder.path().display().to_string(),
        };
        let server = Server::start(serve().args([name, "--store", &store]));
        walk(subject, &server);
        server.end();
    }
}
