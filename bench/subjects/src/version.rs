/// The lock file that these programs are built with.
const LOCK: &str = include_str!("../../Cargo.lock");

/// The newest version of a crate in the lock file; empty if it is not there.
pub(crate) fn locked(krate: &str) -> &'static str {
    let name = format!("name = \"{krate}\"\nversion = \"");
    let last = LOCK.rsplit_once(name.as_str()).map(|(_, after)| after);
    last.and_then(|after| after.split('"').next())
        .unwrap_or_default()
}
