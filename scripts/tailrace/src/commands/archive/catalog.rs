//! The catalog: the objects that hold records of a window, in the order of their keys, which is that of time.

use log_record::archive::{self, CatalogRow};
use serde_json::Value;

use super::Window;
use crate::Error;
use crate::client::d1::{Database, PAGE_ROWS};
use crate::record::{FIRST_TIME, LAST_TIME};
use crate::sql;

/// The columns of a [`CatalogRow`], as selected.
const COLUMNS: [&str; 7] = [
    "key",
    "stored_at",
    "first_timestamp",
    "last_timestamp",
    "bytes",
    "rows",
    "counts",
];

/// The objects of a window, page by page.
pub(super) struct Catalog<'d> {
    database: &'d Database<'d>,
    /// The key before the next page, and the last key of all.
    after: String,
    last: String,
    /// The time before which no object may end.
    from: String,
    window: Window,
    is_read: bool,
}

impl<'d> Catalog<'d> {
    /// Begins to read.
    pub(super) fn start(database: &'d Database<'d>, window: &Window) -> Self {
        let from = window.from.clone().unwrap_or_else(|| FIRST_TIME.to_owned());
        let to = window.to.clone().unwrap_or_else(|| LAST_TIME.to_owned());
        let (first, last) = archive::key_range(&from, &to);
        Self {
            database,
            after: window
                .from
                .as_ref()
                .map_or(archive::PREFIX.to_owned(), |_| first),
            last: window
                .to
                .as_ref()
                .map_or(format!("{}~", archive::PREFIX), |_| last),
            from,
            window: window.clone(),
            is_read: false,
        }
    }

    /// Returns the next page; `None` after the last.
    pub(super) async fn next_page(&mut self) -> Result<Option<Vec<CatalogRow>>, Error> {
        if self.is_read {
            return Ok(None);
        }
        let halves = |error: &Error| error.is_too_large() || error.is_too_slow();
        let (cells, asked) = self
            .database
            .query_page(PAGE_ROWS, halves, |count| {
                sql::archive_objects(&COLUMNS, &self.after, &self.last, &self.from, count)
            })
            .await?;
        self.is_read = cells.len() < asked;
        let rows = cells.into_iter().map(read_row);
        let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
        if let Some(last) = rows.last() {
            self.after.clone_from(&last.key);
        }
        // The catalog knows the times of the records; keys know them to the hour.
        rows.retain(|row| {
            let to = self.window.to.as_deref();
            to.is_none_or(|to| row.first_timestamp.as_str() < to)
        });
        Ok(Some(rows))
    }

    /// Returns every object.
    pub(super) async fn collect(mut self) -> Result<Vec<CatalogRow>, Error> {
        let mut all = Vec::new();
        while let Some(rows) = self.next_page().await? {
            all.extend(rows);
        }
        Ok(all)
    }
}

fn read_row(cells: Vec<Value>) -> Result<CatalogRow, Error> {
    let named = COLUMNS.iter().map(|name| (*name).to_owned()).zip(cells);
    serde_json::from_value(Value::Object(named.collect())).map_err(|error| Error::Unreadable {
        what: "read the catalog of the archive",
        reason: error.to_string(),
    })
}
