//! The ways to start the tour that the documents name are ways to start it.

#![allow(missing_docs)]

use std::fs;
use std::path::Path;

use clap::Parser;
use tour::Settings;

#[test]
fn every_start_of_the_tour_in_the_documents_is_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut count = 0;
    for folder in [root.clone(), root.join("docs/src")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for rest in text.split("cargo run --release -- ").skip(1) {
                let arguments = rest.split(['`', '\n', '#', '&']).next().unwrap();
                let words = ["tour"].into_iter().chain(arguments.split_whitespace());
                if let Err(error) = Settings::try_parse_from(words) {
                    panic!("{}: {arguments}: {error}", path.display());
                }
                count += 1;
            }
        }
    }
    assert!(count >= 5, "{count} starts: where are the documents?");
}
