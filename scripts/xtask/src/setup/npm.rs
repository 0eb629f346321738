//! wrangler and what it needs, from npm, as `wrangler/package-lock.json` pins it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use checkout::{Fingerprint, Workspace};

use crate::step::{execute, output, say};

/// The npm packages of a checkout.
pub(super) struct Packages<'a> {
    workspace: &'a Workspace,
    wanted: String,
}

impl<'a> Packages<'a> {
    /// Reads what is wanted.
    pub(super) fn read(workspace: &'a Workspace) -> Result<Self> {
        let mut wanted = Fingerprint::new(workspace.root());
        for name in ["package.json", "package-lock.json"] {
            wanted.add_path(&workspace.wrangler_dir().join(name))?;
        }
        Ok(Self {
            workspace,
            wanted: wanted.finish(),
        })
    }

    /// Returns whether they have been installed.
    pub(super) fn are_installed(&self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|found| found == self.wanted)
    }

    /// Installs them, unless they are there.
    pub(super) fn install(&self) -> Result<()> {
        if self.are_installed() {
            return Ok(());
        }
        say("installing wrangler from npm");
        execute(
            Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
                .current_dir(self.workspace.wrangler_dir()),
        )
        .context("npm could not install wrangler/package-lock.json; the lines above say why")?;
        for program in ["node", "wrangler"] {
            if output(self.workspace.command(program)?.arg("--version")).is_none() {
                bail!(
                    "npm has installed the packages, but {program} does not run\n\
                     hint: their install scripts may have been left out; try `npm rebuild` in wrangler/"
                );
            }
        }
        let stamp = self.stamp();
        fs::write(&stamp, &self.wanted)
            .with_context(|| format!("{} cannot be written", stamp.display()))
    }

    fn stamp(&self) -> PathBuf {
        self.workspace
            .wrangler_dir()
            .join("node_modules/.tailrace-stamp")
    }
}
