//! The event that ran a Worker: one function for each shape that a trace event's `event` can have. `EventInfo` carries no
//! discriminator, so a shape is told by the member that only it has.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::correlation::{IdKind, read_header};
use crate::json::Json;
use crate::json_writer::ObjectWriter;
use crate::redaction::{REDACTED, Verdict};
use crate::settings::Settings;
use crate::trace_item::TraceItem;

/// The event of an invocation, ready to be put into records.
#[derive(Debug, Default)]
pub(crate) struct Event {
    /// `event_type`.
    pub(crate) kind: &'static str,
    /// A line for people, without outcome and time: `POST /events 202`.
    pub(crate) summary: String,
    /// Members for every record of the invocation.
    pub(crate) shared: String,
    /// Members for the invocation record.
    pub(crate) facts: String,
    /// The status of the response.
    pub(crate) status: Option<u16>,
    /// The request's `cf-ray`.
    pub(crate) ray: Option<String>,
    /// The correlation id in the request's headers.
    pub(crate) correlation: Option<(IdKind, String)>,
}

/// The longest `cf-ray` that is taken for one, in bytes; the platform's have 16 to 20.
const RAY_BYTES: usize = 64;

/// The longest method or status that is repeated on every record, in bytes of JSON.
const SHARED_BYTES: usize = 64;

/// The longest path that is repeated on every record, in bytes; `url` has all of it.
const PATH_BYTES: usize = 1_000;

impl Event {
    /// Reads the event of `item`.
    pub(crate) fn read(item: &TraceItem<'_>, settings: &Settings) -> Self {
        let mut reader = Reader {
            event: Self::default(),
            facts: ObjectWriter::new(&settings.redactor),
            unknown: Vec::new(),
            settings,
        };
        if let Some(event) = item.event {
            reader.read_event(event);
        } else {
            reader.event.kind = "other";
            reader.event.summary.push_str("no event");
        }
        reader.finish()
    }
}

/// An event that is being read.
struct Reader<'a, 's> {
    event: Event,
    facts: ObjectWriter<'s>,
    /// Members that the shape does not have in the published types: kept nevertheless.
    unknown: Vec<(Cow<'a, str>, Json<'a>)>,
    settings: &'s Settings,
}

impl<'a> Reader<'a, '_> {
    fn read_event(&mut self, event: Json<'a>) {
        let has = |name| event.get(name).is_some();
        if has("request") {
            self.read_fetch(event);
        } else if has("rpcMethod") {
            self.read_rpc(event);
        } else if has("queue") {
            self.read_queue(event);
        } else if has("cron") {
            self.read_scheduled(event);
        } else if has("scheduledTime") {
            self.read_alarm(event);
        } else if has("mailFrom") || has("rcptTo") {
            self.read_email(event);
        } else if has("consumedEvents") {
            self.read_tail(event);
        } else if has("getWebSocketEvent") {
            self.read_websocket(event);
        } else if event.get("reason").is_some_and(Json::is_string) && event.members().count() == 1 {
            self.read_hibernation(event);
        } else {
            self.read_other(event);
        }
    }

    /// Takes the members of `object`: those in `known` as facts by the name beside them, any other as unknown.
    fn take_facts(&mut self, object: Json<'a>, known: &[(&str, &'static str)]) {
        for (key, value) in object.members() {
            match known.iter().find(|(from, _)| *from == key) {
                Some((_, to)) => self.facts.add_value(to, value),
                None => self.unknown.push((key, value)),
            }
        }
    }

    fn read_fetch(&mut self, event: Json<'a>) {
        self.event.kind = "fetch";
        let (mut method, mut path, mut status) = (None, None, None);
        for (key, value) in event.members() {
            match key.as_ref() {
                "request" if value.is_object() => self.read_request(value, &mut method, &mut path),
                "response" if value.is_object() => {
                    for (key, value) in value.members() {
                        if key == "status" && value.text().len() <= SHARED_BYTES {
                            status = Some(value);
                        } else {
                            self.unknown.push((key, value));
                        }
                    }
                }
                _ if value.is_null() => {}
                _ => self.unknown.push((key, value)),
            }
        }
        let mut shared = ObjectWriter::new(&self.settings.redactor);
        if let Some(method) = method {
            shared.add_value("method", method);
        }
        if let Some(path) = &path {
            shared.add_text("path", path);
        }
        if let Some(status) = status {
            shared.add_value("status", status);
        }
        self.event.shared = shared.finish_members();
        self.event.status = status.and_then(|status| status.display().parse().ok());
        let summary = &mut self.event.summary;
        summary.push_str(&method.map_or(Cow::Borrowed("?"), Json::display));
        summary.push(' ');
        summary.push_str(path.as_deref().unwrap_or("?"));
        if let Some(status) = status {
            summary.push(' ');
            summary.push_str(&status.display());
        }
    }

    fn read_request(
        &mut self,
        request: Json<'a>,
        method: &mut Option<Json<'a>>,
        path: &mut Option<String>,
    ) {
        for (key, value) in request.members() {
            match key.as_ref() {
                "method" if value.text().len() <= SHARED_BYTES => *method = Some(value),
                "method" => self.facts.add_value("method", value),
                "url" => *path = self.read_url(value),
                "headers" => self.read_headers(value),
                "cf" => {
                    // The rest of `cf` describes the connection, at length, and is not kept.
                    for name in ["colo", "country"] {
                        if let Some(value) = value.get(name) {
                            self.facts.add_value(name, value);
                        }
                    }
                }
                _ => self.unknown.push((key, value)),
            }
        }
    }

    /// Takes the request's URL, and returns its path.
    fn read_url(&mut self, url: Json<'a>) -> Option<String> {
        let Some(url) = url.as_text() else {
            self.facts.add_value("url", url);
            return None;
        };
        let url = self.settings.redactor.redact_text(&url);
        self.facts.add_text("url", &url);
        Some(cut_path(path_of(&url)))
    }

    /// Takes the request's headers: an object, or a list of pairs.
    fn read_headers(&mut self, headers: Json<'a>) {
        if !headers.is_object() && !headers.is_array() {
            // Nothing tells what is secret in it.
            self.facts.add_text("headers", REDACTED);
            return;
        }
        // One of the two is empty.
        let pairs: Vec<_> = headers
            .members()
            .chain(headers.elements().filter_map(|pair| {
                let mut pair = pair.elements();
                Some((pair.next()?.as_text()?, pair.next()?))
            }))
            .collect();
        let find = |wanted: &str| {
            let (_, value) = pairs
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
            value.as_text()
        };
        self.event.ray = find("cf-ray")
            .filter(|ray| !ray.is_empty() && ray.len() <= RAY_BYTES)
            .map(Cow::into_owned);
        self.event.correlation = self
            .settings
            .correlation_headers
            .iter()
            .find_map(|name| read_header(name, &find(name)?));
        let kept = |name: &str| self.settings.keep_headers.keeps(name);
        if pairs.iter().any(|(name, _)| kept(name)) {
            self.facts.add_object("headers", |out| {
                for (name, value) in pairs.iter().filter(|(name, _)| kept(name)) {
                    out.add_judged(name, judge_header(self.settings, name), *value);
                }
            });
        }
    }

    fn read_rpc(&mut self, event: Json<'a>) {
        self.event.kind = "rpc";
        self.take_facts(event, &[("rpcMethod", "rpc_method")]);
        self.summarize("rpc", event.get("rpcMethod"));
    }

    fn read_queue(&mut self, event: Json<'a>) {
        self.event.kind = "queue";
        self.take_facts(event, &[("queue", "queue"), ("batchSize", "batch_size")]);
        self.summarize("queue", event.get("queue"));
        if let Some(size) = event.get_some("batchSize").map(Json::display) {
            let plural = if size == "1" { "" } else { "s" };
            self.append_summary(format_args!(": {size} message{plural}"));
        }
    }

    fn read_scheduled(&mut self, event: Json<'a>) {
        self.event.kind = "scheduled";
        let known = [("cron", "cron"), ("scheduledTime", "scheduled_time")];
        self.take_facts(event, &known);
        self.summarize("cron", event.get("cron"));
    }

    fn read_alarm(&mut self, event: Json<'a>) {
        self.event.kind = "alarm";
        self.take_facts(event, &[("scheduledTime", "scheduled_time")]);
        self.summarize("alarm", None);
    }

    fn read_email(&mut self, event: Json<'a>) {
        self.event.kind = "email";
        let known = [
            ("mailFrom", "mail_from"),
            ("rcptTo", "rcpt_to"),
            ("rawSize", "raw_size"),
        ];
        self.take_facts(event, &known);
        self.summarize("email from", event.get("mailFrom"));
        if let Some(to) = event.get("rcptTo") {
            self.append_summary(format_args!(" to {}", to.display()));
        }
    }

    fn read_tail(&mut self, event: Json<'a>) {
        self.event.kind = "tail";
        self.take_facts(event, &[("consumedEvents", "consumed_events")]);
        let events = event.get("consumedEvents").unwrap_or(Json::NULL);
        let mut names: Vec<_> = events
            .elements()
            .filter_map(|event| event.get("scriptName")?.as_text())
            .collect();
        let count = events.elements().count();
        let plural = if count == 1 { "" } else { "s" };
        self.append_summary(format_args!("tail: {count} event{plural}"));
        names.dedup();
        if !names.is_empty() {
            self.append_summary(format_args!(" of {}", names.join(", ")));
        }
    }

    fn read_websocket(&mut self, event: Json<'a>) {
        self.event.kind = "websocket";
        for (key, value) in event.members() {
            if key != "getWebSocketEvent" || !value.is_object() {
                self.unknown.push((key, value));
                continue;
            }
            let known = [
                ("webSocketEventType", "websocket_event"),
                ("code", "websocket_code"),
                ("wasClean", "websocket_was_clean"),
            ];
            self.take_facts(value, &known);
            self.summarize("websocket", value.get("webSocketEventType"));
            if let Some(code) = value.get("code") {
                self.append_summary(format_args!(" {}", code.display()));
            }
            if value
                .get("wasClean")
                .is_some_and(|clean| clean.text() == "false")
            {
                self.append_summary(format_args!(" (not clean)"));
            }
        }
        if self.event.summary.is_empty() {
            self.summarize("websocket", None);
        }
    }

    /// A Durable Object that goes to sleep: `{reason}`, one of `inactive`, `codeUpdated` and `system`.
    fn read_hibernation(&mut self, event: Json<'a>) {
        self.event.kind = "hibernation";
        self.take_facts(event, &[("reason", "hibernation_reason")]);
        self.summarize("hibernation", event.get("reason"));
    }

    /// `connect` and custom events are empty objects; what the future brings is not.
    fn read_other(&mut self, event: Json<'a>) {
        self.event.kind = "other";
        if event.is_object() {
            self.unknown.extend(event.members());
        } else {
            self.facts.add_value("event", event);
        }
        self.event.summary.push_str("event");
        let names: Vec<_> = self.unknown.iter().map(|(name, _)| name.as_ref()).collect();
        let names = names.join(", ");
        if !names.is_empty() {
            self.append_summary(format_args!(" with {names}"));
        }
    }

    fn summarize(&mut self, what: &str, of: Option<Json<'_>>) {
        self.event.summary.push_str(what);
        if let Some(of) = of {
            self.append_summary(format_args!(" {}", of.display()));
        }
    }

    fn append_summary(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to memory does not fail.
        let _ = self.event.summary.write_fmt(text);
    }

    fn finish(mut self) -> Event {
        if !self.unknown.is_empty() {
            let unknown = std::mem::take(&mut self.unknown);
            self.facts.add_object("event", |out| {
                for (name, value) in &unknown {
                    out.add_logged(name, *value);
                }
            });
        }
        self.event.facts = self.facts.finish_members();
        self.event
    }
}

/// Returns the verdict on a request header. One that the operator named as an id's is stored as the correlation id anyway,
/// so `-key` and its like do not make it a secret; unmistakable words and the names in `REDACT` do.
fn judge_header(settings: &Settings, name: &str) -> Verdict {
    let names = &settings.correlation_headers;
    match settings.redactor.judge_header(name) {
        Verdict::Text if names.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
            Verdict::Keep
        }
        verdict => verdict,
    }
}

/// Returns a path of at most [`PATH_BYTES`]; a longer one is shortened, visibly.
fn cut_path(path: &str) -> String {
    let end = path.floor_char_boundary(PATH_BYTES);
    let mut cut = path.get(..end).unwrap_or_default().to_owned();
    if end < path.len() {
        cut.push('…');
    }
    cut
}

/// Returns the path of a URL, without query and fragment.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| {
        rest.find(['/', '?', '#'])
            .and_then(|at| rest.get(at..))
            .unwrap_or("/")
    });
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    if path.is_empty() { "/" } else { path }
}
