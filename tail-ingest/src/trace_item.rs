//! A trace event (`TraceItem`) as the runtime publishes it, read leniently: whatever a field holds, the event is kept.
//! `normalize` makes records of it.

use std::borrow::Cow;

use crate::json::Json;

/// The texts of console lines that crossed from JavaScript beside the JSON text of their events, each after a NUL:
/// within JSON they would be escaped there and decoded here. Where events come as JSON alone, there are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts<'a>(Option<&'a str>);

/// The member of a console line that holds the number of its texts; see `edge/glue.js`.
const TEXTS: &str = "tailrace:texts";

impl<'a> Texts<'a> {
    /// Divides what crossed into JSON text and the texts behind it.
    pub(crate) fn split(encoded: &'a str) -> (&'a str, Self) {
        match encoded.split_once('\0') {
            Some((json, texts)) => (json, Self(Some(texts))),
            None => (encoded, Self(None)),
        }
    }
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (text, rest) = Self::split(self.0?);
        *self = rest;
        Some(text)
    }
}

/// One argument of a console call.
#[derive(Clone, Debug)]
pub(crate) enum Argument<'a> {
    /// A string, decoded.
    Text(Cow<'a, str>),
    /// Any other value.
    Value(Json<'a>),
}

impl<'a> Argument<'a> {
    fn read(value: Json<'a>) -> Self {
        match value.as_text() {
            Some(text) => Self::Text(text),
            None => Self::Value(value),
        }
    }
}

/// A console line.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceLog<'a> {
    /// Milliseconds since 1970.
    pub(crate) timestamp: Option<u64>,
    /// The console method.
    pub(crate) level: Cow<'a, str>,
    /// The arguments (`message`).
    pub(crate) arguments: Vec<Argument<'a>>,
    /// The elements of `errorInfo`, one for each argument: an object for an error, null for any other.
    pub(crate) errors: Vec<Json<'a>>,
    /// `errorInfo`, where it is not an array.
    pub(crate) error_info: Option<Json<'a>>,
    /// Members that this code does not know.
    pub(crate) unknown: Vec<(Cow<'a, str>, Json<'a>)>,
}

impl<'a> TraceLog<'a> {
    /// Reads one element of `logs`; anything but an object is its own single argument.
    fn read(value: Json<'a>, texts: &mut Texts<'a>) -> Self {
        let mut log = Self::default();
        if !value.is_object() {
            log.arguments.push(Argument::read(value));
            return log;
        }
        for (key, value) in value.members() {
            match key.as_ref() {
                "timestamp" => log.timestamp = value.as_whole(),
                "level" => log.level = value.display(),
                "message" if value.is_array() => {
                    log.arguments.extend(value.elements().map(Argument::read));
                }
                "message" if value.is_null() => {}
                "message" => log.arguments.push(Argument::read(value)),
                TEXTS if texts.0.is_some() => {
                    let count = value.as_whole().and_then(|count| count.try_into().ok());
                    let texts = texts.by_ref().take(count.unwrap_or_default());
                    log.arguments
                        .extend(texts.map(|text| Argument::Text(Cow::Borrowed(text))));
                }
                "errorInfo" if value.is_array() => log.errors.extend(value.elements()),
                "errorInfo" => log.error_info = value.non_null(),
                _ => log.unknown.push((key, value)),
            }
        }
        log
    }

    /// Returns whether the local runtime would prefix such a line with its Worker's name.
    fn may_be_prefixed(&self) -> bool {
        matches!(self.level.as_ref(), "log" | "info" | "debug")
    }
}

/// One trace event. `None` is missing or null.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceItem<'a> {
    pub(crate) event: Option<Json<'a>>,
    pub(crate) event_timestamp: Option<Json<'a>>,
    pub(crate) script_name: Option<Json<'a>>,
    pub(crate) outcome: Option<Json<'a>>,
    pub(crate) cpu_time: Option<Json<'a>>,
    pub(crate) wall_time: Option<Json<'a>>,
    pub(crate) truncated: Option<Json<'a>>,
    pub(crate) tail_attributes: Option<Json<'a>>,
    /// Fields that are stored as they are: the context's key and the value.
    pub(crate) facts: Vec<(&'static str, Json<'a>)>,
    pub(crate) logs: Vec<TraceLog<'a>>,
    pub(crate) exceptions: Vec<Json<'a>>,
    /// `diagnosticsChannelEvents`.
    pub(crate) diagnostics: Vec<Json<'a>>,
    /// Members that this code does not know or could not read.
    pub(crate) unknown: Vec<(Cow<'a, str>, Json<'a>)>,
    /// Something else stood in place of a trace event; it is in `unknown`.
    pub(crate) is_unreadable: bool,
}

/// The fields that go into the invocation's context as they are.
const FACTS: [(&str, &str); 8] = [
    ("entrypoint", "entrypoint"),
    ("scriptVersion", "script_version"),
    ("scriptTags", "script_tags"),
    ("dispatchNamespace", "dispatch_namespace"),
    ("durableObjectId", "durable_object_id"),
    ("executionModel", "execution_model"),
    ("preview", "preview"),
    ("tracing", "tracing"),
];

impl<'a> TraceItem<'a> {
    /// Reads an item, whatever `value` is.
    pub(crate) fn read(value: Json<'a>, texts: &mut Texts<'a>) -> Self {
        let mut item = Self::default();
        if value.is_object() {
            for (key, value) in value.members() {
                item.take_field(key, value, texts);
            }
        } else {
            item.is_unreadable = true;
            item.unknown.push((Cow::Borrowed("item"), value));
        }
        item
    }

    fn take_field(&mut self, key: Cow<'a, str>, value: Json<'a>, texts: &mut Texts<'a>) {
        if value.is_null() {
            return;
        }
        let slot = match key.as_ref() {
            "event" => &mut self.event,
            "eventTimestamp" => &mut self.event_timestamp,
            "scriptName" => &mut self.script_name,
            "outcome" => &mut self.outcome,
            "cpuTime" => &mut self.cpu_time,
            "wallTime" => &mut self.wall_time,
            "truncated" => &mut self.truncated,
            "tailAttributes" => &mut self.tail_attributes,
            "logs" if value.is_array() => {
                let logs = value.elements().map(|log| TraceLog::read(log, texts));
                self.logs.extend(logs);
                return;
            }
            "exceptions" if value.is_array() => {
                self.exceptions.extend(value.elements());
                return;
            }
            "diagnosticsChannelEvents" if value.is_array() => {
                self.diagnostics.extend(value.elements());
                return;
            }
            name => {
                match FACTS.iter().find(|(known, _)| *known == name) {
                    Some((_, fact)) => self.facts.push((fact, value)),
                    None => self.unknown.push((key, value)),
                }
                return;
            }
        };
        // A name that comes twice: the first is used, the other is kept.
        if slot.is_none() {
            *slot = Some(value);
        } else {
            self.unknown.push((key, value));
        }
    }

    /// Returns the number of records that the item gives before any setting filters them.
    pub(crate) fn record_count(&self) -> usize {
        1 + self.logs.len() + self.exceptions.len() + self.diagnostics.len()
    }

    /// Takes the local runtime's prefix off the lines that have one, and returns it: where several Workers run, it puts
    /// `[worker-name]` before the arguments of `console.log`, `info` and `debug`, the same on every line.
    pub(crate) fn take_worker_prefix(&mut self) -> Option<String> {
        if self.script_name.is_some() {
            // Deployed, the runtime knows the name and adds no prefix: "[db]" is then the line's own.
            return None;
        }
        let prefix = self.logs.iter().find_map(find_prefix)?.to_owned();
        for log in &mut self.logs {
            let has_prefix = log.may_be_prefixed()
                && matches!(log.arguments.first(), Some(Argument::Text(first)) if *first == prefix);
            if has_prefix {
                log.arguments.remove(0);
                log.errors.drain(..log.errors.len().min(1));
            }
        }
        Some(prefix)
    }
}

/// Returns the prefix of a line that has one.
fn find_prefix<'i>(log: &'i TraceLog<'_>) -> Option<&'i str> {
    let (Some(Argument::Text(first)), true) = (
        log.arguments.first(),
        log.may_be_prefixed() && log.arguments.len() > 1,
    ) else {
        return None;
    };
    let name = first.strip_prefix('[')?.strip_suffix(']')?;
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_name.then_some(first)
}
