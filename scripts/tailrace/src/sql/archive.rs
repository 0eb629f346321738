//! The catalog of the archive. Its key begins with the hour, so that the primary key finds the objects of a window.

use log_record::archive::CATALOG;

use super::{Params, Statement};

/// Asks for `columns` of the objects after the key `after` up to the key `last`, that end at `from` or later: in the order of
/// their keys, at most `limit`.
#[must_use]
pub fn archive_objects(
    columns: &[&str],
    after: &str,
    last: &str,
    from: &str,
    limit: usize,
) -> Statement {
    let mut params = Params::default();
    let sql = format!(
        "SELECT {} FROM {CATALOG} WHERE key > {} AND key <= {} AND last_timestamp >= {}",
        columns.join(", "),
        params.bind(after),
        params.bind(last),
        params.bind(from)
    );
    params.limited(&sql, "key", limit)
}
