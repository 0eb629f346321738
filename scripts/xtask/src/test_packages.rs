//! Packages from npm that single end-to-end tests need, as the lockfiles of their folders pin them.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use checkout::Workspace;

use crate::step::{execute, output, say};

/// Packages, and the test that needs them.
struct Packages {
    test: &'static str,
    folder: &'static str,
    /// In words.
    content: &'static str,
}

const ALL: [Packages; 2] = [
    Packages {
        test: "every_line_of_every_logger_is_read_right",
        folder: "scripts/harness/workers/zoo",
        content: "the loggers",
    },
    Packages {
        test: "every_query_of_the_page_reads_the_archive",
        folder: "scripts/harness/duckdb",
        content: "DuckDB",
    },
];

/// Installs what the tests need whose name holds `filter`, unless it is there as the lockfiles have it.
pub(crate) fn install(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let is_needed = |packages: &&Packages| filter.is_none_or(|it| packages.test.contains(it));
    ALL.iter()
        .filter(is_needed)
        .try_for_each(|packages| packages.install(workspace))
}

impl Packages {
    fn install(&self, workspace: &Workspace) -> Result<()> {
        let folder = workspace.root().join(self.folder);
        let lockfile = folder.join("package-lock.json");
        let wanted = fs::read_to_string(&lockfile)
            .with_context(|| format!("{} cannot be read", lockfile.display()))?;
        let stamp = folder.join("node_modules/.tailrace-stamp");
        if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(());
        }
        if output(Command::new("npm").arg("--version")).is_none() {
            bail!(
                "there is no npm, which installs {} for the test {}\n\
             hint: install Node.js 20 or newer with npm, from https://nodejs.org or your system's packages",
                self.content,
                self.test
            );
        }
        say(format!(
            "installing {} of the end-to-end tests from npm",
            self.content
        ));
        execute(
            Command::new("npm")
                // None needs an install script: loggers are bundled and never run by Node, DuckDB comes compiled.
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
                "npm could not install {}/package-lock.json; the lines above say why\n\
             hint: the other tests run without it: cargo xtask test --native",
                self.folder
            )
        })?;
        fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
    }
}
