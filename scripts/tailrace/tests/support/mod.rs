//! A stand-in for the Cloudflare API on loopback: D1 on SQLite with the project's own migrations, KV and queues in
//! memory. It answers the real shapes, counts what it is asked, and fails on demand, before or after it has done what it
//! was asked for.

#![allow(dead_code, unreachable_pub)] // each test file uses its part

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

pub const TOKEN: &str = "test-token-that-must-not-be-seen";
pub const ACCOUNT: &str = "0123456789abcdef";
pub const EXPLORER: &str = "/cdn-cgi/local/explorer/api";

/// When a fault strikes: with nothing done, or with everything done and only the answer lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

pub struct Fault {
    /// A part of `METHOD path`.
    pub on: &'static str,
    /// Calls that match and are still served.
    pub skip: usize,
    pub times: usize,
    pub when: When,
    pub answer: ResponseTemplate,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub content_type: &'static str,
    pub attempts: u32,
    pub timestamp_ms: i64,
    pub lease: Option<String>,
}

#[derive(Default)]
pub struct Queue {
    pub messages: Vec<Message>,
    /// Bodies ever published over the API.
    pub published: Vec<String>,
    /// Messages the platform deleted after their last delivery.
    pub deleted: Vec<Message>,
    pub pull_consumer: bool,
    pub max_retries: u32,
}

type Hook = Box<dyn FnMut(&mut State) + Send>;

pub struct State {
    pub db: Connection,
    pub kv: BTreeMap<String, Vec<u8>>,
    pub queues: BTreeMap<String, Queue>,
    pub faults: Vec<Fault>,
    /// Runs after a call whose `METHOD path` holds the text.
    pub hooks: Vec<(&'static str, Hook)>,
    /// `METHOD path` of every call, in order.
    pub calls: Vec<String>,
    /// Leases that an ack names and that are not taken.
    pub refuse_acks: usize,
    /// Keys of one page.
    pub kv_page: usize,
    next: u64,
}

#[derive(Clone)]
pub struct Cloud {
    server: Arc<MockServer>,
    state: Arc<Mutex<State>>,
}

impl Cloud {
    pub async fn start() -> Self {
        let db = Connection::open_in_memory().unwrap();
        migrate(&db);
        let queue = |pull_consumer| Queue {
            pull_consumer,
            max_retries: 100,
            ..Queue::default()
        };
        let state = Arc::new(Mutex::new(State {
            db,
            kv: BTreeMap::new(),
            queues: BTreeMap::from([
                ("tail-logs".to_owned(), queue(false)),
                ("tail-logs-dlq".to_owned(), queue(true)),
            ]),
            faults: Vec::new(),
            hooks: Vec::new(),
            calls: Vec::new(),
            refuse_acks: 0,
            kv_page: 1000,
            next: 0,
        }));
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(Api(Arc::clone(&state)))
            .mount(&server)
            .await;
        Self {
            server: Arc::new(server),
            state,
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn uri(&self) -> String {
        self.server.uri()
    }

    pub fn port(&self) -> u16 {
        self.server.address().port()
    }

    pub fn fault(&self, on: &'static str, times: usize, when: When, answer: ResponseTemplate) {
        self.state().faults.push(Fault {
            on,
            skip: 0,
            times,
            when,
            answer,
        });
    }

    /// A command with this cloud's environment and nothing else of the machine's.
    pub fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = bare(arguments);
        command
            .env(
                "CLOUDFLARE_API_BASE_URL",
                format!("{}/client/v4", self.uri()),
            )
            .env("CLOUDFLARE_API_TOKEN", TOKEN)
            .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT);
        command
    }

    /// Runs `tailrace` against this cloud.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().await.unwrap())
    }

    /// Runs `tailrace … --local` against this cloud's explorer.
    pub async fn run_local(&self, arguments: &[&str]) -> Ran {
        let port = self.port().to_string();
        let mut all = arguments.to_vec();
        all.extend(["--local", &port]);
        Ran::from(bare(&all).output().await.unwrap())
    }

    pub fn insert(&self, row: &Row) {
        row.insert(&self.state().db);
    }
}

/// The binary, with an empty environment.
pub fn bare(arguments: &[&str]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tailrace"));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("TZ", "UTC")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    command
}

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let ran = Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(
            !ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN),
            "{ran:?}"
        );
        ran
    }
}

impl Ran {
    /// Standard output as JSON lines.
    pub fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

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

/// An answer as Cloudflare words a failure.
pub fn failure(status: u16, code: u64, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({
        "success": false, "errors": [{"code": code, "message": message}], "messages": [], "result": null
    }))
}

fn success(result: &Value, info: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(
        json!({"success": true, "errors": [], "messages": [], "result": result, "result_info": info}),
    )
}

struct Api(Arc<Mutex<State>>);

impl Respond for Api {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let path = request.url.path().to_owned();
        let call = format!("{} {path}", request.method);
        state.calls.push(call.clone());
        let fault = state
            .faults
            .iter_mut()
            .find(|fault| call.contains(fault.on) && fault.times > 0)
            .and_then(|fault| {
                if fault.skip > 0 {
                    fault.skip -= 1;
                    return None;
                }
                fault.times -= 1;
                Some((fault.when, fault.answer.clone()))
            });
        if let Some((When::Before, answer)) = fault {
            return answer;
        }
        let answer = state.serve(request, &path);
        let mut hooks = std::mem::take(&mut state.hooks);
        for (on, hook) in &mut hooks {
            if call.contains(*on) {
                hook(&mut state);
            }
        }
        state.hooks.append(&mut hooks);
        fault.map_or(answer, |(_, lost)| lost)
    }
}

impl State {
    fn serve(&mut self, request: &Request, path: &str) -> ResponseTemplate {
        let rest = if let Some(rest) = path.strip_prefix(EXPLORER) {
            if rest.starts_with("/queues") {
                return ResponseTemplate::new(404);
            }
            rest
        } else {
            let expected = format!("Bearer {TOKEN}");
            if request
                .headers
                .get("authorization")
                .is_none_or(|value| value != &expected)
            {
                return failure(401, 10000, "Authentication error");
            }
            if path == "/client/v4/accounts" {
                return success(&json!([{"id": ACCOUNT, "name": "Acme"}]), &json!({}));
            }
            let Some(rest) = path.strip_prefix(&format!("/client/v4/accounts/{ACCOUNT}")) else {
                return failure(
                    404,
                    7003,
                    "Could not route to the account, perhaps your object identifier is invalid?",
                );
            };
            rest
        };
        let local = path.starts_with(EXPLORER);
        let query: BTreeMap<String, String> = request.url.query_pairs().into_owned().collect();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let parts: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["d1", "database"]) => {
                let name = if local { "DB" } else { "tailrace" };
                success(&json!([{"uuid": "db-id", "name": name}]), &json!({}))
            }
            ("POST", ["d1", "database", "db-id", "raw"]) => self.query(&body),
            ("GET", ["storage", "kv", "namespaces"]) => {
                let title = if local {
                    "FALLBACK"
                } else {
                    "tailrace-fallback"
                };
                success(
                    &json!([{"id": "other", "title": "other"}, {"id": "kv-id", "title": title}]),
                    &json!({"total_pages": 1}),
                )
            }
            ("GET", ["storage", "kv", "namespaces", "kv-id", "keys"]) => self.keys(&query),
            (method, ["storage", "kv", "namespaces", "kv-id", "values", key]) => {
                let key = decode(key);
                match method {
                    "GET" => self.kv.get(&key).map_or_else(
                        || failure(404, 10009, "get: 'key not found'"),
                        |value| ResponseTemplate::new(200).set_body_bytes(value.clone()),
                    ),
                    "DELETE" => {
                        self.kv.remove(&key);
                        success(&json!({}), &json!({}))
                    }
                    _ => ResponseTemplate::new(405),
                }
            }
            ("GET", ["queues"]) => {
                let queues: Vec<_> = self
                    .queues
                    .keys()
                    .map(|name| json!({"queue_id": format!("id-{name}"), "queue_name": name}))
                    .collect();
                success(&json!(queues), &json!({"total_pages": 1}))
            }
            ("GET", ["queues", id, "consumers"]) => {
                let Some(queue) = self.queues.get(id.trim_start_matches("id-")) else {
                    return failure(404, 11000, "Queue not found");
                };
                let consumers = if queue.pull_consumer {
                    json!([{"type": "http_pull", "settings": {"max_retries": queue.max_retries}}])
                } else {
                    json!([{"type": "worker", "script_name": "log-writer"}])
                };
                success(&consumers, &json!({}))
            }
            ("POST", ["queues", id, "messages", action]) => {
                let name = id.trim_start_matches("id-").to_owned();
                match *action {
                    "pull" => self.pull(&name, &body),
                    "ack" => self.ack(&name, &body),
                    "batch" => self.publish(&name, &body),
                    _ => ResponseTemplate::new(404),
                }
            }
            _ => failure(404, 7000, "No route for that URI"),
        }
    }

    fn query(&mut self, body: &Value) -> ResponseTemplate {
        let run = || -> rusqlite::Result<Value> {
            let mut statement = self.db.prepare(body["sql"].as_str().unwrap())?;
            for (index, param) in body["params"].as_array().unwrap().iter().enumerate() {
                // The API takes text only.
                statement.raw_bind_parameter(index + 1, param.as_str().unwrap())?;
            }
            let columns: Vec<String> = statement
                .column_names()
                .into_iter()
                .map(str::to_owned)
                .collect();
            let mut rows = Vec::new();
            let mut found = statement.raw_query();
            while let Some(row) = found.next()? {
                let cells: Vec<Value> = (0..columns.len())
                    .map(|index| match row.get_ref(index).unwrap() {
                        ValueRef::Integer(number) => number.into(),
                        ValueRef::Real(number) => number.into(),
                        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
                        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
                    })
                    .collect();
                rows.push(Value::from(cells));
            }
            Ok(
                json!([{"results": {"columns": columns, "rows": rows}, "success": true, "meta": {}}]),
            )
        };
        match run() {
            Ok(result) => success(&result, &json!({})),
            Err(error) => failure(400, 7500, &error.to_string()),
        }
    }

    fn keys(&self, query: &BTreeMap<String, String>) -> ResponseTemplate {
        let prefix = query.get("prefix").map_or("", String::as_str);
        let after = query.get("cursor").map_or("", String::as_str);
        let all: Vec<_> = self
            .kv
            .keys()
            .filter(|key| key.starts_with(prefix) && key.as_str() > after)
            .collect();
        let page: Vec<_> = all
            .iter()
            .take(self.kv_page)
            .map(|key| json!({"name": key}))
            .collect();
        let cursor = if all.len() > page.len() {
            all[page.len() - 1].as_str()
        } else {
            ""
        };
        success(
            &json!(page),
            &json!({"count": page.len(), "cursor": cursor}),
        )
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Puts a message on a queue, as a Worker or the platform does.
    pub fn enqueue(&mut self, queue: &str, body: &str) -> String {
        self.enqueue_as(
            queue,
            body,
            "text",
            chrono::Utc::now().timestamp_millis() - 60_000,
        )
    }

    pub fn enqueue_as(
        &mut self,
        queue: &str,
        body: &str,
        content_type: &'static str,
        timestamp_ms: i64,
    ) -> String {
        let id = format!("m{}", self.number());
        self.queues.get_mut(queue).unwrap().messages.push(Message {
            id: id.clone(),
            body: body.to_owned(),
            content_type,
            attempts: 0,
            timestamp_ms,
            lease: None,
        });
        id
    }

    /// Lets every lease run out.
    pub fn expire_leases(&mut self, queue: &str) {
        for message in &mut self.queues.get_mut(queue).unwrap().messages {
            message.lease = None;
        }
    }

    fn pull(&mut self, queue: &str, body: &Value) -> ResponseTemplate {
        let count = usize::try_from(body["batch_size"].as_u64().unwrap()).unwrap();
        assert!(count <= 100, "the platform takes at most 100");
        let first = self.number();
        let queue = self.queues.get_mut(queue).unwrap();
        if !queue.pull_consumer {
            return failure(405, 11003, "queue does not have http_pull enabled");
        }
        // A delivery beyond the last retry is none: the message is deleted.
        let max = queue.max_retries;
        let (kept, spent) = std::mem::take(&mut queue.messages)
            .into_iter()
            .partition(|message| message.lease.is_some() || message.attempts <= max);
        queue.messages = kept;
        queue.deleted.extend::<Vec<_>>(spent);
        let mut pulled = Vec::new();
        for message in queue
            .messages
            .iter_mut()
            .filter(|message| message.lease.is_none())
            .take(count)
        {
            message.attempts += 1;
            let lease = format!("lease-{first}-{}-{}", message.id, message.attempts);
            message.lease = Some(lease.clone());
            pulled.push(json!({
                "id": message.id, "body": message.body, "attempts": message.attempts, "lease_id": lease,
                "timestamp_ms": message.timestamp_ms, "metadata": {"CF-Content-Type": message.content_type},
            }));
        }
        success(
            &json!({"messages": pulled, "message_backlog_count": queue.messages.len()}),
            &json!({}),
        )
    }

    fn ack(&mut self, queue: &str, body: &Value) -> ResponseTemplate {
        let leases = |name: &str| -> Vec<String> {
            body[name]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["lease_id"].as_str().unwrap().to_owned())
                .collect()
        };
        let mut acks = leases("acks");
        let refused = self.refuse_acks.min(acks.len());
        self.refuse_acks -= refused;
        let warnings: BTreeMap<_, _> = acks
            .drain(..refused)
            .map(|lease| (lease, "lease not found"))
            .collect();
        let retries = leases("retries");
        let queue = self.queues.get_mut(queue).unwrap();
        // An expired lease is still good for an ack, as the platform documents.
        let of = |lease: &str| lease.split('-').nth(2).unwrap().to_owned();
        let before = queue.messages.len();
        queue
            .messages
            .retain(|message| !acks.iter().any(|lease| of(lease) == message.id));
        let acked = before - queue.messages.len();
        for message in &mut queue.messages {
            if message
                .lease
                .as_ref()
                .is_some_and(|lease| retries.contains(lease))
            {
                message.lease = None;
            }
        }
        success(
            &json!({"ackCount": acked, "retryCount": retries.len(), "warnings": warnings}),
            &json!({}),
        )
    }

    fn publish(&mut self, queue: &str, body: &Value) -> ResponseTemplate {
        let messages = body["messages"].as_array().unwrap();
        let bytes: usize = messages
            .iter()
            .map(|message| message["body"].as_str().unwrap().len())
            .sum();
        assert!(
            messages.len() <= 100 && bytes <= 256_000,
            "over a sendBatch's limits"
        );
        for message in messages {
            assert_eq!(message["content_type"], "text");
            let body = message["body"].as_str().unwrap();
            assert!(body.len() <= 128_000, "over a message's limit");
            self.queues
                .get_mut(queue)
                .unwrap()
                .published
                .push(body.to_owned());
            self.enqueue_as(queue, body, "text", chrono::Utc::now().timestamp_millis());
        }
        success(&json!({}), &json!({}))
    }
}

fn decode(segment: &str) -> String {
    let url = format!("http://x/?k={}", segment.replace('+', "%2B"));
    let url: wiremock::http::Url = url.parse().unwrap();
    url.query_pairs().next().unwrap().1.into_owned()
}
