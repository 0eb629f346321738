//! The dead letter: what could not be stored and why, as a readable queue message or KV value.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::envelope::WIRE_VERSION;
use crate::limits::DEAD_LETTER_DETAIL_BYTES;

/// The reason why something became a dead letter: a closed set, for counting and filtering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The message body is not an envelope.
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

    /// Returns the wire form: `undecodable`, `unsupported_version`, `rejected` or `retries_exhausted`.
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

/// The part of a dead letter that could not be stored.
#[derive(Clone, Debug)]
pub enum DeadLetterPayload {
    /// Records as wire arrays: replaying them is sending them again.
    Records(Vec<Box<RawValue>>),
    /// A message body as it came.
    Body(String),
    /// The KV key of a body too large for a message.
    BodyKey(String),
}

/// A message or record that could not be stored, with the evidence. As JSON text:
/// `{"v":1,"reason":"rejected","detail":"…","attempts":1,"failed_at":"…","records":[[…]]}`, or with `body` or
/// `body_key` in place of `records`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Members")]
pub struct DeadLetter {
    /// The reason, as a code.
    pub reason: Reason,
    /// The reason, in words: D1's or the decoder's message, at most [`DEAD_LETTER_DETAIL_BYTES`] long.
    pub detail: String,
    /// The number of times that the queue had delivered the message, from 1.
    pub attempts: u32,
    /// The time at which it was given up: ISO-8601, UTC, milliseconds.
    pub failed_at: String,
    /// The part that could not be stored.
    pub payload: DeadLetterPayload,
}

/// The members as they are read. (An enum flattened into the struct would not do: serde buffers what it flattens, and
/// raw JSON cannot be buffered.)
#[derive(Deserialize)]
struct Members {
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

impl TryFrom<Members> for DeadLetter {
    type Error = String;

    fn try_from(members: Members) -> Result<Self, String> {
        if members.v != WIRE_VERSION {
            return Err(format!(
                "dead letter version {}, where {WIRE_VERSION} is supported",
                members.v
            ));
        }
        let payload = match (members.records, members.body, members.body_key) {
            (Some(records), None, None) => DeadLetterPayload::Records(records),
            (None, Some(body), None) => DeadLetterPayload::Body(body),
            (None, None, Some(key)) => DeadLetterPayload::BodyKey(key),
            _ => return Err("not exactly one of records, body and body_key".to_owned()),
        };
        Ok(Self {
            reason: members.reason,
            detail: members.detail,
            attempts: members.attempts,
            failed_at: members.failed_at,
            payload,
        })
    }
}

impl DeadLetter {
    /// Returns a dead letter of this version; `detail` is cut to [`DEAD_LETTER_DETAIL_BYTES`] on a character boundary.
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
            detail: cut_detail(detail).to_owned(),
            attempts,
            failed_at: failed_at.into(),
            payload,
        }
    }

    /// Returns the JSON text.
    ///
    /// # Errors
    /// None in practice: writing JSON text to memory fails only for maps whose keys are not strings.
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
    /// The text is not a dead letter, or one of a version that this code does not read.
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

/// The payload as it is written: one member, named by the variant.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum BorrowedPayload<'a> {
    #[serde(serialize_with = "write_raw")]
    Records(&'a [&'a str]),
    Body(&'a str),
    BodyKey(&'a str),
}

/// Writes JSON texts as they are.
fn write_raw<S: Serializer>(texts: &[&str], serializer: S) -> Result<S::Ok, S::Error> {
    let raw: Result<Vec<&RawValue>, _> = texts
        .iter()
        .map(|text| serde_json::from_str(text))
        .collect();
    raw.map_err(serde::ser::Error::custom)?
        .serialize(serializer)
}

impl<'a> DeadLetterHead<'a> {
    /// Returns the head that [`DeadLetter::new`] would write.
    #[must_use]
    pub fn new(reason: Reason, detail: &'a str, attempts: u32, failed_at: &'a str) -> Self {
        Self {
            reason,
            detail: cut_detail(detail),
            attempts,
            failed_at,
        }
    }

    /// Returns the JSON text of the letter that holds `records`, each one wire array.
    ///
    /// # Errors
    /// One of `records` is not JSON text.
    pub fn with_records(self, records: &[&str]) -> serde_json::Result<String> {
        self.encode_with(&BorrowedPayload::Records(records))
    }

    /// Returns the JSON text of the letter that holds a message body.
    ///
    /// # Errors
    /// As [`DeadLetter::encode`].
    pub fn with_body(self, body: &str) -> serde_json::Result<String> {
        self.encode_with(&BorrowedPayload::Body(body))
    }

    /// Returns the JSON text of the letter that names a KV key.
    ///
    /// # Errors
    /// As [`DeadLetter::encode`].
    pub fn with_body_key(self, key: &str) -> serde_json::Result<String> {
        self.encode_with(&BorrowedPayload::BodyKey(key))
    }

    fn encode_with(self, payload: &BorrowedPayload<'_>) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Letter<'a> {
            v: u64,
            reason: Reason,
            detail: &'a str,
            attempts: u32,
            failed_at: &'a str,
            #[serde(flatten)]
            payload: &'a BorrowedPayload<'a>,
        }
        serde_json::to_string(&Letter {
            v: WIRE_VERSION,
            reason: self.reason,
            detail: self.detail,
            attempts: self.attempts,
            failed_at: self.failed_at,
            payload,
        })
    }
}

fn cut_detail(detail: &str) -> &str {
    let end = detail.floor_char_boundary(DEAD_LETTER_DETAIL_BYTES);
    detail.get(..end).unwrap_or_default()
}
