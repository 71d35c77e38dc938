//! What the documents tell people to type is understood.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

use crate::Arguments;

/// The commands in the lines of consoles, each up to where another program or a file begins.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("$ "));
    lines
        .flat_map(|line| line.split("$(").flat_map(|part| part.split(['|', ';'])))
        .map(|part| part.split(['<', '>', ')', '#']).next().unwrap_or(part))
        .map(str::trim)
        .filter(|command| command.starts_with("cloakroom "))
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    [root.clone(), root.join("docs/src")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == "md"))
        .collect()
}

#[test]
fn every_command_in_the_documents_is_understood() {
    let mut count = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for command in commands(&text) {
            if let Err(error) = Arguments::try_parse_from(command.split_whitespace()) {
                panic!("{}: `{command}`: {error}", document.display());
            }
            count += 1;
        }
    }
    assert!(count >= 20, "{count} commands: where are the documents?");
}

#[test]
fn commands_are_found_behind_prompts_in_pipes_and_in_substitutions() {
    let text = "\
$ cloakroom keygen > key
$ export SECRET_KEY=$(cloakroom keygen)
$ echo '{}' | cloakroom cookie sign > cookie
$ cloakroom cookie decode < cookie        # no key needed
the cloakroom cookie";
    let found: Vec<&str> = commands(text).collect();
    assert_eq!(
        found,
        [
            "cloakroom keygen",
            "cloakroom keygen",
            "cloakroom cookie sign",
            "cloakroom cookie decode"
        ]
    );
}
