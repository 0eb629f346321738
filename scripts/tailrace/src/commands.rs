//! One file per command. Each connects, asks, and writes what it found to standard output; what is said beside that goes
//! to standard error.

pub mod completions;
pub mod logs;
pub mod normalize;
pub mod replay;
pub mod stats;
pub mod trace;

use std::io::Write;
use std::process::ExitCode;

use crate::cli::{Cli, Color, Command, Place};
use crate::client::Client;
use crate::retry::Policy;
use crate::{Error, output};

/// Runs the command line.
///
/// # Errors
/// Whatever stopped the command; the exit code is the error's.
pub async fn run(cli: Cli) -> Result<ExitCode, Error> {
    let choice = match cli.place.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
    let mut out = output::stdout();
    let place = &cli.place;
    // Whoever reads records has seen enough: `tailrace logs | head`. The exit code of a replay says what is left.
    let may_break = !matches!(cli.command, Command::Replay(_));
    let result = match cli.command {
        Command::Logs(args) => logs::run(&args, place, &mut out).await,
        Command::Trace(args) => trace::run(&args, place, &mut out).await,
        Command::Stats(args) => stats::run(&args, place, &mut out).await,
        Command::Normalize(args) => normalize::run(&args, place.env.as_deref(), &mut out).await,
        Command::Completions { shell } => completions::run(shell, &mut out),
        Command::Replay(args) => replay::run(&args, place, &mut out).await,
    };
    let is_broken = |source: &std::io::Error| source.kind() == std::io::ErrorKind::BrokenPipe;
    match (result, out.flush()) {
        (Err(Error::Io { source, .. }), _) if may_break && is_broken(&source) => {
            Ok(ExitCode::SUCCESS)
        }
        (Ok(code), Err(source)) if is_broken(&source) => Ok(code),
        (Ok(_), Err(source)) => Err(Error::io("standard output")(source)),
        (result, _) => result,
    }
}

async fn connect(place: &Place) -> Result<Client, Error> {
    match place.local {
        Some(port) => Client::local(port, Policy::default()),
        None => Client::remote(Policy::default()).await,
    }
}

/// Says something beside the results, below those that are written already.
fn note_below(out: &mut dyn Write, text: &str) -> Result<(), Error> {
    out.flush().map_err(Error::io("standard output"))?;
    output::note(text);
    Ok(())
}

/// Writes one line to standard output.
fn line(out: &mut dyn Write, text: &str) -> Result<(), Error> {
    writeln!(out, "{text}").map_err(Error::io("standard output"))
}

/// Writes one line of JSON to standard output.
fn json_line(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut *out, value)
        .map_err(|error| Error::io("standard output")(error.into()))?;
    line(out, "")
}
