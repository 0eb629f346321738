//! `logs`, `trace` and `stats` as a user runs them, against a stand-in for the API on SQLite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    missing_docs
)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::{Cloud, Row, When, bare, failure};
use wiremock::ResponseTemplate;

fn messages(text: &str) -> Vec<&str> {
    text.lines()
        .map(|line| line.rsplit(' ').next().unwrap())
        .collect()
}

async fn cloud_with(rows: &[Row]) -> Cloud {
    let cloud = Cloud::start().await;
    for row in rows {
        cloud.insert(row);
    }
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_shows_the_newest_records_with_the_newest_last() {
    let rows: Vec<_> = (0..7)
        .map(|n| Row::line(n * 1000, &format!("m{n}")))
        .collect();
    let cloud = cloud_with(&rows).await;
    let ran = cloud.run(&["logs", "--limit", "3"]).await;
    assert_eq!(
        (ran.code, messages(&ran.stdout)),
        (0, vec!["m4", "m5", "m6"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_reads_on_over_pages_without_losing_or_repeating_rows_of_one_millisecond() {
    let rows: Vec<_> = (0..1300)
        .map(|n| Row::line(n / 400, &format!("m{n}")))
        .collect();
    let cloud = cloud_with(&rows).await;
    let ran = cloud.run(&["logs", "--limit", "5000"]).await;
    let expected: Vec<_> = (0..1300).map(|n| format!("m{n}")).collect();
    assert_eq!(messages(&ran.stdout), expected);
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
    let cloud = cloud_with(&rows).await;
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
            (ran.code, messages(&ran.stdout)),
            (0, expected),
            "{arguments:?} {}",
            ran.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_through_days_goes_slice_by_slice_and_finds_every_row_once() {
    let hour = 3_600_000;
    let rows: Vec<_> = (0..100)
        .map(|n| Row::line(n * hour, &format!("needle-{n}")))
        .collect();
    let cloud = cloud_with(&rows).await;
    let ran = cloud
        .run(&["logs", "--grep", "needle", "--limit", "500"])
        .await;
    let expected: Vec<_> = (0..100).map(|n| format!("needle-{n}")).collect();
    assert_eq!(messages(&ran.stdout), expected);
    // A slice that D1 cannot finish is asked for in parts.
    cloud.fault(
        "/raw",
        1,
        When::Before,
        failure(400, 7500, "D1_ERROR: query exceeded its time limit"),
    );
    cloud.state().faults.last_mut().unwrap().skip = 2;
    let ran = cloud
        .run(&["logs", "--grep", "needle", "--limit", "500"])
        .await;
    assert_eq!(messages(&ran.stdout), expected, "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_in_a_pipe_has_no_colours_and_cuts_nothing_and_json_is_the_whole_record() {
    let long = "x".repeat(500);
    let cloud = cloud_with(&[Row::line(1, &long).kind("log", &json!({"seq": 1}))]).await;
    let ran = cloud.run(&["logs", "--utc"]).await;
    assert_eq!(
        ran.stdout,
        format!("2026-11-23 00:00:00.001Z info  api c1 {long}\n")
    );
    let ran = cloud.run(&["logs", "--color", "always"]).await;
    assert!(ran.stdout.contains("\u{1b}["));
    let mut command = cloud.command(&["logs", "--json"]);
    let ran: support::Ran = command
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
async fn a_logged_escape_sequence_does_not_reach_the_terminal() {
    let cloud = cloud_with(&[Row::line(1, "a\u{1b}]0;owned\u{7}\nb").worker("w\u{1b}[2J")]).await;
    for command in [vec!["logs"], vec!["trace", "c1"]] {
        let ran = cloud.run(&command).await;
        assert!(ran.stdout.contains("a{1b}]0;owned{7}⏎b"), "{}", ran.stdout);
        assert!(!ran.stdout.contains('\u{1b}'));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_says_so_and_what_to_do() {
    let cloud = cloud_with(&[]).await;
    let ran = cloud.run(&["logs"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.contains("tail_consumers"), "{}", ran.stderr);
    for (arguments, advice) in [
        (vec!["--grep", "x"], "leave a filter out"),
        (vec!["--grep", "X"], "without capitals"),
        (vec!["--since", "1h"], "widen --since"),
    ] {
        let ran = cloud.run(&[&["logs"], &arguments[..]].concat()).await;
        assert!(
            ran.stderr.contains("no record matches") && ran.stderr.contains(advice),
            "{}",
            ran.stderr
        );
    }
    let ran = cloud.run(&["stats"]).await;
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr.contains("no records in this window"),
        "{}",
        ran.stderr
    );
    let ran = cloud.run(&["trace", "nope"]).await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr
            .contains("nothing has the correlation or request id \"nope\""),
        "{}",
        ran.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_commands_work_against_the_local_explorer_without_credentials() {
    let cloud = cloud_with(&[Row::line(0, "here")]).await;
    let ran = cloud.run_local(&["logs"]).await;
    assert_eq!(
        (ran.code, messages(&ran.stdout)),
        (0, vec!["here"]),
        "{}",
        ran.stderr
    );
    assert_eq!(cloud.run_local(&["trace", "c1"]).await.code, 0);
    assert_eq!(
        cloud
            .run_local(&["stats", "--since", "2026-11-22"])
            .await
            .code,
        0
    );
}

fn a_request() -> Vec<Row> {
    let api = |ms, message| Row::line(ms, message).ids("corr", "ray");
    let consumer = |ms, message| Row::line(ms, message).worker("consumer").ids("corr", "run");
    vec![
        api(0, "POST /events 500 (12 ms)").level("error").kind("invocation", &json!({"latency_ms": 12})),
        api(1, "received").kind("log", &json!({"seq": 1})),
        api(9, "TypeError: no body").level("error").kind("exception", &json!({
            "name": "TypeError", "stack": "TypeError: no body\n    at handler (index.js:3:4)\n    at run (index.js:9:1)"
        })),
        consumer(60, "stored").kind("log", &json!({"errors": [{"name": "E", "stack": "    at store (db.js:1:1)"}]})),
        // The invocation handled others too: its record has another correlation id.
        Row::line(50, "queue events: 7 messages").worker("consumer").ids("other", "run").kind("invocation", &json!({"latency_ms": 40})),
        Row::line(55, "someone else's").worker("consumer").ids("other", "run"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn trace_shows_a_request_across_workers_as_a_tree() {
    let cloud = cloud_with(&a_request()).await;
    let ran = cloud.run(&["trace", "corr", "--utc"]).await;
    let expected = "\
correlation corr
2026-11-23 00:00:00.000Z  2 Workers  2 invocations  4 records  60 ms

api      +0 ms      █████··················· 12 ms     POST /events 500 (12 ms)
├─ +1 ms      info  received
└─ +9 ms      error exception: TypeError: no body
                at handler (index.js:3:4)
                at run (index.js:9:1)

consumer +60 ms     ·······················█ 40 ms     queue events: 7 messages
└─ +60 ms     info  stored
                at store (db.js:1:1)
";
    assert_eq!(ran.stdout, expected, "{}", ran.stdout);
    assert_eq!(ran.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn trace_takes_a_request_id_and_names_the_correlation_ids_it_saw() {
    let cloud = cloud_with(&a_request()).await;
    let ran = cloud.run(&["trace", "run", "--json"]).await;
    let found: Vec<_> = ran
        .json()
        .iter()
        .map(|row| row["message"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        found,
        ["queue events: 7 messages", "someone else's", "stored"]
    );
    assert!(
        ran.stderr.contains("tailrace trace corr (or) other"),
        "{}",
        ran.stderr
    );
}

/// Nearest rank, written from the definition and not from the tool's code: sort, take position ceil(p/100 n).
fn nearest_rank(values: &[i64], percent: f64) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted[rank.max(1) - 1]
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_measures_what_its_help_defines() {
    let mut rows = Vec::new();
    let mut latencies = Vec::new();
    let mut cpu = Vec::new();
    for n in 0..250_i64 {
        // Spread over more than a slice; a skewed, repeating spread of durations.
        let (latency, own_cpu) = (n * n % 997, n * 7 % 61);
        latencies.push(latency);
        cpu.push(own_cpu);
        let row = Row::line(n * 400_000, "run")
            .level(if n % 25 == 0 { "error" } else { "info" })
            .kind(
                "invocation",
                &json!({"latency_ms": latency, "cpu_time_ms": own_cpu}),
            );
        rows.push(row);
        rows.push(
            Row::line(n * 400_000 + 1, "line")
                .level("debug")
                .kind("log", &json!({"latency_ms": 1e6})),
        );
    }
    for n in 0..3 {
        let exception = Row::line(n, "boom")
            .level("error")
            .kind("exception", &json!({"name": "RangeError"}));
        rows.push(exception);
    }
    rows.push(
        Row::line(5, "bang")
            .level("error")
            .worker("other")
            .kind("exception", &json!({"name": "Error"})),
    );
    // Outside the window.
    rows.push(Row::line(-1, "early").kind("invocation", &json!({"latency_ms": 1_000_000})));
    let cloud = cloud_with(&rows).await;
    let window = ["--since", "2026-11-23", "--until", "2026-11-26", "--utc"];
    let ran = cloud
        .run(&[&["stats", "--json"], &window[..]].concat())
        .await;
    let report = &ran.json()[0];
    let api = &report["workers"][0];
    assert_eq!(api["worker_name"], "api");
    assert_eq!(
        (api["invocations"].as_u64(), api["errors"].as_u64()),
        (Some(250), Some(10))
    );
    assert_eq!(api["error_rate"], 0.04);
    assert_eq!(
        api["records"],
        json!({"debug": 250, "info": 240, "warn": 0, "error": 13})
    );
    for (name, percent) in [("p50", 50.0), ("p95", 95.0), ("p99", 99.0)] {
        assert_eq!(
            api["latency_ms"][name],
            nearest_rank(&latencies, percent),
            "{name}"
        );
        assert_eq!(
            api["cpu_time_ms"][name],
            nearest_rank(&cpu, percent),
            "{name}"
        );
    }
    let other = &report["workers"][1];
    assert_eq!(
        (other["invocations"].as_u64(), other["error_rate"].as_f64()),
        (Some(0), None)
    );
    assert_eq!(
        report["exceptions"],
        json!([
            {"worker_name": "api", "name": "RangeError", "message": "boom", "count": 3},
            {"worker_name": "other", "name": "Error", "message": "bang", "count": 1},
        ])
    );
    let ran = cloud
        .run(&[&["stats", "--worker", "other"], &window[..]].concat())
        .await;
    assert!(
        ran.stdout.contains("other") && !ran.stdout.contains("api"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("Error: bang"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_halves_a_window_that_is_too_much_for_one_query() {
    let rows: Vec<_> = (0..10)
        .map(|n| Row::line(n * 3_000_000, "run").kind("invocation", &json!({"latency_ms": n})))
        .collect();
    let cloud = cloud_with(&rows).await;
    cloud.fault(
        "/raw",
        2,
        When::Before,
        failure(400, 7500, "D1_ERROR: storage operation exceeded timeout"),
    );
    // Where the oldest row is can be told.
    cloud.state().faults.last_mut().unwrap().skip = 1;
    let ran = cloud
        .run(&[
            "stats",
            "--json",
            "--since",
            "2026-11-23",
            "--until",
            "2026-11-24",
            "--utc",
        ])
        .await;
    assert_eq!(
        ran.json()[0]["workers"][0]["invocations"],
        10,
        "{}",
        ran.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_trouble_is_tried_again_and_lasting_trouble_is_reported() {
    let cloud = cloud_with(&[Row::line(0, "here")]).await;
    cloud.fault(
        "/raw",
        1,
        When::Before,
        failure(
            429,
            971,
            "Please wait and consider throttling your request speed",
        ),
    );
    cloud.fault(
        "/raw",
        1,
        When::Before,
        ResponseTemplate::new(502).set_body_string("<html>"),
    );
    cloud.fault(
        "/raw",
        1,
        When::Before,
        failure(
            400,
            7500,
            "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
        ),
    );
    let ran = cloud.run(&["logs"]).await;
    assert_eq!(
        (ran.code, messages(&ran.stdout)),
        (0, vec!["here"]),
        "{}",
        ran.stderr
    );
    cloud.fault(
        "/raw",
        1,
        When::Before,
        failure(400, 7500, "no such table: tail_logs: SQLITE_ERROR"),
    );
    let ran = cloud.run(&["logs"]).await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("no such table") && ran.stderr.contains("migrations"),
        "{}",
        ran.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_not_getting_in_says_what_to_do() {
    let cloud = cloud_with(&[]).await;
    let uri = format!("{}/client/v4", cloud.uri());
    // No token.
    let ran: support::Ran = bare(&["logs"]).output().await.unwrap().into();
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("CLOUDFLARE_API_TOKEN") && ran.stderr.contains("wrangler login"),
        "{}",
        ran.stderr
    );
    // A wrong one, which a server might echo.
    cloud.fault(
        "/d1/database",
        1,
        When::Before,
        failure(
            403,
            9109,
            &format!("Invalid access token {}", support::TOKEN),
        ),
    );
    let ran = cloud.run(&["logs"]).await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("[token]") && ran.stderr.contains("check that CLOUDFLARE_API_TOKEN"),
        "{}",
        ran.stderr
    );
    let mut command = cloud.command(&["logs"]);
    let ran: support::Ran = command
        .env("CLOUDFLARE_API_TOKEN", "wrong-one")
        .output()
        .await
        .unwrap()
        .into();
    assert!(
        ran.stderr.contains("401") && !ran.stderr.contains("wrong-one"),
        "{}",
        ran.stderr
    );
    // A wrong account.
    let mut command = cloud.command(&["logs"]);
    let ran: support::Ran = command
        .env("CLOUDFLARE_ACCOUNT_ID", "fffff")
        .output()
        .await
        .unwrap()
        .into();
    assert!(
        ran.stderr.contains("CLOUDFLARE_ACCOUNT_ID"),
        "{}",
        ran.stderr
    );
    // No account: the only one is meant; of several, one must be named.
    let command = |cloud: &Cloud| {
        let mut command = cloud.command(&["logs"]);
        command.env_remove("CLOUDFLARE_ACCOUNT_ID");
        command
    };
    let ran: support::Ran = command(&cloud).output().await.unwrap().into();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let two = json!({"success": true, "errors": [], "result": [{"id": "a1", "name": "One"}, {"id": "a2", "name": "Two"}]});
    cloud.fault(
        "GET /client/v4/accounts",
        1,
        When::Before,
        ResponseTemplate::new(200).set_body_json(two),
    );
    let ran: support::Ran = command(&cloud).output().await.unwrap().into();
    assert!(ran.stderr.contains("One (a1), Two (a2)"), "{}", ran.stderr);
    // No such database.
    let ran = cloud.run(&["logs", "--env", "staging"]).await;
    assert!(
        ran.stderr
            .contains("no D1 database named \"tailrace-staging\""),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("there are: tailrace;"),
        "{}",
        ran.stderr
    );
    // Nobody there.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let port = free.to_string();
    let ran: support::Ran = bare(&["logs", "--local", &port])
        .output()
        .await
        .unwrap()
        .into();
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("cargo xtask dev"), "{}", ran.stderr);
    let mut command = cloud.command(&["logs"]);
    let ran: support::Ran = command
        .env(
            "CLOUDFLARE_API_BASE_URL",
            uri.replace(&cloud.port().to_string(), &port),
        )
        .output()
        .await
        .unwrap()
        .into();
    assert!(ran.stderr.contains("check the network"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn wranglers_login_opens_the_door_as_well() {
    let cloud = cloud_with(&[Row::line(0, "here")]).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/.wrangler/config");
    std::fs::create_dir_all(&folder).unwrap();
    for (expires, code) in [
        ("2999-01-01T00:00:00.000Z", 0),
        ("2020-01-01T00:00:00.000Z", 1),
    ] {
        let text = format!(
            "oauth_token = \"{}\"\nexpiration_time = \"{expires}\"\n",
            support::TOKEN
        );
        std::fs::write(folder.join("default.toml"), text).unwrap();
        let mut command = cloud.command(&["logs"]);
        command
            .env_remove("CLOUDFLARE_API_TOKEN")
            .env("HOME", home.path());
        let ran: support::Ran = command.output().await.unwrap().into();
        assert_eq!(ran.code, code, "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_command_line_is_exit_code_2() {
    let cloud = cloud_with(&[]).await;
    for arguments in [
        vec!["logs", "--level", "loud"],
        vec!["logs", "--since", "yesterday"],
        vec!["logs", "--since", "1h", "--until", "2h"],
        vec!["stats", "--until", "2020-01-01"],
        vec!["logs", "--follow", "--until", "1h"],
        vec!["logs", "--follow", "--late", "2999-01-01"],
        vec!["logs", "--limit", "0"],
        vec!["trace", "c1", "--limit", "0"],
        vec!["logs", "--env", ""],
        vec!["frobnicate"],
    ] {
        let ran = cloud.run(&arguments).await;
        assert_eq!(ran.code, 2, "{arguments:?} {}", ran.stderr);
        assert!(!ran.stderr.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_examples_and_every_shell_its_completions() {
    let cloud = cloud_with(&[]).await;
    for command in [
        "logs",
        "trace",
        "stats",
        "replay",
        "normalize",
        "completions",
    ] {
        let ran = cloud.run(&[command, "--help"]).await;
        assert!(
            ran.stdout.contains(&format!("tailrace {command}")),
            "{}",
            ran.stdout
        );
        assert!(ran.stdout.contains("Examples:"), "{}", ran.stdout);
    }
    let ran = cloud.run(&["--help"]).await;
    assert!(ran.stdout.contains("Exit codes:"), "{}", ran.stdout);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = cloud.run(&["completions", shell]).await;
        assert!(ran.stdout.contains("correlation-id"), "{shell}");
    }
    let ran = cloud.run(&["completions", "bash"]).await;
    for words in [
        "debug info warn error",
        "undecodable unsupported_version rejected retries_exhausted",
    ] {
        assert!(ran.stdout.contains(words), "{words}");
    }
}

/// What `tailrace` writes to standard output and standard error, as a terminal shows it.
async fn interleaved(cloud: &Cloud, arguments: &[&str]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = cloud.command(arguments);
    // Both at the end of one file, as both go to one terminal.
    let open = || {
        std::fs::OpenOptions::new()
            .append(true)
            .open(file.path())
            .unwrap()
    };
    command.stdout(open()).stderr(open());
    command.status().await.unwrap();
    std::fs::read_to_string(file.path()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_beside_the_results_stands_below_them() {
    let cloud = cloud_with(&a_request()).await;
    for (arguments, first, last) in [
        (
            vec!["trace", "corr", "--limit", "2"],
            "correlation corr",
            "the oldest 2 records",
        ),
        (
            vec!["logs", "--since", "2026-11-22", "--limit", "1"],
            "2026-11-23",
            "the newest 1 record",
        ),
        (
            vec!["replay"],
            "replayed 0",
            "the dead-letter queue is empty",
        ),
        (
            vec!["stats", "--until", "2026-11-20", "--since", "2026-11-19"],
            "2026-11-19",
            "no records in this window",
        ),
    ] {
        let shown = interleaved(&cloud, &arguments).await;
        assert!(shown.starts_with(first), "{shown}");
        assert!(shown.lines().last().unwrap().starts_with(last), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_centuries_costs_no_more_than_the_records_in_it() {
    let rows: Vec<_> = (0..4)
        .map(|n| Row::line(n * 3_600_000, "run").kind("invocation", &json!({"latency_ms": n})))
        .collect();
    let cloud = cloud_with(&rows).await;
    for arguments in [
        vec![
            "stats",
            "--json",
            "--since",
            "1900-01-01",
            "--until",
            "2900-01-01",
        ],
        vec![
            "logs",
            "--grep",
            "run",
            "--since",
            "1900-01-01",
            "--until",
            "2900-01-01",
        ],
    ] {
        cloud.state().calls.clear();
        let ran = tokio::time::timeout(Duration::from_secs(60), cloud.run(&arguments)).await;
        let ran = ran.unwrap();
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        if arguments[0] == "stats" {
            assert_eq!(ran.json()[0]["workers"][0]["invocations"], 4);
        } else {
            assert_eq!(ran.stdout.lines().count(), 4, "{}", ran.stdout);
        }
        // One slice an hour or more of the time between the records and now.
        let since = chrono::Utc::now()
            - chrono::DateTime::parse_from_rfc3339("2026-11-23T00:00:00Z")
                .unwrap()
                .to_utc();
        let slices = usize::try_from(since.num_hours().max(0) / 6).unwrap() + 8;
        let calls = cloud.state().calls.len();
        assert!(calls <= 4 * slices, "{calls} calls");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_variable_counts_as_not_set() {
    let cloud = cloud_with(&[Row::line(0, "here")]).await;
    let mut command = cloud.command(&["logs"]);
    command
        .env("TAILRACE_ENV", "")
        .env("TAILRACE_DATABASE", " ");
    let ran: support::Ran = command.output().await.unwrap().into();
    assert_eq!(messages(&ran.stdout), ["here"], "{}", ran.stderr);
    let mut command = cloud.command(&["logs"]);
    command.env("TAILRACE_ENV", "staging");
    let ran: support::Ran = command.output().await.unwrap().into();
    assert!(
        ran.stderr
            .contains("no D1 database named \"tailrace-staging\""),
        "{}",
        ran.stderr
    );
}
