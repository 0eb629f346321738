//! Commands that are programs of their own, so that xtask is compiled without what they need, such as SQLite.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;
use checkout::{Workspace, process};

use crate::{build, programs, setup};

/// Arguments of such a command.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

impl Arguments {
    fn ask_for_help(&self) -> bool {
        self.arguments.iter().any(|it| it == "--help" || it == "-h")
    }
}

/// Runs `cargo xtask bench`.
pub(crate) fn bench(arguments: &Arguments) -> Result<ExitCode> {
    with_workers("bench", &["bench"], arguments)
}

/// Runs `cargo xtask soak`.
pub(crate) fn soak(arguments: &Arguments) -> Result<ExitCode> {
    with_workers("soak", &[], arguments)
}

/// Runs `cargo xtask capacity`.
pub(crate) fn capacity(arguments: &Arguments) -> Result<ExitCode> {
    run_program(&Workspace::find()?, "bench", &["capacity"], arguments)
}

fn with_workers(program: &str, before: &[&str], arguments: &Arguments) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    if !arguments.ask_for_help() {
        setup::run_in(&workspace)?;
        build::all(&workspace)?;
    }
    run_program(&workspace, program, before, arguments)
}

fn run_program(
    workspace: &Workspace,
    program: &str,
    before: &[&str],
    arguments: &Arguments,
) -> Result<ExitCode> {
    let status = process::run(
        Command::new(programs::compile_program(workspace, program)?)
            .args(before)
            .args(&arguments.arguments),
    )?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
