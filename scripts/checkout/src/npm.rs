//! Packages from npm, as the lockfile in their folder pins them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{Fingerprint, Workspace, process};

/// The scripts by which packages install themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    /// npm runs them.
    Run,
    /// npm leaves them out.
    Ignore,
}

/// The packages that a folder wants.
#[derive(Debug)]
pub struct Packages {
    folder: PathBuf,
    /// The lockfile's path inside the checkout.
    lockfile: String,
    scripts: Scripts,
    /// The fingerprint of the package and its lockfile.
    wanted: String,
}

impl Packages {
    /// Reads what `folder` wants.
    ///
    /// # Errors
    /// Fails if it has no lockfile.
    pub fn read(workspace: &Workspace, folder: &Path, scripts: Scripts) -> Result<Self> {
        let mut wanted = Fingerprint::new(workspace.root());
        for name in ["package.json", "package-lock.json"] {
            wanted.add_path(&folder.join(name))?;
        }
        let lockfile = folder.join("package-lock.json");
        let lockfile = lockfile.strip_prefix(workspace.root()).unwrap_or(&lockfile);
        Ok(Self {
            folder: folder.to_owned(),
            lockfile: lockfile.display().to_string(),
            scripts,
            wanted: wanted.finish(),
        })
    }

    /// Returns whether they have been installed.
    #[must_use]
    pub fn are_installed(&self) -> bool {
        fs::read_to_string(self.stamp_file()).is_ok_and(|found| found == self.wanted)
    }

    /// Installs them, unless they are there, and says so before. They count as installed once `check` has passed.
    ///
    /// # Errors
    /// Fails if npm cannot be started or fails, or `check` does.
    pub fn install(
        &self,
        say: impl FnOnce(&str),
        check: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        if self.are_installed() {
            return Ok(());
        }
        say(&format!("installing {} from npm", self.lockfile));
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&self.folder);
        if self.scripts == Scripts::Ignore {
            npm.arg("--ignore-scripts");
        }
        let status = process::run(&mut npm)?;
        if !status.success() {
            bail!(
                "npm could not install {} ({status}); the lines above say why",
                self.lockfile
            );
        }
        check()?;
        let stamp = self.stamp_file();
        fs::write(&stamp, &self.wanted)
            .with_context(|| format!("{} cannot be written", stamp.display()))
    }

    fn stamp_file(&self) -> PathBuf {
        self.folder.join("node_modules/.tailrace-stamp")
    }
}
