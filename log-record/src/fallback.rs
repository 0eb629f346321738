//! The keys under which KV keeps what neither D1 nor a queue would take.
//!
//! A key is new for each write (KV takes one write a second per key) and sorts by time within its prefix:
//! `envelope/2026-11-23T17:57:06.376Z-<uuid>`.

/// Envelopes, as tail-ingest would have sent them.
pub const ENVELOPES: &str = "envelope/";

/// Dead letters, as log-writer would have sent them.
pub const DEAD_LETTERS: &str = "dead-letter/";

/// Message bodies too large for a dead letter, named by the dead letter's `body_key`.
pub const BODIES: &str = "body/";

/// The key for something of `prefix` kept at `timestamp` (ISO-8601, UTC, milliseconds), unique by `uuid`.
#[must_use]
pub fn key(prefix: &str, timestamp: &str, uuid: &str) -> String {
    format!("{prefix}{timestamp}-{uuid}")
}
