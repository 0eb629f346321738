//! A database that is slow, refuses large answers, or is reached past a proxy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use support::{Cloud, Ran, Row, When, failure};

/// A row an hour, of the last `hours` hours.
async fn hourly(hours: i64) -> Cloud {
    let now = chrono::Utc::now().timestamp_millis();
    let rows: Vec<_> = (1..=hours)
        .map(|hour| Row::at(now - hour * 3_600_000, &format!("hour-{hour}")))
        .collect();
    Cloud::with(&rows).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_too_slow_is_divided_and_never_repeated() {
    let cloud = hourly(30).await;
    cloud.state().longest_window = Some(Duration::from_secs(3_600));
    for arguments in [
        vec!["logs", "--grep", "hour", "--limit", "500"],
        vec!["logs", "--level", "info", "--limit", "500"],
        vec!["stats", "--since", "31h", "--json"],
    ] {
        let before = cloud.bodies().await.len();
        let ran = cloud.run(&arguments).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        if arguments[0] == "logs" {
            assert_eq!(ran.stdout.lines().count(), 30, "{}", ran.stderr);
        } else {
            assert_eq!(ran.json()[0]["workers"][0]["records"]["info"], 30);
        }
        let asked = cloud.bodies().await.split_off(before);
        let asked: Vec<_> = asked.into_iter().filter(|body| !body.is_empty()).collect();
        let different: BTreeSet<_> = asked.iter().collect();
        assert_eq!(asked.len(), different.len(), "a statement was sent twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_is_asked_for_in_parts() {
    let rows: Vec<_> = (0..300).map(|n| Row::line(n, &format!("m{n}"))).collect();
    let cloud = Cloud::with(&rows).await;
    cloud.state().largest_answer = Some(40);
    for arguments in [
        vec!["logs", "--limit", "300"],
        vec!["logs", "--limit", "all", "--grep", "m"],
        vec!["trace", "c1", "--json"],
    ] {
        let ran = cloud.run(&arguments).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(ran.stdout.lines().count(), 300, "{arguments:?}");
    }
    // A single row that is too large cannot be divided.
    cloud.state().largest_answer = Some(0);
    let ran = cloud.run(&["logs"]).await;
    assert_eq!(ran.code, 1);
    ran.warns("hint: ask for less");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_records_is_never_passed_off_as_all() {
    let now = chrono::Utc::now().timestamp_millis();
    let rows: Vec<_> = (0..150)
        .map(|n| Row::at(now - 60_000 + n, &format!("m{n}")))
        .collect();
    let cloud = Cloud::with(&rows).await;
    for (arguments, shown) in [
        (vec!["logs"], 100),
        (vec!["logs", "--until", "now", "--json"], 100),
        (vec!["logs", "--since", "1h", "-n", "10"], 10),
    ] {
        let ran = cloud.run(&arguments).await;
        assert_eq!(ran.stdout.lines().count(), shown);
        ran.warns(&format!("the newest {shown} records; there are more"));
    }
    for arguments in [vec!["logs", "-n", "150"], vec!["logs", "-n", "all"]] {
        let ran = cloud.run(&arguments).await;
        assert_eq!(ran.stdout.lines().count(), 150);
        assert_eq!(ran.stderr, "");
    }
}

/// Rows that were read before a failure are on the screen by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_read_is_printed_page_by_page() {
    let rows: Vec<_> = (0..600).map(|n| Row::line(n, &format!("m{n}"))).collect();
    let cloud = Cloud::with(&rows).await;
    for arguments in [
        vec!["logs", "-n", "all"],
        vec!["logs", "-n", "all", "--grep", "m"],
    ] {
        let broken = failure(400, 7500, "odd");
        // After the oldest time, the catalog of the archive, and two pages.
        cloud.fault_after(4, "/raw", usize::MAX, When::Before, broken);
        let ran = cloud.run(&arguments).await;
        assert_eq!(ran.code, 1, "{arguments:?}");
        let messages = ran.messages();
        assert_eq!(messages.len(), 500, "{}", ran.stderr);
        assert_eq!((messages[0], messages[499]), ("m0", "m499"));
        cloud.state().faults.clear();
        let ran = cloud.run(&arguments).await;
        assert_eq!(ran.messages().len(), 600, "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_is_never_asked_through_a_proxy() {
    let cloud = Cloud::with(&[Row::line(0, "here")]).await;
    let port = cloud.port().to_string();
    for arguments in [vec!["logs"], vec!["logs", "--local", &port]] {
        let mut command = cloud.command(&arguments);
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
            command.env(name, "http://127.0.0.1:9");
        }
        let ran: Ran = command.output().await.unwrap().into();
        assert_eq!(ran.messages(), ["here"], "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_the_local_system_is_not_blamed_on_cloudflare() {
    let cloud = Cloud::with(&[]).await;
    let words = "no such table: tail_logs_of_another_kind";
    cloud.fault("/raw", usize::MAX, When::Before, failure(500, 0, words));
    let ran = cloud.run_local(&["logs"]).await;
    assert_eq!(ran.code, 1);
    cloud.state().faults.clear();
    cloud.fault("/raw", usize::MAX, When::Before, failure(400, 0, "odd"));
    let ran = cloud.run_local(&["logs"]).await;
    ran.warns("hint: read what `cargo xtask dev` printed");
    assert!(!ran.stderr.contains("Cloudflare is busy"), "{}", ran.stderr);
}

/// The hour that occurs twice: from the first of them on.
#[tokio::test(flavor = "multi_thread")]
async fn no_hour_is_lost_where_clocks_go_back() {
    for (zone, since, expected) in [
        (
            "Europe/Berlin",
            "2026-10-25T02:30",
            "2026-10-25T00:30:00.000Z",
        ),
        (
            "America/New_York",
            "2026-11-01T01:30",
            "2026-11-01T05:30:00.000Z",
        ),
    ] {
        let cloud = Cloud::with(&[]).await;
        let mut command = cloud.command(&["logs", "--since", since]);
        let ran: Ran = command.env("TZ", zone).output().await.unwrap().into();
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let mut command = cloud.command(&["logs", "--since", since, "--tz", zone]);
        let ran: Ran = command.env("TZ", "UTC").output().await.unwrap().into();
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let asked = cloud.bodies().await;
        let asked = asked
            .iter()
            .filter(|body| body.contains(expected) && body.contains("FROM tail_logs"));
        assert_eq!(asked.count(), 2, "{zone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_without_capitals_is_found_in_any_case() {
    let cloud = Cloud::with(&[Row::line(0, "Änderung"), Row::line(1, "änderung")]).await;
    let ran = cloud.run(&["logs", "--grep", "ä"]).await;
    assert_eq!(ran.messages(), ["Änderung", "änderung"]);
    let ran = cloud.run(&["logs", "--grep", "Änd"]).await;
    assert_eq!(ran.messages(), ["Änderung"]);
}
