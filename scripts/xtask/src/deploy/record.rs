//! Records what deployments have created, in the account itself: in a table of the database that is deployed. So it is the
//! same for everybody who deploys from whatever machine, and `cargo xtask destroy` deletes what is recorded and nothing
//! else.

use std::collections::BTreeSet;

use anyhow::Result;

use super::api::Api;
use super::d1;

/// The table that holds it.
const TABLE: &str = "tailrace_deployment";

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
        record.created = d1::read_names(api, id, TABLE)?.into_iter().collect();
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
                "CREATE TABLE IF NOT EXISTS {TABLE} (name TEXT PRIMARY KEY, created_at TEXT NOT NULL); \
                 INSERT INTO {TABLE} VALUES ({}, datetime('now')) ON CONFLICT DO NOTHING",
                d1::quote(thing)
            ),
        )
    }

    /// Notes that `thing` is gone, or was not created after all.
    pub(crate) fn remove(&mut self, api: &Api, thing: &str) -> Result<()> {
        if !self.created.remove(thing) {
            return Ok(());
        }
        let sql = format!("DELETE FROM {TABLE} WHERE name = {}", d1::quote(thing));
        self.run(api, &sql)
    }

    fn run(&self, api: &Api, sql: &str) -> Result<()> {
        match &self.database {
            Some(id) => d1::run_sql(api, id, sql).map(|_| ()),
            None => Ok(()),
        }
    }
}
