//! The counts of a batch or a drain: one structured line each. Numbers, codes from closed sets and D1's own error texts,
//! never a body. `edge` prints it.

use std::collections::BTreeMap;

use log_record::{Level, Reason};
use serde::Serialize;
use worker_runtime::LogLine;

use crate::d1_error::{ErrorKind, StoreError};

/// The counts of a batch or a drain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BatchStats {
    /// Messages (or KV values) received.
    pub messages: u64,
    /// Slices that these were divided into.
    pub slices: u64,
    /// Records in those that could be decoded.
    pub records: u64,
    /// Rows inserted.
    pub rows_inserted: u64,
    /// Records that were stored before.
    pub duplicates: u64,
    /// Rows written as D1 bills them, index entries included.
    pub rows_written: u64,
    /// Calls to D1 that were repeated within this invocation.
    pub d1_retries: u64,
    /// Calls to D1.
    pub d1_calls: u64,
    /// Time spent waiting for D1, in milliseconds.
    pub d1_ms: u64,
    /// Rows deleted, oldest first, because D1 was full.
    pub oldest_dropped: u64,
    /// Dead letters by reason.
    pub dead_letters: BTreeMap<Reason, u64>,
    /// Records in dead letters.
    pub dead_letter_records: u64,
    /// Writes to KV: dead letters that the queue did not take, and bodies too large for it.
    pub fallback_writes: u64,
    /// Dead letters that the queue refused, or did not answer for.
    pub queue_refusals: u64,
    /// Calls that KV refused, or did not answer.
    pub kv_refusals: u64,
    /// Messages that the runtime did not hand out; they are among the retried ones.
    pub unreadable: u64,
    /// Messages that stay where they are, to come again.
    pub retried_messages: u64,
    /// Age of the oldest record, in milliseconds.
    pub lag_ms: u64,
    /// The archive's counts, where there is an archive.
    #[serde(flatten)]
    pub archive: Option<ArchiveStats>,
    /// The kind of D1's last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d1_error: Option<ErrorKind>,
    /// The text of D1's last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d1_error_text: Option<String>,
}

/// The counts of the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveStats {
    /// Records in objects that are in the bucket and in the catalog.
    pub archived_records: u64,
    /// Those objects.
    pub objects: u64,
    /// The bytes of objects put, compressed.
    pub archive_bytes: u64,
    /// Time spent compressing and waiting for the bucket, in milliseconds.
    pub archive_ms: u64,
    /// Puts that the bucket refused, or did not answer.
    pub bucket_refusals: u64,
    /// Records that the archive will never hold, since it was away at their last attempt. Each is a row or a dead letter.
    pub unarchived: u64,
    /// The bucket's last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_error: Option<String>,
}

impl BatchStats {
    /// Remembers D1's last error.
    pub fn note_error(&mut self, error: &StoreError) {
        self.d1_error = Some(error.kind);
        self.d1_error_text = Some(error.text.clone());
    }

    /// Returns the level of the line: a warning where something needed the ladder, an error where it cannot go on before
    /// somebody acts.
    #[must_use]
    pub fn level(&self) -> Level {
        let troubles = self.fallback_writes
            + self.queue_refusals
            + self.kv_refusals
            + self.retried_messages
            + self.oldest_dropped
            + self
                .archive
                .iter()
                .map(|it| it.bucket_refusals + it.unarchived)
                .sum::<u64>();
        if self.d1_error == Some(ErrorKind::NotReady) {
            Level::Error
        } else if troubles > 0 || !self.dead_letters.is_empty() {
            Level::Warn
        } else {
            Level::Info
        }
    }

    /// Returns the line of a batch.
    #[must_use]
    pub fn to_line(&self) -> LogLine {
        LogLine::new(self.level(), "batch", &self.summary(), self)
    }

    fn unarchived(&self) -> u64 {
        self.archive
            .as_ref()
            .map_or(0, |archive| archive.unarchived)
    }

    /// Returns the counts in a sentence.
    pub(crate) fn summary(&self) -> String {
        let mut summary = vec![format!(
            "{} records of {} messages: {} rows inserted",
            self.records, self.messages, self.rows_inserted
        )];
        let letters: u64 = self.dead_letters.values().sum();
        let parts = [
            (letters, "dead letters"),
            (self.oldest_dropped, "oldest rows dropped"),
            (self.retried_messages, "messages come again"),
            (self.unarchived(), "records not archived"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        summary.extend(parts.map(|(count, name)| format!("{count} {name}")));
        if self.d1_error == Some(ErrorKind::NotReady) {
            summary.push("D1 is not ready, and they wait until it is".to_owned());
        }
        summary.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_flat_json_object() {
        let mut stats = BatchStats {
            messages: 2,
            retried_messages: 1,
            ..BatchStats::default()
        };
        stats.dead_letters.insert(Reason::Rejected, 1);
        stats.note_error(&StoreError::new("D1_ERROR: out of memory"));
        assert_eq!(
            stats.to_line().json,
            concat!(
                r#"{"level":"warn","event":"batch","#,
                r#""message":"0 records of 2 messages: 0 rows inserted, 1 dead letters, 1 messages come again","#,
                r#""messages":2,"slices":0,"records":0,"rows_inserted":0,"duplicates":0,"rows_written":0,"#,
                r#""d1_retries":0,"d1_calls":0,"d1_ms":0,"oldest_dropped":0,"dead_letters":{"rejected":1},"#,
                r#""dead_letter_records":0,"fallback_writes":0,"queue_refusals":0,"kv_refusals":0,"unreadable":0,"#,
                r#""retried_messages":1,"lag_ms":0,"d1_error":"too_much_work","#,
                r#""d1_error_text":"D1_ERROR: out of memory"}"#
            )
        );
    }

    #[test]
    fn with_an_archive_its_counts_stand_among_the_others() {
        let stats = BatchStats {
            archive: Some(ArchiveStats {
                unarchived: 10,
                ..ArchiveStats::default()
            }),
            ..BatchStats::default()
        };
        let line = stats.to_line();
        assert_eq!(line.level, Level::Warn);
        for part in [
            "10 records not archived",
            r#","objects":0,"#,
            r#","unarchived":10"#,
        ] {
            assert!(line.json.contains(part), "{}", line.json);
        }
    }

    #[test]
    fn the_level_says_who_must_act() {
        let mut stats = BatchStats::default();
        assert_eq!(stats.level(), Level::Info);
        stats.retried_messages = 1;
        assert_eq!(stats.level(), Level::Warn);
        stats.note_error(&StoreError::new("no such table: tail_logs"));
        assert_eq!(stats.level(), Level::Error);
        assert!(stats.summary().contains("D1 is not ready"));
    }
}
