//! Queues: finding one by name, publishing, pulling and settling. (Cloudflare: Queues REST API, pull consumers.)

use std::collections::BTreeMap;
use std::string::FromUtf8Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call, Client, encode};
use crate::Error;

/// A queue.
#[derive(Debug)]
pub struct Queue<'a> {
    client: &'a Client,
    id: String,
    /// The queue's name.
    pub name: String,
    /// The server's clock when the queue was found.
    pub found_at: DateTime<Utc>,
}

/// How a queue may be pulled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullConsumer {
    /// After how many retries the platform deletes a message; 3 unless set.
    pub max_retries: u32,
}

/// A pulled message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The same at each delivery.
    pub id: String,
    /// For settling this delivery.
    pub lease_id: String,
    /// The body; its bytes where it is no UTF-8 text.
    pub body: Result<String, Vec<u8>>,
    /// Deliveries so far, this one included.
    pub attempts: u32,
    /// When it was published, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// One pull.
#[derive(Debug)]
pub struct Pulled {
    /// At most as many as asked for; none where nothing can be delivered now.
    pub messages: Vec<Message>,
    /// Messages in the queue that are not acknowledged, these included, as far as the platform knows.
    pub backlog: Option<u64>,
}

/// How a settling call went.
#[derive(Debug, Default)]
pub struct Settled {
    /// How many acks were taken.
    pub acked: usize,
    /// Lease ids that were not taken, with the platform's words.
    pub warnings: BTreeMap<String, String>,
}

impl<'a> Queue<'a> {
    /// The queue of `name`; `option` is the command-line option that names another.
    ///
    /// # Errors
    /// [`Error::Missing`] with the names there are.
    pub async fn find(client: &'a Client, name: &str, option: &'static str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Listed {
            queue_id: String,
            queue_name: String,
        }
        let mut seen = Vec::new();
        for page in 1_u64.. {
            let number = page.to_string();
            let call = Call::get("find the queue", "/queues")
                .query("per_page", "100")
                .query("page", &number);
            let answer: Answer<Vec<Listed>> = client.call(&call).await?;
            for listed in answer.result {
                if listed.queue_name == name {
                    return Ok(Self {
                        client,
                        id: listed.queue_id,
                        name: listed.queue_name,
                        found_at: answer.date.unwrap_or_else(Utc::now),
                    });
                }
                seen.push(listed.queue_name);
            }
            if page >= answer.info.total_pages.unwrap_or(1) {
                break;
            }
        }
        Err(Error::Missing {
            kind: "queue",
            name: name.to_owned(),
            available: seen,
            option,
        })
    }

    fn path(&self, rest: &str) -> String {
        format!("/queues/{}/{rest}", encode(&self.id))
    }

    /// The queue's HTTP pull consumer.
    ///
    /// # Errors
    /// [`Error::NoPullConsumer`] where it has none.
    pub async fn pull_consumer(&self) -> Result<PullConsumer, Error> {
        let call = Call::get("read the queue's consumers", self.path("consumers"));
        let answer: Answer<Vec<Value>> = self.client.call(&call).await?;
        let consumer = answer
            .result
            .iter()
            .find(|consumer| consumer.get("type").and_then(Value::as_str) == Some("http_pull"))
            .ok_or_else(|| Error::NoPullConsumer {
                queue: self.name.clone(),
            })?;
        let max_retries = consumer
            .pointer("/settings/max_retries")
            .and_then(Value::as_u64)
            .and_then(|retries| u32::try_from(retries).ok())
            .unwrap_or(3);
        Ok(PullConsumer { max_retries })
    }

    /// Leases up to `count` messages for `lease_ms`.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn pull(&self, count: usize, lease_ms: u64) -> Result<Pulled, Error> {
        #[derive(Deserialize)]
        struct Answered {
            #[serde(default)]
            messages: Vec<Raw>,
            #[serde(default)]
            message_backlog_count: Option<f64>,
        }
        #[derive(Deserialize)]
        struct Raw {
            id: String,
            lease_id: String,
            body: String,
            #[serde(default)]
            attempts: f64,
            #[serde(default)]
            timestamp_ms: f64,
            #[serde(default)]
            metadata: Value,
        }
        let call = Call::post(
            "pull from the queue",
            self.path("messages/pull"),
            json!({"batch_size": count, "visibility_timeout_ms": lease_ms}),
        );
        let answer: Answer<Answered> = self.client.call(&call).await?;
        let messages = answer
            .result
            .messages
            .into_iter()
            .map(|raw| {
                let kind = raw.metadata.get("CF-Content-Type").and_then(Value::as_str);
                Message {
                    body: text(raw.body, kind),
                    id: raw.id,
                    lease_id: raw.lease_id,
                    attempts: whole(raw.attempts).try_into().unwrap_or(u32::MAX),
                    timestamp_ms: whole(raw.timestamp_ms).try_into().unwrap_or(i64::MAX),
                }
            })
            .collect();
        Ok(Pulled {
            messages,
            backlog: answer.result.message_backlog_count.map(whole),
        })
    }

    /// Publishes text messages in one call: all of them, or none that counts.
    ///
    /// # Errors
    /// As the API has them; some of the messages may have been taken nevertheless.
    pub async fn publish(&self, bodies: &[&str]) -> Result<(), Error> {
        let messages: Vec<_> = bodies
            .iter()
            .map(|body| json!({"body": body, "content_type": "text"}))
            .collect();
        let call = Call::post(
            "publish to the queue",
            self.path("messages/batch"),
            json!({"messages": messages}),
        );
        self.client.done(&call).await
    }

    /// Acknowledges `acks` and gives `releases` back at once.
    ///
    /// # Errors
    /// As the API has them; some of it may have been done nevertheless.
    pub async fn settle(&self, acks: &[&str], releases: &[&str]) -> Result<Settled, Error> {
        #[derive(Deserialize)]
        struct Answered {
            #[serde(default, rename = "ackCount")]
            acked: f64,
            #[serde(default)]
            warnings: Value,
        }
        let taken: Vec<_> = acks.iter().map(|id| json!({"lease_id": id})).collect();
        let given_back: Vec<_> = releases
            .iter()
            .map(|id| json!({"lease_id": id, "delay_seconds": 0}))
            .collect();
        let call = Call::post(
            "acknowledge to the queue",
            self.path("messages/ack"),
            json!({"acks": taken, "retries": given_back}),
        );
        let answer: Answer<Answered> = self.client.call(&call).await?;
        let count = usize::try_from(whole(answer.result.acked)).unwrap_or(usize::MAX);
        let warnings = match answer.result.warnings {
            Value::Object(map) => map
                .into_iter()
                .map(|(lease, words)| (lease, words.as_str().unwrap_or_default().to_owned()))
                .collect(),
            _ => BTreeMap::new(),
        };
        Ok(Settled {
            acked: count,
            warnings,
        })
    }
}

/// A body as text: `json` and `bytes` bodies come in base64, `text` plain. A `json` body that is itself a string is
/// that string.
fn text(body: String, kind: Option<&str>) -> Result<String, Vec<u8>> {
    if !matches!(kind, Some("json" | "bytes" | "v8")) {
        return Ok(body);
    }
    let bytes = STANDARD.decode(&body).map_err(|_| body.into_bytes())?;
    let decoded = String::from_utf8(bytes).map_err(FromUtf8Error::into_bytes)?;
    if kind == Some("json")
        && let Ok(Value::String(inner)) = serde_json::from_str(&decoded)
    {
        return Ok(inner);
    }
    Ok(decoded)
}

/// A JSON number that counts something.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, and counts are small
fn whole(number: f64) -> u64 {
    number as u64
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
        ] {
            assert_eq!(text(body, kind), Ok(expected.to_owned()));
        }
        let bytes = vec![0xff, 0xfe];
        assert_eq!(text(encoded(&bytes), Some("bytes")), Err(bytes));
    }
}
