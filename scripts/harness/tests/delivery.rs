//! From a tail call to the queue: calls that come together and a queue that hangs, in the real local runtime; and every
//! other way to hesitate, refuse and never answer, which the real one cannot show, around the same built Worker in Node.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::Duration;

use checkout::{Workspace, wait_for};
use harness::{SystemBuilder, run_node_tests};
use log_record::Envelope;
use log_record::fallback::ENVELOPES;

/// Batches wait five seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn calls_that_come_together_lose_and_double_nothing() {
    const CALLS: u64 = 100;
    const LINES: u64 = 10;
    let system = SystemBuilder::probed().unwrap().start().unwrap();
    let path = format!("/burst?tag=burst&calls={CALLS}&count={LINES}");
    let (status, _, answer) = system.request("GET", &path, &[], "").unwrap();
    assert_eq!(status, 200, "{answer}");

    let database = system.database().unwrap();
    let rows = wait_for("the rows of all calls", LIMIT, || {
        let rows = database.correlated("burst")?;
        Ok((u64::try_from(rows.len())? >= CALLS * (LINES + 1)).then_some(rows))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", system.server.output_tail()));
    let mut messages: Vec<_> = rows.iter().map(|row| row.message.as_str()).collect();
    messages.retain(|message| message.starts_with("burst-"));
    messages.sort_unstable();
    messages.dedup();
    assert_eq!(messages.len() as u64, CALLS * LINES);
    assert_eq!(rows.len() as u64, CALLS * (LINES + 1), "no row is doubled");
}

/// Answers for the queue, after 57 s.
const SILENT_QUEUE: &str = r#"
name = "silent-queue"
main = "workers/silent-queue.js"
compatibility_date = "2026-11-01"
"#;

#[test]
fn what_a_hanging_queue_leaves_is_in_kv() {
    let mut builder = SystemBuilder::probed().unwrap();
    builder.add(SILENT_QUEUE).unwrap();
    builder.vary("tail-ingest", |config| {
        config
            .remove_binding("TAIL_LOGS")
            .service("TAIL_LOGS", "silent-queue", "SilentQueue");
    });
    let system = builder.start().unwrap();
    system.log_lines("hanging", 5).unwrap();

    let keys = wait_for("an envelope in KV", LIMIT, || {
        let keys = system.server.kv_keys("FALLBACK", ENVELOPES)?;
        Ok((!keys.is_empty()).then_some(keys))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", system.server.output_tail()));
    let body = system.server.kv_value("FALLBACK", &keys[0]).unwrap();
    assert_eq!(Envelope::decode(&body).unwrap().records.len(), 6, "{body}");

    let line = wait_for("a line about it", LIMIT, || {
        Ok(system.server.lines("delivery").pop())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", system.server.output_tail()));
    assert_eq!(line["fallback"], 6, "{line}");
    assert_eq!(line["not_confirmed"], 0, "{line}");
    assert_eq!(line["queue_error"], "no answer within 5000 ms", "{line}");
}

#[test]
fn whatever_hangs_each_record_is_found_or_counted() {
    run_node_tests(&Workspace::find().unwrap(), "tail_ingest_delivery.mjs").unwrap();
}
