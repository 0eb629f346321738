//! The loggers that one of the end-to-end tests runs, from npm, as the lockfile beside their Worker pins them.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use checkout::Workspace;

use crate::step::{execute, output, say};

/// The test that needs them.
const TEST: &str = "every_line_of_every_logger_is_read_right";
/// Their Worker's folder in a checkout.
const FOLDER: &str = "scripts/harness/workers/zoo";

/// Returns whether the tests whose name holds `filter` need the loggers.
pub(crate) fn is_needed(filter: Option<&str>) -> bool {
    filter.is_none_or(|filter| TEST.contains(filter))
}

/// Installs the loggers, unless those of the lockfile are there.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root().join(FOLDER);
    let lockfile = folder.join("package-lock.json");
    let wanted = fs::read_to_string(&lockfile)
        .with_context(|| format!("{} cannot be read", lockfile.display()))?;
    let stamp = folder.join("node_modules/.tailrace-stamp");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if output(Command::new("npm").arg("--version")).is_none() {
        bail!(
            "there is no npm, which installs the loggers that the test {TEST} runs\n\
             hint: install Node.js 20 or newer with npm, from https://nodejs.org or your system's packages"
        );
    }
    say("installing the loggers of the end-to-end tests from npm");
    execute(
        Command::new("npm")
            // They are bundled, never run by Node: none needs its install script.
            .args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
            ])
            .current_dir(&folder),
    )
    .with_context(|| {
        format!(
            "npm could not install {FOLDER}/package-lock.json; the lines above say why\n\
             hint: the other tests run without it: cargo xtask test --native"
        )
    })?;
    fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
}
