//! Queues, their consumers, the database and the KV namespace: each is made unless it is there. None is ever changed or
//! removed.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::plan::Outcome;
use super::wrangler::Wrangler;

/// The queue `name`.
pub(crate) fn queue(
    wrangler: &Wrangler,
    name: &str,
    retention_seconds: Option<u32>,
) -> Result<Outcome> {
    if consumers(wrangler, name)?.is_some() {
        return Ok(Outcome::Unchanged);
    }
    let retention = retention_seconds.map(|seconds| seconds.to_string());
    let mut arguments = vec!["queues", "create", name];
    if let Some(seconds) = &retention {
        arguments.extend(["--message-retention-period-secs", seconds]);
    }
    wrangler.run(&arguments)?;
    Ok(Outcome::Created)
}

/// An HTTP pull consumer of `queue`.
pub(crate) fn pull_consumer(wrangler: &Wrangler, queue: &str) -> Result<Outcome> {
    let consumers =
        consumers(wrangler, queue)?.with_context(|| format!("there is no queue {queue}"))?;
    let kind = |consumer: &Value| {
        consumer
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    match consumers.iter().map(kind).collect::<Vec<_>>().as_slice() {
        [] => {
            // The platform's maximum: each pull of a message is a delivery, and after the last one it is deleted.
            wrangler.run(&[
                "queues",
                "consumer",
                "http",
                "add",
                queue,
                "--message-retries",
                "100",
            ])?;
            Ok(Outcome::Created)
        }
        kinds if kinds.iter().any(|kind| kind == "http_pull") => Ok(Outcome::Unchanged),
        kinds => bail!(
            "queue {queue} has a consumer of type {}, and a queue has either Workers or HTTP pull as consumers: remove it \
             in the Cloudflare dashboard, unless it is yours on purpose; then `tailrace replay` cannot be used",
            kinds.join(", ")
        ),
    }
}

/// The queue's consumers; `None` where there is no such queue.
fn consumers(wrangler: &Wrangler, queue: &str) -> Result<Option<Vec<Value>>> {
    let answer = wrangler.output(&["queues", "consumer", "list", queue, "--json"])?;
    if answer.succeeded {
        return json(&answer.stdout)
            .with_context(|| format!("the consumers of {queue}"))
            .map(Some);
    }
    if answer.is_missing() {
        return Ok(None);
    }
    bail!("queue {queue} cannot be read: {}", answer.complaint())
}

/// The database `name`: its id.
pub(crate) fn database(wrangler: &Wrangler, name: &str) -> Result<(String, Outcome)> {
    made_once(
        name,
        || listed(wrangler, &["d1", "list", "--json"], "name", name, "uuid"),
        || wrangler.run(&["d1", "create", name]),
    )
}

/// The KV namespace `title`: its id.
pub(crate) fn namespace(wrangler: &Wrangler, title: &str) -> Result<(String, Outcome)> {
    made_once(
        title,
        || listed(wrangler, &["kv", "namespace", "list"], "title", title, "id"),
        || wrangler.run(&["kv", "namespace", "create", title]),
    )
}

/// The database's tables. `config` is a Worker's configuration that says where the migrations are.
pub(crate) fn migrations(wrangler: &Wrangler, config: &Path, database: &str) -> Result<Outcome> {
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
    Ok(if answer.contains("No migrations to apply") {
        Outcome::Unchanged
    } else {
        Outcome::Created
    })
}

/// Finds something; makes it where it is not to be found, and finds it again: what is listed is what Workers can bind.
fn made_once(
    name: &str,
    find: impl Fn() -> Result<Option<String>>,
    make: impl FnOnce() -> Result<String>,
) -> Result<(String, Outcome)> {
    if let Some(id) = find()? {
        return Ok((id, Outcome::Unchanged));
    }
    make()?;
    let id = find()?.with_context(|| format!("{name} was created, but is not listed yet"))?;
    Ok((id, Outcome::Created))
}

/// The `id` of the entry whose `key` is `name`, in a list that wrangler prints.
fn listed(
    wrangler: &Wrangler,
    arguments: &[&str],
    key: &str,
    name: &str,
    id: &str,
) -> Result<Option<String>> {
    let entries = json(&wrangler.run(arguments)?)
        .with_context(|| format!("what wrangler {} printed", arguments.join(" ")))?;
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(entries
        .iter()
        .find(|entry| text(entry, key).as_deref() == Some(name))
        .and_then(|entry| text(entry, id)))
}

/// The JSON array in what wrangler has printed, which may have a line or two above it.
fn json(text: &str) -> Result<Vec<Value>> {
    let start = text.find('[').context("no JSON array")?;
    Ok(serde_json::from_str(
        text.get(start..).unwrap_or_default().trim(),
    )?)
}
