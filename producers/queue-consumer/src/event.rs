//! The queue message that `triggers-api` sends (its `QueuedEvent`), and the parameters that `event-workflow` gets.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

/// A queued event: `{"event_id","correlation_id","type","payload"}`. Keys added later are ignored.
#[derive(Debug, Deserialize)]
pub struct QueuedEvent {
    /// A UUID; the Workflow instance gets the same id.
    pub event_id: String,
    /// Of the request that brought the event.
    pub correlation_id: String,
    /// The name of what happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// Any JSON; passed on as it came.
    #[serde(default)]
    pub payload: Option<Box<RawValue>>,
}

/// A message that is not an event. Says where, never what.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The body is not text.
    #[error("the body is not text")]
    NotText,
    /// The text is not an event.
    #[error("the body is not an event (line {line}, column {column})")]
    Shape {
        /// The place at which reading stopped, from 1.
        line: usize,
        /// The place at which reading stopped, from 1.
        column: usize,
    },
}

impl QueuedEvent {
    /// Reads a message body; `None` is a body that is not text.
    ///
    /// # Errors
    /// [`DecodeError`] says what is wrong with it.
    pub fn decode(body: Option<&str>) -> Result<Self, DecodeError> {
        let body = body.ok_or(DecodeError::NotText)?;
        serde_json::from_str(body).map_err(|error| DecodeError::Shape {
            line: error.line(),
            column: error.column(),
        })
    }

    /// Returns what `Workflow.create` takes, as JSON text: the instance's id and parameters.
    ///
    /// # Errors
    /// None in practice: writing JSON text to memory only fails for maps whose keys are not strings.
    pub fn workflow_options(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Options<'a> {
            id: &'a str,
            params: Params<'a>,
        }
        #[derive(Serialize)]
        struct Params<'a> {
            correlation_id: &'a str,
            event: Event<'a>,
        }
        #[derive(Serialize)]
        struct Event<'a> {
            #[serde(rename = "event_id")]
            id: &'a str,
            #[serde(rename = "type")]
            kind: &'a str,
            payload: Option<&'a RawValue>,
        }
        serde_json::to_string(&Options {
            id: &self.event_id,
            params: Params {
                correlation_id: &self.correlation_id,
                event: Event {
                    id: &self.event_id,
                    kind: &self.kind,
                    payload: self.payload.as_deref(),
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_triggers_api_sends_is_read_and_handed_to_the_workflow() {
        let payload = RawValue::from_string(r#"{ "n": 1 }"#.to_owned()).unwrap();
        let sent = serde_json::to_string(&triggers_api::event::QueuedEvent {
            event_id: "e-1",
            correlation_id: "c-1",
            kind: "order.created",
            payload: Some(&payload),
        })
        .unwrap();
        let event = QueuedEvent::decode(Some(&sent)).unwrap();
        assert_eq!(
            event.workflow_options().unwrap(),
            r#"{"id":"e-1","params":{"correlation_id":"c-1","event":{"event_id":"e-1","type":"order.created","payload":{ "n": 1 }}}}"#
        );
    }

    #[test]
    fn what_is_no_event_is_refused_without_being_repeated() {
        assert!(matches!(
            QueuedEvent::decode(None),
            Err(DecodeError::NotText)
        ));
        for body in ["", "secret", "{}", "[]", r#"{"event_id":"e-1"}"#] {
            let error = QueuedEvent::decode(Some(body)).unwrap_err();
            assert!(matches!(error, DecodeError::Shape { .. }), "{body}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
