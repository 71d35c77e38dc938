//! What the documents tell people to type is understood.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

use crate::Arguments;

/// The commands of this program that readers are told to type, each up to where another program or a file begins.
fn commands(text: &str) -> Vec<&str> {
    let mut shell = false;
    let mut typed = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) => shell = language == "sh",
            None if shell => typed.push(line),
            None => typed.extend(line.strip_prefix("$ ")),
        }
    }
    typed
        .into_iter()
        .flat_map(|line| line.split("$(").flat_map(|part| part.split(['|', ';'])))
        .map(|part| part.split(['<', '>', ')', '#']).next().unwrap_or(part))
        .map(str::trim)
        .filter(|command| command.starts_with("cloakroom "))
        .collect()
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
fn commands_are_found_behind_prompts_in_blocks_in_pipes_and_in_substitutions() {
    let text = "\
```console
$ cloakroom keygen > key
$ echo '{}' | cloakroom cookie sign > cookie
cloakroom is what it prints
```
the cloakroom cookie
```sh
cloakroom cookie decode < cookie        # no key needed
export SECRET_KEY=$(cloakroom keygen)
```
cloakroom nothing";
    assert_eq!(
        commands(text),
        [
            "cloakroom keygen",
            "cloakroom cookie sign",
            "cloakroom cookie decode",
            "cloakroom keygen"
        ]
    );
}
