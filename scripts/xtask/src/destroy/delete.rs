//! Deletes one thing that a deployment has created. What is gone already is not an error.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::deploy::api::{Api, entries, is_missing, text};
use crate::deploy::archive;
use crate::deploy::plan::Step;
use crate::deploy::survey::Survey;
use crate::deploy::wrangler::Wrangler;
use crate::environment::Environment;
use crate::step::detail;

/// The most objects that are deleted one by one. The API takes 1,200 calls in five minutes.
const OBJECTS: usize = 1_000;

/// Deletes what `step` has created.
pub(super) fn delete(
    wrangler: &Wrangler,
    api: &Api,
    environment: &Environment,
    survey: &Survey,
    step: &Step,
) -> Result<()> {
    match step {
        _ if !survey.has(step) => Ok(()),
        Step::Queue { name, .. } => run(wrangler, &["queues", "delete", name]),
        Step::PullConsumer { queue } => {
            run(wrangler, &["queues", "consumer", "http", "remove", queue])
        }
        // By its id: this database holds the record, and no other of its name is meant.
        Step::Database { .. } => {
            let id = survey.database.as_deref().unwrap_or_default();
            api.delete(&format!("d1/database/{id}"))
        }
        Step::Namespace { .. } => {
            let id = survey.namespace.as_deref().unwrap_or_default();
            let delete = ["kv", "namespace", "delete", "--namespace-id", id];
            run(wrangler, &[&delete[..], &["--skip-confirmation"]].concat())
        }
        Step::Bucket { name } => {
            let rules = survey.rules.as_deref().unwrap_or_default();
            delete_objects(api, name, rules)?;
            run(wrangler, &["r2", "bucket", "delete", name])
        }
        // The tables go with the database, the rule with the bucket.
        Step::Migrations { .. } | Step::ArchiveRule { .. } => Ok(()),
        Step::Worker { base, name } => {
            detach(wrangler, survey, name)?;
            if *base == "event-workflow" {
                delete_workflow(wrangler, api, &environment.name(base))?;
            }
            run(wrangler, &["delete", name, "--force"])
        }
    }
}

/// Takes a Worker off the queues that it consumes: before that it cannot be deleted.
fn detach(wrangler: &Wrangler, survey: &Survey, worker: &str) -> Result<()> {
    for (name, queue) in &survey.queues {
        let consumes = entries(queue, "consumers").any(|consumer| {
            ["script", "script_name", "service"]
                .iter()
                .any(|key| text(consumer, key) == worker)
        });
        if consumes {
            run(wrangler, &["queues", "consumer", "remove", name, worker])?;
        }
    }
    Ok(())
}

fn delete_workflow(wrangler: &Wrangler, api: &Api, name: &str) -> Result<()> {
    match api.get(&format!("workflows/{name}")) {
        Ok(_) => run(wrangler, &["workflows", "delete", name]),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(error),
    }
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

fn run(wrangler: &Wrangler, arguments: &[&str]) -> Result<()> {
    let answer = wrangler.output(arguments)?;
    if answer.succeeded || answer.is_missing() {
        return Ok(());
    }
    bail!(
        "wrangler {} failed: {}",
        arguments.join(" "),
        answer.complaint()
    )
}
