//! The command line of the arithmetic, `cargo xtask capacity`.

use anyhow::{Result, ensure};
use bench::capacity::{Batches, Load, plan};
use bench::constants::Constants;
use log_record::archive::Rows;

/// Days that the archive keeps objects unless told otherwise.
const ARCHIVE_DAYS: f64 = 30.0;

/// Work out what a load needs, what it costs, and which limit binds first
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Console lines in a second, of all Workers, on average
    #[arg(long, value_name = "N")]
    logs_per_second: f64,
    /// The length of such a line in bytes, on average
    #[arg(long, value_name = "N")]
    bytes: f64,
    /// Lines that a request logs, on average
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    lines_per_request: f64,
    /// The share of lines that are warnings or errors, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    warnings: f64,
    /// The records that become rows of D1: all, or, with the archive, those that one searches by
    #[arg(long, value_name = "all|index", default_value = "all")]
    rows: Rows,
    /// The time that rows are kept
    #[arg(long, value_name = "DAYS", default_value_t = 7.0)]
    retention_days: f64,
    /// The time that the archive keeps logs; 30 days with `--rows index`, else there is no archive
    #[arg(long, value_name = "DAYS")]
    archive_days: Option<f64>,
    /// The time that D1 is away in the simulation
    #[arg(long, value_name = "MINUTES", default_value_t = 60.0)]
    outage: f64,
}

/// Works it out and prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let archive_days = match arguments.rows {
        Rows::Index => Some(arguments.archive_days.unwrap_or(ARCHIVE_DAYS)),
        Rows::All => arguments.archive_days,
    };
    for (name, value) in [
        ("--logs-per-second", arguments.logs_per_second),
        ("--bytes", arguments.bytes),
        ("--lines-per-request", arguments.lines_per_request),
        ("--retention-days", arguments.retention_days),
        ("--archive-days", archive_days.unwrap_or(ARCHIVE_DAYS)),
        ("--outage", arguments.outage),
    ] {
        ensure!(
            value.is_finite() && value > 0.0,
            "{name} must be more than 0"
        );
    }
    ensure!(
        (0.0..=1.0).contains(&arguments.warnings),
        "--warnings must be from 0 to 1"
    );
    ensure!(
        archive_days.is_none_or(|days| days >= arguments.retention_days),
        "--archive-days must be at least --retention-days"
    );
    let load = Load {
        logs_per_second: arguments.logs_per_second,
        log_bytes: arguments.bytes,
        lines_per_request: arguments.lines_per_request,
        warnings: arguments.warnings,
        rows: arguments.rows,
        retention_days: arguments.retention_days,
        archive_days,
        batches: Batches::Arriving,
        outage_minutes: arguments.outage,
    };
    print!("{}", plan(load, &Constants::read()?));
    Ok(())
}
