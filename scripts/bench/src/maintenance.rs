//! Work on a table with many rows besides writing it: the rotation, and the operator's tool, searching and
//! replaying.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use checkout::Workspace;
use harness::{Database, System, SystemBuilder, build_tool};
use log_record::dead_letter::DeadLetterHead;
use log_record::{Reason, fallback};
use serde_json::Value;
use tempfile::TempDir;

use crate::d1::now_ms;
use crate::number::number;
use crate::plan::Plan;
use crate::report::{Better, Report, Table};
use crate::rows::{Ids, Rows, WORKER, timestamp};
use crate::workerd::{COMPATIBILITY_DATE, bench_folder};

const HOUR_MS: u64 = 60 * 60 * 1_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Records of one dead letter: what a message of some 45 kB leaves behind.
const LETTER_RECORDS: u64 = 100;

/// One row in ten is not old enough to go.
const STAYING: u64 = 10;

/// The longest of 95 of 100 calls of the rotation, by D1's own `meta.duration`.
pub const MOST_CALLS: &str = "95 of 100 calls, ms";
/// Rows that D1 read for a deleted row.
pub const ROWS_READ: &str = "rows read/row";
/// Rows written that D1 bills for a deleted row.
pub const ROWS_WRITTEN: &str = "rows written/row";

/// Returns the case of a rotation of `rows` rows.
#[must_use]
pub fn rotation_case(rows: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rows = number(rows as f64);
    format!("{rows} rows")
}

/// Measures searching and rotating a table of many rows.
///
/// # Errors
/// Fails if a search fails, or a rotation leaves or takes the wrong rows.
pub fn measure(workspace: &Workspace, plan: &Plan, report: &mut Report) -> Result<()> {
    let tool = build_tool(workspace)?;
    let worker = TempDir::new()?;
    let system = start_system(workspace, worker.path())?;
    let database = system.database()?;
    let mut rotation = Table::new(
        "rotation",
        "Rotation",
        "",
        Better::Lower,
        "log-writer's own rotation, run in workerd on the local D1, with the rows of the first column, all of one day and expired, \
         in a table that holds a tenth as many more. Every expired row must be gone afterwards and every other one still there.",
    );
    let sizes: &[u64] = if plan.quick { &[0] } else { &[10, 1] };
    for part in sizes {
        let expired = plan.maintenance_rows / (*part).max(1);
        let now = now_ms()?;
        insert_rows(&database, expired, now - 8 * DAY_MS - HOUR_MS, DAY_MS)?;
        insert_rows(
            &database,
            expired / STAYING,
            now - 6 * DAY_MS,
            6 * DAY_MS - HOUR_MS,
        )?;
        if expired == plan.maintenance_rows {
            report
                .tables
                .push(measure_search(&tool, &system, &database, plan)?);
            report
                .tables
                .push(measure_replay(&tool, &system, &database, plan)?);
        }
        measure_rotation(&system, &database, expired, &mut rotation)?;
    }
    report.tables.push(rotation);
    Ok(())
}

fn start_system(workspace: &Workspace, worker: &Path) -> Result<System> {
    let build = workspace.root().join("log-writer/build");
    for file in [
        build.join("index.js"),
        build.join("index_bg.wasm"),
        bench_folder(workspace).join("workers/rotation.js"),
    ] {
        let name = file.file_name().context("no file")?;
        fs::copy(&file, worker.join(name))
            .with_context(|| format!("{} is missing", file.display()))?;
    }
    let mut builder = SystemBuilder::workers(&[])?;
    builder.add(&format!(
        "name = \"rotation\"\nmain = \"{}\"\ncompatibility_date = \"{COMPATIBILITY_DATE}\"\n\
         [[d1_databases]]\nbinding = \"DB\"\ndatabase_name = \"tailrace\"\nmigrations_dir = \"{}\"\n\
         [[kv_namespaces]]\nbinding = \"FALLBACK\"\n",
        worker.join("rotation.js").display(),
        workspace.root().join("migrations").display()
    ))?;
    builder.start()
}

fn insert_rows(database: &Database, rows: u64, from_ms: u64, span_ms: u64) -> Result<()> {
    let mut connection = database.another_connection()?;
    Rows::new(Ids::TimeOrdered, rows, from_ms, span_ms, from_ms)
        .insert_all(&mut connection, 20_000)?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

fn measure_rotation(
    system: &System,
    database: &Database,
    expired: u64,
    table: &mut Table,
) -> Result<()> {
    /// A run is bounded; what it leaves is the next tick's.
    const RUNS: usize = 20;
    let of = |call: &Value, name: &str| call.get(name).and_then(Value::as_f64).unwrap_or_default();
    let all = database.count()?;
    let mut calls: Vec<Value> = Vec::new();
    let (mut ms, mut runs) = (0.0, 0.0);
    while all - database.count()? < expired {
        let (status, _, body) = system.request("GET", "/", &[], "")?;
        let output = || system.server.output_tail();
        ensure!(
            status == 200,
            "the rotation answers {status}: {body}\n{}",
            output()
        );
        let answer: Value = serde_json::from_str(&body)?;
        calls.extend(
            answer
                .get("calls")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .cloned(),
        );
        ms += of(&answer, "ms");
        runs += 1.0;
        let gone = all - database.count()?;
        ensure!(
            gone > 0 && calls.len() < RUNS * 1_000,
            "{expired} rows had expired, {gone} are gone\n{}",
            output()
        );
    }
    let gone = all - database.count()?;
    ensure!(
        gone == expired,
        "{expired} rows had expired, {gone} are gone"
    );
    let mut durations: Vec<f64> = calls.iter().map(|call| of(call, "ms")).collect();
    durations.sort_by(f64::total_cmp);
    let quantile = |hundredths: usize| {
        let at = durations.len().saturating_sub(1) * hundredths / 100;
        durations.get(at).copied().unwrap_or_default()
    };
    let (median, most, longest) = (quantile(50), quantile(95), quantile(100));
    let read: f64 = calls.iter().map(|call| of(call, "rows_read")).sum();
    let written: f64 = calls.iter().map(|call| of(call, "rows_written")).sum();
    #[allow(clippy::cast_precision_loss)]
    let (rows, calls) = (expired as f64, calls.len() as f64);
    let case = rotation_case(expired);
    table.add(&case, "rows/s", rows / ms * 1e3);
    table.add(&case, "a call, ms (median)", median);
    table.add(&case, MOST_CALLS, most);
    table.add(&case, "longest call, ms", longest);
    table.add(&case, "calls", calls);
    table.add(&case, "runs", runs);
    table.add(&case, ROWS_READ, read / rows);
    table.add(&case, ROWS_WRITTEN, written / rows);
    Ok(())
}

fn measure_search(
    tool: &PathBuf,
    system: &System,
    database: &Database,
    plan: &Plan,
) -> Result<Table> {
    let mut table = Table::new(
        "search",
        format!("The operator's tool on {} rows", {
            #[allow(clippy::cast_precision_loss)]
            number(database.count()? as f64)
        }),
        "ms",
        Better::Lower,
        "`tailrace …` against the local runtime, from starting the program to its end. The program itself, unoptimised as \
         `cargo tailrace` builds it, and the local HTTP are in it.",
    );
    let correlation: String = database.connection().query_row(
        "SELECT correlation_id FROM tail_logs WHERE timestamp >= ?1 ORDER BY timestamp LIMIT 1",
        [timestamp(now_ms()? - 8 * DAY_MS)],
        |row| row.get(0),
    )?;
    let port = format!("--local={}", system.server.port());
    let searches: [&[&str]; 6] = [
        &["logs", "--since", "30d"],
        &["logs", "--since", "30d", "--worker", WORKER],
        &["logs", "--since", "30d", "--level", "warn"],
        &[
            "logs", "--since", "30d", "--worker", WORKER, "--level", "error",
        ],
        &["trace", &correlation],
        &["stats", "--since", "24h"],
    ];
    for round in 0..=plan.search_rounds {
        for arguments in searches {
            let started = Instant::now();
            let output = std::process::Command::new(tool)
                .args(arguments)
                .arg(&port)
                .output()?;
            let elapsed = started.elapsed();
            let shown = arguments.join(" ").replace(&correlation, "ID");
            ensure!(
                output.status.success() && output.stdout.len() > 50,
                "tailrace {shown}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            if round > 0 {
                table.add("", &format!("`{shown}`"), elapsed.as_secs_f64() * 1e3);
            }
        }
    }
    Ok(table)
}

/// Replays dead letters, as an operator does after an outage. Every record must be stored afterwards, and no letter left.
fn measure_replay(
    tool: &PathBuf,
    system: &System,
    database: &Database,
    plan: &Plan,
) -> Result<Table> {
    let letters = plan.dead_letters;
    let before = database.count()?;
    #[allow(clippy::cast_precision_loss)]
    let mut table = Table::new(
        "replay",
        format!("Replaying on {} rows", number(before as f64)),
        "records/s",
        Better::Higher,
        format!(
            "`tailrace replay` of {letters} dead letters of {LETTER_RECORDS} records each, from the local KV into the local \
             D1: reading, checking, storing, deleting the letter. The program itself, unoptimised, and the local HTTP are \
             in it."
        ),
    );
    let port = format!("--local={}", system.server.port());
    for round in 0..plan.replay_rounds {
        let stored = database.count()?;
        park_letters(system, letters, now_ms()? - HOUR_MS * (1 + round))?;
        let started = Instant::now();
        let output = std::process::Command::new(tool)
            .args(["replay", &port])
            .output()?;
        let elapsed = started.elapsed();
        ensure!(
            output.status.success(),
            "tailrace replay: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let gained = database.count()? - stored;
        let left = system.server.kv_keys("FALLBACK", fallback::DEAD_LETTERS)?;
        ensure!(
            gained == letters * LETTER_RECORDS && left.is_empty(),
            "{gained} rows were gained of {letters} letters, and {} letters are left",
            left.len()
        );
        #[allow(clippy::cast_precision_loss)]
        table.add("", "`replay`", gained as f64 / elapsed.as_secs_f64());
    }
    Ok(table)
}

/// Puts dead letters into the local KV, where the development configuration keeps them.
fn park_letters(system: &System, letters: u64, from_ms: u64) -> Result<()> {
    let mut rows = Rows::new(
        Ids::TimeOrdered,
        letters * LETTER_RECORDS,
        from_ms,
        HOUR_MS,
        from_ms,
    );
    let failed_at = timestamp(from_ms);
    for index in 0..letters {
        let records = rows
            .by_ref()
            .take(usize::try_from(LETTER_RECORDS)?)
            .map(|row| row.wire())
            .collect::<serde_json::Result<Vec<_>>>()?;
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let letter =
            DeadLetterHead::new(Reason::RetriesExhausted, "D1 did not answer", 8, &failed_at)
                .with_records(&records)?;
        let key = fallback::key(fallback::DEAD_LETTERS, &failed_at, &format!("{index:08}"));
        let (status, _, body) = system.request("PUT", &format!("/{key}"), &[], &letter)?;
        ensure!(
            status == 200,
            "the letter was not kept ({status}): {body}\n{}",
            system.server.output_tail()
        );
    }
    Ok(())
}
