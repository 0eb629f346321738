//! `tailrace completions SHELL`.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Error;
use crate::cli::Cli;

/// Writes the completion script.
///
/// # Errors
/// Fails if standard output cannot be written.
pub fn run(shell: Shell, out: &mut dyn Write) -> Result<ExitCode, Error> {
    // `generate` panics where it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tailrace", &mut script);
    out.write_all(&script)
        .map_err(Error::io("standard output"))?;
    Ok(ExitCode::SUCCESS)
}
