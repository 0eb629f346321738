//! Drift: something exists and is not as a deployment would have made it. It is reported, and mended with `--fix`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::api::{Api, entries, text};
use super::plan::Step;
use super::resources::PULL_RETRIES;
use super::survey::Survey;

/// Returns how what `step` found differs from what it would have created.
pub(crate) fn describe(survey: &Survey, step: &Step) -> Option<String> {
    match step {
        Step::Queue {
            name,
            retention_seconds: Some(wanted),
            ..
        } => {
            let queue = survey.queues.get(name)?;
            let found = queue.pointer("/settings/message_retention_period");
            let found = found.and_then(Value::as_u64)?;
            (found != u64::from(*wanted))
                .then(|| format!("it keeps messages for {found} seconds instead of {wanted}"))
        }
        Step::PullConsumer { queue } => {
            let consumer = survey.pull_consumer(queue)?;
            let found = consumer.pointer("/settings/max_retries");
            let found = found.and_then(Value::as_u64)?;
            (found != PULL_RETRIES).then(|| {
                format!(
                    "a message can be pulled {found} times instead of {PULL_RETRIES}, and is deleted then"
                )
            })
        }
        _ => None,
    }
}

/// Mends what [`describe`] describes.
pub(crate) fn mend(survey: &Survey, api: &Api, step: &Step) -> Result<()> {
    match step {
        Step::Queue {
            name,
            retention_seconds: Some(wanted),
            ..
        } => {
            let queue = survey.queues.get(name);
            let queue = queue.with_context(|| format!("there is no queue {name}"))?;
            let mut settings = queue.get("settings").cloned().unwrap_or_default();
            if let Some(settings) = settings.as_object_mut() {
                settings.insert("message_retention_period".to_owned(), json!(wanted));
            }
            let path = format!("queues/{}", text(queue, "queue_id"));
            let body = json!({ "queue_name": name, "settings": settings });
            api.send("PATCH", &path, &body).map(|_| ())
        }
        Step::PullConsumer { queue: name } => {
            let queue = survey.queues.get(name);
            let consumer = survey.pull_consumer(name);
            let (queue, consumer) = queue
                .zip(consumer)
                .with_context(|| format!("{name} has no pull consumer"))?;
            let mut settings = consumer.get("settings").cloned().unwrap_or_default();
            if let Some(settings) = settings.as_object_mut() {
                settings.insert("max_retries".to_owned(), json!(PULL_RETRIES));
            }
            let path = format!(
                "queues/{}/consumers/{}",
                text(queue, "queue_id"),
                text(consumer, "consumer_id")
            );
            let body = json!({ "type": "http_pull", "settings": settings });
            api.send("PUT", &path, &body).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// Returns how the consumer that a Worker is of a queue differs from its configuration, `wanted`. Each deployment sets it
/// back, with and without `--fix`: it belongs to the Worker.
pub(crate) fn describe_consumer(
    survey: &Survey,
    queue: &str,
    worker: &str,
    wanted: &BTreeMap<&'static str, i64>,
) -> Option<String> {
    let queue = survey.queues.get(queue)?;
    let consumer = entries(queue, "consumers").find(|consumer| {
        ["script", "script_name"]
            .iter()
            .any(|key| text(consumer, key) == worker)
    })?;
    let settings = consumer.get("settings")?;
    let differences: Vec<String> = wanted
        .iter()
        .filter_map(|(key, wanted)| {
            let found = settings.get(key)?.as_i64()?;
            (found != *wanted).then(|| format!("{key} is {found} instead of {wanted}"))
        })
        .collect();
    (!differences.is_empty()).then(|| differences.join(", "))
}
