//! One JSON object: a trace event, something that can be read as one, or something else that has a name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Members of a trace event as the runtime writes it.
const TRACE_MEMBERS: [&str; 12] = [
    "event",
    "eventTimestamp",
    "scriptName",
    "outcome",
    "logs",
    "exceptions",
    "diagnosticsChannelEvents",
    "cpuTime",
    "wallTime",
    "executionModel",
    "entrypoint",
    "scriptVersion",
];
/// Members of a trace event as Logpush writes it.
const LOGPUSH_MEMBERS: [&str; 8] = [
    "Event",
    "EventTimestampMs",
    "EventType",
    "ScriptName",
    "Outcome",
    "Logs",
    "Exceptions",
    "CPUTimeMs",
];
/// Number of these members that make a trace event.
const ENOUGH_MEMBERS: usize = 2;

/// Kinds of objects.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A trace event.
    Trace,
    /// A trace event as Logpush's dataset Workers Trace Events has it.
    Logpush,
    /// The live tail's word that it drops events, or no longer does.
    TailNotice(String),
    /// Something else: what, and what to give instead.
    Other {
        what: &'static str,
        hint: &'static str,
    },
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The `event` of a notice.
#[derive(Deserialize)]
struct Notice {
    r#type: String,
    message: String,
}

/// Returns what the object `text` is.
///
/// # Errors
/// Fails if it is not a JSON object.
pub(super) fn classify(text: &[u8]) -> Result<Kind, serde_json::Error> {
    let members: Members<'_> = serde_json::from_slice(text)?;
    let count = |names: &[&str]| {
        names
            .iter()
            .filter(|name| members.contains_key(**name))
            .count()
    };
    if let Some(kind) = known_other(&members) {
        return Ok(kind);
    }
    if let Some(notice) = tail_notice(&members) {
        return Ok(Kind::TailNotice(notice));
    }
    if count(&TRACE_MEMBERS) >= ENOUGH_MEMBERS && has_event_shape(&members) {
        return Ok(Kind::Trace);
    }
    if count(&LOGPUSH_MEMBERS) >= ENOUGH_MEMBERS {
        return Ok(Kind::Logpush);
    }
    Ok(Kind::Other {
        what: if ["message", "msg", "level"]
            .iter()
            .any(|name| members.contains_key(*name))
        {
            "a log line"
        } else {
            "an object without a trace event's members"
        },
        hint: "a trace event has the members event, outcome, logs and exceptions: \
               `npx wrangler tail NAME --format json` prints them",
    })
}

/// Objects of other tools, which somebody may take for trace events.
fn known_other(members: &Members<'_>) -> Option<Kind> {
    let has = |name: &str| members.contains_key(name);
    let (what, hint) = if has("$workers") || has("$metadata") {
        (
            "an event of Workers Observability, which holds one line and not a whole invocation",
            "read trace events instead: `npx wrangler tail NAME --format json`, or Logpush's Workers Trace Events",
        )
    } else if has("resourceLogs") || has("resourceSpans") {
        (
            "OpenTelemetry data",
            "read trace events instead: `npx wrangler tail NAME --format json`",
        )
    } else if has("log_id") && has("worker_name") {
        (
            "a record of Tailrace, which has been normalized before",
            "read the trace events that it was made of",
        )
    } else {
        return None;
    };
    Some(Kind::Other { what, hint })
}

/// Returns whether `event` and `logs` are what the runtime makes them, where they are there.
fn has_event_shape(members: &Members<'_>) -> bool {
    let begins = |name: &str, begin: char| {
        members
            .get(name)
            .is_none_or(|value| value.get() == "null" || value.get().starts_with(begin))
    };
    begins("event", '{') && begins("logs", '[') && begins("exceptions", '[')
}

fn tail_notice(members: &Members<'_>) -> Option<String> {
    let notice: Notice = serde_json::from_str(members.get("event")?.get()).ok()?;
    matches!(notice.r#type.as_str(), "overload" | "overload-stop").then_some(notice.message)
}
