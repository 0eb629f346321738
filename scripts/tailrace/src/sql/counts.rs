//! Counts over time, for a histogram and its facets.

use super::{Params, Statement, source};
use crate::query::Query;

/// The kind of record: every context begins with it, so that nothing has to be parsed.
const KIND: &str = "CASE substr(context_json, 1, 13) \
     WHEN '{\"kind\":\"invo' THEN 'invocation' WHEN '{\"kind\":\"log\"' THEN 'log' \
     WHEN '{\"kind\":\"exce' THEN 'exception' WHEN '{\"kind\":\"diag' THEN 'diagnostic' ELSE '' END";

/// The status that an invocation answered with.
const STATUS: &str = "CASE WHEN substr(context_json, 1, 13) = '{\"kind\":\"invo' \
     THEN json_extract(context_json, '$.status') END";

/// Counts the rows of `[from, to)` by the first `characters` of their timestamps, Worker, level, kind and status:
/// `time, worker_name, log_level, kind, status or null, count`.
#[must_use]
pub fn counts(query: &Query, from: &str, to: &str, characters: usize) -> Statement {
    let mut params = Params::default();
    let conditions = [
        format!("timestamp >= {}", params.bind(from)),
        format!("timestamp < {}", params.bind(to)),
    ];
    let rows = source(
        "timestamp, worker_name, log_level, context_json",
        query,
        &conditions,
        &mut params,
    );
    Statement {
        sql: format!(
            "SELECT substr(timestamp, 1, {characters}) AS at, worker_name, log_level, {KIND} AS kind, {STATUS} AS status, \
             count(*) FROM ({rows}) GROUP BY at, worker_name, log_level, kind, status"
        ),
        params: params.0,
    }
}
