//! Calls of tail-ingest that come together share messages: in the real local runtime, and with a queue and a clock that
//! fail on purpose (`tail-ingest/tests/group_commit.mjs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use e2e::{SystemBuilder, Workspace, wait_for};

/// Batches wait five seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn calls_that_come_together_share_messages_and_lose_nothing() {
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

    let sent: u64 = system
        .server
        .lines("batch")
        .iter()
        .filter_map(|line| line["messages"].as_u64())
        .sum();
    assert!((1..CALLS / 2).contains(&sent), "{sent} messages");
}

#[test]
fn whatever_dies_or_refuses_each_record_finds_its_way() {
    let workspace = Workspace::find().unwrap();
    let output = workspace
        .command("node")
        .unwrap()
        .args(["--test", "tail-ingest/tests/group_commit.mjs"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("# pass 10") || said.contains("ℹ pass 10"),
        "{said}"
    );
}
