//! The browser of the browser test.

use crate::shell::{self, Failure, find};

/// Without a font of its own a page of the tour would be empty boxes.
const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "fonts-liberation"];

/// Installs Chromium and its driver unless both are there.
pub(crate) fn prepare() -> Result<(), Failure> {
    if !present() {
        shell::install_debian_packages(&PACKAGES, "the browser test")?;
    }
    if present() {
        Ok(())
    } else {
        Err(Failure::new(
            "the browser test needs `chromium` and `chromedriver` on the PATH, and the packages brought neither",
        ))
    }
}

fn present() -> bool {
    ["chromium", "chromedriver"]
        .into_iter()
        .all(|name| find(name).is_some())
}
