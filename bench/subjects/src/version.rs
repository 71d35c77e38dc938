/// The lock file that these programs are built with: by name, then by version.
const LOCK: &str = include_str!("../../Cargo.lock");

/// The newest version of a crate that is in it.
pub(crate) fn newest(krate: &str) -> &'static str {
    versions(krate).last().unwrap_or_default()
}

/// The oldest version of a crate that is in it.
pub(crate) fn oldest(krate: &str) -> &'static str {
    versions(krate).next().unwrap_or_default()
}

fn versions(krate: &str) -> impl Iterator<Item = &'static str> {
    let name = format!("name = \"{krate}\"");
    let mut lines = LOCK.lines();
    std::iter::from_fn(move || {
        lines.find(|line| *line == name)?;
        lines
            .next()?
            .strip_prefix("version = \"")?
            .strip_suffix('"')
    })
}
