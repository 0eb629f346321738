//! What happened: one function for each shape that a trace event's `event` can have. `EventInfo` carries no
//! discriminator, so a shape is told by the member that only it has.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::clean;
use crate::json;
use crate::redact::{self, Names, REDACTED};
use crate::settings::Settings;
use crate::trace::{Fetch, TraceItem};

/// What `event` says, ready to be put into records.
#[derive(Debug, Default)]
pub(crate) struct Event<'a> {
    /// `event_type`.
    pub(crate) kind: &'static str,
    /// What a person reads, without outcome and time: `POST /events 202`.
    pub(crate) summary: String,
    /// Members for every record of the invocation, each with a comma before it.
    pub(crate) shared: Vec<u8>,
    /// Members for the invocation record, each with a comma before it.
    pub(crate) facts: Vec<u8>,
    /// The status of the response.
    pub(crate) status: Option<u16>,
    /// The request's `cf-ray`.
    pub(crate) ray: Option<Cow<'a, str>>,
    /// The correlation id in the request's headers.
    pub(crate) correlation: Option<Cow<'a, str>>,
}

/// The longest `cf-ray` that is taken for one, in bytes; the platform's have 16 to 20.
const RAY_BYTES: usize = 64;

/// The longest method or status that is repeated on every record, in bytes of JSON.
const SHARED_BYTES: usize = 64;

/// The longest path that is repeated on every record, in bytes; `url` has all of it.
const PATH_BYTES: usize = 1_000;

/// Appends `,"name":` and the cleaned `value`.
pub(crate) fn member(out: &mut Vec<u8>, name: &str, value: &str, settings: &Settings) {
    key(out, name);
    clean::write(out, value, &settings.names);
}

/// Appends `,"name":`.
pub(crate) fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

impl<'a> Event<'a> {
    /// Reads the event of `item`.
    pub(crate) fn read(item: &TraceItem<'a>, settings: &Settings) -> Self {
        let token = item.event;
        let mut reader = Reader {
            event: Self::default(),
            unknown: Vec::new(),
            settings,
        };
        // As large as it gets in nearly all cases: growing piece by piece costs more than all that is written.
        reader.event.shared.reserve(128);
        reader.event.summary.reserve(64);
        if let Some(fetch) = &item.fetch {
            reader.event.facts.reserve(512);
            reader.parts(fetch);
            return reader.finish();
        }
        reader.event.facts.reserve(token.map_or(0, str::len) + 64);
        let Some(token) = token else {
            reader.event.kind = "other";
            reader.event.summary.push_str("no event");
            return reader.event;
        };
        let has = |name| json::member(token, name).is_some();
        // The shortcut spares a walk over the whole request, which the glue puts first.
        if token.starts_with(r#"{"request":"#) || has("request") {
            reader.fetch(token);
        } else if has("rpcMethod") {
            reader.rpc(token);
        } else if has("queue") {
            reader.queue(token);
        } else if has("cron") {
            reader.scheduled(token);
        } else if has("scheduledTime") {
            reader.alarm(token);
        } else if has("mailFrom") || has("rcptTo") {
            reader.email(token);
        } else if has("consumedEvents") {
            reader.tail(token);
        } else if has("getWebSocketEvent") {
            reader.websocket(token);
        } else {
            reader.other(token);
        }
        reader.finish()
    }
}

/// An event in the making.
struct Reader<'a, 's> {
    event: Event<'a>,
    /// Members that the shape does not have in the published types: kept all the same.
    unknown: Vec<(&'a str, &'a str)>,
    settings: &'s Settings,
}

impl<'a> Reader<'a, '_> {
    fn fact(&mut self, name: &str, value: &str) {
        member(&mut self.event.facts, name, value, self.settings);
    }

    /// Takes the members of `token`: those in `known` as facts by the name beside them, any other as unknown.
    fn facts(&mut self, token: &'a str, known: &[(&str, &str)]) {
        for (key, value) in json::members(token) {
            let name = json::unquoted(key);
            match known.iter().find(|(from, _)| *from == name) {
                Some((_, to)) => self.fact(to, value),
                None => self.unknown.push((key, value)),
            }
        }
    }

    fn fetch(&mut self, token: &'a str) {
        self.event.kind = "fetch";
        let (mut method, mut path, mut status) = (None, None, None);
        for (key, value) in json::members(token) {
            match json::unquoted(key) {
                "request" if json::is_object(value) => {
                    self.request(value, &mut method, &mut path);
                }
                "response" if json::is_object(value) => {
                    for (key, value) in json::members(value) {
                        if json::unquoted(key) == "status" && value.len() <= SHARED_BYTES {
                            status = Some(value);
                        } else {
                            self.unknown.push((key, value));
                        }
                    }
                }
                _ if value == "null" => {}
                _ => self.unknown.push((key, value)),
            }
        }
        self.fetched(method, path.as_deref(), status);
    }

    /// [`Reader::fetch`] of what the glue has taken apart.
    fn parts(&mut self, fetch: &Fetch<'a>) {
        self.event.kind = "fetch";
        let method = fetch.method.and_then(|method| self.method(method));
        let path = fetch.url.and_then(|url| self.url(url));
        if let Some(headers) = fetch.headers {
            self.headers(headers);
        }
        for (name, value) in [("colo", fetch.colo), ("country", fetch.country)] {
            if let Some(value) = value {
                self.fact(name, value);
            }
        }
        self.fetched(method, path.as_deref(), fetch.status);
    }

    /// Writes what is known of a request.
    fn fetched(&mut self, method: Option<&str>, path: Option<&str>, status: Option<&str>) {
        let shared = &mut self.event.shared;
        if let Some(method) = method {
            member(shared, "method", method, self.settings);
        }
        if let Some(path) = path {
            self::key(shared, "path");
            json::write_string(shared, path);
        }
        if let Some(status) = status {
            member(shared, "status", status, self.settings);
        }
        self.event.status = status.and_then(|status| json::display(status).parse().ok());
        let summary = &mut self.event.summary;
        summary.push_str(&method.map_or(Cow::Borrowed("?"), json::display));
        summary.push(' ');
        summary.push_str(path.unwrap_or("?"));
        if let Some(status) = status {
            summary.push(' ');
            summary.push_str(&json::display(status));
        }
    }

    fn request(&mut self, token: &'a str, method: &mut Option<&'a str>, path: &mut Option<String>) {
        for (key, value) in json::members(token) {
            match json::unquoted(key) {
                "method" => *method = self.method(value),
                "url" => *path = self.url(value),
                "headers" => self.headers(value),
                "cf" => {
                    // The rest of `cf` describes the connection, at length, and is not kept.
                    for name in ["colo", "country"] {
                        if let Some(value) = json::member(value, name) {
                            self.fact(name, value);
                        }
                    }
                }
                _ => self.unknown.push((key, value)),
            }
        }
    }

    /// Takes the request's method, and returns it where it is one.
    fn method(&mut self, token: &'a str) -> Option<&'a str> {
        if token.len() <= SHARED_BYTES {
            return Some(token);
        }
        self.fact("method", token);
        None
    }

    /// Takes the request's URL, and returns its path.
    fn url(&mut self, token: &'a str) -> Option<String> {
        if !json::is_string(token) {
            self.fact("url", token);
            return None;
        }
        let url = json::decode(token);
        let url = redact::url(&url, &self.settings.names);
        self::key(&mut self.event.facts, "url");
        json::write_string(&mut self.event.facts, &url);
        Some(cut_path(path_of(&url)))
    }

    /// Takes the request's headers: an object, or a list of pairs.
    fn headers(&mut self, token: &'a str) {
        if !json::is_object(token) && !json::is_array(token) {
            // No telling what is secret in it.
            key(&mut self.event.facts, "headers");
            json::write_string(&mut self.event.facts, REDACTED);
            return;
        }
        // One of the two is empty.
        let pairs = json::members(token).chain(
            json::elements(token)
                .filter_map(|pair| {
                    let mut pair = json::elements(pair);
                    Some((pair.next()?, pair.next()?))
                })
                .filter(|(name, _)| json::is_string(name)),
        );
        let (mut correlation, mut request, mut trace) = (None, None, None);
        let mut separator = b'{';
        for (key, value) in pairs {
            let name = json::decode(key);
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("x-correlation-id") {
                correlation = json::text(value);
            } else if is("x-request-id") {
                request = json::text(value);
            } else if is("traceparent") {
                trace = json::text(value).and_then(|header| trace_id(&header));
            } else if is("cf-ray") {
                self.event.ray = json::text(value).filter(|ray| ray.len() <= RAY_BYTES);
            }
            if !self.settings.keep_headers.keeps(&name) {
                continue;
            }
            let out = &mut self.event.facts;
            if separator == b'{' {
                self::key(out, "headers");
            }
            out.push(separator);
            separator = b',';
            clean::write_string_token(out, key);
            out.push(b':');
            write_header(out, &name, value, &self.settings.names);
        }
        self.event.correlation = correlation.or(request).or(trace);
        if separator == b',' {
            self.event.facts.push(b'}');
        }
    }

    fn rpc(&mut self, token: &'a str) {
        self.event.kind = "rpc";
        self.facts(token, &[("rpcMethod", "rpc_method")]);
        self.summarize("rpc", json::member(token, "rpcMethod"));
    }

    fn queue(&mut self, token: &'a str) {
        self.event.kind = "queue";
        self.facts(token, &[("queue", "queue"), ("batchSize", "batch_size")]);
        self.summarize("queue", json::member(token, "queue"));
        if let Some(size) = json::member(token, "batchSize").filter(|size| *size != "null") {
            let plural = if size == "1" { "" } else { "s" };
            let _ = write!(
                self.event.summary,
                ": {} message{plural}",
                json::display(size)
            );
        }
    }

    fn scheduled(&mut self, token: &'a str) {
        self.event.kind = "scheduled";
        self.facts(
            token,
            &[("cron", "cron"), ("scheduledTime", "scheduled_time")],
        );
        self.summarize("cron", json::member(token, "cron"));
    }

    fn alarm(&mut self, token: &'a str) {
        self.event.kind = "alarm";
        self.facts(token, &[("scheduledTime", "scheduled_time")]);
        self.summarize("alarm", None);
    }

    fn email(&mut self, token: &'a str) {
        self.event.kind = "email";
        self.facts(
            token,
            &[
                ("mailFrom", "mail_from"),
                ("rcptTo", "rcpt_to"),
                ("rawSize", "raw_size"),
            ],
        );
        self.summarize("email from", json::member(token, "mailFrom"));
        if let Some(to) = json::member(token, "rcptTo") {
            let _ = write!(self.event.summary, " to {}", json::display(to));
        }
    }

    fn tail(&mut self, token: &'a str) {
        self.event.kind = "tail";
        self.facts(token, &[("consumedEvents", "consumed_events")]);
        let events = json::member(token, "consumedEvents").unwrap_or_default();
        let mut names: Vec<Cow<'_, str>> = json::elements(events)
            .filter_map(|event| json::text(json::member(event, "scriptName")?))
            .collect();
        let count = json::elements(events).count();
        let plural = if count == 1 { "" } else { "s" };
        let _ = write!(self.event.summary, "tail: {count} event{plural}");
        names.dedup();
        if !names.is_empty() {
            let _ = write!(self.event.summary, " of {}", names.join(", "));
        }
    }

    fn websocket(&mut self, token: &'a str) {
        self.event.kind = "websocket";
        for (key, value) in json::members(token) {
            if json::unquoted(key) == "getWebSocketEvent" && json::is_object(value) {
                self.facts(
                    value,
                    &[
                        ("webSocketEventType", "websocket_event"),
                        ("code", "websocket_code"),
                        ("wasClean", "websocket_was_clean"),
                    ],
                );
                self.summarize("websocket", json::member(value, "webSocketEventType"));
                if let Some(code) = json::member(value, "code") {
                    let _ = write!(self.event.summary, " {}", json::display(code));
                }
                if json::member(value, "wasClean") == Some("false") {
                    self.event.summary.push_str(" (not clean)");
                }
            } else {
                self.unknown.push((key, value));
            }
        }
        if self.event.summary.is_empty() {
            self.summarize("websocket", None);
        }
    }

    /// `connect` and custom events are empty objects; what the future brings is not.
    fn other(&mut self, token: &'a str) {
        self.event.kind = "other";
        if json::is_object(token) {
            self.unknown.extend(json::members(token));
        } else {
            self.fact("event", token);
        }
        self.event.summary.push_str("event");
        let names: Vec<_> = self
            .unknown
            .iter()
            .map(|(key, _)| json::decode(key))
            .collect();
        if !names.is_empty() {
            let _ = write!(self.event.summary, " with {}", names.join(", "));
        }
    }

    fn summarize(&mut self, what: &str, of: Option<&str>) {
        self.event.summary.push_str(what);
        if let Some(of) = of {
            let _ = write!(self.event.summary, " {}", json::display(of));
        }
    }

    fn finish(mut self) -> Event<'a> {
        if !self.unknown.is_empty() {
            key(&mut self.event.facts, "event");
            write_object(&mut self.event.facts, &self.unknown, self.settings);
        }
        self.event
    }
}

fn write_header(out: &mut Vec<u8>, name: &str, value: &str, names: &Names) {
    if names.marks(name) {
        json::write_string(out, REDACTED);
    } else if json::is_string(value) && value.bytes().any(|byte| matches!(byte, b'?' | b'@')) {
        // `referer` and its like hold URLs, with secrets of their own.
        json::write_string(out, &redact::url(&json::decode(value), names));
    } else {
        clean::write(out, value, names);
    }
}

/// Appends the members as an object. Only names are known of them, so those are judged like headers as well.
pub(crate) fn write_object(out: &mut Vec<u8>, members: &[(&str, &str)], settings: &Settings) {
    let mut separator = b'{';
    for (key, value) in members {
        out.push(separator);
        separator = b',';
        clean::write_string_token(out, key);
        out.push(b':');
        if json::is_string(value) && settings.names.marks(&json::decode(key)) {
            json::write_string(out, REDACTED);
        } else {
            clean::write(out, value, &settings.names);
        }
    }
    out.extend_from_slice(if members.is_empty() { b"{}" } else { b"}" });
}

/// A path of at most [`PATH_BYTES`]; a longer one is shortened, visibly.
fn cut_path(path: &str) -> String {
    let end = path.floor_char_boundary(PATH_BYTES);
    let mut cut = path.get(..end).unwrap_or_default().to_owned();
    if end < path.len() {
        cut.push('…');
    }
    cut
}

/// The path of a URL, without query and fragment.
fn path_of(url: &str) -> &str {
    let after_scheme = memchr::memchr_iter(b':', url.as_bytes())
        .find_map(|colon| url.get(colon..)?.strip_prefix("://"));
    let rest = after_scheme.map_or(url, |rest| {
        let at = memchr::memchr3(b'/', b'?', b'#', rest.as_bytes());
        at.and_then(|at| rest.get(at..)).unwrap_or("/")
    });
    let end = memchr::memchr2(b'?', b'#', rest.as_bytes()).unwrap_or(rest.len());
    let path = rest.get(..end).unwrap_or_default();
    if path.is_empty() { "/" } else { path }
}

/// The trace id of a `traceparent` header: `00-<32 hex digits>-<16>-<2>`; all zeros is none.
fn trace_id(header: &str) -> Option<Cow<'static, str>> {
    let id = header.trim().split('-').nth(1)?;
    let valid = id.len() == 32
        && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        && id.bytes().any(|byte| byte != b'0');
    valid.then(|| Cow::Owned(id.to_ascii_lowercase()))
}
