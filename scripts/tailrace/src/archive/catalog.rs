//! The catalog: the objects that hold records of a window, in the order of their keys, which is that of time.

use log_record::archive::{self, CatalogRow};
use serde_json::Value;

use crate::Error;
use crate::client::d1::Database;
use crate::record::{FIRST_TIME, LAST_TIME};
use crate::sql::{self, OBJECT_COLUMNS, Statement};

/// Rows of one answer. One has some hundred bytes, unless there are many Workers.
const PAGE_ROWS: usize = 2_000;

/// Places that one statement looks around.
const PLACES: usize = 500;

/// The times `[from, to)`, in the stored form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first time.
    pub from: Option<String>,
    /// The first time that is too late.
    pub to: Option<String>,
}

impl Window {
    /// Returns whether a time is within.
    #[must_use]
    pub fn holds(&self, timestamp: &str) -> bool {
        let is_begun = self.from.as_deref().is_none_or(|from| from <= timestamp);
        is_begun && self.to.as_deref().is_none_or(|to| timestamp < to)
    }
}

/// The objects that are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objects {
    /// All of them.
    All,
    /// Those with records that are not rows: in the archive alone, or from before this time, the oldest row's.
    BeyondRows(String),
}

/// A place in time whose objects are looked for, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its first time.
    pub first: String,
    /// Its last time.
    pub last: String,
}

impl Span {
    /// Returns the place of one time.
    #[must_use]
    pub fn at(timestamp: &str) -> Self {
        Self {
            first: timestamp.to_owned(),
            last: timestamp.to_owned(),
        }
    }

    /// Returns whether an object may hold a record of the place.
    #[must_use]
    pub fn meets(&self, object: &CatalogRow) -> bool {
        object.first_timestamp <= self.last && self.first <= object.last_timestamp
    }
}

/// The objects of a window, page by page.
pub struct Catalog<'d> {
    database: &'d Database<'d>,
    /// The key before the next page, and the last key of all.
    after: String,
    last: String,
    /// The time before which no object may end.
    from: String,
    window: Window,
    objects: Objects,
    is_read: bool,
}

impl<'d> Catalog<'d> {
    /// Begins to read.
    #[must_use]
    pub fn start(database: &'d Database<'d>, window: &Window, objects: Objects) -> Self {
        let from = window.from.clone().unwrap_or_else(|| FIRST_TIME.to_owned());
        let to = window.to.clone().unwrap_or_else(|| LAST_TIME.to_owned());
        // A time without an hour is before or after every key.
        let (first, last) = archive::key_range(&from, &to);
        let has_hour = |time: &str| archive::is_timestamp(time);
        Self {
            database,
            after: if has_hour(&from) {
                first
            } else {
                archive::PREFIX.to_owned()
            },
            last: if has_hour(&to) {
                last
            } else {
                format!("{}~", archive::PREFIX)
            },
            from,
            window: window.clone(),
            objects,
            is_read: false,
        }
    }

    fn statement(&self, limit: usize) -> Statement {
        let whole_from = match &self.objects {
            Objects::All => None,
            Objects::BeyondRows(oldest) => Some(oldest.as_str()),
        };
        sql::archive_objects(&self.after, &self.last, &self.from, whole_from, limit)
    }

    /// Returns whether there are any.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn has_any(&self) -> Result<bool, Error> {
        let rows = read_catalog(self.database, &self.statement(1)).await?;
        let to = self.window.to.as_deref();
        Ok(rows
            .iter()
            .any(|row| to.is_none_or(|to| row.first_timestamp.as_str() < to)))
    }

    /// Returns the next page; `None` after the last.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn next_page(&mut self) -> Result<Option<Vec<CatalogRow>>, Error> {
        if self.is_read {
            return Ok(None);
        }
        let mut rows = read_catalog(self.database, &self.statement(PAGE_ROWS)).await?;
        self.is_read = rows.len() < PAGE_ROWS;
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
    ///
    /// # Errors
    /// As the API has them.
    pub async fn collect(mut self) -> Result<Vec<CatalogRow>, Error> {
        let mut all = Vec::new();
        while let Some(rows) = self.next_page().await? {
            all.extend(rows);
        }
        Ok(all)
    }
}

/// Returns the objects that may hold records of any of the places and that are not rows, by key. `oldest` is the time of
/// the oldest row.
///
/// # Errors
/// As the API has them.
pub async fn objects_around(
    database: &Database<'_>,
    spans: &[Span],
    oldest: &str,
) -> Result<Vec<CatalogRow>, Error> {
    let ranges: Vec<_> = spans
        .iter()
        .filter(|span| archive::is_timestamp(&span.first) && archive::is_timestamp(&span.last))
        .map(|span| {
            let (first, last) = archive::key_range(&span.first, &span.last);
            [first, last, span.first.clone()]
        })
        .collect();
    let mut objects = Vec::new();
    for ranges in ranges.chunks(PLACES) {
        let statement = sql::archive_objects_around(ranges, oldest);
        objects.extend(read_catalog(database, &statement).await?);
    }
    objects.sort_by(|one, other| one.key.cmp(&other.key));
    objects.dedup_by(|one, other| one.key == other.key);
    Ok(objects)
}

/// Returns objects that were stored at `stored_at`, a time of the database's clock, or later, in the order of storing.
///
/// # Errors
/// As the API has them.
pub async fn objects_since(
    database: &Database<'_>,
    stored_at: &str,
) -> Result<Vec<CatalogRow>, Error> {
    read_catalog(database, &sql::archive_objects_since(stored_at, PAGE_ROWS)).await
}

/// Reads rows of the catalog; a database from before the archive has none.
async fn read_catalog(
    database: &Database<'_>,
    statement: &Statement,
) -> Result<Vec<CatalogRow>, Error> {
    match database.query(statement).await {
        Ok(rows) => rows.into_iter().map(read_row).collect(),
        Err(error) if error.to_string().contains(NO_CATALOG) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The words of D1 where the migration that makes the catalog was not applied.
const NO_CATALOG: &str = "no such table: archive_objects";

fn read_row(cells: Vec<Value>) -> Result<CatalogRow, Error> {
    let named = OBJECT_COLUMNS
        .iter()
        .map(|name| (*name).to_owned())
        .zip(cells);
    serde_json::from_value(Value::Object(named.collect())).map_err(|error| Error::Unreadable {
        what: "read the catalog of the archive",
        reason: error.to_string(),
    })
}
