//! Queues: finding one by name, publishing, peeking, pulling, and taking messages away. (Cloudflare: Queues REST API, pull consumers.)

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use log_record::limits::{QUEUE_METADATA_BYTES, SEND_BATCH_BYTES, SEND_BATCH_MESSAGES};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Client, encode, null_is_default};
use crate::Error;

/// Messages of one pull, peek, ack or purge: the platform's maximum.
pub const CALL_MESSAGES: usize = 100;

/// A queue.
#[derive(Debug)]
pub struct Queue<'a> {
    client: &'a Client,
    id: String,
    /// The queue's name.
    pub name: String,
    /// The server's clock when the queue was found.
    pub found_at: Timestamp,
}

/// How a queue may be pulled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullConsumer {
    /// After how many retries the platform deletes a message; 3 unless set.
    pub max_retries: u32,
}

/// What a message holds.
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
    /// The lease of this delivery, for [`Queue::ack`]; of a peeked message the reference for [`Queue::purge`].
    pub handle: String,
    /// What it holds.
    pub body: MessageBody,
    /// Deliveries so far, this one included.
    pub attempts: u32,
    /// When it was published, in milliseconds since 1970.
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

impl<'a> Queue<'a> {
    /// The queue of `name`; `option` is the command-line option that names another.
    ///
    /// # Errors
    /// [`Error::Missing`] with the names there are.
    pub async fn find(client: &'a Client, name: &str, option: &'static str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Named {
            queue_id: String,
            queue_name: String,
        }
        let list = Call::get("find the queue", "/queues");
        let named = client.list::<Named>(&list.query("name", name)).await?;
        let found_at = named.date.unwrap_or_else(Timestamp::now);
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
            .list::<Named>(&Call::get("list the queues", "/queues"))
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

    /// Leases up to `count` messages for `lease_ms`. Each is a delivery.
    ///
    /// # Errors
    /// [`Error::QueuePaused`], and as the API has them.
    pub async fn pull(&self, count: usize, lease_ms: u64) -> Result<Pulled, Error> {
        let call = Call::post(
            "pull from the queue",
            self.path("messages/pull"),
            json!({"batch_size": count, "visibility_timeout_ms": lease_ms}),
        );
        self.list(&call).await
    }

    /// Returns up to `count` messages from the head of the queue. They stay where they are, and it is not a delivery.
    ///
    /// # Errors
    /// As [`Queue::pull`].
    pub async fn peek(&self, count: usize) -> Result<Vec<Message>, Error> {
        let call = Call::post(
            "look at the queue",
            self.path("messages/peek"),
            json!({"batch_size": count}),
        );
        Ok(self.list(&call).await?.messages)
    }

    /// Makes a call that is answered with messages; with nothing at all where there are none.
    async fn list(&self, call: &Call<'_>) -> Result<Pulled, Error> {
        match self.client.answer::<Listing>(call).await {
            Ok(answer) => {
                let listing = answer.result.unwrap_or_default();
                Ok(Pulled {
                    messages: listing
                        .messages
                        .into_iter()
                        .filter_map(Listed::message)
                        .collect(),
                    backlog: listing.message_backlog_count.map(whole),
                })
            }
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

    /// Publishes text messages, `at_once` calls at a time, each as large as the platform takes. Returns how many of them,
    /// in order, are published, and why not all: others may have been taken nevertheless.
    pub async fn publish(&self, bodies: &[&str], at_once: usize) -> (usize, Option<Error>) {
        let mut published = 0;
        let mut answers = stream::iter(divide_calls(bodies))
            .map(|call| async move {
                let messages = call
                    .iter()
                    .map(|body| json!({"body": body, "content_type": "text"}));
                let messages = messages.collect::<Vec<_>>();
                let path = self.path("messages/batch");
                let json = json!({"messages": messages});
                let post = Call::post("publish to the queue", path, json);
                (call.len(), self.client.done(&post).await)
            })
            .buffered(at_once);
        while let Some((count, answer)) = answers.next().await {
            if let Err(error) = answer {
                return (published, Some(error));
            }
            published += count;
        }
        (published, None)
    }

    /// Acknowledges leased messages, which deletes them. Returns the leases whose message is known to be gone, and why
    /// not all; acknowledging one again does no harm.
    pub async fn ack(&self, leases: &[&str], at_once: usize) -> (HashSet<String>, Option<Error>) {
        let call = |leases: &[&str]| {
            let acks: Vec<_> = leases.iter().map(|id| json!({"lease_id": id})).collect();
            let json = json!({"acks": acks, "retries": []});
            Call::post("acknowledge to the queue", self.path("messages/ack"), json)
        };
        self.remove(call, leases, at_once).await
    }

    /// Deletes peeked messages. Returns as [`Queue::ack`] does, by reference.
    pub async fn purge(&self, refs: &[&str]) -> (HashSet<String>, Option<Error>) {
        let call = |refs: &[&str]| {
            let refs: Vec<_> = refs.iter().map(|id| json!({"ref": id})).collect();
            let json = json!({"refs": refs});
            Call::post("delete from the queue", self.path("messages/purge"), json)
        };
        self.remove(call, refs, 1).await
    }

    async fn remove(
        &self,
        call: impl Fn(&[&str]) -> Call<'static>,
        handles: &[&str],
        at_once: usize,
    ) -> (HashSet<String>, Option<Error>) {
        let mut gone = HashSet::new();
        let calls: Vec<_> = handles
            .chunks(CALL_MESSAGES)
            .map(|handles| (handles, call(handles)))
            .collect();
        let mut answers =
            stream::iter(&calls)
                .map(|(handles, call)| async move {
                    (handles, self.client.answer::<Removed>(call).await)
                })
                .buffered(at_once);
        while let Some((handles, answer)) = answers.next().await {
            match answer {
                Ok(answer) => gone.extend(answer.result.unwrap_or_default().confirmed(handles)),
                Err(error) => return (gone, Some(error)),
            }
        }
        (gone, None)
    }

    /// Gives leased messages back, to be delivered again after `delay_seconds`.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn release(&self, leases: &[&str], delay_seconds: u64) -> Result<(), Error> {
        for leases in leases.chunks(CALL_MESSAGES) {
            let retries: Vec<_> = leases
                .iter()
                .map(|id| json!({"lease_id": id, "delay_seconds": delay_seconds}))
                .collect();
            let call = Call::post(
                "give messages back to the queue",
                self.path("messages/ack"),
                json!({"acks": [], "retries": retries}),
            );
            self.client.done(&call).await?;
        }
        Ok(())
    }
}

/// Divides bodies over calls of at most 100 messages and 256 KB, as the platform takes them.
fn divide_calls<'b, 'c>(bodies: &'c [&'b str]) -> Vec<&'c [&'b str]> {
    let mut calls = Vec::new();
    let mut rest = bodies;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |body: &&&str| {
            bytes += body.len() + QUEUE_METADATA_BYTES;
            bytes <= SEND_BATCH_BYTES
        };
        let taken = rest.iter().take(SEND_BATCH_MESSAGES).take_while(fits);
        let (call, others) = rest.split_at(taken.count().clamp(1, rest.len()));
        calls.push(call);
        rest = others;
    }
    calls
}

/// The answer to acks and to a purge. Nothing in here is promised to be there.
#[derive(Default, Deserialize)]
struct Removed {
    #[serde(default, rename = "ackCount")]
    acked: Option<f64>,
    #[serde(default)]
    warnings: Value,
    #[serde(default, deserialize_with = "null_is_default")]
    errors: Vec<Value>,
}

impl Removed {
    /// Returns those of `handles` whose message is known to be gone.
    fn confirmed(&self, handles: &[&str]) -> Vec<String> {
        let is_named = |handle: &str| match &self.warnings {
            Value::Object(map) => map.contains_key(handle),
            // Older types have a list of texts.
            Value::Array(texts) => texts
                .iter()
                .any(|text| text.as_str().is_some_and(|text| text.contains(handle))),
            _ => false,
        };
        let unnamed: Vec<_> = handles.iter().filter(|handle| !is_named(handle)).collect();
        // The number is not promised. Where it is too low and does not say for which queues, any of them may be there.
        let is_short = |acked| whole(acked) < unnamed.len() as u64;
        if self.acked.is_some_and(is_short) || !self.errors.is_empty() {
            return Vec::new();
        }
        unnamed
            .into_iter()
            .map(|handle| (*handle).to_owned())
            .collect()
    }
}

/// Messages as the API lists them. Nothing in here is promised to be there.
#[derive(Default, Deserialize)]
struct Listing {
    #[serde(default, deserialize_with = "null_is_default")]
    messages: Vec<Listed>,
    #[serde(default)]
    message_backlog_count: Option<f64>,
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

/// Reads a JSON number that counts something.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and counts are small"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn calls_keep_order_and_stay_within_the_limits(lengths in prop::collection::vec(0_usize..127_500, 0..250)) {
            let texts: Vec<_> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            let bodies: Vec<_> = texts.iter().map(String::as_str).collect();
            let calls = divide_calls(&bodies);
            prop_assert_eq!(calls.concat(), bodies.clone());
            for call in calls {
                prop_assert!(!call.is_empty() && call.len() <= SEND_BATCH_MESSAGES);
                let bytes: usize = call.iter().map(|body| body.len() + QUEUE_METADATA_BYTES).sum();
                prop_assert!(bytes <= SEND_BATCH_BYTES);
            }
        }
    }

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
