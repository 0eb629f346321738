//! Deletes the oldest rows, in the single steps that `rotation` (because they expired) and `write` (because D1 is full)
//! take.

use crate::d1_error::StoreError;
use crate::invocation::Invocation;
use crate::ports::{Ports, Statement};
use crate::statement::{DELETE_BEFORE, NTH_OLDEST};

/// A row's place in the order of the table: by timestamp, then by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The timestamp.
    pub(crate) timestamp: String,
    /// The `log_id`; empty for the place before all rows of the timestamp.
    pub(crate) log_id: String,
}

impl Position {
    /// Returns the place before all rows of `timestamp`.
    pub(crate) fn start_of(timestamp: String) -> Self {
        Self {
            timestamp,
            log_id: String::new(),
        }
    }
}

/// The answer to a step, and the time that D1 took for it in microseconds; 0 when unknown.
pub(crate) struct Timed<T> {
    pub(crate) answer: T,
    pub(crate) duration_us: u64,
}

/// Returns the place of the row that `skip` rows precede, among those earlier than `before`; `None` where there are not
/// as many. Reads `skip` + 1 rows.
///
/// # Errors
/// D1's, or the end of the budget.
pub(crate) async fn find_nth_oldest(
    invocation: &Invocation<'_, impl Ports>,
    before: &str,
    skip: u64,
) -> Result<Timed<Option<Position>>, StoreError> {
    let statement = Statement {
        sql: NTH_OLDEST,
        parameters: vec![before.to_owned(), skip.to_string()],
    };
    let results = invocation.run_statements(&[statement]).await?;
    let result = results.into_iter().next().unwrap_or_default();
    let answer = match <[String; 2]>::try_from(result.row) {
        Ok([timestamp, log_id]) => Some(Position { timestamp, log_id }),
        Err(row) if row.is_empty() => None,
        Err(_) => return Err(StoreError::new("a row's key is not text")),
    };
    Ok(Timed {
        answer,
        duration_us: result.duration_us,
    })
}

/// The effects of a delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// Rows deleted.
    pub(crate) rows: u64,
    /// Rows written as D1 bills them.
    pub(crate) rows_written: u64,
    /// The database's size afterwards, in bytes; 0 when unknown.
    pub(crate) size_bytes: u64,
}

/// Deletes the rows before `end`.
///
/// # Errors
/// D1's, or the end of the budget.
pub(crate) async fn delete_before(
    invocation: &Invocation<'_, impl Ports>,
    end: &Position,
) -> Result<Timed<Deleted>, StoreError> {
    let statement = Statement {
        sql: DELETE_BEFORE,
        parameters: vec![end.timestamp.clone(), end.log_id.clone()],
    };
    let results = invocation.run_statements(&[statement]).await?;
    let result = results.into_iter().next().unwrap_or_default();
    Ok(Timed {
        answer: Deleted {
            rows: result.changes,
            rows_written: result.rows_written,
            size_bytes: result.size_bytes,
        },
        duration_us: result.duration_us,
    })
}
