//! Every query the tool sends is served by an index: SQLite itself says so, on the project's own migrations.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use log_record::Level;
use rusqlite::Connection;
use tailrace::sql::{self, Filter, IdColumn, Measure, Position, Statement};

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

/// All combinations of the filters, by what the command line can ask for.
fn filters() -> Vec<Filter> {
    let mut filters = Vec::new();
    let some = |text: &str| Some(text.to_owned());
    for workers in [
        vec![],
        vec!["a".to_owned()],
        vec!["a".to_owned(), "b".to_owned()],
    ] {
        for level in [
            None,
            Some(Level::Debug),
            Some(Level::Info),
            Some(Level::Warn),
            Some(Level::Error),
        ] {
            for correlation_id in [None, some("c")] {
                for request_id in [None, some("r")] {
                    for grep in [None, some("lower"), some("Upper")] {
                        filters.push(Filter {
                            workers: workers.clone(),
                            level,
                            correlation_id: correlation_id.clone(),
                            request_id: request_id.clone(),
                            grep,
                        });
                    }
                }
            }
        }
    }
    filters
}

fn expected_index(filter: &Filter) -> &'static str {
    if filter.correlation_id.is_some() {
        "tail_logs_by_correlation_id"
    } else if filter.request_id.is_some() {
        "tail_logs_by_request_id"
    } else if filter.level >= Some(Level::Warn) {
        "tail_logs_errors"
    } else if filter.workers.len() == 1 {
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
    for filter in filters() {
        let index = expected_index(&filter);
        for before in [None, Some(&position)] {
            check(
                &db,
                &sql::newest(&filter, "0", "~", before, 10),
                index,
                true,
            );
        }
        check(&db, &sql::oldest(&filter, &position, "~", 10), index, true);
        check(
            &db,
            &sql::stored_since(&filter, &position, "~", "2026-11-23 00:00:00", 10),
            index,
            true,
        );
    }
    check(&db, &sql::oldest_timestamp(), "PRIMARY KEY", true);
    for (column, index) in [
        (IdColumn::Correlation, "tail_logs_by_correlation_id"),
        (IdColumn::Request, "tail_logs_by_request_id"),
    ] {
        check(&db, &sql::ids_beginning(column, "0b0f", 11), index, false);
    }
    let objects = sql::archive_objects(&["key"], "v1/", "v1/~", "0", 9);
    let text = plan(&db, &objects).join("\n");
    assert!(text.contains("PRIMARY KEY (key>? AND key<?)"), "{text}");
    assert!(!text.contains("TEMP B-TREE"), "{text}");
    let requests = ["r".to_owned()];
    for statement in [
        sql::invocations(&requests),
        sql::other_records(&requests, "c", 9),
    ] {
        check(&db, &statement, "tail_logs_by_request_id", false);
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
        let text = plan(&db, &sql::exceptions(&workers, "0", "1", 10)).join("\n");
        assert!(
            text.contains("tail_logs_errors") && text.contains("timestamp"),
            "{text}"
        );
    }
}

#[test]
fn nothing_a_user_writes_is_in_a_statement() {
    let evil = "x'; DROP TABLE tail_logs; --";
    let filter = Filter {
        workers: vec![evil.to_owned(), evil.to_owned()],
        level: Some(Level::Warn),
        correlation_id: Some(evil.to_owned()),
        request_id: Some(evil.to_owned()),
        grep: Some(evil.to_owned()),
    };
    let position = Position {
        timestamp: evil.to_owned(),
        log_id: evil.to_owned(),
    };
    let workers = filter.workers.clone();
    for statement in [
        sql::newest(&filter, evil, evil, Some(&position), 1),
        sql::oldest(&filter, &position, evil, 1),
        sql::stored_since(&filter, &position, evil, evil, 1),
        sql::ids_beginning(IdColumn::Request, evil, 1),
        sql::invocations(&[evil.to_owned()]),
        sql::archive_objects(&["key"], evil, evil, evil, 1),
        sql::other_records(&[evil.to_owned()], evil, 1),
        sql::levels(&workers, evil, evil),
        sql::durations(Measure::Cpu, &workers, evil, evil),
        sql::exceptions(&workers, evil, evil, 1),
    ] {
        assert!(!statement.sql.contains("DROP"), "{}", statement.sql);
        // And every parameter has its place.
        let db = database();
        let prepared = db.prepare(&statement.sql).unwrap();
        assert_eq!(prepared.parameter_count(), statement.params.len());
        assert!(statement.params.len() <= 100, "D1 takes at most 100");
    }
}
