//! The documents may not promise what is not there: tests they name exist, files they link to exist, and each statement
//! about security names its test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;
use crate::shell::Failure;

/// Checks every Markdown file in the repository's top folder and in the guide.
pub(crate) fn check() -> Result<(), Failure> {
    let root = repository::root();
    let tests = test_names(root);
    let mut wrong = Vec::new();
    let guide = files(&root.join("docs/src"), "md", true);
    for document in files(root, "md", false).into_iter().chain(guide) {
        let text = read(&document)?;
        let folder = document.parent().unwrap_or(root);
        let name = document.strip_prefix(root).unwrap_or(&document).display();
        wrong.extend(
            named_tests(&text)
                .filter(|test| !tests.contains(*test))
                .map(|test| format!("{name} names the test `{test}`, which does not exist")),
        );
        wrong.extend(
            linked_files(&text)
                .filter(|link| !folder.join(link).exists())
                .map(|link| format!("{name} links to {link}, which does not exist")),
        );
        wrong.extend(
            named_paths(&text)
                .filter(|path| !root.join(path).exists())
                .map(|path| format!("{name} names {path}, which does not exist")),
        );
    }
    wrong.extend(security_rows(&read(&root.join("SECURITY.md"))?));
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(wrong.join("; ")))
    }
}

/// Code spans that look like a test's name, which is a sentence: lower case with three gaps or more.
fn named_tests(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|span| {
        span.matches('_').count() >= 3
            && span
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    })
}

/// The folders that documents name files in.
const FOLDERS: [&str; 9] = [
    "bench/",
    "counts/",
    "crates/",
    "docs/",
    "examples/",
    "fuzz/",
    "interop/",
    "servers/",
    "xtask/",
];

/// Code spans that are paths in the repository.
fn named_paths(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|span| {
        FOLDERS.iter().any(|folder| span.starts_with(folder))
            && span
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
    })
}

/// How many statements about security there are: S01 to this one.
const STATEMENTS: usize = 67;

/// What is wrong with the tables of `SECURITY.md`: every statement has one row, and every row of theirs and of the
/// advisories' names a test or says why it does not apply.
fn security_rows(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    for number in 1..=STATEMENTS {
        let id = format!("S{number:02}");
        let count = rows.iter().filter(|row| row[0] == id).count();
        if count != 1 {
            wrong.push(format!("SECURITY.md has {count} rows for {id}"));
        }
    }
    let is_advisory = |name: &str| {
        let kinds = ["CVE-", "GO-", "RUSTSEC-", "Laravel ", "tower-sessions "];
        kinds.iter().any(|kind| name.starts_with(kind))
    };
    let is_statement =
        |name: &str| name.len() == 3 && name.starts_with('S') && name[1..].parse::<usize>().is_ok();
    for row in &rows {
        let shown = row.last().copied().unwrap_or_default();
        let answered = named_tests(shown).next().is_some() || shown.starts_with("Does not apply");
        if (is_statement(row[0]) || is_advisory(row[0])) && !answered {
            wrong.push(format!(
                "SECURITY.md shows no test for {}, nor why it does not apply",
                row[0]
            ));
        }
    }
    wrong
}

/// The targets of Markdown links inside the repository.
fn linked_files(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|link| !link.is_empty() && !link.contains(':'))
}

/// The name of every function in a Rust or Python test file.
fn test_names(root: &Path) -> BTreeSet<String> {
    ["crates", "examples", "interop"]
        .iter()
        .flat_map(|folder| {
            let folder = root.join(folder);
            files(&folder, "rs", true)
                .into_iter()
                .chain(files(&folder, "py", true))
        })
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|text| {
            text.lines()
                .filter_map(|line| {
                    let line = line.trim_start().trim_start_matches("async ");
                    let name = line.strip_prefix("fn ").or(line.strip_prefix("def "))?;
                    Some(name.split('(').next()?.to_owned())
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Files with this extension, in the folder alone or in all below it too.
fn files(folder: &Path, extension: &str, below: bool) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() && below {
            found.extend(files(&path, extension, below));
        } else if path.is_file() && path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::new(format!("{} can't be read: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_recognised_by_being_sentences() {
        let text = "| `s7_a_bad_payload` | `p6_`, `session`, `get_all`, `SESSION_COOKIE_SAME_SITE`, `test_p1_same_bytes` |";
        assert_eq!(
            named_tests(text).collect::<Vec<_>>(),
            ["s7_a_bad_payload", "test_p1_same_bytes"]
        );
    }

    #[test]
    fn a_row_without_a_test_or_a_reason_is_seen() {
        let mut text = String::new();
        for number in 1..=STATEMENTS {
            text.push_str(
                &[
                    "| S",
                    &format!("{number:02}"),
                    " | what | `s01_a_test_of_it` |\n",
                ]
                .concat(),
            );
        }
        assert!(security_rows(&text).is_empty());
        assert_eq!(security_rows(&text.replace("| S20 ", "| S21 ")).len(), 2);
        let bare = text.replacen("`s01_a_test_of_it`", "it is so", 1);
        assert_eq!(security_rows(&bare).len(), 1);
        let exempt = text.replacen("`s01_a_test_of_it`", "Does not apply: no.", 1);
        assert!(security_rows(&exempt).is_empty());
        let advisory = text + "| CVE-2020-1 | what | see above |\n";
        assert_eq!(security_rows(&advisory).len(), 1);
    }

    #[test]
    fn paths_are_recognised_by_their_folder() {
        let text =
            "`docs/src`, `examples/no_such_thing.rs`, `src/main.rs`, `examples/*.rs`, `GET /docs/`";
        let named: Vec<&str> = named_paths(text).collect();
        assert_eq!(named, ["docs/src", "examples/no_such_thing.rs"]);
    }

    #[test]
    fn links_out_of_the_repository_are_left_alone() {
        let text =
            "[a](README.md) [b](https://example.org/x) [c](SECURITY.md#reporting) [d](#here)";
        assert_eq!(
            linked_files(text).collect::<Vec<_>>(),
            ["README.md", "SECURITY.md"]
        );
    }
}
