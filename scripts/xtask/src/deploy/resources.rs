//! Queues, the database and the KV namespace: found by name, and created where they are missing.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::api::{Api, text};
use super::wrangler::Wrangler;

/// The deliveries that a message of the dead-letter queue has: the platform's maximum, since each pull of a message is one,
/// and after the last one it is deleted.
pub(crate) const PULL_RETRIES: u64 = 100;

/// Returns the queue `name` as the API shows it, if there is one.
pub(crate) fn find_queue(api: &Api, name: &str) -> Result<Option<Value>> {
    let queues = api.list(&format!("queues?name={name}"))?;
    let is_it = |queue: &Value| text(queue, "queue_name") == name;
    Ok(queues.into_iter().find(is_it))
}

/// Returns the id of the database `name`, if there is one.
pub(crate) fn find_database(api: &Api, name: &str) -> Result<Option<String>> {
    let databases = api.list(&format!("d1/database?name={name}"))?;
    Ok(find_id(&databases, "name", name, "uuid"))
}

/// Returns the id of the KV namespace `title`, if there is one.
pub(crate) fn find_namespace(api: &Api, title: &str) -> Result<Option<String>> {
    let namespaces = api.list("storage/kv/namespaces")?;
    Ok(find_id(&namespaces, "title", title, "id"))
}

fn find_id(entries: &[Value], key: &str, name: &str, id: &str) -> Option<String> {
    let found = entries.iter().find(|entry| text(entry, key) == name)?;
    Some(text(found, id).to_owned())
}

/// Creates the queue `name`.
pub(crate) fn create_queue(
    wrangler: &Wrangler,
    name: &str,
    retention_seconds: Option<u32>,
) -> Result<()> {
    let retention = retention_seconds.map(|seconds| seconds.to_string());
    let mut arguments = vec!["queues", "create", name];
    if let Some(seconds) = &retention {
        arguments.extend(["--message-retention-period-secs", seconds]);
    }
    wrangler.run(&arguments).map(|_| ())
}

/// Creates an HTTP pull consumer of `queue`.
pub(crate) fn create_pull_consumer(wrangler: &Wrangler, queue: &str) -> Result<()> {
    let retries = PULL_RETRIES.to_string();
    let arguments = [
        "queues",
        "consumer",
        "http",
        "add",
        queue,
        "--message-retries",
        &retries,
    ];
    wrangler.run(&arguments).map(|_| ())
}

/// Creates the database `name`; returns its id.
pub(crate) fn create_database(wrangler: &Wrangler, api: &Api, name: &str) -> Result<String> {
    wrangler.run(&["d1", "create", name])?;
    find_database(api, name)?.with_context(|| not_listed(name))
}

/// Creates the KV namespace `title`; returns its id.
pub(crate) fn create_namespace(wrangler: &Wrangler, api: &Api, title: &str) -> Result<String> {
    wrangler.run(&["kv", "namespace", "create", title])?;
    find_namespace(api, title)?.with_context(|| not_listed(title))
}

fn not_listed(name: &str) -> String {
    format!("{name} was created, but is not listed yet\nhint: run the same command again")
}

/// Applies the migrations that the database lacks; returns whether there were any. `config` is a Worker's configuration
/// that says where they are.
pub(crate) fn migrate(wrangler: &Wrangler, config: &Path, database: &str) -> Result<bool> {
    let config = config.to_string_lossy();
    let answer = wrangler.run(&[
        "d1",
        "migrations",
        "apply",
        database,
        "--remote",
        "--config",
        &config,
    ])?;
    Ok(!answer.contains("No migrations to apply"))
}
