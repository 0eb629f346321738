//! A trace on one time axis: an invocation a bar, in the order in which they began, its lines and exceptions inside. Places
//! are fractions of the whole, so that the page only draws.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::commands::trace::Found;
use crate::record::Row;
use crate::sql::IdColumn;
use crate::time;

/// A trace as it is drawn.
#[derive(Debug, Serialize)]
pub(super) struct Waterfall {
    id: String,
    /// True if the id is that of an invocation, and not of everything that a request caused.
    one_request: bool,
    /// Correlation ids of the records, where the id is that of an invocation.
    correlation_ids: Vec<String>,
    start_ms: i64,
    span_ms: i64,
    newest_ms: i64,
    records: usize,
    workers: usize,
    failures: usize,
    /// True if there may be more records than were read.
    cut: bool,
    invocations: Vec<Invocation>,
}

/// One invocation of one Worker.
#[derive(Debug, Serialize)]
struct Invocation {
    worker: String,
    request_id: String,
    /// `fetch`, `queue`, …; empty where its own record is not stored.
    event_type: String,
    level: String,
    message: String,
    outcome: String,
    status: Option<i64>,
    offset_ms: i64,
    duration_ms: Option<i64>,
    cpu_ms: Option<Value>,
    /// The start, from 0 to 1.
    left: f64,
    /// The length, from 0 to 1.
    width: f64,
    /// True if it, or a line in it, is of level error.
    failed: bool,
    /// True if it handled other requests as well.
    shared: bool,
    record: Option<Place>,
    lines: Vec<Line>,
}

/// The key of a record.
#[derive(Debug, Serialize)]
struct Place {
    timestamp: String,
    id: String,
}

/// A record inside an invocation.
#[derive(Debug, Serialize)]
struct Line {
    place: Place,
    offset_ms: i64,
    /// The time, from 0 to 1.
    left: f64,
    level: String,
    kind: String,
    message: String,
    stack: String,
}

/// Lays a trace out; `limit` is how many records were asked for.
pub(super) fn lay_out(found: &Found, limit: usize) -> Waterfall {
    let mut order: Vec<Group<'_>> = Vec::new();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in &found.rows {
        let request = row.request_id.as_deref().unwrap_or_default();
        let place = *places
            .entry((request, &row.worker_name))
            .or_insert_with(|| {
                order.push(Group::new(request, &row.worker_name, millis(row)));
                order.len() - 1
            });
        if let Some(group) = order.get_mut(place) {
            group.add(row);
        }
    }
    for group in &mut order {
        if group.record.is_none() {
            let key = (group.request.to_owned(), group.worker.to_owned());
            group.record = found.invocations.get(&key);
            group.shared = group.record.is_some();
        }
    }
    order.sort_by_key(|group| group.start_ms);
    let start_ms = order.iter().map(|group| group.start_ms).min().unwrap_or(0);
    let end_ms = order.iter().map(Group::end_ms).max().unwrap_or(start_ms);
    let scale = Scale {
        start_ms,
        span_ms: (end_ms - start_ms).max(1),
    };
    let invocations: Vec<_> = order.iter().map(|group| group.draw(scale)).collect();
    let mut workers: Vec<_> = order.iter().map(|group| group.worker).collect();
    workers.sort_unstable();
    workers.dedup();
    let one_request = found.column == IdColumn::Request;
    let mut correlation_ids: Vec<_> = found
        .rows
        .iter()
        .filter(|_| one_request)
        .filter_map(|row| row.correlation_id.clone())
        .collect();
    correlation_ids.sort_unstable();
    correlation_ids.dedup();
    Waterfall {
        id: found.id.clone(),
        one_request,
        correlation_ids,
        start_ms,
        span_ms: end_ms - start_ms,
        newest_ms: found.rows.iter().map(millis).max().unwrap_or(start_ms),
        records: found.rows.len(),
        workers: workers.len(),
        failures: invocations.iter().filter(|one| one.failed).count(),
        cut: found.rows.len() >= limit,
        invocations,
    }
}

/// The records of one invocation.
struct Group<'a> {
    request: &'a str,
    worker: &'a str,
    record: Option<&'a Row>,
    shared: bool,
    lines: Vec<&'a Row>,
    start_ms: i64,
}

impl<'a> Group<'a> {
    fn new(request: &'a str, worker: &'a str, start_ms: i64) -> Self {
        Self {
            request,
            worker,
            record: None,
            shared: false,
            lines: Vec::new(),
            start_ms,
        }
    }

    fn add(&mut self, row: &'a Row) {
        if row.kind() == "invocation" && self.record.is_none() {
            self.record = Some(row);
        } else {
            self.lines.push(row);
        }
        self.start_ms = self.start_ms.min(millis(row));
    }

    fn duration_ms(&self) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        self.record
            .and_then(Row::latency_ms)
            .map(|ms| ms.round() as i64)
    }

    /// The time at which it ended, or logged last. One that handled other requests as well counts for its lines alone.
    fn end_ms(&self) -> i64 {
        let ended = (!self.shared).then(|| {
            self.start_ms
                .saturating_add(self.duration_ms().unwrap_or(0))
        });
        let last = self.lines.iter().map(|row| millis(row)).max();
        ended.max(last).unwrap_or(self.start_ms)
    }

    fn draw(&self, scale: Scale) -> Invocation {
        let fact = |key: &str| {
            let value = self.record.and_then(|row| row.fact(key));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let level = self.record.map_or("info", |row| &row.log_level);
        let lines: Vec<_> = self.lines.iter().map(|row| draw_line(row, scale)).collect();
        Invocation {
            worker: self.worker.to_owned(),
            request_id: self.request.to_owned(),
            event_type: fact("event_type"),
            level: level.to_owned(),
            message: self.record.map_or_else(
                || "its invocation record is not stored".to_owned(),
                |row| row.message.clone(),
            ),
            outcome: fact("outcome"),
            status: self
                .record
                .and_then(|row| row.fact("status"))
                .and_then(Value::as_i64),
            offset_ms: self.start_ms - scale.start_ms,
            duration_ms: self.duration_ms(),
            cpu_ms: self.record.and_then(|row| {
                let exact = row.fact("cpu_time_ms").cloned();
                exact.or_else(|| row.execution_time_ms.clone().map(Value::Number))
            }),
            left: scale.place(self.start_ms),
            width: scale.place(self.end_ms()) - scale.place(self.start_ms),
            failed: level == "error" || lines.iter().any(|line| line.level == "error"),
            shared: self.shared,
            record: self.record.map(place),
            lines,
        }
    }
}

fn draw_line(row: &Row, scale: Scale) -> Line {
    Line {
        place: place(row),
        offset_ms: millis(row) - scale.start_ms,
        left: scale.place(millis(row)),
        level: row.log_level.clone(),
        kind: row.kind().to_owned(),
        message: row.message.clone(),
        stack: stacks(row),
    }
}

/// Returns the stack of an exception, and those of the errors among a line's arguments.
fn stacks(row: &Row) -> String {
    let errors = row.fact("errors").and_then(Value::as_array);
    let own = row.fact("stack").and_then(Value::as_str);
    let inner = errors
        .into_iter()
        .flatten()
        .filter_map(|error| error.get("stack")?.as_str());
    own.into_iter().chain(inner).collect::<Vec<_>>().join("\n")
}

fn place(row: &Row) -> Place {
    Place {
        timestamp: row.timestamp.clone(),
        id: row.log_id.clone(),
    }
}

fn millis(row: &Row) -> i64 {
    time::millis(&row.timestamp).unwrap_or_default()
}

/// The time axis.
#[derive(Clone, Copy)]
struct Scale {
    start_ms: i64,
    span_ms: i64,
}

impl Scale {
    fn place(self, ms: i64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a trace is shorter than 2^53 milliseconds"
        )]
        let place = (ms - self.start_ms) as f64 / self.span_ms as f64;
        place.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(worker: &str, request: &str, ms: i64, level: &str, context: &Value) -> Row {
        let cells = [
            format!("id-{ms}").into(),
            worker.into(),
            request.into(),
            "c".into(),
            level.into(),
            "message".into(),
            context.to_string().into(),
            time::stored_ms(1_795_000_000_000 + ms).into(),
            Value::Null,
        ];
        Row::read(cells.into()).unwrap()
    }

    fn found(rows: Vec<Row>, invocations: Vec<Row>) -> Found {
        let invocations = invocations
            .into_iter()
            .map(|row| {
                (
                    (row.request_id.clone().unwrap(), row.worker_name.clone()),
                    row,
                )
            })
            .collect();
        Found {
            id: "c".to_owned(),
            column: IdColumn::Correlation,
            rows,
            invocations,
        }
    }

    fn is(place: f64, expected: f64) -> bool {
        (place - expected).abs() < 1e-9
    }

    #[test]
    fn invocations_lie_on_one_axis_in_the_order_they_began() {
        let run = |ms: i64| serde_json::json!({"kind": "invocation", "event_type": "fetch", "latency_ms": ms});
        let error = serde_json::json!({"kind": "exception", "stack": "Error: x\n  at f"});
        let drawn = lay_out(
            &found(
                vec![
                    row("api", "r1", 0, "info", &run(100)),
                    row("consumer", "r2", 100, "info", &run(300)),
                    row("consumer", "r2", 300, "error", &error),
                ],
                vec![],
            ),
            100,
        );
        assert_eq!((drawn.span_ms, drawn.workers, drawn.failures), (400, 2, 1));
        let [api, consumer] = drawn.invocations.as_slice() else {
            panic!("{drawn:?}")
        };
        assert!(is(api.left, 0.0) && is(api.width, 0.25));
        assert!(!api.failed && consumer.failed);
        assert!(is(consumer.left, 0.25) && is(consumer.width, 0.75));
        assert!(is(consumer.lines[0].left, 0.75));
        assert_eq!(consumer.lines[0].stack, "Error: x\n  at f");
    }

    #[test]
    fn a_batch_of_many_requests_counts_for_its_own_lines_alone() {
        let line = serde_json::json!({"kind": "log"});
        let run =
            serde_json::json!({"kind": "invocation", "event_type": "queue", "latency_ms": 60_000});
        let drawn = lay_out(
            &found(
                vec![
                    row("consumer", "r", 10, "info", &line),
                    row("consumer", "r", 30, "info", &line),
                ],
                vec![row("consumer", "r", 0, "info", &run)],
            ),
            100,
        );
        assert_eq!(drawn.span_ms, 20);
        let [batch] = drawn.invocations.as_slice() else {
            panic!("{drawn:?}")
        };
        assert!(batch.shared);
        assert!(is(batch.left, 0.0) && is(batch.width, 1.0));
        assert_eq!(batch.duration_ms, Some(60_000));
    }

    #[test]
    fn a_trace_of_one_moment_can_be_drawn() {
        let line = serde_json::json!({"kind": "log"});
        let drawn = lay_out(&found(vec![row("api", "r", 5, "warn", &line)], vec![]), 1);
        assert_eq!(drawn.span_ms, 0);
        assert!(drawn.cut);
        assert!(drawn.invocations[0].left.is_finite() && is(drawn.invocations[0].width, 0.0));
    }
}
