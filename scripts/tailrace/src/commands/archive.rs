//! `tailrace archive`: what log-writer keeps in R2. `ls` lists objects, `get` writes their records.

mod get;
mod ls;

use std::io::Write;
use std::process::ExitCode;

use crate::Error;
use crate::cli::{Archive, ArchiveCommand};
use crate::place::Place;

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(args: &Archive, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match &args.command {
        ArchiveCommand::Ls(args) => ls::run(args, place, out).await,
        ArchiveCommand::Get(args) => get::run(args, place, out).await,
    }
}
