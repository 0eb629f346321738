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
    only: Option<Only>,
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

#[derive(Clone, Copy, clap::ValueEnum)]
enum Only {
    /// The tail Worker alone
    Normalize,
    /// Start-up and sizes
    Startup,
    /// From a request to the last of its rows
    EndToEnd,
    /// The bytes, rows and objects of a log
    Volume,
    /// Ways of writing D1
    D1,
    /// The rotation and the operator's tool
    Maintenance,
    /// The operator's tool on ten million rows of a week; not part of a run of everything
    Week,
    /// Its page in a headless browser on the same rows; not part of a run of everything
    WeekPage,
}

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    let plan = if arguments.quick {
        Plan::quick()
    } else {
        Plan::full()
    };
    let parts = match arguments.only {
        None => PARTS.to_vec(),
        Some(Only::Normalize) => vec![Part::Normalize],
        Some(Only::Startup) => vec![Part::Startup],
        Some(Only::EndToEnd) => vec![Part::EndToEnd],
        Some(Only::Volume) => vec![Part::Volume],
        Some(Only::D1) => vec![Part::D1],
        Some(Only::Maintenance) => vec![Part::Maintenance],
        Some(Only::Week) => vec![Part::Week],
        Some(Only::WeekPage) => vec![Part::WeekPage],
    };
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
