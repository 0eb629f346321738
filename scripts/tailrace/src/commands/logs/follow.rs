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
//! a range of *timestamps*. There are up to three ranges, each with a mark of its own and counted back from that, not from
//! now: a row that was this late when it was stored is found however long ago that was, after a long `--interval`, an
//! outage or a laptop's sleep.
//!
//! - [`Follower::poll`] looks at the latest rows, those at most 2 minutes late, and never at anything else: whatever else
//!   is slow or fails, they are shown.
//! - [`Follower::deepen`] takes one slice of a look at rows that are later than that: every 30 seconds those up to 30
//!   minutes late, every 5 minutes those up to `--late`. Slices go from the newest backwards, each as long as the last one's
//!   time allows. A slice that fails is tried again after a while that doubles, and no other range waits for it.
//!
//! A row older than `--late` when it arrives is not shown. A query by correlation or request id has an index that leads
//! to its few rows, so every look reads all of them.

pub mod archived;

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::Error;
use crate::client::d1::Database;
use crate::query::Query;
use crate::record::Row;
use crate::slices::{Slice, Slices};
use crate::sql::{self, LAST_TIME, Position};
use crate::time;

/// Distance by which the marks are set back, against a clock that steps back.
const MARGIN_SECONDS: u32 = 10;

/// Lateness up to which [`Follower::poll`] shows a row.
const SHALLOW_SECONDS: u32 = 120;

/// Lateness of rows in the first deep range, and the time between its looks. The last range is that of `--late`.
const DEEP: [(u32, u64); 2] = [(1_800, 30), (u32::MAX, 300)];

/// After how long a deep look that failed is tried again: at first, and at most.
const BACKOFF_FIRST: Duration = Duration::from_secs(5);
const BACKOFF_MOST: Duration = Duration::from_secs(300);

/// Rows stored from this time of the database's clock on have not been looked for.
#[derive(Clone, Debug)]
struct Mark {
    /// As `created_at` has it.
    created: String,
    ms: i64,
}

impl Mark {
    /// Returns the earliest timestamp of a row that was at most `seconds` late when it was stored after the mark.
    fn earliest_ms(&self, seconds: u32) -> i64 {
        self.ms - i64::from(seconds) * 1000
    }
}

/// A range of lateness that is looked through every so often.
#[derive(Debug)]
struct DeepRange {
    /// Rows at most this late belong to the ranges before.
    from_seconds: u32,
    to_seconds: u32,
    every: Duration,
    due: Duration,
    backoff: Duration,
    mark: Mark,
    /// A look that has begun, and the mark to set when it is through.
    look: Option<(Slices, Mark)>,
}

/// The rows that were shown, and the beginning of the next look.
#[derive(Debug)]
pub struct Follower {
    query: Query,
    mark: Mark,
    /// Lateness up to which [`Follower::poll`] shows a row; `None` is without a limit.
    reach_seconds: Option<u32>,
    deep: Vec<DeepRange>,
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
    /// call [`Follower::mark_shown`], so that what arrives in between is not missed.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn start(
        database: &Database<'_>,
        query: Query,
        late_seconds: u32,
    ) -> Result<Self, Error> {
        let clock = Clock::read(database).await?;
        let reach_seconds = (!query.is_narrow()).then(|| late_seconds.min(SHALLOW_SECONDS));
        let mut deep = Vec::new();
        let mut from_seconds = reach_seconds.unwrap_or(u32::MAX);
        for (reach, every) in DEEP {
            let to_seconds = late_seconds.min(reach);
            if from_seconds < to_seconds {
                let every = Duration::from_secs(every);
                deep.push(DeepRange {
                    from_seconds,
                    to_seconds,
                    every,
                    due: every,
                    backoff: BACKOFF_FIRST,
                    mark: clock.mark.clone(),
                    look: None,
                });
                from_seconds = to_seconds;
            }
        }
        let mut follower = Self {
            query,
            mark: clock.mark,
            reach_seconds,
            deep,
            seen: HashMap::new(),
        };
        // What was stored within the margin before now is old. Of what was also late by then, some may be shown as if it
        // were new: to look through all of `--late` first is not worth it.
        let _ = follower.poll(database).await?;
        Ok(follower)
    }

    /// Remembers what was shown meanwhile.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn mark_shown(&mut self, database: &Database<'_>, rows: &[Row]) -> Result<(), Error> {
        let now = Clock::read(database).await?.created;
        for row in rows {
            self.seen.insert(row.log_id.clone(), now.clone());
        }
        Ok(())
    }

    /// Looks at the latest rows: those not shown yet, by timestamp.
    ///
    /// # Errors
    /// As the API has them; the next look then begins where this one did.
    pub async fn poll(&mut self, database: &Database<'_>) -> Result<Vec<Row>, Error> {
        let clock = Clock::read(database).await?;
        let now_ms = clock.mark.ms + i64::from(MARGIN_SECONDS) * 1000;
        let mut slices = match self.reach_seconds {
            Some(seconds) => Slices::new(self.mark.earliest_ms(seconds), LAST_TIME, now_ms),
            None => Slices::undivided(LAST_TIME),
        };
        // More than one only after an outage, a sleep, or a long `--interval`.
        let mut found = Vec::new();
        let _ = database.take_slowest();
        while let Some(slice) = slices.next_slice() {
            match self.read(database, &slice, &self.mark.created).await {
                Ok(rows) => {
                    found.extend(rows);
                    slices.advance(database.take_slowest());
                }
                Err(error) if error.is_too_slow() && slices.divide() => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_by_key(|(row, _)| row.position());
        let rows = self.take_new(found);
        self.mark = clock.mark;
        let marks = self.deep.iter().map(|range| &range.mark.created);
        if let Some(earliest) = marks.chain([&self.mark.created]).min().cloned() {
            self.seen.retain(|_, created| *created >= earliest);
        }
        Ok(rows)
    }

    /// Takes one slice of a deep look that is due, `elapsed` after the start; `None` where none is.
    ///
    /// # Errors
    /// As the API has them; the range is then left alone for a while.
    pub async fn deepen(
        &mut self,
        database: &Database<'_>,
        elapsed: Duration,
    ) -> Option<Result<Vec<Row>, Error>> {
        let index = self.deep.iter().position(|range| range.due <= elapsed)?;
        let result = self.deepen_range(database, index).await;
        let range = self.deep.get_mut(index)?;
        match &result {
            Ok(_) => {
                range.backoff = BACKOFF_FIRST;
                if range.look.is_none() {
                    range.due = elapsed + range.every;
                }
            }
            Err(error) => {
                let smaller = error.is_too_slow()
                    && range
                        .look
                        .as_mut()
                        .is_some_and(|(slices, _)| slices.divide());
                if smaller {
                    return Some(Ok(Vec::new()));
                }
                range.due = elapsed + range.backoff;
                range.backoff = (range.backoff * 2).min(BACKOFF_MOST);
            }
        }
        Some(result)
    }

    async fn deepen_range(
        &mut self,
        database: &Database<'_>,
        index: usize,
    ) -> Result<Vec<Row>, Error> {
        let Some(range) = self.deep.get_mut(index) else {
            return Ok(Vec::new());
        };
        if range.look.is_none() {
            let clock = Clock::read(database).await?;
            range.look = Some((range.slices(&clock.mark), clock.mark));
        }
        let created = range.mark.created.clone();
        let slice = range
            .look
            .as_ref()
            .and_then(|(slices, _)| slices.next_slice());
        let mut rows = Vec::new();
        if let Some(slice) = slice {
            let _ = database.take_slowest();
            let found = self.read(database, &slice, &created).await?;
            rows = self.take_new(found);
        }
        if let Some(range) = self.deep.get_mut(index)
            && let Some((mut slices, mark)) = range.look.take()
        {
            slices.advance(database.take_slowest());
            if slices.next_slice().is_some() {
                range.look = Some((slices, mark));
            } else {
                range.mark = mark;
            }
        }
        Ok(rows)
    }

    /// Reads the rows of a slice that were stored at or after `created`, by timestamp, each with its `created_at`.
    async fn read(
        &self,
        database: &Database<'_>,
        slice: &Slice,
        created: &str,
    ) -> Result<Vec<(Row, String)>, Error> {
        let mut after = Position {
            timestamp: slice.from.clone(),
            log_id: String::new(),
        };
        let mut found = Vec::new();
        loop {
            let (page, asked) = database
                .query_page(usize::MAX, Error::is_too_large, |count| {
                    sql::stored_since(&self.query, &after, &slice.to, created, count)
                })
                .await?;
            let full = page.len() == asked;
            for cells in page {
                let created = cells
                    .last()
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                let row = Row::read(cells)?;
                after = row.position();
                // The margin is read again at every look: of a busy system that is a lot to hold.
                if !self.seen.contains_key(&row.log_id) && self.query.matches(&row) {
                    found.push((row, created));
                }
            }
            if !full {
                return Ok(found);
            }
        }
    }

    /// Remembers rows as shown, and returns those that were not yet. Only for what is shown next: a look that fails halfway
    /// has shown nothing.
    fn take_new(&mut self, found: Vec<(Row, String)>) -> Vec<Row> {
        found
            .into_iter()
            .filter_map(|(row, created)| {
                let new = self.seen.insert(row.log_id.clone(), created).is_none();
                new.then_some(row)
            })
            .collect()
    }
}

impl DeepRange {
    /// Divides the timestamps of the rows that are as late as the range says and were stored between its mark and `now`.
    fn slices(&self, now: &Mark) -> Slices {
        let first_ms = self.mark.earliest_ms(self.to_seconds);
        // The mark is set back by the margin; the rows up to now are meant, and `created_at` has whole seconds.
        let end_ms = now.earliest_ms(self.from_seconds) + i64::from(MARGIN_SECONDS + 1) * 1000;
        Slices::new(first_ms, &time::stored_ms(end_ms), end_ms)
    }
}
