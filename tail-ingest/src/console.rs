//! Console lines: what a call to `console` says, plain or structured. `normalize` makes the record.

use std::borrow::Cow;

use log_record::Level;

use crate::clean;
use crate::event;
use crate::json;
use crate::redact::Names;
use crate::scan::{self, Judged, Keys};
use crate::settings::Settings;
use crate::trace::{Arg, TraceItem, TraceLog};

/// A console line, understood.
#[derive(Debug)]
pub(crate) struct Console<'i, 'a> {
    /// The level of the console method.
    method: Level,
    /// The level that a structured line states.
    stated: Option<Level>,
    /// The line's own correlation id.
    pub(crate) correlation: Option<Cow<'i, str>>,
    /// What the line says its Worker is called.
    pub(crate) worker: Option<Cow<'i, str>>,
    /// The whole of a structured line: one JSON object.
    source: Option<&'i str>,
    /// A structured line's `message`.
    message: Option<Judged<'i>>,
    /// A structured line's own `context`.
    context: Option<Judged<'i>>,
    /// Members of a structured line with no meaning of their own here.
    others: Vec<(&'i str, Judged<'i>)>,
    /// The arguments, without the local runtime's prefix.
    args: &'i [Arg<'a>],
    /// Where `args` begins among the line's arguments: `errorInfo` counts from there.
    skipped: usize,
    log: &'i TraceLog<'a>,
}

/// Names of the member that holds the correlation id.
const CORRELATION: [&str; 3] = ["correlation_id", "correlationId", "trace_id"];

/// Names of the member that says which Worker logs.
const WORKER: [&str; 3] = ["worker", "worker_name", "service"];

/// The key of the line's own context.
const DATA: &[u8; 8] = br#","data":"#;

/// How much of a structured line without a message of its own is shown as its message, in bytes. `data` has it all.
const MESSAGE_PREVIEW_BYTES: usize = 1_000;

/// The level of a console method, or one that a logger spells; `None` for what is none.
fn named_level(name: &str) -> Option<Level> {
    match name {
        "log" | "info" => Some(Level::Info),
        "warn" => Some(Level::Warn),
        "error" => Some(Level::Error),
        "debug" => Some(Level::Debug),
        other => Level::from_alias(other),
    }
}

/// The level that a structured line states: a name, or a number as pino and bunyan have it (30 is info).
fn level(value: Judged<'_>) -> Option<Level> {
    if let Some(name) = value.string() {
        return named_level(&name);
    }
    Some(match value.token.parse::<u32>().ok()? {
        10..=29 => Level::Debug,
        30..=39 => Level::Info,
        40..=49 => Level::Warn,
        50..=69 => Level::Error,
        _ => return None,
    })
}

/// A correlation id: text, or a number as it is written.
fn id(value: Judged<'_>) -> Option<Cow<'_, str>> {
    let number = || json::number(value.token).map(|_| Cow::Borrowed(value.token));
    value.text().or_else(number)
}

impl<'i, 'a> Console<'i, 'a> {
    /// One line of `item`, whose lines begin with `prefix` where the local runtime says which Worker logs; to be
    /// [`read`](Self::read) where it stays, since it is large to be moved.
    pub(crate) fn new(
        item: &'i TraceItem<'a>,
        log: &'i TraceLog<'a>,
        prefix: Option<&'i str>,
    ) -> Self {
        let args = item.args.get(log.args.clone()).unwrap_or_default();
        let prefix = prefix.filter(|prefix| {
            log.may_be_prefixed()
                && matches!(args.first(), Some(Arg::Text(first)) if first == prefix)
        });
        let skipped = usize::from(prefix.is_some());
        Self {
            method: named_level(&log.level).unwrap_or(Level::Info),
            stated: None,
            correlation: None,
            worker: None,
            source: None,
            message: None,
            context: None,
            others: Vec::new(),
            args: args.get(skipped..).unwrap_or_default(),
            skipped,
            log,
        }
    }

    /// Understands the line.
    pub(crate) fn read(&mut self, keys: &mut Keys<'_, 'i>) {
        if let Some(first) = self.args.first()
            && self.error(0).is_none()
        {
            self.read_structured(first, keys);
        }
        if self.correlation.is_none() {
            // `console.log("created", { correlation_id })`.
            self.correlation = self.args.iter().skip(1).find_map(|arg| match arg {
                Arg::Json(token) => CORRELATION
                    .iter()
                    .find_map(|name| id(Judged::unknown(json::member(token, name)?))),
                Arg::Text(_) => None,
            });
        }
    }

    /// Reads the first argument, if it is or writes an object.
    fn read_structured(&mut self, arg: &'i Arg<'_>, keys: &mut Keys<'_, 'i>) {
        let text = match arg {
            Arg::Text(text) if text.trim_start().starts_with('{') => text.as_ref(),
            Arg::Json(token) if json::is_object(token) => token,
            _ => return,
        };
        if scan::object(text, Some(keys), |key, value| self.member(key, value)) {
            self.source = Some(text.trim_ascii());
            return;
        }
        (self.stated, self.message, self.context) = (None, None, None);
        (self.correlation, self.worker) = (None, None);
        self.others.clear();
        self.source = match arg {
            Arg::Text(text) => json::check(text),
            Arg::Json(token) => Some(token),
        };
        for (key, token) in self.source.into_iter().flat_map(json::members) {
            self.member(key, Judged::unknown(token));
        }
    }

    /// Takes one member of a structured line.
    fn member(&mut self, key: &'i str, value: Judged<'i>) {
        let has_place = match json::unquoted(key) {
            "level" | "severity" | "log_level" if self.stated.is_none() => {
                self.stated = level(value);
                self.stated.is_some()
            }
            "message" | "msg" if self.message.is_none() && value.token != "null" => {
                self.message = Some(value);
                true
            }
            "context" if self.context.is_none() => {
                self.context = Some(value);
                true
            }
            name if self.correlation.is_none() && CORRELATION.contains(&name) => {
                self.correlation = id(value);
                self.correlation.is_some()
            }
            name if self.worker.is_none() && WORKER.contains(&name) => {
                self.worker = value.text();
                false
            }
            _ => false,
        };
        if !has_place {
            self.others.push((key, value));
        }
    }

    /// How much the line matters.
    pub(crate) fn level(&self) -> Level {
        self.stated.unwrap_or(self.method)
    }

    /// What `errorInfo` says about the argument at `index` of `args`, an object token.
    fn error(&self, index: usize) -> Option<&'i str> {
        json::elements(self.log.error_info?)
            .nth(index + self.skipped)
            .filter(|info| json::is_object(info))
    }

    /// Appends the message as a string token.
    pub(crate) fn write_message(&self, out: &mut Vec<u8>, names: &Names) {
        if let Some(source) = self.source {
            match self.message {
                Some(message) if json::is_string(message.token) => {
                    clean::write_judged(out, message, names);
                }
                Some(message) => json::write_string(out, &cleaned(message.token, names)),
                None => {
                    let text = cleaned(source, names);
                    let end = text.floor_char_boundary(MESSAGE_PREVIEW_BYTES);
                    out.push(b'"');
                    json::write_escaped(out, text.get(..end).unwrap_or_default());
                    if end < text.len() {
                        out.extend_from_slice("…".as_bytes());
                    }
                    out.push(b'"');
                }
            }
            return;
        }
        out.push(b'"');
        for (index, arg) in self.args.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            match (self.error(index), arg) {
                (Some(info), _) => json::write_escaped(out, &error_title(info)),
                (None, Arg::Text(text)) => json::write_escaped(out, text),
                (None, Arg::Json(token)) => json::write_escaped(out, &cleaned(token, names)),
            }
        }
        out.push(b'"');
    }

    /// Appends the line's own members of the context, each with a comma before it.
    pub(crate) fn write_context(&self, out: &mut Vec<u8>, worker: &str, settings: &Settings) {
        let names = &settings.names;
        if self.args.len() > 1 {
            event::key(out, "args");
            let mut separator = b'[';
            for arg in self.args.iter().skip(1) {
                out.push(separator);
                separator = b',';
                match arg {
                    Arg::Text(text) => json::write_string(out, text),
                    Arg::Json(token) => clean::write(out, token, names),
                }
            }
            out.push(b']');
        }
        if self.source.is_some() {
            self.write_data(out, worker, names);
        }
        self.write_errors(out);
        if let Some(info) = self
            .log
            .error_info
            .filter(|info| !json::is_array(info) && *info != "null")
        {
            event::member(out, "error_info", info, settings);
        }
        if named_level(&self.log.level).is_none() && !self.log.level.is_empty() {
            event::key(out, "console_method");
            json::write_string(out, &self.log.level);
        }
        if !self.log.unknown.is_empty() {
            event::key(out, "unknown");
            event::write_object(out, &self.log.unknown, settings);
        }
    }

    /// Appends `data`: the line's own context, and what else it holds that has no place of its own.
    fn write_data(&self, out: &mut Vec<u8>, worker: &str, names: &Names) {
        let (context, mut separator) = match self.context.filter(|context| context.token != "null")
        {
            Some(context) if json::is_object(context.token) => {
                out.extend_from_slice(DATA);
                let start = out.len();
                clean::write_judged(out, context, names);
                (
                    Some(context.token),
                    if out.len() > start + 2 { b',' } else { b' ' },
                )
            }
            Some(context) => {
                out.extend_from_slice(DATA);
                out.extend_from_slice(b"{\"context\":");
                clean::write_judged(out, context, names);
                out.push(b'}');
                (None, b',')
            }
            None => (None, b'{'),
        };
        for (key, value) in &self.others {
            let name = json::unquoted(key);
            if WORKER.contains(&name) && json::unquoted(value.token) == worker {
                continue; // the record says so already
            }
            if separator == b'{' {
                out.extend_from_slice(DATA);
            } else {
                out.pop(); // the closing brace
            }
            if separator != b' ' {
                out.push(separator);
            }
            separator = b',';
            if context.is_some_and(|context| json::member(context, name).is_some()) {
                out.extend_from_slice(b"\"line.");
                json::write_escaped(out, &json::decode(key));
                out.push(b'"');
            } else {
                clean::write_string_token(out, key);
            }
            out.push(b':');
            if names.marks_field(&json::decode(key)) && json::is_string(value.token) {
                json::write_string(out, crate::redact::REDACTED);
            } else {
                clean::write_judged(out, *value, names);
            }
            out.push(b'}');
        }
    }
    fn write_errors(&self, out: &mut Vec<u8>) {
        let mut separator = b'[';
        let Some(errors) = self.log.error_info else {
            return;
        };
        for info in json::elements(errors).filter(|info| json::is_object(info)) {
            if separator == b'[' {
                event::key(out, "errors");
            }
            out.push(separator);
            separator = b',';
            write_error(out, info);
        }
        if separator == b',' {
            out.push(b']');
        }
    }
}

/// `token` cleaned, as text.
fn cleaned(token: &str, names: &Names) -> String {
    let mut out = Vec::with_capacity(token.len());
    clean::write(&mut out, token, names);
    // Cleaning takes UTF-8 to UTF-8.
    String::from_utf8(out).unwrap_or_default()
}

/// `Name: message` of an `errorInfo` object, or of an exception.
pub(crate) fn error_title(info: &str) -> String {
    let part = |name| {
        json::member(info, name)
            .filter(|token| *token != "null")
            .map(json::display)
            .filter(|text| !text.is_empty())
    };
    match (part("name"), part("message")) {
        (Some(name), Some(message)) => format!("{name}: {message}"),
        (Some(one), None) | (None, Some(one)) => one.into_owned(),
        (None, None) => "Error".to_owned(),
    }
}

/// The stack of an `errorInfo` object or exception, if it has one. The runtime gives the frames only: the first line is
/// put back.
pub(crate) fn stack(info: &str) -> Option<String> {
    let frames = json::text(json::member(info, "stack")?)?;
    let title = error_title(info);
    Some(if frames.starts_with(&title) {
        frames.into_owned()
    } else {
        format!("{title}\n{}", frames.trim_start_matches('\n'))
    })
}

fn write_error(out: &mut Vec<u8>, info: &str) {
    out.push(b'{');
    let mut first = true;
    for name in ["name", "message"] {
        if let Some(value) = json::member(info, name).filter(|value| *value != "null") {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            json::write_string(out, name);
            out.push(b':');
            json::write_string(out, &json::display(value));
        }
    }
    if let Some(stack) = stack(info) {
        if !first {
            out.push(b',');
        }
        out.extend_from_slice(b"\"stack\":");
        json::write_string(out, &stack);
    }
    out.push(b'}');
}
