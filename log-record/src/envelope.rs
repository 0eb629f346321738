//! The envelope: the text of one queue message, `{"v":1,"records":[[…],[…]]}`. `record` knows the arrays in it.

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::limits::{MESSAGE_BODY_BYTES, RECORD_BYTES};
use crate::record::{RecordError, RecordView};

/// The version of the wire format that this code writes, and the only one that it reads.
pub const WIRE_VERSION: u64 = 1;

/// The beginning of a body, up to its first record.
const HEAD: &str = r#"{"v":1,"records":["#;

/// The end of a body, after its last record.
const TAIL: &str = "]}";

/// Packs encoded records into one message body after another, each at most [`MESSAGE_BODY_BYTES`] long.
///
/// ```
/// use log_record::{Envelope, EnvelopeBuilder};
///
/// let row = r#"["id","shop","ray","corr","info","order placed",{},"2026-11-23T17:57:06.376Z",1]"#;
/// let mut builder = EnvelopeBuilder::new();
/// builder.push(row);
/// let body = builder.finish().unwrap_or_default();
/// assert_eq!(Envelope::decode(&body)?.records[0].raw(), row);
/// # Ok::<_, log_record::DecodeError>(())
/// ```
#[derive(Debug, Default)]
pub struct EnvelopeBuilder {
    body: String,
    records: usize,
}

/// The result of [`EnvelopeBuilder::push`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The record is in the body.
    Added,
    /// The body is full: take it with [`EnvelopeBuilder::finish`], then push the record again.
    Full,
    /// The record is over [`RECORD_BYTES`] and fits no body: cut it first.
    TooLarge,
}

impl EnvelopeBuilder {
    /// Returns an empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of records in the body that is being built.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// Adds `row`, one wire array (see [`crate::LogRecord::to_row`]), unless it does not fit.
    pub fn push(&mut self, row: &str) -> Pushed {
        if row.len() > RECORD_BYTES {
            return Pushed::TooLarge;
        }
        if self.records == 0 {
            self.body.push_str(HEAD);
        } else if self.body.len() + ",".len() + row.len() + TAIL.len() > MESSAGE_BODY_BYTES {
            return Pushed::Full;
        } else {
            self.body.push(',');
        }
        self.body.push_str(row);
        self.records += 1;
        Pushed::Added
    }

    /// Takes the body, if it holds any record; the builder is empty afterwards.
    pub fn finish(&mut self) -> Option<String> {
        if self.records == 0 {
            return None;
        }
        self.records = 0;
        let mut body = std::mem::take(&mut self.body);
        body.push_str(TAIL);
        Some(body)
    }
}

/// The reason why a message body is not an envelope. Says where, never what.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not JSON, or not an object with a version and records.
    #[error("not an envelope (line {line}, column {column})")]
    NotAnEnvelope {
        /// The line at which reading stopped, from 1; 0 where no single place is wrong.
        line: usize,
        /// The column at which reading stopped, from 1; 0 where no single place is wrong.
        column: usize,
    },
    /// A version that this code does not read. It never guesses.
    #[error("envelope version {found}, where {WIRE_VERSION} is supported")]
    UnsupportedVersion {
        /// The version found.
        found: u64,
    },
    /// An element of `records` is not a record.
    #[error("record {index}: {problem}")]
    Record {
        /// The record's position, from 0.
        index: usize,
        /// The reason.
        problem: RecordError,
    },
}

/// A decoded message body: its records as they came, each checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The records, in order.
    pub records: Vec<RecordView<'a>>,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

impl<'a> Envelope<'a> {
    /// Reads `body`, borrowing from it. The version is judged before the records, which a newer version may shape
    /// otherwise.
    ///
    /// # Errors
    /// [`DecodeError`] says what is wrong.
    pub fn decode(body: &'a str) -> Result<Self, DecodeError> {
        let not_an_envelope = |error: &serde_json::Error| DecodeError::NotAnEnvelope {
            line: error.line(),
            column: error.column(),
        };
        // serde would also take an array for the members in their order.
        if !body.trim_start().starts_with('{') {
            let (line, column) = serde_json::from_str::<Version>(body)
                .map_or_else(|error| (error.line(), error.column()), |_| (1, 1));
            return Err(DecodeError::NotAnEnvelope { line, column });
        }
        let Version { v } = serde_json::from_str(body).map_err(|error| not_an_envelope(&error))?;
        if v != WIRE_VERSION {
            return Err(DecodeError::UnsupportedVersion { found: v });
        }
        let Members { records } =
            serde_json::from_str(body).map_err(|error| not_an_envelope(&error))?;
        let records = records
            .into_iter()
            .enumerate()
            .map(|(index, raw)| {
                RecordView::new(raw).map_err(|problem| DecodeError::Record { index, problem })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { records })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"["i","w","r","c","info","m",{},"t",1]"#;

    #[test]
    fn bodies_that_are_not_envelopes_are_refused() {
        for body in [
            "",
            "null",
            "[]",
            "[1,[]]",
            r#"{"v":1}"#,
            r#"{"records":[]}"#,
            r#"{"v":"1","records":[]}"#,
            r#"{"v":-1,"records":[]}"#,
            r#"{"v":1,"records":{}}"#,
            r#"{"v":1,"records":null}"#,
            r#"{"v":1,"v":1,"records":[]}"#,
            r#"{"v":1,"records":[]} x"#,
            r#"{"v":1,"records":[}"#,
        ] {
            let error = Envelope::decode(body).unwrap_err();
            assert!(
                matches!(error, DecodeError::NotAnEnvelope { .. }),
                "{body}: {error}"
            );
        }
    }

    #[test]
    fn unknown_members_and_white_space_are_passed_over() {
        let body = format!(r#" {{"x" : [1] , "v":1, "records":[ {ROW} , {ROW} ]}} "#);
        assert_eq!(Envelope::decode(&body).unwrap().records.len(), 2);
    }

    #[test]
    fn a_record_that_is_not_one_is_named_by_its_position() {
        let body = format!(r#"{{"v":1,"records":[{ROW},["i"]]}}"#);
        assert_eq!(
            Envelope::decode(&body),
            Err(DecodeError::Record {
                index: 1,
                problem: RecordError::Shape
            })
        );
    }

    #[test]
    fn any_depth_of_a_context_is_read() {
        for levels in [1, 64, 129, 1_000] {
            let (open, close) = (r#"[{"a":"#.repeat(levels), "}]".repeat(levels));
            let context = format!(r#"{{"a":{open}1{close}}}"#);
            let body = format!(r#"{HEAD}["i","w","r","c","l","m",{context},"t",1]{TAIL}"#);
            assert!(Envelope::decode(&body).is_ok(), "{levels} levels");
        }
    }
}
