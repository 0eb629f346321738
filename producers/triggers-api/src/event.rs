//! The JSON event that callers send, and the queue message it becomes, which `queue-consumer` reads.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

/// The longest event type, in bytes.
pub const MAX_TYPE_BYTES: usize = 100;

/// The largest request body, in bytes. A queue message takes 128,000 less 100 of metadata. Of the message, the payload
/// is a part of the body, byte for byte; the type is in it too; ids, names and braces add less than 500: so what fits
/// here fits the queue.
pub const MAX_BODY_BYTES: usize = 100_000;

/// An event as callers send it: `{"type": "order.created", "payload": {…}}`. Other keys are refused, so that a misspelt
/// one is noticed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The name of what happened: 1 to [`MAX_TYPE_BYTES`] bytes.
    #[serde(rename = "type")]
    pub kind: String,
    /// Any JSON; passed on as it came. Null where it is missing.
    #[serde(default)]
    pub payload: Option<Box<RawValue>>,
}

/// The reason why a body is not an event. Says where, never what.
#[derive(Debug, Error)]
pub enum EventError {
    /// Not JSON, or not of the shape.
    #[error(
        "the body is not an event of the form {{\"type\": string, \"payload\": any}} (line {line}, column {column})"
    )]
    Shape {
        /// The place at which reading stopped, from 1.
        line: usize,
        /// The place at which reading stopped, from 1.
        column: usize,
    },
    /// The type is empty or too long.
    #[error("type has {bytes} bytes; it must have 1 to {MAX_TYPE_BYTES}")]
    Type {
        /// Its length.
        bytes: usize,
    },
}

impl Event {
    /// Reads a request body.
    ///
    /// # Errors
    /// [`EventError`] says what is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        let event: Self = serde_json::from_slice(body).map_err(|error| EventError::Shape {
            line: error.line(),
            column: error.column(),
        })?;
        match event.kind.len() {
            1..=MAX_TYPE_BYTES => Ok(event),
            bytes => Err(EventError::Type { bytes }),
        }
    }
}

/// The queue message: an event with its ids, as JSON text.
#[derive(Debug, Serialize)]
pub struct QueuedEvent<'a> {
    /// Made here, a UUID; the Workflow that processes the event has the same id.
    pub event_id: &'a str,
    /// The request's.
    pub correlation_id: &'a str,
    /// As the caller sent it.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// As the caller sent it.
    pub payload: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_keeps_its_payload_byte_for_byte() {
        let event = Event::parse(br#"{"type":"a","payload":{ "n": 1e400 }}"#).unwrap();
        assert_eq!(event.payload.unwrap().get(), r#"{ "n": 1e400 }"#);
        assert!(Event::parse(br#"{"type":"a"}"#).unwrap().payload.is_none());
    }

    #[test]
    fn what_is_no_event_is_refused_without_being_repeated() {
        for body in [
            "",
            "secret",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"a","paylod":1}"#,
            r#"{"type":"a"} x"#,
        ] {
            let error = Event::parse(body.as_bytes()).unwrap_err();
            assert!(matches!(error, EventError::Shape { .. }), "{body}");
            assert!(!error.to_string().contains("secret"));
        }
        assert!(matches!(
            Event::parse(br#"{"type":""}"#),
            Err(EventError::Type { bytes: 0 })
        ));
        let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(MAX_TYPE_BYTES + 1));
        assert!(matches!(
            Event::parse(long.as_bytes()),
            Err(EventError::Type { bytes: 101 })
        ));
    }
}
