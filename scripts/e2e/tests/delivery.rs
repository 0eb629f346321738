//! From a tail call to the queue: calls that come together, in the real local runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use e2e::{SystemBuilder, wait_for};

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
