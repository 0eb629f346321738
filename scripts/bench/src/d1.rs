//! Writing D1 through the Workers binding, in every way that was considered, at several sizes of the table and on both
//! schemas; and the same rows with plain SQLite into the same file, which is as fast as it can get.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use checkout::Workspace;
use harness::SystemBuilder;
use log_record::limits::STATEMENT_PARAMETER_BYTES;
use rusqlite::Connection;
use serde_json::Value;

use crate::local::migrations;
use crate::number::number;
use crate::plan::{Plan, take_turns};
use crate::report::{Better, Report, Table};
use crate::rows::{Ids, Row, Rows};
use crate::workerd;

/// Ways of writing in the tables.
pub const BATCH: &str = "batch() of 100 inserts";
/// As log-writer does, with a fixed number of rows.
pub const JSON_1000: &str = "json_each, 1,000 rows a statement";
/// As log-writer does.
pub const LOG_WRITER: &str = "jsonb_each, 1 MB a statement (log-writer)";
/// As log-writer would where it is known to exist.
pub const JSONB_1000: &str = "jsonb_each, 1,000 rows a statement";
/// The limit.
pub const RAW: &str = "plain SQLite, no D1";

/// The schema of `migrations/`.
pub const LEAN: &str = "Tailrace's schema";
/// The schema of `migrations/0001` alone.
pub const DIRECT: &str = "the schema of migration 0001, UUID v4";

/// The case of a schema that holds `rows` rows.
#[must_use]
pub fn case(schema: &str, existing: u64) -> String {
    #[allow(clippy::cast_precision_loss)]
    let existing = number(existing as f64);
    format!("{schema}, {existing} rows")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Binding {
        method: &'static str,
        per: u64,
        /// Measured in an empty table alone.
        once: bool,
    },
    LogWriter,
    Raw,
}

const fn new_way(method: &'static str, per: u64, once: bool) -> Way {
    Way::Binding { method, per, once }
}

const WAYS: [(&str, Way); 11] = [
    (BATCH, new_way("batch", 100, false)),
    (
        "11 rows of VALUES (99 parameters)",
        new_way("values", 11, true),
    ),
    (
        "json_each, 100 rows a statement",
        new_way("json_each", 100, true),
    ),
    (
        "json_each, 500 rows a statement",
        new_way("json_each", 500, true),
    ),
    (JSON_1000, new_way("json_each", 1_000, false)),
    (
        "json_each, 5,000 rows a statement",
        new_way("json_each", 5_000, true),
    ),
    (
        "jsonb_each, 100 rows a statement",
        new_way("jsonb_each", 100, true),
    ),
    (JSONB_1000, new_way("jsonb_each", 1_000, true)),
    (
        "jsonb_each, 5,000 rows a statement",
        new_way("jsonb_each", 5_000, true),
    ),
    (LOG_WRITER, Way::LogWriter),
    (RAW, Way::Raw),
];

/// A database under measurement.
struct Place {
    binding: String,
    schema: &'static str,
    existing: u64,
    ids: Ids,
    connection: Connection,
    /// Existing rows are earlier, measured ones later.
    from_ms: u64,
    path: PathBuf,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Measures all ways in turn.
///
/// # Errors
/// Fails if a way fails, or loses or doubles rows.
pub fn measure(workspace: &Workspace, plan: &Plan, report: &mut Report) -> Result<()> {
    let largest = plan.existing_rows.last().copied().unwrap_or_default();
    let wanted: Vec<(String, &'static str, u64)> = plan
        .existing_rows
        .iter()
        .map(|rows| (format!("LEAN_{rows}"), LEAN, *rows))
        .chain([0, largest].map(|rows| (format!("DIRECT_{rows}"), DIRECT, rows)))
        .collect();
    let bindings = wanted.iter().fold(String::new(), |text, (name, _, _)| {
        text + "[[d1_databases]]\nbinding = \"" + name + "\"\ndatabase_name = \"" + name + "\"\n"
    });
    let mut builder = SystemBuilder::workers(&[])?;
    builder.add(&format!(
        "name = \"d1\"\nmain = \"{}\"\ncompatibility_date = \"{}\"\n{bindings}",
        workerd::bench_folder(workspace)
            .join("workers/d1.js")
            .display(),
        workerd::COMPATIBILITY_DATE
    ))?;
    let system = builder.start()?;

    for (name, _, _) in &wanted {
        let sql = format!("CREATE TABLE this_is_{name} (a)");
        run_statement(&system, name, &sql)?;
    }
    let files = find_databases(system.state())?;
    let mut places = Vec::new();
    for (binding, schema, existing) in wanted {
        let path = files
            .get(&binding)
            .context("a database has no file")?
            .clone();
        places.push(Place::prepare(workspace, binding, schema, existing, path)?);
    }

    let mut speed = Table::new(
        "d1-write",
        "Writing D1",
        "rows/s",
        Better::Higher,
        format!(
            "{} rows a sample (a fifth of it into the large table of migration 0001), through the Workers binding of \
             the local D1, into tables that hold the rows of the first column already; the rows are taken out again after each. Ratios are to batch() of 100 inserts on the same table.",
            plan.d1_rows
        ),
    );
    let mut billed = Table::new(
        "d1-billed",
        "Billed rows",
        "rows written/log",
        Better::Lower,
        "D1's own `meta.rows_written`, which is what it bills: the row and every index entry. One log in ten is a warning \
         or an error.",
    );
    for round in 0..=plan.d1_rounds {
        for &(name, way) in take_turns(&WAYS, round) {
            for place in &mut places {
                if !place.has_way(way) {
                    continue;
                }
                let rows = place.rows(plan);
                let (took, written) = place.take_sample(&system, way, rows, round as u64)?;
                if round > 0 {
                    #[allow(clippy::cast_precision_loss)]
                    let rows = rows as f64;
                    let case = case(place.schema, place.existing);
                    speed.add(&case, name, rows / took.as_secs_f64());
                    if let Some(written) = written
                        && place.existing == 0
                        && [BATCH, LOG_WRITER].contains(&name)
                    {
                        billed.add(place.schema, name, written / rows);
                    }
                }
            }
        }
    }
    let order = |case: &str| {
        places
            .iter()
            .position(|place| case == self::case(place.schema, place.existing))
    };
    speed.lines.sort_by_key(|line| order(&line.case));
    speed.compare_with(BATCH);
    report.tables.push(speed);
    billed.lines.sort_by_key(|line| line.case != LEAN);
    report.tables.push(billed);
    let mut sizes = Table::new(
        "d1-bytes",
        "Bytes a row takes",
        "B/row",
        Better::Lower,
        "The size of the SQLite file, indexes included, divided by its rows.",
    );
    for place in &places {
        if place.existing > 0 {
            let case = case(place.schema, place.existing);
            sizes.add(&case, "rows in time order", place.bytes_per_row()?);
        }
    }
    report.tables.push(sizes);
    Ok(())
}

fn run_statement(system: &harness::System, binding: &str, sql: &str) -> Result<()> {
    let (status, _, body) = system.request("POST", &format!("/run?db={binding}"), &[], sql)?;
    ensure!(status == 200, "{sql}: {status} {body}");
    Ok(())
}

/// The files of the local D1 databases under `state`, by the tables that were made to tell them apart.
fn find_databases(state: &Path) -> Result<HashMap<String, PathBuf>> {
    let mut found = HashMap::new();
    for entry in state.join("v3/d1/miniflare-D1DatabaseObject").read_dir()? {
        let path = entry?.path();
        if path.extension().is_none_or(|it| it != "sqlite") {
            continue;
        }
        let connection = Connection::open(&path)?;
        let mut names = connection
            .prepare("SELECT substr(name, 9) FROM sqlite_schema WHERE name LIKE 'this_is_%'")?;
        for name in names.query_map([], |row| row.get::<_, String>(0))? {
            found.insert(name?, path.clone());
        }
    }
    Ok(found)
}

/// Milliseconds since 1970.
///
/// # Errors
/// Fails if the clock stands before that.
pub(crate) fn now_ms() -> Result<u64> {
    Ok(u64::try_from(
        SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis(),
    )?)
}

impl Place {
    /// Applies the schema and fills the table.
    fn prepare(
        workspace: &Workspace,
        binding: String,
        schema: &'static str,
        existing: u64,
        path: PathBuf,
    ) -> Result<Self> {
        let connection = Connection::open(&path)?;
        connection.busy_timeout(Duration::from_secs(60))?;
        let mut files = migrations(workspace)?;
        if schema == DIRECT {
            files.truncate(1);
        }
        for file in files {
            connection.execute_batch(&fs::read_to_string(file)?)?;
        }
        let ids = if schema == DIRECT {
            Ids::Random
        } else {
            Ids::TimeOrdered
        };
        let from_ms = now_ms()?;
        let mut place = Self {
            binding,
            schema,
            existing,
            ids,
            connection,
            from_ms,
            path,
        };
        let span = 6 * DAY_MS;
        Rows::new(ids, existing, from_ms - span, span, existing)
            .insert_all(&mut place.connection, 20_000)?;
        place
            .connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(place)
    }

    fn has_way(&self, way: Way) -> bool {
        match way {
            Way::Binding { once, method, .. } => {
                (!once || self.existing == 0) && (self.schema == LEAN || method == "batch")
            }
            Way::LogWriter => self.schema == LEAN,
            Way::Raw => true,
        }
    }

    /// Returns the rows of a sample. Random keys in a large table touch other pages with every row: a few are enough.
    fn rows(&self, plan: &Plan) -> u64 {
        if self.schema == DIRECT && self.existing > 0 {
            plan.d1_rows / 5
        } else {
            plan.d1_rows
        }
    }

    /// Writes `rows` rows, checks that they are there once, and takes them out again. Returns how long writing took, and
    /// how many rows D1 bills for it.
    fn take_sample(
        &mut self,
        system: &harness::System,
        way: Way,
        rows: u64,
        seed: u64,
    ) -> Result<(Duration, Option<f64>)> {
        // Ten requests a second: what a table takes in between two rotations is far longer, but rows are as near in time.
        let new = Rows::new(self.ids, rows, self.from_ms, rows * 9, seed + 0x5eed);
        let (took, written) = match way {
            Way::Raw => {
                let started = Instant::now();
                new.insert_all(&mut self.connection, 1_000)?;
                (started.elapsed(), None)
            }
            Way::Binding { method, per, .. } => self.through_binding(system, method, per, new)?,
            Way::LogWriter => {
                let new: Vec<Row> = new.collect();
                let bytes: usize = new
                    .iter()
                    .map(|row| row.wire().map_or(0, |text| text.len() + 1))
                    .sum();
                let per = STATEMENT_PARAMETER_BYTES * new.len() / bytes.max(1);
                self.through_binding(system, "jsonb_each", per as u64, new.into_iter())?
            }
        };
        let since = crate::rows::timestamp(self.from_ms);
        let added = self.count(&since)?;
        ensure!(added == rows, "{rows} rows were written, {added} are there");
        self.connection
            .execute("DELETE FROM tail_logs WHERE timestamp >= ?1", [&since])?;
        Ok((took, written))
    }

    fn through_binding(
        &self,
        system: &harness::System,
        method: &str,
        per: u64,
        rows: impl Iterator<Item = Row>,
    ) -> Result<(Duration, Option<f64>)> {
        let rows = rows
            .map(|row| row.wire())
            .collect::<serde_json::Result<Vec<_>>>()?;
        let path = format!("/insert?db={}&method={method}&per={per}", self.binding);
        let (status, _, body) = system.request("POST", &path, &[], &rows.join("\n"))?;
        ensure!(
            status == 200,
            "{method}: {status} {body}\n{}",
            system.server.output_tail()
        );
        let answer: Value = serde_json::from_str(&body)?;
        let number = |name: &str| {
            answer
                .get(name)
                .and_then(Value::as_f64)
                .context("no number")
        };
        Ok((
            Duration::from_secs_f64(number("ms")? / 1e3),
            Some(number("rows_written")?),
        ))
    }

    fn count(&self, since: &str) -> Result<u64> {
        let count: i64 = self.connection.query_row(
            "SELECT count(*) FROM tail_logs WHERE timestamp >= ?1",
            [since],
            |row| row.get(0),
        )?;
        Ok(u64::try_from(count)?)
    }

    fn bytes_per_row(&self) -> Result<f64> {
        self.connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        let free: f64 = self.connection.query_row(
            "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size",
            [],
            |row| row.get(0),
        )?;
        #[allow(clippy::cast_precision_loss)]
        Ok((fs::metadata(&self.path)?.len() as f64 - free) / self.existing as f64)
    }
}
