//! Installs what is missing: the Wasm target, the build tools into `.tools/`, the npm tools into
//! `wrangler/node_modules/`. Quick when nothing is.
//!
//! - [`prerequisites`]: what the machine must have, checked in one go;
//! - [`build_tools`]: worker-build and wasm-bindgen;
//! - [`npm`]: wrangler and its Node.

mod build_tools;
mod npm;
mod prerequisites;

use std::process::Command;
use std::thread;

use anyhow::{Result, bail};
use checkout::Workspace;

use self::build_tools::BuildTools;
use self::npm::Packages;
use crate::step::{execute, say};

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Installs what `workspace` lacks.
pub(crate) fn run_in(workspace: &Workspace) -> Result<()> {
    let packages = Packages::read(workspace)?;
    let tools = BuildTools::read(workspace)?;
    let missing = prerequisites::Wanted {
        npm: !packages.are_installed(),
        openssl: !tools.are_installed(),
    };
    if prerequisites::check(missing)? {
        say(format!("installing the Rust target {WASM_TARGET}"));
        execute(Command::new("rustup").args(["target", "add", WASM_TARGET]))?;
    }
    // npm mostly waits for the network, cargo for the processor.
    thread::scope(|scope| {
        let npm = scope.spawn(|| packages.install());
        let cargo = tools.install();
        match npm.join() {
            Ok(npm) => npm.and(cargo),
            Err(_) => bail!("installing the npm packages panicked"),
        }
    })
}

/// Runs `cargo xtask setup`.
pub(crate) fn run() -> Result<()> {
    run_in(&Workspace::find()?)?;
    say("everything is installed");
    Ok(())
}
