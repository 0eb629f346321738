//! The catalog of the archive. Its key begins with the hour, so that the primary key finds the objects of a window.

use std::fmt::Write as _;

use log_record::archive::CATALOG;

use super::{Params, Statement};

/// The columns of a [`CatalogRow`](log_record::archive::CatalogRow), as selected.
pub const OBJECT_COLUMNS: [&str; 7] = [
    "key",
    "stored_at",
    "first_timestamp",
    "last_timestamp",
    "bytes",
    "rows",
    "counts",
];

/// Asks for the objects after the key `after` up to the key `last`, that end at `from` or later: in the order of their keys,
/// at most `limit`. With `whole_from` only for those with records that are not rows, as rows are whole from that time on.
#[must_use]
pub fn archive_objects(
    after: &str,
    last: &str,
    from: &str,
    whole_from: Option<&str>,
    limit: usize,
) -> Statement {
    let mut params = Params::default();
    let mut sql = format!(
        "SELECT {} FROM {CATALOG} WHERE key > {} AND key <= {} AND last_timestamp >= {}",
        OBJECT_COLUMNS.join(", "),
        params.bind(after),
        params.bind(last),
        params.bind(from)
    );
    if let Some(whole_from) = whole_from {
        let whole_from = params.bind(whole_from);
        let _ = write!(
            sql,
            " AND (rows = 'index' OR first_timestamp < {whole_from})"
        );
    }
    params.limited(&sql, "key", limit)
}

/// Asks for the objects with records that are not rows in any of `ranges`: the first key, the last key, and the time before
/// which none may end.
#[must_use]
pub fn archive_objects_around(ranges: &[[String; 3]], whole_from: &str) -> Statement {
    let columns = OBJECT_COLUMNS.map(|name| format!("o.{name}")).join(", ");
    Statement {
        // The cross join keeps the order: each range is looked up by key.
        sql: format!(
            "SELECT DISTINCT {columns} FROM json_each(?1) AS r CROSS JOIN {CATALOG} AS o \
             ON o.key BETWEEN r.value->>0 AND r.value->>1 AND o.last_timestamp >= r.value->>2 \
             WHERE o.rows = 'index' OR o.first_timestamp < ?2"
        ),
        params: vec![serde_json::json!(ranges).to_string(), whole_from.to_owned()],
    }
}

/// Asks for the objects that were stored at `stored_at` or later, at most `limit`, in the order of storing.
#[must_use]
pub fn archive_objects_since(stored_at: &str, limit: usize) -> Statement {
    let mut params = Params::default();
    let sql = format!(
        "SELECT {} FROM {CATALOG} WHERE stored_at >= {}",
        OBJECT_COLUMNS.join(", "),
        params.bind(stored_at)
    );
    params.limited(&sql, "stored_at, key", limit)
}

/// Asks for those of `records`, each a timestamp and an id, that are rows: their ids.
#[must_use]
pub fn which_are_rows(records: &[[String; 2]]) -> Statement {
    Statement {
        sql: "SELECT o.log_id FROM json_each(?1) AS r CROSS JOIN tail_logs AS o \
              ON o.timestamp = r.value->>0 AND o.log_id = r.value->>1"
            .to_owned(),
        params: vec![serde_json::json!(records).to_string()],
    }
}
