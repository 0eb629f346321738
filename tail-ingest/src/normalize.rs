//! Trace events in, records out: the one code that the Worker, the tests, the bench and `tailrace normalize` run.
//! `trace_item` reads the events, `event` and `console` understand their parts.

use std::borrow::Cow;

use log_record::{Level, RecordRow};
use uuid::Uuid;
use worker_runtime::timestamp::{LAST_MS, format_ms};

use crate::console::{self, ConsoleLine};
use crate::correlation::{CORRELATION_BYTES, IdKind, cut_id, resolve};
use crate::event::Event;
use crate::ids::{Random, log_id};
use crate::json::Json;
use crate::json_writer::{ObjectWriter, redact_text, redacted_text};
use crate::pack::RowWriter;
use crate::settings::Settings;
use crate::trace_item::{Texts, TraceItem};

/// The name of a Worker that nothing names.
pub const UNKNOWN_WORKER: &str = "unknown-worker";

/// The longest Worker name, in bytes; the platform's own limit is 63 (255 for Workers for Platforms).
const WORKER_BYTES: usize = 255;

/// The number of records by what became of them in one call.
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
    /// Records that could not be written or packed. None is known to be possible; a bug would show here.
    pub unwritable: usize,
}

/// Makes the records of one call's trace events.
pub(crate) struct Normalizer<'s, W> {
    settings: &'s Settings,
    now_ms: u64,
    random: Random,
    timestamps: TimestampFormatter,
    /// The row that is being written; its memory is used again.
    row: String,
    pub(crate) rows: W,
    pub(crate) counts: Counts,
}

/// A line of the invocation: everything but the invocation record itself.
struct Line<'i> {
    ms: u64,
    content: LineContent<'i>,
}

enum LineContent<'i> {
    Log(Box<ConsoleLine<'i>>),
    Exception(Json<'i>),
    Diagnostic(Json<'i>),
}

impl Line<'_> {
    fn level(&self) -> Level {
        match &self.content {
            LineContent::Log(console) => console.level(),
            LineContent::Exception(_) => Level::Error,
            LineContent::Diagnostic(_) => Level::Info,
        }
    }

    fn id(&self) -> Option<(IdKind, &str)> {
        match &self.content {
            LineContent::Log(console) => console.id().map(|found| (found.kind, found.id.as_ref())),
            LineContent::Exception(_) | LineContent::Diagnostic(_) => None,
        }
    }

    /// Returns the list of the trace event that the line came from.
    fn list(&self) -> usize {
        match &self.content {
            LineContent::Log(_) => 0,
            LineContent::Exception(_) => 1,
            LineContent::Diagnostic(_) => 2,
        }
    }
}

/// The parts that all records of an invocation share.
struct Invocation<'i> {
    worker: &'i str,
    request: &'i str,
    /// The invocation's own random number, for `log_id`.
    random: u64,
    execution_time_ms: Option<u64>,
    /// `event_type`, `outcome` and what else stands on every record, as members.
    shared: String,
}

/// One record's own parts.
struct Draft<'d> {
    seq: usize,
    ms: u64,
    correlation: &'d str,
    level: Level,
    message: &'d str,
}

impl<'s, W: RowWriter> Normalizer<'s, W> {
    /// `seed` is random for each call, `now_ms` the time for events that tell none.
    pub(crate) fn new(settings: &'s Settings, seed: u64, now_ms: u64, rows: W) -> Self {
        Self {
            settings,
            now_ms,
            random: Random::new(seed),
            timestamps: TimestampFormatter::default(),
            row: String::new(),
            rows,
            counts: Counts::default(),
        }
    }

    /// Makes the records of one trace event, whatever `value` is. Its lines take their texts from `texts`.
    pub(crate) fn write_item<'i>(&mut self, value: Json<'i>, texts: &mut Texts<'i>) {
        let mut item = TraceItem::read(value, texts);
        self.counts.items += 1;
        let prefix = item.take_worker_prefix();
        let item = &item;
        let mut lines = read_lines(item);
        let worker = worker_name(item, prefix.as_deref(), &lines);
        if self.settings.excludes(&worker) {
            self.counts.excluded += item.record_count();
            return;
        }
        let event_ms = item.event_timestamp.and_then(read_timestamp);
        let start_ms = put_in_order(&mut lines, event_ms).unwrap_or(self.now_ms);
        let event = Event::read(item, self.settings);

        // Drawn whether they are needed or not, so that one event's ids do not depend on another's contents.
        let request = self.random.uuid(start_ms).to_string();
        let fallback = self.random.uuid(start_ms).to_string();
        let mut shared = ObjectWriter::new(&self.settings.redactor);
        shared.add_text("event_type", event.kind);
        if let Some(outcome) = item.outcome {
            shared.add_value("outcome", outcome);
        }
        shared.add_members(&event.shared);
        let invocation = Invocation {
            worker: &worker,
            request: event.ray.as_deref().unwrap_or(&request),
            random: self.random.number(),
            execution_time_ms: item.cpu_time.and_then(Json::as_whole),
            shared: shared.finish_members(),
        };
        let ids = InvocationIds::new(&event, &lines, &fallback);

        self.write_invocation(item, &event, &invocation, start_ms, ids.invocation());
        let mut correlations = ids.of_lines();
        for (index, line) in lines.iter().enumerate() {
            self.write_line(line, &invocation, correlations.next_line(line), index + 1);
        }
    }

    fn write_invocation(
        &mut self,
        item: &TraceItem<'_>,
        event: &Event,
        invocation: &Invocation<'_>,
        ms: u64,
        correlation: &str,
    ) {
        let outcome = item.outcome.map(Json::display);
        let level = invocation_level(outcome.as_deref(), event.status);
        if !self.keeps(level, correlation, false) {
            return;
        }
        let mut message = if item.is_unreadable {
            "no trace event".to_owned()
        } else {
            event.summary.clone()
        };
        match outcome.as_deref() {
            None | Some("ok") => {
                if event.kind == "fetch" && event.status.is_none() {
                    message.push_str(" (no response)");
                }
            }
            Some(outcome) => {
                message.push(' ');
                message.push_str(outcome);
            }
        }
        if event.kind == "fetch"
            && let Some(wall) = item.wall_time.and_then(Json::as_whole)
        {
            message.extend([" (", &wall.to_string(), " ms)"]);
        }
        let message = redact_text(&message, &self.settings.redactor).into_owned();
        let draft = Draft {
            seq: 0,
            ms,
            correlation,
            level,
            message: &message,
        };
        self.write_record("invocation", invocation, &draft, |out| {
            out.add_members(&event.facts);
            write_item_facts(out, item);
        });
    }

    fn write_line(
        &mut self,
        line: &Line<'_>,
        invocation: &Invocation<'_>,
        correlation: &str,
        seq: usize,
    ) {
        let level = line.level();
        let must_stay = matches!(&line.content, LineContent::Log(log) if log.has_unknown_level());
        if !self.keeps(level, correlation, must_stay) {
            return;
        }
        let redactor = &self.settings.redactor;
        let message = match &line.content {
            LineContent::Log(console) => console.message(redactor),
            LineContent::Exception(error) if error.is_object() => {
                redact_text(&console::error_title(*error), redactor).into_owned()
            }
            LineContent::Exception(other) => redacted_text(*other, redactor).into_owned(),
            LineContent::Diagnostic(event) => diagnostic_message(*event, redactor),
        };
        let draft = Draft {
            seq,
            ms: line.ms,
            correlation,
            level,
            message: &message,
        };
        let kind = match &line.content {
            LineContent::Log(_) => "log",
            LineContent::Exception(_) => "exception",
            LineContent::Diagnostic(_) => "diagnostic",
        };
        self.write_record(kind, invocation, &draft, |out| match &line.content {
            LineContent::Log(console) => {
                console.write_context(out, invocation.worker, correlation);
                if let Some(found) = console
                    .id()
                    .filter(|found| found.id.len() > CORRELATION_BYTES)
                {
                    out.add_text("correlation_id", &found.id);
                }
            }
            LineContent::Exception(error) => write_exception(out, *error),
            LineContent::Diagnostic(event) => write_diagnostic(out, *event),
        });
    }

    /// Writes one record: its context begins with `kind` and `seq`, then what all records share, then its own members.
    fn write_record(
        &mut self,
        kind: &str,
        invocation: &Invocation<'_>,
        draft: &Draft<'_>,
        write_context: impl FnOnce(&mut ObjectWriter<'_>),
    ) {
        let redactor = &self.settings.redactor;
        let seq = u64::try_from(draft.seq).unwrap_or(u64::MAX);
        self.row.clear();
        RecordRow {
            log_id: log_id(draft.ms, seq, invocation.random)
                .hyphenated()
                .encode_lower(&mut Uuid::encode_buffer()),
            worker_name: invocation.worker,
            request_id: invocation.request,
            correlation_id: cut_id(draft.correlation),
            log_level: draft.level,
            message: draft.message,
            timestamp: self.timestamps.format(draft.ms),
            execution_time_ms: invocation.execution_time_ms,
        }
        .write(&mut self.row, |row| {
            let mut context = ObjectWriter::after(std::mem::take(row), redactor);
            context.add_text("kind", kind);
            context.add_number("seq", seq);
            context.add_members(&invocation.shared);
            write_context(&mut context);
            *row = context.finish();
        });
        match self.rows.write_row(&self.row) {
            Some(was_cut) => {
                self.counts.records += 1;
                self.counts.cut += usize::from(was_cut);
            }
            None => self.counts.unwritable += 1,
        }
    }

    /// Returns whether a record is stored, and counts it if not.
    fn keeps(&mut self, level: Level, correlation: &str, must_stay: bool) -> bool {
        if must_stay {
            return true;
        }
        if level < self.settings.min_level {
            self.counts.below_level += 1;
        } else if level < Level::Error && !is_in_sample(correlation, self.settings.sample_rate) {
            self.counts.sampled_out += 1;
        } else {
            return true;
        }
        false
    }
}

/// Adds what the trace event itself says, beside `event`.
fn write_item_facts(out: &mut ObjectWriter<'_>, item: &TraceItem<'_>) {
    let times = [
        ("latency_ms", item.wall_time),
        ("cpu_time_ms", item.cpu_time),
    ];
    for (name, value) in times {
        if let Some(value) = value {
            out.add_value(name, value);
        }
    }
    for (name, value) in &item.facts {
        out.add_value(name, *value);
    }
    if let Some(truncated) = item
        .truncated
        .filter(|truncated| truncated.text() != "false")
    {
        out.add_value("truncated", truncated);
    }
    if let Some(attributes) = item.tail_attributes {
        out.add_value("tail_attributes", attributes);
    }
    // A name or time that is there but cannot be read is kept beside what stands in for it.
    if let Some(name) = item.script_name.filter(|name| !name.is_string()) {
        out.add_value("script_name", name);
    }
    if let Some(time) = item
        .event_timestamp
        .filter(|time| read_timestamp(*time).is_none())
    {
        out.add_value("event_timestamp", time);
    }
    if !item.unknown.is_empty() {
        out.add_object("unknown", |out| {
            for (name, value) in &item.unknown {
                out.add_logged(name, *value);
            }
        });
    }
}

fn write_exception(out: &mut ObjectWriter<'_>, error: Json<'_>) {
    if let Some(name) = error.get_some("name") {
        out.add_value("name", name);
    }
    if let Some(stack) = console::full_stack(error) {
        out.add_text("stack", &redact_text(&stack, out.redactor()));
    }
    write_unknown(out, error, &["timestamp", "name", "message", "stack"]);
}

fn write_diagnostic(out: &mut ObjectWriter<'_>, event: Json<'_>) {
    if let Some(channel) = event.get("channel") {
        out.add_text("channel", &redacted_text(channel, out.redactor()));
    }
    if let Some(message) = event.get("message") {
        out.add_value("data", message);
    }
    write_unknown(out, event, &["timestamp", "channel", "message"]);
}

/// Adds the members of `value` that are not `known`; all of it, if it is not an object.
fn write_unknown(out: &mut ObjectWriter<'_>, value: Json<'_>, known: &[&str]) {
    if !value.is_object() {
        out.add_value("unknown", value);
        return;
    }
    let unknown: Vec<_> = value
        .members()
        .filter(|(name, _)| !known.contains(&name.as_ref()))
        .collect();
    if !unknown.is_empty() {
        out.add_object("unknown", |out| {
            for (name, value) in &unknown {
                out.add_logged(name, *value);
            }
        });
    }
}

fn diagnostic_message(event: Json<'_>, redactor: &crate::redaction::Redactor) -> String {
    let channel = event
        .get("channel")
        .map(|channel| redacted_text(channel, redactor));
    let message = event
        .get("message")
        .map(|message| redacted_text(message, redactor));
    match (channel, message) {
        (Some(channel), Some(message)) => format!("{channel}: {message}"),
        (one, other) => one.or(other).unwrap_or_default().into_owned(),
    }
}

/// Returns the lines of an item as they are listed: logs, exceptions, diagnostics. `ms` is 0 where a line tells no time.
fn read_lines<'i>(item: &'i TraceItem<'i>) -> Vec<Line<'i>> {
    let time = |value: Json<'_>| {
        value
            .get("timestamp")
            .and_then(read_timestamp)
            .unwrap_or_default()
    };
    let logs = item.logs.iter().map(|log| Line {
        ms: log
            .timestamp
            .filter(|ms| *ms <= LAST_MS)
            .unwrap_or_default(),
        content: LineContent::Log(Box::new(ConsoleLine::read(log))),
    });
    let exceptions = item.exceptions.iter().map(|error| Line {
        ms: time(*error),
        content: LineContent::Exception(*error),
    });
    let diagnostics = item.diagnostics.iter().map(|event| Line {
        ms: time(*event),
        content: LineContent::Diagnostic(*event),
    });
    logs.chain(exceptions).chain(diagnostics).collect()
}

/// Returns the milliseconds since 1970 that `value` is, if they name a time that can be stored.
fn read_timestamp(value: Json<'_>) -> Option<u64> {
    value.as_whole().filter(|ms| *ms <= LAST_MS)
}

/// Puts the lines into the order in which they were logged and gives each a time that keeps it: within its own list a
/// line is never earlier than the one before it, whatever the clock did. Returns the invocation's own time, if any
/// part of the event tells one.
fn put_in_order(lines: &mut [Line<'_>], event_ms: Option<u64>) -> Option<u64> {
    let start = event_ms.or_else(|| lines.iter().map(|line| line.ms).find(|ms| *ms > 0));
    let (mut list, mut reached) = (0, 0);
    for line in lines.iter_mut() {
        if line.list() != list {
            (list, reached) = (line.list(), 0);
        }
        if line.ms == 0 {
            line.ms = reached.max(start.unwrap_or_default());
        }
        line.ms = line.ms.max(reached);
        reached = line.ms;
    }
    lines.sort_by_key(|line| line.ms);
    start
}

/// Returns the Worker's name: the runtime's, else what the local runtime or a line says, else what stands for none.
fn worker_name(item: &TraceItem<'_>, prefix: Option<&str>, lines: &[Line<'_>]) -> String {
    let said = || {
        lines.iter().find_map(|line| match &line.content {
            LineContent::Log(console) => console.worker(),
            LineContent::Exception(_) | LineContent::Diagnostic(_) => None,
        })
    };
    // The local runtime does not know the name of every Worker that it runs, and then says so.
    let prefix = prefix
        .filter(|prefix| *prefix != "[undefined]")
        .map(|prefix| Cow::Borrowed(prefix.trim_matches(['[', ']'])));
    let name = item
        .script_name
        .and_then(Json::as_text)
        .filter(|name| !name.trim().is_empty())
        .or(prefix)
        .or_else(said)
        .unwrap_or(Cow::Borrowed(UNKNOWN_WORKER));
    let end = name.floor_char_boundary(WORKER_BYTES);
    name.get(..end).unwrap_or_default().to_owned()
}

/// The correlation ids of an invocation's records.
struct InvocationIds<'c> {
    /// The id that a request's headers brought.
    header: Option<(IdKind, &'c str)>,
    /// The first id of a line.
    first: Option<&'c str>,
    /// A UUID made for the invocation.
    fallback: &'c str,
}

impl<'c> InvocationIds<'c> {
    fn new(event: &'c Event, lines: &'c [Line<'_>], fallback: &'c str) -> Self {
        Self {
            header: event
                .correlation
                .as_ref()
                .map(|(kind, id)| (*kind, id.as_str())),
            first: lines.iter().find_map(|line| line.id().map(|(_, id)| id)),
            fallback,
        }
    }

    /// Returns the invocation record's id: the request's own, else the first line's, else the invocation's.
    fn invocation(&self) -> &'c str {
        self.header
            .map(|(_, id)| id)
            .or(self.first)
            .unwrap_or(self.fallback)
    }

    fn of_lines(&self) -> LineIds<'c> {
        LineIds {
            header: self.header,
            nearest: self.invocation(),
        }
    }
}

/// Gives the lines their ids, one after the other.
struct LineIds<'c> {
    header: Option<(IdKind, &'c str)>,
    /// The id of the nearest earlier line with one; before the first, that of the invocation.
    nearest: &'c str,
}

impl<'c> LineIds<'c> {
    /// Returns the next line's id. One without its own takes the request's, else that of the nearest earlier line, else
    /// that of the first later one, else the invocation's.
    fn next_line(&mut self, line: &'c Line<'_>) -> &'c str {
        let resolved = resolve(line.id(), self.header);
        if let Some(id) = resolved {
            self.nearest = id;
        }
        self.nearest
    }
}

/// Returns the level of an invocation: an error when its outcome is not ok or its status is 5xx; a warning on 4xx and
/// when the client went away.
fn invocation_level(outcome: Option<&str>, status: Option<u16>) -> Level {
    let by_outcome = match outcome {
        None | Some("ok") => Level::Info,
        Some("canceled" | "responseStreamDisconnected") => Level::Warn,
        Some(_) => Level::Error,
    };
    let by_status = match status {
        Some(500..) => Level::Error,
        Some(400..) => Level::Warn,
        _ => Level::Info,
    };
    by_outcome.max(by_status)
}

/// Returns whether a correlation id belongs to the sample: the same answer in every Worker and every call (FNV-1a,
/// mixed).
fn is_in_sample(correlation: &str, rate: f64) -> bool {
    if rate >= 1.0 {
        return true;
    }
    let hash = cut_id(correlation)
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    #[expect(
        clippy::cast_precision_loss,
        reason = "the upper 53 bits are exact as a number"
    )]
    let share = (Random::new(hash).number() >> 11) as f64 / (1_u64 << 53) as f64;
    share < rate
}

/// Formats timestamps; most of a call's are the same as the one before.
#[derive(Debug, Default)]
struct TimestampFormatter {
    last: Option<(u64, String)>,
}

impl TimestampFormatter {
    fn format(&mut self, ms: u64) -> &str {
        if self.last.as_ref().is_none_or(|(last, _)| *last != ms) {
            self.last = Some((ms, format_ms(ms)));
        }
        self.last.as_ref().map_or("", |(_, text)| text)
    }
}
