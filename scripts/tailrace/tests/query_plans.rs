//! Every query the tool sends is served by an index: SQLite itself says so, on the project's own migrations.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::fmt::Write as _;

use rusqlite::Connection;
use tailrace::commands::stats::exceptions::exceptions;
use tailrace::commands::status::look::{archive_figures, newest_row};
use tailrace::query::Query;
use tailrace::sql::{self, IdColumn, Measure, Position, Statement};

fn database() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    support::rows::migrate(&db);
    db
}

fn plan(db: &Connection, statement: &Statement) -> Vec<String> {
    let mut query = db
        .prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql))
        .unwrap();
    for (index, param) in statement.params.iter().enumerate() {
        query.raw_bind_parameter(index + 1, param.as_str()).unwrap();
    }
    let mut rows = query.raw_query();
    let mut plan = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push(row.get(3).unwrap());
    }
    plan
}

/// All combinations of terms that may choose an index, each with terms that are judged row by row.
fn queries() -> Vec<String> {
    let mut queries = Vec::new();
    for worker in ["", "worker:a", "worker:a,b", "worker:a-*", "-worker:a"] {
        for level in [
            "",
            "level>=debug",
            "level>=info",
            "level>=warn",
            "level:warn",
            "level:error",
            "-level:error",
        ] {
            for id in [
                "",
                "correlation_id:c",
                "request_id:r",
                "correlation_id:c request_id:r",
            ] {
                for other in [
                    "",
                    "lower",
                    "Upper",
                    "-\"two words\"",
                    "id:0b0f",
                    "kind:exception",
                    "kind:log status:5xx path:/orders ms>=5 order.id:42",
                ] {
                    queries.push(format!("{worker} {level} {id} {other}"));
                }
            }
        }
    }
    queries
}

fn expected_index(query: &str) -> &'static str {
    let has = |term: &str| query.split(' ').any(|other| other == term);
    if has("correlation_id:c") {
        "tail_logs_by_correlation_id"
    } else if has("request_id:r") {
        "tail_logs_by_request_id"
    } else if has("level:warn") {
        "tail_logs_warnings"
    } else if has("level>=warn") || has("level:error") || has("kind:exception") {
        "tail_logs_errors"
    } else if has("worker:a") {
        "tail_logs_by_worker_name"
    } else {
        "PRIMARY KEY"
    }
}

/// No scan of the table and no temporary sort, and the index that is meant to serve it.
fn check(db: &Connection, statement: &Statement, index: &str, bounded_by_time: bool) {
    let plan = plan(db, statement);
    let text = plan.join("\n");
    assert!(
        !text.contains("SCAN tail_logs"),
        "{}\n{text}",
        statement.sql
    );
    assert!(!text.contains("TEMP B-TREE"), "{}\n{text}", statement.sql);
    let search = plan
        .iter()
        .find(|line| line.contains(index))
        .unwrap_or_else(|| panic!("not {index}: {}\n{text}", statement.sql));
    if bounded_by_time {
        assert!(
            search.contains("timestamp"),
            "not bounded by time: {}\n{text}",
            statement.sql
        );
    }
}

#[test]
fn each_query_is_served_by_an_index_in_its_order() {
    let db = database();
    let position = Position {
        timestamp: "2026-11-23T00:00:00.000Z".to_owned(),
        log_id: "x".to_owned(),
    };
    for text in queries() {
        let index = expected_index(&text);
        let query = Query::parse(&text).unwrap();
        for before in [None, Some(&position)] {
            check(&db, &sql::newest(&query, "0", "~", before, 10), index, true);
        }
        check(&db, &sql::oldest(&query, &position, "~", 10), index, true);
        check(
            &db,
            &sql::stored_since(&query, &position, "~", "2026-11-23 00:00:00", 10),
            index,
            true,
        );
    }
    check(
        &db,
        &sql::record(&position.timestamp, "x"),
        "PRIMARY KEY",
        true,
    );
    check(&db, &sql::oldest_timestamp(), "PRIMARY KEY", true);
    check(&db, &newest_row(), "PRIMARY KEY", true);
    let text = plan(&db, &archive_figures()).join("\n");
    let index = "archive_objects_by_stored_at";
    assert_eq!(text.matches(index).count(), 3, "{text}");
    for (column, index) in [
        (IdColumn::Correlation, "tail_logs_by_correlation_id"),
        (IdColumn::Request, "tail_logs_by_request_id"),
    ] {
        check(&db, &sql::ids_beginning(column, "0b0f", 11), index, false);
    }
    let requests = ["r".to_owned()];
    for statement in [
        sql::invocations(&requests),
        sql::other_records(&requests, "c", 9),
    ] {
        check(&db, &statement, "tail_logs_by_request_id", false);
    }
}

#[test]
fn the_histogram_of_each_query_reads_only_its_window() {
    let db = database();
    for text in queries() {
        let query = Query::parse(&text).unwrap();
        let statement = sql::counts(&query, "0", "1", 13);
        let plan = plan(&db, &statement);
        let all = plan.join("\n");
        assert!(!all.contains("SCAN tail_logs"), "{text}\n{all}");
        // Counting by groups sorts what it has found, and nothing else.
        let sorts = plan.iter().filter(|step| step.contains("TEMP B-TREE"));
        assert!(sorts.count() <= 1, "{text}\n{all}");
        let index = expected_index(&text);
        let search = plan.iter().find(|step| step.contains(index));
        assert!(
            search.is_some_and(|step| step.contains("timestamp")),
            "{text} not by {index}:\n{all}"
        );
    }
}

#[test]
fn the_catalog_is_read_by_key_or_by_the_time_of_storing() {
    let db = database();
    let by_key = "PRIMARY KEY (key>? AND key<?)";
    let text = ["a", "b", "c"].map(str::to_owned);
    for (statement, index) in [
        (sql::archive_objects("v1/", "v1/~", "0", None, 9), by_key),
        (
            sql::archive_objects("v1/", "v1/~", "0", Some("1"), 9),
            by_key,
        ),
        (sql::archive_objects_around(&[text], "1"), by_key),
        (
            sql::archive_objects_since("0", 9),
            "archive_objects_by_stored_at (stored_at>?)",
        ),
        (
            sql::which_are_rows(&[["a", "b"].map(str::to_owned)]),
            "PRIMARY KEY (timestamp=? AND log_id=?)",
        ),
    ] {
        let text = plan(&db, &statement).join("\n");
        assert!(text.contains(index), "{}\n{text}", statement.sql);
        for scan in [
            "SCAN o",
            "SCAN archive_objects",
            "SCAN tail_logs",
            "FOR ORDER BY",
        ] {
            assert!(!text.contains(scan), "{}\n{text}", statement.sql);
        }
    }
}

#[test]
fn what_stats_asks_reads_only_its_window() {
    let db = database();
    for (workers, index) in [
        (vec![], "PRIMARY KEY"),
        (vec!["a".to_owned()], "tail_logs_by_worker_name"),
        (vec!["a".to_owned(), "b".to_owned()], "PRIMARY KEY"),
    ] {
        let statements = [
            sql::levels(&workers, "0", "1"),
            sql::durations(Measure::Latency, &workers, "0", "1"),
            sql::durations(Measure::Cpu, &workers, "0", "1"),
        ];
        for statement in statements {
            let text = plan(&db, &statement).join("\n");
            assert!(text.contains(index) && text.contains("timestamp"), "{text}");
            assert!(!text.contains("SCAN tail_logs"), "{text}");
        }
        let text = plan(&db, &exceptions(&workers, "0", "1", 10)).join("\n");
        assert!(
            text.contains("tail_logs_errors") && text.contains("timestamp"),
            "{text}"
        );
    }
}

#[test]
fn nothing_a_user_writes_is_in_a_statement() {
    let evil = "x'; DROP TABLE tail_logs; --";
    let quoted = format!("\"{evil}\"");
    let mut text = format!("{quoted} path:{quoted} id:{quoted} level>=warn order.id:{quoted}");
    for field in ["worker", "correlation_id", "request_id"] {
        let _ = write!(text, " {field}:{quoted} -{field}:{quoted},{quoted}");
    }
    let query = Query::parse(&text).unwrap();
    let workers = vec![evil.to_owned(), evil.to_owned()];
    let position = Position {
        timestamp: evil.to_owned(),
        log_id: evil.to_owned(),
    };
    for statement in [
        sql::newest(&query, evil, evil, Some(&position), 1),
        sql::oldest(&query, &position, evil, 1),
        sql::stored_since(&query, &position, evil, evil, 1),
        sql::ids_beginning(IdColumn::Request, evil, 1),
        sql::invocations(&[evil.to_owned()]),
        sql::archive_objects(evil, evil, evil, Some(evil), 1),
        sql::archive_objects_around(&[[evil; 3].map(str::to_owned)], evil),
        sql::archive_objects_since(evil, 1),
        sql::which_are_rows(&[[evil; 2].map(str::to_owned)]),
        sql::other_records(&[evil.to_owned()], evil, 1),
        sql::levels(&workers, evil, evil),
        sql::durations(Measure::Cpu, &workers, evil, evil),
        exceptions(&workers, evil, evil, 1),
        sql::counts(&query, evil, evil, 13),
        sql::record(evil, evil),
    ] {
        assert!(!statement.sql.contains("DROP"), "{}", statement.sql);
        // And every parameter has its place.
        let db = database();
        let prepared = db.prepare(&statement.sql).unwrap();
        assert_eq!(prepared.parameter_count(), statement.params.len());
        assert!(statement.params.len() <= 100, "D1 takes at most 100");
    }
}
