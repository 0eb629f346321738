//! The command line of the arithmetic, `cargo xtask capacity`.

use anyhow::{Result, ensure};
use bench::capacity::{Load, plan};

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
    /// The time that logs are kept
    #[arg(long, value_name = "DAYS", default_value_t = 7.0)]
    retention: f64,
    /// The time that D1 is away in the simulation
    #[arg(long, value_name = "MINUTES", default_value_t = 60.0)]
    outage: f64,
}

/// Works it out and prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    for (name, value) in [
        ("--logs-per-second", arguments.logs_per_second),
        ("--bytes", arguments.bytes),
        ("--lines-per-request", arguments.lines_per_request),
        ("--retention", arguments.retention),
        ("--outage", arguments.outage),
    ] {
        ensure!(
            value.is_finite() && value > 0.0,
            "{name} must be more than 0"
        );
    }
    let load = Load {
        logs_per_second: arguments.logs_per_second,
        log_bytes: arguments.bytes,
        lines_per_request: arguments.lines_per_request,
        retention_days: arguments.retention,
        outage_minutes: arguments.outage,
    };
    print!("{}", plan(load));
    Ok(())
}
