//! Answers to callers: JSON with the correlation id in body and header, errors included.

use serde_json::{Value, json};

/// An HTTP answer. The edge adds `content-type: application/json` and the correlation id's header.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: Value,
    /// One more header, where the status asks for it: name and value.
    pub header: Option<(&'static str, &'static str)>,
}

impl Answer {
    /// A success.
    #[must_use]
    pub fn ok(status: u16, body: Value) -> Self {
        Self {
            status,
            body,
            header: None,
        }
    }

    /// A failure: `{"error":{"code","message"},"correlation_id"}`. `code` is one of a fixed set, for programs; `message`
    /// is for people.
    #[must_use]
    pub fn error(status: u16, code: &'static str, message: &str, correlation_id: &str) -> Self {
        Self::ok(
            status,
            json!({"error": {"code": code, "message": message}, "correlation_id": correlation_id}),
        )
    }

    /// The same with a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }
}
