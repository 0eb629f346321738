//! Rows: stored, as the migrations have them, and on the wire.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

pub fn migrate(db: &Connection) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    for file in files {
        db.execute_batch(&std::fs::read_to_string(file).unwrap())
            .unwrap();
    }
}

/// Stores what tail-ingest made of the lines of real loggers.
pub fn insert_loggers(db: &Connection) {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tail-ingest/tests/fixtures/captured");
    let mut loggers = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.starts_with("zoo-") || !name.ends_with(".ndjson") {
            continue;
        }
        loggers += 1;
        insert_records(db, &path);
    }
    assert!(loggers >= 11, "{loggers} loggers");
}

/// Stores the records of a file, a line each, as tail-ingest and the tool write them.
pub fn insert_records(db: &Connection, path: &Path) {
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let record: log_record::LogRecord = serde_json::from_str(line).unwrap();
        db.execute(
            "INSERT INTO tail_logs (log_id, worker_name, request_id, correlation_id, log_level, message, context_json, timestamp)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                &record.log_id,
                &record.worker_name,
                &record.request_id,
                &record.correlation_id,
                record.log_level.as_str(),
                &record.message,
                record.context.get(),
                &record.timestamp,
            ),
        )
        .unwrap();
    }
}

/// A row to store.
#[derive(Clone, Debug)]
pub struct Row {
    pub log_id: String,
    pub worker: String,
    pub request_id: String,
    pub correlation_id: String,
    pub level: &'static str,
    pub message: String,
    pub context: Value,
    pub timestamp: String,
}

impl Row {
    /// A log line at `ms` milliseconds after midnight of 2026-11-23.
    pub fn line(ms: i64, message: &str) -> Self {
        Self::at(
            chrono::DateTime::parse_from_rfc3339("2026-11-23T00:00:00Z")
                .unwrap()
                .timestamp_millis()
                + ms,
            message,
        )
    }

    /// A log line at a time since 1970.
    pub fn at(ms: i64, message: &str) -> Self {
        let time = chrono::DateTime::from_timestamp_millis(ms).unwrap();
        Self {
            log_id: format!("{:012x}-{:016x}", ms, next_number()),
            worker: "api".to_owned(),
            request_id: "r1".to_owned(),
            correlation_id: "c1".to_owned(),
            level: "info",
            message: message.to_owned(),
            context: json!({}),
            timestamp: time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        }
    }

    pub fn worker(mut self, name: &str) -> Self {
        name.clone_into(&mut self.worker);
        self
    }

    pub fn level(mut self, level: &'static str) -> Self {
        self.level = level;
        self
    }

    pub fn ids(mut self, correlation: &str, request: &str) -> Self {
        correlation.clone_into(&mut self.correlation_id);
        request.clone_into(&mut self.request_id);
        self
    }

    /// With a kind, which every context begins with, and more.
    pub fn kind(mut self, kind: &str, more: &Value) -> Self {
        self.context = json!({ "kind": kind });
        for (key, value) in more.as_object().unwrap() {
            self.context[key] = value.clone();
        }
        self
    }

    fn context_json(&self) -> String {
        let mut members: Vec<_> = self.context.as_object().unwrap().iter().collect();
        members.sort_by_key(|(key, _)| *key != "kind");
        let members: Vec<_> = members
            .into_iter()
            .map(|(key, value)| format!("{}:{value}", Value::from(key.as_str())))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    pub fn insert(&self, db: &Connection) {
        db.execute(
            "INSERT INTO tail_logs (log_id, worker_name, request_id, correlation_id, log_level, message, context_json, timestamp, execution_time_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 3)",
            (&self.log_id, &self.worker, &self.request_id, &self.correlation_id, self.level, &self.message, self.context_json(), &self.timestamp),
        )
        .unwrap();
    }

    /// The wire array.
    pub fn wire(&self) -> String {
        format!(
            "[{},{},{},{},{},{},{},{},3]",
            Value::from(self.log_id.as_str()),
            Value::from(self.worker.as_str()),
            Value::from(self.request_id.as_str()),
            Value::from(self.correlation_id.as_str()),
            Value::from(self.level),
            Value::from(self.message.as_str()),
            self.context_json(),
            Value::from(self.timestamp.as_str()),
        )
    }
}

fn next_number() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// One request: an API that throws, and a queue consumer whose invocation handled others too.
pub fn a_request() -> Vec<Row> {
    let api = |ms, message| Row::line(ms, message).ids("corr", "ray");
    let consumer = |ms, message| Row::line(ms, message).worker("consumer").ids("corr", "run");
    vec![
        api(0, "POST /events 500 (12 ms)").level("error").kind("invocation", &json!({"latency_ms": 12})),
        api(1, "received").kind("log", &json!({"seq": 1})),
        api(9, "TypeError: no body").level("error").kind("exception", &json!({
            "name": "TypeError", "stack": "TypeError: no body\n    at handler (index.js:3:4)\n    at run (index.js:9:1)"
        })),
        consumer(60, "stored").kind("log", &json!({"errors": [{"name": "E", "stack": "    at store (db.js:1:1)"}]})),
        // The invocation handled others too: its record has another correlation id.
        Row::line(50, "queue events: 7 messages").worker("consumer").ids("other", "run").kind("invocation", &json!({"latency_ms": 40})),
        Row::line(55, "someone else's").worker("consumer").ids("other", "run"),
    ]
}
