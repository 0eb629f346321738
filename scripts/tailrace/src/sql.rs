//! Every query, with bound parameters. `migrations/README.md` has the index behind each shape, and `tests/query_plans.rs`
//! proves that SQLite takes it: never a scan of the table, never a sort for an order.
//!
//! Parameters are text, which is what the REST API takes; where SQLite wants a number the statement casts. A unary `+`
//! keeps SQLite from choosing a column's index where another index is the better one.

mod archive;
mod counts;

use std::fmt::Write as _;

use crate::query::to_sql::Params;
use crate::query::{Access, Query};
use crate::record::COLUMNS;
pub use crate::record::{FIRST_TIME, LAST_TIME, Position};
pub use archive::{
    OBJECT_COLUMNS, archive_objects, archive_objects_around, archive_objects_since, which_are_rows,
};
pub use counts::counts;

/// A statement and its parameters: `?1` is the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// SQL text; nothing a user wrote is in it.
    pub sql: String,
    /// The values, in order.
    pub params: Vec<String>,
}

impl Params {
    /// The rows after `position`, in the order of all rows.
    fn after(&mut self, position: &Position) -> String {
        self.compare(">", position)
    }

    /// The rows before `position`.
    fn before(&mut self, position: &Position) -> String {
        self.compare("<", position)
    }

    fn compare(&mut self, operator: &str, position: &Position) -> String {
        format!(
            "(timestamp, log_id) {operator} ({}, {})",
            self.bind(&position.timestamp),
            self.bind(&position.log_id)
        )
    }

    /// `sql` with these parameters, ordered, and at most `limit` rows of it.
    fn limited(mut self, sql: &str, order: &str, limit: usize) -> Statement {
        let limit = self.bind(limit.to_string());
        Statement {
            sql: format!("{sql} ORDER BY {order} LIMIT CAST({limit} AS INTEGER)"),
            params: self.0,
        }
    }
}

/// The conditions of `query` and `conditions`, as one or two `WHERE` bodies: two where warnings and errors come from an
/// index each. `select` is put before every body. One term chooses the index; the others are judged row by row.
fn source(select: &str, query: &Query, conditions: &[String], params: &mut Params) -> String {
    let (access, served) = query.access();
    let body = |index: &str, others: &[String]| {
        let index = (!index.is_empty()).then(|| index.to_owned());
        let all: Vec<_> = index.iter().chain(others).map(String::as_str).collect();
        format!("SELECT {select} FROM tail_logs WHERE {}", all.join(" AND "))
    };
    let index = match &access {
        Access::CorrelationId(id) => format!("correlation_id = {}", params.bind(id)),
        Access::RequestId(id) => format!("request_id = {}", params.bind(id)),
        Access::Worker(name) => format!("worker_name = {}", params.bind(name)),
        Access::Levels(_) | Access::Time => String::new(),
    };
    // The cheap ones first.
    let mut others = conditions.to_vec();
    others.extend(query.conditions(served, params).0);
    let Access::Levels(levels) = access else {
        return body(&index, &others);
    };
    let bodies: Vec<_> = levels
        .iter()
        .map(|level| body(&format!("log_level = '{}'", level.as_str()), &others))
        .collect();
    match bodies.as_slice() {
        [only] => only.clone(),
        _ => format!("SELECT {select} FROM ({})", bodies.join(" UNION ALL ")),
    }
}

/// The newest rows in `[from, to)`, newest first, at most `limit`; only those before `before`, where a page was read
/// already.
#[must_use]
pub fn newest(
    query: &Query,
    from: &str,
    to: &str,
    before: Option<&Position>,
    limit: usize,
) -> Statement {
    let mut params = Params::default();
    let conditions = [
        format!("timestamp >= {}", params.bind(from)),
        match before {
            None => format!("timestamp < {}", params.bind(to)),
            Some(position) => params.before(position),
        },
    ];
    let source = source(COLUMNS, query, &conditions, &mut params);
    params.limited(&source, "timestamp DESC, log_id DESC", limit)
}

/// The rows after `after` and before the time `to`, oldest first, at most `limit`.
#[must_use]
pub fn oldest(query: &Query, after: &Position, to: &str, limit: usize) -> Statement {
    let mut params = Params::default();
    let conditions = [
        params.after(after),
        format!("timestamp < {}", params.bind(to)),
    ];
    let source = source(COLUMNS, query, &conditions, &mut params);
    params.limited(&source, "timestamp, log_id", limit)
}

/// Asks for what was stored at or after `created`, a time of the database's own clock (see [`clock`]), among the rows
/// after `after` and before the time `to`: oldest first, at most `limit`. [`COLUMNS`], then `created_at`.
#[must_use]
pub fn stored_since(
    query: &Query,
    after: &Position,
    to: &str,
    created: &str,
    limit: usize,
) -> Statement {
    let mut params = Params::default();
    let conditions = [
        params.after(after),
        format!("timestamp < {}", params.bind(to)),
        format!("created_at >= {}", params.bind(created)),
    ];
    let select = format!("{COLUMNS}, created_at");
    let source = source(&select, query, &conditions, &mut params);
    params.limited(&source, "timestamp, log_id", limit)
}

/// The database's clock: now, and `seconds_back` before now, as `created_at` has them; then now as `timestamp` has it.
#[must_use]
pub fn clock(seconds_back: u32) -> Statement {
    Statement {
        sql: format!(
            "SELECT datetime('now'), datetime('now', '-{seconds_back} seconds'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
        ),
        params: Vec::new(),
    }
}

/// The oldest row's timestamp.
#[must_use]
pub fn oldest_timestamp() -> Statement {
    Statement {
        sql: "SELECT timestamp FROM tail_logs WHERE timestamp >= ?1 ORDER BY timestamp, log_id LIMIT 1"
            .to_owned(),
        params: vec![FIRST_TIME.to_owned()],
    }
}

/// One record.
#[must_use]
pub fn record(timestamp: &str, log_id: &str) -> Statement {
    Statement {
        sql: format!("SELECT {COLUMNS} FROM tail_logs WHERE timestamp = ?1 AND log_id = ?2"),
        params: vec![timestamp.to_owned(), log_id.to_owned()],
    }
}

/// A column of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdColumn {
    /// `correlation_id`.
    Correlation,
    /// `request_id`.
    Request,
}

/// Asks for the ids that begin with `start`, in order, at most `limit`: `id, timestamp, worker_name`, the latter two of the
/// id's first record. It goes from one id to the next in the index, however many records each has.
#[must_use]
pub fn ids_beginning(column: IdColumn, start: &str, limit: usize) -> Statement {
    let c = match column {
        IdColumn::Correlation => "correlation_id",
        IdColumn::Request => "request_id",
    };
    let of_the_first = |column: &str| {
        format!(
            "(SELECT {column} FROM tail_logs WHERE {c} = ids.id ORDER BY timestamp, log_id LIMIT 1)"
        )
    };
    Statement {
        sql: format!(
            "WITH RECURSIVE ids(id) AS (\
             SELECT min({c}) FROM tail_logs WHERE {c} >= ?1 AND {c} < ?2 \
             UNION ALL \
             SELECT (SELECT min({c}) FROM tail_logs WHERE {c} > ids.id AND {c} < ?2) FROM ids WHERE ids.id IS NOT NULL \
             LIMIT CAST(?3 AS INTEGER)) \
             SELECT id, {}, {} FROM ids WHERE id IS NOT NULL",
            of_the_first("timestamp"),
            of_the_first("worker_name"),
        ),
        // The last of all characters: nothing that begins so sorts behind it.
        params: vec![
            start.to_owned(),
            format!("{start}\u{10ffff}"),
            limit.to_string(),
        ],
    }
}

/// The invocation records of `request_ids`, in no order.
#[must_use]
pub fn invocations(request_ids: &[String]) -> Statement {
    let ids = serde_json::Value::from(request_ids.to_vec()).to_string();
    Statement {
        sql: format!(
            "SELECT {COLUMNS} FROM tail_logs WHERE request_id IN (SELECT value FROM json_each(?1)) AND {INVOCATION}"
        ),
        params: vec![ids],
    }
}

/// All records of `request_ids`, in no order.
#[must_use]
pub fn records_of(request_ids: &[String]) -> Statement {
    let ids = serde_json::Value::from(request_ids.to_vec()).to_string();
    Statement {
        sql: format!(
            "SELECT {COLUMNS} FROM tail_logs WHERE request_id IN (SELECT value FROM json_each(?1))"
        ),
        params: vec![ids],
    }
}

/// Asks for records of `request_ids` whose correlation id is not `id`, at most `limit`, in no order.
#[must_use]
pub fn other_records(request_ids: &[String], id: &str, limit: usize) -> Statement {
    let ids = serde_json::Value::from(request_ids.to_vec()).to_string();
    Statement {
        sql: format!(
            "SELECT {COLUMNS} FROM tail_logs WHERE request_id IN (SELECT value FROM json_each(?1)) \
             AND correlation_id <> ?2 LIMIT CAST(?3 AS INTEGER)"
        ),
        params: vec![ids, id.to_owned(), limit.to_string()],
    }
}

/// An invocation record: a context begins with its kind.
const INVOCATION: &str = r#"context_json LIKE '{"kind":"invocation",%'"#;

/// A window of time and the Workers asked for.
fn window(workers: &[String], from: &str, to: &str) -> (String, Params) {
    let mut params = Params::default();
    let mut text = format!(
        "timestamp >= {} AND timestamp < {}",
        params.bind(from),
        params.bind(to)
    );
    if !workers.is_empty() {
        // One Worker's rows are found by its index; of several, the range is read once.
        let plus = if workers.len() == 1 { "" } else { "+" };
        let list = params.bind_all(workers);
        let _ = write!(text, " AND {plus}worker_name IN {list}");
    }
    (text, params)
}

/// Rows per Worker, level and hour: `worker_name, log_level, count, hour`, an hour such as `2026-11-25T12`.
#[must_use]
pub fn levels(workers: &[String], from: &str, to: &str) -> Statement {
    let (window, params) = window(workers, from, to);
    Statement {
        sql: format!(
            "SELECT worker_name, log_level, count(*), substr(timestamp, 1, 13) AS hour FROM tail_logs WHERE {window} \
             GROUP BY worker_name, log_level, hour"
        ),
        params: params.0,
    }
}

/// The measured values of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Wall time: `latency_ms` of the context.
    Latency,
    /// CPU time: `cpu_time_ms` of the context, else the column `execution_time_ms`.
    Cpu,
}

/// Invocations per Worker, level and whole milliseconds: `worker_name, log_level, milliseconds or null, count`.
#[must_use]
pub fn durations(measure: Measure, workers: &[String], from: &str, to: &str) -> Statement {
    let (window, params) = window(workers, from, to);
    let value = match measure {
        Measure::Latency => "json_extract(context_json, '$.latency_ms')",
        Measure::Cpu => "coalesce(json_extract(context_json, '$.cpu_time_ms'), execution_time_ms)",
    };
    Statement {
        sql: format!(
            "SELECT worker_name, log_level, CAST(round({value}) AS INTEGER) AS ms, count(*) FROM tail_logs \
             WHERE {window} AND {INVOCATION} GROUP BY worker_name, log_level, ms"
        ),
        params: params.0,
    }
}
