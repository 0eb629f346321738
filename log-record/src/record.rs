//! One log record: a row of `tail_logs`, and an array by position on the wire. `envelope` packs the arrays.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::Level;
use crate::scan::Scan;

/// The columns of a record in the order of its wire array, which is the column order of `tail_logs`.
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
/// the array that [`LogRecord::write_row`] writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRecord {
    /// UUID, time-ordered; made once where the record is made. The idempotency key.
    pub log_id: String,
    /// The Worker that ran.
    pub worker_name: String,
    /// The same on every record of one invocation.
    pub request_id: String,
    /// The same on everything that one request caused, across Workers.
    pub correlation_id: String,
    /// How much the record matters.
    pub log_level: Level,
    /// What a person reads.
    pub message: String,
    /// A JSON object; column `context_json`.
    pub context: Box<RawValue>,
    /// ISO-8601, UTC, milliseconds: `2026-11-23T17:57:06.376Z`.
    pub timestamp: String,
    /// CPU time of the invocation, whole milliseconds.
    pub execution_time_ms: Option<u64>,
}

impl LogRecord {
    /// Appends the record's wire form, a JSON array of [`FIELDS`] by position without white space.
    ///
    /// # Errors
    /// None in practice: writing JSON text to memory only fails for maps with keys that are no strings.
    pub fn write_row(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(
            out,
            &(
                &self.log_id,
                &self.worker_name,
                &self.request_id,
                &self.correlation_id,
                self.log_level,
                &self.message,
                &self.context,
                &self.timestamp,
                self.execution_time_ms,
            ),
        )
    }
}

/// Why one record of an envelope is not a record. Says where, never what: payloads stay out of errors.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Not a JSON array of nine elements.
    #[error("a record is no array of {} elements", FIELDS.len())]
    Shape,
    /// An element has the wrong JSON type.
    #[error("{field} is no {expected}")]
    Field {
        /// The element's name.
        field: &'static str,
        /// The JSON type it should have had.
        expected: &'static str,
    },
}

/// One record of a decoded envelope: checked for the JSON type of each element, otherwise left as it came. Values that
/// D1 itself checks (the level's spelling, the uniqueness of `log_id`) are D1's to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    raw: &'a str,
    log_id: &'a str,
    timestamp: &'a str,
}

impl<'a> RecordView<'a> {
    /// Checks `raw`, the JSON text of one wire array.
    ///
    /// # Errors
    /// [`RecordError`] names the first element that is not of its type.
    pub fn new(raw: &'a RawValue) -> Result<Self, RecordError> {
        Self::scan(&mut Scan::new(raw.get())).ok_or_else(|| problem(raw.get()))
    }

    /// Steps over one wire array that is a record. Where it is none, it may still be JSON: see [`problem`].
    pub(crate) fn scan(scan: &mut Scan<'a>) -> Option<Self> {
        let start = scan.at();
        scan.open(b'[')?;
        let log_id = Self::key(scan)?;
        scan.mark(b',')?;
        // worker_name, request_id, correlation_id, log_level and message.
        for _ in 1..6 {
            scan.string()?;
            scan.mark(b',')?;
        }
        (scan.peek() == b'{').then(|| scan.value())??; // context
        scan.mark(b',')?;
        let timestamp = Self::key(scan)?;
        scan.mark(b',')?;
        match scan.peek() {
            b'n' => scan.word("null")?,
            _ => scan.number()?, // execution_time_ms
        }
        scan.close(b']')?;
        Some(Self {
            raw: scan.since(start)?,
            log_id,
            timestamp,
        })
    }

    /// Steps over a string that is not empty; gives an empty one where it holds escapes.
    fn key(scan: &mut Scan<'a>) -> Option<&'a str> {
        match scan.string()? {
            ("", _) => None,
            (_, true) => Some(""),
            (plain, false) => Some(plain),
        }
    }

    /// The wire array as it came, byte for byte.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The record's id, or an empty string where it holds escapes (no id that Tailrace makes does).
    #[must_use]
    pub fn log_id(&self) -> &'a str {
        self.log_id
    }

    /// The record's timestamp, or an empty string where it holds escapes (none that Tailrace makes does).
    #[must_use]
    pub fn timestamp(&self) -> &'a str {
        self.timestamp
    }

    /// The record, owned.
    ///
    /// # Errors
    /// [`RecordError::Field`] where the level is none of the four or a string holds half a surrogate pair.
    pub fn to_record(&self) -> Result<LogRecord, RecordError> {
        fn text(raw: &RawValue, field: &'static str) -> Result<String, RecordError> {
            serde_json::from_str(raw.get()).map_err(|_| RecordError::Field {
                field,
                expected: "string",
            })
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
        ] = serde_json::from_str(self.raw).map_err(|_| RecordError::Shape)?;
        Ok(LogRecord {
            log_id: text(id, "log_id")?,
            worker_name: text(worker, "worker_name")?,
            request_id: text(request, "request_id")?,
            correlation_id: text(correlation, "correlation_id")?,
            log_level: serde_json::from_str(level.get()).map_err(|_| RecordError::Field {
                field: "log_level",
                expected: "level",
            })?,
            message: text(message, "message")?,
            context: context.to_owned(),
            timestamp: text(timestamp, "timestamp")?,
            execution_time_ms: serde_json::from_str(time.get()).map_err(|_| {
                RecordError::Field {
                    field: "execution_time_ms",
                    expected: "whole number",
                }
            })?,
        })
    }
}

/// What an element is checked for; gives the type that it lacks.
type Check = fn(&str) -> Option<&'static str>;

const CHECKS: [Check; 9] = [
    non_empty_string, // log_id
    string,           // worker_name
    string,           // request_id
    string,           // correlation_id
    string,           // log_level
    string,           // message
    object,           // context
    non_empty_string, // timestamp
    number_or_null,   // execution_time_ms
];

/// What keeps `raw`, the JSON text of a value, from being a record.
pub(crate) fn problem(raw: &str) -> RecordError {
    elements(raw)
        .filter(|elements| elements.len() == FIELDS.len())
        .and_then(|elements| wrong_field(&elements))
        .unwrap_or(RecordError::Shape)
}

fn wrong_field(elements: &[&str]) -> Option<RecordError> {
    let mut checked = elements.iter().zip(CHECKS).zip(FIELDS);
    checked.find_map(|((element, check), field)| {
        let expected = check(element)?;
        Some(RecordError::Field { field, expected })
    })
}

/// The elements of `raw`, the JSON text of a value, if that is an array.
fn elements(raw: &str) -> Option<Vec<&str>> {
    let mut elements = Vec::new();
    Scan::new(raw).list(b'[', |scan| {
        let start = scan.at();
        scan.value()?;
        elements.push(scan.since(start)?);
        Some(())
    })?;
    Some(elements)
}

fn string(raw: &str) -> Option<&'static str> {
    (!raw.starts_with('"')).then_some("string")
}

fn non_empty_string(raw: &str) -> Option<&'static str> {
    (!raw.starts_with('"') || raw.len() < 3).then_some("non-empty string")
}

fn object(raw: &str) -> Option<&'static str> {
    (!raw.starts_with('{')).then_some("object")
}

fn number_or_null(raw: &str) -> Option<&'static str> {
    let number = raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    (!number && raw != "null").then_some("number or null")
}

/// What `serde_json` makes of one wire array: the measure of what is a record.
#[cfg(test)]
pub(crate) fn by_serde(raw: &RawValue) -> Result<RecordView<'_>, RecordError> {
    let elements: [&RawValue; 9] =
        serde_json::from_str(raw.get()).map_err(|_| RecordError::Shape)?;
    let elements = elements.map(RawValue::get);
    if let Some(wrong) = wrong_field(&elements) {
        return Err(wrong);
    }
    let key = |at: usize| {
        let content = elements[at].trim_matches('"');
        if content.contains('\\') { "" } else { content }
    };
    Ok(RecordView {
        raw: raw.get(),
        log_id: key(0),
        timestamp: key(7),
    })
}
