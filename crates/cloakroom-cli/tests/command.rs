//! What an operator relies on: exit codes, which stream says what, where keys and cookies come from.

mod support;

use support::{KEY, Outcome, TemporaryFile, cloakroom, vectors};

const GOOD_KEY: &str = "b41fe0a7d2c95386b41fe0a7d2c95386";

fn with_key(arguments: &[&str], input: &str) -> Outcome {
    cloakroom(arguments, &[("SECRET_KEY", GOOD_KEY)], input.as_bytes())
}

/// A cookie signed at the second 1700000000.
fn signed(json: &str) -> String {
    with_key(&["cookie", "sign", "--now", "1700000000"], json)
        .good()
        .to_owned()
}

#[test]
fn keygen_makes_64_hexadecimal_digits_and_never_the_same_twice() {
    let keys: Vec<String> = (0..2)
        .map(|_| cloakroom(&["keygen"], &[], b"").good().to_owned())
        .collect();
    assert_ne!(keys[0], keys[1]);
    for key in &keys {
        assert_eq!(key.len(), 64);
        assert!(
            key.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        );
    }
    let json = cloakroom(&["keygen", "--json"], &[], b"").json();
    assert_eq!(json["key"].as_str().unwrap().len(), 64);
}

#[test]
fn a_key_made_by_keygen_is_accepted_without_a_warning() {
    let key = cloakroom(&["keygen"], &[], b"").good().to_owned();
    let outcome = cloakroom(&["cookie", "sign"], &[("SECRET_KEY", &key)], b"{}");
    outcome.good();
    assert_eq!(outcome.stderr, "");
}

#[test]
fn verify_prints_the_session_first_and_the_rest_on_standard_error() {
    let cookie = signed(r#"{"visits":3,"username":"alice"}"#);
    let arguments = ["cookie", "verify", "--now", "1700273600", &cookie];
    let outcome = with_key(&arguments, "");
    assert_eq!(outcome.good(), r#"{"username":"alice","visits":3}"#);
    assert_eq!(
        outcome.stderr,
        "key: environment variable SECRET_KEY\nsigned: 2023-11-14T22:13:20Z (1700000000), 3 days 4 hours ago\n"
    );
}

#[test]
fn verify_says_which_fallback_matched() {
    let cookie = signed("{}");
    let environment = [
        ("NEW", "a new key that is long enough"),
        ("OLDEST", "another key that is long enough"),
        ("OLD", GOOD_KEY),
    ];
    let keys = [
        "--secret-env",
        "NEW",
        "--fallback-env",
        "OLDEST",
        "--fallback-env",
        "OLD",
    ];
    let arguments = [&["cookie", "verify"], &keys[..], &[&cookie]].concat();
    let outcome = cloakroom(&arguments, &environment, b"");
    outcome.good();
    assert!(
        outcome
            .stderr
            .starts_with("key: environment variable OLD (fallback)\n"),
        "{}",
        outcome.stderr
    );
    let json = cloakroom(&[&arguments[..], &["--json"]].concat(), &environment, b"").json();
    assert_eq!(json["key"], "environment variable OLD");
    assert_eq!(json["key_index"], 1);
}

#[test]
fn a_cookie_comes_from_the_argument_or_standard_input() {
    let cookie = signed(r#"{"a":1}"#);
    for arguments in [
        &["cookie", "verify", &cookie][..],
        &["cookie", "verify"],
        &["cookie", "verify", "-"],
    ] {
        assert_eq!(
            with_key(arguments, &format!("{cookie}\n")).good(),
            r#"{"a":1}"#
        );
    }
}

#[test]
fn a_key_comes_from_a_file_without_its_line_end() {
    let cookie = signed(r#"{"a":1}"#);
    for line_end in ["", "\n", "\r\n"] {
        let file = TemporaryFile::with(format!("{GOOD_KEY}{line_end}").as_bytes());
        let arguments = ["cookie", "verify", "--secret-file", &file.path(), &cookie];
        assert_eq!(cloakroom(&arguments, &[], b"").good(), r#"{"a":1}"#);
    }
}

#[test]
fn a_weak_key_still_verifies_but_is_warned_about() {
    let row = &vectors("flask_cookie", "dumps")[1];
    let arguments = ["cookie", "verify", row["cookie"].as_str().unwrap()];
    let outcome = cloakroom(&arguments, &[("SECRET_KEY", KEY)], b"");
    outcome.good();
    assert!(
        outcome
            .stderr
            .starts_with("warning: environment variable SECRET_KEY: "),
        "{}",
        outcome.stderr
    );
}

#[test]
fn the_age_is_judged_only_when_a_limit_is_given() {
    let cookie = signed("{}");
    let verify = |more: &[&str]| with_key(&[&["cookie", "verify", &cookie], more].concat(), "");
    assert_eq!(verify(&["--now", "1800000000"]).good(), "{}");
    assert_eq!(verify(&["--now", "1600000000"]).good(), "{}");
    assert_eq!(
        verify(&["--now", "1700000060", "--max-age", "60"]).good(),
        "{}"
    );
    let too_old = verify(&["--now", "1700000061", "--max-age", "60"]);
    assert_eq!(too_old.refused(), "expired");
    assert!(
        too_old.stderr.contains("1 minute 1 second ago"),
        "{}",
        too_old.stderr
    );
    let early = verify(&["--now", "1699999999", "--max-age", "60"]);
    assert_eq!(early.refused(), "from_the_future");
}

#[test]
fn salt_and_digest_are_part_of_the_signature() {
    for options in [
        &["--digest", "sha1"][..],
        &["--digest", "sha256"],
        &["--digest", "sha384"],
        &["--digest", "sha512"],
        &["--salt", "password-reset"],
    ] {
        let sign = [&["cookie", "sign"], options].concat();
        let cookie = with_key(&sign, r#"{"a":1}"#).good().to_owned();
        let verify = [&["cookie", "verify", &cookie], options].concat();
        assert_eq!(with_key(&verify, "").good(), r#"{"a":1}"#);
        let plain = with_key(&["cookie", "verify", &cookie], "");
        if options[1] == "sha1" {
            plain.good();
        } else {
            assert_eq!(plain.refused(), "bad_signature");
        }
    }
}

#[test]
fn an_altered_cookie_is_refused_with_exit_code_1_also_in_json() {
    let cookie = signed(r#"{"a":1}"#).replace("eyJh", "eyJi");
    let outcome = with_key(&["cookie", "verify", &cookie], "");
    assert_eq!(outcome.refused(), "bad_signature");
    let json = with_key(&["--json", "cookie", "verify", &cookie], "");
    assert_eq!(json.code, 1);
    assert_eq!(json.json()["refused"]["code"], "bad_signature");
    assert!(json.stderr.starts_with("bad_signature: "));
}

#[test]
fn decode_needs_no_key_and_tells_all_there_is() {
    let cookie = signed(r#"{"ids":[1,"x"],"size":{" t":[640,480]},"username":"alice"}"#);
    let decoded = cloakroom(
        &["cookie", "decode", "--now", "1700000061", &cookie],
        &[],
        b"",
    );
    let lines: Vec<&str> = decoded.good().lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"ids":[1,"x"],"size":{" t":[640,480]},"username":"alice"}"#,
            "signed     2023-11-14T22:13:20Z (1700000000), 1 minute 1 second ago",
            &format!(
                "size       {} bytes; {} of the 4096 that browsers keep, with the name `session`",
                cookie.len(),
                cookie.len() + 7
            ),
            "payload    58 bytes of JSON, not compressed",
            "signature  27 characters, as many as with SHA-1; not checked, that takes the key",
            r#"entry      "ids": list of 2 (int, str), 13 bytes"#,
            r#"entry      "size": tuple of 2 (int), 23 bytes"#,
            r#"entry      "username": str, 18 bytes"#,
        ]
    );

    let json = cloakroom(&["cookie", "decode", "--json", &cookie], &[], b"").json();
    assert_eq!(json["session"]["username"], "alice");
    assert_eq!(json["signed_at"], 1_700_000_000);
    assert_eq!(json["compressed"], false);
    assert_eq!(json["signature_checked"], false);
    assert_eq!(json["entries"]["size"]["type"], "tuple of 2 (int)");
}

#[test]
fn decode_reads_compressed_cookies_and_names_the_hash() {
    let session = format!(r#"{{"text":"{}"}}"#, "abc".repeat(200));
    let sign = ["cookie", "sign", "--digest", "sha512"];
    let cookie = with_key(&sign, &session).good().to_owned();
    assert!(cookie.starts_with('.') && cookie.len() < 250);
    let decoded = cloakroom(&["cookie", "decode"], &[], cookie.as_bytes());
    assert!(decoded.good().starts_with(&session));
    assert!(
        decoded
            .stdout
            .contains("611 bytes of JSON, compressed with zlib"),
        "{}",
        decoded.stdout
    );
    assert!(
        decoded
            .stdout
            .contains("86 characters, as many as with SHA-512")
    );
}

#[test]
fn what_is_no_cookie_is_refused_by_decode() {
    for (cookie, code) in [
        ("garbage", "malformed"),
        ("", "malformed"),
        ("e30.ZVPxAA", "malformed"),
        ("e30.!.x", "malformed"),
        ("!!.ZVPxAA.x", "bad_payload"),
        ("ew.ZVPxAA.x", "bad_payload"),
        (".eJwx.ZVPxAA.x", "bad_payload"),
    ] {
        let outcome = cloakroom(&["cookie", "decode"], &[], cookie.as_bytes());
        assert_eq!(outcome.refused(), code, "{cookie}");
    }
}

#[test]
fn nothing_from_a_cookie_reaches_the_terminal_unescaped() {
    // Valid JSON may hold these as they are; a terminal would act on some of them.
    let cookie = signed("{\"\u{7f}\":\"\u{9b}31m\u{202e}\"}");
    let decoded = cloakroom(&["cookie", "decode", &cookie], &[], b"");
    assert!(
        decoded.good().is_ascii() && !decoded.stdout.contains('\u{7f}'),
        "{}",
        decoded.stdout
    );
}

#[test]
fn sign_refuses_what_is_no_session() {
    for input in ["", "{", "5", "[1]", "null", r#"{"a":{" t":5}}"#] {
        let outcome = with_key(&["cookie", "sign"], input);
        assert_eq!(outcome.refused(), "bad_payload", "{input}");
    }
    let not_text = cloakroom(&["cookie", "sign"], &[("SECRET_KEY", GOOD_KEY)], b"\xff");
    assert_eq!(not_text.refused(), "bad_text");
    let too_large = with_key(&["cookie", "sign"], &"x".repeat((1 << 20) + 1));
    assert_eq!(too_large.refused(), "too_large");
}

#[test]
fn sign_warns_about_a_cookie_that_browsers_drop() {
    // No two groups are alike, so compressing saves little.
    let noise: Vec<String> = (0..2000u32)
        .map(|number| format!("{:x}", number.wrapping_mul(2_654_435_761)))
        .collect();
    let noise = noise.concat();
    let outcome = with_key(&["cookie", "sign"], &format!(r#"{{"a":"{noise}"}}"#));
    let size = outcome.good().len() + "session".len();
    assert!(size > 4096);
    assert!(
        outcome.stderr.contains(&format!("{size} bytes")),
        "{}",
        outcome.stderr
    );
}

#[test]
fn json_keeps_numbers_of_any_size_and_says_when_the_session_is_not_plain_json() {
    let large = r#"{"n":123456789012345678901234567890}"#;
    let outcome = with_key(&["cookie", "verify", "--json", &signed(large)], "");
    assert!(
        outcome
            .good()
            .starts_with(&format!(r#"{{"session":{large},"#)),
        "{}",
        outcome.stdout
    );
    let outcome = with_key(&["cookie", "verify", "--json", &signed(r#"{"n":NaN}"#)], "").json();
    assert!(outcome["session"].is_null());
    assert_eq!(outcome["tagged_json"], r#"{"n":NaN}"#);
}

#[test]
fn wrong_use_is_exit_code_2_with_nothing_on_standard_output() {
    let cookie = signed("{}");
    for (arguments, environment) in [
        (&["cookie", "verify", &cookie][..], &[][..]),
        (&["cookie", "verify", &cookie], &[("SECRET_KEY", "")]),
        (
            &["cookie", "verify", "--secret-env", "NOT_SET", &cookie],
            &[],
        ),
        (
            &[
                "cookie",
                "verify",
                "--secret-file",
                "/no/such/file",
                &cookie,
            ],
            &[],
        ),
        (
            &["cookie", "verify", "--fallback-env", "NOT_SET", &cookie],
            &[("SECRET_KEY", GOOD_KEY)],
        ),
        (
            &[
                "cookie",
                "verify",
                "--secret-env",
                "A",
                "--secret-file",
                "B",
                &cookie,
            ],
            &[("A", GOOD_KEY)],
        ),
        (&["cookie", "verify", "--digest", "md5", &cookie], &[]),
        (&["cookie", "verify", "--max-age", "soon", &cookie], &[]),
        (&["cookie", "verify", "--secret", GOOD_KEY, &cookie], &[]),
        (&["cookie"], &[]),
        (&["ticket"], &[]),
        (&[], &[]),
    ] {
        let outcome = cloakroom(arguments, environment, b"");
        assert_eq!(outcome.code, 2, "{arguments:?}: {}", outcome.stdout);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        assert!(!outcome.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn p10_no_key_and_no_cookie_is_in_any_message() {
    let secret = "short-secret";
    let cookie = signed(r#"{"password":"hunter2"}"#);
    for arguments in [
        &["cookie", "verify", &cookie][..],
        &["cookie", "verify", "--digest", "sha512", &cookie],
        &["cookie", "sign"],
    ] {
        let outcome = cloakroom(arguments, &[("SECRET_KEY", secret)], b"[\"hunter2\"]");
        assert_eq!(outcome.code, 1);
        for private in [secret, "hunter2", &cookie, &cookie[..20]] {
            assert!(!outcome.stderr.contains(private), "{}", outcome.stderr);
        }
    }
}
