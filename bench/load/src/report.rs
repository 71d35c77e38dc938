//! `RESULTS.md` and the charts, all of it from `results.json`.

mod aims;
mod chart;
mod charts;
mod markdown;
mod numbers;
mod summary;
mod tables;

use std::fs;
use std::io;
use std::path::Path;

use crate::results::Results;

/// Writes the page and the charts into a folder.
pub(crate) fn write(results: &Results, folder: &Path) -> io::Result<()> {
    let charts = folder.join("charts");
    fs::create_dir_all(&charts)?;
    let drawn = charts::all(results);
    for (name, chart) in &drawn {
        fs::write(charts.join(format!("{name}.svg")), chart.svg())?;
    }
    let pictures: Vec<(&str, &str)> = drawn
        .iter()
        .map(|(name, chart)| (*name, chart.title.as_str()))
        .collect();
    fs::write(folder.join("RESULTS.md"), page(results, &pictures))
}

/// The page; `pictures` are the charts by name and title.
fn page(results: &Results, pictures: &[(&str, &str)]) -> String {
    let mut parts = vec![
        "# How fast it is\n".to_owned(),
        "<!-- Written by `cargo xtask bench` from results.json. -->\n".to_owned(),
        summary::sentences(results),
        aims::section(results),
    ];
    let pictures: Vec<String> = pictures
        .iter()
        .map(|(name, title)| format!("![{title}](charts/{name}.svg)\n"))
        .collect();
    parts.push(pictures.join("\n"));
    parts.extend(tables::sections(results));
    parts.push(METHOD.to_owned());
    parts.retain(|part| !part.trim().is_empty());
    parts.join("\n")
}

const METHOD: &str = "\
## How it was measured

[README.md](README.md) says what is compared, and how. In short: server and load on different cores, on 127.0.0.1; all subjects answer
the same requests, and every answer is checked, its number too; subjects take turns in another order each round, the bare framework
every few turns between them, and each figure is compared with the bare framework's before and after it. Figures are medians over the
rounds; ± is half the distance between the quartiles. Absolute times are this machine's; ratios and differences are what to look at.

Again on your machine: `cargo xtask bench`; a first look in a few minutes: `cargo xtask bench --quick`.
";

#[cfg(test)]
mod tests;
