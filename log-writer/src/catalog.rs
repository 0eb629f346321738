//! Deletes the catalog rows of objects that have expired, two days after the bucket's lifecycle rule does so with the
//! objects themselves. A reader that finds a row without its object takes it for expired.

use log_record::Level;
use log_record::archive::CATALOG_GRACE_DAYS;
use serde::Serialize;
use worker_runtime::LogLine;
use worker_runtime::timestamp::format_ms;

use crate::d1_error::{ErrorKind, StoreError};
use crate::invocation::Invocation;
use crate::ports::{Ports, Statement};
use crate::rotation::cutoff_ms;
use crate::statement::{DELETE_OBJECTS, DELETED_OBJECTS};

/// Deletes of one run at most: 5,000 rows a minute, where two writers make at most 35,000 a day.
const DELETES: u32 = 5;

/// The counts of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CatalogStats {
    /// Catalog rows deleted.
    pub catalog_rows_deleted: u64,
    /// Rows written as D1 bills them.
    pub rows_written: u64,
    /// D1's error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d1_error: Option<ErrorKind>,
    /// The text of D1's error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d1_error_text: Option<String>,
}

impl CatalogStats {
    /// Returns the log line.
    #[must_use]
    pub fn to_line(&self) -> LogLine {
        let (level, rest) = match self.d1_error {
            None => (Level::Info, ""),
            Some(_) => (Level::Warn, "; D1 failed, and the next run goes on"),
        };
        let message = format!(
            "{} expired catalog rows deleted{rest}",
            self.catalog_rows_deleted
        );
        LogLine::new(level, "catalog", &message, self)
    }
}

/// Deletes what has expired, as much as `invocation` may. Where there is no archive any more, its catalog still expires.
pub async fn delete_expired(invocation: &Invocation<'_, impl Ports>) -> CatalogStats {
    let days = invocation.settings.archive_days + CATALOG_GRACE_DAYS;
    let cutoff = format_ms(cutoff_ms(invocation.now_ms(), days));
    let mut stats = CatalogStats::default();
    for _ in 0..DELETES {
        // (1) If the process dies in here, some expired rows are gone, the oldest first; the next run goes on.
        match delete_some(invocation, &cutoff).await {
            Ok((deleted, rows_written)) => {
                stats.catalog_rows_deleted += deleted;
                stats.rows_written += rows_written;
                if deleted < DELETED_OBJECTS {
                    break;
                }
            }
            Err(error) => {
                if error.kind != ErrorKind::OutOfBudget {
                    stats.d1_error = Some(error.kind);
                    stats.d1_error_text = Some(error.text);
                }
                break;
            }
        }
    }
    stats
}

/// Deletes one portion; returns the rows deleted, and those written as D1 bills them.
async fn delete_some(
    invocation: &Invocation<'_, impl Ports>,
    cutoff: &str,
) -> Result<(u64, u64), StoreError> {
    let statement = Statement {
        sql: DELETE_OBJECTS,
        parameters: vec![cutoff.to_owned()],
    };
    let results = invocation.run_statements(&[statement]).await?;
    let result = results.first();
    Ok(result.map_or((0, 0), |result| (result.changes, result.rows_written)))
}
