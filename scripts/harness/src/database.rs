//! The rows of `tail_logs`, read from outside: from the SQLite file behind the local D1.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// A row of `tail_logs`.
#[derive(Clone, Debug)]
pub struct Row {
    /// Column `log_id`.
    pub log_id: String,
    /// Column `worker_name`.
    pub worker_name: String,
    /// Column `request_id`.
    pub request_id: String,
    /// Column `correlation_id`.
    pub correlation_id: String,
    /// Column `log_level`.
    pub log_level: String,
    /// Column `message`.
    pub message: String,
    /// Column `context_json`, read.
    pub context: Value,
    /// Column `timestamp`.
    pub timestamp: String,
}

impl Row {
    /// A value of the context, by its key.
    #[must_use]
    pub fn context(&self, key: &str) -> &Value {
        self.context.get(key).unwrap_or(&Value::Null)
    }
}

/// The local D1 database of a running system.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Opens the one database under `state` (the folder given to `--persist-to`) that has a table `tail_logs`, or the
    /// only one there is.
    ///
    /// # Errors
    /// Fails if there is none, or several.
    pub fn open(state: &Path) -> Result<Self> {
        let folder = state.join("v3/d1/miniflare-D1DatabaseObject");
        let mut files = Vec::new();
        for entry in folder
            .read_dir()
            .with_context(|| format!("no local D1 under {}", folder.display()))?
        {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".sqlite") && !name.starts_with("metadata") {
                files.push(path.clone());
            }
        }
        anyhow::ensure!(files.len() == 1, "one local D1 expected: {files:?}");
        let path = files.remove(0);
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        Ok(Self { connection, path })
    }

    /// A connection of its own to the same file, for a fault such as a held lock.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn another_connection(&self) -> Result<Connection> {
        let connection =
            Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        Ok(connection)
    }

    /// The connection.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the number of rows.
    ///
    /// # Errors
    /// Fails if the table cannot be read.
    pub fn count(&self) -> Result<u64> {
        let count: i64 =
            self.connection
                .query_row("SELECT count(*) FROM tail_logs", [], |row| row.get(0))?;
        Ok(u64::try_from(count)?)
    }

    /// The rows for which the SQL condition `condition` holds (`?1` is `parameter`), in the order they were logged.
    ///
    /// # Errors
    /// Fails if the table cannot be read, or a context is not JSON.
    pub fn rows(&self, condition: &str, parameter: &str) -> Result<Vec<Row>> {
        let sql = format!(
            "SELECT log_id, worker_name, request_id, correlation_id, log_level, message, context_json, timestamp \
             FROM tail_logs WHERE {condition} ORDER BY timestamp, log_id"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map([parameter], |row| {
            Ok((
                Row {
                    log_id: row.get(0)?,
                    worker_name: row.get(1)?,
                    request_id: row.get(2)?,
                    correlation_id: row.get(3)?,
                    log_level: row.get(4)?,
                    message: row.get(5)?,
                    context: Value::Null,
                    timestamp: row.get(7)?,
                },
                row.get::<_, String>(6)?,
            ))
        })?;
        rows.map(|row| {
            let (row, context) = row?;
            let context = serde_json::from_str(&context)
                .with_context(|| format!("context of {}", row.log_id))?;
            Ok(Row { context, ..row })
        })
        .collect()
    }

    /// The rows under one correlation id, in the order they were logged.
    ///
    /// # Errors
    /// As [`Database::rows`].
    pub fn correlated(&self, correlation_id: &str) -> Result<Vec<Row>> {
        self.rows("correlation_id = ?1", correlation_id)
    }
}
