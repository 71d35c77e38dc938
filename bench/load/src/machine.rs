//! What the run ran on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// `AMD EPYC`
pub(crate) fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':'))
        .map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

/// How many this process may use, whatever it is pinned to.
pub(crate) fn cores() -> usize {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .filter(|line| line.starts_with("processor"))
        .count()
}

/// Of what the subjects run on, as far as it says its version.
pub(crate) fn versions(python: Option<&Path>) -> BTreeMap<String, String> {
    let python = python.map(|path| path.to_string_lossy().into_owned());
    let mut asked = vec![
        ("Rust", "rustc".to_owned()),
        ("Redis", "redis-server".to_owned()),
    ];
    asked.push(("PostgreSQL", "postgres".to_owned()));
    asked.extend(python.map(|path| ("Python", path)));
    asked
        .into_iter()
        .filter_map(|(name, program)| {
            let mut command = Command::new(program);
            let output = command
                .arg("--version")
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .output();
            let text = String::from_utf8(output.ok()?.stdout).ok()?;
            Some((name.to_owned(), version(&text)?.to_owned()))
        })
        .collect()
}

/// The first word that looks like one: `Redis server v=7.0.15 sha=…`.
fn version(text: &str) -> Option<&str> {
    text.split_whitespace().find_map(|word| {
        let number = word.trim_start_matches("v=");
        let starts = number.starts_with(|first: char| first.is_ascii_digit());
        (starts && number.contains('.')).then_some(number)
    })
}

/// `2026-11-21`, in UTC.
pub(crate) fn today() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    date(since.as_secs() / 86_400)
}

/// Days since 1970-01-01, after Howard Hinnant's `civil_from_days`: years begin in March, so that leap days end them.
fn date(days: u64) -> String {
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + next_year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(19_783), "2024-03-01");
        assert_eq!(date(20_778), "2026-11-21");
    }

    #[test]
    fn versions_are_found_however_they_are_said() {
        assert_eq!(
            version("rustc 1.95.0 (f2d3ce0bd 2026-03-21)"),
            Some("1.95.0")
        );
        assert_eq!(
            version("Redis server v=7.0.15 sha=00000000:0"),
            Some("7.0.15")
        );
        assert_eq!(version("postgres (PostgreSQL) 15.8 (Debian)"), Some("15.8"));
        assert_eq!(version("Python 3.11.2"), Some("3.11.2"));
        assert_eq!(version("none"), None);
    }
}
