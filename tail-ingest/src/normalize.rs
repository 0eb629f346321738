//! Trace events in, records out: the one code that the Worker, the tests, the bench and `tailrace normalize` run.
//! `trace` reads the events, `event` and `console` understand their parts, `pack` takes the rows.

use log_record::Level;
use uuid::Uuid;

use crate::clean;
use crate::console::{self, Console};
use crate::event::{self, Event};
use crate::ids::{LogIds, Random};
use crate::json;
use crate::redact::Names;
use crate::scan::{Keys, begins_with};
use crate::settings::Settings;
use crate::timestamp::{self, Clock};
use crate::trace::{self, TraceItem};

/// The name of a Worker that nothing names.
pub const UNKNOWN_WORKER: &str = "unknown-worker";

/// The longest correlation id, in bytes: a longer one is cut to this, and the line's context keeps all of it.
pub const CORRELATION_BYTES: usize = 256;

/// The longest Worker name, in bytes; the platform's own limit is 63 (255 for Workers for Platforms).
const WORKER_BYTES: usize = 255;

/// What became of the events of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Trace events read.
    pub items: usize,
    /// Records made and kept.
    pub records: usize,
    /// Records of excluded Workers and of the pipeline itself.
    pub excluded: usize,
    /// Records below the minimum level.
    pub below_level: usize,
    /// Records of correlation ids that are not in the sample.
    pub sampled_out: usize,
    /// Records kept whose ends were cut.
    pub cut: usize,
}

/// Takes the rows, each one wire array, as they are written.
pub(crate) trait Sink {
    /// Begins a row.
    fn begin(&mut self);
    /// What the row is appended to.
    fn row(&mut self) -> &mut Vec<u8>;
    /// Ends the row; returns whether it had to be cut.
    fn end(&mut self) -> bool;
}

/// What one call needs besides the events.
pub(crate) struct Normalizer<'s, S> {
    settings: &'s Settings,
    now_ms: u64,
    random: Random,
    clock: Clock,
    pub(crate) sink: S,
    pub(crate) counts: Counts,
}

/// A line of the invocation: everything but the invocation record itself.
struct Line<'i, 'a> {
    ms: u64,
    body: Body<'i, 'a>,
}

impl Line<'_, '_> {
    fn level(&self) -> Level {
        match &self.body {
            Body::Log(console) => console.level(),
            Body::Exception(_) => Level::Error,
            Body::Diagnostic(_) => Level::Info,
        }
    }

    /// The line's own correlation id.
    fn correlation(&self) -> Option<&str> {
        match &self.body {
            Body::Log(console) => console.correlation.as_deref(),
            Body::Exception(_) | Body::Diagnostic(_) => None,
        }
    }
}

#[allow(clippy::large_enum_variant)] // nearly all are logs
enum Body<'i, 'a> {
    Log(Console<'i, 'a>),
    Exception(&'a str),
    Diagnostic(&'a str),
}

/// What all records of an invocation share, as it is written.
struct Shared {
    worker: String,
    /// The beginning of each row, now of the last one: `["log_id","worker","request","correlation",`.
    start: Vec<u8>,
    /// Where the correlation id stands in `start`.
    correlation_at: usize,
    /// The correlation id in `start`.
    correlation: String,
    ids: LogIds,
    /// `,"event_type":"fetch","outcome":"ok","method":…`
    context: Vec<u8>,
    /// The end of each row, now of the last one: `},"timestamp",12]`.
    end: Vec<u8>,
    /// The time in `end`.
    end_ms: Option<u64>,
}

/// Where the id stands in [`Shared::start`].
const ID: usize = r#"[""#.len();

/// Where the time stands in [`Shared::end`].
const TIME: usize = r#"},""#.len();

impl Shared {
    /// Puts a correlation id into `start`: nearly always that of the row before.
    fn correlate(&mut self, correlation: &str) {
        let same = self.correlation.len() == correlation.len()
            && begins_with(correlation.as_bytes(), self.correlation.as_bytes());
        if !same || self.start.len() == self.correlation_at {
            self.start.truncate(self.correlation_at);
            json::write_string(&mut self.start, correlation);
            self.start.push(b',');
            correlation.clone_into(&mut self.correlation);
        }
    }
}

// How the contexts begin, by kind.
const INVOCATION: &[u8; 28] = br#",{"kind":"invocation","seq":"#;
const LOG: &[u8; 21] = br#",{"kind":"log","seq":"#;
const EXCEPTION: &[u8; 27] = br#",{"kind":"exception","seq":"#;
const DIAGNOSTIC: &[u8; 28] = br#",{"kind":"diagnostic","seq":"#;

impl<'s, S: Sink> Normalizer<'s, S> {
    /// `seed` is random for each call, `now_ms` the time for events that tell none.
    pub(crate) fn new(settings: &'s Settings, seed: u64, now_ms: u64, sink: S) -> Self {
        Self {
            settings,
            now_ms,
            random: Random::new(seed),
            clock: Clock::default(),
            sink,
            counts: Counts::default(),
        }
    }

    /// Makes the records of one trace event.
    pub(crate) fn item(&mut self, item: &TraceItem<'_>) {
        self.counts.items += 1;
        let event_ms = item.event_timestamp.and_then(timestamp::from_token);
        let prefix = trace::worker_prefix(item);
        let mut lines = lines(item, prefix, &self.settings.names);
        let worker = worker(item, prefix, &lines);
        if self.settings.excludes(&worker) {
            self.counts.excluded += item.records();
            return;
        }
        let start_ms = put_in_order(&mut lines, event_ms).unwrap_or(self.now_ms);
        let mut event = Event::read(item, self.settings);
        if item.is_unreadable() {
            "no trace event".clone_into(&mut event.summary);
        }
        // Drawn whether they are needed or not, so that one event's ids do not depend on another's contents.
        let (request, correlation) = (self.random.uuid(start_ms), self.random.uuid(start_ms));
        let mut buffers = [Uuid::encode_buffer(); 2];
        let [request_text, correlation_text] = &mut buffers;
        let request = match &event.ray {
            Some(ray) => ray.as_ref(),
            None => request.hyphenated().encode_lower(request_text),
        };
        let correlation = match &event.correlation {
            Some(id) => cut_id(id),
            None => correlation.hyphenated().encode_lower(correlation_text),
        };
        let mut shared = self.shared(item, worker, request, &event);
        let correlations = correlations(&lines, correlation);

        let first = correlations.first().copied().unwrap_or(correlation);
        self.invocation(item, &event, &mut shared, start_ms, first);
        for (index, (line, correlation)) in lines.iter().zip(&correlations).enumerate() {
            self.line(line, &mut shared, correlation, index + 1);
        }
    }

    fn shared(
        &mut self,
        item: &TraceItem<'_>,
        worker: String,
        request: &str,
        event: &Event<'_>,
    ) -> Shared {
        let mut start = Vec::with_capacity(160);
        start.extend_from_slice(br#"["00000000-0000-0000-0000-000000000000","#);
        json::write_string(&mut start, &worker);
        start.push(b',');
        json::write_string(&mut start, request);
        start.push(b',');

        let mut end = Vec::with_capacity(48);
        end.extend_from_slice(br#"},"0000-00-00T00:00:00.000Z","#);
        match item.cpu_time.and_then(timestamp::from_token) {
            Some(execution) => json::write_whole(&mut end, execution),
            None => end.extend_from_slice(b"null"),
        }
        end.push(b']');

        let mut context = Vec::with_capacity(160);
        context.extend_from_slice(b",\"event_type\":\"");
        context.extend_from_slice(event.kind.as_bytes());
        context.push(b'"');
        if let Some(outcome) = item.outcome {
            event::member(&mut context, "outcome", outcome, self.settings);
        }
        context.extend_from_slice(&event.shared);
        Shared {
            worker,
            correlation_at: start.len(),
            start,
            correlation: String::new(),
            ids: LogIds::new(self.random.number()),
            context,
            end,
            end_ms: None,
        }
    }

    fn invocation(
        &mut self,
        item: &TraceItem<'_>,
        event: &Event<'_>,
        shared: &mut Shared,
        ms: u64,
        correlation: &str,
    ) {
        let outcome = item.outcome.map(json::display);
        let level = invocation_level(outcome.as_deref(), event.status);
        if !self.keeps(level, correlation) {
            return;
        }
        self.begin(shared, ms, 0, correlation, level);
        self.sink.row().push(b'"');
        json::write_escaped(self.sink.row(), &event.summary);
        match outcome.as_deref() {
            None | Some("ok") => {
                if event.kind == "fetch" && event.status.is_none() {
                    self.sink.row().extend_from_slice(b" (no response)");
                }
            }
            Some(outcome) => {
                self.sink.row().push(b' ');
                json::write_escaped(self.sink.row(), outcome);
            }
        }
        if event.kind == "fetch"
            && let Some(wall) = item.wall_time.and_then(timestamp::from_token)
        {
            self.sink.row().extend_from_slice(b" (");
            json::write_whole(self.sink.row(), wall);
            self.sink.row().extend_from_slice(b" ms)");
        }
        self.sink.row().push(b'"');
        self.begin_context(INVOCATION, 0, shared);
        self.sink.row().extend_from_slice(&event.facts);
        self.item_facts(item);
        self.end(shared, ms);
    }

    /// Writes what the trace event itself says, beside `event`.
    fn item_facts(&mut self, item: &TraceItem<'_>) {
        let row = self.sink.row();
        let settings = self.settings;
        if let Some(wall) = item.wall_time {
            event::member(row, "latency_ms", wall, settings);
        }
        if let Some(cpu) = item.cpu_time {
            event::member(row, "cpu_time_ms", cpu, settings);
        }
        for (name, value) in &item.facts {
            event::member(row, name, value, settings);
        }
        if let Some(truncated) = item.truncated.filter(|truncated| *truncated != "false") {
            event::member(row, "truncated", truncated, settings);
        }
        if let Some(attributes) = item.tail_attributes {
            event::key(row, "tail_attributes");
            if json::is_object(attributes) {
                let attributes: Vec<_> = json::members(attributes).collect();
                event::write_object(row, &attributes, settings);
            } else {
                clean::write(row, attributes, &settings.names);
            }
        }
        // A name or time that is there but cannot be read is kept beside what stands in for it.
        if let Some(name) = item.script_name.filter(|name| json::text(name).is_none()) {
            event::member(row, "script_name", name, settings);
        }
        if let Some(time) = item
            .event_timestamp
            .filter(|time| timestamp::from_token(time).is_none())
        {
            event::member(row, "event_timestamp", time, settings);
        }
        if !item.unknown.is_empty() {
            event::key(row, "unknown");
            event::write_object(row, &item.unknown, settings);
        }
    }

    fn line(&mut self, line: &Line<'_, '_>, shared: &mut Shared, correlation: &str, seq: usize) {
        let level = line.level();
        if !self.keeps(level, correlation) {
            return;
        }
        let settings = self.settings;
        self.begin(shared, line.ms, seq, correlation, level);
        match &line.body {
            Body::Log(console) => {
                console.write_message(self.sink.row(), &settings.names);
                self.begin_context(LOG, seq, shared);
                console.write_context(self.sink.row(), &shared.worker, settings);
                if let Some(id) = line.correlation().filter(|id| id.len() > CORRELATION_BYTES) {
                    event::key(self.sink.row(), "correlation_id");
                    json::write_string(self.sink.row(), id);
                }
            }
            Body::Exception(token) => self.exception(token, seq, shared),
            Body::Diagnostic(token) => self.diagnostic(token, seq, shared),
        }
        self.end(shared, line.ms);
    }

    fn exception(&mut self, token: &str, seq: usize, shared: &mut Shared) {
        let object = json::is_object(token);
        if object {
            json::write_string(self.sink.row(), &console::error_title(token));
        } else {
            json::write_string(self.sink.row(), &json::display(token));
        }
        self.begin_context(EXCEPTION, seq, shared);
        if let Some(name) = json::member(token, "name").filter(|name| *name != "null") {
            event::member(self.sink.row(), "name", name, self.settings);
        }
        if let Some(stack) = console::stack(token) {
            event::key(self.sink.row(), "stack");
            json::write_string(self.sink.row(), &stack);
        }
        self.unknown(token, &["timestamp", "name", "message", "stack"]);
    }

    fn diagnostic(&mut self, token: &str, seq: usize, shared: &mut Shared) {
        let channel = json::member(token, "channel").map(json::display);
        let message = json::member(token, "message");
        self.sink.row().push(b'"');
        if let Some(channel) = &channel {
            json::write_escaped(self.sink.row(), channel);
        }
        if let Some(message) = message {
            let mut text = Vec::new();
            clean::write(&mut text, message, &self.settings.names);
            let text = String::from_utf8(text).unwrap_or_default();
            if channel.is_some() {
                self.sink.row().extend_from_slice(b": ");
            }
            json::write_escaped(self.sink.row(), &json::display(&text));
        }
        self.sink.row().push(b'"');
        self.begin_context(DIAGNOSTIC, seq, shared);
        if let Some(channel) = &channel {
            event::key(self.sink.row(), "channel");
            json::write_string(self.sink.row(), channel);
        }
        if let Some(message) = message {
            event::member(self.sink.row(), "data", message, self.settings);
        }
        self.unknown(token, &["timestamp", "channel", "message"]);
    }

    /// Writes the members of `token` that are not `known`; all of it, if it is no object.
    fn unknown(&mut self, token: &str, known: &[&str]) {
        if !json::is_object(token) {
            event::member(self.sink.row(), "unknown", token, self.settings);
            return;
        }
        let unknown: Vec<_> = json::members(token)
            .filter(|(key, _)| !known.contains(&json::unquoted(key)))
            .collect();
        if !unknown.is_empty() {
            event::key(self.sink.row(), "unknown");
            event::write_object(self.sink.row(), &unknown, self.settings);
        }
    }

    /// Whether a record is stored, and counts it.
    fn keeps(&mut self, level: Level, correlation: &str) -> bool {
        if level < self.settings.min_level {
            self.counts.below_level += 1;
        } else if level < Level::Error && !in_sample(correlation, self.settings.sample_rate) {
            self.counts.sampled_out += 1;
        } else {
            self.counts.records += 1;
            return true;
        }
        false
    }

    /// Writes a row up to its message.
    fn begin(&mut self, shared: &mut Shared, ms: u64, seq: usize, correlation: &str, level: Level) {
        shared.correlate(correlation);
        let start = &mut shared.start;
        if let Some(id) = start.get_mut(ID..).and_then(<[u8]>::first_chunk_mut) {
            let seq = u64::try_from(seq).unwrap_or(u64::MAX);
            shared.ids.write(id, ms, seq);
        }
        self.sink.begin();
        let row = self.sink.row();
        row.extend_from_slice(start);
        // Of one length, which the compiler knows, and then made shorter.
        let (padded, padding) = match level {
            Level::Debug => (br#""debug","#, 0),
            Level::Info => (br#""info", "#, 1),
            Level::Warn => (br#""warn", "#, 1),
            Level::Error => (br#""error","#, 0),
        };
        row.extend_from_slice(padded);
        row.truncate(row.len() - padding);
    }

    /// Writes the beginning of the context: `kind`, see [`LOG`], and `seq` always come first.
    fn begin_context<const N: usize>(&mut self, kind: &[u8; N], seq: usize, shared: &Shared) {
        let row = self.sink.row();
        row.extend_from_slice(kind);
        json::write_whole(row, u64::try_from(seq).unwrap_or(u64::MAX));
        row.extend_from_slice(&shared.context);
    }

    /// Writes the rest of the row and hands it on.
    fn end(&mut self, shared: &mut Shared, ms: u64) {
        if shared.end_ms != Some(ms)
            && let Some(time) = shared.end.get_mut(TIME..).and_then(<[u8]>::first_chunk_mut)
        {
            *time = self.clock.text(ms);
            shared.end_ms = Some(ms);
        }
        self.sink.row().extend_from_slice(&shared.end);
        self.counts.cut += usize::from(self.sink.end());
    }
}

/// The lines of an item as they are listed: logs, exceptions, diagnostics; `ms` is 0 where a line tells no time.
fn lines<'i, 'a>(
    item: &'i TraceItem<'a>,
    prefix: Option<&'i str>,
    names: &Names,
) -> Vec<Line<'i, 'a>> {
    let time = |token: &str| {
        json::member(token, "timestamp")
            .and_then(timestamp::from_token)
            .unwrap_or_default()
    };
    let mut keys = Keys::new(names);
    let mut last = ("", 0); // the timestamp of the line before: many have the very same token
    let mut lines =
        Vec::with_capacity(item.logs.len() + item.exceptions.len() + item.diagnostics.len());
    for log in &item.logs {
        if !std::ptr::eq(last.0, log.timestamp) {
            let ms = timestamp::from_token(log.timestamp).unwrap_or_default();
            last = (log.timestamp, ms);
        }
        lines.push(Line {
            ms: last.1,
            body: Body::Log(Console::new(item, log, prefix)),
        });
        if let Some(Line {
            body: Body::Log(console),
            ..
        }) = lines.last_mut()
        {
            console.read(&mut keys);
        }
    }
    lines.extend(item.exceptions.iter().map(|token| Line {
        ms: time(token),
        body: Body::Exception(token),
    }));
    lines.extend(item.diagnostics.iter().map(|token| Line {
        ms: time(token),
        body: Body::Diagnostic(token),
    }));
    lines
}

/// Puts the lines into the order in which they were logged and gives each a time that keeps it: within its own list a
/// line is never earlier than the one before it, whatever the clock did. Returns the invocation's own time, if any
/// part of the event tells one.
fn put_in_order(lines: &mut [Line<'_, '_>], event_ms: Option<u64>) -> Option<u64> {
    let start = event_ms.or_else(|| lines.iter().map(|line| line.ms).find(|ms| *ms > 0));
    let mut list = 0;
    let mut reached = 0;
    for line in lines.iter_mut() {
        let this = match line.body {
            Body::Log(_) => 0,
            Body::Exception(_) => 1,
            Body::Diagnostic(_) => 2,
        };
        if this != list {
            (list, reached) = (this, 0);
        }
        if line.ms == 0 {
            line.ms = reached.max(start.unwrap_or_default());
        }
        line.ms = line.ms.max(reached);
        reached = line.ms;
    }
    // They nearly always are.
    if !lines.is_sorted_by_key(|line| line.ms) {
        lines.sort_by_key(|line| line.ms);
    }
    start
}

/// The Worker's name: the runtime's, else what the local runtime or a line says, else what stands for none.
fn worker(item: &TraceItem<'_>, prefix: Option<&str>, lines: &[Line<'_, '_>]) -> String {
    let said = || {
        lines.iter().find_map(|line| match &line.body {
            Body::Log(console) => console.worker.as_deref(),
            _ => None,
        })
    };
    let name = match (item.script_name.and_then(json::text), prefix) {
        (Some(name), _) => name.into_owned(),
        // The local runtime does not know the name of every Worker it runs, and then says so.
        (None, Some(prefix)) if prefix != "[undefined]" => {
            prefix.trim_matches(['[', ']']).to_owned()
        }
        (None, _) => said().unwrap_or(UNKNOWN_WORKER).to_owned(),
    };
    let end = name.floor_char_boundary(WORKER_BYTES);
    name.get(..end).unwrap_or_default().to_owned()
}

/// Each line's correlation id: its own, else that of the nearest earlier line with one, else of the first later one,
/// else `fallback`.
fn correlations<'c>(lines: &'c [Line<'_, '_>], fallback: &'c str) -> Vec<&'c str> {
    let mut nearest = lines.iter().find_map(Line::correlation).unwrap_or(fallback);
    lines
        .iter()
        .map(|line| {
            if let Some(own) = line.correlation() {
                nearest = own;
            }
            cut_id(nearest)
        })
        .collect()
}

/// An id without surrounding space, cut to [`CORRELATION_BYTES`].
fn cut_id(id: &str) -> &str {
    // Nearly none has space around it.
    let id = match id.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => id,
        _ => id.trim(),
    };
    id.get(..id.floor_char_boundary(CORRELATION_BYTES))
        .unwrap_or_default()
}

/// An invocation is an error when its outcome is not ok or its status is 5xx, a warning on 4xx or when it was canceled.
fn invocation_level(outcome: Option<&str>, status: Option<u16>) -> Level {
    let by_outcome = match outcome {
        None | Some("ok") => Level::Info,
        Some("canceled") => Level::Warn,
        Some(_) => Level::Error,
    };
    let by_status = match status {
        Some(500..) => Level::Error,
        Some(400..) => Level::Warn,
        _ => Level::Info,
    };
    by_outcome.max(by_status)
}

/// Whether a correlation id belongs to the sample: the same answer in every Worker and every call (FNV-1a, mixed).
fn in_sample(correlation: &str, rate: f64) -> bool {
    if rate >= 1.0 {
        return true;
    }
    let hash = correlation
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    // The upper 53 bits are exact as a number between 0 and 1.
    #[allow(clippy::cast_precision_loss)]
    let share = (Random::new(hash).number() >> 11) as f64 / (1_u64 << 53) as f64;
    share < rate
}
