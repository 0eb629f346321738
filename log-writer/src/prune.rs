//! Deleting the oldest rows: the steps that `rotate` (because they expired) and `write` (because D1 is full) take.

use crate::ports::{Ports, Statement, Store, StoreError};
use crate::statement::{DELETE_BEFORE, NTH_OLDEST};

/// Where a row stands in the order of the table: by timestamp, then by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Its timestamp.
    pub timestamp: String,
    /// Its `log_id`; empty for the place before all rows of the timestamp.
    pub log_id: String,
}

impl Position {
    /// The place before all rows of `timestamp`.
    #[must_use]
    pub fn start_of(timestamp: String) -> Self {
        Self {
            timestamp,
            log_id: String::new(),
        }
    }
}

/// Where the row stands that `skip` rows precede, among those earlier than `before`; `None` where there are no more.
/// Reads `skip` + 1 rows.
///
/// # Errors
/// D1's.
pub async fn nth_oldest(
    ports: &impl Ports,
    before: &str,
    skip: u64,
) -> Result<Option<Position>, StoreError> {
    let statement = Statement {
        sql: NTH_OLDEST,
        parameters: vec![before.to_owned(), skip.to_string()],
    };
    let outcomes = ports.store().batch(vec![statement]).await?;
    let row = outcomes.into_iter().next().unwrap_or_default().row;
    match <[String; 2]>::try_from(row) {
        Ok([timestamp, log_id]) => Ok(Some(Position { timestamp, log_id })),
        Err(row) if row.is_empty() => Ok(None),
        Err(_) => Err(StoreError::new("a row's key is not text")),
    }
}

/// What a delete did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Rows deleted.
    pub rows: u64,
    /// Rows written as D1 bills them.
    pub rows_written: u64,
    /// The database's size afterwards, in bytes; 0 when unknown.
    pub size_bytes: u64,
}

/// Deletes the rows before `end`.
///
/// # Errors
/// D1's.
pub async fn delete_before(ports: &impl Ports, end: &Position) -> Result<Deleted, StoreError> {
    let statement = Statement {
        sql: DELETE_BEFORE,
        parameters: vec![end.timestamp.clone(), end.log_id.clone()],
    };
    let outcomes = ports.store().batch(vec![statement]).await?;
    let outcome = outcomes.into_iter().next().unwrap_or_default();
    Ok(Deleted {
        rows: outcome.changes,
        rows_written: outcome.rows_written,
        size_bytes: outcome.size_bytes,
    })
}
