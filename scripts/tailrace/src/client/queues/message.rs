//! Messages as they are pulled and peeked at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::client::{null_is_default, whole};

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageBody {
    /// Text, however it travelled.
    Text(String),
    /// Bytes that are not UTF-8.
    Bytes(Vec<u8>),
}

impl From<Vec<u8>> for MessageBody {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

/// A message that was pulled, or peeked at.
#[derive(Clone, Debug)]
pub struct Message {
    /// The same at each delivery.
    pub id: String,
    /// The lease of this delivery, for an ack; of a peeked message the reference, for a purge.
    pub handle: String,
    /// Its content.
    pub body: MessageBody,
    /// Deliveries so far, this one included.
    pub attempts: u32,
    /// The time of publishing, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

/// One pull.
#[derive(Debug)]
pub struct Pulled {
    /// At most as many as asked for; none where nothing can be delivered now.
    pub messages: Vec<Message>,
    /// Messages in the queue that are not acknowledged, these included, as far as the platform knows.
    pub backlog: Option<u64>,
}

/// Messages as the API lists them. Nothing in here is promised to be there.
#[derive(Default, Deserialize)]
pub(super) struct Listing {
    #[serde(default, deserialize_with = "null_is_default")]
    messages: Vec<Listed>,
    #[serde(default)]
    message_backlog_count: Option<f64>,
}

impl From<Listing> for Pulled {
    fn from(listing: Listing) -> Self {
        let messages = listing.messages.into_iter();
        Self {
            messages: messages.filter_map(Listed::message).collect(),
            backlog: listing.message_backlog_count.map(whole),
        }
    }
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    id: Option<String>,
    #[serde(default, alias = "ref")]
    lease_id: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    body: String,
    #[serde(default)]
    attempts: Option<f64>,
    #[serde(default)]
    timestamp_ms: Option<f64>,
    #[serde(default)]
    metadata: Value,
}

impl Listed {
    /// Returns the message; `None` where nothing can take it away: it comes back by itself.
    fn message(self) -> Option<Message> {
        let handle = self.lease_id?;
        let kind = self.metadata.get("CF-Content-Type").and_then(Value::as_str);
        Some(Message {
            body: read_body(self.body, kind),
            id: self.id.unwrap_or_else(|| handle.clone()),
            handle,
            attempts: self
                .attempts
                .map_or(1, whole)
                .try_into()
                .unwrap_or(u32::MAX),
            timestamp_ms: self
                .timestamp_ms
                .map(|ms| whole(ms).try_into().unwrap_or(i64::MAX)),
        })
    }
}

/// Reads a body: `json` and `bytes` bodies come in base64, `text` plain. (An example in Cloudflare's documentation has
/// a `json` body in plain text as well: what is not base64 stays as it came.) A `json` body that is itself a string is
/// that string.
fn read_body(body: String, kind: Option<&str>) -> MessageBody {
    if !matches!(kind, Some("json" | "bytes" | "v8")) {
        return MessageBody::Text(body);
    }
    let Ok(bytes) = STANDARD.decode(&body) else {
        return MessageBody::Text(body);
    };
    match MessageBody::from(bytes) {
        MessageBody::Text(text) if kind == Some("json") => {
            MessageBody::Text(serde_json::from_str::<String>(&text).unwrap_or(text))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_text_however_they_came() {
        let encoded = |bytes: &[u8]| STANDARD.encode(bytes);
        for (body, kind, expected) in [
            ("plain".to_owned(), Some("text"), "plain"),
            ("plain".to_owned(), None, "plain"),
            (encoded(b"{\"v\":1}"), Some("json"), "{\"v\":1}"),
            (encoded(b"\"{}\""), Some("json"), "{}"),
            (encoded(b"raw"), Some("bytes"), "raw"),
            ("hello".to_owned(), Some("json"), "hello"),
            ("{\"v\":1}".to_owned(), Some("json"), "{\"v\":1}"),
        ] {
            assert_eq!(
                read_body(body, kind),
                MessageBody::Text(expected.to_owned())
            );
        }
        let bytes = vec![0xff, 0xfe];
        assert_eq!(
            read_body(encoded(&bytes), Some("bytes")),
            MessageBody::Bytes(bytes)
        );
    }
}
