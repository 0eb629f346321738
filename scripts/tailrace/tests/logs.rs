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

#[tokio::test(flavor = "multi_thread")]
async fn the_options_are_short_forms_of_the_query() {
    let invoked = |ms, message: &str, status: u16, latency: u32| {
        Row::line(ms, message).kind(
            "invocation",
            &json!({"status": status, "path": format!("/{message}"), "latency_ms": latency}),
        )
    };
    let rows = [
        invoked(0, "fast", 200, 3),
        invoked(1, "slow", 503, 900).level("error").worker("api-eu"),
        Row::line(2, "said").kind(
            "log",
            &json!({"status": 404, "path": "/lost", "data": {"order": {"id": 42}}}),
        ),
        Row::line(3, "Thrown")
            .level("error")
            .worker("web")
            .kind("exception", &json!({"stack": "at f (a.js:1:1)"})),
    ];
    let cloud = Cloud::with(&rows).await;
    for (options, query, expected) in [
        (
            vec!["--worker", "api*"],
            "worker:api*",
            vec!["fast", "slow", "said"],
        ),
        (
            vec!["--exclude-worker", "web", "--exclude-worker", "api-*"],
            "-worker:web,api-*",
            vec!["fast", "said"],
        ),
        (
            vec!["--level", "warn"],
            "level>=warn",
            vec!["slow", "Thrown"],
        ),
        (
            vec!["--kind", "exception", "--kind", "log"],
            "kind:exception,log",
            vec!["said", "Thrown"],
        ),
        (
            vec!["--status", "5xx,404"],
            "status:5xx,404",
            vec!["slow", "said"],
        ),
        (
            vec!["--path", "/lo", "--path", "/slow"],
            "path:/lo,/slow",
            vec!["slow", "said"],
        ),
        (vec!["--min-ms", "100"], "ms>=100", vec!["slow"]),
        (vec!["--grep", "a.js"], "a.js", vec!["Thrown"]),
        (
            vec!["--grep", "thrown", "-v"],
            "-thrown",
            vec!["fast", "slow", "said"],
        ),
        (vec!["--grep", "THROWN", "-i"], "thrown", vec!["Thrown"]),
        (
            vec!["--worker", "api", "--status", "2xx", "-q", "level:info"],
            "worker:api status:2xx level:info",
            vec!["fast"],
        ),
    ] {
        for arguments in [options, vec!["-q", query]] {
            let all = [&["logs", "--fields", "message"], &arguments[..]].concat();
            let ran = cloud.run(&all).await;
            assert_eq!(
                (ran.code, ran.messages()),
                (0, expected.clone()),
                "{arguments:?} {}",
                ran.stderr
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_cannot_be_read_says_where_and_what_to_write() {
    let cloud = Cloud::with(&[]).await;
    for (arguments, message, hint) in [
        (
            vec!["-q", "worker:api level:wran"],
            "\"wran\" is not a level, at character 18",
            "hint: the levels are debug",
        ),
        (
            vec!["--status", "6x"],
            "\"6x\" is not a status",
            "hint: write one such as 503",
        ),
        (
            vec!["--grep", "a(b", "-E"],
            "\"a(b\" is not a regular expression: unclosed group",
            "hint: write a backslash",
        ),
    ] {
        let ran = cloud.run(&[&["logs"], &arguments[..]].concat()).await;
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        ran.warns(message);
        ran.warns(hint);
    }
    assert!(cloud.state().calls.is_empty(), "nobody was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_records_are_streamed_page_by_page_oldest_first() {
    let hour = 3_600_000;
    let rows: Vec<_> = (0..700)
        .map(|n| {
            Row::line(n / 300 * hour, &format!("m{n}")).worker(if n % 2 == 0 { "a" } else { "b" })
        })
        .collect();
    let cloud = Cloud::with(&rows).await;
    let every =
        |step: usize| -> Vec<String> { (0..700).step_by(step).map(|n| format!("m{n}")).collect() };
    for (arguments, expected) in [
        (vec![], every(1)),
        (vec!["--worker", "a"], every(2)),
        // Rows must be read past: slices of time, forwards.
        (vec!["-q", "worker:a*"], every(2)),
        (
            vec!["-q", "m worker:a,c", "--until", "2027-01-01"],
            every(2),
        ),
    ] {
        let all = [&["logs", "-n", "all"], &arguments[..]].concat();
        let ran = cloud.run(&all).await;
        assert_eq!(ran.messages(), expected, "{arguments:?} {}", ran.stderr);
        assert!(!ran.stderr.contains("there are more"));
    }
    // What was printed before something failed stays: after the oldest time, the catalog, and two pages.
    cloud.fault_after(
        4,
        "/raw",
        1,
        When::Before,
        failure(400, 7500, "no such table: tail_logs"),
    );
    let ran = cloud.run(&["logs", "-n", "all"]).await;
    assert_eq!((ran.code, ran.messages().len()), (1, 500), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_looks_one_hour_back_unless_told_otherwise() {
    let now = chrono::Utc::now().timestamp_millis();
    let rows: Vec<_> = [180, 120, 5, 1]
        .map(|minutes| Row::at(now - minutes * 60_000, &format!("took-{minutes}-min")))
        .to_vec();
    let cloud = Cloud::with(&rows).await;
    let ran = cloud.run(&["logs", "--grep", r"took-\d+-min", "-E"]).await;
    assert_eq!(ran.messages(), ["took-5-min", "took-1-min"]);
    ran.warns("looking one hour back; --since looks further");
    let ran = cloud
        .run(&["logs", "--grep", r"took-\d{3}-min", "-E", "--since", "1d"])
        .await;
    assert_eq!(ran.messages(), ["took-180-min", "took-120-min"]);
    // What D1 gives is no more than what holds the fixed text.
    assert!(
        cloud
            .bodies()
            .await
            .iter()
            .any(|body| body.contains("\"took-\""))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_are_shown_in_groups() {
    let rows: Vec<_> = (0..12)
        .map(|n| Row::line(n, &format!("m{n}")).ids("c", if n % 2 == 0 { "even" } else { "odd" }))
        .collect();
    let cloud = Cloud::with(&rows).await;
    let ran = cloud.run(&["logs", "--grep", "m4", "-C", "1"]).await;
    assert_eq!(ran.messages(), ["m2", "m4", "m6"]);
    let ran = cloud.run(&["logs", "-q", "m2,m6,m9", "-C", "1"]).await;
    assert_eq!(
        ran.messages(),
        ["m0", "m2", "m4", "m6", "m8", "--", "m7", "m9", "m11"]
    );
    let ran = cloud
        .run(&["logs", "-q", "m2,m9", "-C", "0", "--json"])
        .await;
    assert_eq!(ran.json().len(), 2, "JSON has no line between groups");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_what_was_stored_and_drives_no_terminal() {
    let text = "a\u{7f}\u{9b}31m\u{202e}\u{1b}]0;t\u{7}\r\n\u{85}";
    let row = Row::line(1, text).kind("log", &json!({"data": {text: [text]}}));
    let cloud = Cloud::with(&[row]).await;
    for command in [
        vec!["logs", "--json"],
        vec!["trace", "c1", "-o", "json"],
        vec!["logs", "-n", "all", "--json", "--color", "always"],
    ] {
        let ran = cloud.run(&command).await;
        assert_eq!(ran.stdout.lines().count(), 1);
        let is_quiet = ran
            .stdout
            .trim_end_matches('\n')
            .chars()
            .all(|c| !c.is_control() && c != '\u{202e}');
        assert!(is_quiet, "{:?}", ran.stdout);
        let record = &ran.json()[0];
        assert_eq!(record["message"], text);
        assert_eq!(record["context"]["data"][text][0], text);
    }
    for format in ["text", "logfmt", "csv"] {
        let ran = cloud.run(&["logs", "-o", format]).await;
        let lines = ran.stdout.lines();
        assert!(
            lines.flat_map(str::chars).all(|c| !c.is_control()),
            "{:?}",
            ran.stdout
        );
        ran.says("{1b}");
    }
}
