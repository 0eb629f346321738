//! The Workers under `workers/`, which tests add to a [`crate::System`]: the probe and the dead letters' reader.

use anyhow::{Context, Result};
use log_record::{DeadLetter, DeadLetterPayload, RecordView};

use crate::system::{System, SystemBuilder};

/// Puts messages onto `tail-logs`, and logs lines as a producer under load does.
const PROBE: &str = r#"
name = "probe"
main = "workers/probe.js"
compatibility_date = "2026-11-01"
tail_consumers = [{ service = "tail-ingest" }]
queues.producers = [{ binding = "TAIL_LOGS", queue = "tail-logs" }]
services = [{ binding = "SELF", service = "probe" }]
"#;

/// Consumes the dead-letter queue.
const DEAD_LETTERS: &str = r#"
name = "dead-letters"
main = "workers/dead-letters.js"
compatibility_date = "2026-11-01"
kv_namespaces = [{ binding = "RECEIVED", id = "RECEIVED" }]
queues.consumers = [{ queue = "tail-logs-dlq", max_batch_size = 100, max_batch_timeout = 0 }]
"#;

impl SystemBuilder {
    /// tail-ingest and log-writer as they are configured, behind the probe, with the dead-letter queue consumed, and
    /// with delays of a second where production waits longer.
    ///
    /// # Errors
    /// Fails if a configuration cannot be read.
    pub fn probed() -> Result<Self> {
        let mut builder = Self::workers(&["tail-ingest", "log-writer"])?;
        builder.add_first(PROBE)?;
        builder.add(DEAD_LETTERS)?;
        builder.vary("log-writer", |config| {
            config
                .var("DEAD_LETTERS", "queue")
                .var("RETRY_BASE_SECONDS", "1")
                .var("RETRY_MAX_SECONDS", "1");
        });
        Ok(builder)
    }
}

impl System {
    /// Puts `bodies` onto `tail-logs`, each as one message of text.
    ///
    /// # Errors
    /// Fails if the queue refuses them.
    pub fn send(&self, bodies: &[String]) -> Result<()> {
        let (status, _, answer) =
            self.request("POST", "/send", &[], &serde_json::to_string(bodies)?)?;
        anyhow::ensure!(status == 200, "the probe answers {status}: {answer}");
        Ok(())
    }

    /// Has the probe log `count` lines, `TAG-0`, `TAG-1`, … under the correlation id `tag`.
    ///
    /// # Errors
    /// Fails if the probe does not answer.
    pub fn log_lines(&self, tag: &str, count: u64) -> Result<()> {
        let path = format!("/lines?tag={tag}&count={count}");
        let (status, _, answer) = self.request("GET", &path, &[], "")?;
        anyhow::ensure!(status == 200, "the probe answers {status}: {answer}");
        Ok(())
    }

    /// The dead letters that reached the queue, oldest first.
    ///
    /// # Errors
    /// Fails if one of them is not a dead letter.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        self.decode_all("RECEIVED", "")
    }

    /// The dead letters that fell back to KV, oldest first.
    ///
    /// # Errors
    /// Fails if one of them is not a dead letter.
    pub fn parked_dead_letters(&self) -> Result<Vec<DeadLetter>> {
        self.decode_all("FALLBACK", log_record::fallback::DEAD_LETTERS)
    }

    fn decode_all(&self, namespace: &str, prefix: &str) -> Result<Vec<DeadLetter>> {
        let keys = self.server.kv_keys(namespace, prefix)?;
        keys.iter()
            .map(|key| {
                let text = self.server.kv_value(namespace, key)?;
                DeadLetter::decode(&text).with_context(|| format!("dead letter {key}"))
            })
            .collect()
    }
}

/// The key of a record's row: its timestamp and its id.
#[must_use]
pub fn record_key(record: &RecordView<'_>) -> (String, String) {
    (record.timestamp().to_owned(), record.log_id().to_owned())
}

/// The keys of the records in `letters`.
///
/// # Errors
/// Fails if a message holds something else than records.
pub fn record_keys(letters: &[DeadLetter]) -> Result<Vec<(String, String)>> {
    let mut keys = Vec::new();
    for letter in letters {
        if let DeadLetterPayload::Records(rows) = &letter.payload {
            for row in rows {
                keys.push(record_key(&RecordView::new(row)?));
            }
        }
    }
    Ok(keys)
}
