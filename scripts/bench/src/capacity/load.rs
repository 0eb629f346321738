//! A load, and what one log of it takes: rows, bytes, messages and objects.

use log_record::archive::{CATALOG_GRACE_DAYS, Rows};

use super::platform::limits;
use crate::constants::Constants;

/// Bytes of messages that log-writer works through at a time: each slice makes an object.
const SLICE_BYTES: f64 = 2e6;

/// Seconds until a batch that is not full is delivered, as wrangler/log-writer.toml has it.
const BATCH_SECONDS: f64 = 5.0;

/// A load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Console lines in a second, on average.
    pub logs_per_second: f64,
    /// Their length, in bytes, on average.
    pub log_bytes: f64,
    /// Lines that a request logs, on average.
    pub lines_per_request: f64,
    /// The share of lines that are warnings or errors.
    pub warnings: f64,
    /// The records that become rows.
    pub rows: Rows,
    /// The time that rows are kept, in days.
    pub retention_days: f64,
    /// The time that the archive keeps objects, in days; `None` without an archive.
    pub archive_days: Option<f64>,
    /// The size of log-writer's batches.
    pub batches: Batches,
    /// The time that D1 is away in the simulation, in minutes.
    pub outage_minutes: f64,
}

/// The size of log-writer's batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batches {
    /// As messages arrive: what comes within five seconds, and 100 at most.
    Arriving,
    /// 100 messages each.
    Full,
    /// One message each.
    Single,
}

/// A load with the constants of what a log takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow<'c> {
    pub(super) load: Load,
    pub(super) constants: &'c Constants,
}

impl Flow<'_> {
    pub(super) fn requests_per_second(self) -> f64 {
        self.load.logs_per_second / self.load.lines_per_request
    }

    /// Returns the records of a log: itself, and its share of the request's own.
    pub(super) fn records_per_log(self) -> f64 {
        1.0 + 1.0 / self.load.lines_per_request
    }

    /// Returns the rows of a log. In an index these are the request's own record and warnings and errors: a line that
    /// begins a correlation id of its own is one more, which few Workers have.
    pub(super) fn rows_per_log(self) -> f64 {
        match self.load.rows {
            Rows::All => self.records_per_log(),
            Rows::Index => self.load.warnings + 1.0 / self.load.lines_per_request,
        }
    }

    pub(super) fn queue_bytes_per_log(self) -> f64 {
        let counted = self.constants.counted;
        self.load.log_bytes
            + counted.record_bytes
            + counted.invocation_bytes / self.load.lines_per_request
    }

    /// Returns the bytes of a log in D1, its catalog's apart.
    pub(super) fn stored_bytes_per_log(self) -> f64 {
        let counted = self.constants.counted;
        match self.load.rows {
            Rows::All => self.queue_bytes_per_log() + counted.row_bytes_all * self.rows_per_log(),
            Rows::Index => {
                counted.invocation_bytes / self.load.lines_per_request
                    + (self.load.log_bytes + counted.record_bytes) * self.load.warnings
                    + counted.row_bytes_index * self.rows_per_log()
            }
        }
    }

    /// Returns the rows written that D1 bills for storing a log, the catalog's share included.
    pub(super) fn written_per_log(self) -> f64 {
        let counted = self.constants.counted;
        counted.written_per_row * self.rows_per_log()
            + counted.written_per_warning * self.load.warnings
            + counted.written_per_object * self.objects_per_log()
    }

    /// Returns the rows of a log that expire, the catalog's share included.
    pub(super) fn expired_per_log(self) -> f64 {
        self.rows_per_log() + self.objects_per_log()
    }

    pub(super) fn messages_per_request(self) -> f64 {
        (self.queue_bytes_per_log() * self.load.lines_per_request / limits::MESSAGE_BYTES).ceil()
    }

    pub(super) fn message_bytes(self) -> f64 {
        self.queue_bytes_per_log() * self.load.lines_per_request / self.messages_per_request()
    }

    pub(super) fn messages_per_second(self) -> f64 {
        self.requests_per_second() * self.messages_per_request()
    }

    pub(super) fn batch_messages(self) -> f64 {
        match self.load.batches {
            Batches::Arriving => {
                (self.messages_per_second() * BATCH_SECONDS).clamp(1.0, limits::BATCH_MESSAGES)
            }
            Batches::Full => limits::BATCH_MESSAGES,
            Batches::Single => 1.0,
        }
    }

    fn logs_per_batch(self) -> f64 {
        self.batch_messages() * self.load.lines_per_request / self.messages_per_request()
    }

    /// Returns the objects of a log: one for each slice. (Twice as many for the slices at the full hour.)
    pub(super) fn objects_per_log(self) -> f64 {
        if self.load.archive_days.is_none() {
            return 0.0;
        }
        let slices = (self.batch_messages() * self.message_bytes() / SLICE_BYTES).ceil();
        slices / self.logs_per_batch()
    }

    /// Returns the bytes of a log in the archive: the larger an object, the more its lines have in common. What is counted
    /// are the objects of one request and of a hundred; between them an object's bytes grow by the record.
    pub(super) fn archived_bytes_per_log(self) -> f64 {
        const LINES: f64 = 10.0;
        if self.load.archive_days.is_none() {
            return 0.0;
        }
        let counted = self.constants.counted;
        let [small, large] = [
            counted.archived_bytes_single * LINES,
            counted.archived_bytes_full * LINES * limits::BATCH_MESSAGES,
        ];
        let [few, many] = [LINES + 1.0, (LINES + 1.0) * limits::BATCH_MESSAGES];
        let per_record = (large - small) / (many - few);
        let per_object = small - per_record * few;
        let counted_bytes =
            counted.line_bytes + counted.record_bytes + counted.invocation_bytes / LINES;
        let longer = self.queue_bytes_per_log() / counted_bytes;
        longer * (per_object * self.objects_per_log() + per_record * self.records_per_log())
    }

    /// Returns the bytes in D1 once logs and objects have begun to expire.
    pub(super) fn stored_bytes(self) -> f64 {
        let days = |bytes_per_log: f64, days: f64| {
            bytes_per_log * self.load.logs_per_second * days * super::DAY_SECONDS
        };
        let catalog = self.load.archive_days.map_or(0.0, |archive_days| {
            let bytes = self.constants.counted.catalog_bytes * self.objects_per_log();
            days(bytes, archive_days + f64::from(CATALOG_GRACE_DAYS))
        });
        days(self.stored_bytes_per_log(), self.load.retention_days) + catalog
    }

    /// Returns the bytes in the archive once objects have begun to expire.
    pub(super) fn archived_bytes(self) -> f64 {
        let archive_days = self.load.archive_days.unwrap_or(0.0);
        self.archived_bytes_per_log()
            * self.load.logs_per_second
            * archive_days
            * super::DAY_SECONDS
    }
}
