//! One log record: a row of `tail_logs`, and an array by position on the wire. `envelope` packs the arrays.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::Level;

/// The names of a record's fields in the order of its wire array. `context` is the column `context_json`.
pub const FIELDS: [&str; 9] = [
    "log_id",
    "worker_name",
    "request_id",
    "correlation_id",
    "log_level",
    "message",
    "context",
    "timestamp",
    "execution_time_ms",
];

/// A row of `tail_logs`, owned. Its own serde form is a JSON object by name, for people and tools; on the wire it is
/// the array that [`LogRecord::to_row`] returns.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRecord {
    /// UUID, time-ordered; made once where the record is made. The idempotency key, with the timestamp.
    pub log_id: String,
    /// The Worker that ran.
    pub worker_name: String,
    /// The same on every record of one invocation.
    pub request_id: String,
    /// The same on everything that one request caused, across Workers.
    pub correlation_id: String,
    /// The importance of the record.
    pub log_level: Level,
    /// The text for people.
    pub message: String,
    /// A JSON object; column `context_json`.
    pub context: Box<RawValue>,
    /// ISO-8601, UTC, milliseconds: `2026-11-23T17:57:06.376Z`.
    pub timestamp: String,
    /// CPU time of the invocation, whole milliseconds.
    pub execution_time_ms: Option<u64>,
}

impl LogRecord {
    /// Returns the record's wire form: a JSON array of [`FIELDS`] by position, without white space.
    #[must_use]
    pub fn to_row(&self) -> String {
        let mut row = String::new();
        RecordRow {
            log_id: &self.log_id,
            worker_name: &self.worker_name,
            request_id: &self.request_id,
            correlation_id: &self.correlation_id,
            log_level: self.log_level,
            message: &self.message,
            timestamp: &self.timestamp,
            execution_time_ms: self.execution_time_ms,
        }
        .write(&mut row, |row| row.push_str(self.context.get()));
        row
    }
}

/// A record whose parts are borrowed, all but its context: what tail-ingest writes. The fields are those of
/// [`LogRecord`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "`LogRecord` describes each field")]
pub struct RecordRow<'a> {
    pub log_id: &'a str,
    pub worker_name: &'a str,
    pub request_id: &'a str,
    pub correlation_id: &'a str,
    pub log_level: Level,
    pub message: &'a str,
    pub timestamp: &'a str,
    pub execution_time_ms: Option<u64>,
}

impl RecordRow<'_> {
    /// Appends the wire form to `row`; see [`LogRecord::to_row`]. `write_context` appends the context in its place: the
    /// JSON text of an object, which nothing checks.
    pub fn write(&self, row: &mut String, write_context: impl FnOnce(&mut String)) {
        row.push('[');
        for text in [
            self.log_id,
            self.worker_name,
            self.request_id,
            self.correlation_id,
            self.log_level.as_str(),
            self.message,
        ] {
            write_string(row, text);
            row.push(',');
        }
        write_context(row);
        row.push(',');
        write_string(row, self.timestamp);
        row.push(',');
        match self.execution_time_ms {
            Some(ms) => row.push_str(&ms.to_string()),
            None => row.push_str("null"),
        }
        row.push(']');
    }
}

/// Appends `text` to `out` as a JSON string.
pub fn write_string(out: &mut String, text: &str) {
    if has_escapes(text) {
        // Writing a text to memory does not fail.
        out.push_str(&serde_json::to_string(text).unwrap_or_else(|_| r#""""#.to_owned()));
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

/// Returns whether `text` holds a character that a JSON string has to escape.
fn has_escapes(text: &str) -> bool {
    let is_escaped = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    // Each piece to its end, so that the compiler looks at many bytes at once.
    text.as_bytes().chunks(32).any(|piece| {
        piece
            .iter()
            .fold(false, |found, byte| found | is_escaped(byte))
    })
}

/// The reason why one element of an envelope is not a record. Says where, never what: payloads stay out of errors.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Not a JSON array of nine elements.
    #[error("a record is not an array of {} elements", FIELDS.len())]
    Shape,
    /// An element has the wrong JSON type.
    #[error("{field} is not a {expected}")]
    Field {
        /// The element's name.
        field: &'static str,
        /// The JSON type that it should have had.
        expected: &'static str,
    },
}

/// One record of a decoded envelope: checked for the JSON type of each element, otherwise left as it came. Values that
/// D1 itself checks (the level's spelling, the uniqueness of `log_id`) are D1's to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    raw: &'a str,
    elements: [&'a str; FIELDS.len()],
    log_id: &'a str,
    timestamp: &'a str,
}

impl<'a> RecordView<'a> {
    /// Checks `raw`, one wire array.
    ///
    /// # Errors
    /// [`RecordError`] names the first element that is not of its type.
    pub fn new(raw: &'a RawValue) -> Result<Self, RecordError> {
        let elements: [&'a RawValue; FIELDS.len()] =
            serde_json::from_str(raw.get()).map_err(|_| RecordError::Shape)?;
        let elements = elements.map(RawValue::get);
        for ((element, is_valid), (field, expected)) in
            elements.iter().zip(CHECKS).zip(FIELDS.iter().zip(TYPES))
        {
            if !is_valid(element) {
                return Err(RecordError::Field { field, expected });
            }
        }
        let [log_id, .., timestamp, _] = elements;
        Ok(Self {
            raw: raw.get(),
            elements,
            log_id: plain_string(log_id),
            timestamp: plain_string(timestamp),
        })
    }

    /// Returns the wire array as it came, byte for byte.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Returns the JSON of each element as it came, in the order of [`FIELDS`].
    #[must_use]
    pub fn elements(&self) -> &[&'a str; FIELDS.len()] {
        &self.elements
    }

    /// Returns the record's id, or an empty string where it holds escapes (none that Tailrace makes does).
    #[must_use]
    pub fn log_id(&self) -> &'a str {
        self.log_id
    }

    /// Returns the record's timestamp, or an empty string where it holds escapes (none that Tailrace makes does).
    #[must_use]
    pub fn timestamp(&self) -> &'a str {
        self.timestamp
    }

    /// Returns the record, owned.
    ///
    /// # Errors
    /// [`RecordError::Field`] where the level is not one of the four or a string holds half a surrogate pair.
    pub fn to_record(&self) -> Result<LogRecord, RecordError> {
        fn read<'r, T: Deserialize<'r>>(
            raw: &'r RawValue,
            field: &'static str,
            expected: &'static str,
        ) -> Result<T, RecordError> {
            serde_json::from_str(raw.get()).map_err(|_| RecordError::Field { field, expected })
        }
        let [
            id,
            worker,
            request,
            correlation,
            level,
            message,
            context,
            timestamp,
            time,
        ]: [&RawValue; 9] = serde_json::from_str(self.raw).map_err(|_| RecordError::Shape)?;
        Ok(LogRecord {
            log_id: read(id, "log_id", "string")?,
            worker_name: read(worker, "worker_name", "string")?,
            request_id: read(request, "request_id", "string")?,
            correlation_id: read(correlation, "correlation_id", "string")?,
            log_level: read(level, "log_level", "level")?,
            message: read(message, "message", "string")?,
            context: context.to_owned(),
            timestamp: read(timestamp, "timestamp", "string")?,
            execution_time_ms: read(time, "execution_time_ms", "whole number")?,
        })
    }
}

/// The types that [`CHECKS`] looks for, in words.
const TYPES: [&str; 9] = [
    "non-empty string",
    "string",
    "string",
    "string",
    "string",
    "string",
    "object",
    "non-empty string",
    "number or null",
];

/// Returns whether the JSON text of an element is of its type, which its first byte tells.
type Check = fn(&str) -> bool;

const CHECKS: [Check; 9] = [
    is_filled_string,  // log_id
    is_string,         // worker_name
    is_string,         // request_id
    is_string,         // correlation_id
    is_string,         // log_level
    is_string,         // message
    is_object,         // context
    is_filled_string,  // timestamp
    is_number_or_null, // execution_time_ms
];

fn is_string(raw: &str) -> bool {
    raw.starts_with('"')
}

fn is_filled_string(raw: &str) -> bool {
    is_string(raw) && raw.len() > r#""""#.len()
}

fn is_object(raw: &str) -> bool {
    raw.starts_with('{')
}

fn is_number_or_null(raw: &str) -> bool {
    raw == "null" || raw.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

/// Returns the content of a string token, or an empty string where it holds escapes.
fn plain_string(raw: &str) -> &str {
    serde_json::from_str(raw).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_of_the_wrong_type_is_named() {
        let good = [
            "\"i\"", "\"w\"", "\"r\"", "\"c\"", "\"info\"", "\"m\"", "{}", "\"t\"", "1",
        ];
        for (index, field) in FIELDS.iter().enumerate() {
            for bad in ["true", "[]", if index == 8 { "\"1\"" } else { "1" }] {
                let mut elements = good;
                elements[index] = bad;
                let text = format!("[{}]", elements.join(","));
                let raw: &RawValue = serde_json::from_str(&text).unwrap();
                let error = RecordView::new(raw).unwrap_err();
                assert!(error.to_string().starts_with(field), "{text}: {error}");
            }
        }
    }

    #[test]
    fn keys_must_not_be_empty() {
        for text in [
            r#"["","w","r","c","info","m",{},"t",1]"#,
            r#"["i","w","r","c","info","m",{},"",1]"#,
        ] {
            let raw: &RawValue = serde_json::from_str(text).unwrap();
            assert!(RecordView::new(raw).is_err(), "{text}");
        }
    }
}
