//! What a dead letter holds, whichever way it became one, and whether to take it.

use std::collections::BTreeMap;

use log_record::limits::{MESSAGE_BODY_BYTES, RECORD_BYTES};
use log_record::{DeadLetter, DeadLetterPayload, DecodeError, Envelope, Reason, RecordView};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::time;

/// What a letter holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// Records, each one wire array.
    Records(Vec<Box<RawValue>>),
    /// An envelope, to be sent as it is.
    Envelope(String),
    /// A body that is no envelope of a version this tool reads.
    Body(String),
    /// The KV key of a body that was too large for a dead letter.
    BodyKey(String),
    /// Bytes that are no text.
    Bytes(Vec<u8>),
}

/// How something became a dead letter.
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
    /// For the summary and the export.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Reported => "given up by log-writer",
            Self::Platform => "moved by the platform",
            Self::Fallback => "refused by the queue",
        }
    }
}

/// A dead letter, or a message that stands for one.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Why; where nobody said, the reason that log-writer would have given.
    pub reason: Reason,
    /// How it became one; unless it was reported, it is the message itself.
    pub origin: Origin,
    /// Why, in words.
    pub detail: String,
    /// Deliveries until it was given up.
    pub attempts: Option<u32>,
    /// When it was given up, in milliseconds since 1970.
    pub failed_ms: Option<i64>,
    /// What it holds.
    pub content: Content,
    /// The KV key of its body, once that was fetched from there.
    pub body_key: Option<String>,
}

/// Why a letter stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// Its reason was not asked for.
    NotAsked,
    /// Its body is no envelope: sent again, it would come back.
    NoEnvelope,
    /// Its body is no envelope, and there is no queue to send it to.
    NoQueue,
    /// It is no text, and the API sends nothing else.
    NotText,
    /// One of its records cannot be read.
    NoRecord,
    /// It is too large for a message.
    TooLarge,
    /// Its body was in KV and is gone.
    BodyGone,
    /// Its body is in KV and was not read.
    BodyNotRead,
    /// It was published after the run began: what was replayed came back.
    CameBack,
    /// It could not be published, or the database rejected it again.
    NotPublished,
    /// It was replayed, and could not be taken away: it comes back, and is stored once.
    NotSettled,
}

impl Left {
    /// For the summary.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NotAsked => "not of a reason asked for",
            Self::NoEnvelope => {
                "a body that is no envelope (name its reason with --reason to send it as it came)"
            }
            Self::NoQueue => "a body that is no envelope; only a queue would take it as it came",
            Self::NotText => "not text, which is all that can be sent",
            Self::NoRecord => "holds a record that cannot be read (see it with --export)",
            Self::TooLarge => "too large for a message (see it with --export)",
            Self::BodyGone => {
                "its body was kept in KV and is gone from there: expired, or replayed with a copy of this letter"
            }
            Self::BodyNotRead => "its body was kept in KV and could not be read there",
            Self::CameBack => {
                "came to the queue after the replay began: what rejected them has not been mended"
            }
            Self::NotPublished => "could not be published or stored",
            Self::NotSettled => {
                "replayed, but not taken away yet: they come back, and replaying them again stores nothing twice"
            }
        }
    }
}

impl Letter {
    /// Reads a message of the dead-letter queue, or a value of KV; `origin` is where it is from if it is no report.
    /// A body that is no text comes as bytes.
    #[must_use]
    pub fn read(body: Result<String, Vec<u8>>, origin: Origin) -> Self {
        let message = |reason, detail: String, content| Self {
            reason,
            origin,
            detail,
            attempts: None,
            failed_ms: None,
            content,
            body_key: None,
        };
        let body = match body {
            Ok(body) => body,
            Err(bytes) => {
                let content = Content::Bytes(bytes);
                return message(Reason::Undecodable, "not text".to_owned(), content);
            }
        };
        if let Ok(letter) = DeadLetter::decode(&body) {
            return Self {
                reason: letter.reason,
                origin: Origin::Reported,
                detail: letter.detail,
                attempts: Some(letter.attempts),
                failed_ms: time::millis(&letter.failed_at),
                content: match letter.payload {
                    DeadLetterPayload::Records(records) => Content::Records(records),
                    DeadLetterPayload::Body(body) => Content::of(body),
                    DeadLetterPayload::BodyKey(key) => Content::BodyKey(key),
                },
                body_key: None,
            };
        }
        match Envelope::decode(&body) {
            Ok(_) => message(
                Reason::RetriesExhausted,
                origin.words().to_owned(),
                Content::Envelope(body),
            ),
            Err(error) => {
                let reason = match error {
                    DecodeError::UnsupportedVersion { .. } => Reason::UnsupportedVersion,
                    _ => Reason::Undecodable,
                };
                message(reason, error.to_string(), Content::Body(body))
            }
        }
    }

    /// Whether its body is in KV and was not fetched yet.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        matches!(self.content, Content::BodyKey(_))
    }

    /// Puts its body, which was fetched from KV, in the place of the key.
    pub fn fetched(&mut self, body: Vec<u8>) {
        let content = match String::from_utf8(body) {
            Ok(body) => Content::of(body),
            Err(error) => Content::Bytes(error.into_bytes()),
        };
        if let Content::BodyKey(key) = std::mem::replace(&mut self.content, content) {
            self.body_key = Some(key);
        }
    }

    /// Takes its body for published, with another letter that names the same key: nothing of it is left to publish.
    pub fn spare(&mut self) {
        let nothing = Content::Records(Vec::new());
        if let Content::BodyKey(key) = std::mem::replace(&mut self.content, nothing) {
            self.body_key = Some(key);
        }
    }

    /// Whether it is of one of the reasons `asked` for: none is all.
    #[must_use]
    pub fn is_asked_for(&self, asked: &[Reason]) -> bool {
        asked.is_empty() || asked.contains(&self.reason)
    }

    /// Whether to leave one that is asked for, and why. A letter whose body is still in KV is judged again once it has
    /// been fetched.
    #[must_use]
    pub fn left(&self, asked: &[Reason]) -> Option<Left> {
        let named = asked.contains(&self.reason);
        match &self.content {
            Content::Bytes(_) => Some(Left::NotText),
            Content::Body(_) if !named => Some(Left::NoEnvelope),
            Content::Body(body) | Content::Envelope(body) => {
                (body.len() > MESSAGE_BODY_BYTES).then_some(Left::TooLarge)
            }
            Content::Records(records) => {
                let any = |bad: fn(&RawValue) -> bool| records.iter().any(|record| bad(record));
                if any(|record| RecordView::new(record).is_err()) {
                    Some(Left::NoRecord)
                } else {
                    any(|record| record.get().len() > RECORD_BYTES).then_some(Left::TooLarge)
                }
            }
            Content::BodyKey(_) => None,
        }
    }

    /// Every record in it, as wire arrays.
    #[must_use]
    pub fn records(&self) -> Vec<Box<RawValue>> {
        match &self.content {
            Content::Records(records) => records.clone(),
            Content::Envelope(body) => Envelope::decode(body)
                .ok()
                .and_then(|envelope| serde_json::from_str(envelope.rows()).ok())
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// How many records of each Worker are in it.
    #[must_use]
    pub fn workers(&self) -> BTreeMap<String, u64> {
        let mut workers = BTreeMap::new();
        for record in self.records() {
            // Read leniently: a letter may be one because its record is odd.
            let cells: Vec<Value> = serde_json::from_str(record.get()).unwrap_or_default();
            let name = cells.get(1).and_then(Value::as_str).unwrap_or_default();
            *workers.entry(name.to_owned()).or_default() += 1;
        }
        workers
    }
}

impl Content {
    /// A body that has become an envelope that this tool reads, by an upgrade say, is one.
    #[must_use]
    pub fn of(body: String) -> Self {
        if Envelope::decode(&body).is_ok() {
            Self::Envelope(body)
        } else {
            Self::Body(body)
        }
    }
}
