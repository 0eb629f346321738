//! Reading a dead letter, whichever way it became one.

use log_record::{DeadLetter, DeadLetterPayload, DecodeError, Envelope, Reason};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::queues::MessageBody;
use crate::time;

/// What a letter holds.
#[derive(Clone, Debug)]
pub(super) enum Content {
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

/// How something became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// Log-writer gave it up and said why.
    Reported,
    /// The platform moved the message itself, after its last retry.
    Platform,
    /// Tail-ingest put the message into KV, since the queue refused it.
    Fallback,
}

impl Origin {
    /// Words for the summary and the export.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Reported => "given up by log-writer",
            Self::Platform => "moved by the platform",
            Self::Fallback => "refused by the queue",
        }
    }
}

/// A dead letter, or a message that stands for one.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    /// Why; where nobody said, the reason that log-writer would have given.
    pub(super) reason: Reason,
    /// How it became one; unless it was reported, it is the message itself.
    pub(super) origin: Origin,
    /// Why, in words.
    pub(super) detail: String,
    /// Deliveries until it was given up.
    pub(super) attempts: Option<u32>,
    /// When it was given up, in milliseconds since 1970.
    pub(super) failed_ms: Option<i64>,
    /// What it holds.
    pub(super) content: Content,
    /// The KV key of its body, fetched or not.
    pub(super) body_key: Option<String>,
}

impl Letter {
    /// Reads a message of the dead-letter queue, or a value of KV; `origin` is where it is from if it is not a report.
    pub(super) fn read(body: MessageBody, origin: Origin) -> Self {
        let mut letter = Self {
            reason: Reason::Undecodable,
            origin,
            detail: "not text".to_owned(),
            attempts: None,
            failed_ms: None,
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
            letter.failed_ms = time::millis(&report.failed_at);
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
    pub(super) fn records(&self) -> Vec<Box<RawValue>> {
        #[derive(Default, Deserialize)]
        struct Rows {
            records: Vec<Box<RawValue>>,
        }
        match &self.content {
            Content::Records(records) => records.clone(),
            Content::Envelope(body) => {
                serde_json::from_str::<Rows>(body)
                    .unwrap_or_default()
                    .records
            }
            _ => Vec::new(),
        }
    }
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
