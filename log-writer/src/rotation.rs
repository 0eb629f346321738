//! Deletes what is older than the retention, oldest first, in slices: D1 runs one query at a time, and log-writer's
//! inserts wait behind each. The rows that a slice may hold follow from how long D1 itself took for the last ones, not from
//! how long the answer was under way. `prune` has the single steps.
//!
//! The rows lie in the order of time, so a slice of time is a run of neighbouring rows: D1 reads each row once, to
//! delete it. How much time holds how many rows is learned from slice to slice. Where that does not help (at first, few
//! rows in much time, many rows in one millisecond), the end of a slice is counted off instead, which reads its rows
//! once more.

use log_record::Level;
use serde::Serialize;
use worker_runtime::LogLine;
use worker_runtime::retry::retry_delays_ms;
use worker_runtime::timestamp::{DAY_MS, format_ms, parse_ms};

use crate::d1_error::{ErrorKind, StoreError};
use crate::invocation::Invocation;
use crate::ports::{Clock, Ports, Statement};
use crate::prune::{Deleted, Position, Timed, delete_before, find_nth_oldest};
use crate::statement::COUNT_BEFORE;

/// The time that D1 should take for a delete, in microseconds.
const CALL_US: u64 = 40_000;

/// Rows that the first slice holds.
const FIRST_ROWS: u64 = 1_000;

/// Rows that a slice holds at least, where D1 is slow.
const LEAST_ROWS: u64 = 250;

/// Rows that a slice holds at most, where D1 is fast.
const MOST_ROWS: u64 = 5_000;

/// The longest slice of time. Right after a quiet time, a burst of logs could fill a longer one with millions of rows.
const SLICE_MS: u64 = 5 * 60 * 1000;

/// Expired rows that are counted when a run ends before they are gone: enough to tell some from many.
const COUNT_LEFT_ROWS: u64 = 10_000;

/// The call and the milliseconds for that.
const COUNT_LEFT: (usize, u64) = (1, 5_000);

/// Logs expire an hour's worth at a time: the first run after the full hour deletes them, and the other ones find nothing
/// to do, which costs them one row read. Every run by itself would delete too few to learn from one slice about the next.
const STEP_MS: u64 = 60 * 60 * 1000;

/// The counts of a rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RotationStats {
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
    /// The longest that D1 itself took for one of these calls, in milliseconds.
    pub longest_call_ms: u64,
    /// No expired row is left. If not, the next run goes on.
    #[serde(rename = "finished")]
    pub is_finished: bool,
    /// Expired rows that are left.
    pub expired_left: u64,
    /// There are more of them than were counted, or their number is not known.
    pub expired_left_is_least: bool,
    /// The database's size afterwards, in bytes, as D1 reports it; 0 when unknown.
    pub database_bytes: u64,
    /// The kind of D1's last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d1_error: Option<ErrorKind>,
}

impl RotationStats {
    /// Returns the log line.
    #[must_use]
    pub fn to_line(&self) -> LogLine {
        let (level, rest) = match (self.is_finished, self.d1_error) {
            (true, _) => (Level::Info, ""),
            (false, None) => (Level::Info, "; the next run goes on"),
            (false, Some(_)) => (Level::Warn, "; D1 failed, and the next run goes on"),
        };
        let message = format!("{} expired rows deleted{rest}", self.rows_deleted);
        LogLine::new(level, "rotation", &message, self)
    }
}

/// Returns the time up to which logs have expired at `now_ms`: the last full hour, less the retention. Nothing needs to be
/// remembered from run to run, and a rotation that did not take place is made up for.
#[must_use]
pub fn cutoff_ms(now_ms: u64, retention_days: u32) -> u64 {
    let hour_ms = now_ms / STEP_MS * STEP_MS;
    hour_ms.saturating_sub(u64::from(retention_days) * DAY_MS)
}

/// Deletes rows earlier than `cutoff_ms`, as many as `invocation` may.
pub async fn rotate(invocation: &Invocation<'_, impl Ports>, cutoff_ms: u64) -> RotationStats {
    let (calls_before, ms_before) = invocation.d1_calls();
    let mut rotation = Rotation {
        invocation,
        cutoff_ms,
        pace: Pace::FirstLook,
        slice_rows: FIRST_ROWS,
        stats: RotationStats {
            cutoff: format_ms(cutoff_ms),
            ..RotationStats::default()
        },
    };
    invocation.reserve(COUNT_LEFT.0, COUNT_LEFT.1);
    let mut delays = retry_delays_ms();
    loop {
        // (1) If the process dies in here, some expired rows are gone, the oldest first; the next run goes on.
        match rotation.step().await {
            Ok(Progress::GoesOn) => {}
            Ok(Progress::Finished) => {
                rotation.stats.is_finished = true;
                break;
            }
            Err(error) if error.kind == ErrorKind::OutOfBudget => break,
            Err(error) => {
                rotation.stats.d1_error = Some(error.kind);
                let Some(delay_ms) = delays.next() else { break };
                // Perhaps it was too much, or was done although it failed: look again, and go on carefully.
                rotation.pace = Pace::FirstLook;
                rotation.slice_rows = LEAST_ROWS;
                invocation.ports.clock().sleep_ms(delay_ms).await;
            }
        }
    }
    invocation.reserve(0, 0);
    if !rotation.stats.is_finished {
        rotation.count_left().await;
    }
    let (calls, ms) = invocation.d1_calls();
    rotation.stats.d1_calls = calls - calls_before;
    rotation.stats.d1_ms = ms - ms_before;
    rotation.stats
}

/// The next step.
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
}

struct Rotation<'a, P> {
    invocation: &'a Invocation<'a, P>,
    cutoff_ms: u64,
    pace: Pace,
    /// The rows that a slice should hold.
    slice_rows: u64,
    stats: RotationStats,
}

impl<P: Ports> Rotation<'_, P> {
    async fn step(&mut self) -> Result<Progress, StoreError> {
        let cutoff = Position::start_of(self.stats.cutoff.clone());
        let (from_ms, end) = match self.pace {
            Pace::FirstLook => {
                let Some(first) = self.find_nth_oldest(0).await? else {
                    return Ok(Progress::Finished);
                };
                self.pace = Pace::Count {
                    from_ms: parse_ms(&first.timestamp),
                };
                return Ok(Progress::GoesOn);
            }
            Pace::Count { from_ms } => {
                let end = self.find_nth_oldest(self.slice_rows).await?;
                (from_ms, end.unwrap_or(cutoff.clone()))
            }
            Pace::Time { from_ms, span_ms } => {
                let end_ms = from_ms.saturating_add(span_ms).min(self.cutoff_ms);
                (Some(from_ms), Position::start_of(format_ms(end_ms)))
            }
        };
        let rows = self.delete_before(&end).await?.rows;
        if end == cutoff {
            return Ok(Progress::Finished);
        }
        self.pace = self.next_pace(from_ms, parse_ms(&end.timestamp), rows);
        Ok(Progress::GoesOn)
    }

    /// Returns the pace that a slice of `rows` rows teaches.
    fn next_pace(&self, from_ms: Option<u64>, end_ms: Option<u64>, rows: u64) -> Pace {
        let count = Pace::Count { from_ms: end_ms };
        let (Some(from_ms), Some(end_ms)) = (from_ms, end_ms) else {
            return count; // timestamps that are not times
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

    /// Deletes a slice, and learns from the time that D1 took for it.
    async fn delete_before(&mut self, end: &Position) -> Result<Deleted, StoreError> {
        let deleted = delete_before(self.invocation, end).await?;
        let Deleted {
            rows,
            rows_written,
            size_bytes,
        } = *self.note(&deleted);
        // A short call on few rows says nothing about speed, and neither does a call that took D1 no time it knows of.
        let teaches = deleted.duration_us > CALL_US || rows >= self.slice_rows / 2;
        if teaches && let Some(fitting) = (rows * CALL_US).checked_div(deleted.duration_us) {
            self.slice_rows = fitting
                .clamp(self.slice_rows / 2, self.slice_rows * 2)
                .clamp(LEAST_ROWS, MOST_ROWS);
        }
        self.stats.rows_deleted += rows;
        self.stats.rows_written += rows_written;
        self.stats.database_bytes = size_bytes;
        Ok(deleted.answer)
    }

    async fn find_nth_oldest(&mut self, skip: u64) -> Result<Option<Position>, StoreError> {
        let mut found = find_nth_oldest(self.invocation, &self.stats.cutoff, skip).await?;
        self.note(&found);
        Ok(found.answer.take())
    }

    fn note<'t, T>(&mut self, timed: &'t Timed<T>) -> &'t T {
        let ms = timed.duration_us / 1000;
        self.stats.longest_call_ms = self.stats.longest_call_ms.max(ms);
        &timed.answer
    }

    /// Counts what is left, up to a bound: counting all of it would read all of it.
    async fn count_left(&mut self) {
        let statement = Statement {
            sql: COUNT_BEFORE,
            parameters: vec![self.stats.cutoff.clone(), COUNT_LEFT_ROWS.to_string()],
        };
        match self.invocation.run_statements(&[statement]).await {
            Ok(results) => {
                let left = results.first().and_then(|it| it.row.first()?.parse().ok());
                self.stats.expired_left = left.unwrap_or(0);
                self.stats.expired_left_is_least = left == Some(COUNT_LEFT_ROWS);
                self.stats.is_finished = left == Some(0);
            }
            Err(error) => {
                if error.kind != ErrorKind::OutOfBudget {
                    self.stats.d1_error = Some(error.kind);
                }
                self.stats.expired_left_is_least = true; // 0 or more: not known
            }
        }
    }
}
