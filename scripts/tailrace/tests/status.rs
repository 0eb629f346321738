//! `status` as a user, or a cron, runs it: every part, every colour, and the exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::io::Write as _;

use log_record::Reason;
use serde_json::{Value, json};
use support::letters::{DLQ, records, row};
use support::{Cloud, Ran, Row, When, bare, failure};

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// An installation that is well: rows of the last hours, no letters, no keys.
async fn healthy() -> Cloud {
    Cloud::with(&[
        Row::at(now_ms() - 3 * 3_600_000, "old"),
        Row::at(now_ms() - 2_000, "new"),
    ])
    .await
}

async fn report(cloud: &Cloud, more: &[&str]) -> (i32, Value) {
    let ran = cloud.run(&[&["status", "-o", "json"], more].concat()).await;
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
    (ran.code, ran.json().remove(0))
}

/// The conditions that are red, with their part.
fn red(report: &Value) -> Vec<String> {
    let mut conditions = Vec::new();
    for part in report["parts"].as_array().unwrap() {
        for finding in part["red"].as_array().unwrap() {
            let runbook = finding["runbook"].as_str().unwrap();
            assert!(runbook.starts_with("docs/"), "{runbook}");
            conditions.push(format!(
                "{} {}",
                part["part"].as_str().unwrap(),
                finding["condition"].as_str().unwrap()
            ));
        }
    }
    conditions
}

fn part<'a>(report: &'a Value, name: &str) -> &'a Value {
    let parts = report["parts"].as_array().unwrap();
    parts.iter().find(|part| part["part"] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_is_well_is_one_screen_and_exit_0() {
    let cloud = healthy().await;
    let ran = cloud.run(&["status", "--utc"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<_> = ran.stdout.lines().skip(1).collect();
    assert_eq!(
        lines[0],
        "queue         ok       tail-logs: empty; consumer log-writer"
    );
    assert_eq!(
        lines[1],
        "dead-letters  ok       tail-logs-dlq: empty; consumer http_pull"
    );
    assert_eq!(
        lines[2],
        "database      ok       tailrace: 120 MB of 10 GB (1%)"
    );
    assert!(lines[3].contains("ago, stored"), "{}", lines[3]);
    assert_eq!(lines[4], "fallback      ok       tailrace-fallback: empty");
    assert_eq!(lines[5], "archive       off      not in use");
    assert_eq!(
        lines[6],
        "workers       ok       log-writer 0123abcd since 2026-11-20 10:00:00.123Z; \
         tail-ingest 0123abcd since 2026-11-20 10:00:00.123Z; 1 attached Worker: shop-api"
    );
    assert_eq!(lines.len(), 7, "{ran:?}");
    let (code, report) = report(&cloud, &[]).await;
    assert_eq!((code, report["state"].as_str()), (0, Some("ok")));
    assert_eq!(part(&report, "database")["seen"]["bytes"], 120_000_000);
    assert_eq!(part(&report, "rows")["seen"]["retention_seconds"], 604_800);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_red_and_names_the_runbook() {
    let cloud = healthy().await;
    for n in 0..3 {
        let letter = records(Reason::Rejected, &[row(&format!("r{n}"))]);
        cloud.state().enqueue(DLQ, &letter);
    }
    cloud.state().enqueue(DLQ, "not a letter");
    let old = now_ms() - 11 * 60_000;
    cloud.state().enqueue_as("tail-logs", "waits", "text", old);
    let key = format!(
        "envelope/{}-u",
        Row::at(now_ms() - 16 * 60_000, "").timestamp
    );
    cloud.state().kv.insert(key.clone(), vec![]);
    cloud.state().database_bytes = 8_100_000_000;
    cloud.insert(&Row::at(now_ms() - 9 * 86_400_000, "left"));
    {
        let mut state = cloud.state();
        let queue = state.queues.get_mut("tail-logs").unwrap();
        queue.paused = true;
        queue.changed = vec![("/settings/max_concurrency", json!(10))];
        let letters = state.queues.get_mut(DLQ).unwrap();
        letters.retention = Some(345_600);
    }
    let (code, report) = report(&cloud, &[]).await;
    assert_eq!(code, 1);
    assert_eq!(
        red(&report),
        [
            "queue delivery_paused",
            "queue settings",
            "queue oldest_message",
            "dead-letters settings",
            "dead-letters dead_letters",
            "database database_size",
            "rows past_retention",
            "fallback key_age",
        ]
    );
    let letters = &part(&report, "dead-letters")["seen"];
    assert_eq!(letters["reasons"], json!({"rejected": 3, "undecodable": 1}));
    assert_eq!(letters["messages"], 4);
    let ran = cloud.run(&["status"]).await;
    assert_eq!(ran.code, 1);
    ran.says("RED");
    ran.says("4 dead letters: see docs/");
    ran.says("#the-dead-letter-queue-fills");
    ran.says("max_concurrency is 10 and not 2");
    ran.says(&key);
    // A look is not a delivery.
    assert!(
        cloud.state().queues[DLQ]
            .messages
            .iter()
            .all(|one| one.attempts == 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_queue_or_consumer_is_red() {
    let cloud = healthy().await;
    cloud.state().queues.remove(DLQ);
    let changed = vec![("/script_name", json!("somebody-elses"))];
    cloud.state().queues.get_mut("tail-logs").unwrap().changed = changed;
    let (code, report) = report(&cloud, &[]).await;
    assert_eq!(code, 1);
    assert_eq!(
        red(&report),
        ["queue consumer_missing", "dead-letters missing"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_token_may_not_see_is_unknown_and_exit_3() {
    let cloud = healthy().await;
    let refused = || failure(403, 10000, "Authentication error");
    cloud.fault("/queues", usize::MAX, When::Before, refused());
    cloud.fault("/workers", usize::MAX, When::Before, refused());
    let (code, seen) = report(&cloud, &[]).await;
    assert_eq!((code, seen["state"].as_str()), (3, Some("unknown")));
    for name in ["queue", "dead-letters", "workers"] {
        let part = part(&seen, name);
        assert_eq!(part["state"], "unknown");
        let why = part["unknown"].as_str().unwrap();
        assert!(why.contains("not visible to the token"), "{why}");
    }
    assert_eq!(part(&seen, "rows")["state"], "ok");
    // A part that is not asked for is not looked at.
    let calls = cloud.state().calls.len();
    let (code, asked) = report(&cloud, &["--only", "rows", "--only", "fallback"]).await;
    assert_eq!(code, 0);
    assert_eq!(asked["parts"].as_array().unwrap().len(), 2);
    assert!(
        !cloud.state().calls[calls..]
            .iter()
            .any(|call| call.contains("/queues"))
    );
    // What is seen to be red counts more than what is not seen.
    let (code, _) = report(&cloud, &["--max-database", "1"]).await;
    assert_eq!(code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_queues_edit_dead_letters_are_counted_and_red() {
    let cloud = healthy().await;
    let letter = records(Reason::Rejected, &[row("r")]);
    cloud.state().enqueue(DLQ, &letter);
    let refused = failure(403, 10000, "Authentication error");
    cloud.fault("/messages/peek", usize::MAX, When::Before, refused);
    let (code, seen) = report(&cloud, &["--only", "dead-letters"]).await;
    assert_eq!(code, 1);
    assert_eq!(red(&seen), ["dead-letters dead_letters"]);
    let why = part(&seen, "dead-letters")["unknown"].as_str().unwrap();
    assert!(why.contains("Queues: Edit"), "{why}");
    // Without letters nothing is amiss, and nothing unknown that matters.
    cloud.state().queues.get_mut(DLQ).unwrap().messages.clear();
    let (code, _) = report(&cloud, &["--only", "dead-letters"]).await;
    assert_eq!(code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_exit_3_and_a_bad_option_exit_2() {
    let ran: Ran = bare(&["status"]).output().await.unwrap().into();
    assert_eq!(ran.code, 3, "{ran:?}");
    ran.warns("no API token");
    let cloud = healthy().await;
    cloud.outage("/accounts/");
    let ran = cloud.run(&["status", "--only", "rows"]).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    for bad in [
        &["status", "--only", "nothing"][..],
        &["status", "--expect-rows", "soon"],
        &["status", "--max-database", "much"],
    ] {
        assert_eq!(cloud.run(bad).await.code, 2, "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_come_from_options_and_from_the_context() {
    let cloud = healthy().await;
    let letter = records(Reason::Rejected, &[row("r")]);
    cloud.state().enqueue(DLQ, &letter);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("tailrace/config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut file = std::fs::File::create(file).unwrap();
    write!(file, "[context.default.status]\nmax_dead_letters = 1\n").unwrap();
    let run = async |more: &[&str]| {
        let mut command = cloud.command(&[&["status"], more].concat());
        command.env("XDG_CONFIG_HOME", home.path());
        Ran::from(command.output().await.unwrap()).code
    };
    assert_eq!(run(&[]).await, 0);
    // The command line wins.
    assert_eq!(run(&["--max-dead-letters", "0"]).await, 1);
    assert_eq!(run(&["--expect-rows", "15m"]).await, 0);
    assert_eq!(run(&["--expect-rows", "1s"]).await, 1);
    // A retention of the deployed Worker, and one that is given.
    cloud.insert(&Row::at(now_ms() - 5 * 86_400_000, "older"));
    assert_eq!(run(&[]).await, 0);
    assert_eq!(run(&["--retention", "2d"]).await, 1);
    let kept = json!({"RETENTION_DAYS": "3"});
    cloud.state().workers.get_mut("log-writer").unwrap().1 = kept;
    assert_eq!(run(&[]).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_not_as_configured_are_named() {
    let cloud = healthy().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tailrace.toml");
    let config = file.display().to_string();
    let look = ["--only", "workers", "--config", &config];
    std::fs::write(&file, "retention_days = 7\nmin_level = \"debug\"\n").unwrap();
    let (code, well) = report(&cloud, &look).await;
    assert_eq!(
        (code, &part(&well, "workers")["seen"]["differing"]),
        (0, &json!([]))
    );
    let text = "retention_days = 30\nsample_rate = 0.5\n[env.staging]\nretention_days = 3\n";
    std::fs::write(&file, text).unwrap();
    {
        let mut state = cloud.state();
        let kept = json!({"RETENTION_DAYS": "3", "PIPELINE_WORKERS": "a b"});
        state.workers.get_mut("log-writer").unwrap().1 = kept;
        state.workers.get_mut("tail-ingest").unwrap().1 = json!({"MIN_LEVEL": "warn"});
    }
    let (code, differs) = report(&cloud, &look).await;
    // What is configured may be what is to be deployed next.
    assert_eq!((code, differs["state"].as_str()), (0, Some("ok")));
    let one = |worker, name, deployed, configured| json!({"worker": worker, "name": name, "deployed": deployed, "configured": configured});
    assert_eq!(
        part(&differs, "workers")["seen"]["differing"],
        json!([
            one("tail-ingest", "MIN_LEVEL", "warn", "debug"),
            one("tail-ingest", "SAMPLE_RATE", "1", "0.5"),
            one("log-writer", "RETENTION_DAYS", "3", "30"),
        ])
    );
    let ran = cloud.run(&[&["status"][..], &look].concat()).await;
    ran.says("log-writer has RETENTION_DAYS 3, tailrace.toml 30");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_is_shown_as_far_as_its_catalog_tells() {
    let cloud = healthy().await;
    cloud
        .state()
        .db
        .execute_batch(
            "INSERT INTO archive_objects (key, stored_at, first_timestamp, last_timestamp, bytes, rows, counts) VALUES
             ('v1/dt=2026-11-23/hour=10/a', '2026-11-23T11:00:00.000Z', '', '', 1, 'all', '{}'),
             ('v1/dt=2026-11-22/hour=09/late', '2026-11-23T12:00:00.000Z', '', '', 1, 'all', '{}');
             INSERT INTO archive_objects (key, first_timestamp, last_timestamp, bytes, rows, counts) VALUES
             ('v1/dt=2026-11-23/hour=12/now', '', '', 1500, 'all', '{}')",
        )
        .unwrap();
    let (code, report) = report(&cloud, &["--only", "archive"]).await;
    assert_eq!(code, 0);
    let archive = part(&report, "archive");
    assert_eq!(archive["state"], "ok");
    let seen = &archive["seen"];
    assert_eq!(seen["oldest"], "2026-11-23T11:00:00.000Z");
    assert!(seen["newest_seconds"].as_i64().unwrap() < 600, "{seen}");
    assert_eq!(
        (&seen["objects_last_day"], &seen["bytes_last_day"]),
        (&json!(1), &json!(1500))
    );
    let ran = cloud.run(&["status", "--only", "archive", "--utc"]).await;
    ran.says("; 1 object of the last day, 1.5 kB; oldest 2026-11-23 11:00:00.000Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn locally_queues_are_named_and_not_red() {
    let cloud = healthy().await;
    let ran = cloud.run_local(&["status"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.says("tail-logs: not visible locally");
    ran.says("tail-logs-dlq: not visible locally");
    ran.says("tailrace: 120 MB of 10 GB");
    let key = format!(
        "envelope/{}-u",
        Row::at(now_ms() - 16 * 60_000, "").timestamp
    );
    cloud.state().kv.insert(key, vec![]);
    assert_eq!(cloud.run_local(&["status"]).await.code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_with_nothing_but_what_is_promised_are_read() {
    let cloud = healthy().await;
    cloud.state().sparse = true;
    let (code, report) = report(&cloud, &[]).await;
    assert_eq!(code, 0, "{report}");
}
