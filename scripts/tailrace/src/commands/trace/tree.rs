//! The tree of a trace: an invocation a branch, in time order, with a bar that shows when it ran within the whole, and its
//! lines below it.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use crate::commands::logs::fields::{carried, invocation_facts, joined, stack_frames};
use crate::output;
use crate::record::Row;
use crate::sql::IdColumn;
use crate::time::{self, Zone};

/// Columns of a latency bar: the most; and the fewest, without room for which a tree has no bars.
const BAR_COLUMNS: usize = 24;
const BAR_LEAST_COLUMNS: usize = 8;

/// Columns that an invocation's offset and latency take, with the spaces behind each.
const OFFSET_COLUMNS: usize = 10;
const LATENCY_COLUMNS: usize = 9;
const INVOCATION_COLUMNS: usize = 1 + OFFSET_COLUMNS + 1 + LATENCY_COLUMNS + 1;

/// Columns that a bar, and the name of a Worker, leave to the message behind them.
const MESSAGE_COLUMNS: usize = 24;

/// Columns of the longest Worker's name: the most, the fewest beside a bar, and the fewest in any case.
const LABEL_COLUMNS: usize = 32;
const LABEL_BAR_COLUMNS: usize = 20;
const LABEL_LEAST_COLUMNS: usize = 12;

/// Columns before the message of a line: the branch, the offset and the level, with the spaces behind each.
const LINE_COLUMNS: usize = 2 + 1 + OFFSET_COLUMNS + 1 + 5 + 1;

/// The least room for what a line carried.
const PAIR_COLUMNS: usize = 8;

/// One invocation of one Worker.
struct Invocation<'a> {
    worker: &'a str,
    record: Option<&'a Row>,
    /// True if the record is of this id, and not only of this invocation.
    own: bool,
    lines: Vec<&'a Row>,
    start_ms: i64,
}

/// The tree, line by line.
#[must_use]
pub fn render(found: &Found, zone: &Zone, width: Option<usize>, wrap: bool) -> Vec<String> {
    let mut invocations: Vec<Invocation<'_>> = Vec::new();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in &found.rows {
        let request = row.request_id.as_deref().unwrap_or_default();
        let index = *places
            .entry((request, &row.worker_name))
            .or_insert_with(|| {
                invocations.push(Invocation {
                    worker: &row.worker_name,
                    record: None,
                    own: false,
                    lines: Vec::new(),
                    start_ms: time::millis(&row.timestamp).unwrap_or_default(),
                });
                invocations.len() - 1
            });
        let Some(invocation) = invocations.get_mut(index) else {
            continue;
        };
        if row.kind() == "invocation" && invocation.record.is_none() {
            invocation.record = Some(row);
            invocation.own = true;
            invocation.start_ms = time::millis(&row.timestamp)
                .unwrap_or_default()
                .min(invocation.start_ms);
        } else {
            invocation.lines.push(row);
        }
    }
    for ((request, worker), index) in &places {
        if let Some(invocation) = invocations.get_mut(*index)
            && invocation.record.is_none()
        {
            let one = ((*request).to_owned(), (*worker).to_owned());
            invocation.record = found.invocations.get(&one);
        }
    }
    invocations.sort_by_key(|invocation| invocation.start_ms);

    let start = invocations
        .iter()
        .map(|one| one.start_ms)
        .min()
        .unwrap_or_default();
    let end = invocations
        .iter()
        .map(Invocation::end_ms)
        .max()
        .unwrap_or(start);
    let span = (end - start).max(1);
    let workers: BTreeSet<_> = invocations.iter().map(|one| one.worker).collect();
    let label = workers
        .iter()
        .map(|name| output::columns(&output::safe(name)))
        .max();
    let room = width.map_or(LABEL_COLUMNS, |width| {
        let room = width.saturating_sub(INVOCATION_COLUMNS + MESSAGE_COLUMNS);
        let beside_a_bar = room.saturating_sub(BAR_LEAST_COLUMNS + 1);
        let room = if beside_a_bar < LABEL_BAR_COLUMNS {
            room
        } else {
            beside_a_bar
        };
        room.clamp(LABEL_LEAST_COLUMNS, LABEL_COLUMNS)
    });
    let label = label.unwrap_or_default().min(room);

    let first = found
        .rows
        .first()
        .map(|row| row.timestamp.as_str())
        .unwrap_or_default();
    let mut lines = vec![format!(
        "{} {}",
        match found.column {
            IdColumn::Request => "request",
            IdColumn::Correlation => "correlation",
        },
        output::paint(output::STRONG, &output::safe(&found.id))
    )];
    let facts = [
        time::shown(first, zone),
        output::counted(workers.len() as u64, "Worker", "Workers"),
        output::counted(invocations.len() as u64, "invocation", "invocations"),
        output::counted(found.rows.len() as u64, "record", "records"),
        milliseconds(end - start),
    ];
    // Broken between two of them only: within, their spaces are none to break at.
    let facts = facts.map(|fact| fact.replace(' ', "\u{a0}")).join("  ");
    for line in output::wrap(&facts, width.unwrap_or(usize::MAX)) {
        let line = line.trim_start().replace('\u{a0}', " ");
        lines.push(output::paint(output::FAINT, &line));
    }
    for invocation in &invocations {
        lines.push(String::new());
        invocation.render(start, span, label, (width, wrap), &mut lines);
    }
    lines
}

impl Invocation<'_> {
    fn latency_ms(&self) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
        self.record
            .and_then(Row::latency_ms)
            .map(|ms| ms.round() as i64)
    }

    /// The time at which it ended, or logged last.
    fn end_ms(&self) -> i64 {
        let began = self
            .own
            .then(|| self.start_ms + self.latency_ms().unwrap_or_default());
        let last = self
            .lines
            .iter()
            .filter_map(|row| time::millis(&row.timestamp))
            .max();
        began.max(last).unwrap_or(self.start_ms)
    }

    fn render(
        &self,
        start: i64,
        span: i64,
        label: usize,
        (width, wrap): (Option<usize>, bool),
        lines: &mut Vec<String>,
    ) {
        let worker = output::safe(self.worker);
        let worker = match width {
            Some(_) => output::cut(&worker, label),
            None => worker,
        };
        let worker = output::pad(&worker, label);
        let offset = output::pad(&format!("+{} ms", self.start_ms - start), OFFSET_COLUMNS);
        let latency = self
            .latency_ms()
            .map_or_else(|| "? ms".to_owned(), milliseconds);
        let (message, level) = self.record.map_or_else(
            || ("(its invocation record is not stored)".to_owned(), "info"),
            |row| (output::safe(&row.message), row.log_level.as_str()),
        );
        let head = label + INVOCATION_COLUMNS;
        let columns = width.map_or(BAR_COLUMNS, |width| {
            let room = width.saturating_sub(head + 1 + MESSAGE_COLUMNS);
            if room < BAR_LEAST_COLUMNS {
                0
            } else {
                room.min(BAR_COLUMNS)
            }
        });
        let (bar_style, message_style) = if level == "error" {
            (output::BAD, output::BAD)
        } else {
            (output::BAR, output::STRONG)
        };
        let (mut shown, mut used) = (String::new(), head);
        if columns > 0 {
            let bar = bar(self.start_ms - start, self.end_ms() - start, span, columns);
            shown = output::paint(bar_style, &bar) + " ";
            used += columns + 1;
        }
        let mut facts = self.record.map(invocation_facts).unwrap_or_default();
        // The latency has a column of its own.
        facts.retain(|(name, _)| name != "ms");
        let head = format!(
            "{} {} {shown}{} ",
            output::paint(output::WORKER, &worker),
            output::paint(output::FAINT, &offset),
            output::pad(&latency, LATENCY_COLUMNS),
        );
        let text = Text {
            message: &message,
            style: message_style,
            pairs: &joined(&facts),
        };
        text.render(&head, used, "", (width, wrap), lines);
        for (index, row) in self.lines.iter().enumerate() {
            let last = index + 1 == self.lines.len();
            render_line(row, start, last, (width, wrap), lines);
        }
    }
}

/// A message, and what stands behind it.
struct Text<'a> {
    message: &'a str,
    style: anstyle::Style,
    pairs: &'a str,
}

impl Text<'_> {
    /// Adds the text behind `head`, which takes `used` columns: cut to the width, or over as many lines as it takes, which
    /// begin with `stem`.
    fn render(
        &self,
        head: &str,
        used: usize,
        stem: &str,
        (width, wrap): (Option<usize>, bool),
        lines: &mut Vec<String>,
    ) {
        let faint = |text: &str| output::paint(output::FAINT, text);
        let space = if self.pairs.is_empty() { "" } else { " " };
        let Some(width) = width else {
            let message = output::paint(self.style, self.message);
            lines.push(format!("{head}{message}{space}{}", faint(self.pairs)));
            return;
        };
        let room = width.saturating_sub(used).max(20);
        if !wrap {
            let message = output::cut(self.message, room);
            let left = room.saturating_sub(output::columns(&message) + 1);
            let pairs = if left < PAIR_COLUMNS.min(output::columns(self.pairs)) {
                String::new()
            } else {
                format!("{space}{}", faint(&output::cut(self.pairs, left)))
            };
            lines.push(format!(
                "{head}{}{pairs}",
                output::paint(self.style, &message)
            ));
            return;
        }
        let indent = used.saturating_sub(output::columns(stem));
        let own = output::wrap(self.message, room).into_iter();
        let own = own.map(|part| output::paint(self.style, &part));
        let pairs = (!self.pairs.is_empty()).then(|| output::wrap(self.pairs, room));
        let pairs = pairs.into_iter().flatten().map(|part| faint(&part));
        for (index, part) in own.chain(pairs).enumerate() {
            lines.push(if index == 0 {
                format!("{head}{part}")
            } else {
                format!("{}{:indent$}{part}", faint(stem), "")
            });
        }
    }
}

fn render_line(
    row: &Row,
    start: i64,
    last: bool,
    (width, wrap): (Option<usize>, bool),
    lines: &mut Vec<String>,
) {
    let branch = if last { "└─" } else { "├─" };
    let stem = if last { "  " } else { "│ " };
    let at = time::millis(&row.timestamp).unwrap_or(start) - start;
    let offset = output::pad(&format!("+{at} ms"), OFFSET_COLUMNS);
    let level = output::pad(&row.log_level, 5);
    let fit = |text: &str, used: usize| match width {
        Some(width) if !wrap => {
            output::cut(&output::safe(text), width.saturating_sub(used).max(20))
        }
        _ => output::safe(text),
    };
    let mark = match row.kind() {
        "exception" => "exception: ",
        "diagnostic" => "diagnostic: ",
        _ => "",
    };
    let head = format!(
        "{} {} {} ",
        output::paint(output::FAINT, branch),
        output::paint(output::FAINT, &offset),
        output::paint(output::level_style(&row.log_level), &level),
    );
    let text = Text {
        message: &output::safe(&format!("{mark}{}", row.message)),
        style: anstyle::Style::new(),
        pairs: &joined(&carried(row)),
    };
    text.render(&head, LINE_COLUMNS, stem, (width, wrap), lines);
    for frame in stack_frames(row) {
        lines.push(format!(
            "{}              {}",
            output::paint(output::FAINT, stem),
            output::paint(output::FAINT, &fit(&frame, 20)),
        ));
    }
}

/// `from..to` milliseconds within `span`, as a bar of `columns`: at least one block, so that nothing is invisible.
fn bar(from: i64, to: i64, span: i64, columns: usize) -> String {
    let columns = i64::try_from(columns).unwrap_or(i64::MAX);
    let begin = (from * columns / span).clamp(0, columns - 1);
    let end = ((to * columns + span - 1) / span).clamp(begin + 1, columns);
    (0..columns)
        .map(|column| {
            if (begin..end).contains(&column) {
                '█'
            } else {
                '·'
            }
        })
        .collect()
}

fn milliseconds(ms: i64) -> String {
    if ms < 10_000 {
        format!("{ms} ms")
    } else {
        format!("{}.{} s", ms / 1000, ms % 1000 / 100)
    }
}

#[cfg(test)]
mod tests;
