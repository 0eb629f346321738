//! The cost of the archive in counts, which no machine changes: billed rows, and writes to R2, at full batches of requests
//! with ten lines each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use common::*;
use log_record::archive::Rows;
use log_writer::batch::Verdict::Ack;
use log_writer::message::Message;
use log_writer::settings::Settings;

/// Requests of a batch: one message each.
const REQUESTS: u64 = 100;

/// Batches that are processed.
const BATCHES: u64 = 10;

/// Lines of a request, beside its invocation.
const LINES: u64 = 10;

/// Lines in all.
const LOGS: u64 = BATCHES * REQUESTS * LINES;

/// A batch of requests, in which one line of `share` is a warning or an error.
fn batch(number: u64, share: u64) -> Vec<Message> {
    let request = |request: u64| {
        let record = |n: u64| {
            let line = request * LINES + n;
            let level = match line % share {
                0 if n > 0 => ["warn", "error"][usize::try_from(line / share % 2).unwrap()],
                _ => "info",
            };
            let kind = if n == 0 { "invocation" } else { "log" };
            format!(
                r#"["{}","shop","ray-{request}","order-{request}","{level}","{}",{{"kind":"{kind}","seq":{n}}},"2026-11-23T17:{:02}:00.000Z",1]"#,
                id(request * 100 + n),
                "x".repeat(250),
                number % 60
            )
        };
        let records: Vec<String> = (0..=LINES).map(record).collect();
        message(usize::try_from(request).unwrap(), 1, envelope(&records))
    };
    (number * REQUESTS..(number + 1) * REQUESTS)
        .map(request)
        .collect()
}

/// The rows of `table`, and the entries that it has in its indexes.
fn entries(world: &World, table: &str) -> (u64, u64) {
    let count = |sql: &str| world.store.number(sql);
    let rows = count(&format!("SELECT COUNT(*) FROM {table}"));
    let indexes: Vec<(String, String)> = {
        let connection = world.store.connection.borrow();
        let mut indexes = connection
            .prepare(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL",
            )
            .unwrap();
        let indexes = indexes.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)));
        indexes.unwrap().map(Result::unwrap).collect()
    };
    let entries = indexes.iter().map(|(name, sql)| {
        let condition = sql.split_once(" WHERE ").map_or("TRUE", |(_, it)| it);
        count(&format!(
            "SELECT COUNT(*) FROM {table} INDEXED BY {name} WHERE {condition}"
        ))
    });
    (rows, entries.sum())
}

/// Returns the billed rows of a thousand logs, written and deleted, and the objects of a million.
async fn cost(rows: Rows, share: u64) -> (u64, u64) {
    let world = archiving_world();
    let settings = Settings {
        rows,
        ..Settings::default()
    };
    for number in 0..BATCHES {
        let (verdicts, _) = world.process(&settings, &batch(number, share)).await;
        assert!(verdicts.iter().all(|verdict| *verdict == Ack));
    }
    let (logs, log_entries) = entries(&world, "tail_logs");
    let (objects, object_entries) = entries(&world, "archive_objects");
    assert_eq!(objects, world.bucket.calls.get());
    // D1 bills an insert for its row and for each index entry, and a delete for its row alone.
    let written = logs + log_entries + objects + object_entries;
    let deleted = logs + objects;
    (
        (written + deleted) * 1_000 / LOGS,
        objects * 1_000_000 / LOGS,
    )
}

#[tokio::test(start_paused = true)]
async fn an_index_costs_a_fraction_of_the_billed_rows() {
    let (all, _) = cost(Rows::All, 10).await;
    assert!((5_500..=5_700).contains(&all), "{all}");
    let (index, _) = cost(Rows::Index, 10).await;
    assert!(index <= 1_300, "{index} a thousand logs, one in ten");
    let (index, _) = cost(Rows::Index, 100).await;
    assert!(index <= 750, "{index} a thousand logs, one in a hundred");
}

#[tokio::test(start_paused = true)]
async fn a_million_logs_are_at_most_2000_writes_to_r2() {
    for rows in [Rows::All, Rows::Index] {
        let (_, objects) = cost(rows, 10).await;
        assert!(objects <= 2_000, "{objects}");
    }
}
