//! The archive in the real local runtime, with the real local R2: what is sent is counted in the objects, and the catalog
//! is compared with the bucket. `log-writer/tests/archive.rs` has the rungs of its ladder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use checkout::wait_for;
use clap::Parser as _;
use harness::archive::{is_always_a_row, reconcile};
use harness::{System, SystemBuilder};
use log_record::{Level, LogRecord};
use serde_json::{Value, json};
use tailrace::cli::{Cli, Command};
use tailrace::commands::{logs, trace};
use tailrace::place::Place;

/// Batches wait five seconds and redeliveries one; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

const REQUESTS: u64 = 200;

fn id(request: u64, n: u64) -> String {
    format!("0193579c-{request:04x}-7000-8000-{n:012}")
}

/// A message with one request: its invocation and ten lines, the last one a warning; half of the requests before the full
/// hour, half after it.
fn request(request: u64) -> String {
    let hour = 17 + request % 2;
    let record = |n: u64| {
        json!([
            id(request, n),
            if request.is_multiple_of(3) { "pay" } else { "shop" },
            format!("ray-{request}"),
            format!("order-{request}"),
            if n == 10 { "warn" } else { "info" },
            format!("line {n}: № {request}"),
            {"kind": if n == 0 { "invocation" } else { "log" }, "seq": n},
            format!("2036-11-23T{hour}:30:00.{n:03}Z"),
            null
        ])
    };
    let records: Vec<Value> = (0..11).map(record).collect();
    json!({"v": 1, "records": records}).to_string()
}

fn sent() -> BTreeSet<String> {
    let ids = (0..REQUESTS).flat_map(|request| (0..11).map(move |n| id(request, n)));
    ids.collect()
}

/// The test's own records among all (the probe's invocations are records as well).
fn own<'r>(records: &[&'r LogRecord]) -> Vec<&'r LogRecord> {
    let records = records.iter().copied();
    records
        .filter(|record| record.log_id.starts_with("0193579c-"))
        .collect()
}

fn stored(system: &System) -> BTreeSet<String> {
    let rows = system.database().unwrap().rows("log_id >= ?1", "0193579c-");
    let ids = rows.unwrap().into_iter().map(|row| row.log_id);
    ids.filter(|id| id.starts_with("0193579c-")).collect()
}

fn send_all(system: &System) {
    for first in (0..REQUESTS).step_by(50) {
        let bodies: Vec<String> = (first..first + 50).map(request).collect();
        system.send(&bodies).unwrap();
    }
}

/// Waits until the catalog counts as many records as were sent, at least.
fn wait_until_archived(system: &System) {
    let done = wait_for("the archive", LIMIT, || {
        let catalog = system.database()?.catalog()?;
        let counts = catalog.iter().map(|row| &row.counts.0);
        let own = counts
            .flatten()
            .filter(|(name, _)| *name == "shop" || *name == "pay");
        let total: u64 = own.flat_map(|(_, levels)| levels.values()).sum();
        Ok((total >= REQUESTS * 11).then_some(()))
    });
    done.unwrap_or_else(|error| panic!("{error}\n{}", system.server.output_tail()));
}

fn check(rows: &str) {
    let mut builder = SystemBuilder::probed().unwrap();
    builder.archive(rows);
    let system = builder.start().unwrap();
    send_all(&system);
    wait_until_archived(&system);

    // The probe's invocations are on their way as well.
    let (catalog, objects) = wait_for("a catalog that lists the bucket", LIMIT, || {
        let catalog = system.database()?.catalog()?;
        let objects = system.archived_objects()?;
        let is_listed = catalog.iter().map(|row| &row.key).eq(objects.keys());
        Ok(is_listed.then_some((catalog, objects)))
    })
    .unwrap();
    let records = reconcile(&catalog, &objects).unwrap();
    let records = own(&records);
    assert_eq!(records.len() as u64, REQUESTS * 11, "each line once");
    let archived: BTreeSet<String> = records.iter().map(|it| it.log_id.clone()).collect();
    assert_eq!(archived, sent());
    let line = records.iter().find(|it| it.log_id == id(7, 3)).unwrap();
    assert_eq!(line.message, "line 3: № 7");
    assert_eq!(line.context.get(), r#"{"kind":"log","seq":3}"#);
    for row in catalog
        .iter()
        .filter(|row| row.counts.0.contains_key("shop"))
    {
        assert_eq!(row.rows.as_str(), rows);
    }

    let stored = stored(&system);
    if rows == "all" {
        assert_eq!(stored, sent());
    } else {
        let expected = records.iter().filter(|record| {
            record.context.get().contains("invocation") || is_always_a_row(record.log_level)
        });
        let expected: BTreeSet<String> = expected.map(|it| it.log_id.clone()).collect();
        assert_eq!(stored, expected);
        assert_eq!(expected.len() as u64, REQUESTS * 2);
        assert!(records.iter().any(|record| record.log_level == Level::Info));
    }
    assert!(system.dead_letters().unwrap().is_empty());
}

#[test]
fn what_is_sent_is_in_the_objects_and_in_every_row() {
    check("all");
}

#[test]
fn an_index_keeps_few_rows_and_every_line() {
    check("index");
}

/// Runs `tailrace ARGUMENTS… --local`; returns standard output as JSON lines.
async fn ask(system: &System, arguments: &[&str]) -> Vec<Value> {
    let local = format!("--local={}", system.server.port());
    let line = [&["tailrace"], arguments, &[local.as_str()]].concat();
    let cli = Cli::try_parse_from(line).unwrap();
    let place = Place::find(&cli.global, None, |_| None).unwrap();
    let mut out = Vec::new();
    let code = match &cli.command {
        Command::Trace(args) => trace::run(args, &place, &mut out).await,
        Command::Logs(args) => logs::run(args, &place, &mut out).await,
        Command::Archive(args) => tailrace::commands::archive::run(args, &place, &mut out).await,
        _ => panic!("{arguments:?}"),
    };
    assert_eq!(code.unwrap(), ExitCode::SUCCESS, "{arguments:?}");
    let lines = str::from_utf8(&out).unwrap().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_reads_rows_and_archive_as_one() {
    let mut builder = SystemBuilder::probed().unwrap();
    builder.archive("index");
    let system = builder.start().unwrap();
    send_all(&system);
    wait_until_archived(&system);
    assert_eq!(stored(&system).len() as u64, REQUESTS * 2);

    let messages = |found: &[Value]| -> Vec<String> {
        let messages = found.iter().map(|record| record["message"].as_str());
        messages.map(|it| it.unwrap().to_owned()).collect()
    };
    let lines = |request: u64| -> Vec<String> {
        (0..11).map(|n| format!("line {n}: № {request}")).collect()
    };
    for (id, request) in [("order-7", 7), ("ray-120", 120)] {
        let found = ask(&system, &["trace", id, "--json"]).await;
        assert_eq!(messages(&found), lines(request));
    }
    // 7 and 70 to 79, by time.
    let found = ask(&system, &["logs", "--grep", "line 3: № 7", "--json"]).await;
    let mut found = messages(&found);
    found.sort();
    let mut expected = vec!["line 3: № 7".to_owned()];
    expected.extend((70..80).map(|request| format!("line 3: № {request}")));
    assert_eq!(found, expected);
    let found = ask(&system, &["logs", "-c", "order-8", "-n", "all", "--json"]).await;
    assert_eq!(messages(&found), lines(8));
    let neighbours = [
        "logs",
        "-q",
        "level:warn request_id:ray-9",
        "-C",
        "2",
        "--json",
    ];
    assert_eq!(messages(&ask(&system, &neighbours).await), lines(9)[8..]);

    // Keys have slashes, which the local runtime takes as one segment.
    let window = [
        "--since",
        "2036-11-23T17:00Z",
        "--until",
        "2036-11-23T19:00Z",
    ];
    let objects = ask(
        &system,
        &[&["archive", "ls", "--json"], &window[..]].concat(),
    )
    .await;
    let keys: Vec<_> = objects
        .iter()
        .map(|it| it["key"].as_str().unwrap())
        .collect();
    let named = ask(&system, &[&["archive", "get"], &keys[..]].concat()).await;
    assert!(named.len() as u64 >= REQUESTS * 11);
    let found = ask(&system, &[&["archive", "get"], &window[..]].concat()).await;
    let ids: BTreeSet<_> = found.iter().map(|it| it["log_id"].as_str()).collect();
    assert_eq!((found.len(), ids.len() as u64), (ids.len(), REQUESTS * 11));
}

#[test]
fn a_bucket_that_comes_back_gets_what_it_missed() {
    let mut builder = SystemBuilder::probed().unwrap();
    builder.archive("index").hesitant().unwrap();
    builder.vary("log-writer", |config| {
        config.var("MAX_ATTEMPTS", "100");
    });
    let system = builder.start().unwrap();
    for _ in 0..3 {
        send_all(&system);
    }
    wait_until_archived(&system);
    wait_for("all records", LIMIT, || {
        // In this order: an object is there before its row.
        let catalog = system.database()?.catalog()?;
        let objects = system.archived_objects()?;
        let records = reconcile(&catalog, &objects)?;
        let mut found = stored(&system);
        found.extend(own(&records).iter().map(|record| record.log_id.clone()));
        Ok((found == sent()).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", system.server.output_tail()));
}
