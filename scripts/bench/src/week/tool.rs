//! The operator's tool on a week of rows.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::System;

use super::inserts::{self, Inserts, new_rows};
use super::running::Running;
use super::store::SPAN_MS;
use super::traffic::ONE_WORKER;
use super::{NOWHERE, Week};
use crate::d1::now_ms;
use crate::plan::{Plan, take_turns};
use crate::report::{Better, Report, Table};
use crate::rows::{Random, timestamp};

const DAY_MS: u64 = SPAN_MS / 7;

/// The table of the tool's times.
pub const TABLE: &str = "week-tool";
/// The table of what inserts waited.
pub const WAITS: &str = "week-tool-inserts";

/// The time from one look to the next.
const LOOK: Duration = Duration::from_secs(1);

/// Measures each command in turn, then follows.
pub(super) fn measure(tool: &Path, week: &Week, plan: &Plan, report: &mut Report) -> Result<()> {
    let (database, system) = (&week.database, &week.system);
    let mut table = Table::new(
        TABLE,
        format!("The operator's tool on {}", week.label()),
        "s",
        Better::Lower,
        "`tailrace …` against the local runtime, from starting the program to its end; each trace is another one. The program itself, \
         unoptimised as `cargo tailrace` builds it, and the local HTTP are in it. Following: until the first rows are printed, and \
         from a row's insert until it is printed, with a look each second.",
    );
    let mut waits = Table::new(
        WAITS,
        "An insert while the tool works",
        "ms",
        Better::Lower,
        "One row through the Workers binding, ten times a second: its own time in D1, and what it waited behind the tool's statements.",
    );
    let end = timestamp(week.end_ms);
    let day = timestamp(week.end_ms - DAY_MS);
    let all = timestamp(week.end_ms - SPAN_MS);
    let within = |since: &str, arguments: &[&str]| {
        let window = ["--since", since, "--until", &end];
        arguments
            .iter()
            .chain(&window)
            .map(|text| (*text).to_owned())
            .collect()
    };
    let quick: [(&str, Vec<String>); 3] = [
        ("`logs`, a week", within(&all, &["logs"])),
        (
            "`logs --worker`, a week",
            within(&all, &["logs", "--worker", ONE_WORKER]),
        ),
        (
            "`logs --level error`, a week",
            within(&all, &["logs", "--level", "error"]),
        ),
    ];
    let ids = week.correlation_ids(plan.week_rounds + 1)?;
    for (round, id) in ids.iter().enumerate() {
        for (name, arguments) in take_turns(&quick, round) {
            let seconds = time_run(tool, system, arguments, true)?;
            if round > 0 {
                table.add("", name, seconds);
            }
        }
        let seconds = time_run(tool, system, &["trace".to_owned(), id.clone()], true)?;
        if round > 0 {
            table.add("", "`trace ID`", seconds);
        }
    }
    let slow = [
        (
            "`stats`, a day",
            plan.week_slow_rounds,
            true,
            within(&day, &["stats"]),
        ),
        (
            "`logs --grep`, found nowhere in a day",
            plan.week_slow_rounds,
            false,
            within(&day, &["logs", "--grep", NOWHERE]),
        ),
        (
            "`stats`, a week",
            plan.week_long_rounds,
            true,
            within(&all, &["stats"]),
        ),
    ];
    for (name, rounds, finds, arguments) in slow {
        for _ in 0..rounds {
            let inserts = Inserts::start(system, 1, Duration::from_millis(100));
            let seconds = time_run(tool, system, &arguments, finds);
            let waited = inserts.stop()?;
            table.add("", name, seconds?);
            for milliseconds in waited {
                waits.add("", name, milliseconds);
            }
        }
    }
    measure_following(tool, system, plan, &mut table)?;
    inserts::remove(database)?;
    report.tables.push(table);
    report.tables.push(waits);
    Ok(())
}

fn local_option(system: &System) -> String {
    format!("--local={}", system.server.port())
}

/// Runs a command to its end; returns its seconds.
fn time_run(tool: &Path, system: &System, arguments: &[String], finds: bool) -> Result<f64> {
    let started = Instant::now();
    let output = Command::new(tool)
        .args(arguments)
        .arg(local_option(system))
        .output()?;
    let elapsed = started.elapsed();
    ensure!(
        output.status.success() && finds == (output.stdout.len() > 50),
        "tailrace {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(elapsed.as_secs_f64())
}

/// Follows, and inserts a row in each round.
#[expect(clippy::cast_precision_loss, reason = "a few rounds")]
fn measure_following(tool: &Path, system: &System, plan: &Plan, table: &mut Table) -> Result<()> {
    let started = Instant::now();
    let mut child = Command::new(tool)
        .args(["logs", "--follow", "--interval", "1", "--limit", "20"])
        .arg(local_option(system))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let printed = child.stdout.take().context("no output")?;
    let _child = Running(child);
    let mut lines = BufReader::new(printed).lines();
    lines.next().context("nothing is followed")??;
    table.add(
        "",
        "`logs --follow`, the first rows",
        started.elapsed().as_secs_f64(),
    );
    let mut random = Random(now_ms()?);
    for round in 0..plan.week_rounds {
        // The row before was printed by a look: this one is inserted at another time until the next.
        thread::sleep(LOOK.mul_f64(round as f64 / plan.week_rounds as f64));
        let mut rows = new_rows(&mut random, 1)?;
        let text = format!("followed row {round} of these");
        for row in &mut rows {
            row.message.clone_from(&text);
        }
        inserts::insert(&system.server.url(), &rows)?;
        let inserted = Instant::now();
        loop {
            let line = lines.next().context("the tool has ended")??;
            if line.contains(&text) {
                break;
            }
        }
        table.add(
            "",
            "`logs --follow`, a row",
            inserted.elapsed().as_secs_f64(),
        );
    }
    Ok(())
}
