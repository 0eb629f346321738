//! Queues: finding one by name, publishing, peeking, pulling, and taking messages away. (Cloudflare: Queues REST API, pull
//! consumers.) `message` reads what is pulled, `removal` what became of acks.

mod message;
mod removal;

use std::collections::HashSet;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use log_record::limits::{QUEUE_METADATA_BYTES, SEND_BATCH_BYTES, SEND_BATCH_MESSAGES};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Client, encode};
use crate::Error;

use message::Listing;
use removal::Removed;

pub use message::{Message, MessageBody, Pulled};

/// Messages of one pull, peek, ack or purge: the platform's maximum.
pub const CALL_MESSAGES: usize = 100;

/// A queue.
#[derive(Debug)]
pub struct Queue<'a> {
    client: &'a Client,
    id: String,
    /// Its name.
    pub name: String,
    /// The server's clock when the queue was found.
    pub found_at: Timestamp,
}

/// The HTTP pull consumer of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullConsumer {
    /// After how many retries the platform deletes a message; 3 unless set.
    pub max_retries: u32,
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
            Ok(answer) => Ok(answer.result.unwrap_or_default().into()),
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
}
