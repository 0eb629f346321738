//! The bytes, rows and objects that a log takes, counted with the Workers' own code and a SQLite of the same schema, at ten
//! lines a request. No machine changes them: the bench and a test count alike.

use std::fs;
use std::io::Write as _;

use anyhow::{Context, Result};
use checkout::Workspace;
use flate2::{Compression, write::GzEncoder};
use log_record::archive::{ObjectKey, Rows, write_line};
use log_record::{Envelope, RecordView};
use log_writer::archive::choose_rows;
use log_writer::statement::{INSERT_OBJECTS, inserts};
use rusqlite::Connection;
use serde_json::json;

use crate::counted::{Counted, TABLE};
use crate::local::migrations;
use crate::report::{Better, Report, Table};
use crate::requests::Requests;

/// Lines of a request.
const LINES: u64 = 10;

/// The number of lines to one warning or error.
const ONE_IN: u64 = 10;

/// Requests that are counted.
const REQUESTS: usize = 2_000;

/// Messages of a full batch.
const FULL_BATCH: usize = 100;

/// Rows of the catalog that is weighed.
const OBJECTS: u64 = 2_000;

/// The level of gzip that the runtime's `CompressionStream` has.
const GZIP_LEVEL: u32 = 6;

/// Counts, and adds a table of what was counted.
///
/// # Errors
/// Fails if the Workers' code refuses what it is given.
pub fn measure(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let counted = count(workspace)?;
    let mut table = Table::new(
        TABLE,
        "What a log takes",
        "",
        Better::Lower,
        format!(
            "{REQUESTS} requests of {LINES} lines of about 250 bytes, one line in {ONE_IN} a warning or an error, through \
             tail-ingest's and log-writer's own code into SQLite and gzip. Counts, which are the same on every machine.",
        ),
    );
    for (name, value) in counted.named()? {
        table.add("", &name, value);
    }
    report.tables.push(table);
    Ok(())
}

/// Counts.
///
/// # Errors
/// Fails if the Workers' code refuses what it is given.
pub fn count(workspace: &Workspace) -> Result<Counted> {
    let requests: Vec<_> = Requests::new(LINES, ONE_IN).take(REQUESTS).collect();
    let text_bytes: usize = requests.iter().map(|request| request.text_bytes).sum();
    let bodies = requests
        .iter()
        .map(|request| pack_events(&request.events))
        .collect::<Result<Vec<String>>>()?;
    let alone = Requests::new(0, ONE_IN)
        .take(REQUESTS)
        .map(|request| Ok(pack_events(&request.events)?.len()))
        .sum::<Result<usize>>()?;
    let queue_bytes: usize = bodies.iter().map(String::len).sum();

    let all = measure_rows(workspace, &bodies, Rows::All)?;
    let index = measure_rows(workspace, &bodies, Rows::Index)?;
    let (catalog_bytes, written_per_object) = weigh_catalog(workspace)?;
    let [requests, logs] = [REQUESTS, REQUESTS * 10].map(to_float);
    Ok(Counted {
        line_bytes: to_float(text_bytes) / logs,
        record_bytes: (to_float(queue_bytes) - to_float(alone) - to_float(text_bytes)) / logs,
        invocation_bytes: to_float(alone) / requests,
        row_bytes_all: all.bytes_beside_records,
        row_bytes_index: index.bytes_beside_records,
        written_per_row: all.written_per_row,
        written_per_warning: all.written_per_warning,
        written_per_object,
        catalog_bytes,
        archived_bytes_full: weigh_objects(&bodies, FULL_BATCH)? / logs,
        archived_bytes_single: weigh_objects(&bodies, 1)? / logs,
    })
}

/// The cost of rows.
struct RowCost {
    /// Bytes of the database, for each row, besides the records as they were on the queue.
    bytes_beside_records: f64,
    /// Rows written that D1 bills for any row: itself and its entries in the indexes that every row is in.
    written_per_row: f64,
    /// The same for a warning or an error, beside those.
    written_per_warning: f64,
}

/// Returns the message that tail-ingest makes of `events`.
fn pack_events(events: &[u8]) -> Result<String> {
    let settings = tail_ingest::Settings::default();
    let made = tail_ingest::normalize_and_pack(events, &settings, 1, 0)
        .map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let [body] = made.bodies.as_slice() else {
        anyhow::bail!("{} messages, not one", made.bodies.len());
    };
    Ok(body.text.clone())
}

fn decode_records(body: &str) -> Result<Envelope<'_>> {
    Envelope::decode(body).map_err(|error| anyhow::anyhow!("{error}"))
}

fn open_migrated(workspace: &Workspace) -> Result<Connection> {
    let connection = Connection::open_in_memory()?;
    for file in migrations(workspace)? {
        connection.execute_batch(&fs::read_to_string(file)?)?;
    }
    Ok(connection)
}

fn used_bytes(connection: &Connection) -> Result<f64> {
    Ok(connection.query_row(
        "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        [],
        |row| row.get(0),
    )?)
}

/// Stores the records of `bodies` that become rows.
fn measure_rows(workspace: &Workspace, bodies: &[String], choice: Rows) -> Result<RowCost> {
    let connection = open_migrated(workspace)?;
    let empty = used_bytes(&connection)?;
    let mut record_bytes = 0;
    for batch in bodies.chunks(FULL_BATCH) {
        let envelopes = batch
            .iter()
            .map(|body| decode_records(body))
            .collect::<Result<Vec<_>>>()?;
        let mut chosen: Vec<&str> = Vec::new();
        for envelope in &envelopes {
            let are_rows = choose_rows(&envelope.records, choice);
            let records = envelope.records.iter().zip(are_rows);
            chosen.extend(
                records
                    .filter(|(_, is_row)| *is_row)
                    .map(|(it, _)| it.raw()),
            );
        }
        record_bytes += chosen.iter().map(|record| record.len()).sum::<usize>();
        for statement in inserts(&chosen) {
            connection.execute(
                statement.sql,
                rusqlite::params_from_iter(statement.parameters),
            )?;
        }
    }
    let count = |condition: &str| -> Result<f64> {
        let sql = format!("SELECT count(*) FROM tail_logs WHERE {condition}");
        Ok(connection.query_row(&sql, [], |row| row.get(0))?)
    };
    let rows = count("true")?;
    let warnings = count("log_level IN ('warn', 'error')")?;
    let bytes = used_bytes(&connection)? - empty - to_float(record_bytes);
    let indexes = index_entries(&connection, "tail_logs")?;
    let (whole, partial): (Vec<f64>, Vec<f64>) =
        indexes.iter().partition(|entries| **entries >= rows);
    Ok(RowCost {
        bytes_beside_records: bytes / rows,
        written_per_row: whole.iter().sum::<f64>() / rows,
        written_per_warning: partial.iter().sum::<f64>() / warnings,
    })
}

/// Returns the entries of each index of `table`, the table itself among them: `ANALYZE` counts them.
fn index_entries(connection: &Connection, table: &str) -> Result<Vec<f64>> {
    connection.execute_batch("ANALYZE")?;
    let mut entries = connection.prepare("SELECT stat FROM sqlite_stat1 WHERE tbl = ?1")?;
    let entries = entries.query_map([table], |row| row.get::<_, String>(0))?;
    entries
        .map(|stat| {
            let stat = stat?;
            let first = stat.split(' ').next().context("no count")?;
            Ok(first.parse()?)
        })
        .collect()
}

/// Returns the bytes of a row of the catalog, and the rows written that D1 bills for it.
fn weigh_catalog(workspace: &Workspace) -> Result<(f64, f64)> {
    let connection = open_migrated(workspace)?;
    let empty = used_bytes(&connection)?;
    for number in 0..OBJECTS {
        let first = crate::rows::timestamp(1_795_468_384_480 + number * 5_000);
        let last = crate::rows::timestamp(1_795_468_384_480 + number * 5_000 + 4_900);
        let key = ObjectKey {
            first_timestamp: &first,
            last_timestamp: &last,
            digest: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        };
        let counts = json!({"orders-api": {"info": 990, "warn": 55, "error": 55}, "queue-consumer": {"info": 400}});
        let row = json!([[
            key.to_string(),
            first,
            last,
            60_000,
            "index",
            counts.to_string()
        ]]);
        connection.execute(INSERT_OBJECTS, [row.to_string()])?;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let objects = OBJECTS as f64;
    let written: f64 = index_entries(&connection, "archive_objects")?.iter().sum();
    Ok((
        (used_bytes(&connection)? - empty) / objects,
        written / objects,
    ))
}

/// Returns the bytes of the objects of all `bodies`, one object for each `batch` of them.
fn weigh_objects(bodies: &[String], batch: usize) -> Result<f64> {
    let mut bytes = 0;
    for bodies in bodies.chunks(batch) {
        let mut lines = String::new();
        for body in bodies {
            for record in &decode_records(body)?.records {
                let record: &RecordView<'_> = record;
                write_line(&mut lines, record);
            }
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
        gzip.write_all(lines.as_bytes())?;
        bytes += gzip.finish()?.len();
    }
    Ok(to_float(bytes))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn to_float(count: usize) -> f64 {
    count as f64
}
