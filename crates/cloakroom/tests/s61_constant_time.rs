//! What could be guessed bit by bit is compared in constant time. A test can't measure that reliably, so this one
//! reads the code.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::{fs, path::Path};

/// The lines of a file's code that compare something with `==`, `!=`, `eq` or a pattern of secrets' names.
fn comparisons(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let source = fs::read_to_string(path).unwrap();
    let code = source.split("#[cfg(test)]").next().unwrap();
    let compares = |line: &&str| {
        let line = line.trim_start();
        !line.starts_with("//")
            && ["==", "!=", ".eq(", ".ne(", ".cmp("]
                .iter()
                .any(|sign| line.contains(sign))
    };
    code.lines()
        .filter(compares)
        .map(|line| line.trim().to_owned())
        .collect()
}

fn source(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap()
}

/// Fails if the session's value and the token's are compared as text.
#[test]
fn s61_the_token_of_a_form_is_compared_in_constant_time() {
    assert_eq!(comparisons("csrf_token/mod.rs"), Vec::<String>::new());
    assert_eq!(source("csrf_token/mod.rs").matches(".ct_eq(").count(), 1);
}

/// Fails if the digest is made anew and compared as text.
#[test]
fn s61_the_remembered_login_is_compared_in_constant_time() {
    // The length is no secret.
    assert_eq!(
        comparisons("flask_login/remember_token.rs"),
        ["if digits.len() != DIGITS {"]
    );
    // The signer's comparison is the hmac crate's.
    assert_eq!(
        source("flask_login/remember_token.rs")
            .matches(".unsign_with_key(")
            .count(),
        1
    );
}
