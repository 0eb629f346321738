//! Packages from npm, installed as a lockfile pins them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use checkout::process;

/// Installs the packages of the lockfile in `folder`, unless they are there. Says so before, with `say`.
///
/// # Errors
/// Fails if there is no npm, or npm fails.
pub fn install(folder: &Path, say: impl FnOnce(&str)) -> Result<()> {
    let lockfile = folder.join("package-lock.json");
    let wanted = fs::read_to_string(&lockfile)
        .with_context(|| format!("{} cannot be read", lockfile.display()))?;
    let stamp = folder.join("node_modules/.tailrace-stamp");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    say(&format!("installing {} from npm", lockfile.display()));
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ])
    .current_dir(folder)
    .stdin(Stdio::null());
    let status = process::run(&mut npm).with_context(|| {
        "npm does not start\nhint: install Node.js 22 or newer with npm, or leave the browser out: \
         cargo xtask test --no-browser"
    })?;
    if !status.success() {
        bail!(
            "npm could not install {}; the lines above say why\n\
             hint: the other tests run without it: cargo xtask test --no-browser",
            lockfile.display()
        );
    }
    fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
}
