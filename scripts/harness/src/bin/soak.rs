//! The command line of the soak, `cargo xtask soak`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use harness::soak;
use log_record::archive::Rows;

/// Make many records while faults come and go, and print where each one ended
#[derive(Parser)]
#[command(bin_name = "cargo xtask soak")]
struct Arguments {
    /// Log lines to make
    #[arg(long, default_value_t = 100_000)]
    lines: u64,
    /// Lines that each request logs
    #[arg(long, default_value_t = 50)]
    lines_per_request: u64,
    /// Requests under way at once
    #[arg(long, default_value_t = 16)]
    concurrency: u64,
    /// Seed of the faults' times
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The records that become rows beside the archive: all, or index
    #[arg(long, default_value = "all")]
    rows: Rows,
    /// Run without the archive
    #[arg(long, conflicts_with = "rows")]
    no_archive: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let options = soak::Options {
        lines: arguments.lines,
        lines_per_request: arguments.lines_per_request,
        concurrency: arguments.concurrency,
        seed: arguments.seed,
        archive: (!arguments.no_archive).then_some(arguments.rows),
    };
    eprintln!(
        "==> soaking: {} lines, {} requests at once, faults from seed {}, {}",
        options.lines,
        options.concurrency,
        options.seed,
        match options.archive {
            Some(rows) => format!("with the archive and ROWS={rows}"),
            None => "without the archive".to_owned(),
        }
    );
    let ledger = soak::run(&options)?;
    println!("{ledger}");
    if !ledger.adds_up() {
        bail!("the ledger does not add up");
    }
    eprintln!("==> the ledger adds up: every record is in exactly one place");
    Ok(())
}
