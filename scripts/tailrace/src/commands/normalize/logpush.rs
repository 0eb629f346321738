//! Trace events as Logpush's dataset Workers Trace Events has them, into those of the runtime.
//!
//! The dataset's own members have names like `EventTimestampMs`. What is nested in them has been seen in two spellings,
//! `{"Level", "Message", "TimestampMs"}` and `{"level", "message", "timestamp"}`, so capitals do not count.

use serde_json::{Map, Value, json};

/// Names as the runtime writes them. Each stands for itself in other capitals, and with `Ms` at its end.
const NAMES: &[&str] = &[
    "batchSize",
    "cf",
    "code",
    "colo",
    "consumedEvents",
    "country",
    "cpuTime",
    "cron",
    "diagnosticsChannelEvents",
    "dispatchNamespace",
    "entrypoint",
    "event",
    "eventTimestamp",
    "exceptions",
    "executionModel",
    "getWebSocketEvent",
    "headers",
    "id",
    "level",
    "logs",
    "mailFrom",
    "message",
    "method",
    "name",
    "outcome",
    "queue",
    "rawSize",
    "rcptTo",
    "request",
    "response",
    "rpcMethod",
    "scheduledTime",
    "scriptName",
    "scriptTags",
    "scriptVersion",
    "stack",
    "status",
    "tag",
    "timestamp",
    "truncated",
    "url",
    "wallTime",
    "wasClean",
    "webSocketEventType",
];
/// Members that Logpush writes as empty text where there is none.
const EMPTY_IS_ABSENT: [&str; 3] = ["dispatchNamespace", "entrypoint", "scriptName"];

/// Returns the runtime's trace event for one of Logpush.
///
/// # Errors
/// Fails if `text` is not a JSON object.
pub(super) fn to_trace_event(text: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let pushed: Map<String, Value> = serde_json::from_slice(text)?;
    let mut event = rename(pushed);
    for name in EMPTY_IS_ABSENT {
        if event.get(name).and_then(Value::as_str) == Some("") {
            event.remove(name);
        }
    }
    for (list, nested) in [("logs", true), ("exceptions", false)] {
        for entry in event
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            rename_value(entry);
            if nested
                && let Some(message) = entry.get_mut("message")
                && !message.is_array()
            {
                *message = json!([message.take()]);
            }
        }
    }
    for name in ["scriptVersion", "event"] {
        if let Some(value) = event.get_mut(name) {
            rename_value(value);
        }
    }
    if let Some(Value::Object(details)) = event.get_mut("event") {
        move_ray_id(details);
    }
    serde_json::to_vec(&event)
}

/// Gives the members the runtime's names.
fn rename(members: Map<String, Value>) -> Map<String, Value> {
    members
        .into_iter()
        .map(|(name, value)| (runtime_name(&name).unwrap_or(&name).to_owned(), value))
        .collect()
}

/// Gives an object's members, and those of the objects in it, the runtime's names. What a Worker logged keeps its own.
fn rename_value(value: &mut Value) {
    if let Value::Object(members) = value {
        *members = rename(std::mem::take(members));
        for (name, member) in members {
            if !matches!(name.as_str(), "message" | "headers" | "cf") {
                rename_value(member);
            }
        }
    }
}

fn runtime_name(name: &str) -> Option<&'static str> {
    let short = name.strip_suffix("Ms").unwrap_or(name);
    NAMES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(short))
        .copied()
}

/// Moves the event's `RayID` to where the runtime has it: among the request's headers.
fn move_ray_id(event: &mut Map<String, Value>) {
    let ray = event
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("rayid"))
        .map(|(name, ray)| (name.clone(), ray.clone()));
    let (Some((name, ray)), Some(Value::Object(request))) = (ray, event.get_mut("request")) else {
        return;
    };
    let headers = request.entry("headers").or_insert_with(|| json!({}));
    if let Value::Object(headers) = headers {
        headers.entry("cf-ray").or_insert(ray);
        event.remove(&name);
    }
}
