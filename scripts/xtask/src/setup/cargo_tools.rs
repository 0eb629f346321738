//! Programs that come from crates.io, compiled side by side from a lockfile in the checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use checkout::Workspace;
use checkout::process::cargo;
use toml_edit::DocumentMut;

use crate::step::{execute, output, say};

/// Programs that are installed together.
pub(super) struct Programs {
    /// The folder in the checkout with their lockfile.
    folder: &'static str,
    /// A package of the lockfile, and the program of it that is wanted.
    packages: [(&'static str, &'static str); 2],
}

/// The programs that compile the Workers.
pub(super) const BUILD_TOOLS: Programs = Programs {
    folder: "scripts/build-tools",
    packages: [
        ("worker-build", "worker-build"),
        ("wasm-bindgen-cli", "wasm-bindgen"),
    ],
};

/// The programs that check the dependencies.
pub(super) const CHECK_TOOLS: Programs = Programs {
    folder: "scripts/check-tools",
    packages: [
        ("cargo-deny", "cargo-deny"),
        ("cargo-machete", "cargo-machete"),
    ],
};

/// Such programs in a checkout.
pub(super) struct CargoTools<'a> {
    workspace: &'a Workspace,
    programs: Programs,
    /// As in the lockfile, in the order of the packages.
    versions: Vec<String>,
}

impl<'a> CargoTools<'a> {
    /// Reads which versions are wanted.
    pub(super) fn read(workspace: &'a Workspace, programs: Programs) -> Result<Self> {
        let lock = read_lock(&workspace.root().join(programs.folder))?;
        let versions = programs
            .packages
            .iter()
            .map(|(package, _)| locked(&lock, package))
            .collect::<Result<_>>()?;
        Ok(Self {
            workspace,
            programs,
            versions,
        })
    }

    /// Returns whether the wanted versions are there and run.
    pub(super) fn are_installed(&self) -> bool {
        self.programs
            .packages
            .iter()
            .zip(&self.versions)
            .all(|((_, program), wanted)| {
                output(Command::new(self.path(program)).arg("--version"))
                    .is_some_and(|found| found.ends_with(wanted.as_str()))
            })
    }

    /// Compiles them, unless they are there.
    pub(super) fn install(&self) -> Result<()> {
        if self.are_installed() {
            return Ok(());
        }
        let list: Vec<String> = self
            .programs
            .packages
            .iter()
            .zip(&self.versions)
            .map(|((_, program), version)| format!("{program} {version}"))
            .collect();
        say(format!(
            "compiling {} (about 2 minutes on two cores, once)",
            list.join(" and ")
        ));
        let tools = self.workspace.tools_dir();
        let folder = self.workspace.root().join(self.programs.folder);
        let target = tools.join("target");
        let mut command = cargo();
        command
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(folder.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target);
        for (package, program) in self.programs.packages {
            command.args(["--package", package, "--bin", program]);
        }
        execute(
            command
                .env_remove("RUSTFLAGS")
                .env_remove("CARGO_BUILD_TARGET"),
        )
        .with_context(|| {
            format!(
                "{} do not compile; the lines above say why",
                list.join(" and ")
            )
        })?;
        fs::create_dir_all(tools.join("bin"))
            .with_context(|| format!("{} cannot be made", tools.display()))?;
        for (_, program) in self.programs.packages {
            // Under another name first: a program that is killed while it is copied must not look installed.
            let copy = tools.join("bin").join(format!(".{program}"));
            fs::copy(target.join("release").join(program), &copy)
                .and_then(|_| fs::rename(&copy, self.path(program)))
                .with_context(|| format!("{program} cannot be installed"))?;
        }
        // Hundreds of megabytes that nothing needs again; if some stay, they only take room.
        let _ = fs::remove_dir_all(&target);
        Ok(())
    }

    fn path(&self, program: &str) -> PathBuf {
        self.workspace.tools_dir().join("bin").join(program)
    }
}

fn read_lock(folder: &Path) -> Result<DocumentMut> {
    let path = folder.join("Cargo.lock");
    fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read", path.display()))?
        .parse()
        .with_context(|| format!("{} is not TOML", path.display()))
}

/// Returns the version of `package` in a lockfile.
fn locked(lock: &DocumentMut, package: &str) -> Result<String> {
    let packages = lock
        .get("package")
        .and_then(|item| item.as_array_of_tables())
        .context("the lockfile names no packages")?;
    packages
        .iter()
        .find(|table| table.get("name").and_then(|name| name.as_str()) == Some(package))
        .and_then(|table| table.get("version")?.as_str())
        .map(str::to_owned)
        .with_context(|| format!("{package} is not in the lockfile"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasm_bindgen_is_of_the_version_that_the_workers_use() {
        let workspace = Workspace::find().unwrap();
        let tools = read_lock(&workspace.root().join(BUILD_TOOLS.folder)).unwrap();
        let workers = read_lock(workspace.root()).unwrap();
        assert_eq!(
            locked(&tools, "wasm-bindgen-cli").unwrap(),
            locked(&workers, "wasm-bindgen").unwrap(),
        );
    }
}
