//! All measurements, one after another. Within each, what is compared takes turns.

use std::fs;
use std::time::Instant;

use anyhow::Result;
use checkout::Workspace;

use crate::plan::Plan;
use crate::report::Report;
use crate::{d1, end_to_end, maintenance, normalize, sizes, startup, targets, volume, week};

/// One part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
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

/// The parts of a run of everything, in order.
pub const PARTS: [Part; 6] = [
    Part::Normalize,
    Part::Startup,
    Part::EndToEnd,
    Part::Volume,
    Part::D1,
    Part::Maintenance,
];

/// Measures `parts`; `say` is told what comes next. The Workers must have been built.
///
/// # Errors
/// Fails if something cannot be run, or any run loses or doubles a row.
pub fn run(
    workspace: &Workspace,
    plan: &Plan,
    parts: &[Part],
    say: impl Fn(&str),
) -> Result<Report> {
    let started = Instant::now();
    let mut report = Report::default();
    note_facts(workspace, plan, &mut report)?;
    for part in parts {
        match part {
            Part::Normalize => {
                say("normalizing: three tail Workers in turn");
                normalize::measure(workspace, plan, &mut report)?;
            }
            Part::Startup => {
                say("starting up");
                startup::measure(workspace, plan, &mut report)?;
                sizes::measure(workspace, &mut report)?;
            }
            Part::EndToEnd => {
                say("end to end: five designs in turn");
                end_to_end::measure(workspace, plan, &mut report)?;
            }
            Part::Volume => {
                say("counting what a log takes");
                volume::measure(workspace, &mut report)?;
            }
            Part::D1 => {
                say("writing D1");
                d1::measure(workspace, plan, &mut report)?;
            }
            Part::Maintenance => {
                say("searching and rotating");
                maintenance::measure(workspace, plan, &mut report)?;
            }
            Part::Week => {
                say("a week of rows: the operator's tool");
                week::measure_tool(workspace, plan, &mut report)?;
            }
            Part::WeekPage => {
                say("a week of rows: the page");
                week::measure_page(workspace, plan, &mut report)?;
            }
        }
    }
    report.targets = targets::judge(&report, plan);
    report.fact("took", format!("{} s", started.elapsed().as_secs()));
    Ok(report)
}

fn note_facts(workspace: &Workspace, plan: &Plan, report: &mut Report) -> Result<()> {
    let now = chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string();
    report.fact("when", now);
    report.fact(
        "how",
        if plan.quick {
            "cargo xtask bench --quick"
        } else {
            "cargo xtask bench"
        },
    );
    let commit = workspace
        .command("git")?
        .args(["rev-parse", "--short", "HEAD"])
        .output()?;
    let changes = workspace
        .command("git")?
        .args(["status", "--porcelain"])
        .output()?;
    let mark = if changes.stdout.is_empty() {
        ""
    } else {
        ", with changes that are not committed"
    };
    let commit = String::from_utf8_lossy(&commit.stdout);
    report.fact("commit", format!("{}{mark}", commit.trim()));
    report.fact("machine", describe_machine());
    for (name, program, arguments) in [
        ("workerd", "workerd", ["--version"]),
        ("wrangler", "wrangler", ["--version"]),
        ("rustc", "rustc", ["--version"]),
    ] {
        let output = workspace.command(program)?.args(arguments).output()?;
        report.fact(name, String::from_utf8_lossy(&output.stdout).trim());
    }
    report.fact("SQLite, plain", rusqlite::version());
    Ok(())
}

fn describe_machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let model = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("{cores} × {model}, {}", std::env::consts::OS)
}
