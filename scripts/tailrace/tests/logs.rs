//! `logs` as a user runs it, against a stand-in for the API on SQLite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    missing_docs
)]

mod support;

use serde_json::json;
use support::{Cloud, Ran, Row, When, failure};

#[tokio::test(flavor = "multi_thread")]
async fn logs_shows_the_newest_records_with_the_newest_last() {
    let rows: Vec<_> = (0..7)
        .map(|n| Row::line(n * 1000, &format!("m{n}")))
        .collect();
    let cloud = Cloud::with(&rows).await;
    let ran = cloud.run(&["logs", "--limit", "3"]).await;
    assert_eq!((ran.code, ran.messages()), (0, vec!["m4", "m5", "m6"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_lose_nor_repeat_rows_of_a_millisecond() {
    let rows: Vec<_> = (0..1300)
        .map(|n| Row::line(n / 400, &format!("m{n}")))
        .collect();
    let cloud = Cloud::with(&rows).await;
    let ran = cloud.run(&["logs", "--limit", "5000"]).await;
    let expected: Vec<_> = (0..1300).map(|n| format!("m{n}")).collect();
    assert_eq!(ran.messages(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_filters_by_what_it_is_asked_for() {
    let rows = [
        Row::line(0, "plain"),
        Row::line(1, "debugged").level("debug"),
        Row::line(2, "warned").level("warn").worker("writer"),
        Row::line(3, "failed").level("error").ids("c2", "r2"),
        Row::line(4, "Timed-out")
            .level("error")
            .worker("writer")
            .ids("c2", "r3"),
        Row::line(5, "100%_sure'").ids("c3", "r4"),
    ];
    let cloud = Cloud::with(&rows).await;
    for (arguments, expected) in [
        (
            vec!["--level", "warn"],
            vec!["warned", "failed", "Timed-out"],
        ),
        (
            vec!["--level", "warning", "--worker", "writer"],
            vec!["warned", "Timed-out"],
        ),
        (vec!["--level", "error"], vec!["failed", "Timed-out"]),
        (
            vec!["--level", "info", "--worker", "api"],
            vec!["plain", "failed", "100%_sure'"],
        ),
        (
            vec!["-w", "api", "-w", "writer", "-l", "error"],
            vec!["failed", "Timed-out"],
        ),
        (vec!["--correlation-id", "c2"], vec!["failed", "Timed-out"]),
        (
            vec!["--correlation-id", "c2", "--request-id", "r3"],
            vec!["Timed-out"],
        ),
        (vec!["--request-id", "r2"], vec!["failed"]),
        (vec!["--grep", "timed"], vec!["Timed-out"]),
        (vec!["--grep", "Plain"], vec![]),
        (vec!["--grep", "%_s"], vec!["100%_sure'"]),
        (
            vec!["--since", "2026-11-23T00:00:00.004Z"],
            vec!["Timed-out", "100%_sure'"],
        ),
        (
            vec!["--utc", "--until", "2026-11-23T00:00:00.002"],
            vec!["plain", "debugged"],
        ),
        (
            vec!["--level", "warn", "--limit", "2"],
            vec!["failed", "Timed-out"],
        ),
    ] {
        let mut all = vec!["logs"];
        all.extend(&arguments);
        let ran = cloud.run(&all).await;
        assert_eq!(
            (ran.code, ran.messages()),
            (0, expected),
            "{arguments:?} {}",
            ran.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_goes_slice_by_slice_and_finds_rows_once() {
    let hour = 3_600_000;
    let rows: Vec<_> = (0..100)
        .map(|n| Row::line(n * hour, &format!("needle-{n}")))
        .collect();
    let cloud = Cloud::with(&rows).await;
    let ran = cloud
        .run(&["logs", "--grep", "needle", "--limit", "500"])
        .await;
    let expected: Vec<_> = (0..100).map(|n| format!("needle-{n}")).collect();
    assert_eq!(ran.messages(), expected);
    // A slice that D1 cannot finish is asked for in parts.
    cloud.fault_after(
        2,
        "/raw",
        1,
        When::Before,
        failure(
            400,
            7500,
            "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.",
        ),
    );
    let ran = cloud
        .run(&["logs", "--grep", "needle", "--limit", "500"])
        .await;
    assert_eq!(ran.messages(), expected, "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_in_a_pipe_has_no_colours_and_cuts_nothing() {
    let long = "x".repeat(500);
    let cloud = Cloud::with(&[Row::line(1, &long).kind("log", &json!({"seq": 1}))]).await;
    let ran = cloud.run(&["logs", "--utc"]).await;
    assert_eq!(
        ran.stdout,
        format!("2026-11-23 00:00:00.001Z info  api c1 {long}\n")
    );
    let ran = cloud.run(&["logs", "--color", "always"]).await;
    assert!(ran.stdout.contains("\u{1b}["));
    let mut command = cloud.command(&["logs", "--json"]);
    let ran: Ran = command
        .env("CLICOLOR_FORCE", "1")
        .output()
        .await
        .unwrap()
        .into();
    let record = &ran.json()[0];
    assert_eq!(record["message"], long);
    assert_eq!(record["context"], json!({"kind": "log", "seq": 1}));
    assert_eq!(record["timestamp"], "2026-11-23T00:00:00.001Z");
}
