//! Ids as people have them: whole, as a Ray ID with or without its data centre, or cut.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use serde_json::json;
use support::rows::a_request;
use support::{Cloud, Row, signal};
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_found_as_people_have_it() {
    let cloud = Cloud::with(&[
        Row::line(0, "uuid").ids("0b0f2a1c-5d1e-4c55", "r1"),
        Row::line(1, "bare").ids("c2", "8f2a1c0b5d1e4c55"),
        Row::line(2, "suffixed").ids("c3", "9a2a1c0b5d1e4c55-FRA"),
        Row::line(3, "whole").ids("order", "r4"),
        Row::line(4, "longer").ids("order-2", "r5"),
    ])
    .await;
    for (id, expected) in [
        ("0b0f2a1c-5d1e-4c55", "uuid"),
        ("0b0f2a1c", "uuid"),
        ("0b0f", "uuid"),
        ("8f2a1c0b5d1e4c55-FRA", "bare"),
        ("8f2a1c0b", "bare"),
        ("9a2a1c0b5d1e4c55", "suffixed"),
        ("9a2a1c0b5d1e4c55-FRA", "suffixed"),
        // In capitals.
        ("8F2A1C0B5D1E4C55-FRA", "bare"),
        ("0B0F2A1C", "uuid"),
        // An exact id wins, however many begin with it.
        ("order", "whole"),
    ] {
        let ran = cloud.run(&["trace", id, "--json"]).await;
        assert_eq!(ran.code, 0, "{id}: {}", ran.stderr);
        assert_eq!(ran.json()[0]["message"], expected, "{id}");
    }
    for (id, said) in [
        (
            "0b0",
            "the beginning of an id needs at least four characters",
        ),
        ("0b0f2a1d", "nothing has the correlation or request id"),
        ("zzzz", "nothing has the correlation or request id"),
    ] {
        let ran = cloud.run(&["trace", id]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{id}");
        ran.warns(said);
    }
    // A short one is found where it is whole.
    for (id, expected) in [("c2", "bare"), ("r4", "whole")] {
        let ran = cloud.run(&["trace", id, "--json"]).await;
        assert_eq!(ran.code, 0, "{id}: {}", ran.stderr);
        assert_eq!(ran.json()[0]["message"], expected, "{id}");
    }
    let ran = cloud.run(&["logs", "-c", "0b0f2a"]).await;
    assert_eq!(ran.messages(), ["uuid"]);
    let ran = cloud.run(&["logs", "-r", "8f2a1c0b5d1e4c55-FRA"]).await;
    assert_eq!(ran.messages(), ["bare"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ids_that_begin_so_are_listed() {
    let rows: Vec<_> = (0..30)
        .map(|n| {
            Row::line(n, "x")
                .worker("api")
                .ids(&format!("abcd-{n:02}"), &format!("r{n}"))
        })
        .collect();
    let cloud = Cloud::with(&rows).await;
    for arguments in [["trace", "abcd", "--utc"], ["logs", "-cabcd", "--utc"]] {
        let ran = cloud.run(&arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
        let listed = ran.stderr.lines().filter(|line| line.contains("abcd-"));
        assert_eq!(listed.count(), 10, "{}", ran.stderr);
        ran.warns("2026-11-23 00:00:00.003Z  abcd-03  api");
        ran.warns("and more");
        ran.warns("hint: write more of the id");
    }
    let ran = cloud.run(&["trace", "abcd-07"]).await;
    assert_eq!(ran.code, 0);
}

/// A request that is handed on over a service binding keeps its headers, and so its request id.
#[tokio::test(flavor = "multi_thread")]
async fn one_ray_id_in_two_workers_is_two_invocations() {
    let cloud = Cloud::with(&[
        Row::line(0, "from the api")
            .worker("api")
            .ids("corr", "ray"),
        Row::line(5, "from the backend")
            .worker("backend")
            .ids("corr", "ray"),
        // Only the backend's invocation record is stored, of another correlation id.
        Row::line(4, "POST /inner 500")
            .worker("backend")
            .ids("other", "ray")
            .kind("invocation", &json!({"latency_ms": 999})),
    ])
    .await;
    let ran = cloud.run(&["trace", "corr", "--utc"]).await;
    let api = ran
        .stdout
        .lines()
        .find(|line| line.starts_with("api"))
        .unwrap();
    assert!(api.contains("its invocation record is not stored"), "{api}");
    let backend = ran.stdout.lines().find(|line| line.starts_with("backend"));
    assert!(
        backend.unwrap().contains("POST /inner 500"),
        "{}",
        ran.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn json_holds_the_invocations_that_the_text_shows() {
    let cloud = Cloud::with(&a_request()).await;
    let ran = cloud.run(&["trace", "corr", "--json"]).await;
    let found: Vec<_> = ran
        .json()
        .iter()
        .map(|row| row["message"].as_str().unwrap().to_owned())
        .collect();
    let expected = [
        "POST /events 500 (12 ms)",
        "received",
        "TypeError: no body",
        "queue events: 7 messages",
        "stored",
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_error_leads_to_its_request() {
    let mut rows = a_request();
    rows.push(
        Row::line(500, "worse")
            .level("error")
            .worker("other")
            .ids("later", "r9"),
    );
    let cloud = Cloud::with(&rows).await;
    let ran = cloud.run(&["trace", "--last-error"]).await;
    ran.says("correlation later");
    let ran = cloud.run(&["trace", "--last-error", "-w", "api"]).await;
    ran.says("correlation corr");
    let none = ["trace", "--last-error", "-w", "nobody"];
    let ran = cloud.run(&none).await;
    assert_eq!(ran.code, 1);
    ran.warns("there is no error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on_with_new_records() {
    let cloud = Cloud::with(&a_request()).await;
    let mut child = cloud.spawn(&["trace", "corr", "--follow"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = async |text: &str| loop {
        let line = tokio::time::timeout(std::time::Duration::from_secs(60), lines.next_line());
        if line.await.unwrap().unwrap().unwrap().contains(text) {
            break;
        }
    };
    until("at store (db.js:1:1)").await;
    let now = chrono::Utc::now().timestamp_millis();
    cloud.insert(&Row::at(now, "unrelated").ids("other", "run"));
    cloud.insert(&Row::at(now, "afterwards").ids("corr", "run"));
    until("afterwards").await;
    signal(child.id().unwrap(), "-INT");
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}
