//! The command line of the measurements, `cargo xtask bench`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use bench::Plan;
use bench::constants::Constants;
use bench::run::{PARTS, Part};
use checkout::Workspace;

/// Measure everything side by side, in the real local runtime, and print the tables
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Fewer rounds and no million rows: a few minutes instead of half an hour
    #[arg(long)]
    quick: bool,
    /// Only this part
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
    /// Also write every sample to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables to this file, as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Also write what was measured to scripts/bench/constants.json, which `cargo xtask capacity` begins with
    #[arg(long)]
    constants: bool,
}

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    let plan = if arguments.quick {
        Plan::quick()
    } else {
        Plan::full()
    };
    let parts = arguments.only.map_or(PARTS.to_vec(), |part| vec![part]);
    let report = bench::run(&workspace, &plan, &parts, |next| eprintln!("==> {next}"))?;
    let markdown = report.markdown();
    println!("{markdown}");
    let write = |path: &Option<PathBuf>, text: &str| match path {
        Some(path) => {
            fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
        }
        None => Ok(()),
    };
    write(&arguments.markdown, &markdown)?;
    write(&arguments.json, &report.json()?)?;
    if arguments.constants {
        let mut constants = Constants::read()?;
        constants.update(&report)?;
        eprintln!("==> wrote {}", constants.write(&workspace)?.display());
    }
    Ok(())
}
