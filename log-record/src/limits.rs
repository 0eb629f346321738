//! The platform's limits, and the budgets this project derives from it. Units are in the names.
//!
//! Sources: Cloudflare's documentation of Queues limits, D1 limits and KV limits, where 1 KB is 1,000 bytes.

/// The largest message a queue takes (Queues limits: 128 KB).
pub const QUEUE_MESSAGE_BYTES: usize = 128_000;

/// Bytes that the platform adds to each message and counts against its size (Queues limits: about 100 bytes), with room.
pub const QUEUE_METADATA_BYTES: usize = 500;

/// The largest message body this project sends: 128,000 - 500 = 127,500.
pub const MESSAGE_BODY_BYTES: usize = QUEUE_MESSAGE_BYTES - QUEUE_METADATA_BYTES;

/// The most messages one `sendBatch` takes (Queues limits).
pub const SEND_BATCH_MESSAGES: usize = 100;

/// The most bytes one `sendBatch` takes (Queues limits: 256 KB), message metadata included.
pub const SEND_BATCH_BYTES: usize = 256_000;

/// The frame a dead letter puts around its records: braces, names, version, reason, attempts and a timestamp are under
/// 200 bytes; the detail is cut to [`DEAD_LETTER_DETAIL_BYTES`], which JSON escaping can grow sixfold.
pub const DEAD_LETTER_FRAME_BYTES: usize = 200 + 6 * DEAD_LETTER_DETAIL_BYTES;

/// The longest detail a dead letter carries, in bytes before escaping.
pub const DEAD_LETTER_DETAIL_BYTES: usize = 500;

/// The largest encoded record: one that fits a message alone also fits a dead letter alone,
/// 127,500 - 3,200 = 124,300.
pub const RECORD_BYTES: usize = MESSAGE_BODY_BYTES - DEAD_LETTER_FRAME_BYTES;

/// The most bytes bound to one D1 parameter. D1 takes 2 MB a value; half of that leaves room for what SQLite's JSON
/// functions build beside it, and larger statements measure hardly faster.
pub const STATEMENT_PARAMETER_BYTES: usize = 1_000_000;

/// The deepest nesting of a record's context. SQLite refuses JSON nested deeper than 1,000 levels (`JSON_MAX_DEPTH`),
/// and this project's own readers stop at 128 (`serde_json`'s limit); a row and its statement add four.
pub const CONTEXT_DEPTH: usize = 100;

/// The longest that a queue keeps a message (Queues limits: 14 days), in seconds.
pub const QUEUE_RETENTION_SECONDS_MAX: u64 = 14 * 24 * 60 * 60;

/// Days that KV keeps what neither a queue nor D1 took: twice the longest that a queue keeps a message, and time
/// for a person to act when the drain cannot.
pub const FALLBACK_DAYS: u32 = 30;
