//! `sql` as a user runs it: what is sent, what is not, and how the answer looks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::process::Stdio;

use serde_json::json;
use support::{Cloud, Ran, Row};
use tokio::io::AsyncWriteExt as _;

async fn cloud() -> Cloud {
    let rows: Vec<_> = (0..1_200)
        .map(|n| Row::line(n, &format!("line {n}")))
        .collect();
    Cloud::with(&rows).await
}

const WINDOW: &str = "timestamp >= '2026-11-23' AND timestamp < '2026-11-24'";

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_gets_json_lines_in_the_order_of_the_columns() {
    let cloud = cloud().await;
    let statement = format!(
        "SELECT worker_name AS w, count(*) AS n, NULL AS a FROM tail_logs WHERE {WINDOW} GROUP BY w;"
    );
    let ran = cloud.run(&["sql", &statement]).await;
    assert_eq!(
        ran.stdout, "{\"w\":\"api\",\"n\":1200,\"a\":null}\n",
        "{ran:?}"
    );
    assert_eq!(ran.code, 0);
    let ran = cloud.run(&["sql", "-o", "text", &statement]).await;
    let lines: Vec<Vec<_>> = ran
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines, [vec!["W", "N", "A"], vec!["api", "1200", "-"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_the_limit_are_left_out_and_said() {
    let cloud = cloud().await;
    let statement = format!("SELECT message FROM tail_logs WHERE {WINDOW} ORDER BY timestamp");
    let ran = cloud.run(&["sql", &statement]).await;
    assert_eq!(ran.stdout.lines().count(), 1000);
    ran.warns("more than 1000 rows");
    assert_eq!(ran.json()[999], json!({"message": "line 999"}));
    let ran = cloud.run(&["sql", "--limit", "1200", &statement]).await;
    assert_eq!(
        (ran.stdout.lines().count(), ran.stderr.as_str()),
        (1200, "")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_only_read_is_never_sent() {
    let cloud = cloud().await;
    for statement in [
        "DELETE FROM tail_logs",
        "WITH a AS (SELECT 1) DELETE FROM tail_logs",
        "SELECT 1; DELETE FROM tail_logs",
        "SELECT 1) ; DELETE FROM tail_logs; --",
        "PRAGMA writable_schema = 1",
        "ATTACH 'x' AS y",
        "nonsense",
    ] {
        let ran = cloud.run(&["sql", "--yes", statement]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{statement}");
        ran.warns("error: ");
    }
    assert_eq!(cloud.state().calls, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_scans_the_table_needs_a_yes() {
    let cloud = cloud().await;
    let statement = "SELECT count(*) AS n FROM tail_logs AS t WHERE t.message LIKE '%7'";
    let ran = cloud.run(&["sql", statement]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    ran.warns("SCAN t");
    ran.warns("--yes");
    let sent = cloud.bodies().await;
    assert!(
        sent.iter()
            .all(|body| body.is_empty() || body.contains("EXPLAIN QUERY PLAN")),
        "{sent:?}"
    );
    let ran = cloud.run(&["sql", "--yes", statement]).await;
    assert_eq!(ran.json(), [json!({"n": 120})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_may_come_from_standard_input() {
    let cloud = cloud().await;
    let mut command = cloud.command(&["sql", "-"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(b"SELECT 1 AS one -- a comment")
        .await
        .unwrap();
    drop(stdin);
    let ran = Ran::from(child.wait_with_output().await.unwrap());
    assert_eq!(ran.json(), [json!({"one": 1})]);
    let ran = cloud.run(&["sql", "SELECT one FROM nowhere"]).await;
    assert_eq!(ran.code, 1);
    ran.warns("no such table: nowhere");
    let ran = cloud
        .run(&["sql", "EXPLAIN QUERY PLAN SELECT * FROM tail_logs"])
        .await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.says("SCAN tail_logs");
}

/// Rows for the ten questions: each finds one.
fn an_hour_of_a_shop() -> Vec<Row> {
    let at = |ms: i64, message: &str| {
        Row::line(10 * 3_600_000 + ms, message)
            .worker("shop-api")
            .ids("order-7", "ray-7")
    };
    vec![
        at(1, "GET /orders 200 (900 ms)").kind(
            "invocation",
            &json!({"path": "/orders", "status": 200, "latency_ms": 900, "country": "NL", "script_version": {"id": "v-1"}}),
        ),
        at(2, "sold").kind("log", &json!({"data": {"customer": "c-42"}})),
        at(3, "could not tell the warehouse").level("error").kind("log", &json!({})),
        Row::line(10 * 3_600_000 + 4, "GET /cart 500 (7 ms)")
            .worker("shop-api")
            .level("error")
            .kind("invocation", &json!({"path": "/cart", "status": 500, "latency_ms": 7})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ten_questions_of_the_docs_are_answered_by_an_index() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tailrace.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page
        .split_once("## Ten questions worth asking in SQL")
        .unwrap();
    let section = section.split("\n## ").next().unwrap();
    let questions: Vec<_> = section
        .split("```sh")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(questions.len(), 10);
    let cloud = Cloud::with(&an_hour_of_a_shop()).await;
    for question in questions {
        // As a shell reads it: options, then one text in double quotes.
        let (options, rest) = question.trim().split_once('"').unwrap();
        let statement = rest.strip_suffix('"').unwrap();
        assert!(!statement.contains(['"', '`', '\\']), "{statement}");
        let mut arguments: Vec<_> = options.split_whitespace().collect();
        assert_eq!(arguments.remove(0), "tailrace");
        arguments.push(statement);
        let ran = cloud.run(&arguments).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{question}");
        assert!(!ran.json().is_empty(), "{question}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_in_the_form_that_is_asked_for() {
    let cloud = Cloud::start().await;
    let statement =
        "SELECT 'a, \"b\"' AS t, NULL AS none, 9007199254740991 AS n, 'x' || char(27) AS \"e e\"";
    for (format, expected) in [
        (
            "csv",
            "t,none,n,e e\n\"a, \"\"b\"\"\",,9007199254740991,x{1b}\n",
        ),
        (
            "logfmt",
            "t=\"a, \\\"b\\\"\" n=9007199254740991 e_e=x{1b}\n",
        ),
        (
            "json",
            "{\"t\":\"a, \\\"b\\\"\",\"none\":null,\"n\":9007199254740991,\"e e\":\"x\\u001b\"}\n",
        ),
    ] {
        let ran = cloud.run(&["sql", "-o", format, statement]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (0, expected), "{ran:?}");
    }
    // A header, also where there is nothing below it.
    let ran = cloud
        .run(&["sql", "-o", "csv", "SELECT 1 AS one WHERE 0"])
        .await;
    assert_eq!(ran.stdout, "one\n");
}
