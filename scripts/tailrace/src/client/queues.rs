//! Queues: finding one by name, publishing, pulling and settling. (Cloudflare: Queues REST API, pull consumers.)

use std::collections::BTreeMap;
use std::string::FromUtf8Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Client, encode, null_is_default};
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
        let list = Call::get("find the queue", "/queues");
        let named = client.list::<Listed>(&list.query("name", name)).await?;
        let found_at = named.date.unwrap_or_else(Utc::now);
        if let Some(listed) = named.result.into_iter().find(|one| one.queue_name == name) {
            return Ok(Self {
                client,
                id: listed.queue_id,
                name: listed.queue_name,
                found_at,
            });
        }
        // The names that there are, for the error: a filtered list holds none of them.
        let all = client
            .list::<Listed>(&Call::get("list the queues", "/queues"))
            .await?;
        Err(Error::Missing {
            kind: "queue",
            name: name.to_owned(),
            available: all.result.into_iter().map(|one| one.queue_name).collect(),
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
        let answer = self.client.list::<Value>(&call).await?;
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
    /// [`Error::QueuePaused`], and as the API has them.
    pub async fn pull(&self, count: usize, lease_ms: u64) -> Result<Pulled, Error> {
        let call = Call::post(
            "pull from the queue",
            self.path("messages/pull"),
            json!({"batch_size": count, "visibility_timeout_ms": lease_ms}),
        );
        let answer: Listing = self.listing(&call).await?;
        Ok(Pulled {
            backlog: answer.message_backlog_count.map(whole),
            messages: answer
                .messages
                .into_iter()
                .filter_map(Raw::message)
                .collect(),
        })
    }

    /// Makes a call that is answered with messages; with nothing at all where there are none.
    async fn listing(&self, call: &Call<'_>) -> Result<Listing, Error> {
        match self.client.answer::<Listing>(call).await {
            Ok(answer) => Ok(answer.result.unwrap_or_default()),
            // Cloudflare: "queue_delivery_paused".
            Err(Error::Api {
                status: 409,
                message,
                ..
            }) if message.contains("paused") => Err(Error::QueuePaused {
                queue: self.name.clone(),
            }),
            Err(error) => Err(error),
        }
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
        #[derive(Default, Deserialize)]
        struct Answered {
            #[serde(default, rename = "ackCount")]
            acked: Option<f64>,
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
        let answer = self.client.answer::<Answered>(&call).await?;
        let answered = answer.result.unwrap_or_default();
        let warnings: BTreeMap<_, _> = match answered.warnings {
            Value::Object(map) => map
                .into_iter()
                .map(|(lease, words)| (lease, words.as_str().unwrap_or_default().to_owned()))
                .collect(),
            _ => BTreeMap::new(),
        };
        // The number is not promised; without it, what is not warned of was taken.
        let acked = answered.acked.map_or_else(
            || {
                acks.iter()
                    .filter(|lease| !warnings.contains_key(**lease))
                    .count()
            },
            |count| usize::try_from(whole(count)).unwrap_or(usize::MAX),
        );
        Ok(Settled { acked, warnings })
    }
}

/// Messages as the API lists them. Nothing in here is promised to be there.
#[derive(Default, Deserialize)]
struct Listing {
    #[serde(default, deserialize_with = "null_is_default")]
    messages: Vec<Raw>,
    #[serde(default)]
    message_backlog_count: Option<f64>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
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

impl Raw {
    /// The message; `None` where there is no lease to settle it by: it comes back by itself.
    fn message(self) -> Option<Message> {
        let lease_id = self.lease_id?;
        let kind = self.metadata.get("CF-Content-Type").and_then(Value::as_str);
        Some(Message {
            body: text(self.body, kind),
            id: self.id.unwrap_or_else(|| lease_id.clone()),
            lease_id,
            attempts: self
                .attempts
                .map_or(1, whole)
                .try_into()
                .unwrap_or(u32::MAX),
            timestamp_ms: self
                .timestamp_ms
                .map_or(0, whole)
                .try_into()
                .unwrap_or(i64::MAX),
        })
    }
}

/// A body as text: `json` and `bytes` bodies come in base64, `text` plain. (An example in Cloudflare's documentation
/// has a `json` body in plain text as well: what is not base64 stays as it came.) A `json` body that is itself a
/// string is that string.
fn text(body: String, kind: Option<&str>) -> Result<String, Vec<u8>> {
    if !matches!(kind, Some("json" | "bytes" | "v8")) {
        return Ok(body);
    }
    let Ok(bytes) = STANDARD.decode(&body) else {
        return Ok(body);
    };
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
            ("hello".to_owned(), Some("json"), "hello"),
            ("{\"v\":1}".to_owned(), Some("json"), "{\"v\":1}"),
        ] {
            assert_eq!(text(body, kind), Ok(expected.to_owned()));
        }
        let bytes = vec![0xff, 0xfe];
        assert_eq!(text(encoded(&bytes), Some("bytes")), Err(bytes));
    }
}
