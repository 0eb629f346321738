//! A dead letter as it is read back, whichever way it became one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use log_record::{DeadLetter, DeadLetterPayload, DecodeError, Envelope, LogRecord, Reason};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::client::queues::MessageBody;
use crate::time;

/// The content of a letter.
#[derive(Clone, Debug)]
pub enum Content {
    /// Records, each one wire array.
    Records(Vec<Box<RawValue>>),
    /// An envelope, to be sent as it is.
    Envelope(String),
    /// A body that is not an envelope of a version this tool reads.
    Body(String),
    /// The KV key of a body that was too large for a dead letter.
    BodyKey(String),
    /// Bytes that are not text.
    Bytes(Vec<u8>),
}

/// The way that something became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Log-writer gave it up and said why.
    Reported,
    /// The platform moved the message itself, after its last retry.
    Platform,
    /// Tail-ingest put the message into KV, since the queue refused it.
    Fallback,
}

impl Origin {
    /// Returns the words for a person.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Reported => "given up by log-writer",
            Self::Platform => "moved by the platform",
            Self::Fallback => "refused by the queue",
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.words())
    }
}

/// A dead letter, or a message that stands for one. Its JSON form is that of an export: with records by name, or else the
/// body as it came, in base64 where it is not text.
#[derive(Clone, Debug, Serialize)]
pub struct Letter {
    /// The reason; where nobody said, the one that log-writer would have given.
    pub reason: Reason,
    /// The way that it became one; unless it was reported, it is the message itself.
    pub origin: Origin,
    /// The reason in words.
    pub detail: String,
    /// Deliveries until it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The time when it was given up, in the stored form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<String>,
    /// Its content.
    #[serde(flatten)]
    pub content: Content,
    /// The KV key of its body, fetched or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_key: Option<String>,
}

impl Letter {
    /// Reads a message of the dead-letter queue, or a value of KV; `origin` is where it is from if it is not a report.
    #[must_use]
    pub fn read(body: MessageBody, origin: Origin) -> Self {
        let mut letter = Self {
            reason: Reason::Undecodable,
            origin,
            detail: "not text".to_owned(),
            attempts: None,
            failed_at: None,
            content: Content::Bytes(Vec::new()),
            body_key: None,
        };
        let body = match body {
            MessageBody::Text(body) => body,
            MessageBody::Bytes(bytes) => {
                letter.content = Content::Bytes(bytes);
                return letter;
            }
        };
        if let Ok(report) = DeadLetter::decode(&body) {
            letter.reason = report.reason;
            letter.origin = Origin::Reported;
            letter.detail = report.detail;
            letter.attempts = Some(report.attempts);
            letter.failed_at = time::millis(&report.failed_at).map(time::stored_ms);
            letter.content = match report.payload {
                DeadLetterPayload::Records(records) => Content::Records(records),
                DeadLetterPayload::Body(body) => Content::from(body),
                DeadLetterPayload::BodyKey(key) => {
                    letter.body_key = Some(key.clone());
                    Content::BodyKey(key)
                }
            };
            return letter;
        }
        (letter.reason, letter.detail) = match Envelope::decode(&body) {
            Ok(_) => (Reason::RetriesExhausted, origin.words().to_owned()),
            Err(error @ DecodeError::UnsupportedVersion { .. }) => {
                (Reason::UnsupportedVersion, error.to_string())
            }
            Err(error) => (Reason::Undecodable, error.to_string()),
        };
        letter.content = Content::from(body);
        letter
    }

    /// Returns every record in it, as wire arrays.
    #[must_use]
    pub fn records(&self) -> Vec<Box<RawValue>> {
        self.content.records()
    }
}

impl Content {
    fn records(&self) -> Vec<Box<RawValue>> {
        #[derive(Default, Deserialize)]
        struct Rows {
            records: Vec<Box<RawValue>>,
        }
        match self {
            Self::Records(records) => records.clone(),
            Self::Envelope(body) => {
                serde_json::from_str::<Rows>(body)
                    .unwrap_or_default()
                    .records
            }
            _ => Vec::new(),
        }
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        match self {
            Self::Records(_) | Self::Envelope(_) => {
                let records: Vec<_> = self.records().into_iter().map(name_members).collect();
                members.serialize_entry("records", &records)?;
            }
            Self::Body(body) => members.serialize_entry("body", body)?,
            Self::Bytes(bytes) => {
                members.serialize_entry("body_base64", &STANDARD.encode(bytes))?;
            }
            Self::BodyKey(_) => {}
        }
        members.end()
    }
}

/// Returns a record by name, or as it came where it cannot be read.
fn name_members(raw: Box<RawValue>) -> Box<RawValue> {
    let record: Option<LogRecord> = serde_json::from_str(raw.get()).ok();
    let named = record.and_then(|record| to_raw_value(&record).ok());
    named.unwrap_or(raw)
}

impl From<String> for Content {
    /// A body that has become an envelope that this tool reads, by an upgrade say, is one.
    fn from(body: String) -> Self {
        if Envelope::decode(&body).is_ok() {
            Self::Envelope(body)
        } else {
            Self::Body(body)
        }
    }
}

impl From<MessageBody> for Content {
    fn from(body: MessageBody) -> Self {
        match body {
            MessageBody::Text(text) => Self::from(text),
            MessageBody::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}
