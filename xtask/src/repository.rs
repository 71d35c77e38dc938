//! Where things are.

use std::path::{Path, PathBuf};

/// The repository's folder.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The build folder: the one this tool itself was built in, so that nothing is built twice.
pub(crate) fn target() -> PathBuf {
    std::env::current_exe()
        .ok()
        .as_deref()
        .and_then(Path::parent)
        // Tests of this tool run from `debug/deps`.
        .map(|folder| {
            if folder.ends_with("deps") {
                folder.parent().unwrap_or(folder)
            } else {
                folder
            }
        })
        .and_then(Path::parent)
        .map_or_else(|| root().join("target"), Path::to_path_buf)
}

/// A program of this workspace, as the `build` step leaves it.
pub(crate) fn binary(name: &str) -> PathBuf {
    target()
        .join("debug")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace_and_the_target_holds_this_test() {
        assert!(root().join("Cargo.lock").is_file());
        assert!(std::env::current_exe().unwrap().starts_with(target()));
    }
}
