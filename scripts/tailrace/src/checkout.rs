//! The checkout that the tool is used in, if it is used in one.

use std::path::PathBuf;

/// A file that only a checkout of Tailrace has.
const MARK: &str = "wrangler/tail-ingest.toml";

/// Returns the root of the checkout: the nearest folder from the current one upwards that is one.
#[must_use]
pub fn find() -> Option<PathBuf> {
    let current = std::env::current_dir().ok()?;
    current
        .ancestors()
        .find(|folder| folder.join(MARK).is_file())
        .map(PathBuf::from)
}
