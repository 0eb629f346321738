//! The schema keeps its promises: every query in `migrations/README.md` uses an index and sorts nothing, a log costs at
//! most 4.2 billed row writes, and the migration keeps what is stored.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use common::MIGRATIONS;
use log_writer::statement::{COUNT_BEFORE, DELETE_BEFORE, INSERT, NTH_OLDEST, before_3_51};
use rusqlite::Connection;

const ASCENDING: &str = "ORDER BY timestamp, log_id";
const DESCENDING: &str = "ORDER BY timestamp DESC, log_id DESC LIMIT 100";

fn migrated() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for migration in MIGRATIONS {
        connection.execute_batch(migration).unwrap();
    }
    connection
}

/// The plan of `sql` with `parameters`, one step a line.
fn plan(connection: &Connection, sql: &str, parameters: &[&str]) -> String {
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let count = statement.parameter_count();
    let parameters = parameters.iter().chain(std::iter::repeat(&"x")).take(count);
    let steps = statement
        .query_map(rusqlite::params_from_iter(parameters), |row| {
            row.get::<_, String>(3)
        })
        .unwrap();
    steps.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_query_is_served_by_its_index_without_a_scan_or_a_sort() {
    let connection = migrated();
    let queries: &[(&str, &[&str], &str)] = &[
        ("timestamp >= ?1 AND timestamp < ?2", &[], "PRIMARY KEY"),
        ("timestamp >= ?1", &[], "PRIMARY KEY"),
        (
            "(timestamp, log_id) > (?1, ?2) AND timestamp < ?3",
            &[],
            "PRIMARY KEY",
        ),
        ("timestamp = ?1 AND log_id = ?2", &[], "PRIMARY KEY"),
        ("correlation_id = ?1", &[], "tail_logs_by_correlation_id"),
        (
            "correlation_id = ?1 AND timestamp >= ?2",
            &[],
            "tail_logs_by_correlation_id",
        ),
        ("request_id = ?1", &[], "tail_logs_by_request_id"),
        (
            "worker_name = ?1 AND timestamp >= ?2",
            &[],
            "tail_logs_by_worker_name",
        ),
        (
            "worker_name = ?1 AND log_level = ?2 AND timestamp >= ?3",
            &["w", "info"],
            "tail_logs_by_worker_name",
        ),
        (
            "worker_name = ?1 AND (timestamp, log_id) > (?2, ?3)",
            &[],
            "tail_logs_by_worker_name",
        ),
        (
            "log_level = 'error' AND timestamp >= ?1",
            &[],
            "tail_logs_errors",
        ),
        (
            "log_level = 'warn' AND timestamp >= ?1",
            &[],
            "tail_logs_warnings",
        ),
        (
            "log_level = ?1 AND timestamp >= ?2",
            &["error"],
            "tail_logs_errors",
        ),
        (
            "log_level = ?1 AND timestamp >= ?2",
            &["warn"],
            "tail_logs_warnings",
        ),
        (
            "log_level = 'error' AND +worker_name = ?1 AND timestamp >= ?2",
            &[],
            "tail_logs_errors",
        ),
        ("log_level = 'info' AND timestamp >= ?1", &[], "PRIMARY KEY"),
        (
            "log_level = ?1 AND timestamp >= ?2",
            &["debug"],
            "PRIMARY KEY",
        ),
    ];
    for (condition, parameters, index) in queries {
        for order in [ASCENDING, DESCENDING] {
            let sql = format!("SELECT * FROM tail_logs WHERE {condition} {order}");
            let plan = plan(&connection, &sql, parameters);
            assert!(plan.starts_with("SEARCH tail_logs USING"), "{sql}\n{plan}");
            assert!(plan.contains(index), "{sql}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}

#[test]
fn warnings_and_errors_together_are_merged_not_sorted() {
    let one =
        |level| format!("SELECT * FROM tail_logs WHERE log_level = '{level}' AND timestamp >= ?1");
    let sql = format!(
        "SELECT * FROM ({} UNION ALL {}) {DESCENDING}",
        one("error"),
        one("warn")
    );
    let plan = plan(&migrated(), &sql, &[]);
    assert!(plan.starts_with("MERGE (UNION ALL)"), "{plan}");
    assert!(
        !plan.contains("TEMP B-TREE") && !plan.contains("SCAN"),
        "{plan}"
    );
}

#[test]
fn statistics_read_the_window_and_no_more() {
    let sql = "SELECT worker_name, COUNT(*) FROM tail_logs WHERE timestamp >= ?1 AND timestamp < ?2 \
               AND context_json LIKE '{\"kind\":\"invocation\",%' GROUP BY worker_name";
    let plan = plan(&migrated(), sql, &[]);
    assert!(
        plan.starts_with("SEARCH tail_logs USING PRIMARY KEY (timestamp>? AND timestamp<?)"),
        "{plan}"
    );
}

/// A time range, the objects around each of several times, the news since the last look, and what has expired.
#[test]
fn the_catalog_is_searched_by_its_key_and_by_age() {
    let connection = migrated();
    for (sql, index) in [
        (
            "SELECT * FROM archive_objects WHERE key BETWEEN ?1 AND ?2 AND last_timestamp >= ?3 ORDER BY key",
            "SEARCH archive_objects USING PRIMARY KEY (key>? AND key<?)",
        ),
        (
            "SELECT DISTINCT o.* FROM json_each(?1) AS r CROSS JOIN archive_objects AS o \
             ON o.key BETWEEN r.value->>0 AND r.value->>1 AND o.last_timestamp >= r.value->>2",
            "SEARCH o USING PRIMARY KEY (key>? AND key<?)",
        ),
        (
            "SELECT * FROM archive_objects WHERE stored_at >= ?1 ORDER BY stored_at, key",
            "SEARCH archive_objects USING INDEX archive_objects_by_stored_at (stored_at>?)",
        ),
    ] {
        let plan = plan(&connection, sql, &["[]"]);
        assert!(plan.contains(index), "{sql}\n{plan}");
        assert!(
            !plan.contains("SCAN o") && !plan.contains("SCAN archive"),
            "{plan}"
        );
        assert!(!plan.contains("FOR ORDER BY"), "{plan}");
    }
}

#[test]
fn the_rotation_and_the_inserts_search_by_key() {
    let connection = migrated();
    for sql in [NTH_OLDEST, DELETE_BEFORE, COUNT_BEFORE] {
        let plan = plan(&connection, sql, &[]);
        assert!(
            plan.contains("SEARCH tail_logs USING PRIMARY KEY"),
            "{sql}\n{plan}"
        );
        assert!(
            !plan.contains("SCAN tail_logs") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }
    for sql in [INSERT, before_3_51(INSERT)] {
        let plan = plan(&connection, sql, &["[]"]);
        assert!(
            plan.starts_with("SCAN json") && plan.ends_with("_each VIRTUAL TABLE INDEX 1:"),
            "{plan}"
        );
    }
}

/// D1 bills the row and each index entry. One log in ten is a warning or an error.
#[test]
fn a_log_costs_at_most_4_2_row_writes() {
    let connection = migrated();
    let rows: Vec<String> = (0..1000)
        .map(|n| {
            let level = ["error", "info", "info", "info", "info"][n % 5];
            let level = if n % 10 == 5 { "info" } else { level };
            common::row(n as u64, level)
        })
        .collect();
    let inserted = connection
        .execute(INSERT, [format!("[{}]", rows.join(","))])
        .unwrap();
    assert_eq!(inserted, 1000);
    let mut written = inserted as u64;
    let mut indexes = connection
        .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'tail_logs' AND sql IS NOT NULL")
        .unwrap();
    let indexes = indexes
        .query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })
        .unwrap();
    for (name, sql) in indexes.map(Result::unwrap) {
        let condition = sql
            .split_once(" WHERE ")
            .map_or("TRUE", |(_, condition)| condition);
        let count = format!("SELECT COUNT(*) FROM tail_logs INDEXED BY {name} WHERE {condition}");
        written += connection
            .query_row(&count, [], |row| row.get::<_, u64>(0))
            .unwrap();
    }
    assert_eq!(written, 4100);
}

#[test]
fn the_lean_schema_keeps_every_column_and_row() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(MIGRATIONS[0]).unwrap();
    for n in (0..50).rev() {
        connection
            .execute(
                "INSERT INTO tail_logs VALUES (?1, 'w', 'r', NULL, 'info', 'line' || char(0), '{\"a\":1.50}', ?2, ?1, 'then')",
                (n, format!("2026-11-23T00:00:{:02}.000Z", n % 10)),
            )
            .unwrap();
    }
    let all = |connection: &Connection| -> Vec<Vec<rusqlite::types::Value>> {
        let mut statement = connection
            .prepare(
                "SELECT log_id, worker_name, request_id, correlation_id, log_level, message, \
                 context_json, timestamp, execution_time_ms, created_at FROM tail_logs ORDER BY log_id",
            )
            .unwrap();
        let rows = statement
            .query_map([], |row| (0..10).map(|n| row.get(n)).collect())
            .unwrap();
        rows.map(Result::unwrap).collect()
    };
    let before = all(&connection);
    connection.execute_batch(MIGRATIONS[1]).unwrap();
    assert_eq!(before.len(), 50);
    assert_eq!(all(&connection), before);
    let columns = "SELECT group_concat(name || type || \"notnull\" || ifnull(dflt_value, '')) \
                   FROM pragma_table_info('tail_logs')";
    let lean: String = connection.query_row(columns, [], |row| row.get(0)).unwrap();
    let first = Connection::open_in_memory().unwrap();
    first.execute_batch(MIGRATIONS[0]).unwrap();
    let first: String = first.query_row(columns, [], |row| row.get(0)).unwrap();
    // The key's column may not be NULL in a table without rowid.
    assert_eq!(lean, first.replace("log_idTEXT0", "log_idTEXT1"));
}
