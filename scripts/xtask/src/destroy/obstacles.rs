//! Obstacles that keep `destroy` from beginning: somebody would miss what it deletes.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::deploy::api::{Api, entries, text};
use crate::deploy::survey::Survey;
use crate::environment::Environment;

/// Our own Workers that name tail-ingest, and are deleted before it.
const SAMPLES: [&str; 3] = ["triggers-api", "queue-consumer", "event-workflow"];

/// Makes sure that nobody would miss anything.
///
/// # Errors
/// Fails if a Worker still names tail-ingest, or, unless they are discarded, there are dead letters or keys in KV.
pub(super) fn check(
    api: &Api,
    environment: &Environment,
    survey: &Survey,
    is_discarded: bool,
) -> Result<()> {
    let attached = attached_workers(api, environment)?;
    if !attached.is_empty() {
        bail!(
            "these Workers still name {} in tail_consumers, and could no longer be deployed:\n  {}\n\
             hint: take that line out of their configurations, deploy them, and run the same command again",
            environment.name("tail-ingest"),
            attached.join("\n  ")
        );
    }
    if is_discarded {
        return Ok(());
    }
    let queue = environment.name("tail-logs-dlq");
    if has_messages(api, survey, &queue)? {
        bail!(
            "there are dead letters in {queue}, which would be lost\n\
             hint: `cargo tailrace replay{}` brings them back; --discard-dead-letters gives them up",
            environment.option()
        );
    }
    if let Some(id) = &survey.namespace
        && !api
            .get(&format!("storage/kv/namespaces/{id}/keys?limit=10"))?
            .as_array()
            .is_none_or(Vec::is_empty)
    {
        bail!(
            "there are records in the KV namespace {}, which would be lost\n\
             hint: log-writer's cron drains it every minute; --discard-dead-letters gives them up",
            environment.name("tailrace-fallback")
        );
    }
    Ok(())
}

/// Returns the names of the Workers that name tail-ingest, without the sample producers.
fn attached_workers(api: &Api, environment: &Environment) -> Result<Vec<String>> {
    let ingest = environment.name("tail-ingest");
    let samples = SAMPLES.map(|name| environment.name(name));
    let mut attached = Vec::new();
    let scripts = api.get("workers/scripts")?;
    for script in scripts.as_array().into_iter().flatten() {
        let name = text(script, "id").to_owned();
        if samples.contains(&name) {
            continue;
        }
        // Not every answer has them in the list.
        let settings = match script.get("tail_consumers") {
            Some(_) => script.clone(),
            None => api.get(&format!("workers/scripts/{name}/settings"))?,
        };
        if entries(&settings, "tail_consumers").any(|it| text(it, "service") == ingest) {
            attached.push(name);
        }
    }
    Ok(attached)
}

fn has_messages(api: &Api, survey: &Survey, queue: &str) -> Result<bool> {
    let Some(queue) = survey.queues.get(queue) else {
        return Ok(false);
    };
    // A look leases nothing, so it costs no message a delivery.
    let path = format!("queues/{}/messages/peek", text(queue, "queue_id"));
    let answer = api.send("POST", &path, &json!({ "batch_size": 1 }))?;
    let messages = match &answer {
        Value::Array(messages) => !messages.is_empty(),
        answer => entries(answer, "messages").next().is_some(),
    };
    Ok(messages)
}
