//! A stand-in for the part of Cloudflare's API that a deployment uses, on loopback: it keeps what is created, and answers
//! in the shapes that the real wrangler expects. D1 is a real SQLite, so migrations really run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection};
use serde_json::{Map, Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The one token that is let in.
pub(crate) const TOKEN: &str = "test-token-0123456789";
/// The one account there is.
pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

/// The account's content.
#[derive(Default)]
pub(crate) struct State {
    /// Each request as `METHOD path`, without the account's prefix.
    pub(crate) requests: Vec<String>,
    /// Requests that are not part of the stand-in.
    pub(crate) unknown: Vec<String>,
    /// By name: id, settings and consumers as the API gives them.
    pub(crate) queues: BTreeMap<String, Value>,
    /// By name.
    pub(crate) databases: BTreeMap<String, Connection>,
    /// Titles.
    pub(crate) namespaces: Vec<String>,
    /// By name.
    pub(crate) scripts: BTreeMap<String, Script>,
    /// By name: what was put.
    pub(crate) workflows: BTreeMap<String, Value>,
    /// By name.
    pub(crate) buckets: BTreeMap<String, Bucket>,
    /// Messages in the dead-letter queues.
    pub(crate) dead_letters: usize,
    /// Keys in the KV namespaces.
    pub(crate) keys: usize,
    /// A request that fails, as the beginning of `METHOD path`.
    pub(crate) fail: Option<String>,
    /// True if the account has no workers.dev subdomain.
    pub(crate) lacks_subdomain: bool,
    /// True if the account has no subscription to R2.
    pub(crate) lacks_r2: bool,
}

/// An R2 bucket.
#[derive(Default)]
pub(crate) struct Bucket {
    /// Its lifecycle rules.
    pub(crate) rules: Vec<Value>,
    /// The keys of its objects.
    pub(crate) keys: Vec<String>,
}

/// A Worker.
#[derive(Default)]
pub(crate) struct Script {
    /// Each upload's metadata, the newest last.
    pub(crate) versions: Vec<Value>,
    /// Cron triggers.
    pub(crate) schedules: Value,
    /// True if it answers on workers.dev.
    pub(crate) has_address: bool,
    /// Names of secrets.
    pub(crate) secrets: Vec<String>,
}

/// The stand-in. Clones share their state.
#[derive(Clone, Default)]
pub(crate) struct Cloudflare(Arc<Mutex<State>>);

impl Cloudflare {
    /// Starts answering on a free port of loopback.
    pub(crate) async fn start(&self) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(self.clone())
            .mount(&server)
            .await;
        server
    }

    /// Looks at the state, or changes it.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }
}

type Answer = Result<Value, (u16, u32, String)>;

impl Respond for Cloudflare {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut answer = self.with(|state| state.answer(request));
        // Every list fits one page; wrangler asks on until one is empty.
        let page = request.url.query_pairs().find(|(key, _)| key == "page");
        if let (Some((_, page)), Ok(Value::Array(entries))) = (page, &mut answer)
            && page != "1"
        {
            entries.clear();
        }
        let (status, body) = match answer {
            Ok(result) => {
                let count = result.as_array().map_or(1, Vec::len);
                let info = json!({"page": 1, "per_page": 100, "count": count, "total_count": count, "total_pages": 1});
                (
                    200,
                    json!({"success": true, "errors": [], "messages": [], "result": result, "result_info": info}),
                )
            }
            Err((status, code, message)) => (
                status,
                json!({"success": false, "errors": [{"code": code, "message": message}], "messages": [], "result": null}),
            ),
        };
        ResponseTemplate::new(status).set_body_json(body)
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        let path = request.url.path();
        let account = format!("/accounts/{ACCOUNT}/");
        let path = path.strip_prefix(&account).unwrap_or(path);
        let line = format!("{} {path}", request.method);
        self.requests.push(line.clone());
        let authorization = request.headers.get("authorization");
        if authorization.and_then(|value| value.to_str().ok()) != Some(&format!("Bearer {TOKEN}")) {
            return Err((403, 10000, "Authentication error".to_owned()));
        }
        if self
            .fail
            .as_ref()
            .is_some_and(|fail| line.starts_with(fail))
        {
            return Err((400, 10001, "injected failure".to_owned()));
        }
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let method = request.method.as_str();
        match (method, segments.as_slice()) {
            ("GET", ["memberships"]) => Ok(json!([{"account": {"id": ACCOUNT, "name": "Test"}}])),
            ("GET", ["accounts"]) => Ok(json!([{"id": ACCOUNT, "name": "Test"}])),
            ("GET", ["user"]) => Ok(json!({"email": "someone@example.com"})),
            ("GET", ["user", "tokens", "verify"]) => Ok(json!({"id": "token-id", "status": "active"})),
            (_, ["queues", rest @ ..]) => self.queues(method, rest, &body, request),
            (_, ["d1", "database", rest @ ..]) => self.databases(method, rest, &body),
            (_, ["storage", "kv", "namespaces"]) => Ok(self.namespaces(method, &body)),
            ("GET", ["storage", "kv", "namespaces", _, "keys"]) => {
                Ok((0..self.keys).map(|key| json!({"name": format!("envelope/{key}")})).collect())
            }
            ("DELETE", ["storage", "kv", "namespaces", id]) => {
                self.namespaces.retain(|title| format!("id-of-{title}") != *id);
                Ok(Value::Null)
            }
            (_, ["r2", "buckets", rest @ ..]) => self.buckets(method, rest, &body),
            ("DELETE", ["workflows", name]) => {
                self.workflows.remove(*name);
                Ok(json!({"status": "ok", "success": true}))
            }
            ("GET", ["workflows", name]) => self.workflows.get(*name).cloned().ok_or((
                404,
                10200,
                "workflow.not_found".to_owned(),
            )),
            ("PUT", ["workflows", name]) => {
                self.workflows.insert((*name).to_owned(), body);
                Ok(json!({"id": "workflow-id", "name": name}))
            }
            ("GET", ["workers", "subdomain"]) if self.lacks_subdomain => {
                Err((404, 10007, "You do not have a workers.dev subdomain.".to_owned()))
            }
            ("GET", ["workers", "subdomain"]) => Ok(json!({"subdomain": "test"})),
            ("GET", ["workers", "scripts"]) => Ok(self
                .scripts
                .iter()
                .map(|(name, script)| {
                    let consumers = script.versions.last().map(|last| last["tail_consumers"].clone());
                    json!({"id": name, "tail_consumers": consumers})
                })
                .collect()),
            ("DELETE", ["workers", "scripts", name]) => self.delete_script(name),
            ("GET", ["workers", "services", name]) => self.script(name).map(|_| {
                json!({"default_environment": {"environment": "production", "script": {"last_deployed_from": "wrangler"}}})
            }),
            ("GET", ["workers", "workers", name]) => self.script(name).map(|script| {
                json!({"id": "worker-id", "name": name, "subdomain": {"enabled": script.has_address}})
            }),
            (_, ["workers", "scripts", name, rest @ ..]) => self.scripts(method, name, rest, request, &body),
            _ => self.unknown(&line),
        }
    }

    fn unknown(&mut self, line: &str) -> Answer {
        self.unknown.push(line.to_owned());
        Err((404, 7003, format!("no such route: {line}")))
    }

    fn queues(&mut self, method: &str, rest: &[&str], body: &Value, request: &Request) -> Answer {
        match (method, rest) {
            ("GET", []) => {
                let names: Vec<String> = request
                    .url
                    .query_pairs()
                    .filter(|(key, _)| key == "name")
                    .map(|(_, name)| name.into_owned())
                    .collect();
                let wanted = |name: &String| names.is_empty() || names.contains(name);
                Ok(self
                    .queues
                    .iter()
                    .filter(|(name, _)| wanted(name))
                    .map(|(_, queue)| queue.clone())
                    .collect())
            }
            ("POST", []) => {
                let name = body["queue_name"].as_str().unwrap().to_owned();
                let queue = json!({
                    "queue_id": format!("id-of-{name}"), "queue_name": name, "settings": body["settings"],
                    "producers": [], "producers_total_count": 0, "consumers": [], "consumers_total_count": 0,
                });
                self.queues.insert(name, queue.clone());
                Ok(queue)
            }
            ("POST" | "PUT", [id, "consumers", ..]) => {
                let queue = self
                    .queues
                    .values_mut()
                    .find(|queue| queue["queue_id"] == *id)
                    .unwrap();
                let mut consumer = body.clone();
                consumer["consumer_id"] = json!("consumer-id");
                // The API takes `script_name` and gives `script`.
                consumer["script"] = consumer["script_name"].take();
                queue["consumers"] = json!([consumer]);
                queue["consumers_total_count"] = json!(1);
                Ok(consumer)
            }
            ("POST", [id, "messages", "peek"]) => {
                let count = if id.contains("-dlq") {
                    self.dead_letters
                } else {
                    0
                };
                let message = |number| json!({"id": format!("message-{number}"), "body": ""});
                Ok(json!({"messages": (0..count).map(message).collect::<Vec<_>>()}))
            }
            (_, [id, rest @ ..]) => {
                let name = self
                    .queues
                    .iter()
                    .find(|(_, queue)| queue["queue_id"] == *id);
                let Some(name) = name.map(|(name, _)| name.clone()) else {
                    return Err((404, 11000, "Queue does not exist.".to_owned()));
                };
                let queue = self.queues.get_mut(&name).unwrap();
                match (method, rest) {
                    ("DELETE", ["consumers", _]) => {
                        queue["consumers"] = json!([]);
                        queue["consumers_total_count"] = json!(0);
                        Ok(Value::Null)
                    }
                    ("DELETE", []) => Ok(self.queues.remove(&name).map(|_| Value::Null).unwrap()),
                    ("PATCH", []) => {
                        queue["settings"] = body["settings"].clone();
                        Ok(queue.clone())
                    }
                    ("GET", []) => Ok(queue.clone()),
                    ("GET", ["consumers"]) => Ok(queue["consumers"].clone()),
                    _ => self.unknown(&format!("{method} queues/ID/{}", rest.join("/"))),
                }
            }
            _ => self.unknown(&format!("{method} queues/{}", rest.join("/"))),
        }
    }

    fn databases(&mut self, method: &str, rest: &[&str], body: &Value) -> Answer {
        let id = |name: &str| format!("id-of-{name}");
        match (method, rest) {
            ("GET", []) => Ok(self
                .databases
                .keys()
                .map(|name| json!({"uuid": id(name), "name": name, "version": "production"}))
                .collect()),
            ("POST", []) => {
                let name = body["name"].as_str().unwrap().to_owned();
                let database = json!({"uuid": id(&name), "name": name, "version": "production"});
                self.databases
                    .insert(name, Connection::open_in_memory().unwrap());
                Ok(database)
            }
            ("GET", [wanted]) => self
                .databases
                .keys()
                .find(|name| id(name) == *wanted)
                .map(|name| json!({"uuid": wanted, "name": name, "version": "production"}))
                .ok_or((404, 7404, "no such database".to_owned())),
            ("POST", [wanted, "query"]) => {
                let (_, database) = self
                    .databases
                    .iter()
                    .find(|(name, _)| id(name) == *wanted)
                    .ok_or((404, 7404, "no such database".to_owned()))?;
                run_sql(database, body["sql"].as_str().unwrap())
                    .map_err(|error| (400, 7500, error.to_string()))
            }
            ("DELETE", [wanted]) => {
                self.databases.retain(|name, _| id(name) != *wanted);
                Ok(Value::Null)
            }
            ("GET", [_, "time_travel", "bookmark"]) => Ok(json!({"bookmark": "b"})),
            _ => self.unknown(&format!("{method} d1/database/{}", rest.join("/"))),
        }
    }

    fn namespaces(&mut self, method: &str, body: &Value) -> Value {
        let namespace = |title: &str| json!({"id": format!("id-of-{title}"), "title": title});
        if method == "POST" {
            let title = body["title"].as_str().unwrap();
            self.namespaces.push(title.to_owned());
            return namespace(title);
        }
        self.namespaces
            .iter()
            .map(|title| namespace(title))
            .collect()
    }

    fn buckets(&mut self, method: &str, rest: &[&str], body: &Value) -> Answer {
        if self.lacks_r2 {
            let message = "Please enable R2 through the Cloudflare Dashboard.";
            return Err((403, 10042, message.to_owned()));
        }
        if let ("POST", []) = (method, rest) {
            let name = body["name"].as_str().unwrap().to_owned();
            self.buckets.insert(name.clone(), Bucket::default());
            return Ok(json!({ "name": name }));
        }
        let Some(bucket) = rest.first().and_then(|name| self.buckets.get_mut(*name)) else {
            return Err((
                404,
                10006,
                "The specified bucket does not exist.".to_owned(),
            ));
        };
        match (method, rest) {
            ("GET", [name]) => Ok(json!({ "name": name })),
            ("GET", [_, "lifecycle"]) => Ok(json!({ "rules": bucket.rules })),
            ("PUT", [_, "lifecycle"]) => {
                bucket.rules.clone_from(body["rules"].as_array().unwrap());
                Ok(json!({}))
            }
            ("GET", [_, "objects"]) => Ok(bucket
                .keys
                .iter()
                .map(|key| json!({ "key": key }))
                .collect()),
            ("DELETE", [_, "objects", key @ ..]) => {
                let key = key.join("/");
                bucket.keys.retain(|known| *known != key);
                Ok(json!({ "key": key }))
            }
            ("DELETE", [_]) if !bucket.keys.is_empty() => {
                Err((409, 10008, "The bucket is not empty.".to_owned()))
            }
            ("DELETE", [name]) => Ok(self.buckets.remove(*name).map(|_| json!({})).unwrap()),
            _ => self.unknown(&format!("{method} r2/buckets/{}", rest.join("/"))),
        }
    }

    /// Deletes a Worker, if it does not consume a queue.
    fn delete_script(&mut self, name: &str) -> Answer {
        let consumes = |queue: &Value| queue["consumers"][0]["script"] == name;
        if self.queues.values().any(consumes) {
            let message = "The script is a consumer of a queue, and cannot be deleted.";
            return Err((400, 10064, message.to_owned()));
        }
        self.script(name)?;
        self.scripts.remove(name);
        Ok(Value::Null)
    }

    /// Sets a secret `count` times: each makes a version with the bindings of the last one, and without its tag.
    pub(crate) fn put_secrets(&mut self, worker: &str, count: usize) {
        let script = self.scripts.get_mut(worker).unwrap();
        for _ in 0..count {
            let mut version = script.versions.last().unwrap().clone();
            version["annotations"] = json!({"workers/triggered_by": "secret"});
            script.versions.push(version);
        }
    }

    fn script(&self, name: &str) -> Result<&Script, (u16, u32, String)> {
        self.scripts.get(name).ok_or((
            404,
            10007,
            "This Worker does not exist on your account.".to_owned(),
        ))
    }

    fn scripts(
        &mut self,
        method: &str,
        name: &str,
        rest: &[&str],
        request: &Request,
        body: &Value,
    ) -> Answer {
        let upload = matches!((method, rest), ("PUT", []) | ("POST", ["versions"]));
        if !upload {
            self.script(name)?;
        }
        let script = self.scripts.entry(name.to_owned()).or_default();
        let latest = script.versions.len().saturating_sub(1);
        let version = |number: usize| {
            let id = format!("00000000-0000-4000-8000-{number:012}");
            let annotations = &script.versions[number]["annotations"];
            json!({"id": id, "number": number, "annotations": annotations, "metadata": {
                "author_email": "a", "source": "wrangler", "created_on": "2026-11-23T10:00:00Z"},
                "resources": {"bindings": script.versions[number]["bindings"], "script": {"etag": "e", "handlers": [], "last_deployed_from": "wrangler"},
                "script_runtime": {}}})
        };
        match (method, rest) {
            (_, []) | ("POST", ["versions"]) if upload => {
                script.versions.push(metadata(request));
                let number = script.versions.len() - 1;
                Ok(json!({
                    "id": format!("00000000-0000-4000-8000-{number:012}"), "etag": "e", "startup_time_ms": 3,
                    "deployment_id": format!("0000000000004000 8000{number:012}").replace(' ', ""),
                    "resources": {"script": {"etag": "e"}},
                }))
            }
            ("GET", ["deployments"]) => Ok(json!({"deployments": [{
                "id": "deployment-id", "source": "wrangler", "strategy": "percentage", "author_email": "a",
                "created_on": "2026-11-23T10:00:00Z", "annotations": {},
                "versions": [{"version_id": version(latest)["id"], "percentage": 100}]}]})),
            ("POST", ["deployments"]) => Ok(json!({"id": "deployment-id"})),
            ("GET", ["versions"]) => {
                let all: Vec<Value> = (0..script.versions.len())
                    .rev()
                    .take(10)
                    .map(version)
                    .collect();
                Ok(json!({"items": all}))
            }
            ("GET", ["versions", id]) => {
                let number: usize = id.rsplit('-').next().unwrap().parse().unwrap();
                Ok(version(number))
            }
            ("GET" | "PATCH", ["settings" | "script-settings"]) => {
                Ok(json!({"tags": [], "bindings": []}))
            }
            ("POST", ["subdomain"]) => {
                script.has_address = body["enabled"] == true;
                Ok(json!({"enabled": script.has_address, "previews_enabled": false}))
            }
            ("PUT", ["schedules"]) => {
                script.schedules = body.clone();
                Ok(json!({"schedules": []}))
            }
            ("GET", ["secrets"]) => Ok(script
                .secrets
                .iter()
                .map(|secret| json!({"name": secret, "type": "secret_text"}))
                .collect()),
            _ => self.unknown(&format!(
                "{method} workers/scripts/{name}/{}",
                rest.join("/")
            )),
        }
    }
}

/// The part `metadata` of a Worker's upload.
fn metadata(request: &Request) -> Value {
    let text = String::from_utf8_lossy(&request.body);
    let part = text.split("name=\"metadata\"").nth(1).unwrap();
    let start = part.find('{').unwrap();
    serde_json::Deserializer::from_str(&part[start..])
        .into_iter()
        .next()
        .unwrap()
        .unwrap()
}

/// Runs every statement; the answer has one result for each.
fn run_sql(database: &Connection, sql: &str) -> rusqlite::Result<Value> {
    let mut results = Vec::new();
    let mut batch = Batch::new(database, sql);
    while let Some(mut statement) = batch.next()? {
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let mut object = Map::new();
            for (position, column) in columns.iter().enumerate() {
                let value = match row.get_ref(position)? {
                    rusqlite::types::ValueRef::Integer(number) => json!(number),
                    rusqlite::types::ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                    _ => Value::Null,
                };
                object.insert(column.clone(), value);
            }
            found.push(Value::Object(object));
        }
        results.push(json!({"results": found, "success": true, "meta": {"duration": 1}}));
    }
    Ok(Value::Array(results))
}
