//! The archive: the records of a slice as objects in R2, one for each hour of their timestamps, and a row in the catalog
//! for each. `slice` writes their rows first and decides about messages whose records did not get here; `log_record`
//! has the layout.
//!
//! An object is named after the messages in it: where the same messages come together again, they meet their object, and
//! nothing is stored twice. Where they come again among others, their records are in two objects, and readers remove
//! the duplicates by `(timestamp, log_id)`.

use std::collections::{BTreeMap, HashMap, HashSet};

use log_record::archive::{Counts, ObjectKey, Rows, is_timestamp, write_line};
use log_record::{Level, RecordView};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use worker_runtime::retry::retry_delays_ms;
use worker_runtime::timestamp::parse_ms;
use worker_runtime::{CallError, within};

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

/// The beginnings of the contexts whose records become rows whatever their level.
const ROW_KINDS: [&str; 2] = [r#"{"kind":"invocation""#, r#"{"kind":"exception""#];

/// Returns for each of a message's `records` whether it becomes a row.
///
/// With [`Rows::Index`] these are invocations, exceptions, warnings, errors and whatever has a level that D1 must judge;
/// the first record of every pair of request and correlation id, so that every id leads somewhere; and records that the
/// archive has no hour for.
#[must_use]
pub fn choose_rows(records: &[RecordView<'_>], rows: Rows) -> Vec<bool> {
    if rows == Rows::All {
        return vec![true; records.len()];
    }
    let mut pairs = HashSet::new();
    let mut dates = Dates::default();
    let mut are_rows = Vec::with_capacity(records.len());
    for record in records {
        let [_, _, request_id, correlation_id, level, _, context, ..] = *record.elements();
        let is_first = pairs.insert((request_id, correlation_id));
        are_rows.push(
            is_first
                || !matches!(level, r#""info""# | r#""debug""#)
                || ROW_KINDS.iter().any(|kind| context.starts_with(kind))
                || !dates.is_date(record.timestamp()),
        );
    }
    are_rows
}

/// Tells timestamps that name an hour from other texts. A message's records are mostly of one minute, which is parsed
/// once.
#[derive(Default)]
struct Dates<'r> {
    known_minute: &'r str,
}

impl<'r> Dates<'r> {
    fn is_date(&mut self, timestamp: &'r str) -> bool {
        let (Some(minute), Some(seconds)) = (timestamp.get(..16), timestamp.get(17..19)) else {
            return false;
        };
        if !is_timestamp(timestamp) || seconds >= "60" {
            return false;
        }
        if minute != self.known_minute {
            if parse_ms(timestamp).is_none() {
                return false;
            }
            self.known_minute = minute;
        }
        true
    }
}

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

/// The records of one hour.
#[derive(Default)]
struct Hour<'m> {
    /// The indexes of the messages that they came in.
    messages: Vec<usize>,
    records: Vec<&'m RecordView<'m>>,
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
        let timestamps = hour.records.iter().map(|record| record.timestamp());
        let first = timestamps.clone().min().unwrap_or_default();
        let last = timestamps.max().unwrap_or_default();
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

/// A row of the catalog before D1 gives it its time; an array by position, as [`INSERT_OBJECTS`] takes it.
#[derive(Debug)]
struct ObjectRow {
    key: String,
    first_timestamp: String,
    last_timestamp: String,
    bytes: u64,
    rows: Rows,
    counts: Counts,
}

impl Serialize for ObjectRow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = (
            &self.key,
            &self.first_timestamp,
            &self.last_timestamp,
            self.bytes,
            self.rows,
            &self.counts,
        );
        row.serialize(serializer)
    }
}

/// Returns the records by their hour, `2026-11-25T12`. Those that name none are rows and nothing else.
fn divide_by_hour<'m>(messages: &'m [ArchiveMessage<'m>]) -> BTreeMap<&'m str, Hour<'m>> {
    let mut hours: BTreeMap<&str, Hour<'_>> = BTreeMap::new();
    let mut dates = Dates::default();
    for (index, message) in messages.iter().enumerate() {
        for record in &message.records {
            let timestamp = record.timestamp();
            if !dates.is_date(timestamp) {
                continue;
            }
            let hour = hours.entry(timestamp.get(..13).unwrap_or_default());
            let hour = hour.or_default();
            if hour.messages.last() != Some(&index) {
                hour.messages.push(index);
            }
            hour.records.push(record);
        }
    }
    hours
}

fn lines_of(records: &[&RecordView<'_>]) -> String {
    // The names are 126 bytes a line.
    let bytes: usize = records.iter().map(|record| record.raw().len() + 130).sum();
    let mut lines = String::with_capacity(bytes);
    for record in records {
        write_line(&mut lines, record);
    }
    lines
}

fn count_records(records: &[&RecordView<'_>]) -> Counts {
    // By their JSON, which is read once for each Worker and not for each record.
    let mut found: HashMap<(&str, &str), u64> = HashMap::new();
    for record in records {
        let [_, worker_name, _, _, level, ..] = *record.elements();
        *found.entry((worker_name, level)).or_default() += 1;
    }
    let mut counts = Counts::default();
    for ((worker_name, level), count) in found {
        let worker_name =
            serde_json::from_str(worker_name).unwrap_or_else(|_| worker_name.to_owned());
        // D1 takes no other level, and what it does not take is not archived.
        if let Ok(level) = serde_json::from_str::<Level>(level) {
            *counts
                .0
                .entry(worker_name)
                .or_default()
                .entry(level)
                .or_default() += count;
        }
    }
    counts
}

/// Returns 64 bits that follow from the ids, whatever their order.
fn digest_ids<'m>(ids: impl Iterator<Item = &'m str>) -> u64 {
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id);
        hash.update([0]);
    }
    let mut bits = 0;
    for byte in hash.finalize().iter().take(8) {
        bits = (bits << 8) | u64::from(*byte);
    }
    bits
}

fn set_errors(errors: &mut [Option<ArchiveError>], messages: &[usize], error: &ArchiveError) {
    for index in messages {
        if let Some(place) = errors.get_mut(*index) {
            place.get_or_insert_with(|| error.clone());
        }
    }
}
