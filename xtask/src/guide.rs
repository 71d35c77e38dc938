//! The guide in `docs`: it builds, every link in it leads somewhere, every command in it names what is there. That its
//! snippets compile is for the `doctest` step, that the command line understands its commands for the tests of that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;
use crate::shell::{self, Failure, program};
use crate::tool::Tool;

/// Without its server, its search and what watches files, which compile longer than the rest.
const MDBOOK: Tool = Tool {
    name: "mdbook",
    version: "0.5.4",
    features: &["--no-default-features"],
};

/// Builds the guide and says where it is.
pub(crate) fn build() -> Result<(), Failure> {
    let folder = check_and_build()?;
    println!("   the guide is in {}", folder.join("index.html").display());
    Ok(())
}

/// Builds the guide and checks it.
pub(crate) fn check() -> Result<(), Failure> {
    check_and_build().map(drop)
}

fn check_and_build() -> Result<PathBuf, Failure> {
    let mdbook = MDBOOK.find_or_install()?;
    let folder = repository::target().join("guide");
    shell::run(
        program(mdbook, ["build", "--dest-dir"])
            .arg(&folder)
            .arg("docs")
            .env("MDBOOK_LOG", "warn"),
    )?;
    let pages = Pages::read(&folder)?;
    let mut wrong = pages.dead_links(&folder);
    let sources = repository::root().join("docs/src");
    for source in pages_in(&sources, "md")? {
        let (name, text) = (file_name(&source), read(&source)?);
        wrong.extend(missing_examples(&text).map(|what| format!("{name}: {what}")));
    }
    wrong.extend(untested_pages(&sources)?);
    if wrong.is_empty() {
        Ok(folder)
    } else {
        Err(Failure::new(wrong.join("; ")))
    }
}

/// The pages as a browser gets them, by their file's name.
struct Pages(BTreeMap<String, String>);

impl Pages {
    fn read(folder: &Path) -> Result<Self, Failure> {
        let texts = pages_in(folder, "html")?
            .into_iter()
            // All pages in one, and the table of contents alone.
            .filter(|page| !matches!(file_name(page).as_str(), "print.html" | "toc.html"))
            .map(|page| Ok((file_name(&page), read(&page)?)));
        texts.collect::<Result<_, _>>().map(Self)
    }

    /// Links to pages, places in pages and files that are not there.
    fn dead_links(&self, folder: &Path) -> Vec<String> {
        let ids: BTreeMap<&str, BTreeSet<&str>> = self
            .0
            .iter()
            .map(|(name, text)| (name.as_str(), values(text, " id=\"").collect()))
            .collect();
        let mut wrong = Vec::new();
        for (name, text) in &self.0 {
            if text.contains("{{#") {
                wrong.push(format!("{name} includes what could not be found"));
            }
            let links = values(text, " href=\"").chain(values(text, " src=\""));
            for link in links.filter(|link| !link.contains(':')) {
                let (page, place) = link.split_once('#').unwrap_or((link, ""));
                let page = if page.is_empty() { name } else { page };
                let there = match ids.get(page) {
                    Some(ids) => place.is_empty() || ids.contains(place),
                    None => folder.join(page).exists(),
                };
                if !there {
                    wrong.push(format!("{name} links to {link}, which does not exist"));
                }
            }
        }
        wrong
    }
}

/// The values of an attribute in all tags; code that is shown has no tags.
fn values<'a>(text: &'a str, attribute: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(attribute)
        .filter(|(start, _)| {
            let before = text[..*start].rfind(['<', '>']);
            before.is_some_and(|bracket| text[bracket..].starts_with('<'))
        })
        .filter_map(|(start, opening)| text[start + opening.len()..].split('"').next())
}

/// Examples that commands name and that are not there.
fn missing_examples(text: &str) -> impl Iterator<Item = String> {
    values_of_option(text, "cargo run --example ")
        .filter(|name| {
            let file = format!("examples/{name}.rs");
            !repository::root().join(file).is_file()
        })
        .map(|name| format!("there is no example `{name}`"))
}

fn values_of_option<'a>(text: &'a str, option: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(option).skip(1).filter_map(|rest| {
        rest.split(|c: char| c != '_' && !c.is_alphanumeric())
            .next()
    })
}

/// Pages whose snippets nobody compiles. A page that is nothing but another document has none.
fn untested_pages(sources: &Path) -> Result<Vec<String>, Failure> {
    let tests = read(&repository::root().join("examples/src/lib.rs"))?;
    let mut untested = Vec::new();
    for page in pages_in(sources, "md")? {
        let name = file_name(&page);
        let has_snippets = read(&page)?.contains("```rust");
        if has_snippets && !tests.contains(&format!("\"{name}\"")) {
            untested.push(format!(
                "{name} is not among the pages of examples/src/lib.rs"
            ));
        }
    }
    Ok(untested)
}

fn pages_in(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder)
        .map_err(|error| Failure::new(format!("{} can't be read: {error}", folder.display())))?;
    let files = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    Ok(files)
}

fn file_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::new(format!("{} can't be read: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_links(pages: &[(&str, &str)]) -> Vec<String> {
        let pages = pages
            .iter()
            .map(|(name, text)| ((*name).into(), (*text).into()));
        Pages(pages.collect()).dead_links(&repository::root().join("docs"))
    }

    #[test]
    fn links_lead_to_pages_places_and_files() {
        let start = r##"<a href="#one"></a><a href="more.html#two"></a><img src="book.toml"><a href="https://example.org/x#y">"##;
        let start = format!(r#"<h1 id="one">{start}"#);
        let more = r#"<h2 id="two">"#;
        assert!(dead_links(&[("start.html", &start), ("more.html", more)]).is_empty());
        assert_eq!(
            dead_links(&[("start.html", &start)]).len(),
            1,
            "no such page"
        );
        let moved = more.replace("two", "three");
        assert_eq!(
            dead_links(&[("start.html", &start), ("more.html", &moved)]).len(),
            1
        );
        let shown = r#"<code>&lt;a href="/account"></code>"#;
        assert!(
            dead_links(&[("shown.html", shown)]).is_empty(),
            "it is no link"
        );
        let lost = r#"<p>{{#include ../nothing.rs}}<img src="nothing.svg">"#;
        assert_eq!(dead_links(&[("lost.html", lost)]).len(), 2);
    }

    #[test]
    fn an_example_that_is_not_there_is_seen() {
        let text = "`cargo run --example counter`, then cargo run --example nothing_like_it\n";
        let missing: Vec<String> = missing_examples(text).collect();
        assert_eq!(missing, ["there is no example `nothing_like_it`"]);
    }
}
