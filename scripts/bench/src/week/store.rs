//! The database of a week: made once with the real migrations, rows first and indexes after them, and kept between runs,
//! since that takes minutes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use checkout::Workspace;
use harness::{Database, System, SystemBuilder};
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::statvfs::statvfs;
use rusqlite::Connection;

use super::traffic::{Traffic, VERSION};
use crate::d1::now_ms;
use crate::local::migrations;
use crate::rows::INSERT_ONE;
use crate::workerd::{COMPATIBILITY_DATE, bench_folder};

/// The name of the database's binding, by which the tool finds it.
pub(super) const BINDING: &str = "DB";

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The rows' time in all.
pub(super) const SPAN_MS: u64 = 7 * DAY_MS;

/// Free bytes that must be there before ten million rows are made: their file, and what sorting an index takes beside it.
const FREE_BYTES: u64 = 25_000_000_000;

/// Rows for which [`FREE_BYTES`] are.
const FREE_ROWS: u64 = 10_000_000;

/// Starts a runtime on the database of `rows` rows, which is made where it is not there yet.
pub(super) fn start(workspace: &Workspace, rows: u64) -> Result<System> {
    let place = workspace.root().join("target/bench-week");
    let key = database_key(workspace, rows)?;
    let stamp = place.join("key");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == key) {
        return serve_database(workspace, &place);
    }
    if place.exists() {
        fs::remove_dir_all(&place)
            .with_context(|| format!("{} cannot be removed", place.display()))?;
    }
    fs::create_dir_all(&place).with_context(|| format!("{} cannot be made", place.display()))?;
    ensure_free(&place, rows)?;
    // The file, its name and its migrations are the runtime's.
    let system = serve_database(workspace, &place)?;
    let mut connection = system.database()?.another_connection()?;
    drop(system);
    insert_traffic(&mut connection, rows)?;
    drop(connection);
    fs::write(&stamp, key)?;
    serve_database(workspace, &place)
}

/// The text that names the rows and their tables: another one needs another database.
fn database_key(workspace: &Workspace, rows: u64) -> Result<String> {
    let mut key = format!("version {VERSION}, {rows} rows\n");
    for file in migrations(workspace)? {
        key += &fs::read_to_string(file)?;
    }
    Ok(key)
}

fn ensure_free(place: &Path, rows: u64) -> Result<()> {
    let disk = statvfs(place)?;
    let free = disk.blocks_available() * disk.fragment_size();
    let wanted = FREE_BYTES * rows / FREE_ROWS;
    ensure!(
        free >= wanted,
        "a week of {rows} rows needs {} GB of free disk, and {} has {} GB\n\
         hint: make room, or measure a tenth of it: cargo xtask bench --only week --quick",
        wanted.div_ceil(1_000_000_000),
        place.display(),
        free / 1_000_000_000
    );
    Ok(())
}

/// Starts a Worker that writes D1, with its state in `place`.
fn serve_database(workspace: &Workspace, place: &Path) -> Result<System> {
    let script: PathBuf = bench_folder(workspace).join("workers/d1.js");
    let mut builder = SystemBuilder::workers(&[])?;
    builder.add(&format!(
        "name = \"week\"\nmain = \"{}\"\ncompatibility_date = \"{COMPATIBILITY_DATE}\"\n\
         [[d1_databases]]\nbinding = \"{BINDING}\"\ndatabase_name = \"tailrace\"\nmigrations_dir = \"{}\"\n",
        script.display(),
        workspace.root().join("migrations").display()
    ))?;
    builder.keep_state(place.join("state")).start()
}

/// Fills the empty table: without its indexes, which are made when the rows are there.
fn insert_traffic(connection: &mut Connection, rows: u64) -> Result<()> {
    // Nobody else has the file, and one that was not finished is made anew.
    connection.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; \
         PRAGMA cache_size = -262144; PRAGMA threads = 2",
    )?;
    let indexes: Vec<(String, String)> = connection
        .prepare(
            "SELECT name, sql FROM sqlite_schema \
             WHERE type = 'index' AND tbl_name = 'tail_logs' AND sql IS NOT NULL ORDER BY rowid",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (name, _) in &indexes {
        connection.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    insert_rows(connection, rows)?;
    let progress = ProgressBar::new(indexes.len() as u64).with_style(progress_style()?);
    progress.set_message("indexes");
    for (_, sql) in &indexes {
        progress.tick();
        connection.execute_batch(sql)?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    connection.execute_batch("PRAGMA journal_mode = WAL")?;
    Ok(())
}

fn insert_rows(connection: &mut Connection, rows: u64) -> Result<()> {
    const STEP: u64 = 10_000;
    let progress = ProgressBar::new(rows).with_style(progress_style()?);
    progress.set_message("rows");
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare(INSERT_ONE)?;
        for (index, row) in (1..).zip(Traffic::new(rows, now_ms()? - SPAN_MS, SPAN_MS)) {
            row.insert(&mut insert)?;
            if index % STEP == 0 {
                progress.set_position(index);
            }
        }
    }
    transaction.commit()?;
    progress.finish_and_clear();
    Ok(())
}

fn progress_style() -> Result<ProgressStyle> {
    Ok(ProgressStyle::with_template(
        "    a week's {msg}: {human_pos} of {human_len} {wide_bar} {eta}",
    )?)
}

/// The time behind the last row, in milliseconds since 1970: what is asked for ends there, however old the file is.
pub(super) fn end_ms(database: &Database) -> Result<u64> {
    let last: String = database.connection().query_row(
        "SELECT timestamp FROM tail_logs ORDER BY timestamp DESC, log_id DESC LIMIT 1",
        [],
        |row| row.get(0),
    )?;
    let last = chrono::DateTime::parse_from_rfc3339(&last)?;
    Ok(u64::try_from(last.timestamp_millis())? + 1)
}
