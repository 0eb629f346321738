//! Records into D1, a slice at a time: in one transaction where possible, tried again where that helps, divided where a
//! record is to blame. `slice` decides what becomes of the records that D1 did not take.

use std::ops::Range;

use worker_runtime::retry::retry_delays_ms;

use crate::d1_error::{ErrorKind, StoreError};
use crate::invocation::Invocation;
use crate::ports::{Clock, Ports};
use crate::prune;
use crate::statement::{empty_insert, inserts};
use crate::stats::BatchStats;

/// The fate of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordStatus {
    /// It is in D1, now or from before.
    Committed,
    /// D1 will never take it, and says why.
    Rejected(String),
    /// Its message is at its last attempt, was written apart from all others, and D1 did not take it: for this reason.
    Exhausted(String),
    /// D1 did not take it this time.
    Pending,
}

impl RecordStatus {
    /// Returns whether the record becomes a dead letter.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Exhausted(_))
    }
}

/// The records of some messages, in their order.
#[derive(Debug, Default)]
pub struct SliceRecords<'r> {
    records: Vec<&'r str>,
    messages: Vec<MessageRecords>,
    has_failed_before: bool,
}

#[derive(Debug)]
struct MessageRecords {
    range: Range<usize>,
    is_last_attempt: bool,
}

impl<'r> SliceRecords<'r> {
    /// Adds the `records` of one message, each one wire array, which was delivered `attempts` times of `max_attempts`.
    pub fn push_message(
        &mut self,
        records: impl Iterator<Item = &'r str>,
        attempts: u32,
        max_attempts: u32,
    ) {
        let start = self.records.len();
        self.records.extend(records);
        if self.records.len() > start {
            self.messages.push(MessageRecords {
                range: start..self.records.len(),
                is_last_attempt: attempts >= max_attempts,
            });
        }
        self.has_failed_before |= attempts > 1;
    }

    /// Returns the number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns the messages that have records within `range`.
    fn messages_in(&self, range: &Range<usize>) -> &[MessageRecords] {
        let first = self
            .messages
            .partition_point(|m| m.range.end <= range.start);
        let end = self.messages.partition_point(|m| m.range.start < range.end);
        self.messages.get(first..end).unwrap_or_default()
    }

    /// Returns the message that holds all of `range`, if one does.
    fn message_of(&self, range: &Range<usize>) -> Option<&MessageRecords> {
        match self.messages_in(range) {
            [message] => Some(message),
            _ => None,
        }
    }

    /// Returns whether a message within `range` is at its last attempt.
    fn has_last_attempts(&self, range: &Range<usize>) -> bool {
        let mut messages = self.messages_in(range).iter();
        messages.any(|message| message.is_last_attempt)
    }

    /// Returns where to divide `range`: between messages if it holds several.
    fn middle(&self, range: &Range<usize>) -> usize {
        let messages = self.messages_in(range);
        match messages.get(messages.len() / 2) {
            Some(message) if messages.len() > 1 => message.range.start,
            _ => range.start + range.len() / 2,
        }
    }
}

/// The calls that may fail in one invocation while records are told apart. Each one either finds a culprit or brings it
/// nearer, and the rest is for the next delivery.
pub const SPLITS: usize = 200;

/// The times that room is made for one transaction: each time frees several MB, and a slice holds two.
const EVICTIONS: u32 = 8;

/// The rows to drop when D1 is full: the first number that the table holds, so that a small database gives way as well.
const EVICTED_ROWS: [u64; 3] = [10_000, 1_000, 100];

/// Writes the slices of one invocation.
#[derive(Debug)]
pub struct Writer<'a, P> {
    invocation: &'a Invocation<'a, P>,
    /// The splits of this invocation, and those that the messages at work may use.
    splits_in_all: usize,
    splits_left: usize,
    messages_divided: u32,
    /// D1 has taken an insert of no records while it refused one of some: a record is to blame.
    is_proven: bool,
    stop: Option<StoreError>,
}

/// The next step after a call that failed.
enum Step {
    /// Write the parts of the range one by one.
    Divide(Vec<Range<usize>>),
    /// The records of the range have this status.
    Settle(RecordStatus),
    /// Leave all that is left of the slice.
    Stop,
}

impl<'a, P: Ports> Writer<'a, P> {
    /// Returns a writer for `invocation`.
    pub fn new(invocation: &'a Invocation<'a, P>) -> Self {
        Self {
            invocation,
            splits_in_all: SPLITS,
            splits_left: 0,
            messages_divided: 0,
            is_proven: false,
            stop: None,
        }
    }

    /// Lets the messages that follow use `most` splits.
    pub fn allow_splits(&mut self, most: usize) {
        self.splits_in_all += self.splits_left;
        self.splits_left = most.min(self.splits_in_all);
        self.splits_in_all -= self.splits_left;
    }

    /// Returns the error after which nothing more should be written in this invocation.
    #[must_use]
    pub fn stopped_by(&self) -> Option<&StoreError> {
        self.stop.as_ref()
    }

    /// Writes the records of `slice`; returns the status of each, and the error that left some pending.
    pub async fn write_slice(
        &mut self,
        slice: &SliceRecords<'_>,
        stats: &mut BatchStats,
    ) -> (Vec<RecordStatus>, Option<StoreError>) {
        let mut statuses = vec![RecordStatus::Pending; slice.len()];
        let mut last_error = None;
        // Time heals a whole or nothing: once it did not, the parts are tried once each.
        let mut retries = true;
        let mut ranges = Vec::from([Range {
            start: 0,
            end: slice.len(),
        }]);
        while let Some(range) = ranges.pop() {
            let part = slice.records.get(range.clone()).unwrap_or_default();
            if part.is_empty() || (self.stop.is_some() && !slice.has_last_attempts(&range)) {
                continue;
            }
            // (1) If the process dies in here, D1 has all of `part` or nothing of it, and the messages are not acked: they
            // come again, and what D1 has is passed over by its key.
            let Err(error) = self.commit(part, retries, stats).await else {
                set_status(&mut statuses, range, &RecordStatus::Committed);
                continue;
            };
            stats.note_error(&error);
            retries &= error.kind == ErrorKind::Rejected;
            let step = self.next_step(slice, &range, &error).await;
            last_error = Some(error);
            match step {
                // The first part comes first: it is on top.
                Step::Divide(parts) => ranges.extend(parts.into_iter().rev()),
                Step::Settle(verdict) => set_status(&mut statuses, range, &verdict),
                Step::Stop => break,
            }
        }
        (statuses, last_error)
    }

    /// Decides what to do about `range`, which D1 did not take.
    async fn next_step(
        &mut self,
        slice: &SliceRecords<'_>,
        range: &Range<usize>,
        error: &StoreError,
    ) -> Step {
        match error.kind {
            ErrorKind::Rejected if range.len() == 1 => {
                Step::Settle(RecordStatus::Rejected(error.text.clone()))
            }
            ErrorKind::Rejected => divide(slice, range),
            ErrorKind::Unknown | ErrorKind::TooMuchWork => {
                if !slice.has_failed_before {
                    // Perhaps it passes. Other slices may not meet it.
                    return Step::Settle(RecordStatus::Pending);
                }
                // (2) If the process dies in here, nothing was written.
                match self.blame_records().await {
                    Ok(()) => self.tell_apart(slice, range, error),
                    Err(ErrorKind::Unknown | ErrorKind::Transient | ErrorKind::TooMuchWork) => {
                        self.try_last_attempts(slice, range, error)
                    }
                    Err(_) => self.stop_after(error),
                }
            }
            ErrorKind::Transient => self.try_last_attempts(slice, range, error),
            ErrorKind::Overloaded
            | ErrorKind::AccountLimit
            | ErrorKind::Full
            | ErrorKind::NotReady
            | ErrorKind::OutOfBudget => self.stop_after(error),
        }
    }

    /// Finds out whether D1 takes an insert of no records: then an error that nobody knows is about the records.
    async fn blame_records(&mut self) -> Result<(), ErrorKind> {
        if self.is_proven {
            return Ok(());
        }
        let probe = self.invocation.run_statements(&[empty_insert()]).await;
        probe.map_err(|error| error.kind)?;
        self.is_proven = true;
        Ok(())
    }

    /// Divides `range` to find the records to blame, as far as the splits go.
    fn tell_apart(
        &mut self,
        slice: &SliceRecords<'_>,
        range: &Range<usize>,
        error: &StoreError,
    ) -> Step {
        let message = slice.message_of(range);
        let is_last_attempt = message.is_some_and(|message| message.is_last_attempt);
        let is_whole = message.is_some_and(|message| message.range == *range);
        if is_last_attempt && is_whole {
            // The verdict on this message is due, so it is begun only with splits enough to find each of its culprits; the
            // first one in any case, or a message with very many would never be begun.
            if self.splits_left < range.len() - 1 && self.messages_divided > 0 {
                return Step::Settle(RecordStatus::Pending);
            }
            self.messages_divided += 1;
        }
        if range.len() > 1 && self.splits_left > 0 {
            self.splits_left -= 1;
            return divide(slice, range);
        }
        Step::Settle(if is_last_attempt {
            RecordStatus::Exhausted(error.text.clone())
        } else {
            RecordStatus::Pending
        })
    }

    /// D1 itself is in trouble, and no record is to blame. What is at its last attempt is tried once more, each message
    /// apart from all others; everything else waits.
    fn try_last_attempts(
        &mut self,
        slice: &SliceRecords<'_>,
        range: &Range<usize>,
        error: &StoreError,
    ) -> Step {
        self.stop = Some(error.clone());
        match slice.message_of(range) {
            Some(message) if message.is_last_attempt => {
                Step::Settle(RecordStatus::Exhausted(error.text.clone()))
            }
            Some(_) => Step::Settle(RecordStatus::Pending),
            None => {
                let messages = slice.messages_in(range).iter();
                let last = messages.filter(|message| message.is_last_attempt);
                Step::Divide(last.map(|message| message.range.clone()).collect())
            }
        }
    }

    fn stop_after(&mut self, error: &StoreError) -> Step {
        self.stop = Some(error.clone());
        Step::Stop
    }

    /// Writes `records` in one transaction, again and again if `retries`.
    async fn commit(
        &self,
        records: &[&str],
        retries: bool,
        stats: &mut BatchStats,
    ) -> Result<(), StoreError> {
        let statements = inserts(records);
        let mut delays = retry_delays_ms().take(if retries { usize::MAX } else { 0 });
        let mut evictions = 0;
        loop {
            // (3) See (1). An error here may hide a commit; the next try then finds the rows and passes over them.
            let error = match self.invocation.run_statements(&statements).await {
                Ok(results) => {
                    let inserted = results.iter().map(|result| result.changes).sum::<u64>();
                    stats.rows_inserted += inserted;
                    stats.duplicates += (records.len() as u64).saturating_sub(inserted);
                    stats.rows_written += results.iter().map(|r| r.rows_written).sum::<u64>();
                    return Ok(());
                }
                Err(error) => error,
            };
            if error.kind == ErrorKind::Full && evictions < EVICTIONS {
                evictions += 1;
                // (4) If the process dies in here, the oldest rows may be gone and nothing was written for them yet: the
                // messages come again, and find room.
                stats.oldest_dropped += self.evict_oldest().await?;
            } else if error.kind == ErrorKind::Unknown && self.is_proven {
                return Err(error); // a record is to blame, which time does not heal
            } else if error.kind.is_retriable() {
                let Some(delay_ms) = delays.next() else {
                    return Err(error);
                };
                // (5) If the process dies in here, nothing was committed since (3), and the messages come again.
                self.invocation.ports.clock().sleep_ms(delay_ms).await;
            } else {
                return Err(error);
            }
            stats.d1_retries += 1;
        }
    }

    /// Deletes the oldest rows; returns how many.
    async fn evict_oldest(&self) -> Result<u64, StoreError> {
        // Later than every timestamp.
        const END_OF_TIME: &str = "~";
        for rows in EVICTED_ROWS {
            // (6) Reads only.
            let end = prune::find_nth_oldest(self.invocation, END_OF_TIME, rows).await?;
            if let Some(end) = end.answer {
                // (7) See (4).
                let deleted = prune::delete_before(self.invocation, &end).await?;
                return Ok(deleted.answer.rows);
            }
        }
        Err(StoreError::new(
            "database or disk is full, and holds no logs to drop",
        ))
    }
}

fn divide(slice: &SliceRecords<'_>, range: &Range<usize>) -> Step {
    let middle = slice.middle(range);
    Step::Divide(vec![range.start..middle, middle..range.end])
}

fn set_status(statuses: &mut [RecordStatus], range: Range<usize>, status: &RecordStatus) {
    if let Some(statuses) = statuses.get_mut(range) {
        statuses.fill(status.clone());
    }
}
