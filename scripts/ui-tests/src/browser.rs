//! The browser that is driven: what `CHROME` names, else a Chrome or Chromium that is installed, else, on Linux x64, the
//! one that npm has.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use checkout::{Workspace, process};

use crate::{FOLDER, packages};

/// Names under which a browser is installed, the first found wins.
const NAMES: [&str; 5] = [
    "google-chrome-stable",
    "google-chrome",
    "chromium",
    "chromium-browser",
    "chrome",
];

/// The places of browsers on macOS.
const APPLICATIONS: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

const REMEDY: &str = "hint: install Chrome or Chromium (Debian: apt-get install chromium; Fedora: dnf install chromium; \
    macOS: brew install --cask chromium), or name one: CHROME=/path/to/chrome; \
    the other tests run without it: cargo xtask test --no-browser";

/// Returns the browser that is named or installed; `None` where there is none.
///
/// # Errors
/// Fails if `CHROME` does not name a file.
pub fn find_installed() -> Result<Option<PathBuf>> {
    if let Some(named) = env::var_os("CHROME").filter(|name| !name.is_empty()) {
        let path = PathBuf::from(&named);
        if path.is_file() {
            return Ok(Some(path));
        }
        bail!(
            "CHROME names {}, which is not a file\n{REMEDY}",
            path.display()
        );
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&folders)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|path| path.is_file());
    let applications = || APPLICATIONS.map(PathBuf::from).into_iter();
    Ok(on_path.or_else(|| applications().find(|path| path.is_file())))
}

/// Returns a browser; installs npm's where there is no other and npm has one for this machine.
///
/// # Errors
/// Fails if there is none, with the remedy.
pub fn find_or_install(workspace: &Workspace, say: impl FnOnce(&str)) -> Result<PathBuf> {
    if let Some(found) = find_installed()? {
        return Ok(found);
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("there is no browser for the tests of the page\n{REMEDY}");
    }
    let folder = workspace.root().join(FOLDER).join("chromium");
    packages::install_packages(workspace, &folder, say)
        .and_then(|()| unpack(workspace, &folder))
        .with_context(|| format!("there is no browser for the tests of the page\n{REMEDY}"))
}

/// Unpacks npm's browser; returns its path.
fn unpack(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let mut node = workspace.command("node")?;
    let printed = process::capture(node.arg("path.mjs").current_dir(folder))?;
    let path = PathBuf::from(printed.stdout.trim());
    if !printed.status.success() || !path.is_file() {
        bail!(
            "npm's Chromium cannot be unpacked: {}",
            printed.stderr.trim()
        );
    }
    Ok(path)
}
