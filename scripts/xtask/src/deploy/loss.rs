//! Losses: what a deployment would take away.

use pipeline_settings::table;
use serde_json::Value;
use toml_edit::{DocumentMut, TableLike};

use super::api::text;
use super::workers::bindings;

/// Kinds of bindings that hold no data and give access to none.
const HARMLESS: [&str; 4] = ["plain_text", "json", "secret_text", "version_metadata"];

/// Returns what is lost when `config` replaces `version`, a version of the Worker `name` as Cloudflare's API shows it; one
/// line each.
pub(crate) fn list(name: &str, version: &Value, config: &DocumentMut) -> Vec<String> {
    let new = binding_names(config);
    let lost = bindings(version).filter(|binding| {
        let (name, kind) = (text(binding, "name"), text(binding, "type"));
        !HARMLESS.contains(&kind) && !new.iter().any(|known| known == name)
    });
    lost.map(|binding| {
        let (binding, kind) = (text(binding, "name"), text(binding, "type"));
        format!("{name} loses its binding {binding} ({kind})")
    })
    .collect()
}

/// Returns what is lost when log-writer keeps logs for `after` days from now on; `version` is the one that runs.
pub(crate) fn shorter_retention(name: &str, version: &Value, after: u32) -> Option<String> {
    let setting = &table::RETENTION_DAYS;
    let before = bindings(version)
        .find(|binding| text(binding, "name") == setting.name)
        .map_or(setting.default, |binding| text(binding, "text"));
    let before = setting.values.read_number(before)?;
    (after < before).then(|| {
        format!("{name} keeps logs for {after} days instead of {before}: older rows are deleted")
    })
}

/// Returns what is lost when the objects of the archive expire after `after` days instead of `before`.
pub(crate) fn shorter_archive(bucket: &str, before: Option<u64>, after: u32) -> Option<String> {
    let before = before.filter(|before| u64::from(after) < *before)?;
    Some(format!(
        "bucket {bucket} keeps objects for {after} days instead of {before}: older ones are deleted"
    ))
}

/// Returns the names of all bindings that a configuration has.
fn binding_names(config: &DocumentMut) -> Vec<String> {
    let mut found = Vec::new();
    collect(config.as_table(), &mut found);
    found
}

fn collect(table: &dyn TableLike, found: &mut Vec<String>) {
    for (key, item) in table.iter() {
        if let (true, Some(name)) = (matches!(key, "binding" | "name"), item.as_str()) {
            found.push(name.to_owned());
        }
        if let Some(table) = item.as_table_like() {
            collect(table, found);
        } else if let Some(tables) = item.as_array_of_tables() {
            tables.iter().for_each(|table| collect(table, found));
        } else if let Some(values) = item.as_array() {
            let tables = values.iter().filter_map(|value| value.as_inline_table());
            tables.for_each(|table| collect(table, found));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn losses(bindings: &Value, config: &str) -> Vec<String> {
        let version = json!({"resources": {"bindings": bindings}});
        list("w", &version, &config.parse().unwrap())
    }

    #[test]
    fn a_binding_that_is_no_longer_configured_is_lost() {
        let config = "queues.producers = [{ binding = \"Q\", queue = \"q\" }]";
        let bindings = json!([
            {"name": "Q", "type": "queue"},
            {"name": "ARCHIVE", "type": "r2_bucket"},
            {"name": "SOME_VAR", "type": "plain_text", "text": "x"},
            {"name": "API_TOKEN", "type": "secret_text"},
        ]);
        assert_eq!(
            losses(&bindings, config),
            ["w loses its binding ARCHIVE (r2_bucket)"]
        );
    }

    #[test]
    fn a_shorter_retention_is_a_loss_and_a_longer_one_is_not() {
        let version = |days: &str| {
            let binding = json!({"name": "RETENTION_DAYS", "type": "plain_text", "text": days});
            json!({"resources": {"bindings": [binding]}})
        };
        assert_eq!(shorter_retention("w", &version("30"), 90), None);
        let lost = shorter_retention("w", &version("30"), 7).unwrap();
        assert!(lost.contains("7 days instead of 30"), "{lost}");
        // A Worker that has no such variable has the default.
        let lost = shorter_retention("w", &json!({}), 3).unwrap();
        assert!(lost.contains("3 days instead of 7"), "{lost}");
        assert_eq!(shorter_archive("b", None, 1), None);
        assert_eq!(shorter_archive("b", Some(30), 30), None);
        assert!(shorter_archive("b", Some(30), 29).is_some());
    }
}
