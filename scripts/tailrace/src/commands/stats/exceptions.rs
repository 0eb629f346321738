//! Exceptions of one cause as one line: how often, where, since when, and one to look at.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::cells::{number, text};
use super::fingerprint::Fingerprint;
use crate::sql::Statement;

/// An exception record: a context begins with its kind.
const EXCEPTION: &str = r#"context_json LIKE '{"kind":"exception",%'"#;

/// Exceptions by cause.
#[derive(Debug, Default)]
pub(super) struct Exceptions(BTreeMap<Fingerprint, Group>);

#[derive(Debug, Default)]
struct Group {
    count: u64,
    workers: BTreeSet<String>,
    first_seen: String,
    last_seen: String,
    /// The correlation id of the last one.
    trace: String,
}

/// Exceptions of one cause.
#[derive(Debug, Serialize)]
pub struct ExceptionReport {
    /// Eight hexadecimal digits that stand for name, message and frame.
    pub fingerprint: String,
    /// The error's name.
    pub name: String,
    /// The message's first 200 characters, with ids and numbers replaced.
    pub message: String,
    /// Function and file of the top frame; empty without a stack.
    pub frame: String,
    /// Number of occurrences.
    pub count: u64,
    /// The Workers that threw it.
    pub workers: Vec<String>,
    /// The time of the first one in the window.
    pub first_seen: String,
    /// The time of the last one in the window.
    pub last_seen: String,
    /// The correlation id of the last one, for `tailrace trace`.
    pub trace: String,
}

impl Exceptions {
    /// Adds a row of [`exceptions`].
    pub(super) fn add(&mut self, cells: &[Value]) {
        let fingerprint = Fingerprint::new(&text(cells, 1), &text(cells, 2), &text(cells, 3));
        let group = self.0.entry(fingerprint).or_default();
        group.count += number(cells, 4).unwrap_or(0);
        group.workers.insert(text(cells, 0));
        let first = text(cells, 5);
        if group.first_seen.is_empty() || first < group.first_seen {
            group.first_seen = first;
        }
        let last = text(cells, 6);
        let (time, id) = last.split_once(' ').unwrap_or((&last, ""));
        if time > group.last_seen.as_str() {
            time.clone_into(&mut group.last_seen);
            id.clone_into(&mut group.trace);
        }
    }

    /// Returns the `top` most frequent causes.
    pub(super) fn report(&self, top: usize) -> Vec<ExceptionReport> {
        let mut reports: Vec<_> = self
            .0
            .iter()
            .map(|(fingerprint, group)| ExceptionReport {
                fingerprint: fingerprint.digest(),
                name: fingerprint.name.clone(),
                message: fingerprint.message.clone(),
                frame: fingerprint.frame.clone(),
                count: group.count,
                workers: group.workers.iter().cloned().collect(),
                first_seen: group.first_seen.clone(),
                last_seen: group.last_seen.clone(),
                trace: group.trace.clone(),
            })
            .collect();
        reports.sort_by_key(|report| std::cmp::Reverse(report.count));
        reports.truncate(top);
        reports
    }
}

/// Asks for exceptions by how often they occurred, at most `limit` different ones: `worker_name`, the name or null, the
/// message's first 200 characters, the first frame, how often, the time of the first, and the time and the correlation id
/// of the last.
#[must_use]
pub fn exceptions(workers: &[String], from: &str, to: &str, limit: usize) -> Statement {
    let mut params = vec![from.to_owned(), to.to_owned()];
    let mut window = "timestamp >= ?1 AND timestamp < ?2".to_owned();
    if !workers.is_empty() {
        params.push(serde_json::Value::from(workers.to_vec()).to_string());
        // Errors have an index of their own.
        window.push_str(" AND +worker_name IN (SELECT value FROM json_each(?3))");
    }
    params.push(limit.to_string());
    let limit = params.len();
    // The first frame is the rest of the line behind the first "    at ".
    Statement {
        sql: format!(
            "SELECT worker_name, name, message, substr(frames, 1, instr(frames || char(10), char(10)) - 1) AS frame, \
             count(*) AS times, min(timestamp), max(timestamp || ' ' || coalesce(correlation_id, '')) FROM (\
             SELECT worker_name, name, message, timestamp, correlation_id, \
             coalesce(substr(stack, instr(stack, char(10) || '    at ') + 1, 300), '') AS frames FROM (\
             SELECT worker_name, json_extract(context_json, '$.name') AS name, substr(message, 1, 200) AS message, \
             timestamp, correlation_id, json_extract(context_json, '$.stack') AS stack \
             FROM tail_logs WHERE {window} AND log_level = 'error' AND {EXCEPTION})) \
             GROUP BY worker_name, name, message, frame ORDER BY times DESC LIMIT CAST(?{limit} AS INTEGER)"
        ),
        params,
    }
}
