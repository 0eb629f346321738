//! The cost of a log in counts, which no machine changes: rows written, messages, bytes on the queue. The bench measures
//! the same in the runtime; times are measured there alone.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss
)]

use std::fs;
use std::path::Path;

use bench::rows::{Ids, Rows};
use log_writer::statement::inserts;
use rusqlite::Connection;
use serde_json::json;

fn migrated() -> Connection {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "sql"))
        .collect();
    files.sort();
    let connection = Connection::open_in_memory().unwrap();
    for file in files {
        connection
            .execute_batch(&fs::read_to_string(file).unwrap())
            .unwrap();
    }
    connection
}

/// D1 bills a row written for the row and for each index entry.
#[test]
fn a_log_is_billed_as_at_most_four_rows_and_a_fifth() {
    const ROWS: u32 = 4_000;
    let connection = migrated();
    let rows: Vec<String> = Rows::new(Ids::TimeOrdered, ROWS.into(), 1_795_000_000_000, 60_000, 1)
        .map(|row| row.wire().unwrap())
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    for statement in inserts(&rows) {
        connection
            .execute(statement.sql, [&statement.parameters[0]])
            .unwrap();
    }
    let stored: u32 = connection
        .query_row("SELECT count(*) FROM tail_logs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(stored, ROWS);

    // `ANALYZE` says how many entries each index has; the table itself is one of them.
    connection.execute_batch("ANALYZE").unwrap();
    let entries: u32 = connection
        .prepare("SELECT stat FROM sqlite_stat1 WHERE tbl = 'tail_logs'")
        .unwrap()
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .map(|stat| {
            stat.unwrap()
                .split(' ')
                .next()
                .unwrap()
                .parse::<u32>()
                .unwrap()
        })
        .sum();
    let written = f64::from(entries) / f64::from(ROWS);
    assert!(
        (4.0..=4.2).contains(&written),
        "{written} rows written a log"
    );
}

/// A request's trace event with `lines` structured lines of about 240 bytes.
fn event(lines: usize) -> Vec<u8> {
    let logs: Vec<_> = (0..lines)
        .map(|index| {
            let line = json!({
                "level": "info",
                "message": format!("order {index} was priced for customer {}", index * 7_919),
                "correlation_id": "83cbdf7c-4934-47a2-a622-0a3e007ba558",
                "context": {"order_id": index, "customer": format!("c-{index}"), "amount_cents": index * 31,
                            "currency": "EUR", "retries": 1, "cached": true},
            });
            json!({"timestamp": 1_795_468_384_480_u64, "level": "log", "message": [line.to_string()]})
        })
        .collect();
    let event = json!([{
        "event": {"request": {"url": "https://orders.example.com/orders", "method": "POST",
                              "headers": {"accept": "*/*", "user-agent": "Mozilla/5.0"}},
                  "response": {"status": 202}},
        "eventTimestamp": 1_795_468_384_480_u64, "scriptName": "orders-api", "outcome": "ok", "cpuTime": 3,
        "wallTime": 41, "truncated": false, "executionModel": "stateless", "logs": logs, "exceptions": [],
        "diagnosticsChannelEvents": [],
    }]);
    event.to_string().into_bytes()
}

#[test]
fn a_call_is_one_message_until_it_does_not_fit() {
    for (lines, messages, bytes_per_log) in
        [(1, 1, 1_000), (10, 1, 500), (100, 1, 460), (1_000, 4, 460)]
    {
        let settings = tail_ingest::Settings::default();
        let made = tail_ingest::normalize_and_pack(&event(lines), &settings, 1, 0).unwrap();
        let records: usize = made.bodies.iter().map(|body| body.records).sum();
        assert_eq!(records, lines + 1);
        assert_eq!(made.bodies.len(), messages, "{lines} lines");
        let bytes: usize = made.bodies.iter().map(|body| body.text.len()).sum();
        assert!(
            bytes / lines <= bytes_per_log,
            "{} bytes a log at {lines} lines",
            bytes / lines
        );
    }
}
