//! The dead letter: what could not be stored and why, as a readable queue message or KV value.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::envelope::WIRE_VERSION;
use crate::limits::DEAD_LETTER_DETAIL_BYTES;

/// Why something became a dead letter: a closed set, for counting and filtering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The message body is no envelope.
    Undecodable,
    /// The envelope has a version that the consumer does not read.
    UnsupportedVersion,
    /// D1 will never take the record: a constraint, a type, a size.
    Rejected,
    /// D1 did not take the record in any of the allowed attempts.
    RetriesExhausted,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::Undecodable,
        Self::UnsupportedVersion,
        Self::Rejected,
        Self::RetriesExhausted,
    ];

    /// The wire form: `undecodable`, `unsupported_version`, `rejected` or `retries_exhausted`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::UnsupportedVersion => "unsupported_version",
            Self::Rejected => "rejected",
            Self::RetriesExhausted => "retries_exhausted",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a dead letter holds.
#[derive(Clone, Debug)]
pub enum DeadLetterPayload {
    /// Records as wire arrays: replaying them is sending them again.
    Records(Vec<Box<RawValue>>),
    /// A message body as it came.
    Body(String),
    /// The KV key of a body too large for a message.
    BodyKey(String),
}

/// What could not be stored, with the evidence. As JSON text:
/// `{"v":1,"reason":"rejected","detail":"…","attempts":1,"failed_at":"…","records":[[…]]}`, or with `body` or
/// `body_key` in place of `records`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Frame")]
pub struct DeadLetter {
    /// Why, as a code.
    pub reason: Reason,
    /// Why, in words: D1's or the decoder's message, at most [`DEAD_LETTER_DETAIL_BYTES`] long.
    pub detail: String,
    /// How often the queue had delivered the message, from 1.
    pub attempts: u32,
    /// When it was given up: ISO-8601, UTC, milliseconds.
    pub failed_at: String,
    /// What could not be stored.
    pub payload: DeadLetterPayload,
}

/// The JSON form. (An enum flattened into the struct would not do: serde buffers what it flattens, and raw JSON cannot
/// be buffered.)
#[derive(Deserialize)]
struct Frame {
    v: u64,
    reason: Reason,
    detail: String,
    attempts: u32,
    failed_at: String,
    #[serde(default)]
    records: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_key: Option<String>,
}

impl TryFrom<Frame> for DeadLetter {
    type Error = String;

    fn try_from(frame: Frame) -> Result<Self, String> {
        if frame.v != WIRE_VERSION {
            return Err(format!(
                "dead letter version {}, where {WIRE_VERSION} is supported",
                frame.v
            ));
        }
        let payload = match (frame.records, frame.body, frame.body_key) {
            (Some(records), None, None) => DeadLetterPayload::Records(records),
            (None, Some(body), None) => DeadLetterPayload::Body(body),
            (None, None, Some(key)) => DeadLetterPayload::BodyKey(key),
            _ => return Err("not exactly one of records, body and body_key".to_owned()),
        };
        Ok(Self {
            reason: frame.reason,
            detail: frame.detail,
            attempts: frame.attempts,
            failed_at: frame.failed_at,
            payload,
        })
    }
}

impl DeadLetter {
    /// A dead letter of this version; `detail` is cut to [`DEAD_LETTER_DETAIL_BYTES`] on a character boundary.
    #[must_use]
    pub fn new(
        reason: Reason,
        detail: &str,
        attempts: u32,
        failed_at: impl Into<String>,
        payload: DeadLetterPayload,
    ) -> Self {
        Self {
            reason,
            detail: cut(detail).to_owned(),
            attempts,
            failed_at: failed_at.into(),
            payload,
        }
    }

    /// The JSON text.
    ///
    /// # Errors
    /// None in practice: see [`crate::LogRecord::write_row`].
    pub fn encode(&self) -> serde_json::Result<String> {
        let head = DeadLetterHead {
            reason: self.reason,
            detail: &self.detail,
            attempts: self.attempts,
            failed_at: &self.failed_at,
        };
        match &self.payload {
            DeadLetterPayload::Records(records) => {
                let records: Vec<&str> = records.iter().map(|record| record.get()).collect();
                head.with_records(&records)
            }
            DeadLetterPayload::Body(body) => head.with_body(body),
            DeadLetterPayload::BodyKey(key) => head.with_body_key(key),
        }
    }

    /// Reads the JSON text.
    ///
    /// # Errors
    /// What is no dead letter, or one of a version that this code does not read.
    pub fn decode(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }
}

/// A dead letter without its payload, to write one of borrowed parts.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetterHead<'a> {
    reason: Reason,
    detail: &'a str,
    attempts: u32,
    failed_at: &'a str,
}

impl<'a> DeadLetterHead<'a> {
    /// As [`DeadLetter::new`].
    #[must_use]
    pub fn new(reason: Reason, detail: &'a str, attempts: u32, failed_at: &'a str) -> Self {
        Self {
            reason,
            detail: cut(detail),
            attempts,
            failed_at,
        }
    }

    /// The JSON text of the letter that holds `records`, each one wire array.
    ///
    /// # Errors
    /// As [`DeadLetter::encode`].
    pub fn with_records(self, records: &[&str]) -> serde_json::Result<String> {
        self.with("records", &format!("[{}]", records.join(",")))
    }

    /// The JSON text of the letter that holds a message body.
    ///
    /// # Errors
    /// As [`DeadLetter::encode`].
    pub fn with_body(self, body: &str) -> serde_json::Result<String> {
        self.with("body", &serde_json::to_string(body)?)
    }

    /// The JSON text of the letter that names a KV key.
    ///
    /// # Errors
    /// As [`DeadLetter::encode`].
    pub fn with_body_key(self, key: &str) -> serde_json::Result<String> {
        self.with("body_key", &serde_json::to_string(key)?)
    }

    fn with(self, name: &str, value: &str) -> serde_json::Result<String> {
        let Self {
            reason, attempts, ..
        } = self;
        let detail = serde_json::to_string(self.detail)?;
        let failed_at = serde_json::to_string(self.failed_at)?;
        Ok(format!(
            r#"{{"v":{WIRE_VERSION},"reason":"{reason}","detail":{detail},"attempts":{attempts},"failed_at":{failed_at},"{name}":{value}}}"#
        ))
    }
}

fn cut(detail: &str) -> &str {
    let end = detail.floor_char_boundary(DEAD_LETTER_DETAIL_BYTES);
    detail.get(..end).unwrap_or_default()
}
