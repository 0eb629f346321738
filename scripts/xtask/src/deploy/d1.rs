//! Statements in a D1 database.

use anyhow::Result;
use serde_json::{Value, json};

use super::api::{Api, entries, text};

/// Runs `sql` in the database with the id `database`.
pub(crate) fn run_sql(api: &Api, database: &str, sql: &str) -> Result<Value> {
    let path = format!("d1/database/{database}/query");
    api.send("POST", &path, &json!({ "sql": sql }))
}

/// Returns the column `name` of `table`; nothing where there is no such table.
pub(crate) fn read_names(api: &Api, database: &str, table: &str) -> Result<Vec<String>> {
    let tables = format!(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name = {}",
        quote(table)
    );
    if names(&run_sql(api, database, &tables)?).is_empty() {
        return Ok(Vec::new());
    }
    let answer = run_sql(api, database, &format!("SELECT name FROM {table}"))?;
    Ok(names(&answer))
}

/// Returns `text` as SQL writes it.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns the column `name` of the first statement's rows.
fn names(answer: &Value) -> Vec<String> {
    let first = answer.get(0).unwrap_or(&Value::Null);
    entries(first, "results")
        .map(|row| text(row, "name").to_owned())
        .collect()
}
