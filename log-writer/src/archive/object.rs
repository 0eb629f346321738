//! An object of the archive, from the records of some messages to its lines, its name and its counts.

use std::collections::{BTreeMap, HashMap};

use log_record::archive::{Counts, Rows, write_line};
use log_record::{Level, RecordView};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::ArchiveMessage;
use super::row_choice::Dates;

/// The records of one hour.
#[derive(Default)]
pub(super) struct Hour<'m> {
    /// The indexes of the messages that they came in.
    pub(super) messages: Vec<usize>,
    pub(super) records: Vec<&'m RecordView<'m>>,
}

/// A row of the catalog before D1 gives it its time; an array by position, as [`crate::statement::INSERT_OBJECTS`] takes it.
#[derive(Debug)]
pub(super) struct ObjectRow {
    pub(super) key: String,
    pub(super) first_timestamp: String,
    pub(super) last_timestamp: String,
    pub(super) bytes: u64,
    pub(super) rows: Rows,
    pub(super) counts: Counts,
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

/// Returns the records by their hour, `2026-11-25T12`, each once and in the order of their keys: the same messages make the
/// same object in whatever order they come. Records that name no hour are rows and nothing else.
pub(super) fn divide_by_hour<'m>(
    messages: &'m [ArchiveMessage<'m>],
) -> BTreeMap<&'m str, Hour<'m>> {
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
    for hour in hours.values_mut() {
        hour.records.sort_by_key(|record| record_key(record));
        hour.records.dedup_by_key(|record| record_key(record));
    }
    hours
}

/// Returns the key of a record, as JSON: its timestamp and its id.
fn record_key<'r>(record: &RecordView<'r>) -> (&'r str, &'r str) {
    let [log_id, .., timestamp, _] = *record.elements();
    (timestamp, log_id)
}

pub(super) fn lines_of(records: &[&RecordView<'_>]) -> String {
    // The names are 126 bytes a line.
    let bytes: usize = records.iter().map(|record| record.raw().len() + 130).sum();
    let mut lines = String::with_capacity(bytes);
    for record in records {
        write_line(&mut lines, record);
    }
    lines
}

pub(super) fn count_records(records: &[&RecordView<'_>]) -> Counts {
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
pub(super) fn digest_ids<'m>(ids: impl Iterator<Item = &'m str>) -> u64 {
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
