//! The contract between Tailrace's Workers and tools: what a log record is, and how records travel. Types and serde.
//!
//! Nothing here touches a clock, a random source, a network or the Workers runtime: every function maps values to
//! values, so the same code runs in a Worker, in the operator's tool and in a test.
//!
//! In reading order:
//! - [`limits`]: what the platform allows, and the budgets derived from it;
//! - [`level`]: the four log levels;
//! - [`record`]: [`LogRecord`], one row of `tail_logs`, and its form by position on the wire;
//! - [`envelope`]: a queue message of records: packing ([`EnvelopeBuilder`]) and decoding ([`Envelope`]);
//! - [`dead_letter`]: what could not be stored, with its reason;
//! - [`fallback`]: the keys under which KV keeps what neither D1 nor a queue would take;
//! - [`archive`]: the objects in R2, and the catalog of them.
//!
//! Version 1 of the wire format is frozen by the golden files under `tests/golden/v1`: a changed byte is a new version.

pub mod archive;
pub mod dead_letter;
pub mod envelope;
pub mod fallback;
pub mod level;
pub mod limits;
pub mod record;

pub use dead_letter::{DeadLetter, DeadLetterHead, DeadLetterPayload, Reason};
pub use envelope::{DecodeError, Envelope, EnvelopeBuilder, WIRE_VERSION};
pub use level::Level;
pub use record::{LogRecord, RecordError, RecordRow, RecordView, write_string};
