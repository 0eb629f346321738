//! New objects of the archive: the records that are in no row.
//!
//! D1 gives each catalog row its own time of inserting, so a look asks for what was stored since the last one, and passes
//! over the keys it knows. What is a row is shown by the looks at rows; D1 is asked which records are.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::StreamExt as _;

use crate::Error;
use crate::archive::catalog::objects_since;
use crate::archive::reader::{AT_ONCE, may_hold_lines};
use crate::archive::{Archive, Wanted};
use crate::query::{Kind, Query};
use crate::record::{LAST_TIME, Row};
use crate::{sql, time};

/// Distance by which the time of the last look is set back, against a clock that steps back.
const MARGIN_MS: i64 = 10_000;

/// Time for which a record is remembered: one that is delivered again is in a second object.
const REMEMBERED_MS: i64 = 3_600_000;

/// The objects that were read, and the records that were shown.
#[derive(Debug)]
pub struct ArchiveFollower<'a> {
    archive: &'a Archive<'a>,
    query: Query,
    /// The lateness up to which a record is shown; `None` is without a limit.
    late_ms: Option<i64>,
    /// The time of the latest object.
    stored_at: String,
    /// The objects that a look may find again, by key, and their times.
    known: BTreeMap<String, String>,
    /// The ids of records that were shown, by the time of their object.
    shown: BTreeMap<String, HashSet<String>>,
}

impl<'a> ArchiveFollower<'a> {
    /// Begins to follow: objects that are stored from now on are new.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn start(
        archive: &'a Archive<'a>,
        query: Query,
        late_seconds: u32,
    ) -> Result<Self, Error> {
        let clock = archive.database().query(&sql::clock(0)).await?;
        let now = clock.first().and_then(|cells| cells.get(2)?.as_str());
        let mut follower = Self {
            archive,
            late_ms: (!query.is_narrow()).then(|| i64::from(late_seconds) * 1_000),
            query,
            stored_at: now.unwrap_or(LAST_TIME).to_owned(),
            known: BTreeMap::new(),
            shown: BTreeMap::new(),
        };
        for object in objects_since(archive.database(), &follower.from()).await? {
            follower.known.insert(object.key, object.stored_at);
        }
        Ok(follower)
    }

    /// Remembers what was shown meanwhile.
    pub fn mark_shown(&mut self, rows: &[Row]) {
        let shown = self.shown.entry(self.stored_at.clone()).or_default();
        shown.extend(rows.iter().map(|row| row.log_id.clone()));
    }

    /// Returns the records of some new objects that are in no row and were not shown yet, by time.
    ///
    /// # Errors
    /// As the API has them; the next look then finds the same objects.
    pub async fn look(&mut self) -> Result<Vec<Row>, Error> {
        let mut new = objects_since(self.archive.database(), &self.from()).await?;
        new.retain(|object| !self.known.contains_key(&object.key));
        new.truncate(AT_ONCE);
        let mut objects = new.clone();
        objects.retain(|object| may_hold_lines(object, &self.query));
        let query = self.query.clone();
        let wanted = Arc::new(Wanted::new(move |row| {
            !is_always_a_row(row) && query.matches(row)
        }));
        let mut found = Vec::new();
        {
            let mut read = std::pin::pin!(self.archive.read(objects, &wanted));
            while let Some(object) = read.next().await {
                let (object, records) = object?;
                let earliest = self.earliest(&object.stored_at);
                let records = records.into_iter().filter(|row| row.timestamp >= earliest);
                found.extend(records.map(|row| (row, object.stored_at.clone())));
            }
        }
        let stored: BTreeMap<_, _> = found
            .iter()
            .map(|(row, stored_at)| (row.log_id.clone(), stored_at.clone()))
            .collect();
        let rows = found.into_iter().map(|(row, _)| row).collect();
        let mut rows = self.archive.without_rows(rows).await?;
        rows.sort_by_key(Row::position);
        rows.retain(|row| self.is_new(row, &stored));
        for object in new {
            if self.stored_at < object.stored_at {
                self.stored_at.clone_from(&object.stored_at);
            }
            self.known.insert(object.key, object.stored_at);
        }
        self.forget();
        Ok(rows)
    }

    /// Remembers a record; returns whether it was not shown before.
    fn is_new(&mut self, row: &Row, stored: &BTreeMap<String, String>) -> bool {
        if self.shown.values().any(|ids| ids.contains(&row.log_id)) {
            return false;
        }
        let stored_at = stored.get(&row.log_id).unwrap_or(&self.stored_at).clone();
        self.shown
            .entry(stored_at)
            .or_default()
            .insert(row.log_id.clone())
    }

    /// Forgets what no look can find again.
    fn forget(&mut self) {
        let from = self.from();
        self.known.retain(|_, stored_at| *stored_at >= from);
        let from = before(&self.stored_at, REMEMBERED_MS);
        self.shown.retain(|stored_at, _| *stored_at >= from);
    }

    /// Returns the time from which on a look asks for objects.
    fn from(&self) -> String {
        before(&self.stored_at, MARGIN_MS)
    }

    /// Returns the earliest time of a record that is shown where its object was stored at `stored_at`.
    fn earliest(&self, stored_at: &str) -> String {
        let late_ms = self.late_ms.map(|late_ms| before(stored_at, late_ms));
        late_ms.unwrap_or_default()
    }
}

/// Returns the time that is so much earlier.
fn before(stored: &str, ms: i64) -> String {
    time::millis(stored).map_or_else(|| stored.to_owned(), |at| time::stored_ms(at - ms))
}

/// Returns whether a record is a row whatever `ROWS` says.
fn is_always_a_row(row: &Row) -> bool {
    matches!(row.log_level.as_str(), "warn" | "error")
        || [Kind::Invocation, Kind::Exception]
            .iter()
            .any(|kind| kind.as_str() == row.kind())
}
