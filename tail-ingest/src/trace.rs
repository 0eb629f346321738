//! A trace event (`TraceItem`) as the runtime publishes it, read leniently: whatever a field holds, the event is kept.
//! `frame` reads the same from the Worker's glue; `normalize` makes records of it.

use std::borrow::Cow;
use std::ops::Range;

use crate::json;
use crate::scan;

/// One argument of a console call.
#[derive(Clone, Debug)]
pub(crate) enum Arg<'a> {
    /// A string, decoded.
    Text(Cow<'a, str>),
    /// Any other value, as a token.
    Json(&'a str),
}

impl<'a> Arg<'a> {
    /// The argument that `token` writes.
    pub(crate) fn new(token: &'a str) -> Self {
        if json::is_string(token) {
            Self::Text(json::decode(token))
        } else {
            Self::Json(token)
        }
    }
}

/// A console line.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceLog<'a> {
    /// `timestamp`, a token.
    pub(crate) timestamp: &'a str,
    /// `level`: the console method, decoded.
    pub(crate) level: Cow<'a, str>,
    /// `message`: a range of [`TraceItem::args`].
    pub(crate) args: Range<usize>,
    /// `errorInfo`, a token.
    pub(crate) error_info: Option<&'a str>,
    /// Members this code does not know, or the whole line where it is no object.
    pub(crate) unknown: Vec<(&'a str, &'a str)>,
}

/// The prefix that the local runtime puts before the arguments of `console.log`, `info` and `debug` where several
/// Workers run: `[worker-name]`, an argument of its own. The same on every line of an invocation.
pub(crate) fn worker_prefix<'i>(item: &'i TraceItem<'_>) -> Option<&'i str> {
    if item.script_name.is_some() {
        // Deployed, the runtime knows the name and adds no prefix: "[db]" is then the line's own.
        return None;
    }
    item.logs.iter().find_map(|log| {
        let args = item.args.get(log.args.clone())?;
        let (Arg::Text(first), true) = (args.first()?, log.may_be_prefixed() && args.len() > 1)
        else {
            return None;
        };
        let name = first.strip_prefix('[')?.strip_suffix(']')?;
        let valid = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        valid.then_some(first.as_ref())
    })
}

impl TraceLog<'_> {
    /// Whether the local runtime would prefix such a line.
    pub(crate) fn may_be_prefixed(&self) -> bool {
        matches!(self.level.as_ref(), "log" | "info" | "debug")
    }
}

/// A request and its response. Fields are tokens; `None` is missing or null.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fetch<'a> {
    pub(crate) method: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
    pub(crate) headers: Option<&'a str>,
    pub(crate) colo: Option<&'a str>,
    pub(crate) country: Option<&'a str>,
    pub(crate) status: Option<&'a str>,
}

/// One trace event. Fields are tokens; `None` is missing or null.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceItem<'a> {
    pub(crate) event: Option<&'a str>,
    /// The event, where the glue has taken it apart.
    pub(crate) fetch: Option<Fetch<'a>>,
    pub(crate) event_timestamp: Option<&'a str>,
    pub(crate) script_name: Option<&'a str>,
    pub(crate) outcome: Option<&'a str>,
    pub(crate) cpu_time: Option<&'a str>,
    pub(crate) wall_time: Option<&'a str>,
    pub(crate) truncated: Option<&'a str>,
    pub(crate) tail_attributes: Option<&'a str>,
    /// Fields that are stored as they are: the context's key and the value.
    pub(crate) facts: Vec<(&'static str, &'a str)>,
    pub(crate) logs: Vec<TraceLog<'a>>,
    /// The arguments of all console lines.
    pub(crate) args: Vec<Arg<'a>>,
    /// `exceptions`, a token each.
    pub(crate) exceptions: Vec<&'a str>,
    /// `diagnosticsChannelEvents`, a token each.
    pub(crate) diagnostics: Vec<&'a str>,
    /// Members this code does not know or could not read, key and value token.
    pub(crate) unknown: Vec<(&'a str, &'a str)>,
}

/// Fields that go into the invocation's context as they are.
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

/// Under this key stands what came in place of a trace event.
const ITEM: &str = r#""item""#;

impl<'a> TraceItem<'a> {
    /// Reads an item from its JSON token, which has been checked.
    pub(crate) fn read(token: &'a str) -> Self {
        let mut item = Self::default();
        if !json::is_object(token) {
            item.unknown.push((ITEM, token));
            return item;
        }
        for (key, value) in json::members(token) {
            item.field(key, value);
        }
        item
    }

    /// Reads an item from JSON text, of which nothing is known.
    pub(crate) fn from_text(text: &'a str) -> Self {
        let mut item = Self::default();
        if scan::object(text, None, |key, value| item.field(key, value.token)) {
            return item;
        }
        Self::read(json::check(text).unwrap_or("null"))
    }

    /// Reads a request's item as the glue writes it, a JSON array: method, url, headers, colo, country, status,
    /// `eventTimestamp`, `scriptName`, `outcome`, `cpuTime`, `wallTime`, `truncated`, `executionModel`, and an object of
    /// the other fields.
    pub(crate) fn of_request(text: &'a str) -> Self {
        let mut item = Self::default();
        let mut fetch = Fetch::default();
        let mut index = 0;
        let whole = scan::array(text, |token| {
            let value = (token != "null").then_some(token);
            match index {
                0 => fetch.method = value,
                1 => fetch.url = value,
                2 => fetch.headers = value,
                3 => fetch.colo = value,
                4 => fetch.country = value,
                5 => fetch.status = value,
                6 => item.event_timestamp = value,
                7 => item.script_name = value,
                8 => item.outcome = value,
                9 => item.cpu_time = value,
                10 => item.wall_time = value,
                11 => item.truncated = value,
                12 => item
                    .facts
                    .extend(value.map(|value| ("execution_model", value))),
                _ => json::members(token).for_each(|(key, value)| item.field(key, value)),
            }
            index += 1;
        });
        if !whole || index != 14 {
            // Nothing that the glue writes.
            return Self::read(json::check(text).unwrap_or("null"));
        }
        item.fetch = Some(fetch);
        item
    }

    /// Takes one member of the item.
    pub(crate) fn field(&mut self, key: &'a str, value: &'a str) {
        let name = json::unquoted(key);
        if value == "null" {
            return;
        }
        let slot = match name {
            "event" => &mut self.event,
            "eventTimestamp" => &mut self.event_timestamp,
            "scriptName" => &mut self.script_name,
            "outcome" => &mut self.outcome,
            "cpuTime" => &mut self.cpu_time,
            "wallTime" => &mut self.wall_time,
            "truncated" => &mut self.truncated,
            "tailAttributes" => &mut self.tail_attributes,
            "logs" if json::is_array(value) => {
                for log in json::elements(value) {
                    self.log(log);
                }
                return;
            }
            "exceptions" if json::is_array(value) => {
                self.exceptions.extend(json::elements(value));
                return;
            }
            "diagnosticsChannelEvents" if json::is_array(value) => {
                self.diagnostics.extend(json::elements(value));
                return;
            }
            _ => {
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

    /// Reads one element of `logs`.
    pub(crate) fn log(&mut self, token: &'a str) {
        let start = self.args.len();
        let mut log = TraceLog::default();
        if json::is_object(token) {
            for (key, value) in json::members(token) {
                match json::unquoted(key) {
                    "timestamp" => log.timestamp = value,
                    "level" => log.level = json::display(value),
                    "message" if json::is_array(value) => {
                        self.args.extend(json::elements(value).map(Arg::new));
                    }
                    "message" if value == "null" => {}
                    "message" => self.args.push(Arg::new(value)),
                    "errorInfo" => log.error_info = Some(value),
                    _ => log.unknown.push((key, value)),
                }
            }
        } else {
            self.args.push(Arg::new(token));
        }
        log.args = start..self.args.len();
        self.logs.push(log);
    }

    /// Takes text that is no console line as one.
    pub(crate) fn text(&mut self, text: &'a str) {
        let start = self.args.len();
        self.args.push(Arg::Text(Cow::Borrowed(text)));
        self.logs.push(TraceLog {
            args: start..self.args.len(),
            ..TraceLog::default()
        });
    }

    /// Whether something else stood in place of the item.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.unknown.first().is_some_and(|(key, _)| *key == ITEM)
    }

    /// How many records the item gives before any setting filters them.
    pub(crate) fn records(&self) -> usize {
        1 + self.logs.len() + self.exceptions.len() + self.diagnostics.len()
    }
}
