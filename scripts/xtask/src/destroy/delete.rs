//! Deletes one thing that a deployment has created. What is gone already is not an error.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::deploy::api::{Api, entries, text};
use crate::deploy::archive;
use crate::deploy::plan::Step;
use crate::deploy::survey::Survey;
use crate::environment::Environment;
use crate::step::detail;

/// The most objects that are deleted one by one. The API takes 1,200 calls in five minutes.
const OBJECTS: usize = 1_000;

/// Deletes what `step` has created.
pub(super) fn delete(
    api: &Api,
    environment: &Environment,
    survey: &Survey,
    step: &Step,
) -> Result<()> {
    match step {
        _ if !survey.has(step) => Ok(()),
        Step::Queue { name, .. } => match survey.queues.get(name) {
            Some(queue) => api.delete(&format!("queues/{}", text(queue, "queue_id"))),
            None => Ok(()),
        },
        Step::PullConsumer { queue } => {
            match survey.queues.get(queue).zip(survey.pull_consumer(queue)) {
                Some((queue, consumer)) => delete_consumer(api, queue, consumer),
                None => Ok(()),
            }
        }
        // By its id: this database holds the record, and no other of its name is meant.
        Step::Database { .. } => {
            let id = survey.database.as_deref().unwrap_or_default();
            api.delete(&format!("d1/database/{id}"))
        }
        Step::Namespace { .. } => {
            let id = survey.namespace.as_deref().unwrap_or_default();
            api.delete(&format!("storage/kv/namespaces/{id}"))
        }
        Step::Bucket { name } => {
            let rules = survey.rules.as_deref().unwrap_or_default();
            delete_objects(api, name, rules)?;
            api.delete(&format!("r2/buckets/{name}"))
        }
        // The tables go with the database, the rule with the bucket.
        Step::Migrations { .. } | Step::ArchiveRule { .. } => Ok(()),
        Step::Worker { base, name } => {
            detach_worker(api, survey, name)?;
            if *base == "event-workflow" {
                api.delete(&format!("workflows/{}", environment.name(base)))?;
            }
            // Also if another Worker is bound to it.
            api.delete(&format!("workers/scripts/{name}?force=true"))
        }
    }
}

/// Takes a Worker off the queues that it consumes: before that it cannot be deleted.
fn detach_worker(api: &Api, survey: &Survey, worker: &str) -> Result<()> {
    for queue in survey.queues.values() {
        let consumer = entries(queue, "consumers").find(|consumer| {
            ["script", "script_name", "service"]
                .iter()
                .any(|key| text(consumer, key) == worker)
        });
        if let Some(consumer) = consumer {
            delete_consumer(api, queue, consumer)?;
        }
    }
    Ok(())
}

fn delete_consumer(api: &Api, queue: &Value, consumer: &Value) -> Result<()> {
    let queue = text(queue, "queue_id");
    let consumer = text(consumer, "consumer_id");
    api.delete(&format!("queues/{queue}/consumers/{consumer}"))
}

/// Empties the archive's bucket, since only an empty one can be deleted.
///
/// # Errors
/// Fails if it holds too many objects: they expire in a day then, by the bucket's own rule.
fn delete_objects(api: &Api, bucket: &str, rules: &[Value]) -> Result<()> {
    let path = format!("r2/buckets/{bucket}/objects");
    let list = api.get(&format!(
        "{path}?prefix={}&per_page={OBJECTS}",
        archive::PREFIX
    ))?;
    let objects = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if objects.len() >= OBJECTS {
        archive::set_days(api, bucket, rules, 1)?;
        bail!(
            "bucket {bucket} holds {OBJECTS} objects or more, too many to delete one by one: they expire within two days now\n\
             hint: run the same command again then"
        );
    }
    detail(format!("{} objects to delete", objects.len()));
    for object in objects {
        api.delete(&format!("{path}/{}", text(object, "key")))?;
    }
    Ok(())
}
