//! The parts of a record by the names that its JSON has: `message`, `context.data.order.id`, or short `data.order.id`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::output;
use crate::record::{CARRIED, Row};

/// The columns of a record, by their names in JSON.
pub const COLUMNS: [&str; 9] = [
    "log_id",
    "worker_name",
    "request_id",
    "correlation_id",
    "log_level",
    "message",
    "context",
    "timestamp",
    "execution_time_ms",
];

/// The fields of logfmt and CSV where none are chosen; logfmt then adds what the line carried, CSV the context.
pub const USUAL: [&str; 6] = [
    "timestamp",
    "log_level",
    "worker_name",
    "correlation_id",
    "request_id",
    "message",
];

/// The deepest member that has a field of its own; below, a member is JSON.
const DEPTH: usize = 4;

/// Returns the field of a record, null where it has none.
#[must_use]
pub fn field(row: &Row, name: &str) -> Value {
    let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::from);
    match name {
        "log_id" => row.log_id.as_str().into(),
        "worker_name" => row.worker_name.as_str().into(),
        "request_id" => text(&row.request_id),
        "correlation_id" => text(&row.correlation_id),
        "log_level" => row.log_level.as_str().into(),
        "message" => row.message.as_str().into(),
        "timestamp" => row.timestamp.as_str().into(),
        "execution_time_ms" => row
            .execution_time_ms
            .clone()
            .map_or(Value::Null, Value::Number),
        "context" => serde_json::from_str(row.context.get()).unwrap_or_default(),
        _ => {
            let name = name.strip_prefix("context.").unwrap_or(name);
            let (first, rest) = name.split_once('.').unwrap_or((name, ""));
            // A member of the context, else of the line's data, as in a query.
            let own = row.fact(first).and_then(|value| member(value, rest));
            let found = own.or_else(|| member(row.fact("data")?, name));
            found.cloned().unwrap_or_default()
        }
    }
}

/// Returns the member at a path with dots; a name may hold dots itself.
fn member<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(value);
    }
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    member(value.get(first)?, rest)
}

/// Returns a field as a bare text without control characters: a string as it is, anything else as JSON, nothing for null.
#[must_use]
pub fn bare(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => output::safe(text),
        other => output::safe(&other.to_string()),
    }
}

/// Returns a value as it stands behind `=`: in quotes where it has white space, a quote or `=`, or is empty.
#[must_use]
pub fn quoted(value: &Value) -> String {
    let text = match value {
        Value::Null => return "null".to_owned(),
        Value::String(text) => output::safe(text),
        other => return output::safe(&other.to_string()),
    };
    let is_bare = !text.is_empty()
        && !text
            .chars()
            .any(|c| c.is_whitespace() || matches!(c, '"' | '=' | ',' | '\\'));
    if is_bare {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Returns a name as it stands before `=`.
fn plain_name(name: &str) -> String {
    output::safe(name).replace([' ', '"', '='], "_")
}

/// Returns what the line carried as names and values, `data` by the names of its members; without what the message shows
/// already.
#[must_use]
pub fn carried(row: &Row) -> Vec<(String, Value)> {
    let mut pairs = Vec::new();
    if let Some(data) = row.fact("data") {
        flatten("", data, DEPTH, &mut pairs);
    }
    if let Some(args) = row.fact("args").and_then(Value::as_array) {
        let is_shown = |arg: &Value| {
            let text = match arg {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            row.message.contains(&text)
        };
        let args: Vec<Value> = args.iter().filter(|arg| !is_shown(arg)).cloned().collect();
        if !args.is_empty() {
            pairs.push(("args".to_owned(), Value::from(args)));
        }
    }
    for error in row
        .fact("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let title = [error.get("name"), error.get("message")];
        let title: Vec<_> = title
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let title = title.join(": ");
        if !title.is_empty() && !row.message.contains(&title) {
            pairs.push(("error".to_owned(), Value::from(title)));
        }
    }
    pairs
}

/// Returns what the line carried as names and values, all of it, by the names that JSON has.
#[must_use]
pub fn flatten_carried(row: &Row) -> Vec<(String, Value)> {
    let mut pairs = Vec::new();
    for name in CARRIED {
        if let Some(value) = row.fact(name) {
            flatten(name, value, DEPTH, &mut pairs);
        }
    }
    pairs
}

/// Returns the facts of an invocation that its message does not show: status, wall time, outcome.
#[must_use]
pub fn invocation_facts(row: &Row) -> Vec<(String, Value)> {
    if row.kind() != "invocation" {
        return Vec::new();
    }
    let mut pairs = Vec::new();
    let words: Vec<&str> = row.message.split(' ').collect();
    if let Some(status) = row.fact("status")
        && !words.contains(&status.to_string().as_str())
    {
        pairs.push(("status".to_owned(), status.clone()));
    }
    if let Some(ms) = row.latency_ms()
        && !row.message.ends_with(" ms)")
    {
        let ms = (ms * 10.0).round() / 10.0;
        pairs.push(("ms".to_owned(), Value::from(ms.to_string())));
    }
    if let Some(outcome) = row.fact("outcome").and_then(Value::as_str)
        && outcome != "ok"
        && !words.contains(&outcome)
    {
        pairs.push(("outcome".to_owned(), Value::from(outcome)));
    }
    pairs
}

/// Adds the members of an object, those of objects within by names with dots; anything else is one pair.
fn flatten(name: &str, value: &Value, depth: usize, pairs: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) if depth > 0 && (!members.is_empty() || name.is_empty()) => {
            for (inner, value) in members {
                let name = if name.is_empty() {
                    inner.clone()
                } else {
                    format!("{name}.{inner}")
                };
                flatten(&name, value, depth - 1, pairs);
            }
        }
        other => {
            let name = if name.is_empty() { "data" } else { name };
            pairs.push((name.to_owned(), other.clone()));
        }
    }
}

/// Returns pairs as `name=value`, with spaces between them.
#[must_use]
pub fn joined(pairs: &[(String, Value)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push(' ');
        }
        let _ = write!(text, "{}={}", plain_name(name), quoted(value));
    }
    text
}

/// Returns the stack of an exception, and those of the errors among a line's arguments: one frame each, without what the
/// message says already.
#[must_use]
pub fn stack_frames(row: &Row) -> Vec<String> {
    let errors = row.fact("errors").and_then(Value::as_array);
    let own = row.fact("stack").and_then(Value::as_str).into_iter();
    let of_errors = errors
        .into_iter()
        .flatten()
        .filter_map(|error| error.get("stack").and_then(Value::as_str));
    own.chain(of_errors)
        .flat_map(str::lines)
        .map(str::trim)
        .filter(|line| !line.is_empty() && !row.message.contains(line))
        .map(str::to_owned)
        .collect()
}
