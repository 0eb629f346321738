//! A stored row as it is read back. `sql` selects the columns in the order this reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Number, Value};

use crate::{Error, raw};

/// The columns of a [`Row`], as selected.
pub const COLUMNS: &str = "log_id, worker_name, request_id, correlation_id, log_level, message, context_json, timestamp, execution_time_ms";

/// The members of a context that hold what a line itself carried, or a thrown error: everything else is Tailrace's.
pub const CARRIED: [&str; 5] = ["data", "args", "errors", "error_info", "stack"];

/// Before every stored time, which starts with a digit.
pub const FIRST_TIME: &str = "0";
/// After every stored time.
pub const LAST_TIME: &str = "~";

/// The place of a row in the order of all rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The row's timestamp.
    pub timestamp: String,
    /// The row's id, which orders rows of one millisecond.
    pub log_id: String,
}

impl Position {
    /// Returns the place before every row.
    #[must_use]
    pub fn first() -> Self {
        Self::at(FIRST_TIME)
    }

    /// Returns the place before every row of a time.
    #[must_use]
    pub fn at(timestamp: impl Into<String>) -> Self {
        Self {
            timestamp: timestamp.into(),
            log_id: String::new(),
        }
    }
}

/// A row of `tail_logs`. Its JSON form is that of [`log_record::LogRecord`]: one object by name.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The record's id.
    pub log_id: String,
    /// The Worker that ran.
    pub worker_name: String,
    /// The invocation.
    pub request_id: Option<String>,
    /// The request that caused it.
    pub correlation_id: Option<String>,
    /// `debug`, `info`, `warn` or `error`.
    pub log_level: String,
    /// The text that a person reads.
    pub message: String,
    /// The context as it is stored; a JSON string where the column holds no JSON.
    pub context: Box<RawValue>,
    /// The same, to be looked into.
    #[serde(skip)]
    facts: Value,
    /// ISO-8601, UTC, milliseconds.
    pub timestamp: String,
    /// CPU time of the invocation.
    pub execution_time_ms: Option<Number>,
}

impl Row {
    /// Reads one row of an answer, in the order of [`COLUMNS`].
    ///
    /// # Errors
    /// [`Error::Unreadable`] where a column is missing or of another type.
    pub fn read(cells: Vec<Value>) -> Result<Self, Error> {
        let mut cells = cells.into_iter();
        let mut next = || cells.next().unwrap_or_default();
        let mut required = |name| text(next()).ok_or_else(|| bad(name));
        let log_id = required("log_id")?;
        let worker_name = required("worker_name")?;
        let request_id = text(next());
        let correlation_id = text(next());
        let mut required = |name| text(next()).ok_or_else(|| bad(name));
        let log_level = required("log_level")?;
        let message = required("message")?;
        let context = next();
        let facts = match &context {
            Value::String(json) => serde_json::from_str(json).unwrap_or_default(),
            _ => Value::Null,
        };
        let context = match context {
            Value::String(json) if !facts.is_null() => RawValue::from_string(json),
            other => to_raw_value(&other),
        }
        .map_err(|_| bad("context_json"))?;
        let timestamp = text(next()).ok_or_else(|| bad("timestamp"))?;
        let execution_time_ms = match next() {
            Value::Number(number) => Some(number),
            _ => None,
        };
        Ok(Self {
            log_id,
            worker_name,
            request_id,
            correlation_id,
            log_level,
            message,
            context,
            facts,
            timestamp,
            execution_time_ms,
        })
    }

    /// Reads a line of an object of the archive: a record by name.
    ///
    /// # Errors
    /// Fails where it is not a record.
    pub fn parse(line: &[u8]) -> serde_json::Result<Self> {
        let line: Line = serde_json::from_slice(line)?;
        Ok(Self {
            log_id: line.log_id,
            worker_name: line.worker_name,
            request_id: line.request_id,
            correlation_id: line.correlation_id,
            log_level: line.log_level,
            message: line.message,
            facts: serde_json::from_str(line.context.get())?,
            context: line.context,
            timestamp: line.timestamp,
            execution_time_ms: line.execution_time_ms,
        })
    }

    /// Returns where the row stands in the order of all rows.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            timestamp: self.timestamp.clone(),
            log_id: self.log_id.clone(),
        }
    }

    /// Returns a member of the context.
    #[must_use]
    pub fn fact(&self, key: &str) -> Option<&Value> {
        self.facts.get(key)
    }

    /// Returns what the line carried: the members of [`CARRIED`] that the context has, as JSON without white space.
    #[must_use]
    pub fn carried(&self) -> Vec<(&'static str, String)> {
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_str(self.context.get()).unwrap_or_default();
        let carried = CARRIED.iter().filter_map(|name| {
            let json = members.get(*name)?.get();
            Some((*name, without_space(json)))
        });
        carried.collect()
    }

    /// Returns `invocation`, `log`, `exception` or `diagnostic`; empty where the context does not say.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.fact("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Returns the kind of event that caused the invocation, such as `fetch`; empty where the context does not say.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.fact("event_type")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Returns the wall time in milliseconds, on an invocation record.
    #[must_use]
    pub fn latency_ms(&self) -> Option<f64> {
        self.fact("latency_ms").and_then(Value::as_f64)
    }
}

/// A line of an object.
#[derive(Deserialize)]
struct Line {
    log_id: String,
    worker_name: String,
    request_id: Option<String>,
    correlation_id: Option<String>,
    log_level: String,
    message: String,
    context: Box<RawValue>,
    timestamp: String,
    execution_time_ms: Option<Number>,
}

/// Reads the rows of an answer.
///
/// # Errors
/// As [`Row::read`].
pub fn read_rows(rows: Vec<Vec<Value>>) -> Result<Vec<Row>, Error> {
    rows.into_iter().map(Row::read).collect()
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns the text that `value` is, or its JSON without white space.
pub(crate) fn bare_text(value: &RawValue) -> String {
    raw::text(value).unwrap_or_else(|| without_space(value.get()))
}

/// Returns JSON without the white space between its tokens.
pub(crate) fn without_space(json: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    let is_kept = |c: &char| {
        if in_string {
            in_string = escaped || *c != '"';
            escaped = !escaped && *c == '\\';
            return true;
        }
        in_string = *c == '"';
        !c.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}

fn bad(column: &str) -> Error {
    Error::Unreadable {
        what: "read stored records",
        reason: format!("column {column} is missing or of another type"),
    }
}
