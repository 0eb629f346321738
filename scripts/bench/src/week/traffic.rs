//! Rows of a week of traffic: every request crosses three Workers under one correlation id and logs ten lines in each
//! beside its invocation. A few answer 4xx, a few throw.

use std::fmt::Write as _;

use crate::rows::{REQUEST_ROWS, Random, Row, timestamp};

/// Of these rows another version would not be the same: part of the key under which a database is kept.
pub(super) const VERSION: u32 = 1;

/// The Workers that requests come in through.
const GATEWAYS: [&str; 3] = ["web", "mobile-api", "partner-api"];

/// The Workers that those call. The rows of the first are asked for.
const SERVICES: [&str; 4] = [ONE_WORKER, "catalog", "payments", "accounts"];

/// The Workers behind the queue.
const CONSUMERS: [&str; 3] = ["mailer", "search-index", "ledger"];

/// The Worker whose rows are asked for: one row in twelve is its own.
pub(super) const ONE_WORKER: &str = "orders-api";

/// Workers that a request crosses.
const HOPS: u64 = 3;

const PATHS: [&str; 5] = ["/orders", "/products", "/cart", "/account", "/search"];

/// Texts of lines, before their number.
const LINES: [&str; 8] = [
    "the cart was read for customer",
    "priced the order of customer",
    "stock was reserved for order",
    "calling the service for customer",
    "the answer was cached under key",
    "sent a message about order",
    "the token was refreshed of customer",
    "wrote the row of order",
];

/// One execution of a Worker.
#[derive(Clone, Debug, Default)]
struct Invocation {
    worker: &'static str,
    request_id: String,
    /// The facts that each of its contexts carries.
    facts: String,
    message: String,
    level: &'static str,
    /// Members of the invocation record alone.
    details: String,
    throws: bool,
}

/// Rows, one after another in time.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    from_ms: u64,
    span_ms: u64,
    count: u64,
    next: u64,
    random: Random,
    correlation_id: String,
    invocation: Invocation,
    /// The invocation of the request that throws; `HOPS` where none does.
    throwing: u64,
    status: u64,
}

impl Traffic {
    /// Makes `count` rows, evenly over the `span_ms` milliseconds from `from_ms` on.
    pub(super) fn new(count: u64, from_ms: u64, span_ms: u64) -> Self {
        Self {
            from_ms,
            span_ms,
            count,
            next: 0,
            random: Random(0x7a11_ace5),
            correlation_id: String::new(),
            invocation: Invocation::default(),
            throwing: HOPS,
            status: 200,
        }
    }

    fn pick_random(&mut self, names: &[&'static str]) -> &'static str {
        pick_name(names, self.random.next_number())
    }

    /// Begins a request: one in 50 answers 4xx, one in 250 throws somewhere.
    fn begin_request(&mut self) {
        self.correlation_id = self.random.random_uuid();
        let chance = self.random.next_number() % 1_000;
        self.throwing = if chance < 4 { chance % HOPS } else { HOPS };
        self.status = match chance {
            4..14 => 404,
            14..24 => 422,
            24..300 => 201,
            _ => 200,
        };
    }

    fn begin_invocation(&mut self, hop: u64) {
        let throws = self.throwing == hop;
        let names: &[&'static str] = match hop {
            0 => &GATEWAYS,
            1 => &SERVICES,
            _ => &CONSUMERS,
        };
        let worker = self.pick_random(names);
        let request_id = self.random.random_uuid();
        let outcome = if throws { "exception" } else { "ok" };
        let (latency, cpu) = (
            5 + self.random.next_number() % 400,
            1 + self.random.next_number() % 12,
        );
        let times = format!(r#""latency_ms":{latency},"cpu_time_ms":{cpu}"#);
        let (facts, details, message, status) = if hop == 2 {
            (
                format!(r#""event_type":"queue","outcome":"{outcome}","queue":"events""#),
                format!(r#""batch_size":1,{times}"#),
                "queue events, 1 message".to_owned(),
                0,
            )
        } else {
            let path = format!(
                "{}/{}",
                self.pick_random(&PATHS),
                self.random.next_number() % 100_000
            );
            let status = if throws { 500 } else { self.status };
            let method = if status == 201 { "POST" } else { "GET" };
            (
                format!(
                    r#""event_type":"fetch","outcome":"{outcome}","method":"{method}","path":"{path}","status":{status}"#
                ),
                format!(
                    r#""url":"https://{worker}.example.com{path}","headers":{{"accept":"*/*","content-type":"application/json","user-agent":"Mozilla/5.0 (X11; Linux x86_64)","cf-ray":"8f0a1b2c3d4e5f60-FRA"}},"colo":"FRA","country":"DE",{times}"#
                ),
                format!("{method} {path} {status}"),
                status,
            )
        };
        self.invocation = Invocation {
            worker,
            request_id,
            facts,
            message,
            level: match status {
                _ if throws => "error",
                400..500 => "warn",
                _ => "info",
            },
            details,
            throws,
        };
    }

    /// The level, message and context of a line.
    fn make_line(&mut self, index: u64, seq: u64) -> (&'static str, String, String) {
        let number = self.random.next_number();
        let facts = &self.invocation.facts;
        if self.invocation.throws && seq == REQUEST_ROWS - 1 {
            let message = format!("TypeError: price of {} is undefined", number % 10_000);
            let context = format!(
                r#"{{"kind":"exception","seq":{seq},{facts},"name":"TypeError","stack":"{message}\n    at priceOf (prices.js:41:17)\n    at handleOrder (orders.js:112:9)\n    at async Object.fetch (index.js:8:12)"}}"#
            );
            return ("error", message, context);
        }
        let level = match number % 1_000 {
            0..3 => "error",
            3..9 => "warn",
            9..100 => "debug",
            _ => "info",
        };
        let what = pick_name(&LINES, number);
        let mut context = format!(r#"{{"kind":"log","seq":{seq},{facts},"data":"#);
        let _ = write!(
            context,
            r#"{{"order_id":{index},"customer":"c-{}","amount_cents":{},"currency":"EUR","retries":{},"cached":{}}}}}"#,
            number % 100_003,
            number % 90_000,
            number % 3,
            number.is_multiple_of(2)
        );
        (level, format!("{what} {}", number % 100_003), context)
    }
}

/// Returns one of `names`, by a number.
fn pick_name(names: &[&'static str], number: u64) -> &'static str {
    let at = number % (names.len() as u64).max(1);
    usize::try_from(at)
        .ok()
        .and_then(|at| names.get(at))
        .copied()
        .unwrap_or_default()
}

impl Iterator for Traffic {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if self.next >= self.count {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let (hop, seq) = (index / REQUEST_ROWS % HOPS, index % REQUEST_ROWS);
        if seq == 0 {
            if hop == 0 {
                self.begin_request();
            }
            self.begin_invocation(hop);
        }
        let (log_level, message, context) = if seq == 0 {
            let Invocation {
                facts,
                details,
                message,
                level,
                ..
            } = &self.invocation;
            let context = format!(r#"{{"kind":"invocation","seq":0,{facts},{details}}}"#);
            (*level, message.clone(), context)
        } else {
            self.make_line(index, seq)
        };
        let ms = self.from_ms + self.span_ms * index / self.count.max(1);
        Some(Row {
            log_id: self.random.time_ordered_uuid(ms, index),
            worker_name: self.invocation.worker,
            request_id: self.invocation.request_id.clone(),
            correlation_id: self.correlation_id.clone(),
            log_level,
            message,
            context,
            timestamp: timestamp(ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn a_request_crosses_three_workers_and_few_rows_are_loud() {
        let rows: Vec<Row> = Traffic::new(33_000, 1_795_000_000_000, 1_000_000).collect();
        assert!(rows.is_sorted_by(|a, b| (&a.timestamp, &a.log_id) < (&b.timestamp, &b.log_id)));
        let mut workers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for row in &rows {
            workers
                .entry(&row.correlation_id)
                .or_default()
                .insert(row.worker_name);
            let wire = row.wire().unwrap();
            let raw: &serde_json::value::RawValue = serde_json::from_str(&wire).unwrap();
            log_record::RecordView::new(raw)
                .unwrap()
                .to_record()
                .unwrap();
        }
        assert_eq!(workers.len(), 1_000);
        assert!(workers.values().all(|workers| workers.len() == 3));
        let loud = rows
            .iter()
            .filter(|row| ["warn", "error"].contains(&row.log_level))
            .count();
        assert!((250..500).contains(&loud), "{loud}");
        let thrown = rows
            .iter()
            .filter(|row| row.context.starts_with(r#"{"kind":"exception""#))
            .count();
        assert!((1..12).contains(&thrown), "{thrown}");
    }
}
