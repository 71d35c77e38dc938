//! What can be had without a store: the SQL, completions and the manual.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]

mod support;

use support::cloakroom;

#[test]
fn the_schema_is_the_migration_of_the_library() {
    for database in ["sqlite", "postgres", "mysql"] {
        let path = format!(
            "{}/../cloakroom/migrations/{database}/0001_sessions.sql",
            env!("CARGO_MANIFEST_DIR")
        );
        let migration = std::fs::read_to_string(path).unwrap();
        let schema = cloakroom(&["schema", database], &[], b"");
        assert_eq!(schema.good(), migration.trim_end());
        let renamed = cloakroom(
            &["schema", database, "--table", "web_sessions", "--json"],
            &[],
            b"",
        );
        let sql = renamed.json()["sql"].as_str().unwrap().to_owned();
        let quote = if database == "mysql" { '`' } else { '"' };
        assert!(sql.contains(&format!("{quote}web_sessions{quote}")));
        assert!(sql.contains(&format!("{quote}web_sessions_expiry{quote}")));
        assert!(!sql.contains(&format!("{quote}sessions{quote}")));
        let refused = cloakroom(&["schema", database, "--table", "a\"; DROP"], &[], b"");
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    }
}

#[tokio::test]
async fn the_schema_makes_a_table_that_works() {
    use cloakroom::store::{Driver, SqliteStore};
    use sqlx::{Connection, Executor, SqliteConnection};

    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/app.db?mode=rwc", folder.path().display());
    let sql = cloakroom(&["schema", "sqlite", "--table", "mine"], &[], b"").stdout;
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    let store = SqliteStore::connect(&url)
        .await
        .unwrap()
        .table("mine")
        .unwrap();
    let hour = std::time::Duration::from_secs(3600);
    store.create("session:a", "1".into(), hour).await.unwrap();
    assert_eq!(store.load("session:a").await.unwrap().unwrap().value, "1");
}

#[test]
fn completions_and_manual_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = cloakroom(&["completions", shell], &[], b"");
        for word in ["revoke", "stats", "schema", "completions", "--reveal"] {
            let word = if shell == "fish" {
                word.trim_start_matches('-')
            } else {
                word
            };
            assert!(script.good().contains(word), "{shell} {word}");
        }
    }
    let page = cloakroom(&["man"], &[], b"");
    assert!(page.good().contains(".TH cloakroom 1"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("man1");
    cloakroom(&["man", "--to", path.to_str().unwrap()], &[], b"").good();
    for page in [
        "cloakroom",
        "cloakroom-sessions",
        "cloakroom-sessions-revoke",
        "cloakroom-schema",
        #[cfg(feature = "inspect")]
        "cloakroom-inspect",
    ] {
        let text = std::fs::read_to_string(path.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn a_reader_who_has_gone_is_no_reason_to_panic() {
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_cloakroom"))
        .args(["completions", "bash"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stderr.is_empty());
}
