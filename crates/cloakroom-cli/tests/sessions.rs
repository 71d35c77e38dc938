//! What an operator of a store relies on: what is removed and made, exit codes, and where the URL comes from.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]
#![cfg(all(
    feature = "dynamodb",
    feature = "file",
    feature = "redis",
    feature = "sqlite"
))]

mod support;

use std::time::{Duration, SystemTime};

use cloakroom::{
    Clock,
    store::{Driver, SqliteStore, Store},
};
use support::{TemporaryFile, cloakroom, runtime};

const HOUR: Duration = Duration::from_secs(3600);

fn run(arguments: &[&str], url: &str) -> support::Outcome {
    cloakroom(
        &[&["sessions"], arguments].concat(),
        &[("SESSION_STORE", url)],
        b"",
    )
}

#[test]
fn prepare_makes_the_table_and_purge_removes_what_has_expired_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/app.db", folder.path().display());

    // Before the table is there, purging says what is missing.
    assert_eq!(run(&["purge"], &url).refused(), "store_refused");
    assert_eq!(run(&["prepare"], &url).good(), "the table is there");
    assert_eq!(run(&["prepare"], &url).good(), "the table is there");

    runtime().block_on(async {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let yesterday = Clock::manual(now.unwrap().as_secs() - 24 * 3600);
        let past = SqliteStore::connect(&url).await.unwrap().clock(yesterday);
        for number in 0..7 {
            let key = format!("session:old{number}");
            past.create(&key, "old".into(), HOUR).await.unwrap();
        }
        let store = Store::from_url(&url).await.unwrap();
        store
            .create("session:new", "new".into(), HOUR)
            .await
            .unwrap();
    });

    // More than two batches.
    let outcome = run(&["purge", "--batch", "3", "--json"], &url);
    outcome.good();
    assert_eq!(outcome.json()["removed"], 7);
    assert_eq!(outcome.json()["store"], "sqlite");
    assert_eq!(run(&["purge"], &url).good(), "removed 0 expired entries");
    runtime().block_on(async {
        let store = Store::from_url(&url).await.unwrap();
        assert!(store.load("session:new").await.unwrap().is_some());
    });
}

#[test]
fn stores_that_need_nothing_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let files = format!("file:{}/sessions", folder.path().display());
    assert_eq!(
        run(&["prepare"], &files).good(),
        "there is nothing to do: file has no tables"
    );
    assert_eq!(run(&["purge"], &files).good(), "removed 0 expired entries");

    let redis = servers::redis::shared();
    let outcome = run(&["prepare", "--json"], redis);
    outcome.good();
    assert_eq!(outcome.json()["needed"], false);
    let outcome = run(&["purge"], redis);
    outcome.good();
    assert_eq!(outcome.stderr, "redis removes what has expired by itself\n");

    let (table, endpoint) = (servers::unique("sessions"), servers::dynamodb::shared());
    let url = format!("dynamodb://test:test@us-west-2/{table}?endpoint={endpoint}");
    let outcome = run(&["prepare", "--json"], &url);
    outcome.good();
    assert_eq!(outcome.json()["needed"], true);
    assert_eq!(run(&["purge"], &url).good(), "removed 0 expired entries");
}

#[test]
fn the_url_comes_from_the_environment_a_file_or_an_argument_without_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}/sessions", folder.path().display());
    let environment = [("OTHER", url.as_str())];
    let purge = |arguments: &[&str]| {
        cloakroom(
            &[&["sessions", "purge"], arguments].concat(),
            &environment,
            b"",
        )
    };
    purge(&["--store-env", "OTHER"]).good();
    let file = TemporaryFile::with(format!("{url}\r\n").as_bytes());
    purge(&["--store-file", &file.path()]).good();
    purge(&["--store", &url]).good();

    for (arguments, message) in [
        (&[][..], "error: no store: set SESSION_STORE"),
        (
            &["--store-env", "MISSING"],
            "error: environment variable MISSING is not set",
        ),
        (
            &["--store-file", "/no/such/file"],
            "error: file /no/such/file can't be read",
        ),
        (
            &["--store", "redis://:hunter2@localhost"],
            "error: the URL of --store holds a password",
        ),
        (
            &["--store", "memory:"],
            "error: sessions in memory: are only in the process",
        ),
    ] {
        let outcome = purge(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
        assert!(outcome.stderr.starts_with(message), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("hunter2"));
    }
    assert_eq!(purge(&["--store", "x", "--store-env", "OTHER"]).code, 2);
}

#[test]
fn p10_a_store_that_fails_is_exit_code_1_and_the_url_is_never_quoted() {
    for (url, code) in [
        ("redis://:hunter2@127.0.0.1:1", "store_unreachable"),
        ("mongodb://:hunter2@127.0.0.1:1", "store_refused"),
    ] {
        for command in ["purge", "prepare"] {
            let outcome = run(&[command], url);
            assert_eq!(outcome.refused(), code);
            assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
            let json = run(&[command, "--json"], url);
            assert_eq!(json.code, 1);
            assert_eq!(json.json()["refused"]["code"], code);
            assert!(!json.stdout.contains("hunter2"));
        }
    }
}
