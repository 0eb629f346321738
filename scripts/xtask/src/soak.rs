//! Runs the soak and prints its ledger.

use anyhow::{Result, bail};
use e2e::{Workspace, soak};

use crate::step::say;
use crate::{build, setup};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many log lines to make
    #[arg(long, default_value_t = 100_000)]
    lines: u64,
    /// How many lines each request logs
    #[arg(long, default_value_t = 50)]
    lines_per_request: u64,
    /// How many requests are under way at once
    #[arg(long, default_value_t = 16)]
    concurrency: u64,
    /// What the faults' times are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// `cargo xtask soak`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    setup::run_in(&workspace)?;
    build::all(&workspace)?;
    let options = soak::Options {
        lines: arguments.lines,
        lines_per_request: arguments.lines_per_request,
        concurrency: arguments.concurrency,
        seed: arguments.seed,
    };
    say(format!(
        "soaking: {} lines, {} requests at once, faults from seed {}",
        options.lines, options.concurrency, options.seed
    ));
    let ledger = soak::run(&options)?;
    println!("{ledger}");
    if !ledger.adds_up() {
        bail!("the ledger does not add up");
    }
    say("the ledger adds up: every record is in exactly one place");
    Ok(())
}
