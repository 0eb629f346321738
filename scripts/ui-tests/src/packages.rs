//! Packages of the browser tests, from npm.

use std::path::Path;

use anyhow::{Context as _, Result};
use checkout::Workspace;
use checkout::npm::{Packages, Scripts};

/// Installs the packages of the lockfile in `folder`, unless they are there. Says so before, with `say`.
///
/// # Errors
/// Fails if there is no npm, or npm fails.
pub fn install_packages(
    workspace: &Workspace,
    folder: &Path,
    say: impl FnOnce(&str),
) -> Result<()> {
    Packages::read(workspace, folder, Scripts::Ignore)?
        .install(say, || Ok(()))
        .context(
            "the browser tests lack packages of npm\n\
             hint: the other tests run without them: cargo xtask test --no-browser",
        )
}
