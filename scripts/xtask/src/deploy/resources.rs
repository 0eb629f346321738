//! Queues, the database and the KV namespace: found by name, and created where they are missing.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::api::{Api, text};
use super::d1;
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

/// Creates the queue `name`; returns it as the API shows it.
pub(crate) fn create_queue(api: &Api, name: &str, retention_seconds: Option<u32>) -> Result<Value> {
    let settings = match retention_seconds {
        Some(seconds) => json!({ "message_retention_period": seconds }),
        None => json!({}),
    };
    let queue = json!({ "queue_name": name, "settings": settings });
    api.send("POST", "queues", &queue)
}

/// Creates an HTTP pull consumer of the queue with the id `queue`.
pub(crate) fn create_pull_consumer(api: &Api, queue: &str) -> Result<()> {
    let consumer = json!({ "type": "http_pull", "settings": { "max_retries": PULL_RETRIES } });
    api.send("POST", &format!("queues/{queue}/consumers"), &consumer)
        .map(|_| ())
}

/// Creates the database `name`; returns its id.
pub(crate) fn create_database(api: &Api, name: &str) -> Result<String> {
    let database = api.send("POST", "d1/database", &json!({ "name": name }))?;
    Ok(text(&database, "uuid").to_owned())
}

/// Creates the KV namespace `title`; returns its id.
pub(crate) fn create_namespace(api: &Api, title: &str) -> Result<String> {
    let namespace = api.send("POST", "storage/kv/namespaces", &json!({ "title": title }))?;
    Ok(text(&namespace, "id").to_owned())
}

/// Returns the names of the migrations in `folder` that the database with the id `database` lacks.
pub(crate) fn find_migrations(
    api: &Api,
    database: Option<&str>,
    folder: &Path,
) -> Result<Vec<String>> {
    let problem = || format!("{} cannot be read", folder.display());
    let mut names = Vec::new();
    for entry in folder.read_dir().with_context(problem)? {
        let name = entry.with_context(problem)?.file_name();
        let name = name.to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|it| it == "sql") {
            names.push(name);
        }
    }
    names.sort();
    if let Some(database) = database {
        // wrangler's own table.
        let applied = d1::read_names(api, database, "d1_migrations")?;
        names.retain(|name| !applied.contains(name));
    }
    Ok(names)
}

/// Applies the migrations that the database lacks. `config` is a Worker's configuration that says where they are.
pub(crate) fn migrate(wrangler: &Wrangler, config: &Path, database: &str) -> Result<()> {
    let config = config.to_string_lossy();
    let apply = ["d1", "migrations", "apply", database, "--remote"];
    let arguments = [&apply[..], &["--config", &config]].concat();
    wrangler.run(&arguments).map(|_| ())
}
