//! What the arithmetic begins with: measured figures, the platform's limits and its prices.

/// Constants that the bench measured; docs/performance.md has the run. Bytes are those of its producer's lines.
pub mod measured {
    /// Bytes of a record on the queue besides the text of its line.
    pub const RECORD_BYTES: f64 = 190.0;
    /// Bytes on the queue of a request's own record.
    pub const INVOCATION_BYTES: f64 = 495.0;
    /// Bytes of a row in D1 besides those it has on the queue: index entries, the room that pages leave.
    pub const INDEX_BYTES: f64 = 390.0;
    /// Rows that one local D1 takes in a second, with a million in it.
    pub const D1_ROWS_PER_SECOND: f64 = 68_000.0;
    /// Rows written that D1 bills for storing a row, one in ten a warning or an error.
    pub const WRITTEN_PER_ROW: f64 = 4.1;
    /// Rows written that D1 bills for deleting it again.
    pub const WRITTEN_PER_DELETE: f64 = 1.0;
    /// Rows read for deleting one.
    pub const READ_PER_DELETE: f64 = 1.0;
    /// Processor time for a log at ten a request, in milliseconds: all of the local workerd, the producer, queue and D1
    /// included, so more than what is billed.
    pub const CPU_MS_PER_LOG: f64 = 0.05;
}

/// The platform's limits (developers.cloudflare.com: queues/platform/limits, d1/platform/limits; seen 2026-11-23).
pub mod limits {
    /// Messages that one queue takes in a second.
    pub const QUEUE_MESSAGES_PER_SECOND: f64 = 5_000.0;
    /// Bytes that one queue holds.
    pub const QUEUE_BACKLOG_BYTES: f64 = 25e9;
    /// Bytes that one D1 database holds.
    pub const D1_BYTES: f64 = 10e9;
    /// Bytes that all D1 databases of an account hold, unless Cloudflare is asked for more.
    pub const D1_ACCOUNT_BYTES: f64 = 250e9;
    /// Messages in one batch of a consumer.
    pub const BATCH_MESSAGES: f64 = 100.0;
    /// Bytes that tail-ingest puts into one queue message.
    pub const MESSAGE_BYTES: f64 = 127_500.0;
    /// Bytes that one queue operation covers.
    pub const OPERATION_BYTES: f64 = 64_000.0;
}

/// The platform's prices in dollars, beyond what is included in the Workers Paid plan (developers.cloudflare.com:
/// workers/platform/pricing, observability/pricing; seen 2026-11-23). What is included is by the month.
pub mod prices {
    /// A million queue operations; the plan includes one million.
    pub const QUEUE_OPERATIONS: (f64, f64) = (0.40, 1e6);
    /// A million rows written to D1.
    pub const D1_WRITTEN: (f64, f64) = (1.00, 50e6);
    /// A million rows read from D1.
    pub const D1_READ: (f64, f64) = (0.001, 25e9);
    /// A gigabyte in D1 for a month.
    pub const D1_GB_MONTHS: (f64, f64) = (0.75, 5.0);
    /// A million milliseconds of processor time.
    pub const CPU_MS: (f64, f64) = (0.02, 30e6);
    /// A million requests: log-writer's batches are such, tail-ingest's calls are not.
    pub const REQUESTS: (f64, f64) = (0.30, 10e6);
    /// A million events in Workers Logs, until 2026-11-30.
    pub const WORKERS_LOGS_EVENTS: (f64, f64) = (0.60, 20e6);
    /// A gigabyte into Workers Logs, from 2026-12-01.
    pub const OBSERVABILITY_GB: (f64, f64) = (0.25, 50.0);
    /// A gigabyte in Workers Logs for a month, from 2026-12-01.
    pub const OBSERVABILITY_GB_MONTHS: (f64, f64) = (0.10, 12.0);
    /// A million requests' logs through Logpush, whose destination costs extra.
    pub const LOGPUSH_REQUESTS: (f64, f64) = (0.05, 10e6);
}
