//! Queues in memory, as the platform's behave: leases run out, and what was delivered too often is deleted.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::api::{State, failure};

#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub content_type: &'static str,
    pub attempts: u32,
    pub timestamp_ms: i64,
    pub lease: Option<String>,
}

#[derive(Default)]
pub struct Queue {
    pub messages: Vec<Message>,
    /// Bodies ever published over the API.
    pub published: Vec<String>,
    /// Messages the platform deleted after their last delivery.
    pub deleted: Vec<Message>,
    pub pull_consumer: bool,
    pub max_retries: u32,
    pub paused: bool,
    /// Members of the consumer and its settings that are not as deployed.
    pub changed: Vec<(&'static str, Value)>,
    /// Seconds that messages are kept, where that is not as deployed.
    pub retention: Option<u64>,
}

impl Queue {
    /// The consumers as the API lists them.
    pub(super) fn listed_consumers(&self) -> Vec<Value> {
        let mut consumer = if self.pull_consumer {
            json!({"type": "http_pull", "settings": {"max_retries": self.max_retries}})
        } else {
            json!({
                "type": "worker", "script_name": "log-writer", "dead_letter_queue": "tail-logs-dlq",
                "settings": {"batch_size": 100, "max_wait_time_ms": 5000, "max_retries": 100, "max_concurrency": 2},
            })
        };
        for (pointer, value) in &self.changed {
            *consumer.pointer_mut(pointer).unwrap() = value.clone();
        }
        vec![consumer]
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Puts a message on a queue, as a Worker or the platform does.
    pub fn enqueue(&mut self, queue: &str, body: &str) -> String {
        self.enqueue_as(
            queue,
            body,
            "text",
            chrono::Utc::now().timestamp_millis() - 60_000,
        )
    }

    pub fn enqueue_as(
        &mut self,
        queue: &str,
        body: &str,
        content_type: &'static str,
        timestamp_ms: i64,
    ) -> String {
        let id = format!("m{}", self.number());
        self.queues.get_mut(queue).unwrap().messages.push(Message {
            id: id.clone(),
            body: body.to_owned(),
            content_type,
            attempts: 0,
            timestamp_ms,
            lease: None,
        });
        id
    }

    /// Lets every lease run out.
    pub fn expire_leases(&mut self, queue: &str) {
        for message in &mut self.queues.get_mut(queue).unwrap().messages {
            message.lease = None;
        }
    }

    /// A queue as the API lists it.
    pub(super) fn listed_queue(&self, name: &str) -> Value {
        let queue = &self.queues[name];
        let kept = if queue.pull_consumer {
            1_209_600
        } else {
            345_600
        };
        json!({
            "queue_id": format!("id-{name}"), "queue_name": name, "producers": [], "consumers_total_count": 1,
            "settings": {
                "delivery_delay": 0, "delivery_paused": queue.paused,
                "message_retention_period": queue.retention.unwrap_or(kept),
            },
        })
    }

    /// A queue's backlog as the API tells it.
    pub(super) fn metrics(&self, name: &str) -> ResponseTemplate {
        let messages = &self.queues[name].messages;
        let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
        let oldest = messages.iter().map(|message| message.timestamp_ms).min();
        self.success(
            &json!({
                "backlog_count": messages.len(), "backlog_bytes": bytes,
                "oldest_message_timestamp_ms": oldest.unwrap_or(0),
            }),
            &json!({}),
        )
    }

    pub(super) fn pull(&mut self, name: &str, body: &Value) -> ResponseTemplate {
        let count = usize::try_from(body["batch_size"].as_u64().unwrap()).unwrap();
        assert!(count <= 100, "the platform takes at most 100");
        let count = count + self.surplus;
        let first = self.number();
        let queue = self.queues.get_mut(name).unwrap();
        if !queue.pull_consumer {
            return failure(405, 11003, "queue does not have http_pull enabled");
        }
        // A delivery beyond the last retry is none: the message is deleted.
        let max = queue.max_retries;
        let (kept, spent) = std::mem::take(&mut queue.messages)
            .into_iter()
            .partition(|message| message.lease.is_some() || message.attempts <= max);
        queue.messages = kept;
        queue.deleted.extend::<Vec<_>>(spent);
        let mut pulled = Vec::new();
        for message in queue
            .messages
            .iter_mut()
            .filter(|message| message.lease.is_none())
            .take(count)
        {
            message.attempts += 1;
            let lease = format!("lease-{first}-{}-{}", message.id, message.attempts);
            message.lease = Some(lease.clone());
            pulled.push(json!({
                "id": message.id, "body": message.body, "attempts": message.attempts, "lease_id": lease,
                "timestamp_ms": message.timestamp_ms, "metadata": {"CF-Content-Type": message.content_type},
            }));
        }
        if self.sparse {
            for message in &mut pulled {
                message["metadata"].take();
            }
            let result = if pulled.is_empty() {
                json!({})
            } else {
                json!({"messages": pulled})
            };
            return self.success(&result, &json!({}));
        }
        let backlog = self.queues[name].messages.len();
        self.success(
            &json!({"messages": pulled, "message_backlog_count": backlog}),
            &json!({}),
        )
    }

    /// Shows what could be pulled, without a delivery.
    pub(super) fn peek(&mut self, name: &str, body: &Value) -> ResponseTemplate {
        let count = usize::try_from(body["batch_size"].as_u64().unwrap()).unwrap();
        assert!(count <= 100, "as many as a pull gives at most");
        let shown: Vec<_> = self.queues[name]
            .messages
            .iter()
            .filter(|message| message.lease.is_none())
            .take(count)
            .map(|message| {
                json!({
                    "id": message.id, "body": message.body, "attempts": message.attempts,
                    "ref": format!("ref-of-{}", message.id), "timestamp_ms": message.timestamp_ms,
                    "metadata": {"CF-Content-Type": message.content_type},
                })
            })
            .collect();
        self.success(&json!({"messages": shown}), &json!({}))
    }

    /// Deletes what was peeked at.
    pub(super) fn purge(&mut self, name: &str, body: &Value) -> ResponseTemplate {
        let mut warnings = BTreeMap::new();
        for entry in body["refs"].as_array().unwrap() {
            let reference = entry["ref"].as_str().unwrap();
            let id = reference.strip_prefix("ref-of-").unwrap();
            if self.never_acked.iter().any(|never| never == id) {
                warnings.insert(reference.to_owned(), "not purged");
                continue;
            }
            let messages = &mut self.queues.get_mut(name).unwrap().messages;
            messages.retain(|message| message.id != id);
        }
        self.success(&json!({"errors": [], "warnings": warnings}), &json!({}))
    }

    pub(super) fn ack(&mut self, queue: &str, body: &Value) -> ResponseTemplate {
        let leases = |name: &str| -> Vec<String> {
            body[name]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["lease_id"].as_str().unwrap().to_owned())
                .collect()
        };
        let mut acks = leases("acks");
        let retries = leases("retries");
        assert!(
            acks.len() + retries.len() <= 100,
            "as many as a pull gives at most"
        );
        let of = |lease: &str| lease.split('-').nth(2).unwrap().to_owned();
        let mut refused = acks.split_off(acks.len() - self.refuse_acks.min(acks.len()));
        self.refuse_acks -= refused.len();
        refused.extend(acks.extract_if(.., |lease| self.never_acked.contains(&of(lease))));
        let warnings: BTreeMap<_, _> = refused
            .into_iter()
            .map(|lease| (lease, "lease not found"))
            .collect();
        let queue = self.queues.get_mut(queue).unwrap();
        // An expired lease is still good for an ack, as the platform documents; so is one of a message that is gone.
        queue
            .messages
            .retain(|message| !acks.iter().any(|lease| of(lease) == message.id));
        for message in &mut queue.messages {
            let Some(lease) = message.lease.clone().filter(|one| retries.contains(one)) else {
                continue;
            };
            // A retry with a delay stays out of sight as a lease does.
            let mut entries = body["retries"].as_array().unwrap().iter();
            let entry = entries.find(|entry| entry["lease_id"] == *lease).unwrap();
            message.lease = (entry["delay_seconds"] != 0).then(|| "delayed".to_owned());
        }
        if self.sparse {
            return self.success(&json!({}), &json!({}));
        }
        self.success(
            &json!({"ackCount": acks.len(), "retryCount": retries.len(), "warnings": warnings}),
            &json!({}),
        )
    }

    pub(super) fn publish(&mut self, queue: &str, body: &Value) -> ResponseTemplate {
        let messages = body["messages"].as_array().unwrap();
        let bytes: usize = messages
            .iter()
            .map(|message| message["body"].as_str().unwrap().len())
            .sum();
        assert!(
            messages.len() <= 100 && bytes <= 256_000,
            "over a sendBatch's limits"
        );
        for message in messages {
            assert_eq!(message["content_type"], "text");
            let body = message["body"].as_str().unwrap();
            assert!(body.len() <= 128_000, "over a message's limit");
            self.queues
                .get_mut(queue)
                .unwrap()
                .published
                .push(body.to_owned());
            self.enqueue_as(queue, body, "text", chrono::Utc::now().timestamp_millis());
        }
        self.success(&json!({}), &json!({}))
    }
}
