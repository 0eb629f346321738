//! Deletes what is older than the retention, oldest first, in slices: D1 runs one query at a time, and log-writer's
//! inserts wait behind each. How many rows a slice may hold follows from how long the last ones took. `prune` has the
//! single steps.
//!
//! The rows lie in the order of time, so a slice of time is a run of neighbouring rows: D1 reads each row once, to
//! delete it. How much time holds how many rows is learned from slice to slice. Where that does not help (at first, few
//! rows in much time, many rows in one millisecond), the end of a slice is counted off instead, which reads its rows
//! once more.

use serde::Serialize;

use crate::budget::Budget;
use crate::classify::Class;
use crate::ports::{Clock, Ports, Statement, Store, StoreError};
use crate::prune::{Deleted, Position, delete_before, nth_oldest};
use crate::statement::COUNT_BEFORE;
use crate::{retry, tally, time};

/// How long a delete should take.
const CALL_MS: u64 = 40;

/// Rows that the first slice holds.
const FIRST_ROWS: u64 = 1_000;

/// Rows that a slice holds at least, where D1 is slow or far away. A run's 900 statements then delete 225,000 rows (half
/// of that where each slice is counted off), and 288 runs a day more rows than D1 holds.
const LEAST_ROWS: u64 = 250;

/// Rows that a slice holds at most, where D1 is fast: 4.5 million rows a run.
const MOST_ROWS: u64 = 5_000;

/// The longest slice of time. Right after a quiet time, a burst of logs could fill a longer one with millions of rows.
const SLICE_MS: u64 = 5 * 60 * 1000;

/// A run ends before the next one starts.
const TIME_MS: u64 = 4 * 60 * 1000;

/// Expired rows that are counted when a run ends before they are gone: enough to tell some from many.
const COUNT_LEFT_ROWS: u64 = 10_000;

/// When the daily rotation starts: 03:00 UTC, as `wrangler/log-writer.toml` has it.
const DAILY_MS: u64 = 3 * 60 * 60 * 1000;

/// What a rotation did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Rows earlier than this were to go: ISO-8601, UTC, milliseconds. A row of exactly this time stays.
    pub cutoff: String,
    /// Rows deleted.
    pub rows_deleted: u64,
    /// Rows written as D1 bills them: a delete counts like an insert.
    pub rows_written: u64,
    /// Calls to D1.
    pub d1_calls: u64,
    /// Time spent waiting for D1, in milliseconds.
    pub d1_ms: u64,
    /// The longest of these calls, in milliseconds.
    pub longest_call_ms: u64,
    /// Whether no expired row is left. If not, the next tick goes on.
    pub finished: bool,
    /// Expired rows that are left.
    pub expired_left: u64,
    /// Whether there are more of them than were counted.
    pub expired_left_is_least: bool,
    /// The database's size afterwards, in bytes, as D1 reports it; 0 when unknown.
    pub database_bytes: u64,
    /// What D1's last error was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d1_error: Option<Class>,
}

impl Rotated {
    /// The log line.
    #[must_use]
    pub fn line(&self) -> String {
        tally::line("rotation", self)
    }
}

/// Up to when logs have expired for the daily rotation that is due at `now_ms`.
#[must_use]
pub fn daily_cutoff_ms(now_ms: u64, retention_days: u32) -> u64 {
    now_ms.saturating_sub(u64::from(retention_days) * time::DAY_MS)
}

/// Up to when logs had expired for the last daily rotation before `now_ms`: what a tick goes on with. Nothing needs to be
/// remembered from run to run, and a rotation that did not take place is made up for.
#[must_use]
pub fn continued_cutoff_ms(now_ms: u64, retention_days: u32) -> u64 {
    let days = now_ms.saturating_sub(DAILY_MS) / time::DAY_MS;
    daily_cutoff_ms(days * time::DAY_MS + DAILY_MS, retention_days)
}

/// Deletes rows earlier than `cutoff_ms`, a bounded number of them.
pub async fn rotate(ports: &impl Ports, cutoff_ms: u64) -> Rotated {
    let mut rotation = Rotation {
        ports,
        budget: Budget::for_ms(ports.clock(), TIME_MS),
        cutoff_ms,
        pace: Pace::FirstLook,
        slice_rows: FIRST_ROWS,
        rotated: Rotated {
            cutoff: time::iso(cutoff_ms),
            ..Rotated::default()
        },
    };
    let mut delays = retry::delays_ms();
    loop {
        // (1) If the process dies in here, some expired rows are gone, the oldest first; the next tick goes on.
        match rotation.step().await {
            Ok(Progress::GoesOn) => {}
            Ok(Progress::Finished) => {
                rotation.rotated.finished = true;
                break;
            }
            Ok(Progress::OutOfBudget) => break,
            Err(error) => {
                rotation.rotated.d1_error = Some(error.class);
                let Some(delay) = delays.next() else { break };
                // Perhaps it was too much, or was done all the same: look again, and go on carefully.
                rotation.pace = Pace::FirstLook;
                rotation.slice_rows = LEAST_ROWS;
                ports.clock().sleep_ms(delay).await;
            }
        }
    }
    if !rotation.rotated.finished {
        rotation.count_left().await;
    }
    rotation.rotated
}

/// What the next step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// See whether there is anything to do, and from when on.
    FirstLook,
    /// Delete a slice whose end is counted off; it begins at `from_ms`, as far as that is known.
    Count { from_ms: Option<u64> },
    /// Delete a slice of time.
    Time { from_ms: u64, span_ms: u64 },
}

enum Progress {
    GoesOn,
    Finished,
    OutOfBudget,
}

struct Rotation<'a, P> {
    ports: &'a P,
    budget: Budget,
    cutoff_ms: u64,
    pace: Pace,
    /// How many rows a slice should hold.
    slice_rows: u64,
    rotated: Rotated,
}

impl<P: Ports> Rotation<'_, P> {
    async fn step(&mut self) -> Result<Progress, StoreError> {
        let calls = if matches!(self.pace, Pace::Count { .. }) {
            2
        } else {
            1
        };
        if !self.budget.take(calls, self.ports.clock()) {
            return Ok(Progress::OutOfBudget);
        }
        let cutoff = Position::start_of(self.rotated.cutoff.clone());
        let (from_ms, end) = match self.pace {
            Pace::FirstLook => {
                let Some(first) = self.nth_oldest(0).await? else {
                    return Ok(Progress::Finished);
                };
                self.pace = Pace::Count {
                    from_ms: time::parse_ms(&first.timestamp),
                };
                return Ok(Progress::GoesOn);
            }
            Pace::Count { from_ms } => {
                let end = self.nth_oldest(self.slice_rows).await?;
                (from_ms, end.unwrap_or(cutoff.clone()))
            }
            Pace::Time { from_ms, span_ms } => {
                let end_ms = from_ms.saturating_add(span_ms).min(self.cutoff_ms);
                (Some(from_ms), Position::start_of(time::iso(end_ms)))
            }
        };
        let rows = self.delete_before(&end).await?.rows;
        if end == cutoff {
            return Ok(Progress::Finished);
        }
        self.pace = self.next_pace(from_ms, time::parse_ms(&end.timestamp), rows);
        Ok(Progress::GoesOn)
    }

    /// What a slice that held `rows` rows teaches about the next one.
    fn next_pace(&self, from_ms: Option<u64>, end_ms: Option<u64>, rows: u64) -> Pace {
        let count = Pace::Count { from_ms: end_ms };
        let (Some(from_ms), Some(end_ms)) = (from_ms, end_ms) else {
            return count; // timestamps that are no times
        };
        let took_ms = end_ms.saturating_sub(from_ms);
        let Some(span_ms) = took_ms.saturating_mul(self.slice_rows).checked_div(rows) else {
            return count; // a gap
        };
        // Counting off takes two calls: no more than time does where the longest slice of it holds half the rows.
        if span_ms == 0 || span_ms > 2 * SLICE_MS {
            return count;
        }
        // The next slice is at most twice as long: few rows say little.
        Pace::Time {
            from_ms: end_ms,
            span_ms: span_ms.min(took_ms.saturating_mul(2)).min(SLICE_MS),
        }
    }

    /// Deletes a slice, and learns from how long that takes.
    async fn delete_before(&mut self, end: &Position) -> Result<Deleted, StoreError> {
        let start = self.ports.clock().now_ms();
        let deleted = delete_before(self.ports, end).await;
        let took_ms = self.count_call(start);
        let deleted = deleted?;
        // What is short because it holds few rows says nothing.
        if took_ms > CALL_MS || deleted.rows >= self.slice_rows / 2 {
            let fitting = deleted.rows * CALL_MS / took_ms.max(1);
            self.slice_rows = fitting
                .clamp(self.slice_rows / 2, self.slice_rows * 2)
                .clamp(LEAST_ROWS, MOST_ROWS);
        }
        self.rotated.rows_deleted += deleted.rows;
        self.rotated.rows_written += deleted.rows_written;
        self.rotated.database_bytes = deleted.size_bytes;
        Ok(deleted)
    }

    async fn nth_oldest(&mut self, skip: u64) -> Result<Option<Position>, StoreError> {
        let start = self.ports.clock().now_ms();
        let position = nth_oldest(self.ports, &self.rotated.cutoff, skip).await;
        self.count_call(start);
        position
    }

    /// Counts a call that began at `start_ms`; gives how long it took.
    fn count_call(&mut self, start_ms: u64) -> u64 {
        let took_ms = self.ports.clock().now_ms().saturating_sub(start_ms);
        self.rotated.d1_calls += 1;
        self.rotated.d1_ms += took_ms;
        self.rotated.longest_call_ms = self.rotated.longest_call_ms.max(took_ms);
        took_ms
    }

    /// Counts what is left, up to a bound: counting all of it would read all of it.
    async fn count_left(&mut self) {
        let statement = Statement {
            sql: COUNT_BEFORE,
            parameters: vec![self.rotated.cutoff.clone(), COUNT_LEFT_ROWS.to_string()],
        };
        let start = self.ports.clock().now_ms();
        let outcomes = self.ports.store().batch(vec![statement]).await;
        self.count_call(start);
        match outcomes {
            Ok(outcomes) => {
                let left = outcomes.first().and_then(|o| o.row.first()?.parse().ok());
                self.rotated.expired_left = left.unwrap_or(0);
                self.rotated.expired_left_is_least = left == Some(COUNT_LEFT_ROWS);
                self.rotated.finished = left == Some(0);
            }
            Err(error) => {
                self.rotated.d1_error = Some(error.class);
                self.rotated.expired_left_is_least = true; // 0 or more: not known
            }
        }
    }
}
