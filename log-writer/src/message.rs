//! Messages, wherever they come from: the queue (`edge`) or KV (`drain`). They are read one by one, since a full batch
//! read at once takes more memory than an isolate has.

use std::borrow::Cow;

use worker_runtime::CallError;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id, unique among all messages.
    pub id: String,
    /// The time of sending: ISO-8601, UTC, milliseconds.
    pub timestamp: String,
    /// The number of deliveries, from 1.
    pub attempts: u32,
    /// The body.
    pub body: Body,
}

/// A message body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Text, as envelopes are.
    Text(String),
    /// Anything else, rendered as JSON.
    Other(String),
}

impl Body {
    /// Returns the text, or the JSON in its place.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Other(text) => text,
        }
    }
}

/// Messages that can be read again and again, by index.
pub trait MessageSource {
    /// Returns the number of messages.
    fn count(&self) -> usize;

    /// Returns how often message `index` was delivered, without reading its body; 1 where it does not say.
    fn attempts(&self, index: usize) -> u32;

    /// Reads message `index`.
    ///
    /// # Errors
    /// The runtime does not hand it out.
    fn read(&self, index: usize) -> Result<Cow<'_, Message>, CallError>;
}

impl MessageSource for [Message] {
    fn count(&self) -> usize {
        self.len()
    }

    fn attempts(&self, index: usize) -> u32 {
        self.get(index).map_or(1, |message| message.attempts)
    }

    fn read(&self, index: usize) -> Result<Cow<'_, Message>, CallError> {
        let message = self.get(index).map(Cow::Borrowed);
        message.ok_or_else(|| CallError::Refused(format!("there is no message {index}")))
    }
}
