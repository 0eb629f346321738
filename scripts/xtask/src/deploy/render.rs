//! The Workers' configurations for one deployment: those of `wrangler/`, with the environment's names and the ids of what
//! the account has. Rendered, and not environments of the same files: wrangler's environments inherit neither bindings
//! nor tail consumers, so every name would stand there twice, and no file could know an account's ids.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use checkout::{Fingerprint, WorkerConfig, Workspace};
use pipeline_settings::SETTINGS;
use toml_edit::{DocumentMut, Item, TableLike, Value, value};

use crate::environment::Environment;
use crate::settings_file::Chosen;

/// The ids of what the account has, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    pub(crate) database: Option<String>,
    pub(crate) namespace: Option<String>,
}

/// A Worker ready to be deployed.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// Its name in this deployment.
    pub(crate) name: String,
    /// Its configuration.
    pub(crate) path: PathBuf,
    /// Of the configuration and the code: the same for the same Worker.
    pub(crate) fingerprint: String,
    /// The contents of the file at `path`.
    pub(crate) document: DocumentMut,
}

/// The variable that every Worker deployed from here has: its fingerprint. Unlike a version's tag it stays when a secret is
/// set, however often.
pub(crate) const FINGERPRINT_VAR: &str = "TAILRACE_FINGERPRINT";

/// The beginning of every fingerprint: what is tagged so was deployed from here.
pub(crate) const FINGERPRINT_PREFIX: &str = "tailrace-";

/// Writes the configuration of the Worker `base` below `.tailrace/deploy`, with the settings that were chosen.
pub(crate) fn render(
    workspace: &Workspace,
    environment: &Environment,
    base: &str,
    ids: &Ids,
    chosen: &Chosen,
) -> Result<Rendered> {
    let source = workspace.wrangler_dir().join(format!("{base}.toml"));
    let mut config = WorkerConfig::read(&source)?;
    adapt(config.document.as_table_mut(), environment, ids);
    config.name = environment.name(base);
    for setting in SETTINGS.iter().filter(|it| it.worker.name() == base) {
        if let Some(text) = chosen.vars.get(setting.name) {
            config.var(setting.name, text.as_str());
        }
    }
    if !chosen.has_archive() {
        config.document.remove("r2_buckets");
    }
    if base == "tail-ingest" {
        let others = chosen.vars.get("PIPELINE_WORKERS").map(String::as_str);
        if others.is_some() || environment.suffix().is_some() {
            // It must know its own pipeline under the names it has here: recording itself would be an endless loop.
            let own = ["tail-ingest", "log-writer"].map(|worker| environment.name(worker));
            let names: Vec<&str> = own.iter().map(String::as_str).chain(others).collect();
            config.var("PIPELINE_WORKERS", names.join(" "));
        }
    }
    let main = config
        .document
        .get("main")
        .and_then(Item::as_str)
        .with_context(|| format!("{} names no main", source.display()))?;
    let code = Path::new(main).parent().unwrap_or(Path::new("/"));
    let fingerprint = fingerprint(workspace, &config.document.to_string(), code)?;
    config.var(FINGERPRINT_VAR, fingerprint.as_str());
    let folder = workspace
        .state_dir()
        .join("deploy")
        .join(environment.folder());
    Ok(Rendered {
        path: config.render(&folder)?,
        name: config.name,
        fingerprint,
        document: config.document,
    })
}

/// Renames everything in `config`, and fills in the ids.
fn adapt(config: &mut dyn TableLike, environment: &Environment, ids: &Ids) {
    let rename = |table: &mut dyn TableLike, keys: &[&str]| {
        for key in keys {
            if let Some(item) = table.get_mut(key)
                && let Some(name) = item.as_str()
            {
                *item = value(environment.name(name));
            }
        }
    };
    rename(config, &["name"]);
    for table in tables(config, "tail_consumers") {
        rename(table, &["service"]);
    }
    for table in tables(config, "workflows") {
        rename(table, &["name", "script_name"]);
    }
    if let Some(queues) = config.get_mut("queues").and_then(Item::as_table_like_mut) {
        for kind in ["producers", "consumers"] {
            for table in tables(queues, kind) {
                rename(table, &["queue", "dead_letter_queue"]);
            }
        }
    }
    for table in tables(config, "d1_databases") {
        rename(table, &["database_name"]);
        if let Some(id) = &ids.database {
            table.insert("database_id", value(id));
        }
    }
    for table in tables(config, "r2_buckets") {
        rename(table, &["bucket_name"]);
    }
    for table in tables(config, "kv_namespaces") {
        if let Some(id) = &ids.namespace {
            table.insert("id", value(id));
        }
    }
}

/// Returns the tables of the array `key` of `config`, whichever way the array is written.
fn tables<'a>(config: &'a mut dyn TableLike, key: &str) -> Vec<&'a mut dyn TableLike> {
    match config.get_mut(key) {
        Some(Item::ArrayOfTables(tables)) => tables
            .iter_mut()
            .map(|table| table as &mut dyn TableLike)
            .collect(),
        Some(Item::Value(Value::Array(values))) => values
            .iter_mut()
            .filter_map(Value::as_inline_table_mut)
            .map(|table| table as &mut dyn TableLike)
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns the fingerprint of a configuration, the files of `code`, and the tools that upload them.
fn fingerprint(workspace: &Workspace, config: &str, code: &Path) -> Result<String> {
    let mut fingerprint = Fingerprint::new(workspace.root());
    fingerprint.add_text(config);
    fingerprint.add_path(&workspace.wrangler_dir().join("package-lock.json"))?;
    fingerprint.add_path(code)?;
    Ok(format!("{FINGERPRINT_PREFIX}{}", fingerprint.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
name = "a"
tail_consumers = [{ service = "t" }]

[[queues.producers]]
binding = "Q"
queue = "q"

[[queues.consumers]]
queue = "q"
dead_letter_queue = "d"

[[d1_databases]]
binding = "DB"
database_name = "b"

[[kv_namespaces]]
binding = "KV"

[[r2_buckets]]
binding = "R2"
bucket_name = "r"

[[workflows]]
name = "w"
binding = "W"
class_name = "C"
script_name = "s"
"#;

    #[test]
    fn every_name_gets_the_suffix_and_bindings_and_classes_none() {
        let mut document: toml_edit::DocumentMut = CONFIG.parse().unwrap();
        let ids = Ids {
            database: Some("db-id".to_owned()),
            namespace: Some("kv-id".to_owned()),
        };
        adapt(document.as_table_mut(), &"x".parse().unwrap(), &ids);
        let strip = |text: &str| text.replace([' ', '\n'], "");
        let expected = CONFIG
            .replace("name = \"a\"", "name = \"a-x\"")
            .replace("\"t\"", "\"t-x\"")
            .replace("\"q\"", "\"q-x\"")
            .replace("\"d\"", "\"d-x\"")
            .replace(
                "database_name = \"b\"",
                "database_name = \"b-x\" database_id = \"db-id\"",
            )
            .replace("binding = \"KV\"", "binding = \"KV\" id = \"kv-id\"")
            .replace("bucket_name = \"r\"", "bucket_name = \"r-x\"")
            .replace("name = \"w\"", "name = \"w-x\"")
            .replace("\"s\"", "\"s-x\"");
        assert_eq!(strip(&document.to_string()), strip(&expected));
    }
}
