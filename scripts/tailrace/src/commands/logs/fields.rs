//! The parts of a record by the names that its JSON has: `message`, `context.data.order.id`, or short `data.order.id`.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::record::{CARRIED, Row, bare_text};
use crate::{output, raw};

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

/// A name and a value as it was logged.
pub type Pair = (String, Box<RawValue>);

/// Returns the field of a record, nothing where it has none, or null.
#[must_use]
pub fn field(row: &Row, name: &str) -> Option<Box<RawValue>> {
    let found = match name {
        "log_id" => encode(&row.log_id),
        "worker_name" => encode(&row.worker_name),
        "request_id" => encode(&row.request_id),
        "correlation_id" => encode(&row.correlation_id),
        "log_level" => encode(&row.log_level),
        "message" => encode(&row.message),
        "timestamp" => encode(&row.timestamp),
        "execution_time_ms" => encode(&row.execution_time_ms),
        "context" => Some(row.context.clone()),
        _ => {
            let name = name.strip_prefix("context.").unwrap_or(name);
            // A member of the context, else of the line's data, as in a query.
            let own = raw::at_path(&row.context, name);
            let found = own.or_else(|| raw::at_path(raw::member(&row.context, "data")?, name));
            found.map(ToOwned::to_owned)
        }
    };
    found.filter(|value| value.get() != "null")
}

fn encode(value: &impl Serialize) -> Option<Box<RawValue>> {
    to_raw_value(value).ok()
}

/// Returns a field as a bare text without control characters: a string as it is, anything else as JSON.
#[must_use]
pub fn bare(value: &RawValue) -> String {
    let text = bare_text(value);
    output::safe(&text)
}

/// Returns a value as it stands behind `=`: in quotes where it has white space, a quote or `=`, or is empty.
#[must_use]
pub fn quoted(value: &RawValue) -> String {
    let Some(text) = raw::text(value) else {
        return bare(value);
    };
    let text = output::safe(&text);
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
pub fn carried(row: &Row) -> Vec<Pair> {
    let mut pairs = Vec::new();
    if let Some(data) = raw::member(&row.context, "data") {
        flatten("", data, DEPTH, &mut pairs);
    }
    if let Some(args) = raw::member(&row.context, "args").and_then(raw::elements) {
        let is_shown = |arg: &RawValue| {
            let text = bare_text(arg);
            row.message.contains(&text)
        };
        let args: Vec<_> = args.into_iter().filter(|arg| !is_shown(arg)).collect();
        if !args.is_empty() {
            push(&mut pairs, "args", &args);
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
            push(&mut pairs, "error", &title);
        }
    }
    pairs
}

/// Returns what the line carried as names and values, all of it, by the names that JSON has.
#[must_use]
pub fn flatten_carried(row: &Row) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for name in CARRIED {
        if let Some(value) = raw::member(&row.context, name) {
            flatten(name, value, DEPTH, &mut pairs);
        }
    }
    pairs
}

/// Returns the facts of an invocation that its message does not show: status, wall time, outcome.
#[must_use]
pub fn invocation_facts(row: &Row) -> Vec<Pair> {
    if row.kind() != "invocation" {
        return Vec::new();
    }
    let mut pairs = Vec::new();
    let words: Vec<&str> = row.message.split(' ').collect();
    if let Some(status) = row.fact("status")
        && !words.contains(&status.to_string().as_str())
    {
        push(&mut pairs, "status", status);
    }
    if let Some(ms) = row.latency_ms()
        && !row.message.ends_with(" ms)")
    {
        let ms = (ms * 10.0).round() / 10.0;
        push(&mut pairs, "ms", &ms.to_string());
    }
    if let Some(outcome) = row.fact("outcome").and_then(Value::as_str)
        && outcome != "ok"
        && !words.contains(&outcome)
    {
        push(&mut pairs, "outcome", &outcome);
    }
    pairs
}

/// Adds the members of an object, those of objects within by names with dots; anything else is one pair.
fn flatten(name: &str, value: &RawValue, depth: usize, pairs: &mut Vec<Pair>) {
    match raw::members(value) {
        Some(members) if depth > 0 && (!members.is_empty() || name.is_empty()) => {
            for (inner, value) in members {
                let name = if name.is_empty() {
                    inner
                } else {
                    format!("{name}.{inner}")
                };
                flatten(&name, value, depth - 1, pairs);
            }
        }
        _ => {
            let name = if name.is_empty() { "data" } else { name };
            push(pairs, name, value);
        }
    }
}

fn push(pairs: &mut Vec<Pair>, name: &str, value: &(impl Serialize + ?Sized)) {
    pairs.extend(
        to_raw_value(value)
            .ok()
            .map(|value| (name.to_owned(), value)),
    );
}

/// Returns pairs as `name=value`, with spaces between them.
#[must_use]
pub fn joined(pairs: &[Pair]) -> String {
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
