//! Deletes what is older than the retention, oldest first, in slices that D1 deletes in well under 100 ms each: it runs
//! one query at a time, and log-writer's inserts wait behind each. `prune` has the single steps.
//!
//! The rows lie in the order of time, so a slice of time is a run of neighbouring rows: D1 reads each row once, to
//! delete it. How much time holds how many rows is learned from slice to slice. Where that does not help (a first look,
//! few rows in much time, many rows in one millisecond), the end of a slice is counted off instead, which reads its rows
//! once more.

use serde::Serialize;

use crate::budget::Budget;
use crate::classify::Class;
use crate::ports::{Clock, Ports, Statement, Store, StoreError};
use crate::prune::{Position, delete_before, nth_oldest};
use crate::statement::COUNT_BEFORE;
use crate::{retry, tally, time};

/// Rows that a slice should hold.
const SLICE_ROWS: u64 = 4_000;

/// Rows that the first look counts off.
const FIRST_LOOK_ROWS: u64 = 1_000;

/// The longest slice. Right after a quiet time, a burst of logs could fill a longer one with millions.
const SLICE_MS: u64 = 5 * 60 * 1000;

/// How many rows a run counts off where rows are few: a small database is done in a few calls, a large one reads hardly
/// more rows than it deletes.
const COUNTED_ROWS: u64 = 20_000;

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
        counted_rows: 0,
        rotated: Rotated {
            cutoff: time::iso(cutoff_ms),
            ..Rotated::default()
        },
    };
    let mut delays = retry::delays_ms();
    loop {
        // (1) If the process dies in here, some expired rows are gone, the oldest first; the next tick goes on.
        match rotation.slice().await {
            Ok(Progress::Deleted) => {}
            Ok(Progress::Finished) => {
                rotation.rotated.finished = true;
                break;
            }
            Ok(Progress::OutOfBudget) => break,
            Err(error) => {
                rotation.rotated.d1_error = Some(error.class);
                let Some(delay) = delays.next() else { break };
                // Perhaps it was too much: look again before the next slice.
                rotation.pace = Pace::FirstLook;
                ports.clock().sleep_ms(delay).await;
            }
        }
    }
    if !rotation.rotated.finished {
        rotation.count_left().await;
    }
    rotation.rotated
}

/// How the end of the next slice is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Count off [`FIRST_LOOK_ROWS`].
    FirstLook,
    /// Count off [`SLICE_ROWS`].
    Count,
    /// So many milliseconds, from a known time on.
    Time { from_ms: u64, span_ms: u64 },
}

enum Progress {
    Deleted,
    Finished,
    OutOfBudget,
}

struct Rotation<'a, P> {
    ports: &'a P,
    budget: Budget,
    cutoff_ms: u64,
    pace: Pace,
    counted_rows: u64,
    rotated: Rotated,
}

impl<P: Ports> Rotation<'_, P> {
    async fn slice(&mut self) -> Result<Progress, StoreError> {
        let calls = if matches!(self.pace, Pace::Time { .. }) {
            1
        } else {
            3
        };
        if !self.budget.take(calls, self.ports.clock()) {
            return Ok(Progress::OutOfBudget);
        }
        let cutoff = Position {
            timestamp: self.rotated.cutoff.clone(),
            log_id: String::new(),
        };
        let (from_ms, end) = match self.pace {
            Pace::Time { from_ms, span_ms } => {
                let end_ms = from_ms.saturating_add(span_ms).min(self.cutoff_ms);
                let end = Position {
                    timestamp: time::iso(end_ms),
                    log_id: String::new(),
                };
                (Some(from_ms), end)
            }
            Pace::FirstLook | Pace::Count => {
                let rows = if self.pace == Pace::Count {
                    SLICE_ROWS
                } else {
                    FIRST_LOOK_ROWS
                };
                let Some(first) = self.nth_oldest(0).await? else {
                    return Ok(Progress::Finished);
                };
                let last = self.nth_oldest(rows).await?;
                (time::parse_ms(&first.timestamp), last.unwrap_or(cutoff))
            }
        };
        let start = self.ports.clock().now_ms();
        let deleted = delete_before(self.ports, &end).await;
        self.count_call(start);
        let deleted = deleted?;
        self.rotated.rows_deleted += deleted.rows;
        self.rotated.rows_written += deleted.rows_written;
        self.rotated.database_bytes = deleted.size_bytes;
        self.pace = self.next_pace(from_ms, &end, deleted.rows);
        Ok(Progress::Deleted)
    }

    /// What the slice that was deleted teaches about the next one.
    fn next_pace(&mut self, from_ms: Option<u64>, end: &Position, rows: u64) -> Pace {
        let counted = !matches!(self.pace, Pace::Time { .. });
        if counted {
            self.counted_rows += rows;
        }
        let (Some(from_ms), Some(end_ms)) = (from_ms, time::parse_ms(&end.timestamp)) else {
            return Pace::Count; // timestamps that are no times
        };
        if rows == 0 {
            return Pace::Count; // a gap, or the end
        }
        let took_ms = end_ms.saturating_sub(from_ms);
        let mut span_ms = took_ms.saturating_mul(SLICE_ROWS) / rows;
        if !counted {
            span_ms = span_ms.min(took_ms.saturating_mul(2));
        }
        let few = span_ms > SLICE_MS && self.counted_rows < COUNTED_ROWS;
        if span_ms == 0 || few {
            return Pace::Count;
        }
        Pace::Time {
            from_ms: end_ms,
            span_ms: span_ms.min(SLICE_MS),
        }
    }

    async fn nth_oldest(&mut self, skip: u64) -> Result<Option<Position>, StoreError> {
        let start = self.ports.clock().now_ms();
        let position = nth_oldest(self.ports, &self.rotated.cutoff, skip).await;
        self.count_call(start);
        position
    }

    fn count_call(&mut self, start_ms: u64) {
        let took_ms = self.ports.clock().now_ms().saturating_sub(start_ms);
        self.rotated.d1_calls += 1;
        self.rotated.d1_ms += took_ms;
        self.rotated.longest_call_ms = self.rotated.longest_call_ms.max(took_ms);
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
                let left = outcomes
                    .first()
                    .and_then(|o| o.value.as_ref()?.parse().ok());
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
