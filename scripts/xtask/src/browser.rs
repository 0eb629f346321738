//! The needs of the browser tests: the packages that drive the browser, and a browser.

use std::path::PathBuf;

use anyhow::Result;
use checkout::Workspace;

use crate::step::say;

/// Installs the packages and finds the browser.
///
/// # Errors
/// Fails if either cannot be had, with the remedy.
pub(crate) fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.root().join(ui_tests::FOLDER);
    ui_tests::packages::install_packages(workspace, &folder, |text| say(text))?;
    ui_tests::browser::find_or_install(workspace, |text| say(text))
}
