//! wrangler and what it needs, from npm, as `wrangler/package-lock.json` pins it.

use anyhow::{Result, bail};
use checkout::Workspace;
use checkout::npm::{Packages, Scripts};

use crate::step::{output, say};

/// Reads what is wanted.
pub(super) fn read_packages(workspace: &Workspace) -> Result<Packages> {
    Packages::read(workspace, &workspace.wrangler_dir(), Scripts::Run)
}

/// Installs `packages`, unless they are there.
pub(super) fn install_packages(workspace: &Workspace, packages: &Packages) -> Result<()> {
    packages.install(
        |text| say(text),
        || {
            for program in ["node", "wrangler"] {
                if output(workspace.command(program)?.arg("--version")).is_none() {
                    bail!(
                        "npm has installed the packages, but {program} does not run\n\
                         hint: their install scripts may have been left out; try `npm rebuild` in wrangler/"
                    );
                }
            }
            Ok(())
        },
    )
}
