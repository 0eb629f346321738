//! The stand-in's content, faults and answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use wiremock::{Request, Respond, ResponseTemplate};

use super::queues::Queue;
use super::rows::migrate;
use super::{ACCOUNT, EXPLORER, TOKEN};

/// The moment at which a fault strikes: with nothing done, or with everything done and only the answer lost.
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

type Hook = Box<dyn FnMut(&mut State) + Send>;

pub struct State {
    pub db: Connection,
    pub kv: BTreeMap<String, Vec<u8>>,
    /// The objects of the archive's bucket.
    pub objects: BTreeMap<String, Vec<u8>>,
    pub queues: BTreeMap<String, Queue>,
    pub faults: Vec<Fault>,
    /// Runs after a call whose `METHOD path` holds the text.
    pub hooks: Vec<(&'static str, Hook)>,
    /// Runs before a call whose `METHOD path` holds the text, also where it fails.
    pub before: Vec<(&'static str, Hook)>,
    /// The time that the answer to a call whose `METHOD path` holds the text is on its way.
    pub delays: Vec<(&'static str, Duration)>,
    /// `METHOD path` of every call, in order.
    pub calls: Vec<String>,
    /// Leases that an ack names and that are not taken.
    pub refuse_acks: usize,
    /// Ids of messages whose acks are never taken.
    pub never_acked: Vec<String>,
    /// Messages that a pull gives beyond what it was asked for.
    pub surplus: usize,
    /// The longest span of timestamps that a statement may ask for, where D1 is slow.
    pub longest_window: Option<Duration>,
    /// Rows of the largest answer that D1 gives, where its limit matters.
    pub largest_answer: Option<usize>,
    /// The token that opens the account.
    pub token: String,
    /// The only account that the token sees.
    pub account: String,
    /// The database's id.
    pub database: String,
    /// Keys of one page.
    pub kv_page: usize,
    /// Namespaces that are listed before the fallback.
    pub other_namespaces: usize,
    /// True if answers leave out, or give as null, whatever the API does not promise.
    pub sparse: bool,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Workers by name: their tail consumers, and the plain settings that they were deployed with.
    pub workers: BTreeMap<String, (Vec<&'static str>, Value)>,
    pub(super) next: u64,
}

impl Default for State {
    /// An empty installation as `cargo xtask deploy` leaves it.
    fn default() -> Self {
        let db = Connection::open_in_memory().unwrap();
        migrate(&db);
        let queue = |pull_consumer| Queue {
            pull_consumer,
            max_retries: 100,
            ..Queue::default()
        };
        Self {
            db,
            kv: BTreeMap::new(),
            objects: BTreeMap::new(),
            queues: BTreeMap::from([
                ("tail-logs".to_owned(), queue(false)),
                ("tail-logs-dlq".to_owned(), queue(true)),
            ]),
            faults: Vec::new(),
            hooks: Vec::new(),
            before: Vec::new(),
            delays: Vec::new(),
            calls: Vec::new(),
            refuse_acks: 0,
            never_acked: Vec::new(),
            surplus: 0,
            longest_window: None,
            largest_answer: None,
            token: TOKEN.to_owned(),
            account: ACCOUNT.to_owned(),
            database: "db-id".to_owned(),
            kv_page: 1000,
            other_namespaces: 1,
            sparse: false,
            database_bytes: 120_000_000,
            workers: BTreeMap::from([
                ("tail-ingest".to_owned(), (vec![], json!({}))),
                (
                    "log-writer".to_owned(),
                    (vec![], json!({"RETENTION_DAYS": "7"})),
                ),
                ("shop-api".to_owned(), (vec!["tail-ingest"], json!({}))),
                ("other".to_owned(), (vec!["tail-ingest-staging"], json!({}))),
            ]),
            next: 0,
        }
    }
}

/// An answer as Cloudflare words a failure.
pub fn failure(status: u16, code: u64, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({
        "success": false, "errors": [{"code": code, "message": message}], "messages": [], "result": null
    }))
}

pub(super) struct Api(pub(super) Arc<Mutex<State>>);

impl Respond for Api {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let path = request.url.path().to_owned();
        let call = format!("{} {path}", request.method);
        state.calls.push(call.clone());
        let mut before = std::mem::take(&mut state.before);
        for (on, hook) in &mut before {
            if call.contains(*on) {
                hook(&mut state);
            }
        }
        state.before.append(&mut before);
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
        let answer = fault.map_or(answer, |(_, lost)| lost);
        let delay = state.delays.iter().find(|(on, _)| call.contains(on));
        match delay {
            Some((_, delay)) => answer.set_delay(*delay),
            None => answer,
        }
    }
}

impl State {
    /// An answer of success; a sparse one has null for every list that is empty, and nothing beside the result but a
    /// cursor.
    pub(super) fn success(&self, result: &Value, info: &Value) -> ResponseTemplate {
        let body = if self.sparse {
            let empty = result.as_array().is_some_and(Vec::is_empty) || *result == json!({});
            let result = if empty { &Value::Null } else { result };
            json!({"success": true, "errors": null, "messages": null, "result": result,
                "result_info": info.get("cursor").map(|cursor| json!({"cursor": cursor}))})
        } else {
            json!({"success": true, "errors": [], "messages": [], "result": result, "result_info": info})
        };
        ResponseTemplate::new(200).set_body_json(body)
    }

    fn serve(&mut self, request: &Request, path: &str) -> ResponseTemplate {
        let rest = if let Some(rest) = path.strip_prefix(EXPLORER) {
            if rest.starts_with("/queues") {
                return ResponseTemplate::new(404);
            }
            rest
        } else {
            let expected = format!("Bearer {}", self.token);
            if request
                .headers
                .get("authorization")
                .is_none_or(|value| value != &expected)
            {
                return failure(401, 10000, "Authentication error");
            }
            if path == "/client/v4/accounts" {
                return self.success(&json!([{"id": self.account, "name": "Acme"}]), &json!({}));
            }
            let Some(rest) = path.strip_prefix(&format!("/client/v4/accounts/{}", self.account))
            else {
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
            ("GET", ["d1", "database"]) => self.databases(local, query.get("name")),
            ("POST", ["d1", "database", id, "raw"]) => {
                if *id == self.database {
                    self.query(&body)
                } else {
                    failure(404, 7404, "The database could not be found")
                }
            }
            ("GET", ["storage", "kv", "namespaces"]) => {
                let title = if local {
                    "FALLBACK"
                } else {
                    "tailrace-fallback"
                };
                self.namespaces(title, &query)
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
                        self.success(&json!({}), &json!({}))
                    }
                    _ => ResponseTemplate::new(405),
                }
            }
            // The local runtime takes a key as one segment, the account's API as many.
            ("GET", ["r2", "buckets", "tailrace-archive", "objects", key @ ..])
                if !local || key.len() == 1 =>
            {
                self.object(&decode(&key.join("/")))
            }
            ("GET", ["queues"]) => {
                let named = query.get("name");
                let queues: Vec<_> = self
                    .queues
                    .keys()
                    .filter(|name| named.is_none_or(|named| named == *name))
                    .take(100)
                    .map(|name| self.listed_queue(name))
                    .collect();
                self.success(&json!(queues), &json!({}))
            }
            ("GET", ["queues", id, "consumers"]) => {
                let Some(queue) = self.queues.get(id.trim_start_matches("id-")) else {
                    return failure(404, 11000, "Queue not found");
                };
                self.success(&json!(queue.listed_consumers()), &json!({}))
            }
            ("GET", ["queues", id, "metrics"]) => self.metrics(id.trim_start_matches("id-")),
            ("GET", ["workers", "scripts", rest @ ..]) => self.workers(rest),
            ("POST", ["queues", id, "messages", action]) => {
                self.messages(id.trim_start_matches("id-"), action, &body)
            }
            _ => failure(404, 7000, "No route for that URI"),
        }
    }

    /// The databases; with a name, only those of this name, as the API does.
    fn databases(&self, local: bool, name: Option<&String>) -> ResponseTemplate {
        let mut listed =
            vec![json!({"uuid": self.database, "name": if local { "DB" } else { "tailrace" }})];
        if !local {
            listed.insert(0, json!({"uuid": "another", "name": "another"}));
        }
        listed.retain(|database| name.is_none_or(|name| database["name"] == **name));
        self.success(&json!(listed), &json!({}))
    }

    fn query(&mut self, body: &Value) -> ResponseTemplate {
        if let Some(longest) = self.longest_window
            && window(body).is_some_and(|window| window > longest)
        {
            let words = "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.";
            return failure(500, 7500, words);
        }
        let run = || -> rusqlite::Result<Value> {
            let mut statement = self.db.prepare(body["sql"].as_str().unwrap())?;
            for (index, param) in body["params"].as_array().unwrap().iter().enumerate() {
                // The API takes text only.
                statement.raw_bind_parameter(index + 1, param.as_str().unwrap())?;
            }
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
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
            let meta = json!({"size_after": self.database_bytes});
            Ok(
                json!([{"results": {"columns": columns, "rows": rows}, "success": true, "meta": meta}]),
            )
        };
        match run() {
            Ok(result) => {
                let rows = result[0]["results"]["rows"].as_array().unwrap().len();
                if self.largest_answer.is_some_and(|most| rows > most) {
                    return failure(400, 7500, "D1_ERROR: query result is too large");
                }
                self.success(&result, &json!({}))
            }
            Err(error) => failure(400, 7500, &error.to_string()),
        }
    }

    fn messages(&mut self, queue: &str, action: &str, body: &Value) -> ResponseTemplate {
        match action {
            "pull" if self.queues[queue].paused => failure(409, 0, "queue_delivery_paused"),
            "pull" => self.pull(queue, body),
            "peek" => self.peek(queue, body),
            "purge" => self.purge(queue, body),
            "ack" => self.ack(queue, body),
            "batch" => self.publish(queue, body),
            _ => ResponseTemplate::new(404),
        }
    }

    fn object(&self, key: &str) -> ResponseTemplate {
        self.objects.get(key).map_or_else(
            || failure(404, 10007, "The specified key does not exist."),
            |object| ResponseTemplate::new(200).set_body_bytes(object.clone()),
        )
    }

    /// Lists the Workers, or returns one's deployments or settings.
    fn workers(&self, path: &[&str]) -> ResponseTemplate {
        let &[name, what] = path else {
            let scripts: Vec<_> = self
                .workers
                .iter()
                .map(|(name, (consumers, _))| {
                    let consumers: Vec<_> = consumers
                        .iter()
                        .map(|name| json!({"service": name}))
                        .collect();
                    json!({"id": name, "tail_consumers": consumers})
                })
                .collect();
            return self.success(&json!(scripts), &json!({}));
        };
        let Some((_, settings)) = self.workers.get(name) else {
            return failure(404, 10007, "This Worker does not exist on your account.");
        };
        match what {
            "deployments" => self.success(
                &json!({"deployments": [{
                    "id": "d-2", "created_on": "2026-11-20T10:00:00.123Z", "source": "wrangler", "strategy": "percentage",
                    "annotations": {"workers/message": "second"},
                    "versions": [{"version_id": format!("0123abcd-{name}"), "percentage": 100}],
                }, {"id": "d-1", "versions": [{"version_id": "old", "percentage": 100}]}]}),
                &json!({}),
            ),
            "settings" => {
                let bindings: Vec<_> = settings
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(name, text)| json!({"name": name, "type": "plain_text", "text": text}))
                    .chain([json!({"name": "DB", "type": "d1", "id": "db-id"})])
                    .collect();
                self.success(&json!({"bindings": bindings}), &json!({}))
            }
            _ => failure(404, 7000, "No route for that URI"),
        }
    }

    fn namespaces(&self, title: &str, query: &BTreeMap<String, String>) -> ResponseTemplate {
        let mut all: Vec<_> = (0..self.other_namespaces)
            .map(|n| json!({"id": format!("other-{n}"), "title": format!("other {n}")}))
            .collect();
        all.push(json!({"id": "kv-id", "title": title}));
        // How many pages there are is not promised.
        let number = |name, absent| query.get(name).map_or(absent, |text| text.parse().unwrap());
        let (page, size) = (number("page", 1), number("per_page", 1000));
        let page: Vec<_> = all.into_iter().skip((page - 1) * size).take(size).collect();
        self.success(&json!(page), &json!({}))
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
        self.success(
            &json!(page),
            &json!({"count": page.len(), "cursor": cursor}),
        )
    }
}

/// The span of timestamps that a statement asks for; one without an end asks up to now.
fn window(body: &Value) -> Option<Duration> {
    let params = body["params"].as_array().unwrap();
    let params = || params.iter().map(|param| param.as_str().unwrap());
    let mut times: Vec<_> = params()
        .filter_map(|param| chrono::DateTime::parse_from_rfc3339(param).ok())
        .collect();
    if params().any(|param| param == "~") {
        times.push(chrono::Utc::now().into());
    }
    let span = *times.iter().max()? - *times.iter().min()?;
    (times.len() > 1).then(|| span.to_std().unwrap())
}

fn decode(segment: &str) -> String {
    let url = format!("http://x/?k={}", segment.replace('+', "%2B"));
    let url: wiremock::http::Url = url.parse().unwrap();
    url.query_pairs().next().unwrap().1.into_owned()
}
