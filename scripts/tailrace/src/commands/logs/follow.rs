//! New rows as they arrive: none missed, none twice, although they arrive late and out of order.
//!
//! A row's timestamp says when its line was logged, which may be long before it was stored: the queue waits, retries and
//! redelivers. So what is new is told by `created_at`, which D1 sets from its own clock when it stores a row:
//!
//! 1. Read the database's clock, `now`. 2. Read the rows stored at or after `mark` (initially the clock at the start).
//! 3. Show those not shown before. 4. Once that succeeded, let `mark` be `now` less a margin.
//!
//! D1 runs one statement at a time, so a row that step 2 could not see is stored later than step 1 and has a
//! `created_at` of `now` or after: the next look finds it. The margin answers a clock that steps back when the database
//! moves to another machine. What is read twice, within the margin, is known by its `log_id`, which is remembered for as
//! long as any look could read it again.
//!
//! There is no index on `created_at` (each would cost one more billed write for every log), so a look reads all rows of
//! a range of *timestamps*: mostly of the last 2 minutes, every 30 seconds of the last 30 minutes, every 5 minutes of
//! `--late`. Each range has a mark of its own, and is counted back from that, not from now: a row that was this late when
//! it was stored is found however long ago that was, after a long `--interval`, an outage or a laptop's sleep. What is
//! older than `--late` when it arrives is not shown. A filter by correlation or request id has an index that leads to its
//! few rows, so every look reads all of them.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::search::{position, stored_ms};
use crate::Error;
use crate::client::d1::Database;
use crate::record::Row;
use crate::sql::{self, FIRST_TIME, Filter, Position};
use crate::time;

/// How far back the marks are set, against a clock that steps back.
const MARGIN_SECONDS: u32 = 10;

/// Rows of one query.
const PAGE_ROWS: usize = 1000;

/// A range of timestamps that is looked through every so often.
#[derive(Debug)]
struct Range {
    /// How far back it reaches; `None` is all there is.
    reach_seconds: Option<u32>,
    every: Duration,
    due: Duration,
    mark: Mark,
}

/// What is stored from here on has not been looked for: a time of the database's clock.
#[derive(Clone, Debug)]
struct Mark {
    /// As `created_at` has it.
    created: String,
    ms: i64,
}

/// What has been shown, and where the next look begins.
#[derive(Debug)]
pub struct Follower {
    filter: Filter,
    /// From the shortest reach to the longest; the first is due at every look.
    ranges: Vec<Range>,
    /// The ids that a look might read again, each with a time not before its `created_at`.
    seen: HashMap<String, String>,
}

/// The database's clock.
struct Clock {
    created: String,
    mark: Mark,
}

impl Clock {
    async fn read(database: &Database<'_>) -> Result<Self, Error> {
        let rows = database.query(&sql::clock(MARGIN_SECONDS)).await?;
        let cell = |index: usize| rows.first()?.get(index)?.as_str();
        let read = || {
            Some(Self {
                created: cell(0)?.to_owned(),
                mark: Mark {
                    created: cell(1)?.to_owned(),
                    ms: time::millis(cell(2)?)? - i64::from(MARGIN_SECONDS) * 1000,
                },
            })
        };
        read().ok_or_else(|| Error::Unreadable {
            what: "read the database's clock",
            reason: "no times in the answer".to_owned(),
        })
    }
}

impl Follower {
    /// Begins to follow: what is stored from now on counts as new. Show the rows there are only after this, and then
    /// call [`Follower::shown`], so that what arrives in between is not missed.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn start(
        database: &Database<'_>,
        filter: Filter,
        late_seconds: u32,
    ) -> Result<Self, Error> {
        let clock = Clock::read(database).await?;
        let range = |reach_seconds, every| Range {
            reach_seconds,
            every: Duration::from_secs(every),
            due: Duration::from_secs(every),
            mark: clock.mark.clone(),
        };
        let ranges = if filter.is_narrow() {
            vec![range(None, 0)]
        } else {
            let mut ranges = vec![range(Some(late_seconds.min(120)), 0)];
            for (reach, every) in [(1800, 30), (late_seconds, 300)] {
                if ranges
                    .last()
                    .is_some_and(|last| last.reach_seconds < Some(reach))
                {
                    ranges.push(range(Some(reach.min(late_seconds)), every));
                }
            }
            ranges
        };
        let mut follower = Self {
            filter,
            ranges,
            seen: HashMap::new(),
        };
        // What was stored within the margin before now is old.
        let deepest = follower.ranges.len() - 1;
        let _ = follower.look(database, deepest).await?;
        Ok(follower)
    }

    /// Remembers what was shown meanwhile.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn shown(&mut self, database: &Database<'_>, rows: &[Row]) -> Result<(), Error> {
        let now = Clock::read(database).await?.created;
        for row in rows {
            self.seen.insert(row.log_id.clone(), now.clone());
        }
        Ok(())
    }

    /// Looks for new rows, `elapsed` after the start: those not shown yet, by timestamp.
    ///
    /// # Errors
    /// As the API has them; the next look then begins where this one did.
    pub async fn poll(
        &mut self,
        database: &Database<'_>,
        elapsed: Duration,
    ) -> Result<Vec<Row>, Error> {
        let clock = Clock::read(database).await?;
        let deepest = self
            .ranges
            .iter()
            .rposition(|range| range.due <= elapsed)
            .unwrap_or(0);
        let rows = self.look(database, deepest).await?;
        // A longer range covers the shorter ones.
        for range in self.ranges.iter_mut().take(deepest + 1) {
            range.due = elapsed + range.every;
            range.mark.clone_from(&clock.mark);
        }
        if let Some(earliest) = self.ranges.iter().map(|range| &range.mark.created).min() {
            self.seen.retain(|_, created| &*created >= earliest);
        }
        Ok(rows)
    }

    async fn look(&mut self, database: &Database<'_>, range: usize) -> Result<Vec<Row>, Error> {
        let Some(range) = self.ranges.get(range) else {
            return Ok(Vec::new());
        };
        let mut after = Position {
            timestamp: range.reach_seconds.map_or_else(
                || FIRST_TIME.to_owned(),
                |seconds| stored_ms(range.mark.ms - i64::from(seconds) * 1000),
            ),
            log_id: String::new(),
        };
        let mut found = Vec::new();
        loop {
            let statement = sql::stored_since(&self.filter, &after, &range.mark.created, PAGE_ROWS);
            let page = database.query(&statement).await?;
            let full = page.len() == PAGE_ROWS;
            for cells in page {
                let created = cells
                    .last()
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                let row = Row::read(cells)?;
                after = position(&row);
                found.push((row, created));
            }
            if !full {
                break;
            }
        }
        // Only now that every page is there: a look that fails halfway has shown nothing.
        Ok(found
            .into_iter()
            .filter_map(|(row, created)| {
                let new = self.seen.insert(row.log_id.clone(), created).is_none();
                new.then_some(row)
            })
            .collect())
    }
}
