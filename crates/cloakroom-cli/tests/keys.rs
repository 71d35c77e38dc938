//! The life of a key, from `cloakroom keys add` to `retire`, in a file that servers watch meanwhile.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use cloakroom::{Clock, Keys, Reloaded, SessionConfig, SessionManager};
use support::{Outcome, cloakroom, runtime};
use tempfile::TempDir;

/// A moment on 2026-11-21.
const NOW: u64 = 1_795_219_200;
const DAY: u64 = 86_400;
/// How long servers may take to read the file.
const READ: u64 = 600;

struct Desk {
    folder: TempDir,
}

impl Desk {
    /// With a file of one key, `first`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Self { folder };
        desk.run(&[
            "generate",
            "--file",
            desk.file().to_str().unwrap(),
            "--id",
            "first",
        ])
        .good();
        desk
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("keys.json")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// Runs a command, and looks whether it shows any key.
    fn run(&self, arguments: &[&str]) -> Outcome {
        let before = fs::read_to_string(self.file()).unwrap_or_default();
        let file = self.file();
        let environment = [("KEY_FILE", file.to_str().unwrap())];
        let outcome = cloakroom(&[&["keys"], arguments].concat(), &environment, b"");
        for text in [before, fs::read_to_string(self.file()).unwrap_or_default()] {
            for secret in secrets(&text) {
                assert!(!outcome.stdout.contains(&secret) && !outcome.stderr.contains(&secret));
            }
        }
        outcome
    }

    fn at(&self, now: u64, arguments: &[&str]) -> Outcome {
        let now = now.to_string();
        self.run(&[arguments, &["--now", &now]].concat())
    }

    /// Each key's id, what it does, and from when it is safe to drop it.
    fn status(&self, now: u64) -> Vec<(String, String, Option<u64>)> {
        let outcome = self.at(now, &["status", "--json"]);
        outcome.good();
        let keys = outcome.json()["keys"].as_array().unwrap().clone();
        let text = |key: &serde_json::Value, member: &str| key[member].as_str().unwrap().to_owned();
        keys.iter()
            .map(|key| {
                (
                    text(key, "id"),
                    text(key, "state"),
                    key["safe_from"].as_u64(),
                )
            })
            .collect()
    }
}

fn secrets(text: &str) -> Vec<String> {
    let after = text.split("\"secret\": \"").skip(1);
    let secrets: Vec<String> = after
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    assert!(text.is_empty() || !secrets.is_empty());
    secrets
}

fn row(id: &str, state: &str, safe: Option<u64>) -> (String, String, Option<u64>) {
    (id.to_owned(), state.to_owned(), safe)
}

#[test]
fn s62_a_key_lives_from_add_to_retire_and_nobody_is_logged_out() {
    let desk = Desk::new();
    let clock = Clock::manual(NOW);
    let keys = Keys::from_file(desk.file()).unwrap();
    let config = SessionConfig::default().clock(clock.clone());
    let manager = SessionManager::signed(&keys, config).unwrap();
    let cookie = || {
        let session = manager.new_session();
        session.insert("user", "alice").unwrap();
        manager.cookie_value(&session).unwrap()
    };
    let opens = |cookie: &str| runtime().block_on(manager.open_value(cookie)).is_ok();
    let signer = || {
        let usage = manager.key_usage();
        let signs = usage
            .iter()
            .find(|key| key.state == cloakroom::KeyState::Signs);
        signs.unwrap().id.clone()
    };

    let old = cookie();
    let added = desk.at(NOW, &["add", "--id", "second"]);
    assert!(
        added
            .good()
            .ends_with("it verifies at once and signs from 2026-11-21T00:10:00Z"),
        "{}",
        added.stdout
    );
    assert_eq!(keys.reload().unwrap(), Reloaded::Replaced);
    assert_eq!(signer(), "first");
    assert_eq!(
        desk.status(NOW),
        [
            row("first", "signs", Some(NOW + READ + 31 * DAY + READ)),
            row("second", "waits", None)
        ]
    );

    // Ten minutes later, by the clock, with nobody touching the file.
    clock.set(NOW + READ);
    assert_eq!(signer(), "second");
    assert!(opens(&old));
    let safe = NOW + READ + 31 * DAY + READ;
    assert_eq!(
        desk.status(NOW + READ),
        [
            row("first", "verifies", Some(safe)),
            row("second", "signs", None)
        ]
    );
    let before = desk.text();
    let refused = desk.at(NOW + DAY, &["retire", "first"]);
    assert_eq!(refused.refused(), "still_needed");
    assert!(
        refused.stderr.contains("signed until 2026-11-21T00:10:00Z"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        desk.at(NOW + DAY, &["retire", "second"]).refused(),
        "still_needed"
    );
    assert_eq!(desk.text(), before);

    // A shorter lifetime makes it safe earlier; this one is the truth.
    let last = old_and_last(&clock, safe, &opens, &old);
    assert!(last);
    assert_eq!(
        desk.at(safe - 1, &["retire", "first"]).refused(),
        "still_needed"
    );
    desk.at(safe, &["retire", "first"]).good();
    assert_eq!(keys.reload().unwrap(), Reloaded::Replaced);
    assert_eq!(desk.status(safe), [row("second", "signs", None)]);
}

/// Whether a cookie of the old key is good a day before it is safe to drop the key, and over when it is.
fn old_and_last(clock: &Clock, safe: u64, opens: &impl Fn(&str) -> bool, old: &str) -> bool {
    clock.set(NOW + 31 * DAY - 60);
    let good = opens(old);
    clock.set(safe);
    good && !opens(old)
}

#[test]
fn s62_a_watcher_sees_what_the_command_writes() {
    let desk = Desk::new();
    runtime().block_on(async {
        let keys = Keys::from_file(desk.file()).unwrap();
        let watcher = keys.watch(Duration::from_secs(1));
        desk.run(&["add", "--id", "second"]).good();
        while watcher.replaced() == 0 {
            assert_eq!(watcher.failures(), 0);
            tokio::task::yield_now().await;
        }
        desk.run(&["promote"]).good();
        while watcher.replaced() == 1 {
            assert_eq!(watcher.failures(), 0);
            tokio::task::yield_now().await;
        }
        let now = std::time::SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap();
        // A second of its own, if both were made in one.
        let signs = &keys.usage_at(now.as_secs() + 2)[0];
        assert_eq!(
            (signs.id.as_str(), signs.state),
            ("second", cloakroom::KeyState::Signs)
        );
    });
}

#[test]
fn s62_a_key_can_be_promoted_ended_later_forced_out_and_revoked() {
    let desk = Desk::new();
    assert_eq!(desk.at(NOW, &["promote"]).code, 2, "none is waiting");
    assert_eq!(
        desk.at(NOW, &["promote", "first"]).refused(),
        "signs_already"
    );
    desk.at(NOW, &["add", "--id", "second", "--signs-in", "7d"])
        .good();
    let promoted = desk.at(NOW + 60, &["promote"]);
    assert!(promoted.good().starts_with("key `second` ("));
    let safe = NOW + 60 + 31 * DAY + READ;
    assert_eq!(
        desk.status(NOW + 60)[0],
        row("first", "verifies", Some(safe))
    );

    desk.at(NOW + 60, &["retire", "first", "--when-safe"])
        .good();
    let keys = Keys::from_file(desk.file()).unwrap();
    assert_eq!(keys.early_ends(Duration::from_secs(31 * DAY)), []);
    assert_eq!(desk.status(safe)[0], row("first", "ended", Some(safe)));
    desk.at(safe, &["retire", "first"]).good();

    // The only key there is cannot go.
    for how in ["--force", "--revoke"] {
        let before = desk.text();
        assert_eq!(
            desk.at(safe, &["retire", "second", how]).refused(),
            "keys_refused"
        );
        assert_eq!(desk.text(), before);
    }
    desk.at(
        safe,
        &[
            "add",
            "--id",
            "third",
            "--signs-from",
            "2026-12-24T00:00:00+00:00",
        ],
    )
    .good();
    desk.at(safe, &["retire", "second", "--revoke"]).good();
    assert_eq!(
        desk.status(safe),
        [row("second", "revoked", None), row("third", "signs", None)]
    );
    assert_eq!(desk.at(safe, &["promote", "second"]).refused(), "revoked");
    desk.at(safe, &["retire", "second", "--force"]).good();
    assert_eq!(desk.status(safe), [row("third", "signs", None)]);
    assert_eq!(desk.at(safe, &["retire", "second"]).code, 2);
}

#[test]
fn s62_what_servers_counted_is_told_and_contradicts_a_lifetime_that_is_too_short() {
    let desk = Desk::new();
    desk.at(NOW, &["add", "--id", "second"]).good();
    let path = desk.folder.path().join("usage.json");
    let later = NOW + READ + 3 * DAY;
    let usage = |last: u64| {
        format!(
            r#"[{{"id":"first","state":"verifies","verified":20,"last_verified":{last}}},
                {{"id":"second","state":"signs","verified":5,"last_verified":null}}]"#
        )
    };
    fs::write(&path, usage(later - 120)).unwrap();
    let path = path.to_str().unwrap();
    let shown = desk.at(later, &["status", "--usage", path, "--usage", path]);
    let line = shown
        .good()
        .lines()
        .find(|line| line.starts_with("first"))
        .unwrap()
        .to_owned();
    assert!(line.contains("40, last 2 minutes ago"), "{line}");

    // By a lifetime of two days the key could go, but it was used today.
    let two_days = ["retire", "first", "--lifetime", "2d"];
    let refused = desk.at(later, &[&two_days[..], &["--usage", path]].concat());
    assert_eq!(refused.refused(), "still_needed");
    assert!(
        refused
            .stderr
            .contains("sessions live longer than --lifetime says")
    );
    desk.at(later, &two_days).good();

    fs::write(path, "[{\"id\":1}]").unwrap();
    assert_eq!(desk.at(later, &["status", "--usage", path]).code, 2);
}

#[test]
fn ids_are_dates_unless_given_and_generate_without_a_file_is_keygen() {
    let desk = Desk::new();
    for id in ["2026-11-21", "2026-11-21-2"] {
        let outcome = desk.at(
            NOW,
            &[
                "add",
                "--signs-in",
                if id.len() > 10 { "20m" } else { "10m" },
                "--json",
            ],
        );
        assert_eq!(outcome.json()["id"], id);
    }
    let made = cloakroom(&["keys", "generate"], &[], b"");
    let alias = cloakroom(&["keygen"], &[], b"");
    assert_eq!((made.good().len(), alias.good().len()), (64, 64));
    let before = desk.text();
    let file = desk.file();
    let again = desk.run(&["generate", "--file", file.to_str().unwrap()]);
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("there is a file"), "{}", again.stderr);
    assert_eq!(desk.text(), before);
    assert_eq!(desk.run(&["status", "--file", "/no/such/file"]).code, 2);
    let nowhere = cloakroom(&["keys", "status"], &[], b"");
    assert_eq!(nowhere.code, 2);
    assert!(
        nowhere
            .stderr
            .starts_with("error: no key file: set KEY_FILE"),
        "{}",
        nowhere.stderr
    );
    assert_eq!(
        desk.run(&["add", "--id", "two words"]).refused(),
        "keys_refused"
    );
    assert_eq!(
        desk.run(&["add", "--id", "first"]).refused(),
        "keys_refused"
    );
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    #[test]
    fn s62_the_file_is_for_its_owner_and_links_to_it_stay() {
        let desk = Desk::new();
        let mode = |desk: &Desk| fs::metadata(desk.file()).unwrap().mode() & 0o777;
        assert_eq!(mode(&desk), 0o600);
        desk.run(&["add", "--id", "second"]).good();
        assert_eq!(mode(&desk), 0o600);
        // A group that reads it goes on reading it; nobody else does.
        fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o644)).unwrap();
        let link = desk.folder.path().join("link.json");
        symlink(desk.file(), &link).unwrap();
        let link_text = link.to_str().unwrap();
        cloakroom(
            &[
                "keys",
                "add",
                "--id",
                "third",
                "--signs-in",
                "1h",
                "--file",
                link_text,
            ],
            &[],
            b"",
        )
        .good();
        assert_eq!(mode(&desk), 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(Keys::from_file(&link).unwrap().usage_at(NOW).len(), 3);
        // Nothing else is left in the folder.
        assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn s62_a_command_that_is_killed_while_it_writes_leaves_the_old_file() {
        let desk = Desk::new();
        let before = desk.text();
        // The system ends a process that writes a byte more than it may.
        let killed = Command::new("sh")
            .args(["-c", "ulimit -f 0; exec \"$0\" keys add --id second"])
            .arg(env!("CARGO_BIN_EXE_cloakroom"))
            .env("KEY_FILE", desk.file())
            .output()
            .unwrap();
        assert_eq!(killed.status.code(), None, "{killed:?}");
        assert_eq!(desk.text(), before);
        assert!(Keys::from_file(desk.file()).is_ok());
        // What it left behind is in nobody's way.
        desk.run(&["add", "--id", "second"]).good();
        assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn s62_of_two_operators_at_once_none_undoes_the_other() {
        let desk = Desk::new();
        let file = desk.file();
        let run = |number: usize| {
            let (id, span) = (format!("key{number}"), format!("{}m", 10 + number));
            let environment = [("KEY_FILE", file.to_str().unwrap())];
            cloakroom(
                &["keys", "add", "--id", &id, "--signs-in", &span],
                &environment,
                b"",
            )
        };
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| scope.spawn(move || run(number)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let done = outcomes.iter().filter(|outcome| outcome.code == 0).count();
        for outcome in outcomes.iter().filter(|outcome| outcome.code != 0) {
            assert_eq!(outcome.refused(), "changed_meanwhile");
        }
        assert!(done > 0);
        assert_eq!(
            Keys::from_file(&file).unwrap().usage_at(NOW).len(),
            1 + done
        );
    }
}
