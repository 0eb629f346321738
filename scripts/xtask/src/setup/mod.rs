//! Installs what is missing: the Wasm target, the build tools into `.tools/`, the npm tools into
//! `wrangler/node_modules/`. Quick when nothing is.
//!
//! - [`prerequisites`]: what the machine must have, checked in one go;
//! - [`cargo_tools`]: worker-build and wasm-bindgen; for `.ci/run`, what checks the dependencies;
//! - [`npm`]: wrangler and its Node.

mod cargo_tools;
mod npm;
mod prerequisites;

use std::process::Command;
use std::thread;

use anyhow::{Result, bail};
use checkout::Workspace;

use self::cargo_tools::{BUILD_TOOLS, CHECK_TOOLS, CargoTools};
pub(crate) use self::prerequisites::WASM_TARGET;
use crate::step::{execute, say, take_turn};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also install what `.ci/run` checks the dependencies with: cargo-deny and cargo-machete
    #[arg(long)]
    checks: bool,
}

/// Installs what `workspace` lacks.
pub(crate) fn run_in(workspace: &Workspace) -> Result<()> {
    let packages = npm::read_packages(workspace)?;
    let tools = CargoTools::read(workspace, BUILD_TOOLS)?;
    let wanted = prerequisites::Wanted {
        npm: !packages.are_installed(),
        build_tools: !tools.are_installed(),
    };
    if prerequisites::check(wanted)? {
        say(format!("installing the Rust target {WASM_TARGET}"));
        execute(Command::new("rustup").args(["target", "add", WASM_TARGET]))?;
    }
    if !wanted.npm && !wanted.build_tools {
        return Ok(());
    }
    // Who waits here finds everything installed.
    let _turn = take_turn(workspace)?;
    // npm mostly waits for the network, cargo for the processor.
    thread::scope(|scope| {
        let npm = scope.spawn(|| npm::install_packages(workspace, &packages));
        let cargo = tools.install();
        match npm.join() {
            Ok(installed) => installed.and(cargo),
            Err(_) => bail!("installing the npm packages panicked"),
        }
    })
}

/// Runs `cargo xtask setup`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    run_in(&workspace)?;
    if arguments.checks {
        CargoTools::read(&workspace, CHECK_TOOLS)?.install()?;
    }
    say("everything is installed");
    Ok(())
}
