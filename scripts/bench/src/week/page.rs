//! The page of `tailrace ui` on a week of rows, in a headless browser. `scripts/ui-tests/browser/week.mjs` has what is
//! done there; each phase has a server of its own, which remembers nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use checkout::Workspace;
use harness::Page;
use serde::Deserialize;

use super::Week;
use super::inserts::{self, Inserts};
use super::store::SPAN_MS;
use crate::plan::Plan;
use crate::report::{Better, Report, Table};

/// The table of what somebody waits for.
pub const TABLE: &str = "week-page";
/// The table of what inserts waited.
pub const WAITS: &str = "week-page-inserts";
/// The table of the rest: tasks of the main thread, what moves, memory.
pub const REST: &str = "week-page-rest";
/// The server's memory at its peak.
pub const MEMORY: &str = "the server's memory at its peak, MB";

/// A value that the browser's script prints.
#[derive(Deserialize)]
struct Printed {
    what: String,
    value: f64,
}

/// Rows that arrive while a phase is under way: how many, and how often.
#[derive(Clone, Copy)]
struct Arriving(u64, Duration);

/// One row ten times a second, as what log-writer waits.
const FEW: Option<Arriving> = Some(Arriving(1, Duration::from_millis(100)));
/// A thousand rows a second.
const MANY: Option<Arriving> = Some(Arriving(100, Duration::from_millis(100)));

struct Browser<'a> {
    workspace: &'a Workspace,
    tool: &'a Path,
    chrome: PathBuf,
    week: &'a Week,
    rounds: usize,
}

/// Measures each phase.
pub(super) fn measure(
    workspace: &Workspace,
    tool: &Path,
    week: &Week,
    plan: &Plan,
    report: &mut Report,
) -> Result<()> {
    let say = |text: &str| eprintln!("    {text}");
    ui_tests::packages::install_packages(workspace, &workspace.root().join(ui_tests::FOLDER), say)?;
    let browser = Browser {
        workspace,
        tool,
        chrome: ui_tests::browser::find_or_install(workspace, say)?,
        week,
        rounds: plan.week_rounds,
    };
    let mut times = Table::new(
        TABLE,
        format!("The page on {}", week.label()),
        "s",
        Better::Lower,
        "`tailrace ui` against the local runtime, in a headless Chromium on the same machine. Rows: from Enter to the frame that shows them, \
         while the search before is still counted over the whole week. Counts and text: each window is another one, nothing is remembered. \
         The server, unoptimised as `cargo tailrace` builds it, is in it.",
    );
    let mut waits = Table::new(
        WAITS,
        "An insert while the page works",
        "ms",
        Better::Lower,
        "Through the Workers binding, ten times a second, one row or (live) a hundred: its own time in D1, and what it waited behind the page's \
         statements.",
    );
    let mut rest = Table::new(
        REST,
        "The page while one scrolls, and while it follows",
        "",
        Better::Lower,
        "A minute each. The longest task of the main thread in each second, in ms; where none is over 50 ms, 50 is noted, as browsers tell \
         no shorter ones. Shift is the browser's layout shift score.",
    );
    for (phase, arriving) in [
        ("searches", None),
        ("counts", None),
        ("text", None),
        ("week", FEW),
        ("scrolling", None),
        ("live", MANY),
    ] {
        say(&format!("the page: {phase}"));
        let (printed, waited, megabytes) = browser.run(phase, arriving)?;
        for Printed { what, value } in printed {
            if phase == "scrolling" || phase == "live" {
                rest.add("", &what, value);
            } else {
                times.add("", &what, value / 1e3);
            }
        }
        for milliseconds in waited {
            waits.add("", phase, milliseconds);
        }
        rest.add("", MEMORY, megabytes);
    }
    inserts::remove(&week.database)?;
    report.tables.extend([times, waits, rest]);
    Ok(())
}

impl Browser<'_> {
    /// Runs a phase; returns what it printed, how long inserts took, and the server's megabytes at its peak.
    fn run(
        &self,
        phase: &str,
        arriving: Option<Arriving>,
    ) -> Result<(Vec<Printed>, Vec<f64>, f64)> {
        let page = Page::start(self.tool, self.week.system.server.port())?;
        let ids = self.week.correlation_ids(self.rounds)?;
        let inserts =
            arriving.map(|Arriving(rows, every)| Inserts::start(&self.week.system, rows, every));
        let output = self
            .workspace
            .command("node")?
            .args(["browser/week.mjs", phase])
            .current_dir(self.workspace.root().join(ui_tests::FOLDER))
            .env("CHROME", &self.chrome)
            .env("PAGE_URL", page.url())
            .env("FROM_MS", (self.week.end_ms - SPAN_MS).to_string())
            .env("TO_MS", self.week.end_ms.to_string())
            .env("ROUNDS", self.rounds.to_string())
            .env("IDS", serde_json::to_string(&ids)?)
            .stderr(Stdio::inherit())
            .output()?;
        let waited = inserts.map_or_else(|| Ok(Vec::new()), Inserts::stop)?;
        ensure!(output.status.success(), "the page: {phase} failed");
        let values = String::from_utf8(output.stdout)?
            .lines()
            .map(serde_json::from_str)
            .collect::<serde_json::Result<Vec<Printed>>>()?;
        Ok((values, waited, peak_megabytes(page.process_id())?))
    }
}

/// Returns the most memory that a process has had at once.
fn peak_megabytes(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .context("the system does not say how much memory a process has had")?
        .trim()
        .parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}
