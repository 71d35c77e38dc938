//! The cookies that real Flask made, through the command.
#![allow(clippy::unwrap_used, reason = "a test that finds nothing fails")]

mod support;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use serde_json::Value;
use support::{Outcome, TemporaryFile, cloakroom, vectors};

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}

/// Runs the command with the keys of a row.
fn run(command: &str, row: &Value, more: &[String], input: &str) -> Outcome {
    let mut arguments = vec!["cookie".to_owned(), command.to_owned()];
    let mut environment = Vec::new();
    let mut key_file = None;
    if let Some(key) = row["secret_key"].as_str() {
        arguments.extend(["--secret-env".to_owned(), "KEY".to_owned()]);
        environment.push(("KEY".to_owned(), key.to_owned()));
    } else {
        // Bytes that are no text, with a NUL among them, fit no environment variable.
        let file = TemporaryFile::with(&bytes(text(&row["secret_key"], "$bytes")));
        arguments.extend(["--secret-file".to_owned(), file.path()]);
        key_file = Some(file);
    }
    for (number, fallback) in row["fallbacks"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let name = format!("OLD_KEY_{number}");
        arguments.extend(["--fallback-env".to_owned(), name.clone()]);
        environment.push((name, fallback.as_str().unwrap().to_owned()));
    }
    arguments.extend_from_slice(more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let outcome = cloakroom(&arguments, &environment, input.as_bytes());
    drop(key_file);
    outcome
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|start| u8::from_str_radix(&hex[start..start + 2], 16).unwrap())
        .collect()
}

/// The tagged JSON in a cookie, unless it is compressed.
fn tagged_json(cookie: &str) -> Option<String> {
    let payload = cookie
        .split('.')
        .next()
        .filter(|payload| !payload.is_empty())?;
    Some(String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap())
}

/// Rows whose JSON an app wrote that had the escapes switched off; the command writes what Flask writes unless told.
fn is_usual(row: &Value) -> bool {
    row["json_ensure_ascii"] != false
}

#[test]
fn p1_sign_makes_the_cookie_that_flask_makes() {
    let mut compared = 0;
    for row in vectors("flask_cookie", "dumps")
        .iter()
        .filter(|row| is_usual(row))
    {
        let Some(json) = tagged_json(text(row, "cookie")) else {
            continue;
        };
        let now = ["--now".to_owned(), row["now"].to_string()];
        let signed = run("sign", row, &now, &json);
        assert_eq!(signed.good(), text(row, "cookie"), "{}", row["note"]);
        compared += 1;
    }
    assert!(compared >= 38, "only {compared} rows compared");
}

#[test]
fn p1_verify_gives_back_what_flask_stored() {
    for row in vectors("flask_cookie", "dumps")
        .iter()
        .filter(|row| is_usual(row))
    {
        let cookie = text(row, "cookie");
        let verified = run("verify", row, &[cookie.to_owned()], "");
        let session = verified.good();
        if let Some(json) = tagged_json(cookie) {
            assert_eq!(session, json, "{}", row["note"]);
        }
        // Signed again in the same second it is the cookie that Flask made, compressed or not: nothing was lost.
        let now = ["--now".to_owned(), row["now"].to_string()];
        assert_eq!(
            run("sign", row, &now, session).good(),
            cookie,
            "{}",
            row["note"]
        );
    }
}

#[test]
fn p1_verify_prints_ascii_even_where_the_app_did_not_write_it() {
    let rows = vectors("flask_cookie", "dumps");
    let row = rows.iter().find(|row| !is_usual(row)).unwrap();
    let verified = run("verify", row, &[text(row, "cookie").to_owned()], "");
    assert_eq!(verified.good(), r#"{"a":"\u00e9"}"#);
}

/// What Flask answers with an error page is a refusal here.
fn expected(row: &Value) -> Result<(), &'static str> {
    match text(row, "outcome") {
        "loaded" => Ok(()),
        "raises" => Err("bad_payload"),
        "empty" => Err(match text(row, "note") {
            "age above lifetime"
            | "non-permanent session also expires"
            | "short lifetime"
            | "lifetime is cut to whole seconds"
            | "zero lifetime, next second" => "expired",
            "signed one second in the future" => "from_the_future",
            _ => "bad_signature",
        }),
        other => panic!("{other}"),
    }
}

#[test]
fn p1_verify_opens_and_refuses_what_flask_does() {
    let (mut opened, mut refused) = (0, 0);
    for row in &vectors("flask_cookie", "loads") {
        // Rows without a cookie or a key have nothing to verify; one string as fallbacks can't be given to the command.
        let (Some(cookie), Some(key)) = (row["cookie"].as_str(), row["secret_key"].as_str()) else {
            continue;
        };
        if key.is_empty() || row["fallbacks"].is_string() {
            continue;
        }
        let lifetime = row["lifetime"].as_f64().unwrap().floor();
        let options = [
            "--now".to_owned(),
            row["now"].to_string(),
            "--max-age".to_owned(),
            format!("{lifetime}"),
            cookie.to_owned(),
        ];
        let outcome = run("verify", row, &options, "");
        match expected(row) {
            Ok(()) => {
                let again: Value = serde_json::from_str(outcome.good()).unwrap();
                let pairs = row["session"]["$dict"].as_array().unwrap();
                assert_eq!(
                    again.as_object().unwrap().len(),
                    pairs.len(),
                    "{}",
                    row["note"]
                );
                for pair in pairs {
                    assert_eq!(again[pair[0].as_str().unwrap()], pair[1], "{}", row["note"]);
                }
                opened += 1;
            }
            Err(code) => {
                assert_eq!(outcome.refused(), code, "{}", row["note"]);
                refused += 1;
            }
        }
    }
    assert!(
        opened >= 5 && refused >= 15,
        "{opened} opened, {refused} refused"
    );
}
