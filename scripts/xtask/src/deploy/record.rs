//! Records what deployments have created, in the account itself: in a table of the database that is deployed. So it is the
//! same for everybody who deploys from whatever machine, and `cargo xtask destroy` deletes what is recorded and nothing
//! else.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Value, json};

use super::api::{Api, entries, text};

/// The record of one environment.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The database's id.
    database: Option<String>,
    created: BTreeSet<String>,
}

impl Record {
    /// Reads the record in a database; an empty one where there is none yet.
    pub(crate) fn read(api: &Api, database: Option<&str>) -> Result<Self> {
        let mut record = Self {
            database: database.map(str::to_owned),
            created: BTreeSet::new(),
        };
        let Some(id) = database else {
            return Ok(record);
        };
        let tables =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'tailrace_deployment'";
        if names(&query(api, id, tables)?).next().is_some() {
            let answer = query(api, id, "SELECT name FROM tailrace_deployment")?;
            record.created = names(&answer).map(str::to_owned).collect();
        }
        Ok(record)
    }

    /// Returns whether `thing`, such as `queue tail-logs`, was created by a deployment.
    pub(crate) fn holds(&self, thing: &str) -> bool {
        self.created.contains(thing)
    }

    /// Begins the record in a database that was just created.
    pub(crate) fn begin(&mut self, database: &str) {
        self.database = Some(database.to_owned());
    }

    /// Notes that `thing` is created. That is done before it is, so that a deployment that dies in between does not leave
    /// something that nobody claims.
    pub(crate) fn add(&mut self, api: &Api, thing: &str) -> Result<()> {
        if !self.created.insert(thing.to_owned()) {
            return Ok(());
        }
        self.run(
            api,
            &format!(
                "CREATE TABLE IF NOT EXISTS tailrace_deployment (name TEXT PRIMARY KEY, created_at TEXT NOT NULL); \
                 INSERT INTO tailrace_deployment VALUES ({}, datetime('now')) ON CONFLICT DO NOTHING",
                quote(thing)
            ),
        )
    }

    /// Notes that `thing` is gone, or was not created after all.
    pub(crate) fn remove(&mut self, api: &Api, thing: &str) -> Result<()> {
        if !self.created.remove(thing) {
            return Ok(());
        }
        let sql = format!(
            "DELETE FROM tailrace_deployment WHERE name = {}",
            quote(thing)
        );
        self.run(api, &sql)
    }

    fn run(&self, api: &Api, sql: &str) -> Result<()> {
        match &self.database {
            Some(id) => query(api, id, sql).map(|_| ()),
            None => Ok(()),
        }
    }
}

fn query(api: &Api, database: &str, sql: &str) -> Result<Value> {
    let path = format!("d1/database/{database}/query");
    api.send("POST", &path, &json!({ "sql": sql }))
}

/// Returns the column `name` of the first statement's rows.
fn names(answer: &Value) -> impl Iterator<Item = &str> {
    let first = answer.get(0).unwrap_or(&Value::Null);
    entries(first, "results").map(|row| text(row, "name"))
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
