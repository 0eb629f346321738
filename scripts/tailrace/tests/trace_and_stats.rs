//! `trace` and `stats` as a user runs them, against a stand-in for the API on SQLite.

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
use support::rows::a_request;
use support::{Cloud, Row, When, failure};

#[tokio::test(flavor = "multi_thread")]
async fn trace_shows_a_request_across_workers_as_a_tree() {
    let cloud = Cloud::with(&a_request()).await;
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
└─ +60 ms     info  stored error=E
                at store (db.js:1:1)
";
    assert_eq!(ran.stdout, expected, "{}", ran.stdout);
    assert_eq!(ran.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn trace_by_request_id_names_the_correlation_ids() {
    let cloud = Cloud::with(&a_request()).await;
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
    ran.warns("tailrace trace corr (or) other");
}

#[tokio::test(flavor = "multi_thread")]
async fn trace_shows_a_request_whole_whatever_its_lines_are_about() {
    let line = |ms, message: &str, event: &str, correlation: &str, request: &str| {
        let mut row = Row::line(ms, message);
        row.context = serde_json::json!({"kind": "log", "seq": ms, "event_type": event});
        correlation.clone_into(&mut row.correlation_id);
        request.clone_into(&mut row.request_id);
        row
    };
    let cloud = Cloud::with(&[
        line(1, "of the request", "fetch", "corr", "ray"),
        line(2, "about an order", "fetch", "order-7", "ray"),
        line(3, "in the queue", "queue", "corr", "batch"),
        line(4, "another request's", "queue", "other", "batch"),
    ])
    .await;
    let ran = cloud.run(&["trace", "corr", "--json"]).await;
    let found: Vec<_> = ran
        .json()
        .iter()
        .map(|row| row["message"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, ["of the request", "about an order", "in the queue"]);
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
    let cloud = Cloud::with(&rows).await;
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
    let exceptions = report["exceptions"].as_array().unwrap();
    let counted: Vec<_> = exceptions
        .iter()
        .map(|one| json!([one["workers"], one["name"], one["message"], one["count"]]))
        .collect();
    assert_eq!(
        counted,
        [
            json!([["api"], "RangeError", "boom", 3]),
            json!([["other"], "Error", "bang", 1]),
        ]
    );
    let ran = cloud
        .run(&[&["stats", "--worker", "other"], &window[..]].concat())
        .await;
    assert!(
        ran.stdout.contains("other") && !ran.stdout.contains("api"),
        "{}",
        ran.stdout
    );
    ran.says("Error: bang");
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_halves_a_window_that_is_too_much_for_one_query() {
    let rows: Vec<_> = (0..10)
        .map(|n| Row::line(n * 3_000_000, "run").kind("invocation", &json!({"latency_ms": n})))
        .collect();
    let cloud = Cloud::with(&rows).await;
    cloud.fault(
        "/raw",
        2,
        When::Before,
        failure(400, 7500, "D1_ERROR: storage operation exceeded timeout"),
    );
    // The oldest row and the catalog of the archive can be told.
    cloud.state().faults.last_mut().unwrap().skip = 2;
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

/// An exception at `ms`, thrown in a frame.
fn exception(ms: i64, worker: &str, message: &str, frame: &str) -> Row {
    let stack = format!("TypeError: {message}\n    at {frame}\n    at run (index.js:9:{ms})");
    Row::line(ms, &format!("TypeError: {message}"))
        .worker(worker)
        .level("error")
        .ids(&format!("corr-{ms}"), "r")
        .kind("exception", &json!({"name": "TypeError", "stack": stack}))
}

#[tokio::test(flavor = "multi_thread")]
async fn exceptions_with_one_cause_are_one_line() {
    let cloud = Cloud::with(&[
        exception(1, "api", "order 41 is gone", "load (orders.js:3:4)"),
        exception(
            90_000_000,
            "api",
            "order 42 is gone",
            "load (orders.js:7:1)",
        ),
        exception(
            5,
            "jobs",
            "order 0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10 is gone",
            "load (orders.js:3:4)",
        ),
        // Another function, another cause.
        exception(6, "api", "order 43 is gone", "save (orders.js:3:4)"),
    ])
    .await;
    let window = ["--since", "2026-11-23", "--until", "2026-11-26", "--utc"];
    let ran = cloud
        .run(&[&["stats", "--json"], &window[..]].concat())
        .await;
    let exceptions = ran.json()[0]["exceptions"].as_array().unwrap().clone();
    assert_eq!(exceptions.len(), 3, "{exceptions:#?}");
    let first = &exceptions[0];
    assert_eq!(
        (
            &first["count"],
            &first["workers"],
            &first["frame"],
            &first["message"]
        ),
        (
            &json!(2),
            &json!(["api"]),
            &json!("load (orders.js)"),
            &json!("TypeError: order <n> is gone")
        )
    );
    assert_eq!(first["first_seen"], "2026-11-23T00:00:00.001Z");
    assert_eq!(first["last_seen"], "2026-11-24T01:00:00.000Z");
    assert_eq!(first["trace"], "corr-90000000");
    let ran = cloud.run(&[&["stats"], &window[..]].concat()).await;
    ran.says("tailrace trace corr-90000000");
    ran.says("at load (orders.js); 2026-11-23 00:00:00.001Z to 2026-11-24 01:00:00.000Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn exceptions_are_all_counted_however_many_differ() {
    let rows: Vec<_> = (0..3_000)
        .map(|n| {
            exception(
                n * 60,
                "api",
                &format!("user {n} is unknown"),
                "find (users.js:1:1)",
            )
        })
        .collect();
    let cloud = Cloud::with(&rows).await;
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
    let exceptions = ran.json()[0]["exceptions"].as_array().unwrap().clone();
    assert_eq!(
        (exceptions.len(), &exceptions[0]["count"]),
        (1, &json!(3_000))
    );
    assert_eq!(ran.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_is_asked_in_slices_of_a_quarter_of_a_day() {
    let rows: Vec<_> = (1..=7 * 24)
        .map(|n| Row::line(-n * 3_600_000, "run").kind("invocation", &json!({"latency_ms": n})))
        .collect();
    let cloud = Cloud::with(&rows).await;
    // D1 answers nothing that is longer.
    cloud.state().longest_window = Some(std::time::Duration::from_secs(6 * 3_600));
    let ran = cloud
        .run(&[
            "stats",
            "--json",
            "--since",
            "2026-11-16",
            "--until",
            "2026-11-23",
            "--utc",
        ])
        .await;
    assert_eq!(
        ran.json()[0]["workers"][0]["invocations"],
        7 * 24,
        "{}",
        ran.stderr
    );
    let calls = cloud.state().calls.len();
    assert!(calls <= 150, "{calls} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_a_line_for_each_worker_for_programs() {
    let run = |worker, ms| {
        Row::line(0, "run")
            .worker(worker)
            .kind("invocation", &json!({"latency_ms": ms}))
    };
    let cloud = Cloud::with(&[
        run("api", 5),
        run("api", 7),
        Row::line(1, "x").worker("b,c"),
    ])
    .await;
    let window = ["--since", "2026-11-23", "--until", "2026-11-24", "--utc"];
    let csv = cloud
        .run(&[&["stats", "-o", "csv"], &window[..]].concat())
        .await;
    let lines: Vec<_> = csv.stdout.lines().collect();
    assert!(
        lines[0].starts_with("worker_name,invocations,errors,error_rate,latency_ms.p50,"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("api,2,0,0.0,5,7,7,"), "{lines:?}");
    assert!(
        lines[2].starts_with("\"b,c\",0,0,,,,,,,,0,1,0,0"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 3);
    let logfmt = cloud
        .run(&[&["stats", "-o", "logfmt"], &window[..]].concat())
        .await;
    logfmt.says("worker_name=api invocations=2 errors=0 error_rate=0.0 latency_ms.p50=5 ");
}
