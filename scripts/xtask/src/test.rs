//! Runs every test: the native ones first, then those that run the built Workers in the real local runtime.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use checkout::Workspace;
use checkout::process::cargo;

use crate::step::{execute, say};
use crate::{browser, build, setup, test_packages};

/// The tests that drive a browser.
const BROWSER_TESTS: &str = "ui-tests";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the native tests: nothing is compiled to Wasm
    #[arg(long)]
    native: bool,
    /// Leave out the tests that drive the page of `tailrace ui` in a browser
    #[arg(long)]
    no_browser: bool,
    /// Only tests whose name holds this
    filter: Option<String>,
}

/// `cargo xtask test`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    setup::run_in(&workspace)?;
    // xtask's integration tests deploy built Workers (to a stand-in), so they come later.
    let mut stages = vec![
        Stage {
            title: "running the native tests",
            packages: &[
                "--workspace",
                "--exclude",
                "harness",
                "--exclude",
                "ui-tests",
                "--exclude",
                "xtask",
            ],
            folder: "",
            other_folders: &["scripts/harness", "scripts/ui-tests", "scripts/xtask"],
        },
        Stage {
            title: "testing cargo xtask itself",
            packages: &["--package", "xtask", "--bins"],
            folder: "scripts/xtask/src",
            other_folders: &[],
        },
    ];
    if !arguments.native {
        stages.push(Stage {
            title: "running the tests in the real local runtime (wrangler dev)",
            packages: &["--package", "harness"],
            folder: "scripts/harness",
            other_folders: &[],
        });
        stages.push(Stage {
            title: "testing cargo xtask: deployments to a stand-in for Cloudflare's API, signals, copies of the checkout",
            packages: &["--package", "xtask", "--tests"],
            folder: "scripts/xtask/tests",
            other_folders: &[],
        });
        if !arguments.no_browser {
            stages.push(Stage {
                title: "driving the page of `tailrace ui` in a browser",
                packages: &["--package", BROWSER_TESTS],
                folder: "scripts/ui-tests",
                other_folders: &[],
            });
        }
    }
    if let Some(filter) = &arguments.filter {
        stages.retain(|stage| stage.has(&workspace, filter));
        if stages.is_empty() {
            bail!("no test has a name that holds '{filter}'");
        }
    }
    let mut built = false;
    for stage in &stages {
        if stage.needs_workers() && !built {
            build::all(&workspace)?;
            built = true;
        }
        if stage.packages.contains(&"harness") {
            test_packages::install(&workspace, arguments.filter.as_deref())?;
        }
        let mut tests = stage.cargo_test(&workspace);
        if stage.packages.contains(&BROWSER_TESTS) {
            tests.env("CHROME", browser::prepare(&workspace)?);
        }
        say(stage.title);
        execute(tests.args(arguments.filter.as_slice()))?;
    }
    if arguments.no_browser && !arguments.native {
        say("every test has passed but those in a browser, which --no-browser leaves out");
    }
    Ok(())
}

/// Tests that run together.
struct Stage {
    title: &'static str,
    /// Arguments of `cargo test` about them.
    packages: &'static [&'static str],
    /// Where they are.
    folder: &'static str,
    /// Folders below it with tests of other stages.
    other_folders: &'static [&'static str],
}

impl Stage {
    fn needs_workers(&self) -> bool {
        !self.packages.contains(&"--workspace") && !self.packages.contains(&"--bins")
    }

    fn cargo_test(&self, workspace: &Workspace) -> Command {
        let mut command = cargo();
        command
            .args(["test", "--locked"])
            .args(self.packages)
            .current_dir(workspace.root());
        command
    }

    /// Returns whether any of its tests may have a name that holds `filter`. Their sources say so: to ask cargo would
    /// compile all of them, for one.
    fn has(&self, workspace: &Workspace, filter: &str) -> bool {
        // Of a name such as `tests::a_record_is_kept` the source has the last part.
        let name = filter.rsplit("::").next().unwrap_or(filter);
        let root = workspace.root();
        let others: Vec<PathBuf> = self.other_folders.iter().map(|it| root.join(it)).collect();
        names_function(&root.join(self.folder), name, &others)
    }
}

/// Returns whether a Rust file below `folder`, but not below `others`, has a function or is a module whose name holds
/// `name`.
fn names_function(folder: &Path, name: &str, others: &[PathBuf]) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| {
        let path = entry.path();
        let file = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_made = file.starts_with('.')
                || matches!(file.as_str(), "target" | "build" | "node_modules");
            return !is_made && !others.contains(&path) && names_function(&path, name, others);
        }
        let Some(module) = file.strip_suffix(".rs") else {
            return false;
        };
        module.contains(name) || fs::read_to_string(&path).is_ok_and(|it| defines(&it, name))
    })
}

/// Returns whether `text` has a function whose name holds `name`.
fn defines(text: &str, name: &str) -> bool {
    text.split("fn ").skip(1).any(|rest| {
        let end = rest.find(['(', '<']).unwrap_or(rest.len());
        rest.get(..end).is_some_and(|found| found.contains(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_chooses_the_stages_by_their_sources() {
        let workspace = Workspace::find().unwrap();
        let here = Stage {
            title: "",
            packages: &[],
            folder: "scripts/xtask/src",
            other_folders: &[],
        };
        for filter in ["a_filter_chooses", "tests::a_filter_chooses", "the_stages"] {
            assert!(here.has(&workspace, filter), "{filter}");
        }
        // Said here, but not a function's name.
        assert!(!here.has(&workspace, "no_such_test_is_here"));
    }
}
