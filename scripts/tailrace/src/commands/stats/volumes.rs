//! The volumes of hours whose lines are in the archive alone: what the catalog counts, as of whole objects.

use std::collections::BTreeSet;

use log_record::Level;
use log_record::archive::Counts;

use crate::Error;
use crate::archive::Window;
use crate::archive::catalog::{Catalog, Objects};
use crate::client::d1::Database;
use crate::record::FIRST_TIME;

/// The bytes of a timestamp that name its hour: `2026-11-25T12`.
const HOUR_BYTES: usize = 13;

/// Debug and info records by hours; warnings and errors are rows in any case.
#[derive(Debug, Default)]
pub struct Volumes {
    /// The hours with an object of `ROWS=index`.
    hours: BTreeSet<String>,
    /// The records of these hours.
    pub(super) counts: Counts,
}

impl Volumes {
    /// Reads the volumes of a window from the catalog; none where all records are rows.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn read(
        database: &Database<'_>,
        workers: &[String],
        window: &Window,
    ) -> Result<Self, Error> {
        let mut volumes = Self::default();
        let index = Objects::BeyondRows(FIRST_TIME.to_owned());
        for object in Catalog::start(database, window, index).collect().await? {
            let hour = hour_of(&object.first_timestamp);
            volumes.hours.insert(hour.to_owned());
        }
        if volumes.hours.is_empty() {
            return Ok(volumes);
        }
        let objects = Catalog::start(database, window, Objects::All);
        for object in objects.collect().await? {
            if !volumes.hours.contains(hour_of(&object.first_timestamp)) {
                continue;
            }
            for (worker, levels) in object.counts.0 {
                if !workers.is_empty() && !workers.contains(&worker) {
                    continue;
                }
                let sums = volumes.counts.0.entry(worker).or_default();
                for (level, count) in levels.into_iter().filter(|(level, _)| *level < Level::Warn) {
                    *sums.entry(level).or_default() += count;
                }
            }
        }
        Ok(volumes)
    }

    /// Returns whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hours.is_empty()
    }

    /// Returns whether the rows of an hour and a level are counted here.
    pub(super) fn replace(&self, hour: &str, level: &str) -> bool {
        let is_line = [Level::Debug, Level::Info]
            .iter()
            .any(|it| it.as_str() == level);
        is_line && self.hours.contains(hour)
    }
}

fn hour_of(timestamp: &str) -> &str {
    timestamp.get(..HOUR_BYTES).unwrap_or(timestamp)
}
