//! Runs every test: the native ones first, then those that run the built Workers in the real local runtime.

use std::process::Command;

use anyhow::Result;
use e2e::Workspace;

use crate::step::{execute, say};
use crate::{build, setup};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the native tests: nothing is compiled to Wasm
    #[arg(long)]
    native: bool,
    /// Only tests whose name holds this
    filter: Option<String>,
}

/// `cargo xtask test`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    setup::run_in(&workspace)?;
    let cargo_test = |package: &[&str]| {
        let mut command = Command::new("cargo");
        command
            .arg("test")
            .args(package)
            .current_dir(workspace.root());
        command.args(arguments.filter.as_slice());
        command
    };
    say("running the native tests");
    // xtask's integration tests deploy built Workers (to a stand-in), so they come later.
    let native = ["--workspace", "--exclude", "e2e", "--exclude", "xtask"];
    execute(&mut cargo_test(&native))?;
    execute(&mut cargo_test(&["--package", "xtask", "--bins"]))?;
    if arguments.native {
        return Ok(());
    }
    build::all(&workspace)?;
    say("running the tests in the real local runtime (wrangler dev)");
    execute(&mut cargo_test(&["--package", "e2e"]))?;
    say("testing deployments with the real wrangler against a stand-in for Cloudflare's API");
    execute(&mut cargo_test(&["--package", "xtask", "--tests"]))
}
