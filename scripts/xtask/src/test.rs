//! Runs every test: the native ones first, then those that run the built Workers in the real local runtime.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use checkout::{Scratch, Workspace};

use crate::step::{cargo, execute, say};
use crate::{browser, build, setup, zoo};

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
    let native = [
        "--workspace",
        "--exclude",
        "e2e",
        "--exclude",
        "ui-tests",
        "--exclude",
        "xtask",
    ];
    let mut stages = vec![
        Stage::new("running the native tests", &native),
        Stage::new(
            "testing cargo xtask itself",
            &["--package", "xtask", "--bins"],
        ),
    ];
    if !arguments.native {
        stages.push(Stage::new(
            "running the tests in the real local runtime (wrangler dev)",
            &["--package", "e2e"],
        ));
        stages.push(Stage::new(
            "testing deployments with the real wrangler against a stand-in for Cloudflare's API",
            &["--package", "xtask", "--tests"],
        ));
        if !arguments.no_browser {
            stages.push(Stage::new(
                "driving the page of `tailrace ui` in a browser",
                &["--package", BROWSER_TESTS],
            ));
        }
    }
    if let Some(filter) = &arguments.filter {
        let mut found = Vec::new();
        for stage in stages {
            if stage.has(&workspace, filter)? {
                found.push(stage);
            }
        }
        if found.is_empty() {
            bail!("no test has a name that holds '{filter}'");
        }
        stages = found;
    }
    // Whatever the tests and what they start leave behind goes with this folder.
    let scratch = Scratch::new()?;
    let mut built = false;
    for stage in &stages {
        if stage.needs_workers() && !built {
            build::all(&workspace)?;
            built = true;
        }
        if stage.packages.contains(&"e2e") && zoo::is_needed(arguments.filter.as_deref()) {
            zoo::install(&workspace)?;
        }
        let mut tests = stage.cargo_test(&workspace);
        if stage.packages.contains(&BROWSER_TESTS) {
            tests.env("CHROME", browser::prepare(&workspace)?);
        }
        say(stage.title);
        execute(
            tests
                .env("TMPDIR", scratch.path())
                .args(arguments.filter.as_slice()),
        )?;
    }
    if arguments.no_browser && !arguments.native {
        say("every test has passed but those in a browser, which --no-browser leaves out");
    }
    Ok(())
}

/// Tests that run together.
struct Stage {
    title: &'static str,
    /// What `cargo test` is told of them.
    packages: Vec<&'static str>,
}

impl Stage {
    fn new(title: &'static str, packages: &[&'static str]) -> Self {
        Self {
            title,
            packages: packages.to_vec(),
        }
    }

    fn needs_workers(&self) -> bool {
        !self.packages.contains(&"--workspace") && !self.packages.contains(&"--bins")
    }

    fn cargo_test(&self, workspace: &Workspace) -> Command {
        let mut command = cargo();
        command
            .args(["test", "--locked"])
            .args(&self.packages)
            .current_dir(workspace.root());
        command
    }

    /// Returns whether any of its tests has a name that holds `filter`.
    fn has(&self, workspace: &Workspace, filter: &str) -> Result<bool> {
        let output = self
            .cargo_test(workspace)
            .args(["--quiet", filter, "--", "--list", "--format", "terse"])
            .stderr(Stdio::inherit())
            .output()
            .context("cargo did not start")?;
        if !output.status.success() {
            bail!("the tests do not compile");
        }
        let listed = String::from_utf8_lossy(&output.stdout);
        Ok(listed.lines().any(|line| line.ends_with(": test")))
    }
}
