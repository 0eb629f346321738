//! The archive of a running system: the objects in the local R2, and the catalog of them in D1.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use checkout::WorkerConfig;
use checkout::dev_server::agent;
use flate2::read::GzDecoder;
use log_record::archive::CatalogRow;
use log_record::{Level, LogRecord};
use serde_json::Value;
use toml_edit::{Array, InlineTable, value};

use crate::database::Database;
use crate::system::{System, SystemBuilder};

/// The bucket's name.
const BUCKET: &str = "tailrace-archive";

/// The Worker that makes parts of the platform hesitate.
const HESITANT: &str = r#"
name = "hesitant"
main = "workers/hesitant.js"
compatibility_date = "2026-11-01"
queues.producers = [
    { binding = "TAIL_LOGS", queue = "tail-logs" },
    { binding = "DLQ", queue = "tail-logs-dlq" },
]
r2_buckets = [{ binding = "ARCHIVE", bucket_name = "tailrace-archive" }]
"#;

impl SystemBuilder {
    /// Gives log-writer an archive, and `rows` (`all` or `index`) in D1 beside it.
    pub fn archive(&mut self, rows: &str) -> &mut Self {
        self.vary("log-writer", |config| {
            let bucket = [("binding", "ARCHIVE"), ("bucket_name", BUCKET)];
            config.document.insert(
                "r2_buckets",
                value([table(&bucket)].into_iter().collect::<Array>()),
            );
            config.var("ROWS", rows);
        })
    }

    /// Takes the archive away.
    pub fn no_archive(&mut self) -> &mut Self {
        self.vary("log-writer", |config| {
            config.document.remove("r2_buckets");
        })
    }

    /// Has the queues and the archive hesitate: slow, refusing and silent by turns.
    ///
    /// # Errors
    /// Fails if the configuration cannot be read.
    pub fn hesitant(&mut self) -> Result<&mut Self> {
        self.add(HESITANT)?;
        self.vary("tail-ingest", |config| {
            config.remove_binding("TAIL_LOGS");
            call_hesitant(config, &[("TAIL_LOGS", "TailLogs")]);
        });
        self.vary("log-writer", |config| {
            config.remove_binding("DLQ");
            let mut services = vec![("DLQ", "DeadLetters")];
            if config.document.remove("r2_buckets").is_some() {
                services.push(("ARCHIVE", "Archive"));
            }
            call_hesitant(config, &services);
        });
        Ok(self)
    }
}

fn call_hesitant(config: &mut WorkerConfig, services: &[(&str, &str)]) {
    let services = services.iter().map(|(binding, entrypoint)| {
        table(&[
            ("binding", binding),
            ("service", "hesitant"),
            ("entrypoint", entrypoint),
        ])
    });
    config
        .document
        .insert("services", value(services.collect::<Array>()));
}

fn table(members: &[(&str, &str)]) -> InlineTable {
    members.iter().copied().collect()
}

/// An object of the archive.
#[derive(Debug)]
pub struct ArchivedObject {
    /// Its size in bytes.
    pub bytes: u64,
    /// Its lines.
    pub records: Vec<LogRecord>,
}

impl System {
    /// The objects in the bucket, by their keys.
    ///
    /// # Errors
    /// Fails if the runtime does not answer as Cloudflare's API does, or an object is not gzipped NDJSON of records.
    pub fn archived_objects(&self) -> Result<BTreeMap<String, ArchivedObject>> {
        let keys = self.archived_keys()?;
        keys.into_iter()
            .map(|key| {
                let object = self.archived_object(&key);
                let object = object.with_context(|| format!("object {key}"))?;
                Ok((key, object))
            })
            .collect()
    }

    fn archived_keys(&self) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut request = agent(Duration::from_secs(30)).get(objects_url(self));
            if !cursor.is_empty() {
                request = request.query("cursor", &cursor);
            }
            let answer: Value = request.call()?.body_mut().read_json()?;
            let page = answer.pointer("/result").and_then(Value::as_array);
            let page = page.with_context(|| format!("objects of {BUCKET}: {answer}"))?;
            keys.extend(
                page.iter()
                    .filter_map(|object| object.pointer("/key")?.as_str().map(str::to_owned)),
            );
            match answer
                .pointer("/result_info/cursor")
                .and_then(Value::as_str)
            {
                Some(next) if !next.is_empty() => next.clone_into(&mut cursor),
                _ => return Ok(keys),
            }
        }
    }

    /// Copies the bucket's objects into `folder`, as they are, each under its key.
    ///
    /// # Errors
    /// Fails if the runtime does not answer as Cloudflare's API does, or a file cannot be written.
    pub fn download_objects(&self, folder: &Path) -> Result<()> {
        for key in self.archived_keys()? {
            let path = folder.join(&key);
            fs::create_dir_all(path.parent().context("a key is a path")?)?;
            fs::write(path, self.object_bytes(&key)?)?;
        }
        Ok(())
    }

    fn object_bytes(&self, key: &str) -> Result<Vec<u8>> {
        let name = key.replace('/', "%2F").replace('=', "%3D");
        let url = format!("{}/{name}", objects_url(self));
        let mut answer = agent(Duration::from_secs(30)).get(&url).call()?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        let body = answer.body_mut().with_config().limit(50_000_000);
        Ok(body.read_to_vec()?)
    }

    fn archived_object(&self, key: &str) -> Result<ArchivedObject> {
        let zipped = self.object_bytes(key)?;
        let mut text = String::new();
        GzDecoder::new(zipped.as_slice()).read_to_string(&mut text)?;
        let records = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?;
        Ok(ArchivedObject {
            bytes: zipped.len() as u64,
            records,
        })
    }
}

fn objects_url(system: &System) -> String {
    format!(
        "{}/cdn-cgi/local/explorer/api/r2/buckets/{BUCKET}/objects",
        system.server.url()
    )
}

impl Database {
    /// The catalog of the archive, by key.
    ///
    /// # Errors
    /// Fails if the table cannot be read.
    pub fn catalog(&self) -> Result<Vec<CatalogRow>> {
        let sql = "SELECT json_object('key', key, 'stored_at', stored_at, 'first_timestamp', first_timestamp, \
                   'last_timestamp', last_timestamp, 'bytes', bytes, 'rows', rows, 'counts', counts) \
                   FROM archive_objects ORDER BY key";
        let mut statement = self.connection().prepare(sql)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }
}

/// Compares the catalog with the objects: each row has its object, of its size, its hour, its times and its counts.
/// Returns the records of the objects in the catalog, with duplicates.
///
/// # Errors
/// Fails if the catalog and the bucket differ; says in what.
pub fn reconcile<'o>(
    catalog: &[CatalogRow],
    objects: &'o BTreeMap<String, ArchivedObject>,
) -> Result<Vec<&'o LogRecord>> {
    let mut records = Vec::new();
    for row in catalog {
        let object = objects
            .get(&row.key)
            .with_context(|| format!("{} is in the catalog and not in the bucket", row.key))?;
        ensure!(object.bytes == row.bytes, "{row:?}: {} bytes", object.bytes);
        let mut counts = log_record::archive::Counts::default();
        for record in &object.records {
            counts.add(&record.worker_name, record.log_level);
            let hour = log_record::archive::hour_prefix(&record.timestamp);
            ensure!(row.key.starts_with(&hour), "{row:?} holds {record:?}");
            let times = row.first_timestamp.as_str()..=row.last_timestamp.as_str();
            ensure!(
                times.contains(&record.timestamp.as_str()),
                "{row:?} holds {record:?}"
            );
        }
        ensure!(counts == row.counts, "{row:?}: {counts:?}");
        records.extend(&object.records);
    }
    Ok(records)
}

/// Returns whether a record of this level is a row whatever `ROWS` says.
#[must_use]
pub fn is_always_a_row(level: Level) -> bool {
    level >= Level::Warn
}
