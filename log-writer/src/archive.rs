//! The archive: the records of a slice as objects in R2, one for each hour of their timestamps, and a row in the catalog
//! for each. `slice` writes their rows first and decides about messages whose records did not get here; `log_record`
//! has the layout.
//!
//! An object is named after the messages in it: where the same messages come together again, they meet their object, and
//! nothing is stored twice. Where they come again among others, their records are in two objects, and readers remove
//! the duplicates by `(timestamp, log_id)`.
//!
//! `object` has the pure part of that, `row_choice` the records that become rows.

mod object;
mod row_choice;

use log_record::RecordView;
use log_record::archive::{ObjectKey, Rows};
use worker_runtime::retry::retry_delays_ms;
use worker_runtime::{CallError, within};

use self::object::{Hour, ObjectRow, count_records, digest_ids, divide_by_hour, lines_of};
pub use self::row_choice::choose_rows;
pub(crate) use self::row_choice::pair_of;
use crate::d1_error::{ErrorKind, StoreError};
use crate::invocation::Invocation;
use crate::ports::{Bucket, Clock, Ports, Statement};
use crate::statement::INSERT_OBJECTS;
use crate::stats::{ArchiveStats, BatchStats};

/// Objects that could not be stored before the bucket is taken to be away, and asked no more in this invocation. One may
/// be about the object.
const FAILURES: u32 = 2;

/// Calls that one more object takes: the put, and its catalog row.
const OBJECT_OPERATIONS: usize = 2;

/// The records of one message that belong into the archive.
#[derive(Debug)]
pub struct ArchiveMessage<'r> {
    /// The message's id.
    pub id: &'r str,
    /// The records.
    pub records: Vec<&'r RecordView<'r>>,
}

/// The reason why records are not in the archive this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveError {
    /// R2 did not take the object.
    Bucket(CallError),
    /// D1 did not take the catalog row.
    Catalog(StoreError),
    /// This invocation has asked as much as it may: the next one goes on.
    OutOfBudget,
}

/// Archives the slices of one invocation.
#[derive(Debug)]
pub struct Archiver<'a, P> {
    invocation: &'a Invocation<'a, P>,
    failures: u32,
}

impl<'a, P: Ports> Archiver<'a, P> {
    /// Returns an archiver for `invocation`.
    pub fn new(invocation: &'a Invocation<'a, P>) -> Self {
        Self {
            invocation,
            failures: 0,
        }
    }

    /// Returns whether there is an archive.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.invocation.ports.bucket().is_bound()
    }

    /// Stores the records of `messages` and catalogs them, where `rows` of them are in D1; returns for each message the
    /// reason why not all of its records are archived, if they are not.
    pub async fn store(
        &mut self,
        messages: &[ArchiveMessage<'_>],
        rows: Rows,
        stats: &mut BatchStats,
    ) -> Vec<Option<ArchiveError>> {
        let archive = stats.archive.get_or_insert_default();
        let mut errors = vec![None; messages.len()];
        let mut catalog = Vec::new();
        let mut cataloged = Vec::new();
        for hour in divide_by_hour(messages).into_values() {
            // (1) If the process dies in here, the rows are in D1, and the object is in the bucket or not. The messages are
            // not acked: they come again. Together, they meet their object by its name; among others, their records are
            // in a second object, and the first one is in no catalog.
            match self.put_object(&hour, messages, rows, archive).await {
                Ok(row) => {
                    catalog.push(row);
                    cataloged.extend(hour.messages);
                }
                Err(error) => set_errors(&mut errors, &hour.messages, &error),
            }
        }
        if catalog.is_empty() {
            return errors;
        }
        // (2) If the process dies in here, the objects are in the bucket and their rows in the catalog or not. The messages
        // come again as after (1); a row that is there is passed over by its key.
        match self.insert_rows(&catalog).await {
            Ok((calls, rows_written)) => {
                stats.d1_retries += calls.saturating_sub(1);
                stats.rows_written += rows_written;
                let archive = stats.archive.get_or_insert_default();
                archive.objects += catalog.len() as u64;
                archive.archived_records +=
                    catalog.iter().map(|row| row.counts.total()).sum::<u64>();
            }
            Err(error) => {
                stats.note_error(&error);
                let error = match error.kind {
                    ErrorKind::OutOfBudget => ArchiveError::OutOfBudget,
                    _ => ArchiveError::Catalog(error),
                };
                set_errors(&mut errors, &cataloged, &error);
            }
        }
        errors
    }

    /// Puts one object; returns its catalog row.
    async fn put_object(
        &mut self,
        hour: &Hour<'_>,
        messages: &[ArchiveMessage<'_>],
        rows: Rows,
        stats: &mut ArchiveStats,
    ) -> Result<ObjectRow, ArchiveError> {
        if self.failures >= FAILURES {
            return Err(ArchiveError::Bucket(CallError::OutOfTime));
        }
        if !self.invocation.has_room(OBJECT_OPERATIONS) {
            return Err(ArchiveError::OutOfBudget);
        }
        let start_ms = self.invocation.now_ms();
        let put = self.compress_and_put(hour, messages, rows).await;
        stats.archive_ms += self.invocation.now_ms().saturating_sub(start_ms);
        stats.bucket_refusals = self.invocation.bucket.refusals();
        match put {
            Ok(row) => {
                self.failures = 0;
                stats.archive_bytes += row.bytes;
                Ok(row)
            }
            Err(error) => {
                self.failures += 1;
                stats.archive_error = Some(error.to_string());
                Err(ArchiveError::Bucket(error))
            }
        }
    }

    async fn compress_and_put(
        &self,
        hour: &Hour<'_>,
        messages: &[ArchiveMessage<'_>],
        rows: Rows,
    ) -> Result<ObjectRow, CallError> {
        let bucket = self.invocation.ports.bucket();
        let clock = self.invocation.ports.clock();
        let first = hour.records.first().map_or("", |record| record.timestamp());
        let last = hour.records.last().map_or("", |record| record.timestamp());
        let ids = hour
            .messages
            .iter()
            .filter_map(|index| messages.get(*index));
        let key = ObjectKey {
            first_timestamp: first,
            last_timestamp: last,
            digest: digest_ids(ids.map(|message| message.id)),
        };
        let key = key.to_string();
        // (3) If the process dies in here, nothing was stored yet.
        let compress = bucket.compress(lines_of(&hour.records));
        let object = within(clock, self.invocation.time_left_ms(), compress).await?;
        let mut delays = retry_delays_ms().take(if self.failures > 0 { 0 } else { usize::MAX });
        loop {
            let left_ms = self.invocation.time_left_ms();
            let put = within(clock, left_ms, bucket.put_new(&key, &object));
            // (4) See (1). An error here may hide an object; the next try then finds it there, which is as good.
            let error = match self.invocation.ask(&self.invocation.bucket, put).await {
                Ok(()) => break,
                Err(error) => error,
            };
            if !error.is_transient() || self.invocation.bucket.is_silent() {
                return Err(error);
            }
            let Some(delay_ms) = delays.next() else {
                return Err(error);
            };
            // (5) See (1).
            clock.sleep_ms(delay_ms).await;
            if !self.invocation.has_room(OBJECT_OPERATIONS) {
                return Err(error);
            }
        }
        Ok(ObjectRow {
            key,
            first_timestamp: first.to_owned(),
            last_timestamp: last.to_owned(),
            bytes: bucket.size_bytes(&object),
            rows,
            counts: count_records(&hour.records),
        })
    }

    /// Inserts the catalog rows; returns the calls that this took and the rows written.
    async fn insert_rows(&self, rows: &[ObjectRow]) -> Result<(u64, u64), StoreError> {
        let parameter = serde_json::to_string(rows).map_err(|error| StoreError {
            kind: ErrorKind::Unknown,
            text: format!("catalog rows cannot be written: {error}"),
        })?;
        let statement = Statement {
            sql: INSERT_OBJECTS,
            parameters: vec![parameter],
        };
        let mut delays = retry_delays_ms();
        let mut calls = 0;
        loop {
            calls += 1;
            // (6) See (2). An error here may hide a commit; the next try then passes over the rows.
            let run = self
                .invocation
                .run_statements(std::slice::from_ref(&statement));
            let error = match run.await {
                Ok(results) => return Ok((calls, results.iter().map(|it| it.rows_written).sum())),
                Err(error) => error,
            };
            if !error.kind.is_retriable() {
                return Err(error);
            }
            let Some(delay_ms) = delays.next() else {
                return Err(error);
            };
            // (7) See (2).
            self.invocation.ports.clock().sleep_ms(delay_ms).await;
        }
    }
}

fn set_errors(errors: &mut [Option<ArchiveError>], messages: &[usize], error: &ArchiveError) {
    for index in messages {
        if let Some(place) = errors.get_mut(*index) {
            place.get_or_insert_with(|| error.clone());
        }
    }
}
