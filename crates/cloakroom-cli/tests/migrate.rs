//! Sessions are copied from store to store while both are in use: all of them, as they are, and never over what
//! somebody wrote in the target.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]
#![cfg(all(feature = "file", feature = "redis", feature = "sqlite", unix))]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::format::Serialization;
use cloakroom::store::{CreateError, Store};
use serde_json::Value;
use support::{Outcome, cloakroom, runtime};
use tempfile::TempDir;

const HOUR: Duration = Duration::from_secs(3600);

/// Two stores and a folder for the state.
struct Move {
    folder: TempDir,
    from: String,
    to: String,
    prefix: String,
}

impl Move {
    /// URLs in which `DIR` stands for the folder, and `REDIS` for the server.
    fn between(from: &str, to: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = |url: &str| {
            url.replace("DIR", folder.path().to_str().unwrap())
                .replace("REDIS", servers::redis::shared())
        };
        let (from, to) = (url(from), url(to));
        let moving = Self {
            prefix: format!("session:{}:", servers::unique("migrate")),
            from,
            to,
            folder,
        };
        runtime().block_on(async {
            moving.source().await.prepare().await.unwrap();
            moving.target().await.prepare().await.unwrap();
        });
        moving
    }

    async fn source(&self) -> Store {
        Store::from_url(&self.from).await.unwrap()
    }

    async fn target(&self) -> Store {
        Store::from_url(&self.to).await.unwrap()
    }

    fn key(&self, number: usize) -> String {
        format!("{}{number}", self.prefix)
    }

    fn state(&self) -> String {
        self.folder.path().join("state").display().to_string()
    }

    fn environment(&self) -> [(&str, &str); 2] {
        [
            ("SESSION_STORE_FROM", &self.from),
            ("SESSION_STORE_TO", &self.to),
        ]
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let command = ["sessions", "migrate", "--json"];
        let mut command = [&command, arguments].concat();
        if !self.from.starts_with("cachelib:") {
            command.extend(["--prefix", &self.prefix]);
        }
        let outcome = cloakroom(&command, &self.environment(), b"");
        // P10: whoever has a key has the session.
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(!text.contains(&self.prefix), "{text}");
        }
        outcome
    }

    /// What a run did that went well: the numbers that are not zero.
    #[track_caller]
    fn numbers(&self, arguments: &[&str]) -> BTreeMap<String, u64> {
        let outcome = self.run(arguments);
        outcome.good();
        numbers(&outcome.json())
    }

    /// Fills the source.
    fn fill(&self, count: usize) {
        runtime().block_on(async {
            let source = self.source().await;
            for number in 0..count {
                let key = self.key(number);
                source.create(&key, value(number), HOUR).await.unwrap();
            }
        });
    }

    async fn values(&self, store: &Store, count: usize) -> Vec<Option<Bytes>> {
        let mut values = Vec::new();
        for number in 0..count {
            let record = store.load(&self.key(number)).await.unwrap();
            values.push(record.map(|record| record.value));
        }
        values
    }

    /// Fails unless both have the same, bytes and lives.
    fn is_equal(&self, count: usize) {
        runtime().block_on(async {
            let (source, target) = (self.source().await, self.target().await);
            for number in 0..count {
                let key = self.key(number);
                let original = source.load(&key).await.unwrap().unwrap();
                let copy = target.load(&key).await.unwrap().unwrap();
                assert_eq!(copy.value, original.value);
                let lives = [source.expires_in(&key).await, target.expires_in(&key).await];
                let lives = lives.map(|left| left.unwrap().unwrap().as_secs());
                assert!(lives[0].abs_diff(lives[1]) <= 2, "{lives:?}");
            }
        });
    }
}

fn numbers(json: &Value) -> BTreeMap<String, u64> {
    let names = json.as_object().unwrap().iter();
    let numbers = names.filter_map(|(name, value)| Some((name.clone(), value.as_u64()?)));
    numbers
        .filter(|(name, value)| *value > 0 && !name.starts_with("entries_per"))
        .collect()
}

fn expected<const N: usize>(rows: [(&str, u64); N]) -> BTreeMap<String, u64> {
    rows.into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

fn value(number: usize) -> Bytes {
    Bytes::from(format!("\u{81}value {number}"))
}

async fn put(store: &Store, key: &str, value: &'static str) {
    let base = store.load(key).await.unwrap().unwrap();
    store.replace(key, &base, value.into(), HOUR).await.unwrap();
}

#[test]
fn p3_every_entry_arrives_with_its_bytes_and_its_life() {
    for (from, to) in [
        ("file:DIR/sessions", "REDIS/3"),
        ("REDIS/4", "sqlite:DIR/app.db"),
        ("REDIS/5", "REDIS/6"),
        ("sqlite:DIR/app.db", "file:DIR/sessions"),
    ] {
        let moving = Move::between(from, to);
        moving.fill(250);
        let outcome = moving.run(&["--batch", "40"]);
        outcome.good();
        let json = outcome.json();
        let counts = serde_json::json!({ "from": 250, "to": 250, "equal": true });
        assert_eq!(json["counts"], counts, "{from} to {to}");
        assert_eq!(json["sample"]["checked"], 100);
        assert_eq!(json["sample"]["same"], 100);
        let copied = expected([
            ("listed", 250),
            ("copied", 250),
            ("passes", 1),
            ("changes_in_the_last_pass", 250),
        ]);
        assert_eq!(numbers(&json), copied);
        moving.is_equal(250);
        // Without a state file all is compared anew.
        let again = moving.numbers(&[]);
        assert_eq!(again["already_there"], 250);
        assert!(!again.contains_key("copied"));
    }
}

#[cfg(feature = "postgres")]
#[test]
fn p3_redis_to_postgresql_is_one_command() {
    let table = servers::unique("sessions").replace('-', "_");
    let to = format!("{}?table={table}", servers::postgres::shared());
    let moving = Move::between("REDIS/7", &to);
    moving.fill(120);
    assert_eq!(moving.numbers(&[])["copied"], 120);
    moving.is_equal(120);
}

#[test]
fn a_dry_run_writes_nothing_and_says_the_same() {
    let moving = Move::between("file:DIR/sessions", "REDIS/3");
    moving.fill(30);
    let state = moving.state();
    let dry = ["--dry-run", "--state", &state];
    assert_eq!(moving.numbers(&dry)["copied"], 30);
    assert!(!Path::new(&state).exists());
    runtime().block_on(async {
        let target = moving.target().await;
        assert_eq!(moving.values(&target, 30).await, vec![None; 30]);
    });
    assert_eq!(moving.numbers(&["--state", &state])["copied"], 30);
    let after = expected([("listed", 30), ("unchanged", 30), ("passes", 1)]);
    assert_eq!(moving.numbers(&dry), after);
}

#[test]
fn a_second_run_catches_up_and_the_target_has_the_last_word() {
    let moving = Move::between("REDIS/8", "sqlite:DIR/app.db");
    moving.fill(12);
    let state = moving.state();
    let catch_up = ["--state", &state];
    moving.numbers(&catch_up);
    let nothing = expected([("listed", 12), ("unchanged", 12), ("passes", 1)]);
    assert_eq!(moving.numbers(&catch_up), nothing);

    runtime().block_on(async {
        let (source, target) = (moving.source().await, moving.target().await);
        let key = |number| moving.key(number);
        put(&source, &key(0), "changed in the source").await;
        put(&target, &key(1), "changed in the target").await;
        put(&source, &key(2), "changed in both, source").await;
        put(&target, &key(2), "changed in both, target").await;
        source.delete(&key(3), None, Duration::ZERO).await.unwrap();
        target.delete(&key(4), None, HOUR).await.unwrap();
        put(&source, &key(5), "changed after a logout in the target").await;
        target.delete(&key(5), None, HOUR).await.unwrap();
        source.delete(&key(6), None, Duration::ZERO).await.unwrap();
        put(&target, &key(6), "ended in the source, used in the target").await;
        source.touch(&key(7), 10 * HOUR).await.unwrap();
        source.create(&key(12), "new".into(), HOUR).await.unwrap();
        target
            .create(&key(13), "of the target".into(), HOUR)
            .await
            .unwrap();
        source
            .create(&key(13), "of both".into(), HOUR)
            .await
            .unwrap();
    });
    let caught_up = expected([
        ("listed", 12),
        ("copied", 1),
        ("updated", 1),
        ("renewed", 1),
        ("removed", 1),
        ("unchanged", 6),
        ("changed_in_both", 2),
        ("was_there", 1),
        ("ended_there", 1),
        ("passes", 1),
        ("changes_in_the_last_pass", 8),
    ]);
    assert_eq!(moving.numbers(&catch_up), caught_up);
    runtime().block_on(async {
        let target = moving.target().await;
        let values = moving.values(&target, 14).await;
        let text = |number: usize| values[number].as_deref().map(String::from_utf8_lossy);
        let text = |number| text(number).map(std::borrow::Cow::into_owned);
        assert_eq!(text(0).unwrap(), "changed in the source");
        assert_eq!(text(1).unwrap(), "changed in the target");
        assert_eq!(text(2).unwrap(), "changed in both, target");
        assert_eq!([text(3), text(4), text(5)], [None, None, None]);
        assert_eq!(text(6).unwrap(), "ended in the source, used in the target");
        assert_eq!(text(12).unwrap(), "new");
        assert_eq!(text(13).unwrap(), "of the target");
        let renewed = target.load(&moving.key(7)).await.unwrap().unwrap();
        assert!(renewed.expires_in.unwrap() > 9 * HOUR);
        // P5: a slow request cannot bring back what ended in the source.
        let late = target.create(&moving.key(3), "late".into(), HOUR).await;
        assert_eq!(late, Err(CreateError::Exists));
    });
    let nothing = expected([("listed", 12), ("unchanged", 12), ("passes", 1)]);
    assert_eq!(moving.numbers(&catch_up), nothing);
    let state = std::fs::read_to_string(&state).unwrap();
    assert!(!state.contains("session") && !state.contains("changed"));
}

#[test]
fn what_was_interrupted_goes_on() {
    let moving = Move::between("file:DIR/sessions", "sqlite:DIR/app.db");
    moving.fill(400);
    let state = moving.state();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cloakroom"))
        .args(["sessions", "migrate", "--batch", "20", "--state", &state])
        .args(["--prefix", &moving.prefix])
        .env_clear()
        .envs(moving.environment())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // In the middle of a batch, and the last lines torn.
    let begun = || std::fs::read_to_string(&state).map_or(0, |text| text.matches("> ").count());
    while begun() < 60 {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let text = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, &text[..text.len() - 20]).unwrap();
    // Meanwhile somebody clicked: one of the copies is old by now.
    runtime().block_on(async {
        let source = moving.source().await;
        for number in 0..400 {
            put(&source, &moving.key(number), "later").await;
        }
    });
    let numbers = moving.numbers(&["--state", &state]);
    assert!(
        numbers["updated"] > 0 && numbers["copied"] > 0,
        "{numbers:?}"
    );
    assert_eq!(numbers["updated"] + numbers["copied"], 400, "{numbers:?}");
    moving.is_equal(400);
    let nothing = expected([("listed", 400), ("unchanged", 400), ("passes", 1)]);
    assert_eq!(moving.numbers(&["--state", &state]), nothing);
}

/// Lines of standard error, until one begins so.
fn read_until(
    lines: &mut impl Iterator<Item = std::io::Result<String>>,
    beginning: &str,
) -> String {
    lines
        .map(Result::unwrap)
        .find(|line| line.starts_with(beginning))
        .unwrap()
}

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn following_ends_with_a_pass_that_began_after_it_was_asked_to() {
    let moving = Move::between("REDIS/9", "sqlite:DIR/app.db");
    moving.fill(20);
    let mut child = Command::new(env!("CARGO_BIN_EXE_cloakroom"))
        .args([
            "sessions",
            "migrate",
            "--follow",
            "--json",
            "--prefix",
            &moving.prefix,
        ])
        .env_clear()
        .envs(moving.environment())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = read_until(&mut lines, "pass 1: ");
    assert!(
        first.starts_with("pass 1: 20 of 20 entries changed"),
        "{first}"
    );
    runtime().block_on(async { put(&moving.source().await, &moving.key(3), "later").await });
    read_until(&mut lines, "pass 3: ");
    moving.is_equal(20);
    runtime().block_on(async {
        put(&moving.source().await, &moving.key(4), "at the last moment").await;
    });
    interrupt(&child);
    read_until(&mut lines, "last pass: ");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["copied"], &json["updated"]), (&20.into(), &2.into()));
    moving.is_equal(20);
}

#[test]
fn a_source_that_lost_its_entries_logs_nobody_out() {
    let moving = Move::between("file:DIR/sessions", "sqlite:DIR/app.db");
    moving.fill(150);
    let state = moving.state();
    moving.numbers(&["--state", &state]);
    std::fs::remove_dir_all(moving.folder.path().join("sessions")).unwrap();
    let outcome = moving.run(&["--state", &state]);
    assert_eq!(outcome.code, 1);
    assert_eq!(outcome.json()["refused"]["code"], "too_many_gone");
    runtime().block_on(async {
        let target = moving.target().await;
        assert!(
            moving
                .values(&target, 150)
                .await
                .iter()
                .all(Option::is_some)
        );
    });
    let removed = moving.numbers(&["--state", &state, "--remove-gone"]);
    assert_eq!(removed["removed"], 150);
    runtime().block_on(async {
        let target = moving.target().await;
        assert_eq!(moving.values(&target, 150).await, vec![None; 150]);
    });
}

#[test]
fn p2_a_folder_of_cachelibs_moves_under_the_hashes_of_its_keys_and_back() {
    let pickle = |text: &str| {
        let session = Serialization::Json.from_slice(text.as_bytes()).unwrap();
        Bytes::from(Serialization::Pickle.to_bytes(&session).unwrap())
    };
    let moving = Move::between("cachelib:DIR/flask_session", "sqlite:DIR/app.db");
    runtime().block_on(async {
        let folder = moving.source().await;
        for number in 0..40 {
            let session = pickle(&format!("{{\"user\":{number}}}"));
            folder
                .create(&moving.key(number), session, HOUR)
                .await
                .unwrap();
        }
    });
    let state = moving.state();
    let outcome = moving.run(&["--state", &state]);
    assert!(outcome.stderr.contains("hashed_keys"), "{}", outcome.stderr);
    outcome.good();
    let counts = serde_json::json!({ "from": 40, "to": 40, "equal": true });
    assert_eq!(outcome.json()["counts"], counts);

    // The visitor brings the key.
    runtime().block_on(async {
        let target = moving.target().await;
        let live = target.clone().moving_from(target.clone().hashed_keys());
        let loaded = live.load(&moving.key(7)).await.unwrap().unwrap();
        assert_eq!(loaded.value, &b"\x81\xa4user\x07"[..]);
        assert!(target.load(&moving.key(7)).await.unwrap().is_some());
        // Later changes in the folder arrive too, and do not undo what the visitor did.
        let folder = moving.source().await;
        for number in [7, 8] {
            let base = folder.load(&moving.key(number)).await.unwrap().unwrap();
            let later = pickle("{\"user\":\"later\"}");
            folder
                .replace(&moving.key(number), &base, later, HOUR)
                .await
                .unwrap();
        }
    });
    assert_eq!(moving.numbers(&["--state", &state])["updated"], 2);
    runtime().block_on(async {
        let target = moving.target().await;
        let live = target.clone().moving_from(target.clone().hashed_keys());
        let loaded = live.load(&moving.key(8)).await.unwrap().unwrap();
        assert_eq!(loaded.value, &b"\x81\xa4user\xa5later"[..]);
        let loaded = live.load(&moving.key(7)).await.unwrap().unwrap();
        assert_eq!(loaded.value, &b"\x81\xa4user\x07"[..]);
    });

    // And back into another folder, where the files have the names that cachelib looks for.
    let folder = moving.folder.path().join("again");
    let back = Move {
        from: moving.to.clone(),
        to: format!("cachelib:{}", folder.display()),
        prefix: "sha256:".to_owned(),
        folder: tempfile::tempdir().unwrap(),
    };
    assert_eq!(back.numbers(&[])["copied"], 40);
    runtime().block_on(async {
        let loaded = back
            .target()
            .await
            .load(&moving.key(9))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(loaded.value, pickle("{\"user\":9}"));
    });
}

#[test]
fn what_cannot_go_is_counted_with_the_reason_and_stays() {
    let moving = Move::between("REDIS/10", "cachelib:DIR/flask_session");
    moving.fill(3);
    runtime().block_on(async {
        let source = moving.source().await;
        let session = Bytes::from_static(b"\x81\xa4user\xa5alice");
        source.create(&moving.key(9), session, HOUR).await.unwrap();
    });
    let outcome = moving.run(&[]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    let json = outcome.json();
    assert_eq!(json["copied"], 1);
    let reasons = serde_json::json!({ "it is no session that can be pickled": 3 });
    assert_eq!(json["refused"], reasons);
    runtime().block_on(async {
        let source = moving.source().await;
        assert_eq!(
            moving.values(&source, 3).await,
            [0, 1, 2].map(value).map(Some)
        );
    });
}

#[test]
fn wrong_use_is_said_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let files = format!("file:{}/a", folder.path().display());
    let cachelib = format!("cachelib:{}/b", folder.path().display());
    let migrate =
        |arguments: &[&str]| cloakroom(&[&["sessions", "migrate"], arguments].concat(), &[], b"");
    for (arguments, message) in [
        (
            &["--from", &files][..],
            "error: no store: set SESSION_STORE_TO",
        ),
        (&["--to", &files], "error: no store: set SESSION_STORE_FROM"),
        (
            &["--from", &files, "--to", &files],
            "error: both stores are the same",
        ),
        (
            &["--from", &files, "--to", "memory:"],
            "error: sessions in memory: are only",
        ),
        (
            &["--from", &files, "--to", "redis://:secret@localhost"],
            "error: the URL of --to holds a password",
        ),
        (
            &["--from", &cachelib, "--to", &files, "--prefix", "session:"],
            "error: the files of cachelib hold no keys",
        ),
    ] {
        let outcome = migrate(arguments);
        assert_eq!(outcome.code, 2, "{arguments:?}");
        assert!(outcome.stderr.starts_with(message), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("secret"));
    }
    let outcome = migrate(&["--from", "memcached://127.0.0.1:1", "--to", &files]);
    assert_eq!(outcome.refused(), "cannot_list");
    assert!(outcome.stderr.contains("moving_from"));
}
