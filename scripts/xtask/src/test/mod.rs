//! Runs every test: the native ones first, then those that run the built Workers in the real local runtime.
//!
//! [`filter`] finds those whose name holds a text.

mod filter;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use checkout::Workspace;
use checkout::process::cargo;

use crate::programs::{self, Program, Tests};
use crate::step::{detail, execute, say};
use crate::{browser, build, setup, test_packages};

/// The folders whose tests want more than a compiler.
const HARNESS: &str = "scripts/harness";
const XTASK: &str = "scripts/xtask";
const BROWSER_TESTS: &str = ui_tests::FOLDER;

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
    let mut stages = vec![Stage::Native];
    if !arguments.native {
        stages.extend([Stage::Runtime, Stage::Xtask]);
        if !arguments.no_browser {
            stages.push(Stage::Browser);
        }
    }
    if let Some(filter) = &arguments.filter {
        stages.retain(|stage| stage.has_test(&workspace, filter));
        if stages.is_empty() {
            bail!("no test has a name that holds '{filter}'");
        }
    }
    say("compiling the tests");
    let Tests { programs, tool } = programs::compile_tests(&workspace)?;
    if stages.iter().any(|stage| *stage != Stage::Native) {
        build::all(&workspace)?;
    }
    for stage in stages {
        let chrome = stage.prepare(&workspace, arguments.filter.as_deref())?;
        say(stage.title());
        let started = Instant::now();
        for program in &programs {
            if Stage::of(&workspace, program) == stage {
                detail(program.title());
                execute(
                    program
                        .command()
                        .args(arguments.filter.as_slice())
                        .env(ui_tests::TOOL, &tool)
                        .envs(chrome.iter().map(|path| ("CHROME", path))),
                )?;
            }
        }
        if stage == Stage::Native {
            execute(
                cargo()
                    .args(["test", "--workspace", "--locked", "--doc"])
                    .args(arguments.filter.as_slice())
                    .current_dir(workspace.root()),
            )?;
        }
        say(format!("passed, in {} s", started.elapsed().as_secs()));
    }
    if arguments.no_browser && !arguments.native {
        say("every test has passed but those in a browser, which --no-browser leaves out");
    }
    Ok(())
}

/// Tests that run together, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Native,
    Runtime,
    /// The integration tests of xtask, which need built Workers.
    Xtask,
    Browser,
}

impl Stage {
    /// Returns the stage that runs a program.
    fn of(workspace: &Workspace, program: &Program) -> Self {
        let is_of = |folder: &str| program.is_of(&workspace.root().join(folder));
        if is_of(HARNESS) {
            Self::Runtime
        } else if is_of(BROWSER_TESTS) {
            Self::Browser
        } else if is_of(XTASK) && program.is_integration {
            Self::Xtask
        } else {
            Self::Native
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Native => "running the native tests",
            Self::Runtime => "running the tests in the real local runtime (wrangler dev)",
            Self::Xtask => {
                "testing cargo xtask: deployments to a stand-in for Cloudflare's API, signals, copies of the checkout"
            }
            Self::Browser => "driving the page of `tailrace ui` in a browser",
        }
    }

    /// Installs what its tests want; returns the browser, where they want one.
    fn prepare(self, workspace: &Workspace, filter: Option<&str>) -> Result<Option<PathBuf>> {
        match self {
            Self::Runtime => test_packages::install_needed(workspace, filter).map(|()| None),
            Self::Browser => browser::prepare(workspace).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns whether any of its tests may have a name that holds `filter`.
    fn has_test(self, workspace: &Workspace, filter: &str) -> bool {
        let folder = |name: &str| workspace.root().join(name);
        let tests_of_xtask = folder(XTASK).join("tests");
        let others = [
            folder(HARNESS),
            folder(BROWSER_TESTS),
            tests_of_xtask.clone(),
        ];
        match self {
            Self::Native => filter::finds_test(workspace.root(), &others, filter),
            Self::Runtime => filter::finds_test(&folder(HARNESS), &[], filter),
            Self::Xtask => filter::finds_test(&tests_of_xtask, &[], filter),
            Self::Browser => filter::finds_test(&folder(BROWSER_TESTS), &[], filter),
        }
    }
}
