//! A queue as the platform sees it: its settings, its consumers and its backlog. (Cloudflare: Queues REST API.)

use serde::Deserialize;
use serde_json::Value;

use super::{Call, Client, encode, null_is_default};
use crate::Error;

/// A queue's settings and consumers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    /// The id that addresses of the API name it by.
    pub id: String,
    /// True if somebody paused its deliveries.
    pub delivery_paused: bool,
    /// Seconds that a message is kept, where the platform says so.
    pub retention_seconds: Option<u64>,
    /// Its consumers.
    pub consumers: Vec<Consumer>,
}

/// A consumer of a queue. A member that the platform does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Consumer {
    /// `worker` or `http_pull`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The Worker.
    pub script: Option<String>,
    /// Messages of one batch, at most.
    pub batch_size: Option<u64>,
    /// Milliseconds until a batch that is not full is delivered.
    pub max_wait_time_ms: Option<u64>,
    /// Retries of a message.
    pub max_retries: Option<u64>,
    /// Batches at a time.
    pub max_concurrency: Option<u64>,
    /// The queue that takes what was retried too often.
    pub dead_letter_queue: Option<String>,
}

/// The backlog of a queue. The platform calls its figures approximate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Backlog {
    /// Messages that are not acknowledged.
    #[serde(default, rename = "backlog_count", deserialize_with = "whole")]
    pub messages: Option<u64>,
    /// Their bytes.
    #[serde(default, rename = "backlog_bytes", deserialize_with = "whole")]
    pub bytes: Option<u64>,
    /// The time at which the oldest of them was sent, in milliseconds since 1970.
    #[serde(
        default,
        rename = "oldest_message_timestamp_ms",
        deserialize_with = "whole"
    )]
    pub oldest_ms: Option<u64>,
}

/// Reads a count that JSON may have as a fraction, or not at all.
fn whole<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number: Option<f64> = Option::deserialize(deserializer)?;
    Ok(number.map(super::whole))
}

#[derive(Deserialize)]
struct Listed {
    queue_id: String,
    queue_name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    settings: Settings,
}

#[derive(Default, Deserialize)]
struct Settings {
    #[serde(default, deserialize_with = "null_is_default")]
    delivery_paused: bool,
    #[serde(default, deserialize_with = "whole")]
    message_retention_period: Option<u64>,
}

impl Client {
    /// Returns the state of the queue of `name`; `None` where there is no such queue.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn queue_state(&self, name: &str) -> Result<Option<QueueState>, Error> {
        let call = Call::get("find the queue", "/queues").query("name", name);
        let listed = self.list::<Listed>(&call).await?.result;
        let Some(queue) = listed.into_iter().find(|queue| queue.queue_name == name) else {
            return Ok(None);
        };
        let path = format!("/queues/{}/consumers", encode(&queue.queue_id));
        let consumers = self
            .list::<Value>(&Call::get("read the queue's consumers", path))
            .await?;
        Ok(Some(QueueState {
            id: queue.queue_id,
            delivery_paused: queue.settings.delivery_paused,
            retention_seconds: queue.settings.message_retention_period,
            consumers: consumers.result.iter().map(read_consumer).collect(),
        }))
    }

    /// Returns what waits in a queue.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn backlog(&self, queue: &QueueState) -> Result<Backlog, Error> {
        let path = format!("/queues/{}/metrics", encode(&queue.id));
        let call = Call::get("read the queue's metrics", path);
        let answer = self.answer::<Backlog>(&call).await?;
        Ok(answer.result.unwrap_or_default())
    }
}

/// Reads a consumer. The API has had three names for the Worker.
fn read_consumer(consumer: &Value) -> Consumer {
    let text = |names: &[&str]| {
        let mut values = names.iter().filter_map(|name| consumer.get(name)?.as_str());
        values.next().map(str::to_owned)
    };
    let number = |name: &str| {
        let value = consumer.get("settings")?.get(name)?;
        value.as_u64().or_else(|| value.as_f64().map(super::whole))
    };
    let script = text(&["script_name", "script", "service"]);
    Consumer {
        kind: text(&["type"]).unwrap_or_else(|| "worker".to_owned()),
        script,
        batch_size: number("batch_size"),
        max_wait_time_ms: number("max_wait_time_ms"),
        max_retries: number("max_retries"),
        max_concurrency: number("max_concurrency"),
        dead_letter_queue: text(&["dead_letter_queue"]).filter(|name| !name.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_consumer_is_read_under_each_name_of_its_worker() {
        for name in ["script_name", "script", "service"] {
            let consumer = read_consumer(&json!({
                "type": "worker", name: "log-writer", "settings": {"batch_size": 100.0, "max_concurrency": null},
            }));
            assert_eq!(consumer.script.as_deref(), Some("log-writer"), "{name}");
            assert_eq!(consumer.batch_size, Some(100));
            assert_eq!(consumer.max_concurrency, None);
        }
    }

    #[test]
    fn a_backlog_may_leave_out_what_it_does_not_know() {
        let full = json!({"backlog_bytes": 1500.5, "backlog_count": 3, "oldest_message_timestamp_ms": 1_700_000_000_000_u64});
        let backlog: Backlog = serde_json::from_value(full).unwrap();
        assert_eq!((backlog.messages, backlog.bytes), (Some(3), Some(1500)));
        assert_eq!(backlog.oldest_ms, Some(1_700_000_000_000));
        let empty: Backlog = serde_json::from_value(json!({"backlog_count": null})).unwrap();
        assert_eq!(empty, Backlog::default());
    }
}
