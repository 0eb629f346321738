//! The volume of a log, as `volume` counts it.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The name of the table with the counts.
pub const TABLE: &str = "volume";

/// Counts, at ten lines a request (`volume`). Bytes on the queue and in the archive are those of the bench's lines.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Bytes of a line as the Worker wrote it.
    pub line_bytes: f64,
    /// Bytes of a record on the queue besides the text of its line.
    pub record_bytes: f64,
    /// Bytes on the queue of a request's own record.
    pub invocation_bytes: f64,
    /// Bytes of a row in D1 besides those it has on the queue, where every record is a row: index entries, the room that
    /// pages leave.
    pub row_bytes_all: f64,
    /// The same with `ROWS=index`.
    pub row_bytes_index: f64,
    /// Rows written that D1 bills for storing a row: itself, and its entries in the indexes that every row is in.
    pub written_per_row: f64,
    /// Rows written for a warning or an error, besides those.
    pub written_per_warning: f64,
    /// Rows written for storing a row of the archive's catalog.
    pub written_per_object: f64,
    /// Bytes of such a row in D1.
    pub catalog_bytes: f64,
    /// Bytes of a log in the archive, where objects hold a full batch of 100 requests.
    pub archived_bytes_full: f64,
    /// The same, where an object holds one request.
    pub archived_bytes_single: f64,
}

impl Counted {
    /// Returns each by its name.
    ///
    /// # Errors
    /// None in practice.
    pub fn named(&self) -> Result<Vec<(String, f64)>> {
        let values: serde_json::Map<String, serde_json::Value> =
            serde_json::from_value(serde_json::to_value(self)?)?;
        let values = values.into_iter();
        values
            .map(|(name, value)| Ok((name, value.as_f64().context("not a number")?)))
            .collect()
    }
}
